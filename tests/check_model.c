/* Models: loaded from what a path means, asked raw numbers, what a file leaves open.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "checkpoint/model.h"
#include "comma.h"
#include "checkpoint_sample.h"

enum { ROWS = 301, INPUTS = 20, OUTPUTS = 4 };
static const size_t large[] = {INPUTS, 30, 7, OUTPUTS};
static const size_t shared[] = {INPUTS, 1};

static char *folder, *path;
static numann_error err;

static void set_up(void) {
  folder = sample_folder();
  path = sample_path(folder, "model.safetensors");
  err = (numann_error){NUMANN_OK, ""};
}

static void tear_down(void) {
  free(path);
  sample_remove(folder);
}

static void must(numann_status status) { ck_assert_msg(!status, "%s", err.message); }

/* Columns stretched and moved, so that an answer without it, or with another column's, shows. */
static nu_scaling stretched(size_t n) {
  nu_scaling made = {nu_alloc(n, sizeof(double)), nu_alloc(n, sizeof(double))};
  for (size_t j = 0; j < n; j++) made.shift[j] = 0.3 + (double)j;
  for (size_t j = 0; j < n; j++) made.scale[j] = 1.0 / (2.7 + (double)j);
  return made;
}

/* 20 - 30 - 7 - 4, four numbers; the inputs are scaled, too. */
static nu_saved regression(void) {
  nu_saved saved = sample_create(SAMPLE_MODEL, 3, large, 5);
  saved.schema.inputs = stretched(INPUTS);
  saved.schema.outputs = stretched(OUTPUTS);
  return saved;
}

/* 20 - 30 - 7 - 4 softmax, four classes. */
static nu_saved classes(void) { return sample_create(SAMPLE_CHECKPOINT, 3, large, 5); }

/* 20 - 1 sigmoid, two classes. */
static nu_saved two_classes(void) {
  nu_saved saved = sample_create(SAMPLE_MODEL, 1, shared, 5);
  saved.network->layers[0].activation = NU_SIGMOID;
  saved.schema.classes = 2;
  saved.schema.targets = 0;
  return saved;
}

static nu_saved (*const kinds[])(void) = {regression, classes, two_classes};
#define KINDS (int)(sizeof kinds / sizeof *kinds)

static void write_saved(nu_saved saved) {
  must(nu_saved_write(path, &saved, &err));
  nu_saved_clear(&saved);
}

static numann_model *load(nu_saved saved) {
  numann_model *model;
  write_saved(saved);
  must(numann_model_load(&model, path, &err));
  return model;
}

/* ---- what a path means */

START_TEST(a_path_is_a_file_or_a_run) {
  numann_model *model;
  ck_assert_int_eq(numann_model_load(&model, folder, &err), NUMANN_ERR_MODEL);
  ck_assert_ptr_nonnull(strstr(err.message, "model.safetensors"));
  ck_assert_ptr_null(model);
  char *checkpoints = sample_path(folder, "checkpoints"), hashes[2][65];
  for (uint64_t step = 8; step < 10; step++) {
    nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, step);
    must(nu_checkpoint_write(checkpoints, &saved, 2, 0, &err));
    nu_saved_clear(&saved);
  }
  must(numann_model_load(&model, folder, &err));
  ck_assert_uint_eq(numann_model_step(model), 9);
  ck_assert_ptr_nonnull(strstr(numann_model_note(model), "checkpoint of step 9"));
  numann_model_destroy(model);
  write_saved(regression());
  const char *from[] = {path, folder};
  for (size_t i = 0; i < 2; i++) {
    must(numann_model_load(&model, from[i], &err));
    nu_network_sha256(numann_model_network_view(model), hashes[i]);
    ck_assert_uint_eq(numann_model_step(model), 0);
    ck_assert_ptr_null(numann_model_note(model));
    numann_model_destroy(model);
  }
  ck_assert_str_eq(hashes[0], hashes[1]);
  free(checkpoints);
}
END_TEST

