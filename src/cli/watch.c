/* What goes on while a run trains. SPDX-License-Identifier: MIT */
#include "cli/watch.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/signals.h"

/* A full disk may be a neighbour's and pass; a third checkpoint that fails is a fault. */
#define MOST_FAILURES 3

/* ---- opening and closing */

numann_status nu_watch_open(nu_watch *watch, const nu_run_folder *folder,
                            const numann_config *config, numann_network *network,
                            const numann_data *data, const nu_state *start,
                            const nu_arguments *args, numann_error *err) {
  nu_config_write(config, NU_CONFIG_MODEL, &watch->config_text);
  if (watch->config_text.failed)
    return nu_fail_memory(err, watch->config_text.length, "the config");
  watch->folder = folder;
  watch->args = args;
  watch->saved = (nu_saved){.network = network,
                            .schema = data->schema,
                            .config_text = watch->config_text.data,
                            .data_sum = nu_data_sum(data),
                            .has_state = true};
  nu_config_every(config, &watch->every_seconds, &watch->every_epochs, &watch->every_steps);
  watch->keep = nu_config_count(config, "checkpoint.keep");
  watch->last_save = nu_clock_seconds();
  watch->saved_step = start->step;
  watch->saved_epoch = start->epoch;
  watch->rows = (double)data->train.rows;
  watch->first_loss = NAN;
  watch->sound_step = start->step;
  watch->progress = nu_progress_create(stderr, nu_given(args, NU_OPTION_QUIET));
  if (!watch->progress) return nu_fail_memory(err, 256, "the progress line");
  return nu_metrics_open(&watch->metrics, folder->path, start->epoch, err);
}

void nu_watch_close(nu_watch *watch) {
  if (watch->progress) nu_progress_destroy(watch->progress);
  if (watch->metrics) nu_metrics_close(watch->metrics);
  nu_text_clear(&watch->config_text);
}

/* ---- checkpoints */

/* A failed write leaves the older checkpoints whole, so the training may go on for a while. */
static numann_status bear_failure(nu_watch *watch, numann_status status, const numann_error *err) {
  watch->failures++;
  bool fatal = status != NUMANN_ERR_IO || watch->stopping || watch->failures >= MOST_FAILURES;
  if (fatal) return status;
  nu_progress_end(watch->progress);
  nu_warn("checkpoint not written (%u of %d failures in a row that end the run): %s",
          watch->failures, MOST_FAILURES, err->message);
  return NUMANN_OK;
}

/* A checkpoint in a new folder of that name would be a run without its other files, or would lie
 * among those of another run. */
static numann_status check_folder(const nu_watch *watch, numann_error *err) {
  if (nu_run_lock_stands(&watch->folder->lock, watch->folder->path)) return NUMANN_OK;
  return nu_fail(
      err, NUMANN_ERR_IO,
      "%s: the run folder was removed, renamed or replaced during the training; what was "
      "saved up to step %llu went with it, later steps are not saved; put it back, or "
      "train again",
      watch->folder->path, (unsigned long long)watch->saved_step);
}

/* On the way into a divergence the last checkpoint from before stays, whatever comes. */
static bool explodes(const nu_watch *watch) { return watch->loss > watch->first_loss; }

/* The losses that came after the checkpoint before this one are what speaks for it; for this one
 * nothing does as yet. */
static void note_sound_step(nu_watch *watch) {
  if (explodes(watch)) return;
  watch->sound_step = watch->saved_step ? watch->saved_step : watch->saved.state.step;
}

static numann_status write_checkpoint(const nu_watch *watch, nu_writers *writers,
                                      numann_error *err) {
  NU_TRY(check_folder(watch, err));
  uint64_t spared = explodes(watch) ? watch->sound_step : 0;
  return nu_checkpoint_write_by(writers, watch->folder->checkpoints, &watch->saved, watch->keep,
                                spared, err);
}

static numann_status save_by(nu_watch *watch, nu_writers *writers, numann_trainer *trainer,
                             numann_error *err) {
  watch->saved.state = *nu_trainer_state_view(trainer);
  numann_error own = {0};
  numann_status status = write_checkpoint(watch, writers, &own);
  watch->last_save = nu_clock_seconds();
  nu_time_limit_saved(&watch->limit);
  if (status == NUMANN_OK) {
    watch->failures = 0;
    note_sound_step(watch);
    watch->saved_step = watch->saved.state.step;
    watch->saved_epoch = watch->saved.state.epoch;
    return NUMANN_OK;
  }
  if (err) *err = own;
  return bear_failure(watch, status, &own);
}

