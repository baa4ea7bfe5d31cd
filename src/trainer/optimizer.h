/* Optimisers: from train.optimizer to one step of the update kernel. SPDX-License-Identifier: MIT
 *
 * g is the mean gradient dE/dw over the batch plus L2 decay * w (weights only, never biases); eta
 * the learning rate of the step, t the step counted from 1.
 *   sgd       w -= eta g                                   (4.5), (4.8); Robbins and Monro 1951
 *   momentum  v = mu v + g, w -= eta v                     Polyak 1964
 *   nesterov  v = mu v + g, w -= eta (g + mu v)            Nesterov 1983; Sutskever et al. 2013
 *   rmsprop   s = rho s + (1 - rho) g^2,
 *             w -= eta g / (sqrt s + eps)                  Tieleman and Hinton 2012
 *   adam      m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
 *             w -= eta m' / (sqrt v' + eps),
 *             m' = m / (1 - b1^t), v' = v / (1 - b2^t)     Kingma and Ba 2015
 *   adamw     w -= eta decay w first, then adam without
 *             decay in g                                   Loshchilov and Hutter 2019
 *   amsgrad   adam with u = max(u, v) in place of v       Reddi, Kale and Kumar 2018
 *   irprop    iRprop-, on full batches: a step size d per weight, eta at first;
 *             g same sign as the last: d = min(1.2 d, 50);
 *             another sign: d = max(0.5 d, 1e-6), g = 0;
 *             w -= sign(g) d                              Igel and Huesken 2003
 *   lbfgs     on full batches: lbfgs.c                    Liu and Nocedal 1989
 * Gradient clipping by norm (Pascanu et al. 2013) scales the mean gradient, before decay, so that
 * its norm is at most train.clip_norm. */
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

/* Step number `step` (counted from 0) on a batch of `rows` rows. gradient_norm: of the summed
 * gradient; only read when clip_norm is set. A pure function. */
nu_update nu_optimizer_step(const nu_optimizer *optimizer, uint64_t step, size_t rows,
                            double gradient_norm);

#endif
