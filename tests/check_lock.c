/* The lock of a run folder: one writer at a time, nobody else's file touched.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/durable.h"
#include "checkpoint_sample.h"

static char *folder;
static numann_error err;

static void set_up(void) {
  folder = sample_folder();
  ck_assert_ptr_nonnull(folder);
  err = (numann_error){NUMANN_OK, ""};
}

static void tear_down(void) { sample_remove(folder); }

static bool exists(const char *name) { return sample_exists(folder, name); }

/* A child that holds the lock until it is killed; it writes one byte when it has it. */
static pid_t hold_lock(void) {
  int ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    nu_run_lock lock;
    if (nu_run_lock_take(&lock, folder, NULL) == NUMANN_OK && write(ends[1], "1", 1) == 1) pause();
    _exit(1);
  }
  char byte;
  close(ends[1]);
  ck_assert_int_eq(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  return child;
}

START_TEST(lock_names_the_holder_and_ends_with_it) {
  nu_run_lock lock;
  char who[64];
  pid_t child = hold_lock();
  snprintf(who, sizeof who, "process %ld on host ", (long)child);
  ck_assert_int_eq(nu_run_lock_take(&lock, folder, &err), NUMANN_ERR_CONFIG);
  ck_assert_msg(strstr(err.message, who) != NULL, "%s", err.message);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  char *path = sample_path(folder, "checkpoints");
  ck_assert_int_eq(nu_durable_folder(path, &err), NUMANN_OK);
  static const char *const stale[] = {".config.yaml.12-0.tmp",
                                      "checkpoints/.ck-5.safetensors.31-7.tmp"};
  static const char *const foreign[] = {".notes.tmp",
                                        "a.1-2.tmp",
                                        ".x.1-.tmp",
                                        ".1-2.tmp",
                                        ".a.1-1.tmp",
                                        ".config.yml.1-1.tmp",
                                        ".config.yaml.1-.tmp",
                                        ".ck-five.safetensors.1-1.tmp",
                                        "checkpoints/.notes.1-1.tmp"};
  enum { FOREIGN = sizeof foreign / sizeof *foreign };
  for (size_t i = 0; i < 2 + FOREIGN; i++) {
    char *file = sample_path(folder, i < 2 ? stale[i] : foreign[i - 2]);
    sample_write(file, "x", 1);
    free(file);
  }
  ck_assert_msg(nu_run_lock_take(&lock, folder, &err) == NUMANN_OK, "%s", err.message);
  ck_assert(lock.guarded);
  for (size_t i = 0; i < 2; i++) ck_assert(!exists(stale[i]));
  for (size_t i = 0; i < FOREIGN; i++) ck_assert_msg(exists(foreign[i]), "%s", foreign[i]);
  nu_run_lock second;
  ck_assert_int_eq(nu_run_lock_take(&second, folder, &err), NUMANN_ERR_CONFIG);
  nu_run_lock_release(&lock);
  ck_assert_int_eq(nu_run_lock_take(&second, folder, &err), NUMANN_OK);
  nu_run_lock_release(&second);
  free(path);
}
END_TEST

/* A file that no run has written is neither locked nor changed, whatever it holds. */
START_TEST(lock_of_somebody_else_is_refused) {
  static const char *const texts[] = {"notes\n", "process", "process 12 on host a\nnotes\n",
                                      "process x on host a\n", "\n"};
  char *file = sample_path(folder, "lock");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    nu_run_lock lock;
    size_t n = strlen(texts[i]), size;
    sample_write(file, texts[i], n);
    ck_assert_int_eq(nu_run_lock_take(&lock, folder, &err), NUMANN_ERR_CONFIG);
    ck_assert_msg(strstr(err.message, "not the lock of a run") != NULL, "%s", err.message);
    ck_assert(!lock.busy);
    unsigned char *bytes = sample_read(file, &size);
    ck_assert_msg(size == n && memcmp(bytes, texts[i], n) == 0, "%s", texts[i]);
    free(bytes);
  }
  free(file);
}
END_TEST

START_TEST(lock_with_a_second_name_serves_and_stays_as_it_is) {
  static const char text[] = "process 12 on host a\n";
  nu_run_lock lock, second;
  size_t size;
  char *file = sample_path(folder, "lock"), *other = sample_path(folder, "other");
  sample_write(other, text, sizeof text - 1);
  ck_assert_int_eq(link(other, file), 0);
  ck_assert_msg(nu_run_lock_take(&lock, folder, &err) == NUMANN_OK, "%s", err.message);
  ck_assert(lock.guarded && !lock.named);
  ck_assert_int_eq(nu_run_lock_take(&second, folder, &err), NUMANN_ERR_CONFIG);
  nu_run_lock_release(&lock);
  unsigned char *bytes = sample_read(other, &size);
  ck_assert(size == sizeof text - 1 && memcmp(bytes, text, size) == 0);
  free(bytes);
  free(other);
  free(file);
}
END_TEST

