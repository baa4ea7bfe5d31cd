/* Rows that are kept as bytes: whatever is done with them gives the bits that floats of the same
 * numbers give. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "checkpoint/checkpoint.h"
#include "data/scaling.h"
#include "data_support.h"
#include "kernel_support.h"
#include "machine/float_env.h"
#include "numann.h"
#include "trainer/evaluate.h"

enum {
  ROWS = 300,
  WIDTH = 603
}; /* wider than a group of the statistics, and no multiple of a float */

/* ---- the kernel */

static void check_scale(const nu_kernels *kernels, size_t n, double largest) {
  uint8_t *from = malloc(n + 1);
  double *shift = malloc((n + 1) * sizeof *shift), *scale = malloc((n + 1) * sizeof *scale);
  float *to = guarded(n);
  ck_assert(from && shift && scale);
  for (size_t i = 0; i < n; i++) {
    from[i] = (uint8_t)(fabsf(draw(1, i)) * 1e6f);
    shift[i] = (double)draw(2, i) / 3.0;
    scale[i] = (double)draw(3, i) * largest / 7.0;
  }
  kernels->scale(n, from, shift, scale, to);
  check_guards(to, n);
  for (size_t i = 0; i < n; i++) {
    float want = (float)(((double)from[i] - shift[i]) * scale[i]);
    ck_assert_msg(memcmp(&want, to + i, sizeof want) == 0, "%s, %zu of %zu: %a, expected %a",
                  kernels->isa, i, n, (double)to[i], (double)want);
  }
  free(to - GUARD);
  free(from);
  free(shift);
  free(scale);
}

START_TEST(every_set_scales_bytes_to_the_same_bits) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  for (size_t n = 0; n < 140; n++) check_scale(kernels, n, 1.0);
  check_scale(kernels, 10000, 1.0);
  check_scale(kernels, 10000, 1e-40); /* subnormal results are zero */
  nu_float_env_leave(&env);
}
END_TEST

/* ---- two files of the same numbers */

/* Rows of bytes, those of the first columns constant, and the same as floats, big-endian. */
static uint8_t numbers[ROWS * WIDTH];
static unsigned char floats[4 * ROWS * WIDTH], file[4 * ROWS * WIDTH + 200];

static void make_numbers(void) {
  nu_stream stream = {.seed = 1, .purpose = NU_PURPOSE_GENERATE};
  for (size_t i = 0; i < sizeof numbers; i++) {
    numbers[i] = i % WIDTH < 3 ? (uint8_t)(i % WIDTH) : (uint8_t)nu_random_bits(stream, i);
    if (i % WIDTH == WIDTH - 1) numbers[i] %= 4; /* the target of tables */
    float x = (float)numbers[i];
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    for (int b = 0; b < 4; b++) floats[4 * i + (size_t)b] = (unsigned char)(bits >> (24 - 8 * b));
  }
}

static numann_config *config_of(const char *data, bool classes) {
  char text[4096];
  numann_config *config;
  numann_error err = {0};
  snprintf(text, sizeof text,
           "data: {%s}\n"
           "network: {layers: [{neurons: 20, activation: tanh}, {neurons: %s}]}\n"
           "train: {loss: %s, optimizer: {name: sgd, learning_rate: 0.01}, batch: 32, epochs: 2, "
           "seed: 1,\n"
           "  early_stopping: {patience: 3}}\n"
           "parallel: {threads: 2}\n",
           data, classes ? "4, activation: softmax" : "2, activation: identity",
           classes ? "cross_entropy" : "squared_error");
  ck_assert_msg(numann_config_parse(&config, text, "t.yaml", &err) == NUMANN_OK, "%s", err.message);
  return config;
}

static const char *const scales[] = {"none", "standardize", "min_max", "255", "3"};

