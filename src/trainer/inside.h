/* The trainer's inside, for its two files: trainer.c makes it and keeps its state, epochs.c runs
 * it. SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_INSIDE_H
#define NU_TRAINER_INSIDE_H

#include "trainer/evaluate.h"
#include "trainer/iteration.h"
#include "trainer/ranks.h"
#include "trainer/trainer.h"

/* How far a training had come. */
typedef struct nu_mark {
  uint64_t step, epoch, batch;
  double epoch_loss;
} nu_mark;

struct numann_trainer {
  nu_comm *comm;           /* the processes that train together; borrowed */
  numann_network *network; /* borrowed; gets weights when they are saved, and those of an epoch's
                              end that is better than all before it */
  nu_mark kept;            /* when the network had its weights */
  float *reserve;     /* what it had before saves on the way into a divergence; owned; or NULL */
  nu_mark reserved;   /* when it had that */
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
  uint64_t last_step;      /* stop after it; 0: do not */
  bool shuffle;
  uint64_t patience; /* early stopping: 0 = off */
  double min_improvement;
  const numann_observer *observer; /* of the running numann_trainer_run */
  numann_action action;            /* what the observer asked for at the last boundary */
  nu_traffic whole, rest; /* sent in the last step of a whole batch, and of a smaller one */
  bool diverged;
  numann_error divergence; /* what was said of it */
};

/* What the state stands at. */
nu_mark nu_mark_of(const nu_state *state);

/* The optimiser's arrays whole on every rank, each of which has updated its part. Collective. */
void nu_trainer_collect(numann_trainer *trainer);
/* Engine form to the state's logical blocks, and back. */
void nu_trainer_store(numann_trainer *trainer);
void nu_trainer_load(numann_trainer *trainer);
/* The state's weights become the network's. */
void nu_trainer_hand_over(numann_trainer *trainer);
void nu_trainer_drop_reserve(numann_trainer *trainer);

#endif
