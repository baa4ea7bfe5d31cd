/* What the trainer must learn, for every seed: XOR, AND by the perceptron rule, a line by least
 * squares, and its answers through the public interface. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "numann.h"

static numann_error error;

static void must(numann_status status) {
  ck_assert_msg(status == NUMANN_OK, "%s: %s", numann_status_name(status), error.message);
}

typedef struct problem {
  size_t rows, features, targets;
  const float *inputs, *wanted;
} problem;

/* Train `text` on the problem; answers [rows][targets] and, when not NULL, the last layer's weights
 * and bias. */
static void learn(const char *text, unsigned seed, const problem *p, float *answers, float *weights,
                  float *bias) {
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
  numann_trainer *trainer;
  char assignment[64];
  must(numann_config_parse(&config, text, "learning", &error));
  snprintf(assignment, sizeof assignment, "train.seed=%u", seed);
  must(numann_config_set(config, assignment, &error));
  must(numann_data_create(&data, p->rows, p->features, p->inputs, p->targets, p->wanted, NULL,
                          &error));
  must(numann_network_create(&network, config, data, &error));
  must(numann_plan_create(&plan, config, network, data, &error));
  must(numann_trainer_create(&trainer, config, network, plan, data, &error));
  must(numann_trainer_run(trainer, NULL, &error));
  must(numann_predict(network, 1, p->rows, p->inputs, answers, &error));
  size_t last = numann_network_layers(network) - 1;
  if (weights) *weights = numann_network_weights_view(network, last)[0];
  if (bias) *bias = numann_network_biases_view(network, last)[0];
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
  numann_network_destroy(network);
  numann_data_destroy(data);
  numann_config_destroy(config);
}

static const float corners[8] = {0, 0, 0, 1, 1, 0, 1, 1};

START_TEST(xor_is_learnt_from_every_seed) {
  static const float wanted[4] = {0, 1, 1, 0};
  problem p = {4, 2, 1, corners, wanted};
  float answers[4];
  learn(
      "data: {train: {path: none.csv}}\n"
      "network: {layers: [{neurons: 4, activation: sigmoid}, {neurons: 1, activation: sigmoid}]}\n"
      "train: {loss: squared_error, batch: full, epochs: 4000,\n"
      "        optimizer: {name: adam, learning_rate: 0.05}}\n",
      (unsigned)_i, &p, answers, NULL, NULL);
  for (size_t i = 0; i < 4; i++) ck_assert_float_eq_tol(answers[i], wanted[i], 0.1f);
}
END_TEST

START_TEST(and_is_learnt_by_the_perceptron) {
  static const float wanted[4] = {0, 0, 0, 1};
  problem p = {4, 2, 1, corners, wanted};
  float answers[4];
  learn(
      "data: {train: {path: none.csv}}\n"
      "network: {layers: [{neurons: 1, activation: step}]}\n"
      "train: {loss: squared_error, batch: 1, epochs: 50, optimizer: {learning_rate: 0.1}}\n",
      (unsigned)_i, &p, answers, NULL, NULL);
  for (size_t i = 0; i < 4; i++) ck_assert_float_eq(answers[i], wanted[i]);
}
END_TEST

/* Least squares in closed form: slope = cov(x, y) / var(x). */
START_TEST(the_linear_unit_finds_least_squares) {
  enum { N = 40 };
  float x[N], y[N], answers[N], slope, intercept;
  double mx = 0, my = 0, sxy = 0, sxx = 0;
  for (size_t i = 0; i < N; i++) {
    x[i] = (float)i / 20.0f - 1.0f;
    y[i] = 0.7f * x[i] - 0.3f + 0.05f * (float)((i * 7) % 11) / 11.0f;
    mx += (double)x[i] / N;
    my += (double)y[i] / N;
  }
  for (size_t i = 0; i < N; i++) {
    sxy += ((double)x[i] - mx) * ((double)y[i] - my);
    sxx += ((double)x[i] - mx) * ((double)x[i] - mx);
  }
  problem p = {N, 1, 1, x, y};
  learn(
      "data: {train: {path: none.csv}}\n"
      "network: {layers: [{neurons: 1, activation: identity}]}\n"
      "train: {loss: squared_error, batch: full, epochs: 1000, optimizer: {learning_rate: 0.3}}\n",
      (unsigned)_i, &p, answers, &slope, &intercept);
  ck_assert_double_eq_tol((double)slope, sxy / sxx, 1e-4);
  ck_assert_double_eq_tol((double)intercept, my - sxy / sxx * mx, 1e-4);
}
END_TEST

static Suite *learning_suite(void) {
  Suite *suite = suite_create("learning");
  TCase *tests = tcase_create("learning");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, xor_is_learnt_from_every_seed, 1, 11);
  tcase_add_loop_test(tests, and_is_learnt_by_the_perceptron, 1, 11);
  tcase_add_loop_test(tests, the_linear_unit_finds_least_squares, 1, 4);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(learning_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
