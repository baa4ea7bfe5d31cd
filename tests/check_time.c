/* How long a training may take: durations as they are written, the time of a Slurm job from whoever
 * tells it, when to stop, and how many more jobs. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "checkpoint/deadline.h"
#include "machine/job.h"

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

/* ---- durations; below 0: refused */

static const struct {
  const char *text;
  double seconds;
} durations[] = {{"90 s", 90},
                 {"90s", 90},
                 {"3600 s", 3600},
                 {"1000000000 s", 1e9},
                 {"1:30", 90},
                 {"90:00", 5400},
                 {"00:05", 5},
                 {"1:00:00", 3600},
                 {"01:02:03", 3723},
                 {"48:00:00", 172800},
                 {"1-00", 86400},
                 {"2-03", 183600},
                 {"2-03:04", 183840},
                 {"2-03:04:05", 183845},
                 {"0-00:00:01", 1},
                 {"11574-01:46:40", 1e9},
                 {"", -1},
                 {"10", -1},
                 {"0 s", -1},
                 {"00:00", -1},
                 {"1000000001 s", -1},
                 {"11574-01:46:41", -1},
                 {"s", -1},
                 {"-5 s", -1},
                 {"1.5 s", -1},
                 {"5 m", -1},
                 {"5 epochs", -1},
                 {"1:60", -1},
                 {"1:00:60", -1},
                 {"1:60:00", -1},
                 {"1-24", -1},
                 {"1-23:60", -1},
                 {"1-", -1},
                 {"-1:00", -1},
                 {"1:", -1},
                 {":30", -1},
                 {"1:2:3:4", -1},
                 {"1-2:3:4:5", -1},
                 {"1:30 s", -1},
                 {"1: 30", -1},
                 {" 90 s", -1},
                 {"90 s ", -1},
                 {"UNLIMITED", -1},
                 {"99999999999999999999 s", -1},
                 {"1-00:00:00 h", -1},
                 {"1--2", -1}};

START_TEST(durations_are_read_as_slurm_reads_them) {
  double seconds, expected = durations[_i].seconds;
  bool read = nu_parse_duration(durations[_i].text, false, &seconds);
  ck_assert_msg(read == (expected >= 0), "%s", durations[_i].text);
  if (read) ck_assert_msg(seconds == expected, "%s: %g", durations[_i].text, seconds);
}
END_TEST

START_TEST(no_time_is_a_duration_where_it_is_asked_for) {
  double seconds = 1;
  ck_assert(nu_parse_duration("0:00", true, &seconds));
  ck_assert(seconds == 0.0);
}
END_TEST

/* ---- when to stop: each row is decided by hand */

static const struct {
  double left, next, reserve;
  bool stops;
} moments[] = {{100, 1, 10, false}, {12, 1, 10, false}, {11.9, 1, 10, true}, {20, 5, 10, false},
               {19.9, 5, 10, true}, {0, 0, 0, false},   {-1, 0, 0, true},    {1e9, 1, 10, false}};

START_TEST(a_step_is_taken_only_where_a_save_fits_behind_it) {
  ck_assert_int_eq(nu_deadline_stops(moments[_i].left, moments[_i].next, moments[_i].reserve),
                   moments[_i].stops);
}
END_TEST

START_TEST(the_reserve_is_two_saves_and_an_ending) {
  nu_pace pace = {.step = 7, .validation = 9, .save = 3};
  ck_assert_double_eq_tol(nu_deadline_reserve(&pace, 100), 8, 1e-9);
  ck_assert_double_eq_tol(nu_deadline_reserve(&pace, 1000), 16, 1e-9);
  ck_assert_double_eq_tol(nu_deadline_reserve(&pace, 86400), 16, 1e-9);
}
END_TEST

