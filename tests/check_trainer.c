/* The trainer: the same bits, resume, divergence, early stopping.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "network/methods.h"
#include "numann.h"
#include "plan/tree.h"
#include "training.h"
#include "trainer/evaluate.h"
#include "trainer/optimizer.h"
#include "trainer/schedule.h"
#include "trainer/step.h"
#include "trainer/trainer.h"

/* ---- same bits */

static const char *const variants[] = {
    "train.optimizer.name=sgd train.optimizer.learning_rate=0.1",
    "train.optimizer.name=momentum train.optimizer.weight_decay=0.01 train.clip_norm=0.5",
    "train.optimizer.name=nesterov train.batch=full",
    "train.optimizer.name=rmsprop train.batch=1 train.epochs=1",
    "train.optimizer.name=adam train.schedule.name=cosine train.schedule.warmup=1",
    "train.optimizer.name=adamw train.optimizer.weight_decay=0.1 train.grain=auto",
    ("train.precision=bf16 train.optimizer.name=momentum train.optimizer.weight_decay=0.01 "
     "train.grain=7"),
    "train.precision=bf16 train.optimizer.name=adam train.clip_norm=0.5 train.batch=full"};

START_TEST(weights_do_not_depend_on_threads_or_strategy) {
  static const size_t threads[] = {1, 2, 3, 5, 8, 16};
  char want[65], got[65];
  training_hash(variants[_i], 1, NU_NEURONS, want);
  for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
    for (int strategy = 0; strategy < NU_STRATEGIES; strategy++) {
      training_hash(variants[_i], threads[t], (nu_strategy)strategy, got);
      ck_assert_msg(strcmp(want, got) == 0, "%s: %zu threads, %s", variants[_i], threads[t],
                    nu_strategy_name((nu_strategy)strategy));
    }
  }
}
END_TEST

/* Groups, fused or not, chunks of the batch, blocks that cut every loop in odd places. */
START_TEST(weights_do_not_depend_on_groups_fusing_chunks_or_blocks) {
  static const nu_blocks blocks[] = {{32, 1, 1, 4, 0},
                                     {32, 2, 7, 12, 0},
                                     {64, 3, 50, 33, 1 << 16},
                                     {4096, 8, 4096, 4096, 1 << 20}};
  char want[65], got[65];
  training_hash(variants[_i], 1, NU_NEURONS, want);
  for (size_t groups = 1; groups <= 4; groups++) {
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
      nu_plan plan = nu_plan_of(1 + 2 * b, NU_HYBRID, groups, 1, 1);
      plan.blocks = blocks[b];
      plan.fuse = (groups + b) % 2 == 0;
      plan.chunk = 1 + (groups * 3 + b) % 4;
      training_hash_planned(variants[_i], &plan, got);
      ck_assert_msg(strcmp(want, got) == 0, "%s: %zu groups, blocks %zu, chunks of %zu, %s",
                    variants[_i], groups, b, plan.chunk, plan.fuse ? "fused" : "not fused");
    }
  }
}
END_TEST

START_TEST(weights_do_not_depend_on_the_instruction_set) {
  char want[65], got[65];
  setenv("NUMANN_ISA", "base", 1);
  training_hash(variants[_i], 2, NU_SAMPLES, want);
  for (size_t i = 1; i < NU_ISAS; i++) {
    if (!nu_kernels_named(nu_isa_names[i])) continue;
    setenv("NUMANN_ISA", nu_isa_names[i], 1);
    training_hash(variants[_i], 2, NU_SAMPLES, got);
    ck_assert_msg(strcmp(want, got) == 0, "%s: %s", variants[_i], nu_isa_names[i]);
  }
  unsetenv("NUMANN_ISA");
}
END_TEST

/* The test above must be able to fail: another grain is another order, and must show. */
START_TEST(another_order_of_summation_shows_in_the_bits) {
  char a[65], b[65];
  training_hash("train.grain=8", 1, NU_NEURONS, a);
  training_hash("train.grain=16", 1, NU_NEURONS, b);
  ck_assert_str_ne(a, b);
}
END_TEST

