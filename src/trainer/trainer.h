/* Trainer inside numann: the state that a checkpoint holds. SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_TRAINER_H
#define NU_TRAINER_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "network/network.h"
#include "numann/trainer.h"
#include "trainer/place.h"

/* Everything that training needs to go on, in logical form. The blocks have the layout of
 * numann_network.parameters: W(1), b(1), W(2), ...; [n_parameters] floats each. */
typedef struct nu_state {
  uint64_t step;       /* updates done */
  uint64_t epoch;      /* whole epochs done */
  uint64_t batch;      /* batches done in the running epoch: the data cursor */
  double epoch_loss;   /* sum of row losses over the running epoch so far */
  uint64_t best_epoch; /* early stopping: epoch of `best`, 0 = none yet */
  double best_loss;    /* its validation loss */
  bool finished;       /* early stopping has ended the training */
  size_t n_parameters;
  float *weights; /* current parameters */
  bool borrowed;  /* weights are another's, who frees them */
  float *moment1; /* optimiser: velocity or first moment; NULL where the rule has none */
  float *moment2; /* optimiser: second moment; NULL where the rule has none */
  float *best;    /* best parameters; NULL without early stopping */
} nu_state;

/* Allocate weights and the blocks that are needed; all zero. */
numann_status nu_state_allocate(nu_state *state, size_t n_parameters, bool moment1, bool moment2,
                                bool best, numann_error *err);
/* The same with the weights of somebody else. */
numann_status nu_state_borrow(nu_state *state, float *weights, size_t n_parameters, bool moment1,
                              bool moment2, bool best, numann_error *err);
void nu_state_clear(nu_state *state);

/* The trainer's state, borrowed: valid until the trainer runs again or is destroyed. To be called
 * from on_save or between runs. Without early stopping its weights are the network's own, which
 * become the current ones. */
const nu_state *nu_trainer_state_view(numann_trainer *trainer);

/* Continue from a saved state (copied): same shapes and blocks, else NUMANN_ERR_MODEL. */
numann_status nu_trainer_restore(numann_trainer *trainer, const nu_state *state, numann_error *err);

/* Where the trainer's memory and threads are, as against the plan. Between runs. */
numann_status nu_trainer_report_placement(numann_trainer *trainer, bool pages,
                                          nu_place_report *report, numann_error *err);

/* Which blocks the config's optimiser and early stopping need. */
void nu_trainer_needs(const numann_config *config, bool *moment1, bool *moment2, bool *best);

#endif
