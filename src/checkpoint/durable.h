/* Durable files: after a crash at any moment the old file or the new one is there, whole.
 * SPDX-License-Identifier: MIT
 *
 *   begin  temporary file in the same folder (O_EXCL), space reserved: a full disk shows here
 *   add    bytes, over short writes and interruptions
 *   end    fsync, close, rename over the final name, fsync of the folder
 * Only when `end` has returned NUMANN_OK is the content durable. After any failure the temporary
 * file is gone and what was there before is untouched. A failed fsync is never repeated on the same
 * file: the kernel may have dropped the pages and would report success. */
#ifndef NU_CHECKPOINT_DURABLE_H
#define NU_CHECKPOINT_DURABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct nu_durable {
  const char *path; /* final name, borrowed until end or abandon */
  const char *name; /* its part after the last slash */
  char *temporary;  /* name in the same folder; owned */
  int folder;       /* descriptor of the folder */
  int fd;
  uint64_t size; /* promised to begin */
  uint64_t written;
} nu_durable;

/* Every failure of these is NUMANN_ERR_IO with the system's reason, or NUMANN_ERR_MEMORY. `add` and
 * `end` abandon the file when they fail; after a successful begin call end or abandon. */
numann_status nu_durable_begin(nu_durable *file, const char *path, uint64_t size,
                               numann_error *err);
numann_status nu_durable_add(nu_durable *file, const void *bytes, size_t n, numann_error *err);
numann_status nu_durable_end(nu_durable *file, numann_error *err);
void nu_durable_abandon(nu_durable *file);

/* All three for a file of n bytes: config.yaml, report.html. */
numann_status nu_durable_write(const char *path, const void *bytes, size_t n, numann_error *err);

/* Make the folder and the missing ones above it, durably. Already there: NUMANN_OK. */
numann_status nu_durable_folder(const char *path, numann_error *err);
/* The same in a folder that must be there. */
numann_status nu_durable_folder_in(const char *path, numann_error *err);

/* fsync of a folder, so that new, renamed and removed names in it survive a power cut. */
numann_status nu_durable_sync(const char *folder, numann_error *err);

/* Of the name of a temporary file that begin makes: how long the final name in it is, which begins
 * at name + 1. 0 for any other name. */
size_t nu_durable_final_length(const char *name);

#endif
