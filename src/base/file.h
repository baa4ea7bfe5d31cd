/* Reading a small file whole, and paths. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_FILE_H
#define NU_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Read a regular file of at most `limit` bytes into *data (malloc'ed, a NUL follows) and *size.
 * Failures carry `status`, except memory (NUMANN_ERR_MEMORY) and read errors (NUMANN_ERR_IO). */
numann_status nu_file_read(const char *path, size_t limit, numann_status status, char **data,
                           size_t *size, numann_error *err);

/* The first bytes of a file, up to size - 1, and a NUL, without asking for memory: files of the
 * kernel are small, and a limit that could not be read would count as none. False: it cannot be
 * read, or is empty. */
bool nu_file_peek(const char *path, char *text, size_t size);

bool nu_is_folder(const char *path);
bool nu_is_there(const char *path); /* whatever it is, and whether or not it may be read */
bool nu_is_plain_file(const char *path);

/* Join folder and name with one '/'; an absolute name, or an empty folder, gives the name alone.
 * malloc'ed; NULL when refused. */
char *nu_path_join(const char *folder, const char *name);
/* The folder part of path with no final '/' ("." if there is none). malloc'ed; NULL when refused.
 */
char *nu_path_folder(const char *path);

#endif
