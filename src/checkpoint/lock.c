/* The lock of a run folder. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/durable.h"

/* A lock of the open file: two threads of one process exclude each other too. Elsewhere than on
 * Linux a lock of the process must do. */
#ifdef F_OFD_SETLK
#define SET_LOCK F_OFD_SETLK
#else
#define SET_LOCK F_SETLK
#endif

/* The file may not be removed by its holder: another process may already have it open, and would
 * then lock a file that nobody else sees. */
static numann_status open_lock(int *fd, const char *folder, numann_error *err) {
  char *path = nu_path_join(folder, "lock");
  if (!path) return nu_fail_memory(err, strlen(folder), "a path");
  *fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  int error = errno;
  free(path);
  if (*fd >= 0) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_IO, "%s: cannot make its lock file: %s; choose another folder",
                 folder, strerror(error));
}

/* Who holds it: the first line of the file. */
static numann_status busy(int fd, const char *folder, numann_error *err) {
  char holder[200];
  ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
  holder[n > 0 ? n : 0] = '\0';
  holder[strcspn(holder, "\n")] = '\0';
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "%s: in use by %s; wait until it ends, or choose another folder with --out",
                 folder, holder[0] ? holder : "another process");
}

/* A text for people: the lock does not depend on it, so a failure does not matter. */
static bool set_text(int fd, const char *text) {
  size_t n = strlen(text);
  return ftruncate(fd, 0) == 0 && pwrite(fd, text, n, 0) == (ssize_t)n;
}

static void name_holder(int fd) {
  char host[64] = "", text[128];
  gethostname(host, sizeof host - 1);
  snprintf(text, sizeof text, "process %ld on host %s\n", (long)getpid(), host);
  set_text(fd, text);
}

/* Files of writers that were killed; nobody else writes here while we hold the lock. */
static void remove_temporaries(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return;
  for (const struct dirent *entry; (entry = readdir(folder));) {
    if (nu_durable_is_temporary(entry->d_name)) unlinkat(dirfd(folder), entry->d_name, 0);
  }
  closedir(folder);
}

static numann_status take(nu_run_lock *lock, const char *folder, numann_error *err) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int result;
  do {
    result = fcntl(lock->fd, SET_LOCK, &whole);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && (errno == EAGAIN || errno == EACCES)) return busy(lock->fd, folder, err);
  /* Some cluster file systems are mounted without locks: training there must still be possible. */
  lock->guarded = result == 0;
  if (lock->guarded) name_holder(lock->fd);
  return NUMANN_OK;
}

numann_status nu_run_lock_take(nu_run_lock *lock, const char *folder, numann_error *err) {
  *lock = (nu_run_lock){.fd = -1};
  NU_TRY(nu_durable_folder(folder, err));
  NU_TRY(open_lock(&lock->fd, folder, err));
  numann_status status = take(lock, folder, err);
  if (status != NUMANN_OK) {
    close(lock->fd);
    lock->fd = -1;
    return status;
  }
  if (!lock->guarded) return NUMANN_OK;
  char *checkpoints = nu_path_join(folder, "checkpoints");
  remove_temporaries(folder);
  if (checkpoints) remove_temporaries(checkpoints);
  free(checkpoints);
  return NUMANN_OK;
}

void nu_run_lock_release(nu_run_lock *lock) {
  if (lock->fd < 0) return;
  if (lock->guarded) set_text(lock->fd, "");
  close(lock->fd);
  lock->fd = -1;
}
