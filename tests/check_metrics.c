/* metrics.csv and metrics.jsonl: what is written, and what a resume makes of what it finds.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "report/report.h"

static char folder[256], csv[300], json[300];

static void make_folder(void) {
  const char *parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/numann-metrics-XXXXXX", parent ? parent : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(csv, sizeof csv, "%s/metrics.csv", folder);
  snprintf(json, sizeof json, "%s/metrics.jsonl", folder);
}

static void remove_folder(void) {
  unlink(csv);
  unlink(json);
  ck_assert_int_eq(rmdir(folder), 0);
}

static char *get(const char *path) {
  char *data;
  size_t size;
  ck_assert_int_eq(nu_file_read(path, 1 << 20, NUMANN_ERR_DATA, &data, &size, NULL), NUMANN_OK);
  ck_assert_uint_eq(strlen(data), size);
  return data;
}

static void put(const char *path, const char *text, size_t n) {
  FILE *file = fopen(path, "wb");
  ck_assert_uint_eq(fwrite(text, 1, n, file), n);
  ck_assert_int_eq(fclose(file), 0);
}

#define HEADER                                                                               \
  "epoch,step,train_loss,learning_rate,validation_loss,validation_accuracy,validation_rmse," \
  "seconds,"                                                                                 \
  "samples_per_s,best\n"

/* Numbers that only all 17 digits bring back. */
static numann_epoch epoch_of(uint64_t epoch) {
  double e = (double)epoch;
  return (numann_epoch){.epoch = epoch,
                        .epochs = 9,
                        .step = 40 * epoch,
                        .train_loss = 0.1 + 0.2 / e,
                        .learning_rate = 1e-3 / 3.0,
                        .validated = true,
                        .validation_loss = 1.0 / 3.0 / e,
                        .validation_accuracy = 0.9,
                        .validation_rmse = NAN,
                        .best = epoch % 2 == 1,
                        .seconds = 0.25 * e,
                        .samples_per_s = 61234.5};
}

static nu_metrics *open_metrics(uint64_t keep) {
  nu_metrics *metrics;
  numann_error err = {0};
  ck_assert_msg(nu_metrics_open(&metrics, folder, keep, &err) == NUMANN_OK, "%s", err.message);
  return metrics;
}

static void add(nu_metrics *metrics, uint64_t first, uint64_t last) {
  for (uint64_t e = first; e <= last; e++) {
    numann_epoch epoch = epoch_of(e);
    ck_assert_int_eq(nu_metrics_add(metrics, &epoch, NULL), NUMANN_OK);
  }
}

static void write_epochs(uint64_t first, uint64_t last) {
  nu_metrics *metrics = open_metrics(first - 1);
  add(metrics, first, last);
  nu_metrics_close(metrics);
}