/* Part p of 0 training, 1 validation, 2 test: the same rows, bit for bit. */
static void check_same_rows(const numann_data *bytes, const numann_data *plain) {
  const nu_rows *const a[] = {&bytes->train, &bytes->validation, &bytes->test};
  const nu_rows *const b[] = {&plain->train, &plain->validation, &plain->test};
  size_t n = bytes->schema.features;
  float *row = malloc(n * sizeof *row);
  ck_assert_uint_eq(n, plain->schema.features);
  ck_assert_mem_eq(bytes->schema.inputs.shift, plain->schema.inputs.shift, n * sizeof(double));
  ck_assert_mem_eq(bytes->schema.inputs.scale, plain->schema.inputs.scale, n * sizeof(double));
  nu_float_env env = nu_float_env_enter();
  for (int p = 0; p < 3; p++) {
    ck_assert_uint_gt(a[p]->rows, 0);
    ck_assert_uint_eq(a[p]->rows, b[p]->rows);
    ck_assert(a[p]->bytes && !a[p]->inputs && b[p]->inputs && !b[p]->bytes);
    for (size_t r = 0; r < a[p]->rows; r++) {
      nu_rows_inputs(a[p], n, r, 0, n, row);
      ck_assert_mem_eq(row, b[p]->inputs + r * n, n * sizeof *row);
    }
    if (a[p]->labels) ck_assert_mem_eq(a[p]->labels, b[p]->labels, a[p]->rows * sizeof(int32_t));
    else ck_assert_mem_eq(a[p]->targets, b[p]->targets, a[p]->rows * sizeof(float));
  }
  nu_float_env_leave(&env);
  ck_assert_uint_eq(nu_data_sum(bytes), nu_data_sum(plain));
  free(row);
}

/* Train; the hash of the weights, and what predict and evaluate say about the test rows. */
typedef struct outcome {
  char hash[65];
  float answers[ROWS * 4];
  double loss;
} outcome;

static void must(numann_status status, const numann_error *err) {
  ck_assert_msg(status == NUMANN_OK, "%s", err->message);
}

static outcome train(const numann_config *config, const numann_data *data) {
  static outcome out;
  numann_network *network;
  numann_plan *plan;
  numann_trainer *trainer;
  numann_error err = {0};
  nu_evaluation evaluation;
  memset(&out, 0, sizeof out);
  must(numann_network_create(&network, config, data, &err), &err);
  must(numann_plan_create(&plan, config, network, data, &err), &err);
  must(numann_trainer_create(&trainer, config, network, plan, data, &err), &err);
  must(numann_trainer_run(trainer, NULL, &err), &err);
  nu_network_sha256(network, out.hash);
  must(nu_predict(network, 2, &data->test, out.answers, &err), &err);
  must(nu_evaluate(&evaluation, network, &data->test, &data->schema, 2, &err), &err);
  out.loss = evaluation.loss;
  nu_evaluation_clear(&evaluation);
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
  numann_network_destroy(network);
  return out;
}

static void check_same(const char *bytes_source, const char *floats_source, const char *scale,
                       bool classes) {
  char text[2048];
  numann_config *configs[2];
  numann_data *data[2];
  for (int i = 0; i < 2; i++) {
    snprintf(text, sizeof text, "%s, validation: {fraction: 0.2}, test: {fraction: 0.1}, scale: %s",
             i ? floats_source : bytes_source, scale);
    configs[i] = config_of(text, classes);
    data[i] = load(configs[i]);
  }
  check_same_rows(data[0], data[1]);
  outcome a = train(configs[0], data[0]), b = train(configs[1], data[1]);
  ck_assert_str_eq(a.hash, b.hash);
  ck_assert_mem_eq(a.answers, b.answers, sizeof a.answers);
  ck_assert(a.loss == b.loss);
  for (int i = 0; i < 2; i++) {
    numann_data_destroy(data[i]);
    numann_config_destroy(configs[i]);
  }
}

