/* The gradients of every network that may be trained: naive against differences, engine against
 * naive; and that the check itself can fail. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/naive.h"
#include "layers/rounding.h"
#include "numann/config.h"
#include "oracle.h"

static numann_error error;

static void must(numann_status status) {
  ck_assert_msg(status == NUMANN_OK, "%s: %s", numann_status_name(status), error.message);
}

static nu_gradcheck check_rows(const numann_network *network, const oracle_rows *rows,
                               size_t grain) {
  nu_gradcheck_batch batch = oracle_batch(rows);
  nu_gradcheck result;
  must(nu_gradcheck_network(&result, network, &batch, grain, 1, &error));
  return result;
}

static nu_gradcheck check_shape(const oracle_shape *shape, size_t rows, size_t grain,
                                uint64_t seed) {
  numann_network *network = oracle_network(shape, seed);
  oracle_rows drawn = oracle_draw_rows(shape, rows, seed);
  nu_gradcheck result = check_rows(network, &drawn, grain);
  oracle_free_rows(&drawn);
  numann_network_destroy(network);
  return result;
}

/* ---- the matrix: pairs x depths x hidden activations */

static const struct {
  nu_activation output;
  nu_loss loss;
} pairs[] = {{NU_SOFTMAX, NU_CROSS_ENTROPY},    {NU_SIGMOID, NU_BINARY_CROSS_ENTROPY},
             {NU_SIGMOID, NU_SQUARED_ERROR},    {NU_IDENTITY, NU_SQUARED_ERROR},
             {NU_TANH, NU_SQUARED_ERROR},       {NU_RELU, NU_SQUARED_ERROR},
             {NU_LEAKY_RELU, NU_SQUARED_ERROR}, {NU_GELU, NU_SQUARED_ERROR},
             {NU_SILU, NU_SQUARED_ERROR},       {NU_ELU, NU_SQUARED_ERROR},
             {NU_SELU, NU_SQUARED_ERROR},       {NU_MISH, NU_SQUARED_ERROR},
             {NU_SOFTPLUS, NU_SQUARED_ERROR}};
#define PAIRS ((int)(sizeof pairs / sizeof *pairs))

static const nu_activation hidden[] = {NU_IDENTITY,   NU_SIGMOID, NU_TANH,    NU_RELU,
                                       NU_LEAKY_RELU, NU_ELU,     NU_SELU,    NU_GELU,
                                       NU_SILU,       NU_MISH,    NU_SOFTPLUS};
#define HIDDEN (sizeof hidden / sizeof *hidden)
#define MIXED HIDDEN /* one after the other */
#define DEEPEST 4

/* Odd sizes; 33 neurons are two panels, of which the second holds one. */
static const size_t sizes[DEEPEST][DEEPEST + 1] = {
    {5, 3}, {5, 33, 3}, {5, 7, 33, 3}, {5, 9, 7, 11, 3}};

static oracle_shape shape_of(size_t pair, size_t depth, size_t first) {
  oracle_shape shape = {.n_layers = depth, .loss = pairs[pair].loss};
  memcpy(shape.sizes, sizes[depth - 1], sizeof *sizes);
  for (size_t l = 0; l + 1 < depth; l++) {
    shape.activations[l] = first == MIXED ? hidden[(l + pair) % HIDDEN] : hidden[first];
  }
  shape.activations[depth - 1] = pairs[pair].output;
  return shape;
}

static void expect_passed(const oracle_shape *shape, const nu_gradcheck *result) {
  ck_assert_msg(result->passed, "%s: %s", oracle_name(shape), result->complaint);
  ck_assert_uint_eq(result->plans, 9); /* 1, 2 and 3 threads with three strategies */
  ck_assert_uint_eq(result->n_layers, shape->n_layers);
  for (size_t l = 0; l < result->n_layers; l++) {
    const nu_gradcheck_layer *layer = &result->layers[l];
    /* float against double, in another order: the error shows, bounds do not hide it */
    ck_assert_msg(layer->share > 1e-6 && layer->norm > 1e-9, "%s: layer %zu: share %g, norm %g",
                  oracle_name(shape), l + 1, layer->share, layer->norm);
  }
}

