/* What the matrix products of a step read: floats as they are, or pairs of bf16 made from them.
 * SPDX-License-Identifier: MIT
 *
 * Under train.precision bf16 every operand of a product is rounded to bf16 (docs/numerics.md), and
 * chains run over pairs: of features along a row for (3.8) and (4.3), of rows of a grain down a
 * column for (4.12) (pack.c), of inputs in the weights of (3.8), of neurons in their transposed
 * stripes for (4.3). Everything is formed in float as without it - sums, activations, deltas,
 * gradients, weights - and rounded where it is complete, while it is still in a near cache. */
#include <string.h>

#include "base/memory.h"
#include "trainer/step.h"

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
  return engine->pairs ? nu_plan_pair_panel_words(engine->plan, layer->inputs) : layer->panel_size;
}

static size_t replica_of(const nu_engine *engine, size_t thread) {
  return engine->replicas > 1 ? nu_plan_node(engine->plan, thread) : 0;
}

nu_operands nu_weights(const nu_engine *engine, size_t l, size_t thread) {
  const nu_engine_layer *layer = &engine->layers[l];
  size_t r = replica_of(engine, thread);
  return (nu_operands){engine->pairs ? layer->weight_pairs[r] : layer->replicas[r],
                       panel_words(engine, layer)};
}

void nu_narrow_rows(const nu_engine *engine, const float *from, float *to, size_t stride,
                    nu_range rows, nu_range columns) {
  if (!engine->pairs || !to) return;
  engine->kernels->narrow(rows.end - rows.begin, nu_round_up(columns.end - columns.begin, P),
                          from + rows.begin * stride + columns.begin, stride,
                          to + (rows.begin * stride + columns.begin) / 2, stride / 2);
}

/* A pair that lies across the end of one range and the start of the next is rounded with the
 * latter. */
static void narrow_weights(const nu_engine *engine, const nu_engine_layer *layer, size_t replica,
                           size_t panel, nu_range inputs) {
  size_t width = nu_panel_width(layer->neurons, panel), begin = inputs.begin / 2 * 2,
         end = inputs.end;
  if (end <= layer->inputs) end = end / 2 * 2;
  if (begin >= end) return;
  engine->kernels->pair(
      end - begin, width, layer->array[NU_WEIGHTS] + panel * layer->panel_size + begin * width,
      width, layer->weight_pairs[replica] + panel * panel_words(engine, layer) + begin / 2 * width,
      width);
}

void nu_publish_weights(const nu_engine *engine, const nu_engine_layer *layer, size_t panel,
                        nu_range inputs) {
  size_t width = nu_panel_width(layer->neurons, panel),
         at = panel * layer->panel_size + inputs.begin * width;
  for (size_t r = 1; r < engine->replicas; r++) {
    memcpy(layer->replicas[r] + at, layer->array[NU_WEIGHTS] + at,
           (inputs.end - inputs.begin) * width * sizeof(float));
  }
  for (size_t r = 0; r < engine->replicas && engine->pairs; r++)
    narrow_weights(engine, layer, r, panel, inputs);
}

void nu_publish_all_weights(const nu_engine *engine) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    for (size_t p = 0; p < layer->panels; p++) {
      nu_publish_weights(engine, layer, p, (nu_range){0, layer->inputs + 1});
    }
  }
}

/* ---- stripes of (4.3) */

void nu_transpose_panel(const nu_engine *engine, const nu_engine_layer *layer, size_t thread,
                        size_t panel, size_t input, size_t columns, float *to) {
  size_t width = nu_panel_width(layer->neurons, panel);
  const float *from =
      layer->replicas[replica_of(engine, thread)] + panel * layer->panel_size + input * width;
  if (!engine->pairs) {
    engine->kernels->transpose(width, columns, from, width, to, P);
    return;
  }
  float turned[P * P];
  engine->kernels->transpose(width, columns, from, width, turned, P);
  engine->kernels->pair(width, nu_padded(columns), turned, P, to, P);
}

/* ---- memory */

static float *create_rows(nu_engine *engine, nu_buffer_kind kind, size_t l, size_t stride) {
  return nu_engine_alloc(engine, kind, l, 0, engine->rows * stride / 2, sizeof(float));
}

static bool create_layer(nu_engine *engine, size_t l) {
  nu_engine_layer *layer = &engine->layers[l];
  for (size_t r = 0; r < engine->replicas; r++) {
    layer->weight_pairs[r] =
        nu_engine_alloc(engine, NU_BUFFER_WEIGHT_PAIRS, l, r,
                        layer->panels * panel_words(engine, layer), sizeof(float));
    if (!layer->weight_pairs[r]) return false;
  }
  bool last = l + 1 == engine->n_layers;
  if (!last) {
    layer->activation_pairs = create_rows(engine, NU_BUFFER_ACTIVATION_PAIRS, l, layer->stride);
    if (!layer->activation_pairs) return false;
  }
  if (l == 0 || !layer->deltas) return true;
  layer->delta_pairs = create_rows(engine, NU_BUFFER_DELTA_PAIRS, l, layer->stride);
  return layer->delta_pairs != NULL;
}

bool nu_create_pairs(nu_engine *engine) {
  if (!engine->pairs) return true;
  for (size_t l = 0; l < engine->n_layers; l++) {
    if (!create_layer(engine, l)) return false;
  }
  engine->input_pairs = create_rows(engine, NU_BUFFER_INPUT_PAIRS, 0, engine->input_stride);
  return engine->input_pairs != NULL;
}

/* The trailing 1 of each row may lie in a word that no panel writes. */
void nu_narrow_ones(const nu_engine *engine) {
  nu_range rows = {0, engine->rows};
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    nu_narrow_rows(engine, layer->activations, layer->activation_pairs, layer->stride, rows,
                   (nu_range){0, layer->stride});
  }
  nu_narrow_rows(engine, engine->inputs, engine->input_pairs, engine->input_stride, rows,
                 (nu_range){0, engine->input_stride});
}
