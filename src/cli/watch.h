/* What goes on while a run trains: progress, metrics, checkpoints, and signals that stop it.
 * SPDX-License-Identifier: MIT */
#ifndef NU_CLI_WATCH_H
#define NU_CLI_WATCH_H

#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "checkpoint/together.h"
#include "cli/arguments.h"
#include "cli/run_folder.h"
#include "cli/time_limit.h"
#include "config/config.h"
#include "data/data.h"
#include "numann/trainer.h"
#include "report/report.h"

typedef struct nu_watch {
  const nu_arguments *args;    /* borrowed */
  const nu_run_folder *folder; /* borrowed */
  nu_writers writers;          /* all ranks; the communicator is set before the training begins */
  nu_saved saved;              /* borrows network, schema and config_text; data_sum is its own */
  nu_text config_text;         /* NU_CONFIG_MODEL */
  double every_seconds;        /* checkpoint.every: one of these three, the others are 0 */
  uint64_t every_epochs, every_steps;
  size_t keep; /* checkpoint.keep */
  nu_progress *progress;
  nu_metrics *metrics;
  double last_save;    /* clock of the last try */
  uint64_t saved_step; /* step and whole epochs of the last durable checkpoint */
  uint64_t saved_epoch;
  double loss;         /* of the running epoch so far, or of the last one */
  double first_loss;   /* of the first epoch that this process trained; NaN before its end */
  uint64_t sound_step; /* of the last checkpoint after which losses were no higher; 0: none */
  unsigned failures;   /* checkpoints that failed in a row */
  nu_time_limit limit; /* set before the training begins */
  const char *stop;    /* what ends the training: "SIGTERM", "train.max_time"; NULL: nothing yet */
  bool stopping;       /* this rank or another has had a signal: the next checkpoint is the last */
  bool metrics_failed; /* warned of once */
  double rows;         /* training rows of an epoch */
  double rows_trained; /* in this process */
  double seconds;      /* spent on them, without evaluation */
} nu_watch;

/* Borrows folder, network, data and args. start: the state that a resumed run begins with, all zero
 * for a new one: metrics of later epochs are cut off. */
numann_status nu_watch_open(nu_watch *watch, const nu_run_folder *folder,
                            const numann_config *config, numann_network *network,
                            const numann_data *data, const nu_state *start,
                            const nu_arguments *args, numann_error *err);
numann_observer nu_watch_observer(nu_watch *watch);

/* A checkpoint of where the trainer stands, by this process alone. NUMANN_ERR_IO, too, when the run
 * folder is no longer there. */
numann_status nu_watch_save(nu_watch *watch, numann_trainer *trainer, numann_error *err);
/* The same unless the last one is just that. */
numann_status nu_watch_finish(nu_watch *watch, numann_trainer *trainer, numann_error *err);

/* Rows per second over all epochs of this process; NaN when none was trained. */
double nu_watch_rate(const nu_watch *watch);

void nu_watch_close(nu_watch *watch);

#endif
