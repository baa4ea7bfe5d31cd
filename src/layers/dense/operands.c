/* What the matrix products of a step read: floats as they are, or pairs of bf16 made from them.
 * SPDX-License-Identifier: MIT
 *
 * Under train.precision bf16 every operand of a product is rounded to bf16 (docs/numerics.md), and
 * chains run over pairs: of features along a row for (3.8) and (4.3), of rows of a grain down a
 * column for (4.12) (pack.c), of inputs in the weights of (3.8), of neurons in their transposed
 * stripes for (4.3). Everything is formed in float as without it - sums, activations, deltas,
 * gradients, weights - and rounded where it is complete, while it is still in a near cache. */
#include "layers/dense/dense.h"

#define P NU_PANEL

size_t nu_words(const nu_engine *engine, size_t operands) {
  return engine->pairs ? (operands + 1) / 2 : operands;
}

/* ---- rows and weights */

nu_operands nu_below(const nu_engine *engine, size_t l) {
  size_t stride;
  const float *floats = nu_activations_below(engine, l, &stride);
  if (!engine->pairs) return (nu_operands){floats, stride};
  return (nu_operands){l ? engine->layers[l - 1].activation_pairs : engine->input_pairs,
                       stride / 2};
}

nu_operands nu_deltas(const nu_engine *engine, size_t l) {
  const nu_engine_layer *layer = &engine->layers[l];
  if (!engine->pairs) return (nu_operands){layer->deltas, layer->stride};
  return (nu_operands){layer->delta_pairs, layer->stride / 2};
}

static size_t panel_words(const nu_engine *engine, const nu_engine_layer *layer) {
  return engine->pairs ? nu_plan_pair_panel_words(engine->plan, layer->shape) : layer->panel_size;
}

nu_operands nu_weights(const nu_engine *engine, size_t l, size_t thread) {
  const nu_engine_layer *layer = &engine->layers[l];
  size_t r = nu_replica_of(engine, thread);
  return (nu_operands){engine->pairs ? layer->weight_pairs[r] : layer->replicas[r],
                       panel_words(engine, layer)};
}

/* ---- stripes of (4.3) */

void nu_transpose_panel(const nu_engine *engine, const nu_engine_layer *layer, size_t thread,
                        size_t panel, size_t input, size_t columns, float *to) {
  size_t width = nu_panel_width(layer->neurons, panel);
  const float *from =
      layer->replicas[nu_replica_of(engine, thread)] + panel * layer->panel_size + input * width;
  if (!engine->pairs) {
    engine->kernels->transpose(width, columns, from, width, to, P);
    return;
  }
  float turned[P * P];
  engine->kernels->transpose(width, columns, from, width, turned, P);
  engine->kernels->pair(width, nu_padded(columns), turned, P, to, P);
}
