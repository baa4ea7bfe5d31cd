/* Real data files: the shipped sets, fixtures in their original shape, and full sets where they lie
 * beside the source tree. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data_support.h"

/* What a file must give; the sums are over the file's rows, taken from it by another program. */
static const struct {
  const char *path, *target, *more;
  size_t outputs, rows, features, classes, dropped;
  const char *first_feature, *first_class, *last_class;
  double sum_of_inputs;
} tables[] = {
    {"configs/data/digits.csv.gz", "label", "", 10, 1797, 64, 10, 0, "p0", "0", "9", 561718},
    {"configs/data/iris.csv", "species", "", 3, 150, 4, 3, 0, "sepal_length", "setosa", "virginica",
     2078.7},
    {"tests/data/iris_original.csv", "-1", "", 3, 12, 4, 3, 0, "150", "0", "2", 168.2},
    {"tests/data/digits_original.csv.gz", "-1", "", 10, 12, 64, 10, 0, NULL, "0", "9", 3741},
    {"tests/data/letters_original.data", "0", "", 26, 12, 16, 12, 0, NULL, "A", "X", 1118},
    {"tests/data/housing_original.csv", "median_house_value",
     ", drop: [ocean_proximity], blank: drop_row", 1, 8, 8, 0, 1, "longitude", NULL, NULL,
     25000.1241},
    {"../shared/data/tabular/letter-recognition.data", "0", "", 26, 20000, 16, 26, 0, NULL, "A",
     "Z", 1896149},
    {"../shared/data/tabular/optdigits.tes", "-1", "", 10, 1797, 64, 10, 0, NULL, "0", "9", 561718},
    {"../shared/data/tabular/california_housing.csv", "median_house_value",
     ", drop: [ocean_proximity], blank: drop_row", 1, 20433, 8, 0, 207, "longitude", NULL, NULL,
     103131930.175},
};

static bool present(const char *path) {
  if (access(path, R_OK) == 0) return true;
  printf("skipped: %s is not there\n", path);
  return false;
}

static double sum_inputs(const numann_data *data) {
  double sum = 0;
  size_t n = data->train.rows * data->schema.features;
  for (size_t i = 0; i < n; i++) sum += (double)data->train.inputs[i];
  return sum;
}

START_TEST(test_tables) {
  const char *path = source_path(tables[_i].path);
  bool ours = strncmp(tables[_i].path, "..", 2) != 0;
  if (!ours && !present(path)) return;
  numann_config *config = make_config(tables[_i].outputs, "train: {path: \"%s\", target: %s}%s",
                                      path, tables[_i].target, tables[_i].more);
  numann_data *data = load(config);
  const nu_schema *schema = &data->schema;
  ck_assert_uint_eq(data->train.rows, tables[_i].rows);
  ck_assert_uint_eq(schema->features, tables[_i].features);
  ck_assert_uint_eq(schema->classes, tables[_i].classes);
  ck_assert_uint_eq(data->rows_dropped, tables[_i].dropped);
  ck_assert_pstr_eq(schema->feature_names ? schema->feature_names[0] : NULL,
                    tables[_i].first_feature);
  if (schema->classes) {
    ck_assert_str_eq(schema->class_names[0], tables[_i].first_class);
    ck_assert_str_eq(schema->class_names[schema->classes - 1], tables[_i].last_class);
  }
  double sum = sum_inputs(data), expected = tables[_i].sum_of_inputs;
  ck_assert_msg(sum > expected * (1 - 1e-6) && sum < expected * (1 + 1e-6), "%s: sum %.10g", path,
                sum);
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

/* Each obstacle of the housing file is named with its place. */
START_TEST(test_housing_messages) {
  static const char *const more[] = {"", ", drop: [ocean_proximity]"};
  static const char *const expected[] = {
      "housing_original.csv:2:60: column 'ocean_proximity': 'NEAR BAY'",
      "housing_original.csv:9:27: column 'total_bedrooms' is blank"};
  for (int i = 0; i < 2; i++) {
    numann_config *config = make_config(1, "train: {path: \"%s\", target: median_house_value}%s",
                                        source_path("tests/data/housing_original.csv"), more[i]);
    numann_data *data;
    numann_error err;
    ck_assert_int_eq(numann_data_load(&data, config, &err), NUMANN_ERR_DATA);
    ck_assert_msg(strstr(err.message, expected[i]) != NULL, "%s", err.message);
    numann_config_destroy(config);
  }
}
END_TEST

/* No class is lost by a stratified split, and each part has its share. */
START_TEST(test_iris_stratified) {
  numann_config *config = make_config(
      3, "train: {path: \"%s\", target: species}, test: {fraction: 0.2}, stratify: true",
      source_path("configs/data/iris.csv"));
  numann_data *data = load(config);
  size_t train[3] = {0}, test[3] = {0};
  for (size_t r = 0; r < data->train.rows; r++) train[data->train.labels[r]]++;
  for (size_t r = 0; r < data->test.rows; r++) test[data->test.labels[r]]++;
  for (int c = 0; c < 3; c++) {
    ck_assert_uint_eq(train[c], 40);
    ck_assert_uint_eq(test[c], 10);
  }
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

START_TEST(test_mnist) {
  const char *folder = source_path("../shared/data/mnist");
  if (!present(folder)) return;
  numann_config *config = make_config(10,
                                      "train: {images: \"%s/train-images-idx3-ubyte.gz\", "
                                      "labels: \"%s/train-labels-idx1-ubyte.gz\"}, "
                                      "test: {images: \"%s/t10k-images-idx3-ubyte.gz\", "
                                      "labels: \"%s/t10k-labels-idx1-ubyte.gz\"}, "
                                      "validation: {fraction: 0.1}, scale: 255",
                                      folder, folder, folder, folder);
  static const int32_t first[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
  numann_data *data = load(config);
  ck_assert_uint_eq(data->train.rows, 54000);
  ck_assert_uint_eq(data->validation.rows, 6000);
  ck_assert_uint_eq(data->test.rows, 10000);
  ck_assert_uint_eq(data->schema.features, 784);
  ck_assert_uint_eq(data->schema.classes, 10);
  ck_assert_mem_eq(data->test.labels, first, sizeof first);
  size_t bright = 0, outside = 0, n = data->test.rows * 784;
  for (size_t i = 0; i < n; i++) {
    float input;
    nu_rows_inputs(&data->test, 784, i / 784, i % 784, 1, &input);
    outside += input < 0.0f || input > 1.0f;
    bright += input == 1.0f;
  }
  ck_assert_uint_eq(outside, 0);
  ck_assert_uint_eq(bright, 56835); /* bytes 255 of the file, counted by another program */
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

static Suite *files_suite(void) {
  Suite *suite = suite_create("data files");
  TCase *tcase = tcase_create("files");
  tcase_set_timeout(tcase, 120);
  tcase_add_loop_test(tcase, test_tables, 0, (int)(sizeof tables / sizeof tables[0]));
  tcase_add_test(tcase, test_housing_messages);
  tcase_add_test(tcase, test_iris_stratified);
  tcase_add_test(tcase, test_mnist);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(files_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
