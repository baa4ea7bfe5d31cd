/* Learning rates: schedules, and the rate where the config has none. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/methods.h"
#include "training.h"
#include "trainer/optimizer.h"
#include "trainer/schedule.h"
#include "trainer/trainer.h"

START_TEST(schedules_follow_their_formulas) {
  nu_schedule s = {
      .rate = 0.5, .factor = 0.1, .final = 0.2, .every = 2, .batches = 10, .steps = 100};
  s.name = NU_CONSTANT;
  ck_assert_double_eq(nu_schedule_rate(&s, 57), 0.5);
  s.name = NU_STEPWISE;
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 19), 0.5, 1e-15);
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 20), 0.05, 1e-15);
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 45), 0.005, 1e-15);
  s.name = NU_EXPONENTIAL;
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 25), 0.005, 1e-15);
  s.name = NU_COSINE;
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 0), 0.5, 1e-15);
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 50), 0.5 * 0.6, 1e-15);
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 100), 0.5 * 0.2, 1e-15);
  s.warmup_steps = 4;
  s.name = NU_CONSTANT;
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 0), 0.125, 1e-15);
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 3), 0.5, 1e-15);
}
END_TEST

START_TEST(cosine_ends_where_it_is_told) {
  training_job j = training_start(
      "train.schedule.name=cosine train.schedule.epochs=2 "
      "train.schedule.final=0.25 train.optimizer.learning_rate=0.5",
      1, NU_NEURONS);
  nu_schedule s;
  training_must(nu_schedule_create(&s, j.config, 10, &training_error));
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 10), 0.5 * 0.625, 1e-15);
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 20), 0.5 * 0.25, 1e-15);
  ck_assert_double_eq_tol(nu_schedule_rate(&s, 29), 0.5 * 0.25, 1e-15);
  training_must(numann_config_set(j.config, "train.schedule.final=0", &training_error));
  ck_assert_int_eq(nu_schedule_create(&s, j.config, 10, &training_error), NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(strstr(training_error.message, "rate 0 after 2 epochs"));
  training_end(&j);
}
END_TEST

/* A rate that is not given is the method's, and a checkpoint's where the training goes on from one. */
START_TEST(rates_left_open_are_settled) {
  static const struct {
    const char *name;
    double rate;
  } rates[] = {{"sgd", 0.01},    {"momentum", 0.01}, {"nesterov", 0.01}, {"adam", 0.001},
               {"adamw", 0.001}, {"amsgrad", 0.001}, {"rmsprop", 0.001}};
  training_job j = training_start("train.epochs=1", 1, NU_NEURONS);
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
    char text[64];
    nu_optimizer optimizer;
    snprintf(text, sizeof text, "train: {optimizer: {name: %s}}", rates[i].name);
    numann_config *config, *stored;
    training_must(numann_config_parse(&config, text, "t", &training_error));
    training_must(numann_config_parse(&stored, text, "t", &training_error));
    training_must(numann_config_set(stored, "train.optimizer.learning_rate=0.2", &training_error));
    training_must(nu_optimizer_create(&optimizer, config, 1, &training_error));
    ck_assert(nu_schedule_rate(&optimizer.schedule, 0) == rates[i].rate);
    training_must(nu_settle_rate(config, stored, &training_error));
    ck_assert(nu_config_real(config, "train.optimizer.learning_rate") == 0.2);
    training_must(nu_settle_rate(config, NULL, &training_error)); /* is settled */
    ck_assert(nu_config_real(config, "train.optimizer.learning_rate") == 0.2);
    numann_config_destroy(stored);
    numann_config_destroy(config);
  }
  training_end(&j);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("schedule");
  TCase *tests = tcase_create("schedule");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, schedules_follow_their_formulas);
  tcase_add_test(tests, cosine_ends_where_it_is_told);
  tcase_add_test(tests, rates_left_open_are_settled);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
