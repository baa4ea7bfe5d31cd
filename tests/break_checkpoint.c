/* Preloaded, it breaks the writing of checkpoints on one rank of a training: at the n-th system call
 * that touches a checkpoint or its folder, counted from 1 on each rank by itself.
 * SPDX-License-Identifier: MIT
 *
 *   BREAK_RANK=r    the rank, as Open MPI or MPICH tells it to its process
 *   BREAK_AT=n      the call; with BREAK_CALL=name only calls of that name count
 *   BREAK_BY=how    "before", "after": SIGKILL before the call, or when it has returned; else the
 *                   number of an error with which it fails
 *   BREAK_LOG=file  file.<rank> has a line for each call that has returned: its name and a path
 * Reading checkpoints does not count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FILES 4096
static char *paths[MOST_FILES]; /* of the descriptors that are watched */
static unsigned long count;

static const char *rank(void) {
  const char *open_mpi = getenv("OMPI_COMM_WORLD_RANK"), *mpich = getenv("PMI_RANK");
  return open_mpi ? open_mpi : mpich ? mpich : "0";
}

/* Also under its temporary name. */
static bool is_checkpoint(const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  return strncmp(name, "ck-", 3) == 0 || strncmp(name, ".ck-", 4) == 0;
}
static bool is_watched(const char *path) {
  const char *slash = strrchr(path, '/');
  return is_checkpoint(path) || (slash && strcmp(slash, "/checkpoints") == 0);
}
static const char *path_of(int fd) { return fd >= 0 && fd < MOST_FILES ? paths[fd] : NULL; }

/* The real function behind ours, as a variable of its type. */
static void *find(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (!function) abort();
  return function;
}
typedef int open_fn(const char *, int, ...);
typedef int openat_fn(int, const char *, int, ...);
typedef int close_fn(int);
typedef ssize_t pwrite_fn(int, const void *, size_t, off_t);
typedef ssize_t pread_fn(int, void *, size_t, off_t);
typedef int fallocate_fn(int, int, off_t, off_t);
typedef int renameat_fn(int, const char *, int, const char *);
typedef int unlinkat_fn(int, const char *, int);
typedef int unlink_fn(const char *);
typedef int mkdir_fn(const char *, mode_t);
#define REAL(type, name)    \
  void *found = find(name); \
  type *real;               \
  memcpy(&real, &found, sizeof real)

/* Is it this call's turn? */
static bool is_due(const char *call) {
  const char *at = getenv("BREAK_AT"), *which = getenv("BREAK_RANK"), *only = getenv("BREAK_CALL");
  if (only && strcmp(only, call) != 0) return false;
  count++;
  return at && which && strcmp(which, rank()) == 0 && strtoul(at, NULL, 10) == count;
}

static bool is_by(const char *how) {
  const char *by = getenv("BREAK_BY");
  return by && strcmp(by, how) == 0;
}

static void note(const char *call, const char *path) {
  const char *log = getenv("BREAK_LOG");
  char line[8192];
  if (!log) return;
  snprintf(line, sizeof line, "%s.%s", log, rank());
  FILE *file = fopen(line, "a");
  if (!file || fprintf(file, "%s %s\n", call, path) < 0 || fclose(file) != 0) abort();
}

/* What the call gives: it is broken, or done and noted. */
#define CALL(name, path, expression)            \
  do {                                          \
    bool due = is_due(name);                    \
    if (due && is_by("before")) raise(SIGKILL); \
    if (due && !is_by("after")) {               \
      errno = atoi(getenv("BREAK_BY"));         \
      return -1;                                \
    }                                           \
    result = (expression);                      \
    int error = errno;                          \
    if (result >= 0) note(name, path);          \
    if (due) raise(SIGKILL);                    \
    errno = error;                              \
  } while (false)

static void watch(int fd, const char *path) {
  if (fd >= 0 && fd < MOST_FILES) paths[fd] = strdup(path);
}
static bool only_reads(const char *path, int flags) {
  return (flags & O_ACCMODE) == O_RDONLY && is_checkpoint(path);
}

