/* The panel layout: sizes, and the two functions that convert. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "kernels/kernels.h"

#define P NU_PANEL

size_t nu_stride(size_t features) { return nu_round_up(features + 1, P); }
size_t nu_panels(size_t neurons) { return (neurons + P - 1) / P; }
size_t nu_engine_size(size_t inputs, size_t neurons) {
  return nu_panels(neurons) * (inputs + 1) * P;
}

void nu_to_engine(size_t inputs, size_t neurons, const float *weights, const float *biases,
                  float *engine) {
  memset(engine, 0, nu_engine_size(inputs, neurons) * sizeof *engine);
  for (size_t j = 0; j < neurons; j++) {
    float *column = engine + j / P * (inputs + 1) * P + j % P;
    for (size_t i = 0; i < inputs; i++) column[i * P] = weights[j * inputs + i];
    column[inputs * P] = biases[j];
  }
}

void nu_from_engine(size_t inputs, size_t neurons, const float *engine, float *weights,
                    float *biases) {
  for (size_t j = 0; j < neurons; j++) {
    const float *column = engine + j / P * (inputs + 1) * P + j % P;
    for (size_t i = 0; i < inputs; i++) weights[j * inputs + i] = column[i * P];
    biases[j] = column[inputs * P];
  }
}

void nu_transpose_stripe(size_t inputs, size_t neurons, const float *engine, size_t s, float *out) {
  size_t columns = inputs - s * P < P ? inputs - s * P : P;
  if (columns < P) memset(out, 0, neurons * P * sizeof *out);
  for (size_t j = 0; j < neurons; j++) {
    const float *column = engine + j / P * (inputs + 1) * P + s * P * P + j % P;
    for (size_t c = 0; c < columns; c++) out[j * P + c] = column[c * P];
  }
}
