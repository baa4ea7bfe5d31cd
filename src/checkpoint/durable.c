/* The durable protocol of one file. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "checkpoint/durable.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

/* Names tried for the temporary file. A killed process leaves its own behind, and in a container
 * the next one often has the same pid. */
#define ATTEMPTS 100

static numann_status fail(const char *path, const char *what, int error, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_IO, "%s: cannot %s: %s; %s (the older file is intact)", path, what,
                 strerror(error), nu_errno_advice(error));
}

static numann_status fail_folder(const char *path, const char *what, int error, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_IO, "%s: cannot %s: %s; %s", path, what, strerror(error),
                 nu_errno_advice(error));
}

/* Give back descriptors and memory; the temporary file stays if it was renamed. */
static void forget(nu_durable *file) {
  if (file->fd >= 0) close(file->fd);
  if (file->folder >= 0) close(file->folder);
  free(file->temporary);
  *file = (nu_durable){.folder = -1, .fd = -1};
}

void nu_durable_abandon(nu_durable *file) {
  if (file->temporary) unlinkat(file->folder, file->temporary, 0);
  forget(file);
}

static numann_status give_up(nu_durable *file, const char *what, int error, numann_error *err) {
  const char *path = file->path;
  nu_durable_abandon(file);
  return fail(path, what, error, err);
}

static int open_folder(const char *path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

/* Some file systems have no fsync of folders and say so: nothing more can be done there. */
static int sync_folder(int folder) {
  if (fsync(folder) == 0 || errno == EINVAL || errno == EOPNOTSUPP) return 0;
  return errno;
}

static numann_status open_parent(nu_durable *file, numann_error *err) {
  char *folder = nu_path_folder(file->path);
  if (!folder) return nu_fail_memory(err, strlen(file->path), "a path");
  file->folder = open_folder(folder);
  int error = errno;
  free(folder);
  return file->folder < 0 ? fail(file->path, "open its folder", error, err) : NUMANN_OK;
}

/* Renaming over a device or a folder is never what the user meant. */
static numann_status check_target(const nu_durable *file, numann_error *err) {
  struct stat info;
  if (fstatat(file->folder, file->name, &info, AT_SYMLINK_NOFOLLOW) != 0) return NUMANN_OK;
  if (S_ISREG(info.st_mode) || S_ISLNK(info.st_mode)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_IO, "%s: there, and not a regular file; choose another name",
                 file->path);
}

/* The first free of ".<name>.<pid>-<attempt>.tmp". */
static numann_status open_temporary(nu_durable *file, numann_error *err) {
  size_t room = strlen(file->name) + 48;
  char *temporary = malloc(room);
  if (!temporary) return nu_fail_memory(err, room, "a path");
  for (int i = 0; i < ATTEMPTS && file->fd < 0; i++) {
    snprintf(temporary, room, ".%s.%ld-%d.tmp", file->name, (long)getpid(), i);
    file->fd =
        openat(file->folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file->fd < 0 && errno != EEXIST) break;
  }
  if (file->fd < 0) {
    int error = errno;
    free(temporary);
    return fail(file->path, "create a temporary file beside it", error, err);
  }
  file->temporary = temporary;
  return NUMANN_OK;
}

/* Ask for the whole space before the first byte. posix_fallocate would write every block where the
 * file system cannot reserve, so the system call itself is used and its "cannot" is accepted. */
static int reserve(int fd, uint64_t size) {
#ifdef __linux__
  int result;
  do {
    result = fallocate(fd, 0, 0, (off_t)size);
  } while (result != 0 && errno == EINTR);
  bool unable = result != 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS);
  return result == 0 || unable ? 0 : errno;
#else
  (void)fd;
  (void)size;
  return 0;
#endif
}

numann_status nu_durable_begin(nu_durable *file, const char *path, uint64_t size,
                               numann_error *err) {
  const char *slash = strrchr(path, '/');
  *file = (nu_durable){.path = path, .name = slash ? slash + 1 : path, .folder = -1, .fd = -1};
  numann_status status = open_parent(file, err);
  if (status == NUMANN_OK) status = check_target(file, err);
  if (status == NUMANN_OK) status = open_temporary(file, err);
  if (status != NUMANN_OK) {
    forget(file);
    return status;
  }
  int error = reserve(file->fd, size);
  return error ? give_up(file, "reserve space", error, err) : NUMANN_OK;
}

