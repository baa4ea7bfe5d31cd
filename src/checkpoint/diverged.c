/* The mark of a run that has diverged. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/durable.h"

#define MOST_BYTES 4096

static char *mark_path(const char *run) { return nu_path_join(run, NU_DIVERGED); }

numann_status nu_diverged_write(const char *run, const char *what, numann_error *err) {
  nu_text line = {0};
  nu_text_addf(&line, "%s\n", what);
  char *path = mark_path(run);
  numann_status status = !path || line.failed
                             ? nu_fail_memory(err, strlen(run), "a path")
                             : nu_durable_write(path, nu_text_view(&line), line.length, err);
  nu_text_clear(&line);
  free(path);
  return status;
}

numann_status nu_diverged_remove(const char *run, numann_error *err) {
  char *path = mark_path(run);
  if (!path) return nu_fail_memory(err, strlen(run), "a path");
  numann_status status = NUMANN_OK;
  if (unlink(path) == 0) status = nu_durable_sync(run, err);
  else if (errno != ENOENT)
    status = nu_fail(err, NUMANN_ERR_IO, "%s: cannot be removed: %s; remove it by hand", path,
                     strerror(errno));
  free(path);
  return status;
}

char *nu_diverged_read(const char *run) {
  char *path = mark_path(run), *text = NULL;
  size_t size;
  if (path && nu_is_there(path) &&
      nu_file_read(path, MOST_BYTES, NUMANN_ERR_MODEL, &text, &size, NULL) == NUMANN_OK)
    text[strcspn(text, "\n")] = '\0';
  free(path);
  return text;
}
