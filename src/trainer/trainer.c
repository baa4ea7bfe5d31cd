/* The epoch loop. SPDX-License-Identifier: MIT
 *
 * One parallel region runs an epoch, or the rest of one; between regions stand validation, early
 * stopping and the observer's on_epoch and on_save. */
#include "trainer/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "machine/float_env.h"
#include "trainer/evaluate.h"
#include "trainer/optimizer.h"
#include "trainer/step.h"

struct numann_trainer {
  numann_network *network; /* borrowed; gets the weights at every epoch's end */
  const numann_plan *plan; /* borrowed */
  const numann_data *data; /* borrowed */
  nu_engine engine;
  nu_optimizer optimizer;
  bool fused;      /* the optimiser runs where the gradient is formed */
  nu_state state;  /* blocks are up to date only after store_state; the counters always */
  uint32_t *order; /* [rows]: the rows of the running epoch in order */
  uint64_t seed;
  uint64_t epochs;  /* to train in all */
  uint64_t batches; /* in an epoch */
  bool shuffle;
  uint64_t patience; /* early stopping: 0 = off */
  double min_improvement;
  const numann_observer *observer; /* of the running numann_trainer_run */
  numann_action action;            /* what the observer asked for at the last step */
  bool diverged;
};

/* ---- creation */

static numann_status check_early_stopping(const numann_trainer *trainer,
                                          const numann_config *config, numann_error *err) {
  if (trainer->patience && trainer->data->validation.rows == 0) {
    return nu_config_fail(config, "train.early_stopping.patience", err,
                          "early stopping without validation rows; set data.validation.fraction");
  }
  return NUMANN_OK;
}

static numann_status check_targets(const numann_trainer *trainer, numann_error *err) {
  const nu_schema *schema = &trainer->data->schema;
  size_t inputs = numann_network_inputs(trainer->network),
         n = numann_network_outputs(trainer->network);
  size_t targets = schema->classes ? schema->classes : schema->targets;
  bool shared = schema->classes == 2 && n == 1;
  if (inputs != schema->features || (n != targets && !shared)) {
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "network %zu -> %zu on data of %zu features and %zu targets; create the network "
                   "from this data",
                   inputs, n, schema->features, targets);
  }
  return NUMANN_OK;
}

static numann_status allocate(numann_trainer *trainer, numann_error *err) {
  bool moment1 = nu_optimizer_has_moment1(&trainer->optimizer);
  bool moment2 = nu_optimizer_has_moment2(&trainer->optimizer);
  size_t rows = trainer->data->train.rows;
  trainer->fused = trainer->plan->fuse && trainer->optimizer.clip_norm == 0.0;
  NU_TRY(nu_engine_create(&trainer->engine, trainer->network, trainer->plan,
                          trainer->fused ? NU_ENGINE_FUSED : NU_ENGINE_GRADIENT, err));
  if (moment1) NU_TRY(nu_engine_add(&trainer->engine, NU_MOMENT1, err));
  if (moment2) NU_TRY(nu_engine_add(&trainer->engine, NU_MOMENT2, err));
  nu_engine_place_data(&trainer->engine, &trainer->data->train);
  trainer->order = nu_alloc(rows, sizeof *trainer->order);
  if (!trainer->order) return nu_fail_memory(err, rows * sizeof *trainer->order, "the row order");
  /* With early stopping the network ends with the best weights, and a checkpoint still wants the
   * last. */
  bool best = trainer->patience > 0;
  return nu_state_borrow(&trainer->state, best ? NULL : trainer->network->parameters,
                         trainer->network->n_parameters, moment1, moment2, best, err);
}

static numann_status create(numann_trainer *trainer, const numann_config *config,
                            numann_error *err) {
  size_t rows = trainer->data->train.rows, batch = trainer->plan->batch;
  trainer->seed = nu_config_count(config, "train.seed");
  trainer->epochs = nu_config_count(config, "train.epochs");
  trainer->shuffle = nu_config_flag(config, "train.shuffle");
  trainer->patience = nu_config_count(config, "train.early_stopping.patience");
  trainer->min_improvement = nu_config_real(config, "train.early_stopping.min_improvement");
  trainer->batches = (rows + batch - 1) / batch;
  NU_TRY(check_targets(trainer, err));
  NU_TRY(check_early_stopping(trainer, config, err));
  NU_TRY(nu_optimizer_create(&trainer->optimizer, config, trainer->batches, err));
  return allocate(trainer, err);
}