/* 100 steps in 10 s are 10 a second. */
static const struct {
  nu_stint link;
  uint64_t links;
} chains[] = {{{100, 200, 10, 10, 0}, 2}, {{100, 201, 10, 10, 0}, 3}, {{100, 100, 10, 10, 0}, 1},
              {{100, 1, 10, 10, 0}, 1},   {{100, 0, 10, 10, 0}, 1},   {{100, 200, 10, 12, 2}, 2},
              {{100, 200, 10, 22, 2}, 1}, {{100, 400, 10, 22, 2}, 2}, {{50, 200, 5, 12, 2}, 2},
              {{100, 300, 10, 15, 5}, 3}, {{1, 30, 10, 5, 4}, 31},    {{1, 30, 10, 5, 9}, 31},
              {{1, 0, 10, 5, 9}, 1},      {{0, 30, 10, 5, 0}, 0},     {{7, 30, 0, 5, 1}, 5}};

START_TEST(links_of_a_chain_are_counted) {
  ck_assert_uint_eq(nu_deadline_links(&chains[_i].link), chains[_i].links);
}
END_TEST

START_TEST(a_hundred_per_cent_are_the_end_alone) {
  ck_assert_uint_eq(nu_deadline_percent(61, 39), 61);
  ck_assert_uint_eq(nu_deadline_percent(619, 381), 61);
  ck_assert_uint_eq(nu_deadline_percent(999999, 1), 99);
  ck_assert_uint_eq(nu_deadline_percent(1ull << 60, 1), 99);
  ck_assert_uint_eq(nu_deadline_percent(1, 0), 100);
  ck_assert_uint_eq(nu_deadline_percent(0, 1), 0);
}
END_TEST

/* ---- the job's time */

static char folder[512];

static char *command_path(const char *name) {
  char *path = malloc(sizeof folder + 32);
  ck_assert_ptr_nonnull(path);
  snprintf(path, sizeof folder + 32, "%s/%s", folder, name);
  return path;
}

/* A command that takes down its arguments and says `answer`; NULL: there is none. */
static void fake(const char *name, const char *answer) {
  char *path = command_path(name), *words = command_path("words");
  unlink(path);
  FILE *file = answer ? fopen(path, "w") : NULL;
  if (file) {
    fprintf(file, "#!/bin/sh\necho \"%s $*\" >>%s\nprintf '%%s\\n' '%s'\n", name, words, answer);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0755), 0);
  }
  free(path);
  free(words);
}

static void set_up(void) {
  static const char *const names[] = {"SLURM_JOB_ID", "SLURM_JOB_END_TIME", "SLURM_JOB_START_TIME",
                                      "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"};
  const char *parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%.400s/numann-time.XXXXXX", parent ? parent : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  for (size_t i = 0; i < 5; i++) unsetenv(names[i]);
  char *path = malloc(sizeof folder + 16);
  ck_assert_ptr_nonnull(path);
  snprintf(path, sizeof folder + 16, "%s:/usr/bin:/bin", folder);
  setenv("PATH", path, 1);
  free(path);
  fake("squeue", "slurm_load_jobs error: Invalid job id specified");
  fake("scontrol", NULL);
}

static void tear_down(void) {
  static const char *const names[] = {"squeue", "scontrol", "words"};
  for (size_t i = 0; i < 3; i++) {
    char *path = command_path(names[i]);
    unlink(path);
    free(path);
  }
  rmdir(folder);
}

static bool was_asked(const char *words) {
  char *path = command_path("words"), text[1024] = "";
  FILE *file = fopen(path, "r");
  if (file) {
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
  }
  free(path);
  return strstr(text, words) != NULL;
}

static void set_epoch(const char *name, long from_now) {
  char text[32];
  snprintf(text, sizeof text, "%ld", (long)time(NULL) + from_now);
  setenv(name, text, 1);
}

/* Seconds of this test may pass meanwhile. */
static void expect_time(double left, double length) {
  nu_job_time job;
  nu_text why = {0};
  ck_assert_msg(nu_job_time_read(&job, &why), "%s", nu_text_view(&why));
  ck_assert_msg(job.left <= left && job.left > left - 120, "%g s left", job.left);
  ck_assert_msg(job.length <= length && job.length > length - 120, "%g s long", job.length);
  nu_text_clear(&why);
}