START_TEST(a_pipe_is_no_lock) {
  nu_run_lock lock;
  char *file = sample_path(folder, "lock");
  ck_assert_int_eq(mkfifo(file, 0666), 0);
  ck_assert_int_eq(nu_run_lock_take(&lock, folder, &err), NUMANN_ERR_CONFIG);
  free(file);
}
END_TEST

START_TEST(a_folder_that_went_is_noticed) {
  nu_run_lock lock;
  char *run = sample_path(folder, "run"), *moved = sample_path(folder, "moved");
  char *checkpoints = sample_path(run, "checkpoints");
  static const size_t sizes[] = {3, 2};
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 1, sizes, 1);
  ck_assert_int_eq(nu_run_lock_take(&lock, run, &err), NUMANN_OK);
  ck_assert(nu_run_lock_stands(&lock, run));
  ck_assert_int_eq(rename(run, moved), 0);
  ck_assert(!nu_run_lock_stands(&lock, run));
  ck_assert_int_eq(nu_checkpoint_write(checkpoints, &saved, 1, 0, &err), NUMANN_ERR_IO);
  ck_assert_msg(!exists("run"), "the folder around the checkpoints was made");
  ck_assert_int_eq(mkdir(run, 0777), 0);
  ck_assert(!nu_run_lock_stands(&lock, run));
  ck_assert_int_eq(rmdir(run), 0);
  ck_assert_int_eq(rename(moved, run), 0);
  ck_assert(nu_run_lock_stands(&lock, run));
  nu_run_lock_release(&lock);
  nu_saved_clear(&saved);
  free(checkpoints);
  free(moved);
  free(run);
}
END_TEST

/* Who has left the folder without giving the lock back is told where another host's. */
START_TEST(a_holder_of_another_host_is_remembered) {
  char host[64] = "", mine[128];
  gethostname(host, sizeof host - 1);
  snprintf(mine, sizeof mine, "process 12 on host %s\n", host);
  const char *const texts[] = {"process 12 on host elsewhere\n", mine, ""};
  const char *const told[] = {"process 12 on host elsewhere", "", ""};
  char *file = sample_path(folder, "lock");
  for (size_t i = 0; i < 3; i++) {
    nu_run_lock lock, second;
    sample_write(file, texts[i], strlen(texts[i]));
    ck_assert_int_eq(nu_run_lock_take(&lock, folder, &err), NUMANN_OK);
    ck_assert(!lock.busy);
    ck_assert_str_eq(lock.before, told[i]);
    ck_assert_int_eq(nu_run_lock_take(&second, folder, &err), NUMANN_ERR_CONFIG);
    ck_assert(second.busy);
    nu_run_lock_release(&lock);
  }
  free(file);
}
END_TEST

/* One racer: how often did it hold the lock while another one did? */
static int race(int *holders) {
  int mixed = 0;
  for (int i = 0; i < 100; i++) {
    nu_run_lock lock;
    if (nu_run_lock_take(&lock, folder, NULL) != NUMANN_OK) continue;
    mixed += __atomic_fetch_add(holders, 1, __ATOMIC_SEQ_CST) != 0;
    usleep(200);
    __atomic_fetch_sub(holders, 1, __ATOMIC_SEQ_CST);
    nu_run_lock_release(&lock);
  }
  return mixed;
}

START_TEST(lock_has_one_holder_under_a_race) {
  int *holders =
      mmap(NULL, sizeof *holders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert(holders != MAP_FAILED);
  enum { RACERS = 5 };
  for (int i = 0; i < RACERS; i++) {
    if (fork() == 0) _exit(race(holders) ? 1 : 0);
  }
  for (int i = 0; i < RACERS; i++) {
    int status;
    ck_assert(wait(&status) > 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  munmap(holders, sizeof *holders);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("lock");
  TCase *tests = tcase_create("lock");
  tcase_set_timeout(tests, 60);
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, lock_names_the_holder_and_ends_with_it);
  tcase_add_test(tests, lock_of_somebody_else_is_refused);
  tcase_add_test(tests, lock_with_a_second_name_serves_and_stays_as_it_is);
  tcase_add_test(tests, a_pipe_is_no_lock);
  tcase_add_test(tests, a_folder_that_went_is_noticed);
  tcase_add_test(tests, a_holder_of_another_host_is_remembered);
  tcase_add_test(tests, lock_has_one_holder_under_a_race);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
