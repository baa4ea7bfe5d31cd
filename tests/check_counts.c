/* Settings that do nothing beside the others are refused. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/keys.h"
#include "network/methods.h"

static numann_error error;

static numann_config *parse(const char *text) {
  numann_config *c;
  ck_assert_msg(numann_config_parse(&c, text, "t", &error) == NUMANN_OK, "%s", error.message);
  return c;
}

/* What is given, what the message must name; NULL: it counts. */
static const struct {
  const char *text, *expected;
} idle[] = {
    {"train: {optimizer: {name: sgd, momentum: 0.9}}",
     "train.optimizer.name: momentum or nesterov"},
    {"train: {optimizer: {momentum: 0.9}}", "train.optimizer.name: momentum or nesterov"},
    {"train: {optimizer: {name: nesterov, momentum: 0.9}}", NULL},
    {"train: {optimizer: {name: sgd, beta1: 0.9}}", "train.optimizer.name: adam or"},
    {"train: {optimizer: {name: rmsprop, beta2: 0.9}}", "train.optimizer.name: adam or"},
    {"train: {optimizer: {name: adam, smoothing: 0.9}}", "train.optimizer.name: rmsprop"},
    {"train: {optimizer: {name: rmsprop, smoothing: 0.9, epsilon: 1e-7}}", NULL},
    {"train: {optimizer: {name: momentum, epsilon: 1e-7}}",
     "train.optimizer.name: rmsprop or adam"},
    {"train: {optimizer: {name: lbfgs, learning_rate: 1}}",
     "train.optimizer.name other than lbfgs"},
    {"train: {optimizer: {name: lbfgs, weight_decay: 1}}", NULL},
    {"train: {optimizer: {name: lbfgs}, schedule: {name: cosine}}", "other than lbfgs"},
    {"train: {optimizer: {name: lbfgs}, schedule: {warmup: 1}}", "other than lbfgs"},
    {"train: {schedule: {factor: 0.5}}", "train.schedule.name: step or exponential"},
    {"train: {schedule: {name: cosine, every: 3}}", "train.schedule.name: step"},
    {"train: {schedule: {name: step, final: 0.1}}", "train.schedule.name: cosine"},
    {"train: {schedule: {name: step, epochs: 5}}", "train.schedule.name: cosine"},
    {"train: {schedule: {name: step, every: 3, factor: 0.5, warmup: 1}}", NULL},
    {"train: {early_stopping: {min_improvement: 0.1}}",
     "train.early_stopping.patience other than 0"},
    {"train: {early_stopping: {patience: 0, min_improvement: 0.1}}", "patience other than 0"},
    {"train: {early_stopping: {patience: 2, min_improvement: 0.1}}", NULL},
    {"network: {initializer_value: 1}", "network.initializer: constant"},
    {"network: {initializer: constant, initializer_value: 1}", NULL},
    {"network: {layers: [{neurons: 1, activation: tanh, initializer: constant}], "
     "initializer_value: 1}",
     NULL},
    {"network: {layers: [{neurons: 1, activation: tanh, initializer: auto}], initializer_value: 1}",
     "network.layers.*.initializer: constant"},
    {"data: {train: {images: a, labels: b, target: y}}", "data.train.path"},
    {"data: {train: {images: a, labels: b}, separator: tab}", "data.train.path"},
    {"data: {train: {images: a, labels: b}, test: {path: c}, separator: tab}", NULL},
    {"data: {train: {path: a}, stratify: true}", "data.test.fraction"},
    {"data: {train: {path: a}, test: {fraction: 0.2}, stratify: true}", NULL},
    {"parallel: {strategy: samples, groups: 2}", "parallel.strategy: auto or hybrid"},
    {"parallel: {groups: 2}", NULL},
};

