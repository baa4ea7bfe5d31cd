/* The data stage: schema, splits, scaling, reading by a schema, data from memory, real files.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/split.h"
#include "data/table.h"
#include "data_support.h"

/* ---- classes or values */

static const struct {
  const char *labels[4], *loss, *activation, *options;
  size_t outputs, classes;
  const char *names[4];
} rules[] = {
    {{"b", "a", "B", "a"}, "squared_error", "identity", "", 1, 3, {"B", "a", "b"}},
    {{"10", "9", "-1", "9"}, "cross_entropy", "softmax", "", 3, 3, {"-1", "9", "10"}},
    {{"1", "0", "1", "1"}, "binary_cross_entropy", "sigmoid", "", 1, 2, {"0", "1"}},
    {{"1", "0", "1", "1"}, "squared_error", "step", "", 1, 2, {"0", "1"}},
    {{"1", "0", "1", "1"}, "squared_error", "sigmoid", "", 2, 2, {"0", "1"}},
    {{"1", "0", "1", "1"}, "squared_error", "sigmoid", "", 1, 0, {NULL}},
    {{"1", "0", "1", "1"}, "squared_error", "sigmoid", ", targets: classes", 1, 2, {"0", "1"}},
    {{"1", "0", "1", "1"}, "cross_entropy", "softmax", ", targets: values", 2, 0, {NULL}},
    {{"1", "1.0", "-0", "0e5"}, "cross_entropy", "softmax", "", 2, 2, {"0", "1"}},
    {{"01", "1", "2", "1.0"}, "cross_entropy", "softmax", "", 3, 3, {"1", "01", "2"}},
    {{"00", "01", "-02", "01"}, "cross_entropy", "softmax", "", 3, 3, {"-02", "00", "01"}},
    {{"01", "02", "1", "3"}, "squared_error", "sigmoid", "", 1, 0, {NULL}},
    {{"9007199254740993", "9007199254740992", "+9007199254740993", "10000000000000000"},
     "cross_entropy",
     "softmax",
     "",
     3,
     3,
     {"9007199254740992", "9007199254740993", "10000000000000000"}},
    {{"-9007199254740993", "-9007199254740992", "0", "0"},
     "cross_entropy",
     "softmax",
     "",
     3,
     3,
     {"-9007199254740993", "-9007199254740992", "0"}},
    {{"1", "x", "10", "9"}, "cross_entropy", "softmax", "", 4, 4, {"1", "10", "9", "x"}},
};

