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
    case NUMANN_ERR_PEER: return "ranks";
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

/* ---- what the system says */

static const struct {
  int error;
  const char *advice;
} advices[] = {
    {EACCES, "check the permissions of the file and its folders"},
    {EPERM, "check the permissions of the file and its folders"},
    {EROFS, "choose a folder that can be written"},
    {ENOSPC, "free space or choose a folder on another disk"},
    {EDQUOT, "free space of your own or choose a folder on another disk"},
    {EFBIG, "raise the limit on the size of files (ulimit -f)"},
    {ENOENT, "check the path, a part of it is not there"},
    {ENOTDIR, "check the path, a part of it is a file and no folder"},
    {EISDIR, "check the path, it is a folder and no file"},
    {ENAMETOOLONG, "choose a shorter name"},
    {ELOOP, "check the path, a symbolic link in it leads nowhere or to a place that is refused"},
    {EMFILE, "raise the limit on open files (ulimit -n)"},
    {ENFILE, "the whole system has too many open files; end other programs"},
    {EMLINK, "the folder is full; choose another one"},
    {ENXIO, "check the path, it is a device or a pipe without the other end"},
    {EIO, "the disk or the way to it fails; look into the system's log"},
    {ESTALE, "the file server has forgotten the file; try again"},
    {ENOMEM, "free memory or raise the limit on it"},
};

const char *nu_errno_advice(int error) {
  for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
    if (advices[i].error == error) return advices[i].advice;
  return "check the path";
}

numann_status nu_fail_system(numann_error *err, numann_status status, const char *place,
                             const char *what) {
  int reason = errno;
  return nu_fail(err, reason == ENOMEM ? NUMANN_ERR_MEMORY : status, "%s: %s: %s; %s", place, what,
                 strerror(reason), nu_errno_advice(reason));
}
