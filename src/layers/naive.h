/* The oracle: the network in double precision, one row at a time, written straight from the
 * equations with no regard to speed. gradcheck and the tests hold the engine against it.
 * SPDX-License-Identifier: MIT */
#ifndef NU_LAYERS_NAIVE_H
#define NU_LAYERS_NAIVE_H

#include <stddef.h>

#include "base/status.h"
#include "network/network.h"

/* A copy of the parameters and the numbers of the last row. The units of all layers stand one after
 * the other, the inputs being layer 0: unit i of layer l is at first[l] + i. */
struct nu_naive {
  const numann_network *network; /* borrowed: shapes, activations, loss */
  double *parameters;            /* [n_parameters]: W(1), b(1), W(2) ...; owned, free to change */
  size_t *first;                 /* [n_layers + 2]: the last entry is the number of units; owned */
  double *z;                     /* [units]: net_j of (4.11), not set for inputs; owned */
  double *a;                     /* [units]: f(z), or the input; owned */
  double *delta;                 /* [units]: -dE_d/dnet_j (4.16), not set for inputs; owned */
  uint64_t seed, row;            /* of masks: the network's seed, the sample's number */
};

/* No layer may have the step activation, which has no derivative (assert). */
numann_status nu_naive_create(nu_naive *naive, const numann_network *network, numann_error *err);
void nu_naive_clear(nu_naive *naive);

/* (3.8) on one row: fills z and a. input: [n_0]. Returns the row's loss (4.9) against target [n_L],
 * which for cross-entropy must sum to 1. */
double nu_naive_forward(nu_naive *naive, const float *input, const float *target);
/* (4.1) and (4.3) for the row that went forward last: fills delta. */
void nu_naive_backward(nu_naive *naive, const float *target);

/* Over a batch, inputs [rows][n_0] and targets [rows][n_L]: dE/dw of the sum of the rows' losses,
 * in the layout of the parameters. Masks are drawn for samples[row], or the row (NULL). */
void nu_naive_gradient(nu_naive *naive, size_t rows, const float *inputs, const float *targets,
                       const uint32_t *samples, double *gradient);

/* ---- for the kinds of layers */

/* a = f(z) of layer l, from the z that the kind has formed. */
void nu_naive_activate(nu_naive *naive, size_t l);
/* f'(z) of a unit of layer l. */
double nu_naive_slope(const nu_naive *naive, size_t l, size_t unit);
/* Kinds with a factor for each input, a_i = f_i x_i: forward and delta. */
typedef double nu_factor_fn(const nu_naive *naive, size_t l, size_t i);
void nu_naive_factor_forward(nu_naive *naive, size_t l, nu_factor_fn *factor);
void nu_naive_factor_delta(nu_naive *naive, size_t l, nu_factor_fn *factor);
/* Where the parameters of layer l begin in a block of them; its biases. */
size_t nu_weights_at(const numann_network *network, size_t l);
size_t nu_biases_at(const numann_network *network, size_t l);

#endif