/* As a library user does it: config and data in, the same network out. */
START_TEST(from_memory_to_a_file_and_back) {
  static const char text[] =
      "data: {train: {path: memory}}\n"
      "network: {layers: [{neurons: 3, activation: tanh}, {neurons: 2, activation: softmax}]}\n"
      "train: {loss: cross_entropy, seed: 77}\n"
      "parallel: {threads: 3}\n";
  static const float inputs[] = {1, 2, 3, 4, 5, 6, 7, 8};
  static const int32_t labels[] = {0, 1, 1, 0};
  char before[65], after[65];
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_model *model, *again;
  must(numann_config_parse(&config, text, "test", &err));
  must(numann_data_create(&data, 4, 2, inputs, 2, NULL, labels, &err));
  must(numann_network_create(&network, config, data, &err));
  must(numann_model_create(&model, network, data, config, &err));
  nu_network_sha256(network, before);
  uint64_t sum = nu_data_sum(data);
  numann_network_destroy(network); /* the model has its own of everything */
  numann_data_destroy(data);
  numann_config_destroy(config);
  must(numann_model_save(model, path, &err));
  must(numann_model_load(&again, path, &err));
  nu_network_sha256(numann_model_network_view(again), after);
  ck_assert_str_eq(before, after);
  ck_assert_uint_eq(again->saved.data_sum, sum);
  ck_assert_str_eq(numann_model_config_view(model), numann_model_config_view(again));
  ck_assert_ptr_nonnull(strstr(numann_model_config_view(again), "77"));
  ck_assert_msg(!strstr(numann_model_config_view(again), "parallel"), "depends on the threads");
  numann_model_destroy(again);
  numann_model_destroy(model);
}
END_TEST

START_TEST(a_checkpoint_saves_as_a_model) {
  char *copy = sample_path(folder, "copy.safetensors");
  numann_model *model = load(classes()), *again;
  ck_assert_uint_eq(numann_model_step(model), 5);
  must(numann_model_save(model, copy, &err));
  must(numann_model_load(&again, copy, &err));
  ck_assert_uint_eq(numann_model_step(again), 0);
  ck_assert(!again->checkpoint);
  ck_assert(sample_equal(&model->saved, &again->saved));
  numann_model_destroy(model);
  numann_model_destroy(again);
  free(copy);
}
END_TEST

START_TEST(names_and_counts) {
  numann_model *model = load(classes());
  ck_assert_uint_eq(numann_model_inputs(model), INPUTS);
  ck_assert_uint_eq(numann_model_outputs(model), OUTPUTS);
  ck_assert_uint_eq(numann_model_classes(model), OUTPUTS);
  ck_assert_str_eq(numann_model_class_name(model, 3), "{class} 3");
  ck_assert_ptr_nonnull(strstr(numann_model_input_name(model, 7), "7"));
  ck_assert_str_eq(numann_model_target_name(model, 0), "label 0");
  numann_model_destroy(model);
  model = load(two_classes());
  ck_assert_uint_eq(numann_model_outputs(model), 2);
  ck_assert_ptr_null(numann_model_input_name(model, 0));
  ck_assert_ptr_null(numann_model_target_name(model, 0));
  numann_model_destroy(model);
}
END_TEST

START_TEST(describing_is_like_snprintf) {
  static const char want[] =
      "network: 20 - 1 sigmoid, 21 parameters\ninputs: 20\n"
      "answers: one of 2 classes: 0, 1\n";
  char text[200], part[11] = "xxxxxxxxxx";
  numann_model *model = load(two_classes());
  ck_assert_uint_eq(numann_model_describe(model, NULL, 0), sizeof want - 1);
  ck_assert_uint_eq(numann_model_describe(model, text, sizeof text), sizeof want - 1);
  ck_assert_str_eq(text, want);
  ck_assert_uint_eq(numann_model_describe(model, part, 10), sizeof want - 1);
  ck_assert_str_eq(part, "network: ");
  numann_model_destroy(model);
  model = load(regression());
  numann_model_describe(model, text, sizeof text);
  ck_assert_ptr_nonnull(strstr(text, "answers: 4 numbers\n"));
  numann_model_destroy(model);
}
END_TEST

/* ---- answers */

/* Numbers with more digits than a float has, some tiny. */
static void fill(double *inputs, uint64_t seed) {
  const nu_stream stream = {seed, NU_PURPOSE_GENERATE, 0};
  for (size_t i = 0; i < ROWS * INPUTS; i++) inputs[i] = 3.0 * nu_random_normal(stream, i);
  inputs[1] = -0.0;
  inputs[2] = 1e-42;
  inputs[3] = 1e-300;
}