/* ---- stop and resume */

static numann_action stop_at(void *arg, const numann_progress *progress) {
  return progress->step == *(uint64_t *)arg ? NUMANN_STOP : NUMANN_CONTINUE;
}

static nu_state saved_state;

static numann_status keep_state(void *arg, numann_trainer *trainer, numann_error *err) {
  (void)arg;
  const nu_state *now = nu_trainer_state_view(trainer);
  /* the trainer's weights are the network's own, these are not */
  NU_TRY(nu_state_create(&saved_state, NULL, now->n_parameters, now->method, now->best, err));
  return nu_state_copy(&saved_state, now, err);
}

static double last_loss;
static numann_action note_loss(void *arg, const numann_epoch *epoch) {
  (void)arg;
  last_loss = epoch->train_loss;
  return NUMANN_CONTINUE;
}

/* adam, and a bf16 one: the pairs made of restored weights must be those that the updates made. */
START_TEST(a_run_resumed_at_any_step_ends_in_the_same_bits) {
  const char *variant = variants[_i ? 6 : 4];
  char want[65], got[65];
  training_job whole = training_start(variant, 1, NU_NEURONS);
  training_must(numann_trainer_run(whole.trainer, &(numann_observer){.on_epoch = note_loss},
                                   &training_error));
  double want_loss = last_loss;
  nu_network_sha256(whole.network, want);
  training_end(&whole);
  for (uint64_t at = 1; at <= 9; at++) { /* 3 epochs of 3 batches */
    training_job first = training_start(variant, 3, NU_SAMPLES);
    numann_observer observer = {.arg = &at, .on_step = stop_at, .on_save = keep_state};
    ck_assert_int_eq(numann_trainer_run(first.trainer, &observer, &training_error), NUMANN_STOPPED);
    training_end(&first);
    training_job second = training_start(variant, 2, NU_NEURONS);
    training_must(nu_trainer_restore(second.trainer, &saved_state, &training_error));
    nu_state_clear(&saved_state);
    training_must(numann_trainer_run(second.trainer, &(numann_observer){.on_epoch = note_loss},
                                     &training_error));
    nu_network_sha256(second.network, got);
    ck_assert_msg(strcmp(want, got) == 0, "resumed after step %llu", (unsigned long long)at);
    ck_assert(last_loss == want_loss);
    training_end(&second);
  }
}
END_TEST

/* Another number of parameters, other arrays, best weights or none. */
START_TEST(a_state_of_another_shape_is_refused) {
  training_job j = training_start(variants[0], 1, NU_NEURONS);
  size_t n = j.network->n_parameters;
  const struct {
    size_t n_parameters;
    const char *method;
    bool best;
    numann_status status;
  } cases[] = {{n, "sgd", false, NUMANN_OK},
               {17, "sgd", false, NUMANN_ERR_MODEL},
               {n, "adam", false, NUMANN_ERR_MODEL},
               {n, "momentum", false, NUMANN_ERR_MODEL},
               {n, "sgd", true, NUMANN_ERR_MODEL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    nu_state other;
    training_must(nu_state_create(&other, NULL, cases[i].n_parameters,
                                  nu_method_named(cases[i].method), cases[i].best,
                                  &training_error));
    ck_assert_int_eq(nu_trainer_restore(j.trainer, &other, &training_error), cases[i].status);
    nu_state_clear(&other);
  }
  training_end(&j);
}
END_TEST

/* Counts that agree with each other, but not always with 3 batches an epoch. */
START_TEST(a_state_of_other_batches_is_refused) {
  static const uint64_t counts[][3] = {{8, 2, 2}, {6, 2, 0}, {6, 1, 3},
                                       {8, 2, 0}, {4, 0, 4}, {9, 2, 1}};
  training_job j = training_start(variants[0], 1, NU_NEURONS);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    nu_state other;
    training_must(nu_state_create(&other, NULL, j.network->n_parameters, nu_method_named("sgd"),
                                  false, &training_error));
    other.step = counts[i][0];
    other.epoch = counts[i][1];
    other.batch = counts[i][2];
    ck_assert_int_eq(nu_trainer_restore(j.trainer, &other, &training_error),
                     i < 3 ? NUMANN_OK : NUMANN_ERR_MODEL);
    nu_state_clear(&other);
  }
  training_end(&j);
}
END_TEST

