/* Methods: how training moves the weights, a row each. SPDX-License-Identifier: MIT
 *
 * A method is an element-wise rule of the kernels, fused into the gradient where nothing forbids
 * it, or an iteration of its own in src/trainer. Either keeps arrays of one number per parameter:
 * they are booked by the ledger, live in the engine's form, and stand in checkpoints under their
 * names. The formulas and their sources stand with nu_rule, in kernels.h. */
#ifndef NU_NETWORK_METHODS_H
#define NU_NETWORK_METHODS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "numann/config.h"

/* The most arrays, spare ones included, and doubles that a method may have. */
enum { NU_METHOD_ARRAYS = 24, NU_METHOD_NUMBERS = 16 };

typedef struct nu_method {
  const char *name; /* in configs and files */
  nu_rule rule;     /* NU_RULES: none, the method has an iteration of its own */
  double rate;      /* the learning rate where the config has none; 0: it has no use for one */
  bool betas;       /* its decays are beta1 and beta2, and early steps are corrected for them */
  bool whole;       /* no weight may move before the gradient is complete: never fused */
  bool full_batch;  /* compares gradients of the same rows from step to step */
  size_t n_arrays;  /* of its state */
  size_t n_spare;   /* more that hold nothing between steps; after the others */
  const char *const *arrays; /* [n_arrays]: names */
  unsigned squares;          /* bit i: array i holds squares or lengths, none below 0 */
  size_t n_numbers;          /* doubles of its state beside the arrays */
  size_t n_counts;           /* so many of them, the first ones, are whole numbers from 0 */
} nu_method;

/* The method that train.optimizer.name names. NUMANN_ERR_CONFIG when there is none. */
numann_status nu_method_of(const nu_method **out, const numann_config *config, numann_error *err);
/* By name; NULL: unknown. */
const nu_method *nu_method_named(const char *name);
/* The i-th of the table; NULL behind the last. */
const nu_method *nu_method_at(size_t i);

#endif
