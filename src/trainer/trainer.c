/* The epoch loop. SPDX-License-Identifier: MIT
 *
 * One parallel region runs an epoch, or the rest of one; between regions stand validation, early
 * stopping and the observer's on_epoch and on_save. */
#include "trainer/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/least.h"
#include "base/memory.h"
#include "config/config.h"
#include "machine/comm.h"
#include "machine/float_env.h"
#include "trainer/divergence.h"
#include "trainer/evaluate.h"
#include "trainer/iteration.h"
#include "trainer/ranks.h"
#include "trainer/refusal.h"

/* How far a training had come. */
typedef struct mark {
  uint64_t step, epoch, batch;
  double epoch_loss;
} mark;

struct numann_trainer {
  nu_comm *comm;           /* the processes that train together; borrowed */
  numann_network *network; /* borrowed; gets weights when they are saved, and those of an epoch's
                              end that is better than all before it */
  mark kept;               /* when the network had its weights */
  float *reserve;     /* what it had before saves on the way into a divergence; owned; or NULL */
  mark reserved;      /* when it had that */
  double first, last; /* training loss of the first epoch of this trainer, and of the last */
  double lowest;      /* loss of the epochs of this trainer */
  nu_plan plan;       /* the user's, with what this config asks for; its placement is borrowed */
  const numann_data *data; /* borrowed */
  nu_training training;    /* owned */
  const nu_iteration *iteration;
  nu_evaluator validation; /* of the validation rows, with the weights of training; owned */
  nu_state state;          /* blocks are up to date only after store_state; the counters always */
  uint64_t epochs;         /* to train in all */
  uint64_t batches;        /* in an epoch */
  bool shuffle;
  uint64_t patience; /* early stopping: 0 = off */
  double min_improvement;
  const numann_observer *observer; /* of the running numann_trainer_run */
  numann_action action;            /* what the observer asked for at the last step */
  bool diverged;
  numann_error divergence; /* what was said of it */
};

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
  NU_TRY(nu_ranks_join(&t->engine, trainer->comm, err));
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

