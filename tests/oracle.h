/* Random networks and batches for the tests that hold the engine against the naive network.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#include "network/network.h"
#include "trainer/gradcheck.h"

#define ORACLE_LAYERS 8

typedef struct oracle_shape {
  size_t n_layers;
  size_t sizes[ORACLE_LAYERS + 1]; /* inputs first */
  nu_activation activations[ORACLE_LAYERS];
  nu_loss loss;
} oracle_shape;

/* Weights of standard deviation 1.5 / sqrt(n_in), biases in [-0.3, 0.3), full random mantissas. */
numann_network *oracle_network(const oracle_shape *shape, uint64_t seed);

/* Normal inputs; targets one-hot for softmax, 0 or 1 for binary cross-entropy, else in (0.1, 0.9).
 * End with oracle_free. */
nu_gradcheck_batch oracle_batch(const oracle_shape *shape, size_t rows, uint64_t seed);
void oracle_free(nu_gradcheck_batch *batch);

/* "identity 5, tanh 7, ..." for messages; in a static buffer. */
const char *oracle_name(const oracle_shape *shape);

#endif
