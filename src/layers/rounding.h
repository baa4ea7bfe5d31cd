/* How far the engine's float numbers may lie from the naive double ones: a proved bound for every
 * intermediate, computed beside them. The proof, with the numbers (R1) to (R10) that the code
 * cites, stands in docs/numerics.md. SPDX-License-Identifier: MIT */
#ifndef NU_LAYERS_ROUNDING_H
#define NU_LAYERS_ROUNDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/roundoff.h"
#include "layers/naive.h"

/* Error bounds of the last row, in the units' order of nu_naive. */
struct nu_rounding {
  const nu_naive *naive; /* borrowed */
  double *z, *a, *delta; /* [units] each, owned; inputs: 0 */
};

numann_status nu_rounding_create(nu_rounding *bound, const nu_naive *naive, numann_error *err);
void nu_rounding_clear(nu_rounding *bound);

/* After nu_naive_forward: bounds of z and a. */
void nu_rounding_forward(nu_rounding *bound);
/* Is the engine's z of this unit sure to have the sign of the naive one? The bounds of a row hold
 * where that is so for all units of the ReLU family, whose derivative jumps at 0. */
bool nu_rounding_sign_is_sure(const nu_rounding *bound, size_t unit);
/* After nu_rounding_forward and nu_naive_backward: bounds of delta. They hold in a row where all
 * units of the ReLU family, whose derivative jumps at 0, have the same sign in both networks. */
void nu_rounding_backward(nu_rounding *bound, const float *target);

/* The sums over the rows from which the bound of the gradient of each parameter follows. */
struct nu_rounding_sum {
  double *terms; /* [n_parameters]: sum of |delta x|; owned */
  double *bound; /* [n_parameters]: after nu_rounding_finish the bound itself; owned */
  size_t rows;   /* added so far */
};

numann_status nu_rounding_sum_create(nu_rounding_sum *sum, size_t n_parameters, numann_error *err);
void nu_rounding_sum_clear(nu_rounding_sum *sum);

/* Add the row whose deltas were bounded last. */
void nu_rounding_add(const nu_rounding *bound, nu_rounding_sum *sum);
/* Roundings on the longest way of a term into the gradient: its grain's chain, then the tree. */
size_t nu_rounding_depth(size_t rows, size_t grain);
/* All rows are in, the engine sums them in grains of `grain` rows: sum->bound becomes the bound. */
void nu_rounding_finish(nu_rounding_sum *sum, size_t n_parameters, size_t grain);

/* ---- for the kinds of layers */

/* (R3) A chain of n fused multiply-adds over w_i x_i: carried = sum |w_i| e_i, mass = sum |w_i|
 * (|x_i| + e_i). A chain of zeros is exactly zero. */
double nu_rounding_chain(size_t n, double carried, double mass);
/* (R4), (R5) The bound of a from that of z, for layer l. */
void nu_rounding_activate(nu_rounding *bound, size_t l);
/* (R6) The bound of the delta of a unit of layer l that before f' is `size` large and off by at
 * most e. */
double nu_rounding_delta(const nu_rounding *bound, size_t l, size_t unit, double size, double e);
/* One term delta x of (4.12): its size, and how far the engine's term may lie from it. */
void nu_rounding_term(nu_rounding_sum *sum, size_t parameter, double delta, double e_delta,
                      double x, double e_x);

/* (R10) Kinds with a factor for each input (naive.h). */
void nu_rounding_factor_forward(nu_rounding *bound, size_t l, nu_factor_fn *factor);
void nu_rounding_factor_delta(nu_rounding *bound, size_t l, nu_factor_fn *factor);

#endif
