/* The state of a training: everything that a checkpoint must hold. SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_STATE_H
#define NU_TRAINER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "network/methods.h"

/* In logical form: the blocks have the layout of numann_network.parameters, W(1), b(1), W(2), ...;
 * [n_parameters] floats each. */
typedef struct nu_state {
  uint64_t step;       /* updates done */
  uint64_t epoch;      /* whole epochs done */
  uint64_t batch;      /* batches done in the running epoch: the data cursor */
  double epoch_loss;   /* sum of row losses over the running epoch so far */
  uint64_t best_epoch; /* early stopping: epoch of `best`, 0 = none yet */
  double best_loss;    /* its validation loss */
  bool finished;       /* early stopping has ended the training */
  size_t n_parameters;
  const nu_method *method;           /* names and counts what it keeps: */
  float *arrays[NU_METHOD_ARRAYS];   /* [method->n_arrays], owned */
  double numbers[NU_METHOD_NUMBERS]; /* [method->n_numbers] */
  float *weights;                    /* current parameters */
  bool borrowed;                     /* weights are another's, who frees them */
  float *best;                       /* best parameters; NULL without early stopping; owned */
} nu_state;

/* Allocate the method's arrays and the best parameters where they are needed, all zero, and the
 * weights unless they are somebody else's (weights not NULL). */
numann_status nu_state_create(nu_state *state, float *weights, size_t n_parameters,
                              const nu_method *method, bool best, numann_error *err);
void nu_state_clear(nu_state *state);

/* Do the counts go together, in a training of `batches` an epoch (0: any number)? After the last
 * batch of an epoch `batch` may still be `batches`. */
bool nu_state_counts_agree(const nu_state *state, uint64_t batches);
/* The same, with NUMANN_ERR_MODEL where they do not. */
numann_status nu_state_check_counts(const nu_state *state, uint64_t batches, numann_error *err);

/* The numbers of `from` alone. */
void nu_state_take_counts(nu_state *to, const nu_state *from);
/* The numbers of `from`, and its blocks' contents. NUMANN_ERR_MODEL: it is not of the same shape.
 * */
numann_status nu_state_copy(nu_state *to, const nu_state *from, numann_error *err);

#endif
