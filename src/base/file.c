/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* Read up to `size` bytes, over short reads and interruptions; *got says how many came. */
static numann_status read_all(int fd, const char *path, char *data, size_t size, size_t *got,
                              numann_error *err) {
  *got = 0;
  while (*got < size) {
    ssize_t n = read(fd, data + *got, size - *got);
    if (n == 0) break;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      int error = errno;
      return nu_fail(err, NUMANN_ERR_IO, "%s: cannot be read: %s; %s", path, strerror(error),
                     nu_errno_advice(error));
    }
    *got += (size_t)n;
  }
  return NUMANN_OK;
}

static numann_status read_open(int fd, const char *path, size_t limit, numann_status status,
                               char **data, size_t *size, numann_error *err) {
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return nu_fail(err, NUMANN_ERR_IO, "%s: %s", path, strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return nu_fail(err, status, "%s: not a regular file; name a file", path);
  }
  if ((uintmax_t)info.st_size > limit) {
    return nu_fail(err, status, "%s: %jd bytes, at most %zu are expected; is it the right file?",
                   path, (intmax_t)info.st_size, limit);
  }
  size_t expected = (size_t)info.st_size;
  *data = malloc(expected + 1);
  if (!*data) return nu_fail_memory(err, expected, path);
  numann_status result = read_all(fd, path, *data, expected, size, err);
  if (result != NUMANN_OK) {
    free(*data);
    *data = NULL;
    return result;
  }
  (*data)[*size] = '\0';
  return NUMANN_OK;
}

numann_status nu_file_read(const char *path, size_t limit, numann_status status, char **data,
                           size_t *size, numann_error *err) {
  *data = NULL;
  *size = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return nu_fail_system(err, status, path, "cannot be opened");
  }
  numann_status result = read_open(fd, path, limit, status, data, size, err);
  close(fd);
  return result;
}

bool nu_file_peek(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  size_t got;
  numann_status status = read_all(fd, path, text, size - 1, &got, NULL);
  close(fd);
  text[got] = '\0';
  return status == NUMANN_OK && got > 0;
}

char *nu_path_join(const char *folder, const char *name) {
  size_t a = strlen(folder), b = strlen(name);
  if (a == 0 || name[0] == '/') return nu_copy_text(name, b);
  bool slash = folder[a - 1] != '/';
  char *path = malloc(a + slash + b + 1);
  if (path) snprintf(path, a + slash + b + 1, "%s%s%s", folder, slash ? "/" : "", name);
  return path;
}

char *nu_path_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return nu_copy_text(".", 1);
  if (slash == path) return nu_copy_text("/", 1);
  return nu_copy_text(path, (size_t)(slash - path));
}

bool nu_is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool nu_is_there(const char *path) { return access(path, F_OK) == 0; }

bool nu_is_plain_file(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}
