/* The panel layout: sizes, and the two functions that convert. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "kernels/kernels.h"

#define P NU_PANEL

size_t nu_stride(size_t features) { return nu_round_up(features + 1, P); }
size_t nu_panels(size_t neurons) { return (neurons + P - 1) / P; }
size_t nu_padded(size_t neurons) { return nu_round_up(neurons, NU_HALF_PANEL); }
size_t nu_output_scratch(size_t n) { return 3 * NU_HALF_PANEL * nu_padded(n); }
size_t nu_engine_size(size_t inputs, size_t neurons) { return nu_padded(neurons) * (inputs + 1); }

size_t nu_panel_width(size_t neurons, size_t p) {
  return neurons - p * P <= NU_HALF_PANEL ? NU_HALF_PANEL : P;
}

/* Where neuron j's weights start in engine form, and how far apart they are. */
static size_t neuron_at(size_t panel, size_t neurons, size_t j, size_t *stride) {
  *stride = nu_panel_width(neurons, j / P);
  return j / P * panel + j % P;
}

static void clear_panels(size_t rows, size_t neurons, size_t panel, float *engine) {
  for (size_t p = 0; p < nu_panels(neurons); p++)
    memset(engine + p * panel, 0, rows * nu_panel_width(neurons, p) * sizeof *engine);
}

void nu_to_engine(size_t inputs, size_t neurons, size_t panel, const float *weights,
                  const float *biases, float *engine) {
  clear_panels(inputs + (biases != NULL), neurons, panel, engine);
  for (size_t j = 0; j < neurons; j++) {
    size_t stride;
    float *column = engine + neuron_at(panel, neurons, j, &stride);
    for (size_t i = 0; i < inputs; i++) column[i * stride] = weights[j * inputs + i];
    if (biases) column[inputs * stride] = biases[j];
  }
}

void nu_from_engine(size_t inputs, size_t neurons, size_t panel, const float *engine,
                    float *weights, float *biases) {
  for (size_t j = 0; j < neurons; j++) {
    size_t stride;
    const float *column = engine + neuron_at(panel, neurons, j, &stride);
    for (size_t i = 0; i < inputs; i++) weights[j * inputs + i] = column[i * stride];
    if (biases) biases[j] = column[inputs * stride];
  }
}