numann_status nu_trainer_create_on(numann_trainer **out, nu_comm *comm, const numann_config *config,
                                   numann_network *network, const numann_plan *plan,
                                   const numann_data *data, numann_error *err) {
  size_t other = 0;
  *out = NULL;
  numann_trainer *trainer = nu_alloc(1, sizeof *trainer);
  if (!trainer) return nu_fail_memory(err, sizeof *trainer, "the trainer");
  trainer->network = network;
  trainer->plan = plan->plan;
  trainer->plan.ranks = comm->size;
  trainer->plan.rank = comm->rank;
  trainer->data = data;
  trainer->lowest = INFINITY;
  trainer->first = NAN;
  trainer->comm = comm;
  numann_status status = nu_comm_agree(comm, create(trainer, config, err), err);
  if (status == NUMANN_OK &&
      !nu_comm_is_same(comm, nu_problem_hash(&trainer->plan.problem), &other))
    status = nu_fail(err, NUMANN_ERR_CONFIG,
                     "rank %zu has another batch, grain, precision or seed than rank 0; give all "
                     "of them the same config",
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

/* ---- state */

static mark mark_of(const nu_state *state) {
  return (mark){state->step, state->epoch, state->batch, state->epoch_loss};
}

/* Of the running epoch so far, or of the last one. */
static bool explodes(const numann_trainer *trainer) {
  const nu_state *state = &trainer->state;
  size_t rows = (size_t)state->batch * trainer->plan.problem.batch;
  double now = rows ? state->epoch_loss / (double)rows : trainer->last;
  return now > trainer->first;
}

static void drop_reserve(numann_trainer *trainer) {
  free(trainer->reserve);
  trainer->reserve = NULL;
}

/* Where the state's weights are the network's, storing them overwrites what the training would go
 * back to. Memory for a copy is taken when it comes to that; where it is refused, there is none. */
static void set_aside(numann_trainer *trainer) {
  size_t n = trainer->state.n_parameters;
  if (!explodes(trainer)) {
    drop_reserve(trainer);
  } else if (!trainer->reserve && (trainer->reserve = nu_alloc(n, sizeof *trainer->reserve))) {
    memcpy(trainer->reserve, trainer->network->parameters, n * sizeof *trainer->reserve);
    trainer->reserved = trainer->kept;
  }
}

/* Each rank has updated its own part of the optimiser's arrays: now all have them whole. */
static void collect(numann_trainer *trainer) {
  if (!trainer->training.fused) return;
  for (size_t i = 0; i < trainer->state.method->n_arrays; i++)
    nu_ranks_collect(&trainer->training.engine, NU_FIRST_ARRAY + i);
}

/* Engine form to the state's logical blocks. */
static void store_state(numann_trainer *trainer) {
  nu_state *state = &trainer->state;
  if (state->borrowed) set_aside(trainer);
  nu_engine_store(&trainer->training.engine, NU_WEIGHTS, state->weights);
  if (state->borrowed) trainer->kept = mark_of(state);
  for (size_t i = 0; i < state->method->n_arrays; i++)
    nu_engine_store(&trainer->training.engine, NU_FIRST_ARRAY + i, state->arrays[i]);
}

const nu_state *nu_trainer_state_view(numann_trainer *trainer) {
  store_state(trainer);
  return &trainer->state;
}

/* The state's weights may be the network's. */
static void hand_over_weights(numann_trainer *trainer) {
  const nu_state *state = &trainer->state;
  float *to = trainer->network->parameters;
  if (to != state->weights) memcpy(to, state->weights, state->n_parameters * sizeof *to);
  trainer->kept = mark_of(state);
}

/* The state's blocks to the engine's form. */
static void load_state(numann_trainer *trainer) {
  const nu_state *state = &trainer->state;
  nu_engine_load(&trainer->training.engine, NU_WEIGHTS, state->weights);
  for (size_t i = 0; i < state->method->n_arrays; i++)
    nu_engine_load(&trainer->training.engine, NU_FIRST_ARRAY + i, state->arrays[i]);
}

numann_status nu_trainer_restore(numann_trainer *trainer, const nu_state *state,
                                 numann_error *err) {
  NU_TRY(nu_state_check_counts(state, trainer->batches, err));
  NU_TRY(nu_state_copy(&trainer->state, state, err));
  load_state(trainer);
  hand_over_weights(trainer);
  return NUMANN_OK;
}

void nu_trainer_take_rate(numann_trainer *trainer, const numann_config *config) {
  double rate = nu_config_real(config, "train.optimizer.learning_rate");
  if (rate > 0.0) trainer->training.optimizer.schedule.rate = rate;
}

/* ---- one epoch, on every thread of the team */

static size_t batch_first(const numann_trainer *trainer, uint64_t batch) {
  return (size_t)batch * trainer->plan.problem.batch;
}

/* The last batch may be smaller; it is divided by its own size. */
static size_t batch_rows(const numann_trainer *trainer, uint64_t batch) {
  size_t rest = trainer->data->train.rows - batch_first(trainer, batch);
  return nu_smaller(rest, trainer->plan.problem.batch);
}

static numann_progress progress_at(const numann_trainer *trainer, double learning_rate) {
  const nu_state *state = &trainer->state;
  size_t rows = batch_first(trainer, state->batch - 1) + batch_rows(trainer, state->batch - 1);
  return (numann_progress){.step = state->step,
                           .epoch = state->epoch + 1,
                           .epochs = trainer->epochs,
                           .batch = state->batch,
                           .batches = trainer->batches,
                           .rows = rows,
                           .train_loss = state->epoch_loss / (double)rows,
                           .learning_rate = learning_rate};
}

/* What this rank's observer asks for. Several ranks do in the next step what any of them has asked
 * for in this one: the wish travels with the losses. */
static void decide(numann_trainer *trainer, numann_action own) {
  nu_engine_ranks *ranks = &trainer->training.engine.ranks;
  if (!ranks->comm) {
    trainer->action = own;
    return;
  }
  trainer->action = (numann_action)ranks->agreed;
  if (ranks->agreed >= ranks->wanted) ranks->wanted = NUMANN_CONTINUE; /* it is granted */
  if (own > trainer->action && own > ranks->wanted) ranks->wanted = own;
}

/* Thread 0 counts the step and asks the observer, before the barrier that publishes both. */
static void close_step(numann_trainer *trainer, const nu_outcome *outcome) {
  nu_state *state = &trainer->state;
  state->step++;
  state->batch++;
  state->epoch_loss = outcome->loss;
  const numann_observer *observer = trainer->observer;
  numann_action own = NUMANN_CONTINUE;
  if (observer && observer->on_step) {
    numann_progress progress = progress_at(trainer, outcome->learning_rate);
    own = observer->on_step(observer->arg, &progress);
  }
  decide(trainer, own);
}

/* Steps from the data cursor to the end of the epoch, or to where the observer wants a pause. Each
 * thread keeps its own count and sum, so that no decision needs another barrier. */
static void epoch_worker(nu_team *team, size_t thread, void *arg) {
  numann_trainer *trainer = arg;
  nu_training *training = &trainer->training;
  nu_outcome outcome = {.loss = trainer->state.epoch_loss};
  uint64_t at = trainer->state.step, batch = trainer->state.batch;
  /* Here and not in a step, while slower threads read those of the step before. */
  training->engine.threads[thread].not_finite = false;
  if (thread == 0) training->engine.ranks.not_finite = false;
  nu_team_barrier(team); /* all have read the state before thread 0 moves it on */
  for (; batch < trainer->batches; batch++, at++) {
    nu_step step = {at, batch_first(trainer, batch), batch_rows(trainer, batch)};
    bool fine = trainer->iteration->step(training, team, thread, &step, &outcome);
    if (fine && thread == 0) close_step(trainer, &outcome);
    if (fine) nu_team_barrier(team);
    if (!fine || nu_engine_not_finite(&training->engine)) {
      if (thread == 0) trainer->diverged = true;
      return;
    }
    if (trainer->action != NUMANN_CONTINUE) return;
  }
}

/* ---- between epochs */

static void take_best(numann_trainer *trainer) {
  const nu_state *state = &trainer->state;
  memcpy(trainer->network->parameters, state->best, state->n_parameters * sizeof(float));
  trainer->kept = (mark){.step = state->best_epoch * trainer->batches, .epoch = state->best_epoch};
}

static void take_reserve(numann_trainer *trainer) {
  memcpy(trainer->network->parameters, trainer->reserve,
         trainer->state.n_parameters * sizeof(float));
  trainer->kept = trainer->reserved;
  drop_reserve(trainer);
}

/* Back to the best epoch of early stopping, else to what the network has. The optimiser's arrays
 * have gone on since then: it begins anew, as those of the moment are what led astray. */
static void go_back(numann_trainer *trainer) {
  nu_state *state = &trainer->state;
  size_t bytes = state->n_parameters * sizeof(float);
  if (state->best_epoch) take_best(trainer);
  else if (trainer->reserve) take_reserve(trainer);
  if (state->weights != trainer->network->parameters)
    memcpy(state->weights, trainer->network->parameters, bytes);
  for (size_t i = 0; i < state->method->n_arrays; i++) memset(state->arrays[i], 0, bytes);
  memset(state->numbers, 0, sizeof state->numbers);
  state->step = trainer->kept.step;
  state->epoch = trainer->kept.epoch;
  state->batch = trainer->kept.batch;
  state->epoch_loss = trainer->kept.epoch_loss;
  load_state(trainer);
}

static numann_status diverged(numann_trainer *trainer, numann_error *err) {
  const nu_state *state = &trainer->state;
  numann_status status = nu_fail_diverged(&trainer->training.engine, state->epoch + 1, state->step,
                                          &trainer->divergence);
  go_back(trainer);
  if (err) *err = trainer->divergence;
  return status;
}

static numann_status save(numann_trainer *trainer, numann_error *err) {
  const numann_observer *observer = trainer->observer;
  collect(trainer);
  store_state(trainer);
  hand_over_weights(trainer);
  numann_status status = NUMANN_OK;
  if (observer && observer->on_save) status = observer->on_save(observer->arg, trainer, err);
  return nu_comm_agree(trainer->comm, status, err);
}

/* Do what the observer asked for at a boundary. */
static numann_status act(numann_trainer *trainer, numann_action action, numann_error *err) {
  if (action == NUMANN_CONTINUE) return NUMANN_OK;
  NU_TRY(save(trainer, err));
  if (action == NUMANN_SAVE) return NUMANN_OK;
  return nu_fail(err, NUMANN_STOPPED, "stopped after step %llu",
                 (unsigned long long)trainer->state.step);
}

/* Early stopping (Prechelt 1998): keep the best weights, end after `patience` epochs without
 * better. */
static void judge(numann_trainer *trainer, numann_epoch *epoch) {
  nu_state *state = &trainer->state;
  nu_float_env env = nu_float_env_enter();
  bool better = isfinite(epoch->validation_loss) &&
                (state->best_epoch == 0 ||
                 epoch->validation_loss < state->best_loss - trainer->min_improvement);
  nu_float_env_leave(&env);
  if (better) {
    nu_engine_store(&trainer->training.engine, NU_WEIGHTS, state->best);
    state->best_epoch = state->epoch;
    state->best_loss = epoch->validation_loss;
  }
  epoch->best = better;
  state->finished = state->epoch - state->best_epoch >= trainer->patience;
}

static numann_status validate(numann_trainer *trainer, numann_epoch *epoch, numann_error *err) {
  if (trainer->data->validation.rows == 0) return NUMANN_OK;
  nu_evaluation evaluation;
  NU_TRY(nu_evaluator_run(&evaluation, &trainer->validation, err));
  epoch->validated = true;
  epoch->validation_loss = evaluation.loss;
  epoch->validation_accuracy = evaluation.accuracy;
  epoch->validation_rmse = evaluation.rmse;
  nu_evaluation_clear(&evaluation);
  if (trainer->patience) judge(trainer, epoch);
  return NUMANN_OK;
}

/* Of the last step, which may have been taken before an interruption. */
static double last_rate(const numann_trainer *trainer) {
  const nu_training *t = &trainer->training;
  if (trainer->iteration->rate) return trainer->iteration->rate(t);
  return (float)nu_schedule_rate(&t->optimizer.schedule, trainer->state.step - 1);
}

static numann_epoch epoch_of(const numann_trainer *trainer, double trained, size_t rows_trained) {
  const nu_state *state = &trainer->state;
  nu_float_env env = nu_float_env_enter();
  numann_epoch epoch = {.epoch = state->epoch + 1,
                        .epochs = trainer->epochs,
                        .step = state->step,
                        .train_loss = state->epoch_loss / (double)trainer->data->train.rows,
                        .learning_rate = last_rate(trainer),
                        .validation_loss = NAN,
                        .validation_accuracy = NAN,
                        .validation_rmse = NAN,
                        .samples_per_s = trained > 0.0 ? (double)rows_trained / trained : 0.0};
  nu_float_env_leave(&env);
  return epoch;
}

/* Weights on their way into a divergence are finite for a while: only better ones take the place of
 * those that the training would go back to. */
static void keep_better(numann_trainer *trainer, const numann_epoch *epoch) {
  nu_float_env env = nu_float_env_enter();
  double loss = epoch->validated ? epoch->validation_loss : epoch->train_loss;
  bool better = loss < trainer->lowest;
  nu_float_env_leave(&env);
  trainer->last = epoch->train_loss;
  if (isnan(trainer->first)) trainer->first = epoch->train_loss;
  if (!better) return;
  trainer->lowest = loss;
  drop_reserve(trainer);
  nu_engine_store(&trainer->training.engine, NU_WEIGHTS, trainer->network->parameters);
  trainer->kept = mark_of(&trainer->state);
}

/* The epoch is complete: validate, tell the observer. */
static numann_status close_epoch(numann_trainer *trainer, double started, double trained,
                                 size_t rows_trained, numann_error *err) {
  nu_state *state = &trainer->state;
  numann_epoch epoch = epoch_of(trainer, trained, rows_trained);
  state->epoch++;
  state->batch = 0;
  state->epoch_loss = 0.0;
  NU_TRY(validate(trainer, &epoch, err));
  keep_better(trainer, &epoch);
  epoch.seconds = nu_clock_seconds() - started;
  const numann_observer *observer = trainer->observer;
  bool asks = observer && observer->on_epoch;
  numann_action own = asks ? observer->on_epoch(observer->arg, &epoch) : NUMANN_CONTINUE;
  return act(trainer, (numann_action)nu_comm_most(trainer->comm, own), err);
}

/* The rest of the running epoch, with as many pauses as the observer asks for. */
static numann_status run_epoch(numann_trainer *trainer, numann_error *err) {
  nu_state *state = &trainer->state;
  double started = nu_clock_seconds(), trained = 0.0;
  size_t rows_before = batch_first(trainer, state->batch);
  nu_data_order(trainer->training.order, trainer->data->train.rows, trainer->plan.problem.seed,
                state->epoch, trainer->shuffle);
  while (state->batch < trainer->batches) {
    double region = nu_clock_seconds();
    trainer->action = NUMANN_CONTINUE;
    NU_TRY(nu_engine_run(&trainer->training.engine, epoch_worker, trainer, err));
    trained += nu_clock_seconds() - region;
    if (trainer->diverged) return diverged(trainer, err);
    NU_TRY(act(trainer, trainer->action, err));
  }
  return close_epoch(trainer, started, trained, trainer->data->train.rows - rows_before, err);
}

static numann_status run(numann_trainer *trainer, numann_error *err) {
  if (trainer->diverged)
    return nu_fail(err, NUMANN_ERR_DIVERGED, "%s", trainer->divergence.message);
  while (trainer->state.epoch < trainer->epochs && !trainer->state.finished) {
    NU_TRY(run_epoch(trainer, err));
  }
  collect(trainer);
  nu_engine_store(&trainer->training.engine, NU_WEIGHTS, trainer->network->parameters);
  trainer->kept = mark_of(&trainer->state);
  if (trainer->state.best_epoch) take_best(trainer);
  return NUMANN_OK;
}

numann_status numann_trainer_run(numann_trainer *trainer, const numann_observer *observer,
                                 numann_error *err) {
  trainer->observer = observer;
  numann_status status = run(trainer, err);
  trainer->observer = NULL;
  return status;
}
