/* The lock of a run folder. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
  *fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  int error = errno;
  free(path);
  if (*fd >= 0) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_IO, "%s/lock: cannot be opened: %s; %s", folder, strerror(error),
                 nu_errno_advice(error));
}

/* Who holds it, or "": the text of the file, which is none of ours if it fills the room. */
static void read_holder(int fd, char holder[NU_LOCK_HOLDER]) {
  ssize_t n = pread(fd, holder, NU_LOCK_HOLDER - 1, 0);
  holder[n > 0 ? n : 0] = '\0';
}

static numann_status busy(int fd, const char *folder, numann_error *err) {
  char holder[NU_LOCK_HOLDER];
  read_holder(fd, holder);
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

/* Empty, or one line of name_holder. */
static bool is_holder(const char *text) {
  static const char before[] = "process ", after[] = " on host ";
  size_t n = strlen(text);
  if (n == 0) return true;
  if (strncmp(text, before, sizeof before - 1) != 0) return false;
  const char *pid = text + sizeof before - 1;
  size_t digits = strspn(pid, "0123456789");
  bool goes_on = digits > 0 && strncmp(pid + digits, after, sizeof after - 1) == 0;
  return goes_on && n < NU_LOCK_HOLDER - 1 && strchr(text, '\n') == text + n - 1;
}

/* A file of that name may be the user's own. */
static numann_status check_ours(int fd, const char *folder, numann_error *err) {
  struct stat info;
  char holder[NU_LOCK_HOLDER];
  bool ours = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (ours) read_holder(fd, holder);
  if (ours && is_holder(holder)) return NUMANN_OK;
  return nu_fail(
      err, NUMANN_ERR_CONFIG,
      "%s/lock: not the lock of a run, which is empty or names a process; move that file, "
      "or choose another folder with --out",
      folder);
}

/* A copy of the folder by hard links shares the file: it serves as a lock, and stays as it is. */
static bool is_shared(int fd) {
  struct stat info;
  return fstat(fd, &info) != 0 || info.st_nlink > 1;
}

/* What stands in the name of a temporary file for one that a run writes. */
static bool is_run_file(const char *name, size_t n) {
  for (size_t i = 0; i < NU_RUN_FILES; i++)
    if (strlen(nu_run_files[i]) == n && strncmp(nu_run_files[i], name, n) == 0) return true;
  return nu_checkpoint_is_name(name, n);
}

static bool is_left_over(int folder, const char *name) {
  struct stat info;
  size_t n = nu_durable_final_length(name);
  return n > 0 && is_run_file(name + 1, n) &&
         fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
         info.st_nlink == 1;
}

/* Files of writers that were killed; nobody else writes here while we hold the lock. */
static void remove_temporaries(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return;
  for (const struct dirent *entry; (entry = readdir(folder));) {
    if (is_left_over(dirfd(folder), entry->d_name)) unlinkat(dirfd(folder), entry->d_name, 0);
  }
  closedir(folder);
}

/* Of this host's processes the lock itself tells; of another's, not on every file system. */
static void note_before(nu_run_lock *lock) {
  static const char on[] = " on host ";
  char host[64] = "";
  gethostname(host, sizeof host - 1);
  read_holder(lock->fd, lock->before);
  lock->before[strcspn(lock->before, "\n")] = '\0';
  const char *there = strstr(lock->before, on);
  if (!there || strcmp(there + sizeof on - 1, host) == 0) lock->before[0] = '\0';
}

static numann_status take(nu_run_lock *lock, const char *folder, numann_error *err) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int result;
  do {
    result = fcntl(lock->fd, SET_LOCK, &whole);
  } while (result != 0 && errno == EINTR);
  lock->busy = result != 0 && (errno == EAGAIN || errno == EACCES);
  if (lock->busy) return busy(lock->fd, folder, err);
  /* Some cluster file systems are mounted without locks: training there must still be possible. */
  lock->guarded = result == 0;
  NU_TRY(check_ours(lock->fd, folder, err));
  note_before(lock);
  lock->named = lock->guarded && !is_shared(lock->fd);
  if (lock->named) name_holder(lock->fd);
  return NUMANN_OK;
}

/* Held open, the folder is known again however it is called, and no other one gets its number. */
static numann_status open_folder(nu_run_lock *lock, const char *folder, numann_error *err) {
  lock->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = errno;
  if (lock->folder >= 0) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_IO, "%s: cannot be opened: %s; %s", folder, strerror(error),
                 nu_errno_advice(error));
}

numann_status nu_run_lock_take(nu_run_lock *lock, const char *folder, numann_error *err) {
  *lock = (nu_run_lock){.fd = -1, .folder = -1};
  NU_TRY(nu_durable_folder(folder, err));
  NU_TRY(open_lock(&lock->fd, folder, err));
  numann_status status = take(lock, folder, err);
  if (status == NUMANN_OK) status = open_folder(lock, folder, err);
  if (status != NUMANN_OK) {
    bool is_busy = lock->busy;
    nu_run_lock_release(lock);
    lock->busy = is_busy;
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
  if (lock->named) set_text(lock->fd, "");
  if (lock->folder >= 0) close(lock->folder);
  close(lock->fd);
  *lock = (nu_run_lock){.fd = -1, .folder = -1};
}

bool nu_run_lock_stands(const nu_run_lock *lock, const char *folder) {
  struct stat mine, there;
  if (fstat(lock->folder, &mine) != 0) return errno != ESTALE; /* removed, by another host */
  if (stat(folder, &there) != 0) return errno != ENOENT && errno != ENOTDIR;
  return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}