/* 13 rows in grains of 3: five leaves, the last of one row, and a tree with lone nodes. */
START_TEST(every_pair_has_right_gradients_at_every_depth) {
  for (size_t depth = 1; depth <= DEEPEST; depth++) {
    size_t mixtures = depth == 1 ? 1 : HIDDEN + 1;
    for (size_t first = 0; first < mixtures; first++) {
      oracle_shape shape = shape_of((size_t)_i, depth, first);
      nu_gradcheck result = check_shape(&shape, 13, 3, 17 + depth);
      expect_passed(&shape, &result);
      bool kinked = false;
      for (size_t l = 0; l < depth; l++) {
        nu_activation f = shape.activations[l];
        kinked |= f == NU_RELU || f == NU_LEAKY_RELU || f == NU_ELU || f == NU_SELU;
      }
      ck_assert_double_eq(result.difference_bound, kinked ? 1e-5 : 1e-6);
      nu_gradcheck_clear(&result);
    }
  }
}
END_TEST

/* More inputs than a region of the gradient holds, more neurons than two panels, a batch of one
 * grain, of one row, and of many grains. */
START_TEST(wide_layers_and_odd_batches_have_right_gradients) {
  static const size_t batches[][2] = {{1, 32}, {9, 32}, {70, 1}, {101, 16}};
  oracle_shape shape = {
      3, {70, 67, 35, 2}, {NU_TANH, NU_LEAKY_RELU, NU_SIGMOID}, NU_BINARY_CROSS_ENTROPY};
  nu_gradcheck result = check_shape(&shape, batches[_i][0], batches[_i][1], 3);
  expect_passed(&shape, &result);
  nu_gradcheck_clear(&result);
}
END_TEST

/* One neuron everywhere, and one output. */
START_TEST(the_narrowest_network_has_right_gradients) {
  oracle_shape shape = {2, {1, 1, 1}, {NU_TANH, NU_IDENTITY}, NU_SQUARED_ERROR};
  nu_gradcheck result = check_shape(&shape, 13, 2, 5);
  expect_passed(&shape, &result);
  nu_gradcheck_clear(&result);
}
END_TEST

/* ---- the bound: of use where it can be sharp, proved where rounding is at its worst */

/* z becomes a sum of large terms that nearly cancel in pairs: most digits are rounding error. */
static void cancel(numann_network *network, oracle_rows *rows, double size) {
  nu_layer *layer = &network->layers[0];
  size_t n = layer->inputs;
  for (size_t i = 0; i + 1 < n; i += 2) {
    for (size_t j = 0; j < layer->neurons; j++) {
      layer->weights[j * n + i] = (float)(size * (double)layer->weights[j * n + i]);
      layer->weights[j * n + i + 1] = -layer->weights[j * n + i];
    }
    for (size_t r = 0; r < rows->rows; r++) {
      rows->inputs[r * n + i + 1] = 1.0001f * rows->inputs[r * n + i];
    }
  }
}

START_TEST(the_bound_holds_under_cancellation) {
  oracle_shape shape = shape_of((size_t)_i, 2, 1 + (size_t)_i % 2);
  numann_network *network = oracle_network(&shape, 8);
  oracle_rows drawn = oracle_draw_rows(&shape, 20, 8);
  cancel(network, &drawn, 3000.0);
  nu_gradcheck result = check_rows(network, &drawn, 4);
  for (size_t l = 0; l < 2; l++) {
    ck_assert_double_gt(result.layers[l].share, 0.0);
    ck_assert_double_le(result.layers[l].share, 1.0);
  }
  nu_gradcheck_clear(&result);
  oracle_free_rows(&drawn);
  numann_network_destroy(network);
}
END_TEST