START_TEST(settings_that_do_nothing_are_refused) {
  numann_config *c = parse(idle[_i].text);
  int status = (int)nu_config_check(c, &error);
  if (idle[_i].expected) {
    ck_assert_msg(status == NUMANN_ERR_CONFIG, "accepted: %s", idle[_i].text);
    ck_assert_msg(
        strncmp(error.message, "t:1:", 4) == 0 && strstr(error.message, idle[_i].expected),
        "%s\ngave %s", idle[_i].text, error.message);
  } else {
    ck_assert_msg(status == NUMANN_OK, "%s", error.message);
  }
  numann_config_destroy(c);
}
END_TEST

/* The table of what counts says of every method what its row in network/methods.c says. */
START_TEST(every_method_takes_the_keys_that_it_reads) {
  const nu_method *method;
  for (size_t i = 0; (method = nu_method_at(i)); i++) {
    char text[128];
    snprintf(text, sizeof text, "train: {optimizer: {name: %s}}", method->name);
    numann_config *c = parse(text);
    ck_assert_int_eq(nu_config_counts(c, "train.optimizer.beta1"), method->betas);
    ck_assert_int_eq(nu_config_counts(c, "train.optimizer.beta2"), method->betas);
    ck_assert_int_eq(nu_config_counts(c, "train.optimizer.learning_rate"), method->rate > 0.0);
    ck_assert_int_eq(nu_config_counts(c, "train.schedule.name"), method->rate > 0.0);
    numann_config_destroy(c);
  }
}
END_TEST

START_TEST(set_overrules_what_the_file_says_beside_it) {
  numann_config *c = parse("train: {optimizer: {name: momentum, momentum: 0.8}}");
  ck_assert_int_eq(numann_config_set(c, "train.optimizer.name=sgd", &error), NUMANN_OK);
  ck_assert_msg(nu_config_check(c, &error) == NUMANN_OK, "%s", error.message);
  nu_text text = {0};
  nu_config_write(c, NU_CONFIG_MODEL, &text);
  ck_assert_ptr_null(strstr(nu_text_view(&text), "momentum"));
  ck_assert_ptr_nonnull(strstr(nu_text_view(&text), "learning_rate"));
  ck_assert_int_eq(numann_config_set(c, "train.optimizer.momentum=0.7", &error), NUMANN_OK);
  ck_assert_int_eq(nu_config_check(c, &error), NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(strstr(error.message, "--set train.optimizer.momentum=0.7"));
  nu_text_clear(&text);
  numann_config_destroy(c);
}
END_TEST

/* numann 0.1.0 wrote every key of the optimiser into the config of a run. */
static const char *const complete =
    "train: {optimizer: {name: sgd, learning_rate: 0.01, momentum: 0.5, beta1: 0.9, beta2: 0.999, "
    "smoothing: 0.9, epsilon: 1e-8, weight_decay: 0}, schedule: {name: constant, every: 10, "
    "factor: 0.1, final: 0, warmup: 0}, early_stopping: {patience: 0, min_improvement: 0}}";

START_TEST(a_record_of_every_key_is_taken) {
  numann_config *c = parse(complete), *now = parse("train: {optimizer: {learning_rate: 0.01}}");
  ck_assert_msg(nu_config_check(c, &error) == NUMANN_OK, "%s", error.message);
  ck_assert_msg(nu_config_match(now, c, &error) == NUMANN_OK, "%s", error.message);
  ck_assert_int_eq(numann_config_set(c, "train.optimizer.beta1=0.5", &error), NUMANN_OK);
  ck_assert_int_eq(nu_config_check(c, &error), NUMANN_ERR_CONFIG);
  numann_config_destroy(now);
  numann_config_destroy(c);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("counts");
  TCase *tests = tcase_create("counts");
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, settings_that_do_nothing_are_refused, 0, sizeof idle / sizeof *idle);
  tcase_add_test(tests, every_method_takes_the_keys_that_it_reads);
  tcase_add_test(tests, set_overrules_what_the_file_says_beside_it);
  tcase_add_test(tests, a_record_of_every_key_is_taken);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
