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

/* Weights of standard deviation 1.5 / sqrt(n_in), biases in [-0.3, 0.3), those of ReLU outputs 1.5
 * more, so that they are not dead; full random mantissas. */
numann_network *oracle_network(const oracle_shape *shape, uint64_t seed);

typedef struct oracle_rows {
  size_t rows;
  float *inputs;  /* [rows][n_0]: normal */
  float *targets; /* [rows][n_L]: one-hot for softmax, 0 or 1 for binary cross-entropy, else in
                     (0.1, 0.9) */
} oracle_rows;

oracle_rows oracle_draw_rows(const oracle_shape *shape, size_t rows, uint64_t seed);
void oracle_free_rows(oracle_rows *rows);
nu_gradcheck_batch oracle_batch(const oracle_rows *rows);

/* "identity 5, tanh 7, ..." for messages; in a static buffer. */
const char *oracle_name(const oracle_shape *shape);

#endif
