/* A small training job on generated data, for the tests of the trainer.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_TRAINING_H
#define TESTS_TRAINING_H

#include <stddef.h>

#include "machine/comm.h"
#include "numann.h"
#include "plan/plan.h"

#define TRAINING_ROWS 203
#define TRAINING_FEATURES 37
#define TRAINING_CLASSES 5

/* Network 37 - 45 tanh - 33 relu - 5 softmax, batches of 97 (so that the last of an epoch is
 * smaller), 3 epochs, grain 8, seed 5. */
typedef struct training_job {
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
  numann_trainer *trainer;
} training_job;

extern numann_error training_error;

/* Fail the test with training_error's message unless OK. */
void training_must(numann_status status);

/* settings: assignments apart by spaces. */
training_job training_start(const char *settings, size_t threads, nu_strategy strategy);
/* The same on another config. */
training_job training_start_on(const char *base, const char *settings, size_t threads,
                               nu_strategy strategy);
void training_end(training_job *job);

/* Run a job to its end: the hash of its weights. */
void training_hash(const char *settings, size_t threads, nu_strategy strategy, char hex[65]);

/* The same with a plan of which only the problem comes from the settings; the placement (NULL: none)
 * becomes the job's. */
training_job training_start_planned(const char *settings, const nu_plan *plan,
                                    nu_placement *placement);
/* The same as one rank of a communicator, on another config or (NULL) the usual one; trainer NULL: it
 * was refused. */
training_job training_start_ranked(const char *base, const char *settings, const nu_plan *plan,
                                   nu_comm *comm, numann_error *err);
void training_hash_planned(const char *settings, const nu_plan *plan, char hex[65]);

#endif
