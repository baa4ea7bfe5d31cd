/* Columns that floats do not hold: narrow against the size of their values, or beyond a float's
 * range. Scaled, they are what doubles give. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/extent.h"
#include "data/scaling.h"
#include "data_support.h"

enum { ROWS = 300 };

/* Value r of a column is place + width * shape(r), shape being -1 to 1, and exact. */
static const struct {
  double place, width;
} columns[] = {
    {1700000000.0, 100.0},
    {-1700000000.0, 0x1p-10},
    {0.0, 1e300},
    {1e300, 1e299},
    {0.0, 1e-300},
    {1e-200, 1e-201},
    {1e15, 3.0},
    {20000.1, 1.0},
    {100000000.25, 1000.0},
    {3e38, 2e38},
};

static double shape(int r) { return (double)(r * 7 % ROWS - ROWS / 2) / 256.0; }
static double value(int c, int r) { return columns[c].place + columns[c].width * shape(r); }

static const char *put_csv(const char *name, int c, int rows) {
  static char text[ROWS * 80];
  size_t n = 0;
  for (int r = 0; r < rows; r++) {
    n += (size_t)sprintf(text + n, "%.17g,%d,%.17g\n", value(c, r), r, value(c, r));
  }
  return strstr(name, ".gz") ? put_gz(name, text, n) : put_bytes(name, text, n);
}

static const char *put_npy(const char *name, int c, const char *order) {
  static unsigned char file[ROWS * 24 + 256];
  static double values[ROWS * 3];
  char dictionary[128];
  for (int r = 0; r < ROWS; r++) {
    bool fortran = strcmp(order, "True") == 0;
    for (int i = 0; i < 3; i++) {
      values[fortran ? i * ROWS + r : r * 3 + i] = i == 1 ? (double)r : value(c, r);
    }
  }
  snprintf(dictionary, sizeof dictionary, "{'descr':'<f8','fortran_order':%s,'shape':(%d,3)}",
           order, ROWS);
  return put_bytes(name, file, make_npy(file, dictionary, values, sizeof values));
}

/* The statistics of the definition, in long double. */
static void expect(int c, bool standardize, long double *shift, long double *width) {
  long double place = (long double)columns[c].place, low = (long double)value(c, 0) - place;
  long double high = low, mean = 0, square = 0;
  for (int r = 0; r < ROWS; r++) {
    long double x = (long double)value(c, r) - place;
    low = x < low ? x : low;
    high = x > high ? x : high;
    mean += x / ROWS;
  }
  for (int r = 0; r < ROWS; r++) {
    long double d = (long double)value(c, r) - place - mean;
    square += d * d / ROWS;
  }
  *shift = (standardize ? mean : low) + place;
  *width = standardize ? sqrtl(square) : high - low;
}

static void check_column(const numann_data *data, int c, bool standardize) {
  long double shift, width;
  expect(c, standardize, &shift, &width);
  /* a model's shift is a double */
  double tolerance = 1e-6 + 2e-16 * fabs((double)shift) / (double)width;
  for (int r = 0; r < ROWS; r++) {
    double z = (double)(((long double)value(c, r) - shift) / width);
    ck_assert_double_eq_tol((double)data->train.inputs[2 * r], z, tolerance);
    ck_assert_double_eq_tol((double)data->train.targets[r], z, tolerance);
    double back = nu_unscale(&data->schema.outputs, 0, (double)data->train.targets[r]);
    ck_assert_double_eq_tol(back / (double)width, value(c, r) / (double)width,
                            1e-6 + 4e-16 * fabs(value(c, r) / (double)width));
  }
}

START_TEST(scaled_columns_are_what_doubles_give) {
  for (int s = 0; s < 2; s++) {
    const char *paths[] = {put_csv("w.csv", _i, ROWS), put_csv("w.gz", _i, ROWS),
                           put_npy("w.npy", _i, "False"), put_npy("f.npy", _i, "True")};
    numann_data *first = NULL;
    for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
      char more[128];
      const char *method = s ? "standardize" : "min_max";
      snprintf(more, sizeof more, ", scale: %s, scale_targets: %s", method, method);
      numann_data *data = load_table(paths[p], "2", more);
      check_column(data, _i, s == 1);
      if (!first) first = data;
      ck_assert_mem_eq(data->train.inputs, first->train.inputs, 2 * ROWS * sizeof(float));
      ck_assert_mem_eq(data->schema.inputs.shift, first->schema.inputs.shift, 2 * sizeof(double));
      if (data != first) numann_data_destroy(data);
    }
    numann_data_destroy(first);
  }
}
END_TEST

/* Another file, read by the schema, gives what the training file gave. */
START_TEST(other_files_are_scaled_alike) {
  char more[2048];
  snprintf(more, sizeof more, ", scale: standardize, scale_targets: min_max, test: {path: \"%s\"}",
           put_csv("test.csv", _i, ROWS));
  numann_data *data = load_table(put_csv("w.csv", _i, ROWS), "2", more);
  ck_assert_uint_eq(data->test.rows, ROWS);
  for (int i = 0; i < 2 * ROWS; i++) {
    double a = (double)data->train.inputs[i], b = (double)data->test.inputs[i];
    ck_assert_double_eq_tol(a, b, 5e-7);
    ck_assert_double_eq_tol((double)data->train.targets[i / 2], (double)data->test.targets[i / 2],
                            5e-7);
  }
  numann_data_destroy(data);
}
END_TEST

/* ---- what stays as it was: values become floats first, where that loses nothing that matters */