numann_status nu_watch_save(nu_watch *watch, numann_trainer *trainer, numann_error *err) {
  return save_by(watch, NULL, trainer, err);
}

/* Once: not again when no rank is asked any more. */
static numann_status save_by_all(nu_watch *watch, numann_trainer *trainer, numann_error *err) {
  nu_writers *writers = &watch->writers;
  bool asks = !writers->alone;
  numann_status status = save_by(watch, writers, trainer, err);
  nu_writers_dismiss(writers);
  if (asks && writers->alone) {
    nu_progress_end(watch->progress);
    nu_note(watch->args, "rank 0 writes the checkpoints alone, as not all ranks can: %s",
            writers->why.message);
  }
  return status;
}

numann_status nu_watch_finish(nu_watch *watch, numann_trainer *trainer, numann_error *err) {
  nu_progress_end(watch->progress);
  watch->stopping = true;
  const nu_state *state = nu_trainer_state_view(trainer);
  bool done = watch->saved_step == state->step && watch->saved_epoch == state->epoch;
  if (!done) NU_TRY(nu_watch_save(watch, trainer, err));
  return check_folder(watch, err);
}

/* ---- the observer */

/* every 0: never. */
static bool is_due(uint64_t count, uint64_t every) { return every > 0 && count % every == 0; }

static bool is_time(const nu_watch *watch) {
  return watch->every_seconds > 0 && nu_clock_seconds() - watch->last_save >= watch->every_seconds;
}

static numann_action choose_action(nu_watch *watch, bool due, numann_action limit) {
  if (!watch->stop) watch->stop = nu_signals_received();
  if (!watch->stop && limit == NUMANN_STOP) watch->stop = "train.max_time";
  watch->stopping = watch->stop;
  if (watch->stopping) return NUMANN_STOP;
  return due ? NUMANN_SAVE : limit;
}

static numann_action on_step(void *arg, const numann_progress *at) {
  nu_watch *watch = arg;
  watch->loss = at->train_loss;
  nu_progress_step(watch->progress, at);
  return choose_action(watch, is_time(watch) || is_due(at->step, watch->every_steps),
                       nu_time_limit_step(&watch->limit, at));
}

static void add_metrics(nu_watch *watch, const numann_epoch *epoch) {
  numann_error err = {0};
  if (nu_metrics_add(watch->metrics, epoch, &err) == NUMANN_OK || watch->metrics_failed) return;
  watch->metrics_failed = true;
  nu_progress_end(watch->progress);
  nu_warn("%s; the training goes on without", err.message);
}

static void count_time(nu_watch *watch, const numann_epoch *epoch) {
  if (!(isfinite(epoch->samples_per_s) && epoch->samples_per_s > 0)) return;
  watch->rows_trained += watch->rows;
  watch->seconds += watch->rows / epoch->samples_per_s;
}

static numann_action on_epoch(void *arg, const numann_epoch *epoch) {
  nu_watch *watch = arg;
  watch->loss = epoch->train_loss;
  if (isnan(watch->first_loss)) watch->first_loss = epoch->train_loss;
  count_time(watch, epoch);
  add_metrics(watch, epoch);
  nu_progress_epoch(watch->progress, epoch);
  return choose_action(watch, is_due(epoch->epoch, watch->every_epochs),
                       nu_time_limit_epoch(&watch->limit, epoch));
}

static numann_status on_save(void *arg, numann_trainer *trainer, numann_error *err) {
  nu_watch *watch = arg;
  watch->stopping |= nu_trainer_stops(trainer); /* another rank may have had the signal */
  return save_by_all(watch, trainer, err);
}

numann_observer nu_watch_observer(nu_watch *watch) {
  return (numann_observer){
      .arg = watch, .on_step = on_step, .on_epoch = on_epoch, .on_save = on_save};
}

double nu_watch_rate(const nu_watch *watch) {
  return watch->seconds > 0 ? watch->rows_trained / watch->seconds : NAN;
}