/* A plan says who does what, and no more: one that was made for another optimiser and another seed
 * does not change what this config asks for. */
START_TEST(a_plan_of_another_config_serves) {
  char want[65], got[65];
  training_hash(variants[_i], 2, NU_SAMPLES, want);
  training_job other = training_start("train.seed=6", 2, NU_SAMPLES);
  training_job j = training_start(variants[_i], 2, NU_SAMPLES);
  numann_trainer_destroy(j.trainer);
  other.plan->plan.problem.grain = j.plan->plan.problem.grain;
  other.plan->plan.problem.precision = j.plan->plan.problem.precision;
  ck_assert_uint_eq(other.plan->plan.arrays, 0);
  training_must(
      numann_trainer_create(&j.trainer, j.config, j.network, other.plan, j.data, &training_error));
  training_must(numann_trainer_run(j.trainer, NULL, &training_error));
  nu_network_sha256(j.network, got);
  ck_assert_str_eq(want, got);
  training_end(&j);
  training_end(&other);
}
END_TEST

/* ---- L-BFGS */

enum { MEMORY = 10 }; /* pairs; what numbers[0] counts, and numbers[5], the last step's length */

typedef struct pairs {
  size_t last, restarts;
} pairs;

static numann_action save_always(void *arg, const numann_epoch *epoch) {
  (void)arg, (void)epoch;
  return NUMANN_SAVE;
}

static double product(const nu_state *state, size_t a, size_t b) {
  double sum = 0.0;
  for (size_t i = 0; i < state->n_parameters; i++)
    sum += (double)state->arrays[a][i] * (double)state->arrays[b][i];
  return sum;
}

static numann_status look_at_pairs(void *arg, numann_trainer *trainer, numann_error *err) {
  (void)err;
  pairs *seen = arg;
  const nu_state *state = nu_trainer_state_view(trainer);
  size_t now = (size_t)state->numbers[0], used = now < MEMORY ? now : MEMORY;
  for (size_t i = now - used; i < now; i++) {
    size_t step = i % MEMORY, change = MEMORY + step; /* s and y of Liu and Nocedal */
    ck_assert_double_gt(product(state, step, change), 0.99e-10 * product(state, change, change));
  }
  seen->restarts += seen->last >= MEMORY && now == 0 && state->numbers[5] > 0.0;
  seen->last = now;
  return NUMANN_OK;
}

/* A pair that is refused has overwritten the oldest of a full memory: none may be used that has no
 * positive curvature. The kinks of relu let it come to that. */
START_TEST(lbfgs_uses_no_pair_that_it_refused) {
  pairs seen = {0};
  numann_observer observer = {.arg = &seen, .on_epoch = save_always, .on_save = look_at_pairs};
  training_job j = training_start(
      "train.optimizer.name=lbfgs train.batch=full train.epochs=200 train.seed=3 "
      "network.layers.0.activation=relu network.layers.0.neurons=9 network.layers.1.neurons=7",
      1, NU_NEURONS);
  training_must(numann_trainer_run(j.trainer, &observer, &training_error));
  training_end(&j);
  ck_assert_uint_ge(seen.restarts, 1);
}
END_TEST

/* ---- validation */

/* What the trainer evaluates with is made once: it sees the weights as they change, without a copy
 * and without new memory, on a team of the trainer's size. */