static void expect_none(const char *reason) {
  nu_job_time job;
  nu_text why = {0};
  ck_assert(!nu_job_time_read(&job, &why));
  ck_assert_msg(strstr(nu_text_view(&why), reason) != NULL, "%s", nu_text_view(&why));
  nu_text_clear(&why);
}

START_TEST(the_environment_tells_the_end) {
  setenv("SLURM_JOB_ID", "17", 1);
  set_epoch("SLURM_JOB_START_TIME", -1000);
  set_epoch("SLURM_JOB_END_TIME", 2600);
  expect_time(2600, 3600);
  unsetenv("SLURM_JOB_START_TIME");
  expect_time(2600, 2600);
  ck_assert(!was_asked("squeue"));
}
END_TEST

START_TEST(squeue_tells_what_the_environment_does_not) {
  setenv("SLURM_JOB_ID", "17", 1);
  fake("squeue", "59:12 1:00:00");
  expect_time(3552, 3600);
  ck_assert(was_asked("squeue -h -j 17 -o %L %l"));
  setenv("SLURM_JOB_END_TIME", "soon", 1);
  fake("squeue", "  1-00:00:00 2-00:00:00");
  expect_time(86400, 172800);
  fake("squeue", "0:00 1:00:00");
  expect_time(0, 3600);
  setenv("SLURM_ARRAY_JOB_ID", "15", 1);
  setenv("SLURM_ARRAY_TASK_ID", "3", 1);
  expect_time(0, 3600);
  ck_assert(was_asked("squeue -h -j 15_3 -o"));
}
END_TEST

START_TEST(scontrol_tells_what_squeue_does_not) {
  setenv("SLURM_JOB_ID", "17", 1);
  fake("scontrol", "JobId=17 JobName=x\n   RunTime=00:00:48 TimeLimit=01:00:00 TimeMin=N/A");
  expect_time(3552, 3600);
  ck_assert(was_asked("scontrol show job 17"));
}
END_TEST

START_TEST(without_an_end_there_is_a_reason) {
  expect_none("SLURM_JOB_ID is not set");
  setenv("SLURM_JOB_ID", "17", 1);
  expect_none("Slurm's job 17 has no end");
  fake("squeue", "UNLIMITED UNLIMITED");
  fake("scontrol", "RunTime=00:00:48 TimeLimit=UNLIMITED");
  expect_none("Slurm's job 17 has no end");
  fake("squeue", NULL);
  fake("scontrol", "");
  expect_none("Slurm's job 17 has no end");
  setenv("SLURM_JOB_ID", "--help", 1);
  expect_none("no Slurm job");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("time");
  TCase *pure = tcase_create("pure"), *job = tcase_create("job");
  tcase_add_loop_test(pure, durations_are_read_as_slurm_reads_them, 0, ROWS(durations));
  tcase_add_test(pure, no_time_is_a_duration_where_it_is_asked_for);
  tcase_add_loop_test(pure, a_step_is_taken_only_where_a_save_fits_behind_it, 0, ROWS(moments));
  tcase_add_test(pure, the_reserve_is_two_saves_and_an_ending);
  tcase_add_loop_test(pure, links_of_a_chain_are_counted, 0, ROWS(chains));
  tcase_add_test(pure, a_hundred_per_cent_are_the_end_alone);
  tcase_set_timeout(job, 120);
  tcase_add_checked_fixture(job, set_up, tear_down);
  tcase_add_test(job, the_environment_tells_the_end);
  tcase_add_test(job, squeue_tells_what_the_environment_does_not);
  tcase_add_test(job, scontrol_tells_what_squeue_does_not);
  tcase_add_test(job, without_an_end_there_is_a_reason);
  suite_add_tcase(suite, pure);
  suite_add_tcase(suite, job);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
