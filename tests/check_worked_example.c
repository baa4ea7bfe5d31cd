/* The worked network of the equations: inputs 1, 2, 3; hidden neurons 4, 5, 6, 7; outputs 8, 9;
 * sigmoid and squared error. Forward, deltas and one update, through the naive network and the
 * engine, against values computed by hand in 50 decimal digits. SPDX-License-Identifier: MIT
 *
 * With x = (1, 0.5, -1.5), t = (1, 0.25), eta = 0.5, for example:
 *   net_4 = 0.2 * 1 - 0.4 * 0.5 + 0.1 * -1.5 + 0.1 = -0.05        (4.11)
 *   a_4 = sigmoid(-0.05) = 0.487502603516                         (3.2)
 *   delta_8 = y_8 (1 - y_8) (1 - y_8) = 0.066455432247            (4.1), as t_8 = 1
 *   delta_4 = a_4 (1 - a_4) (0.5 delta_8 - 0.1 delta_9)           (4.3) */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "layers/naive.h"
#include "network/network.h"
#include "numann.h"
#include "trainer/step.h"

#define TOLERANCE 1e-6
#define PARAMETERS 26

static const float input[3] = {1.0f, 0.5f, -1.5f};
static const float target[2] = {1.0f, 0.25f};

/* w_ji: a row for each neuron j, its sources i in order. */
static const float before[PARAMETERS] = {
    0.2f, -0.4f, 0.1f, -0.3f, 0.6f,  0.5f, 0.7f, -0.1f, -0.2f, 0.4f, 0.3f, -0.6f, /* w_41 .. w_73 */
    0.1f, -0.2f, 0.3f, -0.5f,                                                     /* w_4b .. w_7b */
    0.5f, -0.8f, 0.3f, 0.2f,  -0.1f, 0.4f, 0.9f, -0.7f,                           /* w_84 .. w_97 */
    0.4f, -0.6f};                                                                 /* w_8b, w_9b */

/* (3.2), (3.8) */
static const double a[4] = {0.487502603516, 0.278884821977, 0.777299861175, 0.721115178023};
static const double y[2] = {0.689558580968, 0.415224887033};
/* (4.9) */
static const double loss = 0.061836568973;
/* (4.3), (4.1) */
static const double hidden_delta[4] = {0.009304082275, -0.013919063722, -0.002799151589,
                                       0.008320692407};
static const double output_delta[2] = {0.066455432247, -0.040118780272};
/* (4.5) w_ji + eta delta_j x_ji, (4.8) w_jb + eta delta_j */
static const double after[PARAMETERS] = {
    0.204652041137,  -0.397673979431, 0.093021938294,  -0.306959531861, 0.596520234070,
    0.510439297791,  0.698600424205,  -0.100699787897, -0.197900636308, 0.404160346203,
    0.302080173102,  -0.606240519305, 0.104652041137,  -0.206959531861, 0.298600424205,
    -0.495839653797, 0.516198598119,  -0.790733294304, 0.325827899130,  0.223961010428,
    -0.109779004916, 0.394405740553,  0.884407838832,  -0.714465130689, 0.433227716123,
    -0.620059390136};

static const char *const config_text =
    "data: {train: {path: none.csv}}\n"
    "network: {layers: [{neurons: 4, activation: sigmoid}, {neurons: 2, activation: sigmoid}]}\n"
    "train: {loss: squared_error, batch: 1, epochs: 1,\n"
    "        optimizer: {name: sgd, learning_rate: 0.5}}\n";

static numann_error error;

static void must(numann_status status) {
  ck_assert_msg(status == NUMANN_OK, "%s: %s", numann_status_name(status), error.message);
}

static void expect(const double *got, const double *want, size_t n) {
  for (size_t i = 0; i < n; i++) ck_assert_double_eq_tol(got[i], want[i], TOLERANCE);
}

static void expect_floats(const float *got, const double *want, size_t n) {
  for (size_t i = 0; i < n; i++) ck_assert_double_eq_tol((double)got[i], want[i], TOLERANCE);
}

/* ---- the engine, through the public interface */

static numann_config *config;
static numann_data *data;
static numann_network *network;

static void set_up(void) {
  must(numann_config_parse(&config, config_text, "worked example", &error));
  must(numann_data_create(&data, 1, 3, input, 2, target, NULL, &error));
  must(numann_network_create(&network, config, data, &error));
  ck_assert_uint_eq(numann_network_parameters(network), PARAMETERS);
  memcpy(network->parameters, before, sizeof before);
}

