/* Optimisers: from train.optimizer to one step of the update kernel. SPDX-License-Identifier: MIT
 *
 * The formulas stand with nu_rule in kernels/kernels.h, that of lbfgs in lbfgs.c. Gradient clipping
 * by norm (Pascanu et al. 2013) scales the mean gradient, before decay, so that its norm is at most
 * train.clip_norm. */
#ifndef NU_TRAINER_OPTIMIZER_H
#define NU_TRAINER_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "kernels/kernels.h"
#include "network/methods.h"
#include "trainer/schedule.h"

typedef struct nu_optimizer {
  const nu_method *method;
  double momentum, beta1, beta2, smoothing, epsilon, decay;
  double clip_norm; /* 0 = off */
  nu_schedule schedule;
} nu_optimizer;

/* batches: steps in an epoch. */
numann_status nu_optimizer_create(nu_optimizer *out, const numann_config *config, uint64_t batches,
                                  numann_error *err);

/* Write a learning rate that the user left open into the config: that of `stored`, the config of a
 * checkpoint that the training goes on from, or NULL; else the method's own. So a record has the
 * rate that ran, whatever a later numann takes. */
numann_status nu_settle_rate(numann_config *config, const numann_config *stored, numann_error *err);

/* Step number `step` (counted from 0) on a batch of `rows` rows. gradient_norm: of the summed
 * gradient; only read when clip_norm is set. A pure function. */
nu_update nu_optimizer_step(const nu_optimizer *optimizer, uint64_t step, size_t rows,
                            double gradient_norm);

#endif
