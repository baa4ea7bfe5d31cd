/* Durable files: after a crash at any moment the old file or the new one is there, whole.
 * SPDX-License-Identifier: MIT
 *
 *   begin  temporary file in the same folder (O_EXCL), space reserved: a full disk shows here
 *   put    bytes at their places, over short writes and interruptions
 *   end    fsync, close, rename over the final name, fsync of the folder
 * Other processes may write a part of it: each of them joins it between begin and end by the name
 * of the temporary file, puts bytes where they belong, and leaves it, which synchronises them.
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
} nu_durable;

/* Every failure of these is NUMANN_ERR_IO with the system's reason, or NUMANN_ERR_MEMORY. `put` and
 * `end` abandon the file when they fail; after a successful begin call end or abandon. */
numann_status nu_durable_begin(nu_durable *file, const char *path, uint64_t size,
                               numann_error *err);
/* That no byte is left out is the caller's care. */
numann_status nu_durable_put(nu_durable *file, uint64_t at, const void *bytes, size_t n,
                             numann_error *err);
numann_status nu_durable_end(nu_durable *file, numann_error *err);
void nu_durable_abandon(nu_durable *file);

/* Another process' temporary file, by its path, for `put`. As two hosts may have a file of one name
 * each, it must begin with the n <= NU_DURABLE_TOKEN bytes of `token`. Nothing of it is removed or
 * renamed here: when anything fails, only the descriptor is closed. */
#define NU_DURABLE_TOKEN 16
numann_status nu_durable_join(nu_durable *file, const char *temporary, const void *token, size_t n,
                              numann_error *err);
/* fsync and close: what was put is durable, and seen by whoever opens the file from now on. */
numann_status nu_durable_leave(nu_durable *file, numann_error *err);
/* The bytes put so far, seen by others: fsync, but the file stays open. */
numann_status nu_durable_show(nu_durable *file, numann_error *err);
/* The temporary file's absolute path, malloc'ed; NULL where the system does not tell. */
char *nu_durable_temporary(const nu_durable *file);

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