numann_status nu_durable_put(nu_durable *file, uint64_t at, const void *bytes, size_t n,
                             numann_error *err) {
  const char *next = bytes;
  for (size_t left = n; left > 0;) {
    ssize_t wrote = pwrite(file->fd, next, left, (off_t)at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return give_up(file, "write", errno, err);
    next += wrote;
    at += (uint64_t)wrote;
    left -= (size_t)wrote;
  }
  return NUMANN_OK;
}

/* ---- another process' file */

static bool begins_with(int fd, const void *token, size_t n) {
  char found[NU_DURABLE_TOKEN];
  assert(n <= sizeof found);
  return pread(fd, found, n, 0) == (ssize_t)n && memcmp(found, token, n) == 0;
}

numann_status nu_durable_join(nu_durable *file, const char *temporary, const void *token, size_t n,
                              numann_error *err) {
  *file = (nu_durable){.path = temporary, .folder = -1, .fd = -1};
  file->fd = open(temporary, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (file->fd < 0) return nu_fail_system(err, NUMANN_ERR_IO, temporary, "cannot be opened");
  if (begins_with(file->fd, token, n)) return NUMANN_OK;
  forget(file);
  return nu_fail(err, NUMANN_ERR_IO, "%s: is another file here", temporary);
}

numann_status nu_durable_leave(nu_durable *file, numann_error *err) {
  if (fsync(file->fd) != 0) return give_up(file, "synchronise", errno, err);
  int closed = close(file->fd), error = errno;
  file->fd = -1;
  if (closed != 0 && error != EINTR) return give_up(file, "close", error, err);
  forget(file);
  return NUMANN_OK;
}

numann_status nu_durable_show(nu_durable *file, numann_error *err) {
  return fsync(file->fd) == 0 ? NUMANN_OK : give_up(file, "synchronise", errno, err);
}

char *nu_durable_temporary(const nu_durable *file) {
  char *folder = nu_path_folder(file->path);
  char *whole = folder ? realpath(folder, NULL) : NULL;
  char *path = whole ? nu_path_join(whole, file->temporary) : NULL;
  free(whole);
  free(folder);
  return path;
}

/* ---- the end */

/* The answer of a file server may get lost. The system then asks again, and hears of the second
 * time: that the temporary file is not there. It is, under its final name. */
static bool was_renamed(const nu_durable *file, const struct stat *mine, int error) {
  struct stat there;
  return error == ENOENT && fstatat(file->folder, file->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         mine->st_dev == there.st_dev && mine->st_ino == there.st_ino;
}

numann_status nu_durable_end(nu_durable *file, numann_error *err) {
  struct stat mine;
  if (fsync(file->fd) != 0 || fstat(file->fd, &mine) != 0)
    return give_up(file, "synchronise", errno, err);
  int closed = close(file->fd);
  file->fd = -1;
  if (closed != 0 && errno != EINTR) return give_up(file, "close", errno, err);
  int renamed = renameat(file->folder, file->temporary, file->folder, file->name);
  int refused = renamed != 0 ? errno : 0;
  if (refused && !was_renamed(file, &mine, refused))
    return give_up(file, "rename the temporary file", refused, err);
  const char *path = file->path;
  int error = sync_folder(file->folder);
  forget(file);
  return error ? fail(path, "synchronise its folder", error, err) : NUMANN_OK;
}

numann_status nu_durable_write(const char *path, const void *bytes, size_t n, numann_error *err) {
  nu_durable file;
  NU_TRY(nu_durable_begin(&file, path, n, err));
  NU_TRY(nu_durable_put(&file, 0, bytes, n, err));
  return nu_durable_end(&file, err);
}

numann_status nu_durable_sync(const char *folder, numann_error *err) {
  int fd = open_folder(folder);
  int error = fd < 0 ? errno : sync_folder(fd);
  if (fd >= 0) close(fd);
  return error ? fail_folder(folder, "synchronise the folder", error, err) : NUMANN_OK;
}

numann_status nu_durable_folder_in(const char *path, numann_error *err) {
  if (mkdir(path, 0777) != 0) {
    int error = errno == EEXIST ? ENOTDIR : errno;
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return NUMANN_OK;
    return fail_folder(path, "make the folder", error, err);
  }
  char *parent = nu_path_folder(path);
  if (!parent) return nu_fail_memory(err, strlen(path), "a path");
  numann_status status = nu_durable_sync(parent, err);
  free(parent);
  return status;
}

numann_status nu_durable_folder(const char *path, numann_error *err) {
  size_t n = strlen(path);
  char *part = nu_copy_text(path, n);
  if (!part) return nu_fail_memory(err, n, "a path");
  while (n > 1 && part[n - 1] == '/') part[--n] = '\0';
  numann_status status = NUMANN_OK;
  for (size_t i = 1; i < n && status == NUMANN_OK; i++) {
    if (part[i] != '/' || part[i - 1] == '/') continue;
    part[i] = '\0';
    status = nu_durable_folder_in(part, err);
    part[i] = '/';
  }
  if (status == NUMANN_OK) status = nu_durable_folder_in(part, err);
  free(part);
  return status;
}

size_t nu_durable_final_length(const char *name) {
  static const char ending[] = ".tmp";
  size_t n = strlen(name), end = sizeof ending - 1;
  if (name[0] != '.' || n <= end || strcmp(name + n - end, ending) != 0) return 0;
  const char *digits = "0123456789";
  size_t i = n - end, attempt, pid;
  for (attempt = 0; i > 0 && strchr(digits, name[i - 1]); attempt++) i--;
  if (attempt == 0 || i == 0 || name[--i] != '-') return 0;
  for (pid = 0; i > 0 && strchr(digits, name[i - 1]); pid++) i--;
  return pid > 0 && i > 1 && name[i - 1] == '.' ? i - 2 : 0;
}
