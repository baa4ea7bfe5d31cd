/* SPDX-License-Identifier: MIT */
#include "base/status.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "numann/version.h"

#include "build_config.h"

const char *numann_status_name(numann_status status) {
  switch (status) {
    case NUMANN_OK: return "ok";
    case NUMANN_ERR_INTERNAL: return "internal";
    case NUMANN_ERR_CONFIG: return "config";
    case NUMANN_ERR_DATA: return "data";
    case NUMANN_ERR_MODEL: return "model";
    case NUMANN_ERR_IO: return "io";
    case NUMANN_ERR_MEMORY: return "memory";
    case NUMANN_ERR_DIVERGED: return "diverged";
    case NUMANN_STOPPED: return "stopped";
  }
  return "unknown";
}

const char *numann_version(void) { return PACKAGE_VERSION; }

numann_status nu_vfail(numann_error *err, numann_status status, const char *format, va_list args) {
  if (err) {
    err->status = status;
    nu_show_vformat(err->message, sizeof err->message, format, args);
  }
  return status;
}

numann_status nu_fail(numann_error *err, numann_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  nu_vfail(err, status, format, args);
  va_end(args);
  return status;
}

numann_status nu_fail_memory(numann_error *err, size_t bytes, const char *what) {
  return nu_fail(err, NUMANN_ERR_MEMORY,
                 "%zu bytes for %s were refused; use a smaller batch, network or data set, or a "
                 "larger memory limit",
                 bytes, what);
}

numann_status nu_fail_system(numann_error *err, numann_status status, const char *place,
                             const char *what, const char *remedy) {
  int reason = errno;
  return nu_fail(err, reason == ENOMEM ? NUMANN_ERR_MEMORY : status, "%s: %s: %s; %s", place, what,
                 strerror(reason), remedy);
}