/* Images with labels, in IDX: a row of the file is a row of the table. */
START_TEST(pairs_of_bytes_train_as_floats_do) {
  make_numbers();
  char a[1024], b[1024];
  uint8_t labels[ROWS];
  for (size_t r = 0; r < ROWS; r++) labels[r] = numbers[r * WIDTH + WIDTH - 1];
  size_t n = make_idx(file, 0x08, 1, (uint32_t[]){ROWS}, labels, ROWS);
  put_bytes("labels", file, n);
  n = make_idx(file, 0x08, 3, (uint32_t[]){ROWS, 9, 67}, numbers, sizeof numbers);
  snprintf(a, sizeof a, "train: {images: \"%s\", labels: \"%s\"}", put_gz("bytes.gz", file, n),
           temp_path("labels"));
  n = make_idx(file, 0x0D, 2, (uint32_t[]){ROWS, WIDTH}, floats, sizeof floats);
  snprintf(b, sizeof b, "train: {images: \"%s\", labels: \"%s\"}", put_bytes("floats", file, n),
           temp_path("labels"));
  check_same(a, b, scales[_i], true);
}
END_TEST

/* One table, in NPY: columns left out, targets among the inputs, read row by row. */
START_TEST(tables_of_bytes_train_as_floats_do) {
  make_numbers();
  char a[1024], b[1024], dictionary[128];
  static const char more[] = "drop: [1, 7]";
  snprintf(dictionary, sizeof dictionary, "{'descr':'|u1','fortran_order':False,'shape':(%d,%d)}",
           ROWS, WIDTH);
  size_t n = make_npy(file, dictionary, numbers, sizeof numbers);
  snprintf(a, sizeof a, "train: {path: \"%s\", target: -1}, %s", put_bytes("b.npy", file, n), more);
  snprintf(dictionary, sizeof dictionary, "{'descr':'>f4','fortran_order':False,'shape':(%d,%d)}",
           ROWS, WIDTH);
  n = make_npy(file, dictionary, floats, sizeof floats);
  snprintf(b, sizeof b, "train: {path: \"%s\", target: -1}, %s", put_bytes("f.npy", file, n), more);
  check_same(a, b, scales[_i], true);
  snprintf(a, sizeof a, "train: {path: \"%s\", target: [3, -1]}, %s", temp_path("b.npy"), more);
  snprintf(b, sizeof b, "train: {path: \"%s\", target: [3, -1]}, %s", temp_path("f.npy"), more);
  check_same(a, b, scales[_i], false);
}
END_TEST

/* A byte that leaves the range of a float, as a model's scaling may make it, is found in its row;
 * one that does not occur is none. */
START_TEST(bytes_out_of_range_are_refused) {
  const uint8_t bytes[] = {1, 0, 2, 0, 255, 0};
  double shift[] = {0.0, 0.0}, scale[] = {1e38, 1.0};
  const nu_scaling scaling = {shift, scale};
  nu_crew crew = {.limit = 1};
  numann_error err = {0};
  nu_numbers rows = {.bytes = bytes, .rows = 2, .n = 2};
  must(nu_scaling_apply(&scaling, &rows, "x.npy", &crew, &err), &err);
  rows.rows = 3;
  ck_assert_int_eq(nu_scaling_apply(&scaling, &rows, "x.npy", &crew, &err), NUMANN_ERR_DATA);
  ck_assert_ptr_nonnull(strstr(err.message, "x.npy: row 2 (counted from 0"));
}
END_TEST

static Suite *bytes_suite(void) {
  Suite *suite = suite_create("bytes");
  TCase *tcase = tcase_create("bytes");
  tcase_set_timeout(tcase, 120);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  tcase_add_loop_test(tcase, every_set_scales_bytes_to_the_same_bits, 0, NU_ISAS);
  tcase_add_loop_test(tcase, pairs_of_bytes_train_as_floats_do, 0, 5);
  tcase_add_loop_test(tcase, tables_of_bytes_train_as_floats_do, 0, 5);
  tcase_add_test(tcase, bytes_out_of_range_are_refused);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(bytes_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
