/* The trainer: made, asked for its state, given one. SPDX-License-Identifier: MIT */
#include "trainer/inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "config/config.h"
#include "machine/float_env.h"
#include "trainer/ranks.h"
#include "trainer/refusal.h"

/* ---- creation */

static numann_status allocate(numann_trainer *trainer, numann_error *err) {
  nu_training *t = &trainer->training;
  const nu_method *method = t->optimizer.method;
  size_t rows = trainer->data->train.rows;
  trainer->plan.arrays = method->n_arrays + method->n_spare;
  t->rows = &trainer->data->train;
  t->fused = trainer->plan.fuse && t->optimizer.clip_norm == 0.0 && !method->whole;
  NU_TRY(nu_engine_create(&t->engine, trainer->network, &trainer->plan,
                          t->fused ? NU_USE_FUSED : NU_USE_GRADIENT, err));
  nu_engine_place_data(&t->engine, t->rows);
  NU_TRY(nu_evaluator_create(&trainer->validation, &t->engine, trainer->network,
                             &trainer->data->validation, &trainer->data->schema,
                             trainer->plan.threads, err));
  t->order = nu_alloc(rows, sizeof *t->order);
  if (!t->order) return nu_fail_memory(err, rows * sizeof *t->order, "the row order");
  /* With early stopping the network ends with the best weights, and a checkpoint still wants the
   * last. */
  bool best = trainer->patience > 0;
  t->numbers = trainer->state.numbers;
  return nu_state_create(&trainer->state, best ? NULL : trainer->network->parameters,
                         trainer->network->n_parameters, method, best, err);
}

static numann_status create(numann_trainer *trainer, const numann_config *config,
                            numann_error *err) {
  size_t rows = trainer->data->train.rows, batch = trainer->plan.problem.batch;
  trainer->plan.problem.seed = nu_config_count(config, "train.seed");
  trainer->epochs = nu_config_count(config, "train.epochs");
  trainer->shuffle = nu_config_flag(config, "train.shuffle");
  trainer->patience = nu_config_count(config, "train.early_stopping.patience");
  trainer->min_improvement = nu_config_real(config, "train.early_stopping.min_improvement");
  trainer->batches = (rows + batch - 1) / batch;
  NU_TRY(nu_config_check(config, err));
  NU_TRY(nu_optimizer_create(&trainer->training.optimizer, config, trainer->batches, err));
  NU_TRY(nu_refuse_training(&(nu_training_request){config, trainer->network, trainer->data,
                                                   &trainer->plan, &trainer->training.optimizer},
                            err));
  trainer->iteration = nu_iteration_of(trainer->training.optimizer.method);
  NU_TRY(allocate(trainer, err));
  return NUMANN_OK;
}

/* Of what makes the messages of a step: fused ranks send each other weights, others gradients. */
static uint64_t hash_of(const numann_trainer *trainer) {
  uint64_t hash = nu_problem_hash(&trainer->plan.problem);
  return nu_hash_number(hash, trainer->training.fused);
}

numann_status nu_trainer_create_on(numann_trainer **out, nu_comm *comm, const numann_config *config,
                                   numann_network *network, const numann_plan *plan,
                                   const numann_data *data, numann_error *err) {
  size_t other = 0;
  *out = NULL;
  numann_trainer *trainer = nu_alloc(1, sizeof *trainer);
  numann_status status = trainer ? NUMANN_OK : nu_fail_memory(err, sizeof *trainer, "the trainer");
  if ((status = nu_comm_agree(comm, status, err)) != NUMANN_OK) {
    free(trainer);
    return status;
  }
  trainer->network = network;
  trainer->plan = plan->plan;
  trainer->plan.ranks = comm->size;
  trainer->plan.rank = comm->rank;
  trainer->data = data;
  trainer->lowest = INFINITY;
  trainer->first = NAN;
  trainer->comm = comm;
  status = nu_comm_agree(comm, create(trainer, config, err), err);
  if (status == NUMANN_OK) status = nu_ranks_join(&trainer->training.engine, comm, err);
  if (status == NUMANN_OK && !nu_comm_is_same(comm, hash_of(trainer), &other))
    status = nu_fail(err, NUMANN_ERR_CONFIG,
                     "rank %zu has another batch, grain, precision, seed or fuse_update than rank "
                     "0; give all of them the same config",
                     other);
  if (status == NUMANN_OK) *out = trainer;
  else numann_trainer_destroy(trainer);
  return status;
}

numann_status numann_trainer_create(numann_trainer **out, const numann_config *config,
                                    numann_network *network, const numann_plan *plan,
                                    const numann_data *data, numann_error *err) {
  return nu_trainer_create_on(out, nu_comm_world(), config, network, plan, data, err);
}

void numann_trainer_destroy(numann_trainer *trainer) {
  if (!trainer) return;
  nu_evaluator_clear(&trainer->validation);
  if (trainer->training.engine.plan) nu_engine_clear(&trainer->training.engine);
  nu_state_clear(&trainer->state);
  free(trainer->training.order);
  free(trainer->reserve);
  free(trainer);
}