/* The numbers as a file, read as the command reads it. */
static void answer_file(const numann_model *model, const double *inputs, double *outputs) {
  char *file = sample_path(folder, "rows.csv");
  FILE *to = fopen(file, "w");
  numann_config *config;
  nu_rows rows;
  for (size_t i = 0; i < ROWS * INPUTS; i++) {
    fprintf(to, "%.17g%c", inputs[i], (i + 1) % INPUTS ? ',' : '\n');
  }
  ck_assert_int_eq(fclose(to), 0);
  must(numann_config_parse(&config, "data: {train: {path: x}, header: false}", "test", &err));
  const nu_source source = {.path = file};
  must(nu_data_read(&rows, &source, &model->saved.schema, config, &err));
  ck_assert_uint_eq(rows.rows, ROWS);
  must(nu_model_answer_rows(model, 2, &rows, outputs, &err));
  nu_rows_clear(&rows);
  numann_config_destroy(config);
  free(file);
}

START_TEST(answers_are_those_of_the_command) {
  static double inputs[ROWS * INPUTS], want[ROWS * OUTPUTS], got[ROWS * OUTPUTS];
  static float narrow[ROWS * INPUTS], floats[ROWS * OUTPUTS];
  numann_model *model = load(kinds[_i]());
  size_t n = ROWS * numann_model_outputs(model);
  fill(inputs, 3);
  for (size_t i = 0; i < ROWS * INPUTS; i++) narrow[i] = (float)inputs[i];
  answer_file(model, inputs, want);
  ck_assert_double_ne(want[0], want[numann_model_outputs(model)]);
  for (size_t threads = 0; threads < 4; threads++) {
    memset(got, 0xff, sizeof got);
    must(numann_model_predict(model, threads, ROWS, inputs, got, &err));
    ck_assert_mem_eq(got, want, n * sizeof *want);
    must(numann_model_predict_float(model, threads, ROWS, narrow, floats, &err));
    for (size_t i = 0; i < n; i++) ck_assert(floats[i] == (float)want[i]);
  }
  must(numann_model_predict(model, 1, 0, inputs, got, &err));
  numann_model_destroy(model);
}
END_TEST

/* By hand: scaling in, the network, scaling out. */
START_TEST(answers_are_in_the_users_unit) {
  static double inputs[ROWS * INPUTS], got[ROWS * OUTPUTS];
  static float scaled[ROWS * INPUTS], raw[ROWS * OUTPUTS];
  numann_model *model = load(regression());
  fill(inputs, 4);
  for (size_t i = 0; i < ROWS * INPUTS; i++) {
    double x = (double)(float)inputs[i], j = (double)(i % INPUTS);
    scaled[i] = (float)((x - (0.3 + j)) * (1.0 / (2.7 + j)));
  }
  must(numann_predict(numann_model_network_view(model), 1, ROWS, scaled, raw, &err));
  must(numann_model_predict(model, 1, ROWS, inputs, got, &err));
  for (size_t i = 0; i < ROWS * OUTPUTS; i++) {
    double j = (double)(i % OUTPUTS), want = (double)raw[i] / (1.0 / (2.7 + j)) + (0.3 + j);
    ck_assert(got[i] == want);
  }
  numann_model_destroy(model);
}
END_TEST

/* Columns that floats would spoil before they are scaled: times, and numbers beyond their range. */
START_TEST(inputs_are_scaled_before_they_are_floats) {
  static double inputs[ROWS * INPUTS], got[ROWS * OUTPUTS], want[ROWS * OUTPUTS];
  numann_model *model = load(regression());
  nu_scaling *scaling = &model->saved.schema.inputs;
  for (size_t r = 0; r < ROWS * INPUTS; r++) inputs[r] = (double)(r % 64) / 64.0;
  scaling->shift[3] = scaling->shift[4] = 0.0;
  scaling->scale[3] = scaling->scale[4] = 1.0;
  must(numann_model_predict(model, 1, ROWS, inputs, want, &err));
  scaling->shift[3] = 1700000000.0;
  scaling->scale[4] = 0x1p-1000;
  for (size_t r = 0; r < ROWS; r++) {
    inputs[r * INPUTS + 3] += scaling->shift[3];
    inputs[r * INPUTS + 4] *= 0x1p1000;
  }
  must(numann_model_predict(model, 1, ROWS, inputs, got, &err));
  ck_assert_mem_eq(got, want, sizeof got);
  numann_model_destroy(model);
}
END_TEST