numann_status numann_trainer_create(numann_trainer **out, const numann_config *config,
                                    numann_network *network, const numann_plan *plan,
                                    const numann_data *data, numann_error *err) {
  *out = NULL;
  numann_trainer *trainer = nu_alloc(1, sizeof *trainer);
  if (!trainer) return nu_fail_memory(err, sizeof *trainer, "the trainer");
  trainer->network = network;
  trainer->plan = plan;
  trainer->data = data;
  numann_status status = create(trainer, config, err);
  if (status == NUMANN_OK) *out = trainer;
  else numann_trainer_destroy(trainer);
  return status;
}

void numann_trainer_destroy(numann_trainer *trainer) {
  if (!trainer) return;
  if (trainer->engine.plan) nu_engine_clear(&trainer->engine);
  nu_state_clear(&trainer->state);
  free(trainer->order);
  free(trainer);
}

numann_status nu_trainer_report_placement(numann_trainer *trainer, bool pages,
                                          nu_place_report *report, numann_error *err) {
  return nu_engine_report(&trainer->engine, &trainer->data->train, pages, report, err);
}

/* ---- state */

void nu_trainer_needs(const numann_config *config, bool *moment1, bool *moment2, bool *best) {
  nu_optimizer optimizer;
  bool known = nu_optimizer_create(&optimizer, config, 1, NULL) == NUMANN_OK;
  *moment1 = known && nu_optimizer_has_moment1(&optimizer);
  *moment2 = known && nu_optimizer_has_moment2(&optimizer);
  *best = nu_config_count(config, "train.early_stopping.patience") > 0;
}

/* Engine form to the state's logical blocks. */
static void store_state(numann_trainer *trainer) {
  nu_state *state = &trainer->state;
  nu_engine_store(&trainer->engine, NU_WEIGHTS, state->weights);
  if (state->moment1) nu_engine_store(&trainer->engine, NU_MOMENT1, state->moment1);
  if (state->moment2) nu_engine_store(&trainer->engine, NU_MOMENT2, state->moment2);
}

const nu_state *nu_trainer_state_view(numann_trainer *trainer) {
  store_state(trainer);
  return &trainer->state;
}

/* The state's weights may be the network's. */
static void copy_block(float *to, const float *from, size_t n) {
  if (to && to != from) memcpy(to, from, n * sizeof *to);
}

numann_status nu_trainer_restore(numann_trainer *trainer, const nu_state *state,
                                 numann_error *err) {
  nu_state *mine = &trainer->state;
  if (state->n_parameters != mine->n_parameters || !state->moment1 != !mine->moment1 ||
      !state->moment2 != !mine->moment2 || !state->best != !mine->best) {
    return nu_fail(err, NUMANN_ERR_MODEL,
                   "the checkpoint has %zu parameters and another set of optimiser tensors, this "
                   "network has %zu; resume with the config that it was made with",
                   state->n_parameters, mine->n_parameters);
  }
  nu_state blocks = *mine;
  *mine = *state;
  mine->weights = blocks.weights;
  mine->borrowed = blocks.borrowed;
  mine->moment1 = blocks.moment1;
  mine->moment2 = blocks.moment2;
  mine->best = blocks.best;
  copy_block(mine->weights, state->weights, state->n_parameters);
  copy_block(mine->moment1, state->moment1, state->n_parameters);
  copy_block(mine->moment2, state->moment2, state->n_parameters);
  copy_block(mine->best, state->best, state->n_parameters);
  nu_engine_load(&trainer->engine, NU_WEIGHTS, mine->weights);
  if (mine->moment1) nu_engine_load(&trainer->engine, NU_MOMENT1, mine->moment1);
  if (mine->moment2) nu_engine_load(&trainer->engine, NU_MOMENT2, mine->moment2);
  copy_block(trainer->network->parameters, mine->weights, mine->n_parameters);
  return NUMANN_OK;
}

/* ---- one epoch, on every thread of the team */

static size_t batch_first(const numann_trainer *trainer, uint64_t batch) {
  return (size_t)batch * trainer->plan->batch;
}

/* The last batch may be smaller; it is divided by its own size. */
static size_t batch_rows(const numann_trainer *trainer, uint64_t batch) {
  size_t rest = trainer->data->train.rows - batch_first(trainer, batch);
  return rest < trainer->plan->batch ? rest : trainer->plan->batch;
}