START_TEST(test_rules) {
  char csv[128], text[2048];
  const char *const *l = rules[_i].labels;
  snprintf(csv, sizeof csv, "1,%s\n2,%s\n3,%s\n4,%s\n", l[0], l[1], l[2], l[3]);
  snprintf(text, sizeof text,
           "data: {train: {path: \"%s\", target: 1}%s}\n"
           "network: {layers: [{neurons: %zu, activation: %s}]}\ntrain: {loss: %s}\n",
           put_text("r.csv", csv), rules[_i].options, rules[_i].outputs, rules[_i].activation,
           rules[_i].loss);
  numann_config *config;
  numann_error err;
  ck_assert_int_eq(numann_config_parse(&config, text, "r.yaml", &err), NUMANN_OK);
  numann_data *data = load(config);
  ck_assert_uint_eq(numann_data_classes(data), rules[_i].classes);
  ck_assert_uint_eq(data->schema.targets, rules[_i].classes == 0);
  for (size_t c = 0; c < rules[_i].classes; c++) {
    ck_assert_str_eq(data->schema.class_names[c], rules[_i].names[c]);
  }
  ck_assert(!data->train.labels == !rules[_i].classes);
  ck_assert(!data->train.targets == !!rules[_i].classes);
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

/* ---- splits */

static void count_parts(const uint8_t *part, size_t rows, size_t counts[NU_PARTS]) {
  memset(counts, 0, NU_PARTS * sizeof *counts);
  for (size_t r = 0; r < rows; r++) counts[part[r]]++;
}

START_TEST(test_split_counts) {
  enum { ROWS = 97 };
  uint8_t part[ROWS], again[ROWS], other[ROWS];
  size_t counts[NU_PARTS];
  nu_split_request request = {.rows = ROWS, .seed = 5};
  for (request.validation = 0; request.validation <= 40; request.validation += 8) {
    for (request.test = 0; request.test <= 50; request.test += 10) {
      request.seed = 5;
      ck_assert_int_eq(nu_split(part, &request, NULL), NUMANN_OK);
      count_parts(part, ROWS, counts);
      ck_assert_uint_eq(counts[NU_VALIDATION], request.validation);
      ck_assert_uint_eq(counts[NU_TEST], request.test);
      ck_assert_int_eq(nu_split(again, &request, NULL), NUMANN_OK);
      ck_assert_mem_eq(part, again, ROWS);
      request.seed = 6;
      ck_assert_int_eq(nu_split(other, &request, NULL), NUMANN_OK);
      ck_assert(request.validation + request.test == 0 || memcmp(part, other, ROWS) != 0);
    }
  }
}
END_TEST

/* Which rows are taken is part of the numerics version: these may not change under it. */
START_TEST(test_split_frozen) {
  uint8_t part[12];
  static const uint8_t expected[12] = {1, 0, 2, 1, 2, 0, 0, 0, 0, 2, 0, 0};
  nu_split_request request = {.rows = 12, .validation = 2, .test = 3, .seed = 1};
  ck_assert_int_eq(nu_split(part, &request, NULL), NUMANN_OK);
  ck_assert_mem_eq(part, expected, sizeof part);
}
END_TEST

/* Taking validation rows must not change which rows are for the test. */
START_TEST(test_split_test_first) {
  uint8_t with[50], without[50];
  nu_split_request request = {.rows = 50, .validation = 20, .test = 10, .seed = 3};
  ck_assert_int_eq(nu_split(with, &request, NULL), NUMANN_OK);
  request.validation = 0;
  ck_assert_int_eq(nu_split(without, &request, NULL), NUMANN_OK);
  for (size_t r = 0; r < 50; r++) ck_assert((with[r] == NU_TEST) == (without[r] == NU_TEST));
}
END_TEST

/* 60, 30 and 7 rows of three classes. Test 20: 12.37, 6.19, 1.44 -> 12, 6, 2. Of the 77 left (48,
 * 24, 5) validation 10: 6.23, 3.12, 0.65 -> 6, 3, 1. */
START_TEST(test_split_stratified) {
  enum { ROWS = 97 };
  static const size_t expected[NU_PARTS][3] = {
      [NU_TRAIN] = {42, 21, 4}, [NU_VALIDATION] = {6, 3, 1}, [NU_TEST] = {12, 6, 2}};
  int32_t classes[ROWS];
  uint8_t part[ROWS];
  for (int32_t r = 0; r < ROWS; r++) classes[r] = r < 60 ? 0 : r < 90 ? 1 : 2;
  nu_split_request request = {ROWS, 10, 20, 0, classes, 3};
  for (request.seed = 0; request.seed < 20; request.seed++) {
    size_t counts[NU_PARTS][3] = {{0}};
    ck_assert_int_eq(nu_split(part, &request, NULL), NUMANN_OK);
    for (size_t r = 0; r < ROWS; r++) counts[part[r]][classes[r]]++;
    ck_assert_mem_eq(counts, expected, sizeof expected);
  }
}
END_TEST

/* Rows are numbered by their first input: each must come back once, in file order in its part. */
static size_t check_part(const nu_rows *rows, char *seen) {
  for (size_t r = 0; r < rows->rows; r++) {
    size_t id = (size_t)rows->inputs[r];
    ck_assert(rows->targets[r] == (float)id * 2.0f);
    ck_assert(r == 0 || rows->inputs[r - 1] < rows->inputs[r]);
    ck_assert_int_eq(seen[id]++, 0);
  }
  return rows->rows;
}

START_TEST(test_split_of_file) {
  char text[4096] = "", seen[200] = {0};
  for (int r = 0; r < 200; r++) sprintf(text + strlen(text), "%d,%d\n", r, 2 * r);
  numann_data *data = load_table(put_text("s.csv", text), "1",
                                 ", test: {fraction: 0.2}, validation: {fraction: 0.123}");
  ck_assert_uint_eq(check_part(&data->train, seen), 135);
  ck_assert_uint_eq(check_part(&data->validation, seen), 25);
  ck_assert_uint_eq(check_part(&data->test, seen), 40);
  ck_assert_ptr_null(memchr(seen, 0, sizeof seen));
  numann_data_destroy(data);
}
END_TEST

START_TEST(test_order) {
  enum { ROWS = 1000 };
  static uint32_t a[ROWS], b[ROWS];
  static char seen[ROWS];
  nu_data_order(a, ROWS, 1, 1, true);
  for (size_t r = 0; r < ROWS; r++) ck_assert_int_eq(seen[a[r]]++, 0);
  nu_data_order(b, ROWS, 1, 1, true);
  ck_assert_mem_eq(a, b, sizeof a);
  nu_data_order(b, ROWS, 1, 2, true);
  ck_assert(memcmp(a, b, sizeof a) != 0);
  nu_data_order(b, ROWS, 2, 1, true);
  ck_assert(memcmp(a, b, sizeof a) != 0);
  nu_data_order(b, ROWS, 1, 1, false);
  for (uint32_t r = 0; r < ROWS; r++) ck_assert_uint_eq(b[r], r);
}
END_TEST

/* ---- scaling: columns 1 2 3 4, a constant 0.1, and 10 30 20 40 as target */

#define SCALED "a,c,t\n1,0.1,10\n2,0.1,30\n3,0.1,20\n4,0.1,40\n"
static const struct {
  const char *options;
  double shift, scale, constant_shift, constant_scale, target_shift, target_scale;
} scalings[] = {
    {"", 0, 1, 0, 1, 0, 1},
    {", scale: standardize", 2.5, 0.89442719099991588, (double)0.1f, 1, 0, 1},
    {", scale: min_max", 1, 1.0 / 3.0, (double)0.1f, 1, 0, 1},
    {", scale: 8", 0, 0.125, 0, 0.125, 0, 1},
    {", scale_targets: standardize", 0, 1, 0, 1, 25, 0.089442719099991588},
    {", scale_targets: min_max", 0, 1, 0, 1, 10, 1.0 / 30.0},
};

START_TEST(test_scaling) {
  numann_data *data = load_table(put_text("s.csv", SCALED), "t", scalings[_i].options);
  const nu_schema *schema = &data->schema;
  ck_assert_double_eq(schema->inputs.shift[0], scalings[_i].shift);
  ck_assert_double_eq_tol(schema->inputs.scale[0], scalings[_i].scale, 1e-15);
  ck_assert_double_eq(schema->inputs.shift[1], scalings[_i].constant_shift);
  ck_assert_double_eq(schema->inputs.scale[1], scalings[_i].constant_scale);
  ck_assert_double_eq(schema->outputs.shift[0], scalings[_i].target_shift);
  ck_assert_double_eq_tol(schema->outputs.scale[0], scalings[_i].target_scale, 1e-16);
  for (int r = 0; r < 4; r++) {
    float x = (float)((r + 1 - schema->inputs.shift[0]) * schema->inputs.scale[0]);
    ck_assert(data->train.inputs[2 * r] == x);
    double target = nu_unscale(&schema->outputs, 0, (double)data->train.targets[r]);
    ck_assert_double_eq_tol(target, ((const double[]){10, 30, 20, 40})[r], 1e-5);
  }
  if (scalings[_i].constant_shift != 0) ck_assert(data->train.inputs[1] == 0.0f);
  numann_data_destroy(data);
}
END_TEST

/* Fitted on the training rows alone, applied to all. */
START_TEST(test_scaling_of_parts) {
  char more[1200];
  snprintf(more, sizeof more, ", scale: min_max, scale_targets: min_max, test: {path: \"%s\"}",
           put_text("test.csv", "t,c,a\n70,0.1,7\n"));
  numann_data *data = load_table(put_text("s.csv", SCALED), "t", more);
  ck_assert(data->test.inputs[0] == 2.0f);
  ck_assert(data->test.inputs[1] == 0.0f);
  ck_assert(data->test.targets[0] == 2.0f);
  numann_data_destroy(data);
}
END_TEST

START_TEST(test_scaling_overflow) {
  numann_config *config = make_config(1, "train: {path: \"%s\", target: 1}, scale: 1e-30",
                                      put_text("s.csv", "1e20,1\n2,3\n"));
  numann_data *data;
  numann_error err;
  ck_assert_int_eq(numann_data_load(&data, config, &err), NUMANN_ERR_DATA);
  ck_assert_ptr_nonnull(strstr(err.message, "out of the range of a float"));
  numann_config_destroy(config);
}
END_TEST

/* The same numbers from every format: the same bits after scaling. */
START_TEST(test_formats_agree) {
  static const float values[] = {0.1f, 7, 1, 2.7f, 8, 2, 3.3f, 9.5f, 4};
  double doubles[9];
  char csv[512] = "";
  unsigned char file[512];
  for (int i = 0; i < 9; i++) {
    doubles[i] = (double)values[i];
    sprintf(csv + strlen(csv), "%.9g%c", doubles[i], i % 3 == 2 ? '\n' : ',');
  }
  const char *paths[4] = {put_text("f.csv", csv), put_gz("f.csv.gz", csv, strlen(csv))};
  size_t n =
      make_npy(file, "{'descr':'<f4','fortran_order':False,'shape':(3,3)}", values, sizeof values);
  paths[2] = put_bytes("f.npy", file, n);
  n = make_npy(file, "{'descr':'<f8','fortran_order':False,'shape':(3,3)}", doubles,
               sizeof doubles);
  paths[3] = put_bytes("d.npy", file, n);
  numann_data *first = load_table(paths[0], "2", ", scale: standardize");
  for (int i = 1; i < 4; i++) {
    numann_data *data = load_table(paths[i], "2", ", scale: standardize");
    ck_assert_mem_eq(data->train.inputs, first->train.inputs, 6 * sizeof(float));
    ck_assert_mem_eq(data->schema.inputs.scale, first->schema.inputs.scale, 2 * sizeof(double));
    numann_data_destroy(data);
  }
  numann_data_destroy(first);
}
END_TEST

/* ---- reading by a schema: trained on a,b,drop,t; inputs divided by 2 */

static const struct {
  const char *text;
  bool with_targets;
} reads[] = {
    {"a,b,d,t\n2,4,z,y\n6,8,z,x\n", true},
    {"a,b,d,t\n2,4,z,y\n6,8,z,x\n", false},
    {"t,b,a\ny,4,2\nx,8,6\n", true},
    {"t,b,a\ny,4,2\nx,8,6\n", false},
    {"b,extra,a\n4,q,2\n8,,6\n", false},
    {"2,4\n6,8\n", false},
    {"2;4\n6;8\n", false},
};

static nu_rows read_by_schema(const char *path, bool with_targets, const char *train_text,
                              const char *more) {
  numann_config *config =
      make_config(2, "train: {path: \"%s\", %s", put_text("train.csv", train_text), more);
  numann_data *data = load(config);
  nu_source source = {path, NULL, with_targets};
  nu_schema copy;
  nu_rows rows;
  numann_error err = {0};
  ck_assert_int_eq(nu_schema_copy(&copy, &data->schema, &err), NUMANN_OK);
  numann_data_destroy(data);
  numann_status status = nu_data_read(&rows, &source, &copy, config, &err);
  ck_assert_msg(status == NUMANN_OK, "%s", err.message);
  nu_schema_clear(&copy);
  numann_config_destroy(config);
  return rows;
}

static void check_read(nu_rows *rows, bool with_targets) {
  static const float inputs[] = {1, 2, 3, 4};
  ck_assert_uint_eq(rows->rows, 2);
  ck_assert_mem_eq(rows->inputs, inputs, sizeof inputs);
  ck_assert(!rows->labels == !with_targets);
  if (with_targets) ck_assert(rows->labels[0] == 1 && rows->labels[1] == 0);
  ck_assert_ptr_null(rows->targets);
  nu_rows_clear(rows);
}

#define NAMED "a,b,d,t\n1,2,q,x\n3,4,q,y\n", "target: t}, drop: [d], scale: 2"
#define UNNAMED "x,q,1,2\ny,q,3,4\n", "target: 0}, drop: [1], scale: 2"

START_TEST(test_read_by_name) {
  nu_rows rows = read_by_schema(put_text("r.csv", reads[_i].text), reads[_i].with_targets, NAMED);
  check_read(&rows, reads[_i].with_targets);
}
END_TEST

START_TEST(test_read_by_position) {
  static const char *const texts[] = {"y,z,2,4\nx,z,6,8\n", "z,2,4\nz,6,8\n", "2,4\n6,8\n"};
  for (int i = 0; i < 3; i++) {
    nu_rows rows = read_by_schema(put_text("r.csv", texts[i]), false, UNNAMED);
    check_read(&rows, false);
  }
  nu_rows rows = read_by_schema(put_text("r.csv", texts[0]), true, UNNAMED);
  check_read(&rows, true);
}
END_TEST

/* Names that do not tell the columns apart are not used: the position does. */
START_TEST(test_read_same_names) {
  const char *path = put_text("r.csv", "b,t,b\n2,y,4\n6,x,8\n");
  nu_rows rows = read_by_schema(path, true, "b,t,b\n1,x,2\n3,y,4\n", "target: t}, scale: 2");
  check_read(&rows, true);
}
END_TEST

START_TEST(test_read_standard_input) {
  int fd = open(put_text("r.csv", reads[0].text), O_RDONLY);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
  close(fd);
  nu_rows rows = read_by_schema("-", true, NAMED);
  check_read(&rows, true);
}
END_TEST

/* Answers must stay beside their rows: a blank is refused, even with drop_row. */
START_TEST(test_read_blank) {
  numann_config *config = make_config(1, "train: {path: \"%s\", target: t}, blank: drop_row",
                                      put_text("train.csv", "a,t\n1,2\n,3\n"));
  numann_data *data = load(config);
  ck_assert_uint_eq(data->rows_dropped, 1);
  nu_source source = {put_text("r.csv", "a,t\n1,2\n,3\n"), NULL, true};
  nu_rows rows;
  numann_error err;
  ck_assert_int_eq(nu_data_read(&rows, &source, &data->schema, config, &err), NUMANN_OK);
  ck_assert_uint_eq(rows.rows, 1);
  nu_rows_clear(&rows);
  source.with_targets = false;
  ck_assert_int_eq(nu_data_read(&rows, &source, &data->schema, config, &err), NUMANN_ERR_DATA);
  ck_assert_ptr_nonnull(strstr(err.message, "r.csv:3:1: column 'a' is blank; fill it in"));
  ck_assert_ptr_null(rows.inputs);
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

/* ---- data from memory */

START_TEST(test_create) {
  static const float inputs[] = {1, 2, 3, 4}, targets[] = {5, 6};
  static const int32_t labels[] = {2, 0}, wrong[] = {0, 3};
  numann_data *data;
  numann_error err;
  ck_assert_int_eq(numann_data_create(&data, 2, 2, inputs, 1, targets, NULL, &err), NUMANN_OK);
  ck_assert_uint_eq(numann_data_rows(data), 2);
  ck_assert_uint_eq(numann_data_features(data), 2);
  ck_assert_uint_eq(numann_data_classes(data), 0);
  ck_assert_mem_eq(data->train.targets, targets, sizeof targets);
  ck_assert(data->schema.inputs.scale[1] == 1 && data->schema.inputs.shift[1] == 0);
  numann_data_destroy(data);
  ck_assert_int_eq(numann_data_create(&data, 2, 2, inputs, 3, NULL, labels, &err), NUMANN_OK);
  ck_assert_uint_eq(numann_data_classes(data), 3);
  ck_assert_str_eq(data->schema.class_names[2], "2");
  ck_assert_mem_eq(data->train.labels, labels, sizeof labels);
  numann_data_destroy(data);
  ck_assert_int_eq(numann_data_create(&data, 2, 2, inputs, 3, NULL, wrong, &err), NUMANN_ERR_DATA);
  ck_assert_ptr_nonnull(strstr(err.message, "row 1 has 3, a class of 0 to 2"));
  ck_assert_ptr_null(data);
  static const float infinite[] = {1, 2, 3, (float)1e30 * (float)1e30};
  ck_assert_int_eq(numann_data_create(&data, 2, 2, infinite, 1, targets, NULL, &err),
                   NUMANN_ERR_DATA);
  ck_assert_ptr_nonnull(strstr(err.message, "row 1, column 1"));
  numann_data_destroy(NULL);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(tcase, test, 0, (int)(sizeof table / sizeof table[0]))

static Suite *data_suite(void) {
  Suite *suite = suite_create("data");
  TCase *tcase = tcase_create("data");
  tcase_set_timeout(tcase, 60);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  LOOP(test_rules, rules);
  tcase_add_test(tcase, test_split_counts);
  tcase_add_test(tcase, test_split_frozen);
  tcase_add_test(tcase, test_split_test_first);
  tcase_add_test(tcase, test_split_stratified);
  tcase_add_test(tcase, test_split_of_file);
  tcase_add_test(tcase, test_order);
  LOOP(test_scaling, scalings);
  tcase_add_test(tcase, test_scaling_of_parts);
  tcase_add_test(tcase, test_scaling_overflow);
  tcase_add_test(tcase, test_formats_agree);
  LOOP(test_read_by_name, reads);
  tcase_add_test(tcase, test_read_by_position);
  tcase_add_test(tcase, test_read_same_names);
  tcase_add_test(tcase, test_read_standard_input);
  tcase_add_test(tcase, test_read_blank);
  tcase_add_test(tcase, test_create);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(data_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