static void tear_down(void) {
  numann_network_destroy(network);
  numann_data_destroy(data);
  numann_config_destroy(config);
}

START_TEST(the_engine_goes_forward) {
  float answer[2];
  must(numann_predict(network, 1, 1, input, answer, &error));
  expect_floats(answer, y, 2);
}
END_TEST

static numann_action look_at_loss(void *arg, const numann_epoch *epoch) {
  *(double *)arg = epoch->train_loss;
  return NUMANN_CONTINUE;
}

/* By strategy and threads: both, with more threads than panels, rows or grains. */
static const char *const settings[][2] = {{"parallel.threads=1", "parallel.strategy=neurons"},
                                          {"parallel.threads=3", "parallel.strategy=neurons"},
                                          {"parallel.threads=1", "parallel.strategy=samples"},
                                          {"parallel.threads=3", "parallel.strategy=samples"}};
#define SETTINGS ((int)(sizeof settings / sizeof *settings))

START_TEST(the_engine_updates) {
  numann_plan *plan;
  numann_trainer *trainer;
  double found = 0.0;
  must(numann_config_set(config, settings[_i][0], &error));
  must(numann_config_set(config, settings[_i][1], &error));
  must(numann_plan_create(&plan, config, network, data, &error));
  must(numann_trainer_create(&trainer, config, network, plan, data, &error));
  numann_observer observer = {.arg = &found, .on_epoch = look_at_loss};
  must(numann_trainer_run(trainer, &observer, &error));
  ck_assert_double_eq_tol(found, loss, TOLERANCE);
  expect_floats(numann_network_weights_view(network, 0), after, 12);
  expect_floats(numann_network_biases_view(network, 0), after + 12, 4);
  expect_floats(numann_network_weights_view(network, 1), after + 16, 8);
  expect_floats(numann_network_biases_view(network, 1), after + 24, 2);
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
}
END_TEST

/* Of one row, the gradient of a bias is the neuron's delta, and that of a weight delta_j x_ji. */
START_TEST(the_engine_has_the_deltas) {
  float gradient[PARAMETERS];
  for (int strategy = 0; strategy < NU_STRATEGIES; strategy++) {
    nu_plan plan = nu_plan_of(2, (nu_strategy)strategy, 2, 1, 32);
    must(nu_engine_gradient(network, &plan, 1, input, target, gradient, &error));
    expect_floats(gradient + 12, hidden_delta, 4);
    expect_floats(gradient + 24, output_delta, 2);
    ck_assert_double_eq_tol((double)gradient[2], hidden_delta[0] * -1.5, TOLERANCE);  /* w_43 */
    ck_assert_double_eq_tol((double)gradient[21], output_delta[1] * a[1], TOLERANCE); /* w_95 */
  }
}
END_TEST

/* ---- the naive network */

START_TEST(the_naive_network_agrees) {
  nu_naive naive;
  double gradient[PARAMETERS], updated[PARAMETERS];
  must(nu_naive_create(&naive, network, &error));
  ck_assert_double_eq_tol(nu_naive_forward(&naive, input, target), loss, TOLERANCE);
  ck_assert_double_eq_tol(naive.z[naive.first[1]], -0.05, TOLERANCE);
  expect(naive.a + naive.first[1], a, 4);
  expect(naive.a + naive.first[2], y, 2);
  nu_naive_backward(&naive, target);
  expect(naive.delta + naive.first[1], hidden_delta, 4);
  expect(naive.delta + naive.first[2], output_delta, 2);
  nu_naive_gradient(&naive, 1, input, target, NULL, gradient);
  for (size_t i = 0; i < PARAMETERS; i++) {
    updated[i] = naive.parameters[i] - 0.5 * gradient[i]; /* (4.10) */
  }
  expect(updated, after, PARAMETERS);
  nu_naive_clear(&naive);
}
END_TEST

static Suite *worked_example_suite(void) {
  Suite *suite = suite_create("worked example");
  TCase *tests = tcase_create("worked example");
  tcase_set_timeout(tests, 60);
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, the_engine_goes_forward);
  tcase_add_loop_test(tests, the_engine_updates, 0, SETTINGS);
  tcase_add_test(tests, the_engine_has_the_deltas);
  tcase_add_test(tests, the_naive_network_agrees);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(worked_example_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