static bool same_real(double a, double b) {
  return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* The metrics in memory are epochs 1 .. last, all numbers to the last bit. */
static void expect_view(const nu_metrics *metrics, uint64_t last) {
  size_t n;
  const numann_epoch *rows = nu_metrics_view(metrics, &n);
  ck_assert_uint_eq(n, last);
  for (size_t i = 0; i < n; i++) {
    numann_epoch e = epoch_of(i + 1);
    ck_assert_uint_eq(rows[i].epoch, e.epoch);
    ck_assert_uint_eq(rows[i].step, e.step);
    ck_assert_int_eq(rows[i].best, e.best);
    ck_assert_int_eq(rows[i].validated, e.validated);
    ck_assert(same_real(rows[i].train_loss, e.train_loss));
    ck_assert(same_real(rows[i].learning_rate, e.learning_rate));
    ck_assert(same_real(rows[i].validation_loss, e.validation_loss));
    ck_assert(same_real(rows[i].validation_accuracy, e.validation_accuracy));
    ck_assert(same_real(rows[i].validation_rmse, e.validation_rmse));
    ck_assert(same_real(rows[i].seconds, e.seconds));
    ck_assert(same_real(rows[i].samples_per_s, e.samples_per_s));
  }
}

/* Both files are byte for byte what an uninterrupted run of epochs 1 .. last writes. */
static void expect_files(uint64_t last) {
  char *csv_now = get(csv), *json_now = get(json);
  write_epochs(1, last);
  char *csv_whole = get(csv), *json_whole = get(json);
  ck_assert_str_eq(csv_now, csv_whole);
  ck_assert_str_eq(json_now, json_whole);
  free(csv_now);
  free(json_now);
  free(csv_whole);
  free(json_whole);
}

/* ---- writing */

START_TEST(rows_are_as_documented) {
  nu_metrics *metrics = open_metrics(0);
  numann_epoch bare = {.epoch = 2,
                       .epochs = 2,
                       .step = 80,
                       .train_loss = 0.1,
                       .learning_rate = 0.01,
                       .validated = false,
                       .validation_loss = 7,
                       .validation_accuracy = 7,
                       .validation_rmse = 7,
                       .seconds = 2,
                       .samples_per_s = INFINITY};
  add(metrics, 1, 1);
  char *text = get(csv); /* flushed after each row, not at the end */
  ck_assert_str_eq(text, HEADER
                   "1,40,0.30000000000000004,0.0003333333333333333,0.3333333333333333,"
                   "0.9,,0.25,61234.5,1\n");
  free(text);
  ck_assert_int_eq(nu_metrics_add(metrics, &bare, NULL), NUMANN_OK);
  nu_metrics_close(metrics);
  text = get(csv);
  ck_assert_str_eq(text + strlen(text) - 22, "2,80,0.1,0.01,,,,2,,0\n");
  free(text);
  text = get(json);
  ck_assert_ptr_nonnull(
      strstr(text,
             "\n{\"epoch\": 2, \"step\": 80, \"train_loss\": 0.1, \"learning_rate\": 0.01, "
             "\"validation_loss\": null, \"validation_accuracy\": null, \"validation_rmse\": null, "
             "\"seconds\": 2, \"samples_per_s\": null, \"best\": false}\n"));
  free(text);
}
END_TEST

START_TEST(every_json_line_is_json) {
  write_epochs(1, 5);
  FILE *file = fopen(json, "r");
  char line[1024];
  for (uint64_t e = 1; fgets(line, sizeof line, file); e++) {
    json_t *object = json_loads(line, 0, NULL);
    ck_assert_ptr_nonnull(object);
    ck_assert_uint_eq(json_object_size(object), 10);
    ck_assert_int_eq(json_integer_value(json_object_get(object, "epoch")), (json_int_t)e);
    ck_assert(json_real_value(json_object_get(object, "train_loss")) == epoch_of(e).train_loss);
    ck_assert(json_is_null(json_object_get(object, "validation_rmse")));
    json_decref(object);
  }
  fclose(file);
}
END_TEST

START_TEST(a_full_disk_leaves_whole_rows) {
  nu_metrics *metrics = open_metrics(0);
  struct rlimit limit;
  numann_error err;
  add(metrics, 1, 2);
  char *before = get(csv);
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
  rlim_t all = limit.rlim_cur;
  signal(SIGXFSZ, SIG_IGN);
  limit.rlim_cur = strlen(before) + 10; /* room for a part of the next row */
  numann_epoch epoch = epoch_of(3);
  int set = setrlimit(RLIMIT_FSIZE, &limit);
  /* No check in between: libcheck writes a file of its own. */
  numann_status status = nu_metrics_add(metrics, &epoch, &err);
  limit.rlim_cur = all;
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ck_assert_int_eq(set, 0);
  ck_assert_int_eq(status, NUMANN_ERR_IO);
  ck_assert_ptr_nonnull(strstr(err.message, "metrics.csv"));
  char *after = get(csv);
  ck_assert_str_eq(after, before);
  free(before);
  free(after);
  nu_metrics_close(metrics);
}
END_TEST

/* ---- resuming */

START_TEST(a_resume_cuts_both_files_and_goes_on) {
  for (uint64_t keep = 0; keep <= 5; keep++) {
    write_epochs(1, 4);
    nu_metrics *metrics = open_metrics(keep);
    uint64_t kept = keep < 4 ? keep : 4;
    expect_view(metrics, kept);
    add(metrics, kept + 1, 6);
    expect_view(metrics, 6);
    nu_metrics_close(metrics);
    expect_files(6);
  }
}
END_TEST

/* Killed at any byte while it wrote: the rows that are whole are there, in both files. */
START_TEST(a_half_written_line_is_cut) {
  write_epochs(1, 3);
  char *whole_csv = get(csv), *whole_json = get(json);
  for (size_t n = 0; n <= strlen(whole_csv); n++) {
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++) rows += whole_csv[i] == '\n';
    rows = rows ? rows - 1 : 0;
    put(csv, whole_csv, n);
    unlink(json);
    nu_metrics *metrics = open_metrics(3);
    expect_view(metrics, rows);
    nu_metrics_close(metrics);
    expect_files(rows);
  }
  for (size_t n = 0; n <= strlen(whole_json); n++) {
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++) rows += whole_json[i] == '\n';
    put(json, whole_json, n);
    put(csv, HEADER, strlen(HEADER));
    nu_metrics *metrics = open_metrics(3);
    expect_view(metrics, rows);
    nu_metrics_close(metrics);
    expect_files(rows);
  }
  free(whole_csv);
  free(whole_json);
}
END_TEST