/* Nearly saturated, 1 - a and with it f' consist of the rounding of f: its own error must be in. */
START_TEST(the_bound_covers_the_functions) {
  static const nu_activation functions[] = {NU_SIGMOID, NU_TANH};
  static const float biases[] = {6.0f, 3.5f};
  oracle_shape shape = {1, {3, 4}, {functions[_i]}, NU_SQUARED_ERROR};
  numann_network *network = oracle_network(&shape, 6);
  oracle_rows drawn = oracle_draw_rows(&shape, 9, 6);
  for (size_t j = 0; j < 4; j++) network->layers[0].biases[j] = biases[_i];
  for (size_t i = 0; i < 12; i++) network->layers[0].weights[i] *= 0.01f;
  nu_gradcheck result = check_rows(network, &drawn, 4);
  ck_assert_double_gt(result.layers[0].share, 0.01);
  ck_assert_double_le(result.layers[0].share, 1.0);
  nu_gradcheck_clear(&result);
  oracle_free_rows(&drawn);
  numann_network_destroy(network);
}
END_TEST

START_TEST(the_bound_is_sharp_for_one_linear_layer) {
  oracle_shape shape = {1, {3, 2}, {NU_IDENTITY}, NU_SQUARED_ERROR};
  nu_gradcheck result = check_shape(&shape, 21, 4, 2);
  ck_assert(result.passed);
  ck_assert_uint_eq(result.depth, 4 + 3); /* a grain of 4, a tree over 6 grains */
  ck_assert_double_gt(result.layers[0].share, 0.01);
  ck_assert_double_lt(result.layers[0].factor, 20.0);
  nu_gradcheck_clear(&result);
}
END_TEST

START_TEST(roundings_on_the_way_are_counted) {
  ck_assert_uint_eq(nu_rounding_depth(1, 32), 1);
  ck_assert_uint_eq(nu_rounding_depth(32, 32), 32);
  ck_assert_uint_eq(nu_rounding_depth(33, 32), 33);
  ck_assert_uint_eq(nu_rounding_depth(64, 32), 33);
  ck_assert_uint_eq(nu_rounding_depth(65, 32), 34);
  ck_assert_uint_eq(nu_rounding_depth(200, 32), 35);
  ck_assert_uint_eq(nu_rounding_depth(200, 1), 9);
}
END_TEST

/* ---- the check can fail */

/* Each bound by itself: just inside passes, just outside and NaN do not. */
START_TEST(every_bound_is_judged) {
  static const nu_gradcheck_layer good = {.parameters = 100,
                                          .checked = 95,
                                          .skipped = 5,
                                          .alive = 10,
                                          .difference = 1e-6,
                                          .share = 1.0,
                                          .norm = 1e-5};
  nu_gradcheck_layer layers[] = {good, good, good, good, good, good, good, good, good};
  layers[1].skipped = 6;
  layers[2].alive = 9;
  layers[3].difference = 1.001e-6;
  layers[4].difference = NAN;
  layers[5].share = 1.001;
  layers[6].share = NAN;
  layers[7].norm = 1.001e-5;
  layers[8].norm = NAN;
  for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
    nu_gradcheck check = {
        .n_layers = 1, .layers = &layers[i], .difference_bound = 1e-6, .same_bits = true};
    nu_gradcheck_judge(&check);
    ck_assert_msg(check.passed == (i == 0), "case %zu: %s", i, check.complaint);
    ck_assert_int_eq(check.complaint[0] == '\0', i == 0);
    if (i > 0) continue;
    check.same_bits = false;
    nu_gradcheck_judge(&check);
    ck_assert(!check.passed);
  }
}
END_TEST

