/* SPDX-License-Identifier: MIT */
#include "training.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "machine/float_env.h"
#include "network/network.h"
#include "trainer/trainer.h"

#define ROWS TRAINING_ROWS
#define FEATURES TRAINING_FEATURES
#define CLASSES TRAINING_CLASSES

static const char *const base_config =
    "data: {train: {path: none.csv}}\n"
    "network:\n  layers:\n"
    "    - {neurons: 45, activation: tanh}\n"
    "    - {neurons: 33, activation: relu}\n"
    "    - {neurons: 5, activation: softmax}\n"
    "train: {loss: cross_entropy, batch: 97, epochs: 3, seed: 5, grain: 8}\n";

numann_error training_error;

void training_must(numann_status status) {
  ck_assert_msg(status == NUMANN_OK, "%s: %s", numann_status_name(status), training_error.message);
}

/* In numann's floating-point state, so that a test may come with any of its own. */
static numann_data *generated(void) {
  nu_float_env env = nu_float_env_enter();
  float inputs[ROWS * FEATURES];
  int32_t labels[ROWS];
  nu_stream label = {9, NU_PURPOSE_GENERATE, 0}, noise = {9, NU_PURPOSE_GENERATE, 1};
  for (size_t i = 0; i < ROWS; i++) {
    labels[i] = (int32_t)(nu_random_bits(label, i) % CLASSES);
    for (size_t j = 0; j < FEATURES; j++) {
      double x = nu_random_normal(noise, i * FEATURES + j);
      inputs[i * FEATURES + j] = (float)(x + (j % CLASSES == (size_t)labels[i] ? 1.0 : 0.0));
    }
  }
  nu_float_env_leave(&env);
  numann_data *data;
  training_must(
      numann_data_create(&data, ROWS, FEATURES, inputs, CLASSES, NULL, labels, &training_error));
  return data;
}

static void set(numann_config *config, const char *assignment) {
  training_must(numann_config_set(config, assignment, &training_error));
}

/* Everything but the trainer. */
static training_job prepare(const char *base, const char *settings, size_t threads,
                            nu_strategy strategy) {
  training_job j = {.trainer = NULL};
  numann_error *err = &training_error;
  char text[64], copy[512], *rest = copy;
  training_must(numann_config_parse(&j.config, base, "test", err));
  snprintf(copy, sizeof copy, "%s", settings);
  for (char *s = strtok_r(copy, " ", &rest); s; s = strtok_r(NULL, " ", &rest)) set(j.config, s);
  snprintf(text, sizeof text, "parallel.threads=%zu", threads);
  set(j.config, text);
  snprintf(text, sizeof text, "parallel.strategy=%s", nu_strategy_name(strategy));
  set(j.config, text);
  j.data = generated();
  training_must(numann_network_create(&j.network, j.config, j.data, err));
  training_must(numann_plan_create(&j.plan, j.config, j.network, j.data, err));
  return j;
}

static void create_trainer(training_job *j) {
  training_must(
      numann_trainer_create(&j->trainer, j->config, j->network, j->plan, j->data, &training_error));
}

training_job training_start(const char *settings, size_t threads, nu_strategy strategy) {
  return training_start_on(base_config, settings, threads, strategy);
}

training_job training_start_on(const char *base, const char *settings, size_t threads,
                               nu_strategy strategy) {
  training_job j = prepare(base, settings, threads, strategy);
  create_trainer(&j);
  return j;
}

void training_end(training_job *job) {
  numann_trainer_destroy(job->trainer);
  numann_plan_destroy(job->plan);
  numann_network_destroy(job->network);
  numann_data_destroy(job->data);
  numann_config_destroy(job->config);
}

static void run_to_hash(training_job *j, char hex[65]) {
  training_must(numann_trainer_run(j->trainer, NULL, &training_error));
  nu_network_sha256(j->network, hex);
  training_end(j);
}

void training_hash(const char *settings, size_t threads, nu_strategy strategy, char hex[65]) {
  training_job j = training_start(settings, threads, strategy);
  ck_assert_uint_eq(numann_plan_threads(j.plan), threads);
  ck_assert_str_eq(numann_plan_strategy(j.plan), nu_strategy_name(strategy));
  run_to_hash(&j, hex);
}

training_job training_start_planned(const char *settings, const nu_plan *plan,
                                    nu_placement *placement) {
  training_job j = prepare(base_config, settings, plan->threads, plan->strategy);
  nu_problem problem = j.plan->plan.problem;
  nu_plan_clear(j.plan);
  j.plan->plan = *plan;
  j.plan->plan.problem = problem;
  j.plan->plan.placement = j.plan->placement = placement;
  create_trainer(&j);
  return j;
}

training_job training_start_ranked(const char *base, const char *settings, const nu_plan *plan,
                                   nu_comm *comm, numann_error *err) {
  training_job j = prepare(base ? base : base_config, settings, plan->threads, plan->strategy);
  nu_problem problem = j.plan->plan.problem;
  nu_plan_clear(j.plan);
  j.plan->plan = *plan;
  j.plan->plan.problem = problem;
  nu_trainer_create_on(&j.trainer, comm, j.config, j.network, j.plan, j.data, err);
  return j;
}

void training_hash_planned(const char *settings, const nu_plan *plan, char hex[65]) {
  training_job j = training_start_planned(settings, plan, NULL);
  run_to_hash(&j, hex);
}