START_TEST(ordinary_columns_keep_their_bits) {
  numann_data *data =
      load_table(put_text("o.csv", "5.1,0.1,1\n4.9,0.1,2\n4.7,0.1,3\n-119.57,0.1,4\n"), "2",
                 ", scale: standardize");
  static const double values[] = {5.1, 4.9, 4.7, -119.57};
  for (int r = 0; r < 4; r++) {
    const nu_scaling *s = &data->schema.inputs;
    float x = (float)values[r];
    ck_assert(data->train.inputs[2 * r] == nu_scale((double)x, s->shift[0], s->scale[0]));
    ck_assert(data->train.inputs[2 * r + 1] == 0.0f);
  }
  ck_assert_double_eq(data->schema.inputs.shift[1], (double)0.1f);
  numann_data_destroy(data);
}
END_TEST

START_TEST(constants_become_zero) {
  static const char *const texts[] = {"1700000000.5", "1e300", "-1e-300", "0.1", "3"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    char text[256], more[1200];
    snprintf(text, sizeof text, "%s,1,2\n%s,2,3\n", texts[i], texts[i]);
    snprintf(more, sizeof more, ", scale: standardize, test: {path: \"%s\"}",
             put_text("c.csv", text));
    numann_data *data = load_table(put_text("t.csv", text), "2", more);
    ck_assert(data->train.inputs[0] == 0.0f && data->train.inputs[2] == 0.0f);
    ck_assert_double_eq_tol((double)data->test.inputs[0], 0.0, 1e-8);
    numann_data_destroy(data);
  }
}
END_TEST

/* ---- what is refused */

static const struct {
  const char *text, *more, *fragment;
} refused[] = {
    {"1e300,1,2\n2e300,2,3\n", "", "w.csv:1:1: column 0 (counted from 0): '1e300' is too large"},
    {"1e300,1,2\n2e300,2,3\n", ", scale_targets: standardize", "'1e300' is too large for a float"},
    {"1,1,1e300\n2,2,2e300\n", ", scale: standardize", "the target is '1e300'"},
    {"1e307,1,2\n2e300,2,3\n", ", scale: standardize", "'1e307' is too large for a float"},
    {"1e300,1,2\n2e300,2,3\n", ", scale: 1000", "'1e300' is too large for a float"},
};

START_TEST(what_no_scaling_mends_is_refused) {
  numann_config *config = make_config(1, "train: {path: \"%s\", target: 2}, targets: values%s",
                                      put_text("w.csv", refused[_i].text), refused[_i].more);
  numann_data *data;
  numann_error err = {0};
  ck_assert_int_eq(numann_data_load(&data, config, &err), NUMANN_ERR_DATA);
  ck_assert_msg(strstr(err.message, refused[_i].fragment), "%s", err.message);
  numann_config_destroy(config);
}
END_TEST

/* A pipe cannot be read twice, and does not hang. */
START_TEST(pipes_are_refused_where_two_readings_are_needed) {
  char command[2400];
  const char *path = temp_path("pipe");
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  for (int c = 0; c < 2; c++) {
    put_text("p.csv", c ? "1.5,1,2\n2.5,2,3\n" : "1700000000.5,1,2\n1700000001.5,2,3\n");
    snprintf(command, sizeof command, "cat '%s' >'%s' &", temp_path("p.csv"), path);
    ck_assert_int_eq(system(command), 0);
    numann_config *config =
        make_config(1, "train: {path: \"%s\", target: 2}, scale: standardize", path);
    numann_data *data;
    numann_error err = {0};
    int status = (int)numann_data_load(&data, config, &err);
    ck_assert_int_eq(status, c ? NUMANN_OK : NUMANN_ERR_DATA);
    if (c) numann_data_destroy(data);
    else ck_assert_msg(strstr(err.message, "give a plain file"), "%s", err.message);
    numann_config_destroy(config);
  }
}
END_TEST

/* ---- anchors */

START_TEST(anchors_are_for_columns_that_need_them) {
  static const struct {
    double low, high;
    bool inexact, needed;
  } cases[] = {{1e9, 1e9 + 1.0, true, true},  {1e9, 1e9 + 1.0, false, false},
               {0.1, 0.2, true, false},       {-1025.5, -1024.6, true, true},
               {1000.1, 1003.0, true, false}, {0.0, 1e39, true, true},
               {-1e-31, 1e-31, true, true},   {0.1, 0.1, true, false},
               {1e9, 1e9, true, true},        {DBL_MAX, -DBL_MAX, true, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double shift, scale;
    nu_extent extent = {cases[i].low, cases[i].high, cases[i].inexact};
    bool needed = nu_extent_anchor(&extent, &shift, &scale);
    ck_assert_msg(needed == cases[i].needed, "case %zu", i);
    if (needed) ck_assert(fabs((cases[i].high - shift) * scale) <= 2.0);
    else ck_assert(shift == 0.0 && scale == 1.0);
  }
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(tcase, test, 0, (int)(sizeof table / sizeof table[0]))

static Suite *wide_suite(void) {
  Suite *suite = suite_create("data wide");
  TCase *tcase = tcase_create("wide");
  tcase_set_timeout(tcase, 60);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  LOOP(scaled_columns_are_what_doubles_give, columns);
  LOOP(other_files_are_scaled_alike, columns);
  tcase_add_test(tcase, ordinary_columns_keep_their_bits);
  tcase_add_test(tcase, constants_become_zero);
  LOOP(what_no_scaling_mends_is_refused, refused);
  tcase_add_test(tcase, pipes_are_refused_where_two_readings_are_needed);
  tcase_add_test(tcase, anchors_are_for_columns_that_need_them);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(wide_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