static void kill_units(numann_network *network) {
  for (size_t j = 0; j < network->layers[0].neurons; j++) network->layers[0].biases[j] = -100.0f;
}
static void put_on_kink(numann_network *network) {
  memset(network->parameters, 0, network->n_parameters * sizeof(float));
}
static void spoil(numann_network *network) { network->layers[0].biases[1] = NAN; }

START_TEST(what_says_nothing_does_not_pass) {
  static const struct {
    void (*change)(numann_network *);
    const char *complaint;
  } cases[] = {{kill_units, "large enough"}, {put_on_kink, "kink"}, {spoil, "apart"}};
  oracle_shape shape = {2, {5, 7, 3}, {NU_RELU, NU_SOFTMAX}, NU_CROSS_ENTROPY};
  numann_network *network = oracle_network(&shape, 4);
  oracle_rows drawn = oracle_draw_rows(&shape, 30, 4);
  cases[_i].change(network);
  nu_gradcheck result = check_rows(network, &drawn, 4);
  ck_assert(!result.passed);
  ck_assert_msg(strstr(result.complaint, cases[_i].complaint), "%s", result.complaint);
  nu_text text = {0};
  nu_gradcheck_write(&result, &text);
  ck_assert_ptr_nonnull(strstr(nu_text_view(&text), "FAILED"));
  nu_text_clear(&text);
  nu_gradcheck_clear(&result);
  oracle_free_rows(&drawn);
  numann_network_destroy(network);
}
END_TEST

START_TEST(a_step_network_is_refused) {
  oracle_shape shape = {1, {2, 1}, {NU_STEP}, NU_SQUARED_ERROR};
  numann_network *network = oracle_network(&shape, 1);
  oracle_rows drawn = oracle_draw_rows(&shape, 4, 1);
  nu_gradcheck_batch batch = oracle_batch(&drawn);
  nu_gradcheck result;
  ck_assert_int_eq(nu_gradcheck_network(&result, network, &batch, 4, 1, &error), NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(strstr(error.message, "perceptron"));
  oracle_free_rows(&drawn);
  numann_network_destroy(network);
}
END_TEST

/* ---- real data */

START_TEST(configs_have_right_gradients) {
  static const char *const names[] = {"iris", "xor", "line"};
  const char *folder = getenv("srcdir");
  char path[4096];
  snprintf(path, sizeof path, "%s/configs/%s.yaml", folder ? folder : ".", names[_i]);
  numann_config *config;
  nu_gradcheck result;
  must(numann_config_load(&config, path, &error));
  must(nu_gradcheck_run(&result, config, &error));
  ck_assert_msg(result.passed, "%s: %s", path, result.complaint);
  nu_text text = {0};
  nu_gradcheck_write(&result, &text);
  ck_assert_ptr_nonnull(strstr(nu_text_view(&text), "gradients are right"));
  nu_text_clear(&text);
  nu_gradcheck_clear(&result);
  numann_config_destroy(config);
}
END_TEST

static Suite *gradient_suite(void) {
  Suite *suite = suite_create("gradient");
  TCase *tests = tcase_create("gradient");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, every_pair_has_right_gradients_at_every_depth, 0, PAIRS);
  tcase_add_loop_test(tests, wide_layers_and_odd_batches_have_right_gradients, 0, 4);
  tcase_add_test(tests, the_narrowest_network_has_right_gradients);
  tcase_add_loop_test(tests, the_bound_holds_under_cancellation, 0, PAIRS);
  tcase_add_loop_test(tests, the_bound_covers_the_functions, 0, 2);
  tcase_add_test(tests, the_bound_is_sharp_for_one_linear_layer);
  tcase_add_test(tests, roundings_on_the_way_are_counted);
  tcase_add_test(tests, every_bound_is_judged);
  tcase_add_loop_test(tests, what_says_nothing_does_not_pass, 0, 3);
  tcase_add_test(tests, a_step_network_is_refused);
  tcase_add_loop_test(tests, configs_have_right_gradients, 0, 3);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(gradient_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
