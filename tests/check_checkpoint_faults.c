/* A disk that fails: the system calls of the durable protocol are replaced here by ones that can be
 * told to fail, to be interrupted, or to do less than asked. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/durable.h"
#include "checkpoint_sample.h"

typedef enum call { OPENAT, FALLOCATE, WRITE, FSYNC, RENAMEAT, UNLINK, PREAD, MKDIR, CALLS } call;

static const char *const call_names[CALLS] = {"openat",   "fallocate", "pwrite", "fsync",
                                              "renameat", "unlink",    "pread",  "mkdir"};

/* What goes wrong; all zero: nothing. */
static struct {
  call which;
  int error;
  unsigned when; /* the call counted from 1 that fails */
  bool for_ever; /* and all after it */
  bool lost;     /* a rename that fails was made all the same */
  bool slow;     /* one byte at a time, every second call interrupted */
  unsigned calls[CALLS];
  bool fired;
  ino_t synced[8]; /* inodes whose fsync failed */
  size_t n_synced;
  bool synced_again;
  char order[32]; /* the calls by letters, repeated ones once */
} fault;

static void note(char letter) {
  size_t n = strlen(fault.order);
  bool repeated = n > 0 && fault.order[n - 1] == letter;
  if (!repeated && n + 1 < sizeof fault.order) fault.order[n] = letter;
}

/* The real function behind ours. */
static void find_real(void *function, call which) {
  void *real = dlsym(RTLD_NEXT, call_names[which]);
  memcpy(function, &real, sizeof real);
}

/* Must this call fail? Sets errno if so. */
static bool fails(call which) {
  unsigned count = ++fault.calls[which];
  bool interrupted = fault.slow && (which == WRITE || which == PREAD) && count % 2 == 0;
  bool failed = fault.error && fault.which == which &&
                (count == fault.when || (fault.for_ever && count > fault.when));
  fault.fired = fault.fired || failed;
  if (failed || interrupted) errno = failed ? fault.error : EINTR;
  return failed || interrupted;
}

