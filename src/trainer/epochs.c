/* The epoch loop. SPDX-License-Identifier: MIT
 *
 * One parallel region runs an epoch, or the rest of one; between regions stand validation, early
 * stopping and the observer's on_epoch and on_save. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/least.h"
#include "machine/float_env.h"
#include "trainer/divergence.h"
#include "trainer/inside.h"

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
  ranks->agreed = NUMANN_CONTINUE; /* a step may take no losses, as of a stalled lbfgs */
  if ((unsigned)trainer->action >= ranks->wanted)
    ranks->wanted = NUMANN_CONTINUE; /* it is granted */
  if (own > trainer->action && own > ranks->wanted) ranks->wanted = own;
}

/* Thread 0 counts the step and asks the observer, before the barrier that publishes both. */
static void close_step(numann_trainer *trainer, const nu_outcome *outcome) {
  nu_state *state = &trainer->state;
  state->step++;
  state->batch++;
  state->epoch_loss = outcome->loss;
  bool whole = batch_rows(trainer, state->batch - 1) == trainer->plan.problem.batch;
  *(whole ? &trainer->whole : &trainer->rest) = nu_ranks_traffic(&trainer->training.engine);
  const numann_observer *observer = trainer->observer;
  numann_action own = NUMANN_CONTINUE;
  if (observer && observer->on_step) {
    numann_progress progress = progress_at(trainer, outcome->learning_rate);
    own = observer->on_step(observer->arg, &progress);
  }
  decide(trainer, own);
  if (trainer->last_step && state->step >= trainer->last_step) trainer->action = NUMANN_STOP;
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
  trainer->kept =
      (nu_mark){.step = state->best_epoch * trainer->batches, .epoch = state->best_epoch};
}

static void take_reserve(numann_trainer *trainer) {
  memcpy(trainer->network->parameters, trainer->reserve,
         trainer->state.n_parameters * sizeof(float));
  trainer->kept = trainer->reserved;
  nu_trainer_drop_reserve(trainer);
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
  nu_trainer_load(trainer);
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
  nu_trainer_collect(trainer);
  nu_trainer_store(trainer);
  nu_trainer_hand_over(trainer);
  numann_status status = NUMANN_OK;
  if (observer && observer->on_save) status = observer->on_save(observer->arg, trainer, err);
  return nu_comm_agree(trainer->comm, status, err);
}

bool nu_trainer_stops(const numann_trainer *trainer) { return trainer->action == NUMANN_STOP; }

/* Do what the observer asked for at a boundary. */
static numann_status act(numann_trainer *trainer, numann_action action, numann_error *err) {
  if (action == NUMANN_CONTINUE) return NUMANN_OK;
  trainer->action = action;
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
  numann_status status = nu_evaluator_run(&evaluation, &trainer->validation, err);
  if ((status = nu_comm_agree(trainer->comm, status, err)) != NUMANN_OK) {
    nu_evaluation_clear(&evaluation);
    return status;
  }
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
  nu_trainer_drop_reserve(trainer);
  nu_engine_store(&trainer->training.engine, NU_WEIGHTS, trainer->network->parameters);
  trainer->kept = nu_mark_of(&trainer->state);
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

/* A rank whose threads do not start leaves the others in the midst of a step. */
static numann_status run_region(numann_trainer *trainer, numann_error *err) {
  trainer->action = NUMANN_CONTINUE;
  numann_status status = nu_engine_run(&trainer->training.engine, epoch_worker, trainer, err);
  if (trainer->comm->size > 1) trainer->comm->broken = status != NUMANN_OK;
  return status;
}

/* What any rank has asked for in the last step: before a validation, which may be long. */
static numann_action last_wish(numann_trainer *trainer) {
  nu_engine_ranks *ranks = &trainer->training.engine.ranks;
  if (!ranks->comm) return NUMANN_CONTINUE;
  uint64_t wish = nu_comm_most(ranks->comm, ranks->wanted);
  ranks->wanted = NUMANN_CONTINUE;
  return (numann_action)wish;
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
    NU_TRY(run_region(trainer, err));
    trained += nu_clock_seconds() - region;
    if (trainer->diverged) return diverged(trainer, err);
    NU_TRY(act(trainer, trainer->action, err));
  }
  NU_TRY(act(trainer, last_wish(trainer), err));
  return close_epoch(trainer, started, trained, trainer->data->train.rows - rows_before, err);
}

static numann_status run(numann_trainer *trainer, numann_error *err) {
  if (trainer->diverged)
    return nu_fail(err, NUMANN_ERR_DIVERGED, "%s", trainer->divergence.message);
  while (trainer->state.epoch < trainer->epochs && !trainer->state.finished) {
    NU_TRY(run_epoch(trainer, err));
  }
  nu_trainer_collect(trainer);
  nu_engine_store(&trainer->training.engine, NU_WEIGHTS, trainer->network->parameters);
  trainer->kept = nu_mark_of(&trainer->state);
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