/* Continue the sum of row losses in the order of the rows. Every thread computes the same. */
static double add_losses(const nu_engine *engine, size_t rows, double sum) {
  for (size_t i = 0; i < rows; i++) sum += engine->row_loss[i];
  return sum;
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

/* Thread 0 counts the step and asks the observer, before the barrier that publishes both. */
static void close_step(numann_trainer *trainer, double loss_sum, double learning_rate) {
  nu_state *state = &trainer->state;
  state->step++;
  state->batch++;
  state->epoch_loss = loss_sum;
  const numann_observer *observer = trainer->observer;
  if (!observer || !observer->on_step) return;
  numann_progress progress = progress_at(trainer, learning_rate);
  trainer->action = observer->on_step(observer->arg, &progress);
}

/* (4.12), then (4.5) and (4.8); fused unless clipping needs the whole gradient first. In all chunks
 * but the last only the gradient. Returns eta. */
static double descend(numann_trainer *trainer, nu_team *team, size_t thread, uint64_t at,
                      const nu_chunk *chunk) {
  nu_engine *engine = &trainer->engine;
  const nu_optimizer *optimizer = &trainer->optimizer;
  double norm = 0.0;
  if (!trainer->fused) {
    nu_engine_backward(engine, team, thread, chunk, NULL);
    if (!chunk->last) return 0.0;
    if (optimizer->clip_norm > 0.0) norm = nu_engine_norm(engine, team, thread);
  }
  nu_update update = nu_optimizer_step(optimizer, at, chunk->batch, norm);
  if (trainer->fused) nu_engine_backward(engine, team, thread, chunk, &update);
  else nu_engine_update(engine, thread, &update);
  return (double)update.learning_rate;
}

/* One step; false when the losses of the batch are not finite, the weights then untouched. */
static bool step(numann_trainer *trainer, nu_team *team, size_t thread, uint64_t at,
                 uint64_t number, double *loss_sum) {
  nu_engine *engine = &trainer->engine;
  nu_batch batch = {&trainer->data->train, trainer->order, batch_first(trainer, number)};
  size_t rows = batch_rows(trainer, number), chunks = nu_plan_chunks(trainer->plan, rows);
  double learning_rate = 0.0;
  for (size_t c = 0; c < chunks; c++) {
    nu_chunk chunk = nu_plan_chunk(trainer->plan, rows, thread, c);
    nu_engine_gather(engine, team, thread, &batch, &chunk);
    nu_engine_forward(engine, team, thread, &chunk);
    nu_engine_output(engine, team, thread, &chunk, true);
    if (chunk.last) *loss_sum = add_losses(engine, rows, *loss_sum);
    if (!isfinite(*loss_sum)) return false;
    learning_rate = descend(trainer, team, thread, at, &chunk);
  }
  if (thread == 0) close_step(trainer, *loss_sum, learning_rate);
  nu_team_barrier(team);
  return !nu_engine_not_finite(engine);
}

/* Steps from the data cursor to the end of the epoch, or to where the observer wants a pause. Each
 * thread keeps its own count and sum, so that no decision needs another barrier. */
static void epoch_worker(nu_team *team, size_t thread, void *arg) {
  numann_trainer *trainer = arg;
  double loss_sum = trainer->state.epoch_loss;
  uint64_t at = trainer->state.step, batch = trainer->state.batch;
  nu_team_barrier(team); /* all have read the state before thread 0 moves it on */
  for (; batch < trainer->batches; batch++, at++) {
    if (!step(trainer, team, thread, at, batch, &loss_sum)) {
      if (thread == 0) trainer->diverged = true;
      return;
    }
    if (trainer->action != NUMANN_CONTINUE) return;
  }
}

/* ---- between epochs */

static numann_status diverged(const numann_trainer *trainer, numann_error *err) {
  return nu_fail(
      err, NUMANN_ERR_DIVERGED,
      "epoch %llu, step %llu: the loss or a weight is not finite; lower "
      "train.optimizer.learning_rate, set train.clip_norm, or scale the data (data.scale)",
      (unsigned long long)trainer->state.epoch + 1, (unsigned long long)trainer->state.step + 1);
}

static numann_status save(numann_trainer *trainer, numann_error *err) {
  const numann_observer *observer = trainer->observer;
  store_state(trainer);
  copy_block(trainer->network->parameters, trainer->state.weights, trainer->state.n_parameters);
  return observer && observer->on_save ? observer->on_save(observer->arg, trainer, err) : NUMANN_OK;
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
  bool better = state->best_epoch == 0 ||
                epoch->validation_loss < state->best_loss - trainer->min_improvement;
  nu_float_env_leave(&env);
  if (better) {
    memcpy(state->best, trainer->network->parameters, state->n_parameters * sizeof(float));
    state->best_epoch = state->epoch;
    state->best_loss = epoch->validation_loss;
  }
  epoch->best = better;
  state->finished = state->epoch - state->best_epoch >= trainer->patience;
}

static numann_status validate(numann_trainer *trainer, numann_epoch *epoch, numann_error *err) {
  const nu_rows *rows = &trainer->data->validation;
  if (rows->rows == 0) return NUMANN_OK;
  nu_evaluation evaluation;
  NU_TRY(nu_evaluate_engine(&evaluation, &trainer->engine, trainer->network, rows,
                            &trainer->data->schema, trainer->plan->threads, err));
  epoch->validated = true;
  epoch->validation_loss = evaluation.loss;
  epoch->validation_accuracy = evaluation.accuracy;
  epoch->validation_rmse = evaluation.rmse;
  nu_evaluation_clear(&evaluation);
  if (trainer->patience) judge(trainer, epoch);
  return NUMANN_OK;
}

static numann_epoch epoch_of(const numann_trainer *trainer, double trained, size_t rows_trained) {
  const nu_state *state = &trainer->state;
  nu_float_env env = nu_float_env_enter();
  numann_epoch epoch = {
      .epoch = state->epoch + 1,
      .epochs = trainer->epochs,
      .step = state->step,
      .train_loss = state->epoch_loss / (double)trainer->data->train.rows,
      .learning_rate = (float)nu_schedule_rate(&trainer->optimizer.schedule, state->step - 1),
      .validation_loss = NAN,
      .validation_accuracy = NAN,
      .validation_rmse = NAN,
      .samples_per_s = trained > 0.0 ? (double)rows_trained / trained : 0.0};
  nu_float_env_leave(&env);
  return epoch;
}

/* The epoch is complete: validate, tell the observer. */
static numann_status close_epoch(numann_trainer *trainer, double started, double trained,
                                 size_t rows_trained, numann_error *err) {
  nu_state *state = &trainer->state;
  numann_epoch epoch = epoch_of(trainer, trained, rows_trained);
  state->epoch++;
  state->batch = 0;
  state->epoch_loss = 0.0;
  nu_engine_store(&trainer->engine, NU_WEIGHTS, trainer->network->parameters);
  NU_TRY(validate(trainer, &epoch, err));
  epoch.seconds = nu_clock_seconds() - started;
  const numann_observer *observer = trainer->observer;
  bool asks = observer && observer->on_epoch;
  return act(trainer, asks ? observer->on_epoch(observer->arg, &epoch) : NUMANN_CONTINUE, err);
}

/* The rest of the running epoch, with as many pauses as the observer asks for. */
static numann_status run_epoch(numann_trainer *trainer, numann_error *err) {
  nu_state *state = &trainer->state;
  double started = nu_clock_seconds(), trained = 0.0;
  size_t rows_before = batch_first(trainer, state->batch);
  nu_data_order(trainer->order, trainer->data->train.rows, trainer->seed, state->epoch,
                trainer->shuffle);
  while (state->batch < trainer->batches) {
    double region = nu_clock_seconds();
    trainer->action = NUMANN_CONTINUE;
    NU_TRY(nu_engine_run(&trainer->engine, epoch_worker, trainer, err));
    trained += nu_clock_seconds() - region;
    if (trainer->diverged) return diverged(trainer, err);
    NU_TRY(act(trainer, trainer->action, err));
  }
  return close_epoch(trainer, started, trained, trainer->data->train.rows - rows_before, err);
}

static numann_status run(numann_trainer *trainer, numann_error *err) {
  if (trainer->diverged) return diverged(trainer, err);
  while (trainer->state.epoch < trainer->epochs && !trainer->state.finished) {
    NU_TRY(run_epoch(trainer, err));
  }
  if (trainer->state.best_epoch) {
    memcpy(trainer->network->parameters, trainer->state.best,
           trainer->state.n_parameters * sizeof(float));
  }
  return NUMANN_OK;
}

numann_status numann_trainer_run(numann_trainer *trainer, const numann_observer *observer,
                                 numann_error *err) {
  trainer->observer = observer;
  numann_status status = run(trainer, err);
  trainer->observer = NULL;
  return status;
}
