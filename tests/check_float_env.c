/* The floating-point state of numann: in every thread, and only while it computes.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <fenv.h>
#include <float.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/float_env.h"
#include "machine/team.h"
#include "numann.h"

#define ROWS 260
#define MAX_THREADS 33
static const size_t team_sizes[] = {1, 2, 3, 8, 33};
#define TEAM_SIZES ((int)(sizeof team_sizes / sizeof team_sizes[0]))

/* ---- the thread team */

typedef struct float_facts {
  float flushed_result[MAX_THREADS]; /* the least normal number / 2 */
  float flushed_input[MAX_THREADS];  /* the least subnormal number * 2^24 */
  float third[MAX_THREADS];          /* 1 / 3, whose last bit tells the rounding */
} float_facts;

static void compute_facts(float_facts *facts, size_t thread) {
  volatile float tiny = FLT_MIN, subnormal = FLT_TRUE_MIN, one = 1.0f, three = 3.0f;
  facts->flushed_result[thread] = tiny / 2.0f;
  facts->flushed_input[thread] = subnormal * 16777216.0f;
  facts->third[thread] = one / three;
}

static void compute_facts_member(nu_team *team, size_t thread, void *arg) {
  (void)team;
  compute_facts(arg, thread);
}

START_TEST(team_flushes_and_rounds_to_nearest) {
  size_t threads = team_sizes[_i];
  ck_assert_int_eq(fesetround(FE_DOWNWARD), 0);
  float_facts facts;
  memset(&facts, 0x7f, sizeof facts);
  ck_assert_int_eq(nu_team_run(threads, compute_facts_member, &facts, NULL), NUMANN_OK);
  for (size_t i = 0; i < threads; i++) {
    ck_assert(facts.flushed_result[i] == 0.0f);
    ck_assert(facts.flushed_input[i] == 0.0f);
    ck_assert(facts.third[i] == 0x1.555556p-2f);
  }
}
END_TEST

START_TEST(callers_state_comes_back) {
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    ck_assert_int_eq(fesetround(modes[i]), 0);
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_DIVBYZERO);
    float_facts facts;
    ck_assert_int_eq(nu_team_run(2, compute_facts_member, &facts, NULL), NUMANN_OK);
    ck_assert_int_eq(fegetround(), modes[i]);
    ck_assert_int_eq(fetestexcept(FE_ALL_EXCEPT), FE_DIVBYZERO);
    compute_facts(&facts, 0);
    ck_assert(facts.flushed_result[0] > 0.0f);
    ck_assert(facts.flushed_input[0] > 0.0f);
  }
}
END_TEST

/* A trap that the caller has armed must not fire inside, and must be armed again after. */
START_TEST(callers_traps_are_held) {
  int armed = feenableexcept(FE_DIVBYZERO);
#ifdef __aarch64__
  if (armed == -1) return; /* traps are optional there, and rare */
#endif
  ck_assert_int_ne(armed, -1);
  nu_float_env env = nu_float_env_enter();
  volatile float zero = 0.0f;
  volatile float infinite = 1.0f / zero;
  nu_float_env_leave(&env);
  ck_assert(infinite > FLT_MAX);
  ck_assert_int_ne(fegetexcept() & FE_DIVBYZERO, 0);
}
END_TEST

static void do_nothing(nu_team *team, size_t thread, void *arg) {
  (void)team;
  (void)thread;
  (void)arg;
}

static void compute_own_facts(nu_team *team, size_t thread, void *arg) {
  nu_float_env env = nu_float_env_suspend();
  compute_facts_member(team, thread, arg);
  nu_float_env_resume(&env);
}

/* Threads that a team leaves behind may serve the caller next: they have the caller's state, also
 * if a function in numann's own has started them. */
START_TEST(threads_are_born_in_the_callers_state) {
  float_facts facts = {{0}, {0}, {0}};
  fesetround(FE_DOWNWARD);
  nu_float_env env = nu_float_env_enter();
  ck_assert_int_eq(nu_team_run(8, do_nothing, NULL, NULL), NUMANN_OK);
  compute_facts(&facts, 0);
  ck_assert(facts.flushed_result[0] == 0.0f);
  nu_float_env_leave(&env);
  ck_assert_int_eq(nu_team_run(8, compute_own_facts, &facts, NULL), NUMANN_OK);
  for (size_t i = 0; i < 8; i++) {
    ck_assert(facts.flushed_result[i] > 0.0f);
    ck_assert(facts.flushed_input[i] > 0.0f);
    ck_assert(facts.third[i] == 0x1.555554p-2f); /* downwards; the nearest is above */
  }
}
END_TEST

/* ---- subnormal numbers are zero in every thread: of training, evaluation and prediction */

static void must(numann_status status, const numann_error *err) {
  ck_assert_msg(status == NUMANN_OK, "%s: %s", numann_status_name(status), err->message);
}

typedef struct tiny_case {
  const char *weight;
  float input;
  bool flushed;
} tiny_case;
/* A subnormal result, a subnormal input; and, so that the test can fail, a small normal result. */
static const tiny_case tiny_cases[] = {
    {"1e-30", 1e-10f, true}, {"1e30", 1e-40f, true}, {"1e-30", 1e-5f, false}};
#define TINY_CASES ((int)(sizeof tiny_cases / sizeof *tiny_cases))