START_TEST(the_longer_file_serves_both) {
  write_epochs(1, 4);
  char *text = get(csv);
  put(csv, text, (size_t)(strstr(text, "\n3,") + 1 - text));
  free(text);
  nu_metrics *metrics = open_metrics(4);
  expect_view(metrics, 4);
  nu_metrics_close(metrics);
  expect_files(4);
}
END_TEST

#define ROW "1,40,0.5,0.1,,,,1,9,0\n"
#define OBJECT(first)                                                                       \
  first                                                                                     \
      "\"step\": 4, \"train_loss\": 1.5, \"learning_rate\": 1, \"validation_loss\": null, " \
      "\"validation_accuracy\": null, \"validation_rmse\": null, \"seconds\": 1, "          \
      "\"samples_per_s\": 9, \"best\": true}\n"

static const struct {
  bool csv;
  const char *text, *place, *found;
} malformed[] = {
    {true, "epoch,loss\n" ROW, ":1:", "header"},
    {true, ROW, ":1:", "header"},
    {true, HEADER ROW "\n", ":3:", "fewer columns"},
    {true, HEADER "1,40,0.5,0.1,,,,1,9\n", ":2:", "fewer columns"},
    {true, HEADER "1,40,0.5,0.1,,,,1,9,0,0\n", ":2:", "more columns"},
    {true, HEADER "x,40,0.5,0.1,,,,1,9,0\n", ":2:", "epoch is 'x'"},
    {true, HEADER ",40,0.5,0.1,,,,1,9,0\n", ":2:", "epoch is ''"},
    {true, HEADER "0,40,0.5,0.1,,,,1,9,0\n", ":2:", "epoch 0"},
    {true, HEADER ROW "2,40,0.5f,0.1,,,,1,9,0\n", ":3:", "train_loss is '0.5f'"},
    {true, HEADER ROW "2,40,nan,0.1,,,,1,9,0\n", ":3:", "train_loss is 'nan'"},
    {true, HEADER ROW "2,40,0.5,0.1,,,,1,9,2\n", ":3:", "best is '2'"},
    {true, HEADER ROW ROW, ":3:", "epoch 1 stands after epoch 1"},
    {false, "{\"epoch\": 1,\n", ":1:", "not JSON"},
    {false, "[1]\n", ":1:", "epoch is 'missing'"},
    {false, OBJECT("{\"epoch\": 1, ") OBJECT("{\"epoch\": 1, "), ":2:", "stands after"},
    {false, OBJECT("{\"epoch\": -1, "), ":1:", "epoch is '-1'"},
    {false, OBJECT("{\"epoch\": 1.5, "), ":1:", "epoch is '1.5'"},
    {false, OBJECT("{\"epoch\": 1, \"step\": 3, "), ":1:", "duplicate"},
    {false, "{\"epoch\": 1, \"step\": 4, \"train_loss\": \"a\"}\n", ":1:", "train_loss is '\"a\"'"},
    {false, "{\"epoch\": 1}\n", ":1:", "step is 'missing'"}};