START_TEST(an_evaluator_follows_the_weights_of_training) {
  training_job j = training_start("", 3, NU_SAMPLES);
  nu_plan plan = j.plan->plan;
  nu_engine engine;
  nu_evaluator evaluator;
  nu_evaluation got, want;
  plan.idle = 2;
  training_must(nu_engine_create(&engine, j.network, &plan, NU_USE_GRADIENT, &training_error));
  training_must(nu_evaluator_create(&evaluator, &engine, j.network, &j.data->train, &j.data->schema,
                                    plan.threads, &training_error));
  ck_assert_uint_eq(evaluator.plan.threads + evaluator.plan.idle, plan.threads + plan.idle);
  size_t buffers = evaluator.engine.memory.n, booked = 0;
  for (size_t i = 0; i < buffers; i++) booked += evaluator.engine.memory.items[i].what.bytes;
  ck_assert_uint_eq(booked,
                    nu_ledger_bytes(&evaluator.plan, j.network, NU_USE_BORROW, NU_BUFFER_KINDS));
  for (int epoch = 0; epoch < 3; epoch++) {
    for (size_t i = 0; i < j.network->n_parameters; i++) j.network->parameters[i] *= 1.25f;
    nu_engine_load(&engine, NU_WEIGHTS, j.network->parameters);
    training_must(nu_evaluator_run(&got, &evaluator, &training_error));
    training_must(
        nu_evaluate(&want, j.network, &j.data->train, &j.data->schema, 1, &training_error));
    ck_assert(got.loss == want.loss && got.accuracy == want.accuracy);
    ck_assert_uint_eq(evaluator.engine.memory.n, buffers);
    nu_evaluation_clear(&got);
    nu_evaluation_clear(&want);
  }
  nu_evaluator_clear(&evaluator);
  nu_engine_clear(&engine);
  training_end(&j);
}
END_TEST

/* ---- divergence, clipping, the caller's floating-point state */

START_TEST(divergence_is_found_and_the_network_stays_finite) {
  for (int strategy = 0; strategy < NU_STRATEGIES; strategy++) {
    training_job j = training_start("train.optimizer.learning_rate=1e30 train.batch=20", 2,
                                    (nu_strategy)strategy);
    ck_assert_int_eq(numann_trainer_run(j.trainer, NULL, &training_error), NUMANN_ERR_DIVERGED);
    ck_assert_ptr_nonnull(strstr(training_error.message, "learning_rate"));
    size_t layer;
    bool bias;
    ck_assert(nu_network_finite(j.network, &layer, &bias));
    training_end(&j);
  }
}
END_TEST

/* The lowest loss that an epoch had: where a training that diverges should go back to. */
typedef struct lowest {
  uint64_t epoch;
  double loss;
  uint64_t every; /* epochs between two saves; 0: none */
} lowest;

static numann_action look_for_lowest(void *arg, const numann_epoch *epoch) {
  lowest *seen = arg;
  double loss = epoch->validated ? epoch->validation_loss : epoch->train_loss;
  if (loss < seen->loss) *seen = (lowest){epoch->epoch, loss, seen->every};
  return seen->every && epoch->epoch % seen->every == 0 ? NUMANN_SAVE : NUMANN_CONTINUE;
}

/* With the training rows for validation, too. */
static void start_again(training_job *j, bool validate, bool stop_early) {
  if (validate) j->data->validation = j->data->train;
  if (stop_early)
    training_must(
        numann_config_set(j->config, "train.early_stopping.patience=900", &training_error));
  numann_trainer_destroy(j->trainer);
  training_must(
      numann_trainer_create(&j->trainer, j->config, j->network, j->plan, j->data, &training_error));
}

/* A linear network whose steps are a little too long for one direction: the loss falls, then grows
 * for many epochs, finite all the while. */
static const char linear[] =
    "data: {train: {path: none.csv}}\n"
    "network: {layers: [{neurons: 5, activation: identity}]}\n"
    "train: {loss: squared_error, batch: full, epochs: 9000, seed: 5,\n"
    "  optimizer: {name: momentum, momentum: 0.1, learning_rate: 0.75}}\n";