static const char *const tiny_text =
    "data: {train: {path: memory}}\n"
    "network: {initializer: constant, layers: [{neurons: 1, activation: identity}]}\n"
    "train: {loss: squared_error, optimizer: {learning_rate: 1e-30}, batch: full, grain: 4, "
    "epochs: 1}\n";

static numann_action keep_losses(void *arg, const numann_epoch *epoch) {
  double *loss = arg;
  loss[0] = epoch->train_loss;
  loss[1] = epoch->validation_loss;
  return NUMANN_CONTINUE;
}

typedef struct tiny_job {
  numann_config *config;
  numann_data *data;
  numann_network *network;
  double loss[2]; /* of training and validation */
} tiny_job;

static void train_tiny(tiny_job *job, size_t threads) {
  char text[64];
  numann_error err;
  numann_plan *plan;
  numann_trainer *trainer;
  numann_observer observer = {.arg = job->loss, .on_epoch = keep_losses};
  snprintf(text, sizeof text, "parallel.threads=%zu", threads);
  must(numann_config_set(job->config, text, &err), &err);
  must(numann_config_set(job->config, "parallel.strategy=samples", &err), &err);
  must(numann_network_create(&job->network, job->config, job->data, &err), &err);
  must(numann_plan_create(&plan, job->config, job->network, job->data, &err), &err);
  must(numann_trainer_create(&trainer, job->config, job->network, plan, job->data, &err), &err);
  must(numann_trainer_run(trainer, &observer, &err), &err);
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
}

static void end_tiny(tiny_job *job) {
  numann_network_destroy(job->network);
  numann_data_destroy(job->data);
  numann_config_destroy(job->config);
}

/* Losses are doubles of the float answers: one answer of 1e-40 would show as 5e-81 over the rows.
 */
START_TEST(every_thread_that_trains_and_predicts_flushes) {
  const tiny_case *c = &tiny_cases[_i];
  char text[64];
  float inputs[ROWS], targets[ROWS] = {0};
  numann_error err;
  for (int i = 0; i < ROWS; i++) inputs[i] = c->input;
  snprintf(text, sizeof text, "network.initializer_value=%s", c->weight);
  for (int t = 0; t < TEAM_SIZES; t++) {
    tiny_job job = {.loss = {-1.0, -1.0}};
    float answers[ROWS];
    must(numann_config_parse(&job.config, tiny_text, "tiny", &err), &err);
    must(numann_config_set(job.config, text, &err), &err);
    must(numann_data_create(&job.data, ROWS, 1, inputs, 1, targets, NULL, &err), &err);
    train_tiny(&job, team_sizes[t]);
    ck_assert_msg((job.loss[0] == 0.0) == c->flushed, "%zu threads: loss %g", team_sizes[t],
                  job.loss[0]);
    must(numann_predict(job.network, team_sizes[t], ROWS, inputs, answers, &err), &err);
    for (int i = 0; i < ROWS; i++) {
      ck_assert_msg((answers[i] == 0.0f) == c->flushed, "row %d: %g", i, (double)answers[i]);
    }
    end_tiny(&job);
  }
}
END_TEST

/* The same in the evaluation of validation rows, which come from a file. */
START_TEST(every_thread_that_evaluates_flushes) {
  const char *folder = getenv("TMPDIR");
  char name[256], text[1024];
  numann_error err;
  snprintf(name, sizeof name, "%.200s/numann-float.XXXXXX", folder ? folder : "/tmp");
  int file = mkstemp(name);
  ck_assert_int_ge(file, 0);
  for (int i = 0; i < 2 * ROWS; i++)
    ck_assert_int_gt(dprintf(file, "%s,0\n", _i ? "1e-5" : "1e-10"), 0);
  ck_assert_int_eq(close(file), 0);
  snprintf(text, sizeof text,
           "data: {train: {path: %s, target: -1}, header: false, targets: values,\n"
           "       validation: {fraction: 0.5}}\n%s",
           name, strchr(tiny_text, '\n') + 1);
  for (int t = 0; t < TEAM_SIZES; t++) {
    tiny_job job = {.loss = {-1.0, -1.0}};
    must(numann_config_parse(&job.config, text, "tiny", &err), &err);
    must(numann_config_set(job.config, "network.initializer_value=1e-30", &err), &err);
    must(numann_data_load(&job.data, job.config, &err), &err);
    train_tiny(&job, team_sizes[t]);
    ck_assert_msg((job.loss[1] == 0.0) == !_i, "%zu threads: validation loss %g", team_sizes[t],
                  job.loss[1]);
    end_tiny(&job);
  }
  ck_assert_int_eq(unlink(name), 0);
}
END_TEST

static Suite *float_env_suite(void) {
  Suite *suite = suite_create("float environment");
  TCase *tests = tcase_create("float environment");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, team_flushes_and_rounds_to_nearest, 0, TEAM_SIZES);
  tcase_add_test(tests, callers_state_comes_back);
  tcase_add_test(tests, callers_traps_are_held);
  tcase_add_test(tests, threads_are_born_in_the_callers_state);
  tcase_add_loop_test(tests, every_thread_that_trains_and_predicts_flushes, 0, TINY_CASES);
  tcase_add_loop_test(tests, every_thread_that_evaluates_flushes, 0, 2);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(float_env_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
