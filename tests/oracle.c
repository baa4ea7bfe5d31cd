/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

numann_network *oracle_network(const oracle_shape *shape, uint64_t seed) {
  numann_network *network;
  numann_error error;
  numann_status status = nu_network_allocate(&network, shape->n_layers, shape->sizes,
                                             shape->activations, shape->loss, &error);
  ck_assert_msg(status == NUMANN_OK, "%s", error.message);
  nu_stream stream = {seed, NU_PURPOSE_GENERATE, 1};
  for (size_t l = 0; l < shape->n_layers; l++) {
    nu_layer *layer = &network->layers[l];
    size_t n = layer->neurons * layer->inputs;
    double deviation = 1.5 / sqrt((double)layer->inputs);
    double least = l + 1 == shape->n_layers && layer->activation == NU_RELU ? 1.2 : -0.3;
    stream.counter++;
    for (size_t i = 0; i < n; i++) {
      layer->weights[i] = (float)(deviation * nu_random_normal(stream, i));
    }
    stream.counter++;
    for (size_t j = 0; j < layer->neurons; j++) {
      layer->biases[j] = (float)(least + 0.6 * nu_random_uniform(stream, j));
    }
  }
  return network;
}

static void draw_target(const oracle_shape *shape, nu_stream stream, size_t row, float *target) {
  size_t n = shape->sizes[shape->n_layers];
  for (size_t j = 0; j < n; j++) {
    double u = nu_random_uniform(stream, row * n + j);
    if (shape->loss == NU_SQUARED_ERROR) target[j] = (float)(0.1 + 0.8 * u);
    if (shape->loss == NU_BINARY_CROSS_ENTROPY) target[j] = u < 0.5 ? 1.0f : 0.0f;
  }
  if (shape->loss == NU_CROSS_ENTROPY) target[nu_random_bits(stream, row) % n] = 1.0f;
}

oracle_rows oracle_draw_rows(const oracle_shape *shape, size_t rows, uint64_t seed) {
  size_t n_in = shape->sizes[0], n_out = shape->sizes[shape->n_layers];
  nu_stream in = {seed, NU_PURPOSE_GENERATE, 100}, out = {seed, NU_PURPOSE_GENERATE, 101};
  oracle_rows drawn = {rows, nu_alloc(rows * n_in, sizeof(float)),
                       nu_alloc(rows * n_out, sizeof(float))};
  ck_assert(drawn.inputs && drawn.targets);
  for (size_t i = 0; i < rows * n_in; i++) drawn.inputs[i] = (float)nu_random_normal(in, i);
  for (size_t r = 0; r < rows; r++) draw_target(shape, out, r, drawn.targets + r * n_out);
  return drawn;
}

void oracle_free_rows(oracle_rows *rows) {
  free(rows->inputs);
  free(rows->targets);
  *rows = (oracle_rows){0};
}

nu_gradcheck_batch oracle_batch(const oracle_rows *rows) {
  return (nu_gradcheck_batch){rows->rows, rows->inputs, rows->targets, NULL};
}

const char *oracle_name(const oracle_shape *shape) {
  static char name[256];
  int length = snprintf(name, sizeof name, "%s: %zu", nu_loss_name(shape->loss), shape->sizes[0]);
  for (size_t l = 0; l < shape->n_layers; l++) {
    length += snprintf(name + length, sizeof name - (size_t)length, ", %s %zu",
                       nu_activation_name(shape->activations[l]), shape->sizes[l + 1]);
  }
  return name;
}