START_TEST(malformed_files_are_refused_with_the_place) {
  numann_error err = {0};
  nu_metrics *metrics = NULL;
  char place[320];
  const char *path = malformed[_i].csv ? csv : json;
  put(path, malformed[_i].text, strlen(malformed[_i].text));
  snprintf(place, sizeof place, "%s%s", path, malformed[_i].place);
  ck_assert_int_eq(nu_metrics_open(&metrics, folder, 9, &err), NUMANN_ERR_DATA);
  ck_assert_ptr_null(metrics);
  ck_assert_msg(strncmp(err.message, place, strlen(place)) == 0, "%s", err.message);
  ck_assert_msg(strstr(err.message, malformed[_i].found) != NULL, "%s", err.message);
  ck_assert_ptr_null(strchr(err.message, '\n'));
  char *text = get(path);
  ck_assert_str_eq(text, malformed[_i].text); /* nothing is lost on an error */
  free(text);
}
END_TEST

/* What a resume throws away need not be well-formed. */
START_TEST(rows_beyond_the_checkpoint_are_not_judged) {
  const char *text = HEADER ROW "2,40,0.5,0.1,,,,1,9,0\n3,garbage\n";
  put(csv, text, strlen(text));
  nu_metrics *metrics = open_metrics(1);
  size_t n;
  ck_assert_ptr_nonnull(nu_metrics_view(metrics, &n));
  ck_assert_uint_eq(n, 1);
  nu_metrics_close(metrics);
  text = "\0\0\0\0";
  put(csv, text, 4); /* what some file systems leave after a power cut */
  metrics = open_metrics(1);
  nu_metrics_close(metrics);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error) {
  numann_error err = {0};
  nu_metrics *metrics = NULL;
  ck_assert_int_eq(nu_metrics_open(&metrics, "/nonexistent/run", 0, &err), NUMANN_ERR_IO);
  ck_assert_ptr_null(metrics);
  ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent/run/metrics.csv"));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("metrics");
  TCase *writing = tcase_create("writing"), *resuming = tcase_create("resuming");
  tcase_add_checked_fixture(writing, make_folder, remove_folder);
  tcase_set_timeout(writing, 60);
  tcase_add_test(writing, rows_are_as_documented);
  tcase_add_test(writing, every_json_line_is_json);
  tcase_add_test(writing, a_full_disk_leaves_whole_rows);
  tcase_add_checked_fixture(resuming, make_folder, remove_folder);
  tcase_set_timeout(resuming, 300);
  tcase_add_test(resuming, a_resume_cuts_both_files_and_goes_on);
  tcase_add_test(resuming, a_half_written_line_is_cut);
  tcase_add_test(resuming, the_longer_file_serves_both);
  tcase_add_loop_test(resuming, malformed_files_are_refused_with_the_place, 0,
                      (int)(sizeof malformed / sizeof malformed[0]));
  tcase_add_test(resuming, rows_beyond_the_checkpoint_are_not_judged);
  tcase_add_test(resuming, a_folder_that_is_not_there_is_an_error);
  suite_add_tcase(suite, writing);
  suite_add_tcase(suite, resuming);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