numann_status nu_trainer_report_placement(numann_trainer *trainer, bool pages,
                                          nu_place_report *report, numann_error *err) {
  return nu_engine_report(&trainer->training.engine, &trainer->data->train, pages, report, err);
}

void nu_trainer_stop_after(numann_trainer *trainer, uint64_t steps) { trainer->last_step = steps; }

nu_traffic nu_trainer_traffic(const numann_trainer *trainer, size_t rows) {
  return rows == trainer->plan.problem.batch ? trainer->whole : trainer->rest;
}

/* ---- state */

nu_mark nu_mark_of(const nu_state *state) {
  return (nu_mark){state->step, state->epoch, state->batch, state->epoch_loss};
}

/* Of the running epoch so far, or of the last one. */
static bool explodes(const numann_trainer *trainer) {
  const nu_state *state = &trainer->state;
  size_t rows = (size_t)state->batch * trainer->plan.problem.batch;
  double now = rows ? state->epoch_loss / (double)rows : trainer->last;
  return now > trainer->first;
}

void nu_trainer_drop_reserve(numann_trainer *trainer) {
  free(trainer->reserve);
  trainer->reserve = NULL;
}

/* Where the state's weights are the network's, storing them overwrites what the training would go
 * back to. Memory for a copy is taken when it comes to that; where it is refused, there is none. */
static void set_aside(numann_trainer *trainer) {
  size_t n = trainer->state.n_parameters;
  if (!explodes(trainer)) {
    nu_trainer_drop_reserve(trainer);
  } else if (!trainer->reserve && (trainer->reserve = nu_alloc(n, sizeof *trainer->reserve))) {
    memcpy(trainer->reserve, trainer->network->parameters, n * sizeof *trainer->reserve);
    trainer->reserved = trainer->kept;
  }
}

/* Each rank has updated its own part of the optimiser's arrays: now all have them whole. */
void nu_trainer_collect(numann_trainer *trainer) {
  if (!trainer->training.fused) return;
  for (size_t i = 0; i < trainer->state.method->n_arrays; i++)
    nu_ranks_collect(&trainer->training.engine, NU_FIRST_ARRAY + i);
}

/* Engine form to the state's logical blocks. */
void nu_trainer_store(numann_trainer *trainer) {
  nu_state *state = &trainer->state;
  if (state->borrowed) set_aside(trainer);
  nu_engine_store(&trainer->training.engine, NU_WEIGHTS, state->weights);
  if (state->borrowed) trainer->kept = nu_mark_of(state);
  for (size_t i = 0; i < state->method->n_arrays; i++)
    nu_engine_store(&trainer->training.engine, NU_FIRST_ARRAY + i, state->arrays[i]);
}

const nu_state *nu_trainer_state_view(numann_trainer *trainer) {
  nu_trainer_store(trainer);
  return &trainer->state;
}

/* The state's weights may be the network's. */
void nu_trainer_hand_over(numann_trainer *trainer) {
  const nu_state *state = &trainer->state;
  float *to = trainer->network->parameters;
  if (to != state->weights) memcpy(to, state->weights, state->n_parameters * sizeof *to);
  trainer->kept = nu_mark_of(state);
}

/* The state's blocks to the engine's form. */
void nu_trainer_load(numann_trainer *trainer) {
  const nu_state *state = &trainer->state;
  nu_engine_load(&trainer->training.engine, NU_WEIGHTS, state->weights);
  for (size_t i = 0; i < state->method->n_arrays; i++)
    nu_engine_load(&trainer->training.engine, NU_FIRST_ARRAY + i, state->arrays[i]);
}

numann_status nu_trainer_restore(numann_trainer *trainer, const nu_state *state,
                                 numann_error *err) {
  NU_TRY(nu_state_check_counts(state, trainer->batches, err));
  NU_TRY(nu_state_copy(&trainer->state, state, err));
  nu_trainer_load(trainer);
  nu_trainer_hand_over(trainer);
  return NUMANN_OK;
}

/* The counters, then the blocks one by one. */
numann_status nu_trainer_share_start(numann_trainer *trainer, numann_error *err) {
  nu_comm *comm = trainer->comm;
  nu_state *state = &trainer->state, counts = *state;
  size_t bytes = state->n_parameters * sizeof(float);
  double *rate = &trainer->training.optimizer.schedule.rate;
  if (comm->size == 1) return NUMANN_OK;
  nu_trainer_store(trainer);
  nu_comm_spread(comm, rate, sizeof *rate);
  nu_comm_spread(comm, &counts, sizeof counts);
  nu_state_take_counts(state, &counts);
  nu_comm_spread(comm, state->weights, bytes);
  for (size_t i = 0; i < state->method->n_arrays; i++)
    nu_comm_spread(comm, state->arrays[i], bytes);
  if (state->best) nu_comm_spread(comm, state->best, bytes);
  nu_trainer_load(trainer);
  nu_trainer_hand_over(trainer);
  return nu_comm_agree(comm, NUMANN_OK, err);
}

void nu_trainer_take_rate(numann_trainer *trainer, const numann_config *config) {
  double rate = nu_config_real(config, "train.optimizer.learning_rate");
  if (rate > 0.0) trainer->training.optimizer.schedule.rate = rate;
}