START_TEST(a_late_divergence_goes_back_to_the_best_epoch) {
  static const struct {
    bool validates, stops_early;
    uint64_t every;
  } ways[] = {{false, false, 0}, {true, false, 0}, {true, true, 1}, {false, false, 40}};
  lowest seen = {.loss = INFINITY, .every = ways[_i].every};
  numann_observer observer = {.arg = &seen, .on_epoch = look_for_lowest};
  training_job j = training_start_on(linear, "", 2, NU_SAMPLES);
  start_again(&j, ways[_i].validates, ways[_i].stops_early);
  ck_assert_int_eq(numann_trainer_run(j.trainer, &observer, &training_error), NUMANN_ERR_DIVERGED);
  ck_assert_msg(strstr(training_error.message, "of layer 1 "), "%s", training_error.message);
  nu_evaluation now;
  training_must(nu_evaluate(&now, j.network, &j.data->train, &j.data->schema, 1, &training_error));
  if (ways[_i].validates) ck_assert(now.loss == seen.loss);
  ck_assert_double_lt(now.loss, 2 * seen.loss);
  nu_evaluation_clear(&now);
  const nu_state *state = nu_trainer_state_view(j.trainer);
  ck_assert_uint_eq(state->epoch, seen.epoch);
  ck_assert_uint_eq(state->step, seen.epoch);
  for (size_t i = 0; i < state->n_parameters; i++) {
    ck_assert(state->weights[i] == j.network->parameters[i]);
    ck_assert(state->arrays[0][i] == 0.0f);
  }
  ck_assert_int_eq(numann_trainer_run(j.trainer, NULL, &training_error), NUMANN_ERR_DIVERGED);
  j.data->validation = (nu_rows){0};
  training_end(&j);
}
END_TEST

START_TEST(clipping_bounds_the_step) {
  training_job j = training_start(
      "train.clip_norm=0.001 train.optimizer.learning_rate=1 train.batch=full train.epochs=1", 2,
      NU_NEURONS);
  size_t n = j.network->n_parameters;
  float *before = nu_alloc(n, 4);
  memcpy(before, j.network->parameters, n * 4);
  training_must(numann_trainer_run(j.trainer, NULL, &training_error));
  double square = 0.0;
  for (size_t i = 0; i < n; i++)
    square += pow((double)j.network->parameters[i] - (double)before[i], 2);
  ck_assert_double_eq_tol(sqrt(square), 0.001, 1e-6);
  free(before);
  training_end(&j);
}
END_TEST

START_TEST(the_caller_keeps_its_rounding_mode) {
  char want[65], got[65];
  training_hash(variants[0], 2, NU_SAMPLES, want);
  fesetround(FE_UPWARD);
  training_hash(variants[0], 2, NU_SAMPLES, got);
  ck_assert_int_eq(fegetround(), FE_UPWARD);
  fesetround(FE_TONEAREST);
  ck_assert_str_eq(want, got);
}
END_TEST

static Suite *trainer_suite(void) {
  Suite *suite = suite_create("trainer");
  TCase *tests = tcase_create("trainer");
  int n = sizeof variants / sizeof *variants;
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, weights_do_not_depend_on_threads_or_strategy, 0, n);
  tcase_add_loop_test(tests, weights_do_not_depend_on_groups_fusing_chunks_or_blocks, 0, n);
  tcase_add_loop_test(tests, weights_do_not_depend_on_the_instruction_set, 0, n);
  tcase_add_test(tests, another_order_of_summation_shows_in_the_bits);
  tcase_add_loop_test(tests, a_run_resumed_at_any_step_ends_in_the_same_bits, 0, 2);
  tcase_add_test(tests, a_state_of_another_shape_is_refused);
  tcase_add_test(tests, a_state_of_other_batches_is_refused);
  tcase_add_loop_test(tests, a_plan_of_another_config_serves, 4, 7);
  tcase_add_test(tests, lbfgs_uses_no_pair_that_it_refused);
  tcase_add_test(tests, an_evaluator_follows_the_weights_of_training);
  tcase_add_test(tests, divergence_is_found_and_the_network_stays_finite);
  tcase_add_loop_test(tests, a_late_divergence_goes_back_to_the_best_epoch, 0, 4);
  tcase_add_test(tests, clipping_bounds_the_step);
  tcase_add_test(tests, the_caller_keeps_its_rounding_mode);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(trainer_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
