/* Comparison (i) of gradcheck: the naive gradient against central differences of the naive loss.
 * SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_DIFFERENCE_H
#define NU_TRAINER_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trainer/gradcheck.h"
#include "layers/naive.h"

/* Rows whose ReLU units are all farther from 0 than this keep their signs under (nearly) every
 * step: smaller with more units, so that the rows nearer than this stay few. */
double nu_difference_margin(const nu_naive *naive);

/* Rows that (i) can afford of so many. */
size_t nu_difference_rows(const numann_network *network, size_t rows);

/* What the worst relative error is held against. */
double nu_difference_bound(const numann_network *network);

/* Step weights of every layer on the batch; fills checked, skipped, alive and difference of layers
 * [n_layers]. */
numann_status nu_difference_check(nu_gradcheck_layer *layers, nu_naive *naive,
                                  const nu_gradcheck_batch *batch, uint64_t seed,
                                  numann_error *err);

#endif
