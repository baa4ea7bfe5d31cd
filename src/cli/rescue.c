/* What is kept of a training that explodes. SPDX-License-Identifier: MIT */
#include "cli/rescue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "trainer/evaluate.h"

/* Above so many times the lowest of an epoch a loss is looked at more closely. */
#define SUSPICIOUS 2.0

/* ---- is a network any good? */

static numann_status loss_of(const nu_rescue *rescue, const numann_network *network, double *loss,
                             numann_error *err) {
  const numann_data *data = rescue->data;
  nu_evaluation evaluation;
  NU_TRY(nu_evaluate(&evaluation, network, &data->train, &data->schema, rescue->threads, err));
  *loss = evaluation.loss;
  nu_evaluation_clear(&evaluation);
  return NUMANN_OK;
}

static numann_status untrained_loss(const nu_rescue *rescue, double *loss, numann_error *err) {
  numann_network *untrained;
  NU_TRY(numann_network_create(&untrained, rescue->config, rescue->data, err));
  numann_status status = loss_of(rescue, untrained, loss, err);
  numann_network_destroy(untrained);
  return status;
}

static bool is_sound(double loss, double untrained) { return isfinite(loss) && loss <= untrained; }

/* ---- which state is kept */

typedef struct kept {
  uint64_t step, epoch; /* step 0: nothing is kept */
  double loss, untrained;
} kept;

/* What the trainer went back to, made a checkpoint unless it is one. */
static numann_status keep_trainers(const nu_rescue *rescue, nu_watch *watch,
                                   numann_trainer *trainer, const numann_network *network,
                                   kept *found, numann_error *err) {
  const nu_state *state = nu_trainer_state_view(trainer);
  if (state->step == 0) return NUMANN_OK;
  NU_TRY(loss_of(rescue, network, &found->loss, err));
  if (!is_sound(found->loss, found->untrained)) return NUMANN_OK;
  NU_TRY(nu_watch_finish(watch, trainer, err));
  found->step = state->step;
  found->epoch = state->epoch;
  return nu_checkpoint_drop_from(rescue->folder->checkpoints, state->step + 1, err);
}

/* The newest checkpoint that is sound; newer ones go. */
static numann_status keep_checkpoint(const nu_rescue *rescue, kept *found, numann_error *err) {
  const char *folder = rescue->folder->checkpoints;
  for (bool there = true; there && found->step == 0;) {
    nu_saved saved;
    NU_TRY(nu_checkpoint_newest(&saved, &there, folder, NU_FOR_RESUME, NULL, err));
    if (!there) return NUMANN_OK;
    numann_status status = loss_of(rescue, saved.network, &found->loss, err);
    if (status == NUMANN_OK && is_sound(found->loss, found->untrained)) {
      found->step = saved.state.step;
      found->epoch = saved.state.epoch;
    } else if (status == NUMANN_OK) {
      status = nu_checkpoint_drop_from(folder, saved.state.step, err);
    }
    nu_saved_clear(&saved);
    NU_TRY(status);
  }
  return NUMANN_OK;
}

static numann_status keep(const nu_rescue *rescue, nu_watch *watch, numann_trainer *trainer,
                          const numann_network *network, kept *found, numann_error *err) {
  NU_TRY(untrained_loss(rescue, &found->untrained, err));
  NU_TRY(keep_trainers(rescue, watch, trainer, network, found, err));
  return found->step ? NUMANN_OK : keep_checkpoint(rescue, found, err);
}

/* ---- what is said */

static void add_kept(const nu_rescue *rescue, const kept *found, numann_error *err) {
  size_t n = strlen(err->message);
  char *end = err->message + n;
  if (found->step == 0) {
    snprintf(end, sizeof err->message - n,
             "; nothing is kept: no state answers better than an untrained network");
    return;
  }
  snprintf(end, sizeof err->message - n,
           "; kept in %s: the checkpoint of step %llu, after %llu whole epochs, loss %.4g "
           "(untrained: %.4g); predict, eval and info use it, and train --resume goes on from it, "
           "also with another learning_rate or clip_norm",
           rescue->folder->path, (unsigned long long)found->step, (unsigned long long)found->epoch,
           found->loss, found->untrained);
}

void nu_rescue_run(const nu_rescue *rescue, nu_watch *watch, numann_trainer *trainer,
                   const numann_network *network, numann_error *err) {
  kept found = {0};
  numann_error own = {0};
  numann_status status = nu_diverged_write(rescue->folder->path, err->message, &own);
  if (status == NUMANN_OK) status = keep(rescue, watch, trainer, network, &found, &own);
  if (status == NUMANN_OK) add_kept(rescue, &found, err);
  else nu_warn("the weights from before the divergence were not kept: %s", own.message);
}

void nu_rescue_warn(const nu_rescue *rescue, double loss, double lowest) {
  double untrained;
  if (loss <= SUSPICIOUS * lowest || untrained_loss(rescue, &untrained, NULL) != NUMANN_OK ||
      is_sound(loss, untrained))
    return;
  nu_warn(
      "%s: the training has exploded: the model's loss on the training rows is %.4g, an "
      "untrained network's %.4g, the lowest of an epoch was %.4g; lower "
      "train.optimizer.learning_rate, set train.clip_norm, or train fewer epochs",
      rescue->folder->path, loss, untrained, lowest);
}