int openat(int folder, const char *name, int flags, ...) {
  int (*real)(int, const char *, int, ...);
  va_list args;
  va_start(args, flags);
  mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
  va_end(args);
  find_real(&real, OPENAT);
  note('O');
  return fails(OPENAT) ? -1 : real(folder, name, flags, mode);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  int (*real)(int, int, off_t, off_t);
  find_real(&real, FALLOCATE);
  note('A');
  return fails(FALLOCATE) ? -1 : real(fd, mode, offset, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset) {
  ssize_t (*real)(int, const void *, size_t, off_t);
  find_real(&real, WRITE);
  note('W');
  return fails(WRITE) ? -1 : real(fd, bytes, fault.slow && n > 1 ? 1 : n, offset);
}

ssize_t pread(int fd, void *bytes, size_t n, off_t offset) {
  ssize_t (*real)(int, void *, size_t, off_t);
  find_real(&real, PREAD);
  return fails(PREAD) ? -1 : real(fd, bytes, fault.slow && n > 1 ? 1 : n, offset);
}

/* The kernel may drop the pages of a failed fsync: a second one on the same file would lie. */
static void watch_again(ino_t inode, bool failed) {
  for (size_t i = 0; i < fault.n_synced; i++) {
    fault.synced_again = fault.synced_again || fault.synced[i] == inode;
  }
  if (failed && fault.n_synced < 8) fault.synced[fault.n_synced++] = inode;
}

int fsync(int fd) {
  int (*real)(int);
  struct stat info;
  find_real(&real, FSYNC);
  bool failed = fails(FSYNC);
  bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  note(regular ? 'F' : 'D');
  if (regular) watch_again(info.st_ino, failed);
  return failed ? -1 : real(fd);
}

int renameat(int from, const char *old, int to, const char *name) {
  int (*real)(int, const char *, int, const char *);
  find_real(&real, RENAMEAT);
  note('R');
  bool failed = fails(RENAMEAT);
  int error = errno, made = failed && !fault.lost ? -1 : real(from, old, to, name);
  errno = error;
  return failed ? -1 : made;
}

int unlink(const char *name) {
  int (*real)(const char *);
  find_real(&real, UNLINK);
  note('U');
  return fails(UNLINK) ? -1 : real(name);
}

/* Of a path, only the folder that is new. */
int mkdir(const char *name, mode_t mode) {
  int (*real)(const char *, mode_t);
  find_real(&real, MKDIR);
  return access(name, F_OK) != 0 && fails(MKDIR) ? -1 : real(name, mode);
}

static const size_t sizes[] = {20, 30, 7, 4};
static char *folder, *path;
static nu_saved before, after; /* what was there, and what is to replace it */
static unsigned char *old_bytes, *new_bytes;
static size_t old_size, new_size;

static numann_status save(const nu_saved *saved, numann_error *err) {
  return nu_saved_write(path, saved, err);
}

static void calm(void) { memset(&fault, 0, sizeof fault); }

static void set_up(void) {
  folder = sample_folder();
  path = sample_path(folder, "model.safetensors");
  before = sample_create(SAMPLE_CHECKPOINT, 3, sizes, 1);
  after = sample_create(SAMPLE_CHECKPOINT, 3, sizes, 2);
  ck_assert_int_eq(save(&after, NULL), NUMANN_OK);
  new_bytes = sample_read(path, &new_size);
  ck_assert_int_eq(save(&before, NULL), NUMANN_OK);
  old_bytes = sample_read(path, &old_size);
  calm();
}

static void tear_down(void) {
  calm();
  nu_saved_clear(&before);
  nu_saved_clear(&after);
  free(old_bytes);
  free(new_bytes);
  free(path);
  sample_remove(folder);
}

/* Nothing lies in the folder but the model, and it is the one expected. */
static void expect_file(const unsigned char *expected, size_t expected_size, const char *what) {
  size_t size;
  unsigned char *bytes = sample_read(path, &size);
  ck_assert_msg(size == expected_size && memcmp(bytes, expected, size) == 0, "%s", what);
  free(bytes);
  DIR *listing = opendir(folder);
  for (const struct dirent *entry; (entry = readdir(listing));) {
    ck_assert_msg(nu_durable_final_length(entry->d_name) == 0, "%s: %s is left", what,
                  entry->d_name);
  }
  closedir(listing);
}

static const struct {
  call which;
  int error;
} faults[] = {{OPENAT, EACCES}, {OPENAT, EROFS},     {OPENAT, ENOSPC}, {OPENAT, EDQUOT},
              {OPENAT, EMFILE}, {FALLOCATE, ENOSPC}, {FALLOCATE, EIO}, {FALLOCATE, EFBIG},
              {WRITE, ENOSPC},  {WRITE, EIO},        {WRITE, EDQUOT},  {WRITE, EFBIG},
              {FSYNC, EIO},     {FSYNC, ENOSPC},     {FSYNC, EDQUOT},  {RENAMEAT, EIO},
              {RENAMEAT, EROFS}};

/* One fault at the `when`-th call; false when there were fewer calls. */
static bool try_fault(int row, unsigned when, bool for_ever) {
  numann_error err = {NUMANN_OK, ""};
  char what[64];
  snprintf(what, sizeof what, "%s %u: %s", call_names[faults[row].which], when,
           strerror(faults[row].error));
  calm();
  fault.which = faults[row].which;
  fault.error = faults[row].error;
  fault.when = when;
  fault.for_ever = for_ever;
  numann_status status = save(&after, &err);
  bool fired = fault.fired;
  /* The fsync of the folder comes after the rename: the new file is there, only not durable. */
  bool renamed = !fired || (fault.which == FSYNC && when == 2);
  ck_assert_msg(status == (fired ? NUMANN_ERR_IO : NUMANN_OK), "%s: %s", what, err.message);
  if (fired) ck_assert_msg(strstr(err.message, strerror(fault.error)) != NULL, "%s", err.message);
  ck_assert_msg(!fault.synced_again, "%s: the same file was synchronised again", what);
  calm();
  expect_file(renamed ? new_bytes : old_bytes, renamed ? new_size : old_size, what);
  ck_assert_int_eq(save(&before, &err), NUMANN_OK);
  expect_file(old_bytes, old_size, what);
  return fired;
}

START_TEST(every_failing_call_leaves_the_old_file) {
  for (int for_ever = 0; for_ever < 2; for_ever++) {
    unsigned when = 1;
    while (try_fault(_i, when, for_ever)) when++;
    ck_assert_msg(when > 1, "%s was never called", call_names[faults[_i].which]);
  }
}
END_TEST

/* Each reason has its own advice; only a full disk asks for space. */
static const struct {
  int error;
  const char *advice;
} advices[] = {{EACCES, "check the permissions"},
               {EPERM, "check the permissions"},
               {EROFS, "can be written"},
               {ENOSPC, "free space"},
               {EDQUOT, "of your own"},
               {EFBIG, "ulimit -f"},
               {ENOENT, "check the path"},
               {ENOTDIR, "a file and no folder"},
               {ENAMETOOLONG, "a shorter name"},
               {ELOOP, "symbolic link"},
               {EMFILE, "ulimit -n"},
               {ENFILE, "too many open files"},
               {EMLINK, "the folder is full"},
               {EIO, "system's log"},
               {ESTALE, "file server"},
               {EXDEV, "check the path"}};

static void expect_advice(numann_status status, const numann_error *err, int error,
                          const char *advice) {
  ck_assert_int_eq(status, NUMANN_ERR_IO);
  const char *found = strstr(err->message, strerror(error));
  ck_assert_msg(found && strstr(found, advice), "%s: %s", advice, err->message);
  bool space = strstr(err->message, "free space") != NULL;
  ck_assert_msg(space == (error == ENOSPC || error == EDQUOT), "%s", err->message);
}

START_TEST(every_reason_has_its_advice) {
  numann_error err;
  int error = advices[_i].error;
  fault.which = OPENAT;
  fault.error = error;
  fault.when = 1;
  fault.for_ever = true;
  expect_advice(save(&after, &err), &err, error, advices[_i].advice);
  ck_assert_ptr_nonnull(strstr(err.message, "older file is intact"));
  calm();
  char *new_folder = sample_path(folder, "new");
  fault.which = MKDIR;
  fault.error = error;
  fault.when = 1;
  expect_advice(nu_durable_folder(new_folder, &err), &err, error, advices[_i].advice);
  ck_assert_ptr_null(strstr(err.message, "older file"));
  free(new_folder);
}
END_TEST

/* What makes it safe against a power cut is the order: content synchronised before the name, the
 * name before "durable", the new one durable before an old one goes. */
START_TEST(calls_stand_in_the_durable_order) {
  numann_error err;
  char *checkpoints = sample_path(folder, "checkpoints");
  ck_assert_int_eq(nu_checkpoint_write(checkpoints, &before, 1, 0, &err), NUMANN_OK);
  ck_assert_str_eq(fault.order, "DOAWFRD"); /* the new folder first */
  calm();
  ck_assert_int_eq(nu_checkpoint_write(checkpoints, &after, 1, 0, &err), NUMANN_OK);
  ck_assert_str_eq(fault.order, "OAWFRDUD");
  free(checkpoints);
}
END_TEST

/* An old checkpoint that cannot go is told, but the new one is there. */
START_TEST(failing_removal_keeps_the_new_checkpoint) {
  numann_error err;
  nu_saved again;
  bool found;
  ck_assert_int_eq(nu_checkpoint_write(folder, &before, 1, 0, &err), NUMANN_OK);
  fault.which = UNLINK;
  fault.error = EACCES;
  fault.when = 1;
  ck_assert_int_eq(nu_checkpoint_write(folder, &after, 1, 0, &err), NUMANN_ERR_IO);
  ck_assert_ptr_nonnull(strstr(err.message, "is durable"));
  calm();
  ck_assert_int_eq(nu_checkpoint_newest(&again, &found, folder, NU_FOR_ANSWERS, NULL, &err),
                   NUMANN_OK);
  ck_assert(found && sample_equal(&again, &after));
  nu_saved_clear(&again);
}
END_TEST

static const struct {
  call which;
  int error;
  unsigned when;
} harmless[] = {{FALLOCATE, EOPNOTSUPP, 1}, {FALLOCATE, EINVAL, 1}, {FALLOCATE, EINTR, 1},
                {OPENAT, EEXIST, 1},        {WRITE, EINTR, 2},      {FSYNC, EINVAL, 2}};

START_TEST(harmless_errors_are_passed_over) {
  numann_error err;
  fault.which = harmless[_i].which;
  fault.error = harmless[_i].error;
  fault.when = harmless[_i].when;
  ck_assert_msg(save(&after, &err) == NUMANN_OK, "%s", err.message);
  ck_assert(fault.fired);
  calm();
  expect_file(new_bytes, new_size, "harmless");
}
END_TEST

/* Of a file server that answered twice: the file is what counts. */
START_TEST(a_lost_answer_to_a_rename_is_no_failure) {
  numann_error err;
  fault.which = RENAMEAT;
  fault.error = ENOENT;
  fault.when = 1;
  fault.lost = _i == 0;
  ck_assert_int_eq(save(&after, &err), fault.lost ? NUMANN_OK : NUMANN_ERR_IO);
  ck_assert(fault.fired);
  calm();
  if (_i == 0) expect_file(new_bytes, new_size, "lost");
  else expect_file(old_bytes, old_size, "not made");
}
END_TEST

START_TEST(bytewise_and_interrupted_transfer_changes_nothing) {
  nu_saved again;
  numann_error err;
  fault.slow = true;
  ck_assert_msg(save(&after, &err) == NUMANN_OK, "%s", err.message);
  ck_assert_uint_gt(fault.calls[WRITE], (unsigned)new_size);
  ck_assert_msg(nu_saved_read(&again, path, &err) == NUMANN_OK, "%s", err.message);
  ck_assert_uint_gt(fault.calls[PREAD], (unsigned)new_size);
  calm();
  ck_assert(sample_equal(&again, &after));
  expect_file(new_bytes, new_size, "slow");
  nu_saved_clear(&again);
}
END_TEST

/* A machine that fails is no reason to go back to an older checkpoint. */
START_TEST(read_errors_are_not_rejections) {
  nu_saved again;
  numann_error err;
  bool found;
  ck_assert_int_eq(nu_checkpoint_write(folder, &before, 9, 0, &err), NUMANN_OK);
  ck_assert_int_eq(nu_checkpoint_write(folder, &after, 9, 0, &err), NUMANN_OK);
  for (unsigned when = 1; when <= 3; when++) {
    calm();
    fault.which = PREAD;
    fault.error = EIO;
    fault.when = when;
    ck_assert_int_eq(nu_checkpoint_newest(&again, &found, folder, NU_FOR_ANSWERS, NULL, &err),
                     NUMANN_ERR_IO);
    ck_assert(fault.fired && !found);
  }
}
END_TEST

/* The real thing: a limit on the size of files, as a quota would be. */
START_TEST(a_real_limit_is_an_io_error) {
  numann_error err;
  struct rlimit old, limit;
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
  ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
  limit = old;
  limit.rlim_cur = new_size / 2;
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  numann_status reserved = save(&after, &err);
  calm();
  fault.which = FALLOCATE; /* and where space cannot be reserved: in the middle of writing */
  fault.error = EOPNOTSUPP;
  fault.when = 1;
  numann_status written = save(&after, &err);
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
  ck_assert_int_eq(reserved, NUMANN_ERR_IO);
  ck_assert_int_eq(written, NUMANN_ERR_IO);
  ck_assert(fault.fired);
  expect_file(old_bytes, old_size, "limit");
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
  Suite *suite = suite_create("checkpoint_faults");
  TCase *cases = tcase_create("faults");
  tcase_set_timeout(cases, 120);
  tcase_add_checked_fixture(cases, set_up, tear_down);
  tcase_add_loop_test(cases, every_failing_call_leaves_the_old_file, 0, ROWS(faults));
  tcase_add_loop_test(cases, every_reason_has_its_advice, 0, ROWS(advices));
  tcase_add_test(cases, calls_stand_in_the_durable_order);
  tcase_add_test(cases, failing_removal_keeps_the_new_checkpoint);
  tcase_add_loop_test(cases, harmless_errors_are_passed_over, 0, ROWS(harmless));
  tcase_add_loop_test(cases, a_lost_answer_to_a_rename_is_no_failure, 0, 2);
  tcase_add_test(cases, bytewise_and_interrupted_transfer_changes_nothing);
  tcase_add_test(cases, read_errors_are_not_rejections);
  tcase_add_test(cases, a_real_limit_is_an_io_error);
  suite_add_tcase(suite, cases);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