START_TEST(two_classes_of_one_neuron) {
  static double inputs[ROWS * INPUTS], got[ROWS * 2];
  static float narrow[ROWS * INPUTS], raw[ROWS];
  size_t of_class[2] = {0};
  numann_model *model = load(two_classes());
  fill(inputs, 5);
  for (size_t i = 0; i < ROWS * INPUTS; i++) narrow[i] = (float)inputs[i];
  must(numann_predict(numann_model_network_view(model), 1, ROWS, narrow, raw, &err));
  must(numann_model_predict(model, 1, ROWS, inputs, got, &err));
  for (size_t r = 0; r < ROWS; r++) {
    size_t answer = numann_model_answer(model, got + 2 * r);
    ck_assert(got[2 * r + 1] == (double)raw[r] && got[2 * r] == 1.0 - (double)raw[r]);
    ck_assert_uint_eq(answer, raw[r] > 0.5f);
    of_class[answer]++;
  }
  ck_assert(of_class[0] > 0 && of_class[1] > 0);
  const double even[2] = {0.5, 0.5};
  ck_assert_uint_eq(numann_model_answer(model, even), 0);
  numann_model_destroy(model);
}
END_TEST

START_TEST(inputs_that_are_no_numbers) {
  static double inputs[ROWS * INPUTS], outputs[ROWS * OUTPUTS];
  static const double wrong[] = {NAN, INFINITY, -1e39, 1e38};
  numann_model *model = load(regression());
  model->saved.schema.inputs.scale[3] = 1e9;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    fill(inputs, 6);
    inputs[2 * INPUTS + 3] = wrong[i];
    ck_assert_int_eq(numann_model_predict(model, 1, ROWS, inputs, outputs, &err), NUMANN_ERR_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "row 2, column 3"));
  }
  numann_model_destroy(model);
}
END_TEST

/* Of numbers, and of classes by softmax; a sigmoid saturates. */
START_TEST(answers_that_are_no_numbers) {
  static double inputs[ROWS * INPUTS], outputs[ROWS * OUTPUTS];
  numann_model *model = load(kinds[_i]());
  const numann_network *network = model->saved.network;
  nu_layer *last = &network->layers[network->n_layers - 1];
  for (size_t i = 0; i < last->links * last->neurons; i++) last->weights[i] = 3e38f;
  if (!_i) last->activation = NU_IDENTITY;
  if (!_i) model->saved.schema.outputs.scale[0] = 1e-300;
  for (size_t i = 0; i < ROWS * INPUTS; i++) inputs[i] = 100.0;
  ck_assert_int_eq(numann_model_predict(model, 1, ROWS, inputs, outputs, &err),
                   NUMANN_ERR_DIVERGED);
  ck_assert_msg(strstr(err.message, "row 0, number 0"), "%s", err.message);
  numann_model_destroy(model);
}
END_TEST

/* ---- several threads, one model */

typedef struct asker {
  const numann_model *model;
  uint64_t seed;
  size_t wrong;
} asker;

static void *ask(void *arg) {
  asker *a = arg;
  double *inputs = calloc(ROWS * INPUTS, sizeof *inputs);
  double *want = calloc(ROWS * OUTPUTS, sizeof *want), *got = calloc(ROWS * OUTPUTS, sizeof *got);
  fill(inputs, a->seed);
  a->wrong += numann_model_predict(a->model, 1, ROWS, inputs, want, NULL) != NUMANN_OK;
  for (size_t i = 0; i < 40; i++) {
    a->wrong += numann_model_predict(a->model, 1 + i % 2, ROWS, inputs, got, NULL) != NUMANN_OK;
    a->wrong += memcmp(got, want, ROWS * OUTPUTS * sizeof *got) != 0;
  }
  a->wrong += want[0] == want[OUTPUTS];
  free(inputs);
  free(want);
  free(got);
  return NULL;
}

