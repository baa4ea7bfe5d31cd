/* One training of the command, in the hands of its two files: train.c takes it from the config to
 * the last step, outcome.c from there to what it leaves. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_RUN_H
#define NU_CLI_RUN_H

#include "checkpoint/checkpoint.h"
#include "cli/arguments.h"
#include "cli/forecast.h"
#include "cli/rescue.h"
#include "cli/result.h"
#include "cli/run_folder.h"
#include "cli/watch.h"
#include "machine/comm.h"
#include "trainer/trainer.h"

/* From the config to the files that it leaves. Owns everything. */
typedef struct nu_run {
  const nu_arguments *args; /* borrowed */
  nu_comm *comm;            /* borrowed; rank 0 leads: it alone has a folder, and speaks */
  double started;
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
  numann_trainer *trainer;
  nu_run_folder folder;
  char *diverged;   /* what an earlier training of the folder has diverged with; NULL: none has */
  nu_saved resumed; /* the checkpoint that the run goes on from; all zero for a new run */
  nu_watch watch;
  nu_parts parts;
  nu_sent sent;           /* by the ranks in a step */
  nu_place_report placed; /* what was found of the placement when training ended */
  char sha256[65];        /* "" until the training has ended */
  const char *stop;       /* the signal or key that stopped the run, or NULL */
  uint64_t epochs, steps; /* done, once the training has ended */
} nu_run;

/* Does this process have the run folder, and the word? */
static inline bool nu_run_leads(const nu_run *r) { return r->comm->rank == 0; }
/* Is the whole placement asked for? */
static inline bool nu_run_explains(const nu_run *r) {
  return nu_given(r->args, NU_OPTION_EXPLAIN_PLACEMENT);
}
/* Of the training rows: inputs and targets. */
size_t nu_run_training_bytes(const nu_run *r);
nu_rescue nu_run_rescue(const nu_run *r);

/* After the last step: model, evaluation, report, table. The evaluation takes memory of its own, as
 * the trainer needs no more. */
numann_status nu_run_finish(nu_run *r, numann_error *err);
/* What --json prints of it, finished or stopped. */
void nu_run_write_json(const nu_run *r, nu_text *out);

#endif
