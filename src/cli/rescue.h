/* What is kept of a training that explodes. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_RESCUE_H
#define NU_CLI_RESCUE_H

#include "cli/run_folder.h"
#include "cli/watch.h"
#include "data/data.h"

/* What a network is judged by; all borrowed. */
typedef struct nu_rescue {
  const nu_run_folder *folder;
  const numann_config *config;
  const numann_data *data;
  size_t threads;
} nu_rescue;

/* After NUMANN_ERR_DIVERGED: the newest state that answers the training rows no worse than an
 * untrained network becomes the run's newest checkpoint, those behind it are removed, and the
 * folder is marked (nu_diverged_write). `network` has the weights that the trainer went back to.
 * What was kept is added to the message. */
void nu_rescue_run(const nu_rescue *rescue, nu_watch *watch, numann_trainer *trainer,
                   const numann_network *network, numann_error *err);

/* A training may also end before its weights stop being finite: a warning for a model whose loss on
 * the training rows is above an untrained network's. `lowest`: the lowest of an epoch; as long as
 * the loss is about that, nothing is computed. */
void nu_rescue_warn(const nu_rescue *rescue, double loss, double lowest);

#endif