START_TEST(several_threads_ask_one_model) {
  pthread_t threads[4];
  asker askers[4];
  numann_model *model = load(classes());
  for (size_t i = 0; i < 4; i++) {
    askers[i] = (asker){model, 10 + i, 0};
    ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
  }
  for (size_t i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    ck_assert_uint_eq(askers[i].wrong, 0);
  }
  numann_model_destroy(model);
}
END_TEST

/* A rate is text in the file: the same under every locale. */
START_TEST(a_comma_changes_no_file) {
  if (!choose_comma(folder)) return;
  const nu_layer layers[] = {
      {.kind = nu_kind_named("dense"), .inputs = INPUTS, .neurons = 9, .activation = NU_TANH},
      {.kind = nu_kind_named("dropout"),
       .inputs = 9,
       .neurons = 9,
       .rate = 0.3,
       .activation = NU_IDENTITY},
      {.kind = nu_kind_named("dense"), .inputs = 9, .neurons = OUTPUTS, .activation = NU_IDENTITY}};
  nu_saved saved = regression(), again;
  numann_network_destroy(saved.network);
  must(nu_network_build(&saved.network, 3, layers, NU_SQUARED_ERROR, &err));
  write_saved(saved);
  size_t size, plain_size;
  unsigned char *with_comma = sample_read(path, &size);
  must(nu_saved_read(&again, path, &err));
  ck_assert_double_eq(again.network->layers[1].rate, 0.3);
  setlocale(LC_ALL, "C");
  write_saved(again);
  unsigned char *plain = sample_read(path, &plain_size);
  ck_assert_uint_eq(size, plain_size);
  ck_assert_mem_eq(with_comma, plain, size);
  free(with_comma);
  free(plain);
}
END_TEST

START_TEST(what_a_file_leaves_open_is_completed) {
  double inputs[INPUTS] = {1.5}, outputs[OUTPUTS];
  float narrow[INPUTS] = {1.5f}, raw[OUTPUTS];
  nu_saved saved = regression();
  for (size_t j = 0; j < 2; j++) { /* neither scaling is in the file */
    nu_scaling *scaling = j ? &saved.schema.outputs : &saved.schema.inputs;
    free(scaling->shift);
    free(scaling->scale);
    *scaling = (nu_scaling){0};
  }
  numann_model *model = load(saved);
  must(numann_model_predict(model, 1, 1, inputs, outputs, &err));
  must(numann_predict(numann_model_network_view(model), 1, 1, narrow, raw, &err));
  for (size_t j = 0; j < OUTPUTS; j++) ck_assert(outputs[j] == (double)raw[j]);
  numann_model_destroy(model);
  model = load(two_classes()); /* no class names in the file */
  ck_assert_str_eq(numann_model_class_name(model, 0), "0");
  ck_assert_str_eq(numann_model_class_name(model, 1), "1");
  numann_model_destroy(model);
}
END_TEST

static Suite *model_suite(void) {
  Suite *suite = suite_create("model");
  TCase *tests = tcase_create("model");
  tcase_set_timeout(tests, 120);
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, a_path_is_a_file_or_a_run);
  tcase_add_test(tests, from_memory_to_a_file_and_back);
  tcase_add_test(tests, a_checkpoint_saves_as_a_model);
  tcase_add_test(tests, names_and_counts);
  tcase_add_test(tests, describing_is_like_snprintf);
  tcase_add_loop_test(tests, answers_are_those_of_the_command, 0, KINDS);
  tcase_add_test(tests, answers_are_in_the_users_unit);
  tcase_add_test(tests, inputs_are_scaled_before_they_are_floats);
  tcase_add_test(tests, two_classes_of_one_neuron);
  tcase_add_test(tests, inputs_that_are_no_numbers);
  tcase_add_loop_test(tests, answers_that_are_no_numbers, 0, 2);
  tcase_add_test(tests, several_threads_ask_one_model);
  tcase_add_test(tests, what_a_file_leaves_open_is_completed);
  tcase_add_test(tests, a_comma_changes_no_file);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(model_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
