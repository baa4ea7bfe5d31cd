/* What the trainer must learn, for every seed: XOR, AND by the perceptron rule, a line by least
 * squares, and its answers through the public interface. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "network/doubts.h"
#include "numann.h"
#include "trainer/evaluate.h"

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

/* ---- what is said of data that a network hardly learns from */

static const struct {
  const char *last;              /* activation */
  float input, low, high;        /* one row has input and low, another -input and high */
  const char *expected, *advice; /* NULL: no doubt */
} doubts[] = {
    {"identity", 1, 3, 9, NULL, NULL},
    {"identity", 29, -29, 29, NULL, NULL},
    {"identity", 31, 3, 9, "input 0", "data.scale: standardize"},
    {"identity", 5e-4f, 3, 9, "input 0", "data.scale: standardize"},
    {"identity", 0, 3, 9, NULL, NULL},
    {"identity", 1, 180000, 210000, "the targets", "data.scale_targets: standardize"},
    {"identity", 1, 1e-5f, 2e-5f, "the targets", "data.scale_targets: standardize"},
    {"sigmoid", 1, 0, 1, NULL, NULL},
    {"sigmoid", 1, 3, 9, "from 3 to 9, which a last layer of sigmoid", "identity"},
    {"sigmoid", 1, -1, 1, "sigmoid", "data.scale_targets: min_max"},
    {"tanh", 1, -1, 1, NULL, NULL},
    {"tanh", 1, -1, 2, "tanh", "identity"},
    {"relu", 1, 0, 9, NULL, NULL},
    {"relu", 1, -4, 9, "relu", "identity"},
    {"leaky_relu", 1, -4, 9, NULL, NULL},
    {"softplus", 1, -4, 9, "softplus", "identity"},
    {"elu", 1, -1, 9, NULL, NULL},
    {"elu", 1, -2, 9, "elu", "identity"},
    {"gelu", 1, -2, 9, "gelu", "identity"},
};

START_TEST(doubts_about_the_data_are_told) {
  const float x[2] = {doubts[_i].input, -doubts[_i].input};
  const float t[2] = {doubts[_i].low, doubts[_i].high};
  char text[128];
  numann_config *config;
  numann_data *data;
  numann_network *network;
  nu_text found = {0};
  snprintf(text, sizeof text,
           "network: {layers: [{neurons: 1, activation: %s}]}\ntrain: {loss: squared_error}",
           doubts[_i].last);
  must(numann_config_parse(&config, text, "doubts", &error));
  must(numann_data_create(&data, 2, 1, x, 1, t, NULL, &error));
  must(numann_network_create(&network, config, data, &error));
  nu_network_doubts(network, data, &found);
  const char *line = nu_text_view(&found);
  if (doubts[_i].expected)
    ck_assert_msg(strstr(line, doubts[_i].expected) && strstr(line, doubts[_i].advice), "%s", line);
  else ck_assert_str_eq(line, "");
  nu_text_clear(&found);
  numann_network_destroy(network);
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

/* One answer for all is right as often as the most frequent class, and off by the deviation from
 * the mean. A network whose weights are 0 is no better. */
static nu_evaluation evaluate_zeros(const char *layers, size_t targets, const float *t,
                                    const int32_t *labels) {
  static const float x[4] = {1, 2, 3, 4};
  numann_config *config;
  numann_data *data;
  numann_network *network;
  nu_evaluation found;
  must(numann_config_parse(&config, layers, "zeros", &error));
  must(numann_data_create(&data, 4, 1, x, targets, t, labels, &error));
  must(numann_network_create(&network, config, data, &error));
  must(nu_evaluate(&found, network, &data->train, &data->schema, 1, &error));
  numann_network_destroy(network);
  numann_data_destroy(data);
  numann_config_destroy(config);
  return found;
}

START_TEST(one_answer_for_all_is_the_measure) {
  static const char values[] =
      "network: {layers: [{neurons: 1, activation: identity}], initializer: constant}\n"
      "train: {loss: squared_error}";
  static const char classes[] =
      "network: {layers: [{neurons: 3, activation: softmax}], initializer: constant}\n"
      "train: {loss: cross_entropy}";
  static const float far[4] = {1, 3, 5, 7}, around[4] = {-3, -1, 1, 3}, alike[4] = {2, 2, 2, 2};
  static const int32_t some[4] = {0, 2, 2, 1}, first[4] = {0, 0, 0, 1};
  nu_evaluation e = evaluate_zeros(values, 1, far, NULL);
  ck_assert_double_eq_tol(e.constant, sqrt(5.0), 1e-12);
  ck_assert(nu_evaluation_is_trivial(&e) && e.rmse > e.constant);
  e = evaluate_zeros(values, 1, around, NULL);
  ck_assert(nu_evaluation_is_trivial(&e) && e.rmse == e.constant);
  e = evaluate_zeros(values, 1, alike, NULL);
  ck_assert(e.constant == 0.0 && !nu_evaluation_is_trivial(&e));
  e = evaluate_zeros(classes, 3, NULL, some);
  ck_assert(e.constant == 0.5 && e.accuracy == 0.25 && nu_evaluation_is_trivial(&e));
  nu_evaluation_clear(&e);
  e = evaluate_zeros(classes, 3, NULL, first);
  ck_assert(e.constant == 0.75 && nu_evaluation_is_trivial(&e));
  e.accuracy = 1.0;
  ck_assert(!nu_evaluation_is_trivial(&e));
  nu_evaluation_clear(&e);
}
END_TEST

static Suite *learning_suite(void) {
  Suite *suite = suite_create("learning");
  TCase *tests = tcase_create("learning");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, xor_is_learnt_from_every_seed, 1, 11);
  tcase_add_loop_test(tests, and_is_learnt_by_the_perceptron, 1, 11);
  tcase_add_loop_test(tests, the_linear_unit_finds_least_squares, 1, 4);
  tcase_add_loop_test(tests, doubts_about_the_data_are_told, 0, sizeof doubts / sizeof *doubts);
  tcase_add_test(tests, one_answer_for_all_is_the_measure);
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