static int open_path(const char *name, const char *path, int flags, mode_t mode) {
  REAL(open_fn, name);
  if (!is_watched(path) || only_reads(path, flags)) return real(path, flags, mode);
  int result;
  CALL("open", path, real(path, flags, mode));
  watch(result, path);
  return result;
}

static int open_below(const char *name, int folder, const char *path, int flags, mode_t mode) {
  REAL(openat_fn, name);
  if (!is_watched(path) || only_reads(path, flags)) return real(folder, path, flags, mode);
  int result;
  CALL("openat", path, real(folder, path, flags, mode));
  watch(result, path);
  return result;
}

#define MODE(mode)                     \
  mode_t mode = 0;                     \
  if (flags & (O_CREAT | O_TMPFILE)) { \
    va_list args;                      \
    va_start(args, flags);             \
    mode = va_arg(args, mode_t);       \
    va_end(args);                      \
  }
int open(const char *path, int flags, ...) {
  MODE(mode)
  return open_path("open", path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE(mode)
  return open_path("open64", path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  MODE(mode)
  return open_below("openat", folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  MODE(mode)
  return open_below("openat64", folder, path, flags, mode);
}

int close(int fd) {
  REAL(close_fn, "close");
  const char *path = path_of(fd);
  if (!path) return real(fd);
  int result;
  paths[fd] = NULL;
  CALL("close", path, real(fd));
  return result;
}

static ssize_t put(const char *name, int fd, const void *bytes, size_t n, off_t at) {
  REAL(pwrite_fn, name);
  if (!path_of(fd)) return real(fd, bytes, n, at);
  ssize_t result;
  CALL("pwrite", path_of(fd), real(fd, bytes, n, at));
  return result;
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
  return put("pwrite", fd, bytes, n, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t at) {
  return put("pwrite64", fd, bytes, n, at);
}

static ssize_t get(const char *name, int fd, void *bytes, size_t n, off_t at) {
  REAL(pread_fn, name);
  if (!path_of(fd)) return real(fd, bytes, n, at);
  ssize_t result;
  CALL("pread", path_of(fd), real(fd, bytes, n, at));
  return result;
}
ssize_t pread(int fd, void *bytes, size_t n, off_t at) { return get("pread", fd, bytes, n, at); }
ssize_t pread64(int fd, void *bytes, size_t n, off_t at) {
  return get("pread64", fd, bytes, n, at);
}

static int reserve(const char *name, int fd, int mode, off_t at, off_t n) {
  REAL(fallocate_fn, name);
  if (!path_of(fd)) return real(fd, mode, at, n);
  int result;
  CALL("fallocate", path_of(fd), real(fd, mode, at, n));
  return result;
}
int fallocate(int fd, int mode, off_t at, off_t n) { return reserve("fallocate", fd, mode, at, n); }
int fallocate64(int fd, int mode, off_t at, off_t n) {
  return reserve("fallocate64", fd, mode, at, n);
}

int fsync(int fd) {
  REAL(close_fn, "fsync");
  if (!path_of(fd)) return real(fd);
  int result;
  CALL("fsync", path_of(fd), real(fd));
  return result;
}

int renameat(int from, const char *old, int to, const char *name) {
  REAL(renameat_fn, "renameat");
  if (!is_watched(name)) return real(from, old, to, name);
  int result;
  CALL("renameat", name, real(from, old, to, name));
  return result;
}

int unlinkat(int folder, const char *path, int flags) {
  REAL(unlinkat_fn, "unlinkat");
  if (!is_watched(path)) return real(folder, path, flags);
  int result;
  CALL("unlinkat", path, real(folder, path, flags));
  return result;
}

int unlink(const char *path) {
  REAL(unlink_fn, "unlink");
  if (!is_watched(path)) return real(path);
  int result;
  CALL("unlink", path, real(path));
  return result;
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir_fn, "mkdir");
  if (!is_watched(path)) return real(path, mode);
  int result;
  CALL("mkdir", path, real(path, mode));
  return result;
}
