/* What the matrix products of a step read: floats as they are, or pairs of bf16 made from them.
 * SPDX-License-Identifier: MIT
 *
 * Under train.precision bf16 every operand of a product is rounded to bf16 (docs/numerics.md), and chains
 * run over pairs: of features along a row for (3.8) and (4.3), of rows of a grain down a column for (4.12),
 * of inputs in the weights of (3.8), of neurons in their transposed stripes for (4.3). Everything is formed
 * in float as without it - sums, activations, deltas, gradients, weights - and rounded where it is
 * complete, while it is still in a near cache. */
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/step.h"

#define P NU_PANEL

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

size_t nu_words(const nu_engine *engine, size_t operands) {
  return engine->pairs ? (operands + 1) / 2 : operands;
}

/* ---- rows and weights */

nu_operands nu_below(const nu_engine *engine, size_t l) {
  size_t stride;
  const float *floats = nu_activations_below(engine, l, &stride);
  if (!engine->pairs) return (nu_operands){floats, stride};
  return (nu_operands){l ? engine->layers[l - 1].activation_pairs : engine->input_pairs, stride / 2};
}

nu_operands nu_deltas(const nu_engine *engine, size_t l) {
  const nu_engine_layer *layer = &engine->layers[l];
  if (!engine->pairs) return (nu_operands){layer->deltas, layer->stride};
  return (nu_operands){layer->delta_pairs, layer->stride / 2};
}

static size_t panel_words(const nu_engine *engine, const nu_engine_layer *layer) {
  return nu_words(engine, layer->inputs + 1) * P;
}

nu_operands nu_weights(const nu_engine *engine, size_t l) {
  const nu_engine_layer *layer = &engine->layers[l];
  const float *at = engine->pairs ? layer->weight_pairs : layer->array[NU_WEIGHTS];
  return (nu_operands){at, panel_words(engine, layer)};
}

void nu_narrow_rows(const nu_engine *engine, const float *from, float *to, size_t stride, nu_range rows,
                    nu_range columns) {
  if (!engine->pairs || !to) return;
  engine->kernels->narrow(rows.end - rows.begin, nu_round_up(columns.end - columns.begin, P),
                          from + rows.begin * stride + columns.begin, stride,
                          to + (rows.begin * stride + columns.begin) / 2, stride / 2);
}

/* A pair that lies across the end of one range and the start of the next is rounded with the latter. */
void nu_narrow_weights(const nu_engine *engine, const nu_engine_layer *layer, size_t panel,
                       nu_range inputs) {
  if (!engine->pairs) return;
  size_t width = nu_panel_width(layer->neurons, panel), begin = inputs.begin / 2 * 2, end = inputs.end;
  if (end <= layer->inputs) end = end / 2 * 2;
  if (begin >= end) return;
  engine->kernels->pair(end - begin, width,
                        layer->array[NU_WEIGHTS] + panel * layer->panel_size + begin * width, width,
                        layer->weight_pairs + panel * panel_words(engine, layer) + begin / 2 * width, width);
}

void nu_narrow_all_weights(const nu_engine *engine) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    for (size_t p = 0; p < layer->panels; p++) {
      nu_narrow_weights(engine, layer, p, (nu_range){0, layer->inputs + 1});
    }
  }
}

/* ---- stripes of (4.3) */

void nu_transpose_panel(const nu_engine *engine, const nu_engine_layer *layer, size_t panel, size_t input,
                        size_t columns, float *to) {
  size_t width = nu_panel_width(layer->neurons, panel);
  const float *from = layer->array[NU_WEIGHTS] + panel * layer->panel_size + input * width;
  if (!engine->pairs) {
    engine->kernels->transpose(width, columns, from, width, to, P);
    return;
  }
  float turned[P * P];
  engine->kernels->transpose(width, columns, from, width, turned, P);
  engine->kernels->pair(width, nu_padded(columns), turned, P, to, P);
}

/* ---- grains of (4.12) */

/* Most rows and pairs of rows of a grain, grains of a chunk, columns of a region of inputs. */
static size_t grain_pairs(const numann_plan *plan) { return (least(plan->grain, plan->batch) + 1) / 2; }
static size_t chunk_grains(const numann_plan *plan) {
  return least(plan->chunk, nu_plan_grains(plan, plan->batch));
}
static size_t region_columns(const nu_engine *engine) {
  return nu_round_up(nu_region_inputs(engine), NU_HALF_PANEL) + NU_HALF_PANEL;
}

/* Words of the pairs of one panel's deltas, and of one region's inputs, over the rows of a chunk. */
static size_t delta_words(const numann_plan *plan) { return chunk_grains(plan) * grain_pairs(plan) * P; }
static size_t input_words(const nu_engine *engine) {
  return chunk_grains(engine->plan) * grain_pairs(engine->plan) * region_columns(engine);
}

void nu_grain_operands(const nu_engine *engine, size_t thread, const nu_grain *g, nu_chain *chain) {
  const nu_engine_layer *layer = &engine->layers[g->l];
  size_t below_stride, rows = g->held.end - g->held.begin, pairs = grain_pairs(engine->plan);
  const float *below = nu_activations_below(engine, g->l, &below_stride) + g->held.begin * below_stride;
  const float *deltas = layer->deltas + g->held.begin * layer->stride + g->panel * P;
  chain->k = nu_words(engine, rows);
  chain->x = below + g->inputs.begin;
  chain->xcol = below_stride;
  chain->y = deltas;
  chain->yrow = layer->stride;
  if (!engine->pairs) return;
  size_t columns = region_columns(engine), first = g->inputs.begin / NU_HALF_PANEL * NU_HALF_PANEL;
  float *x = engine->threads[thread].pairs + g->in_chunk * pairs * columns;
  float *y = engine->threads[thread].pairs + input_words(engine) +
             (g->my_panel * chunk_grains(engine->plan) + g->in_chunk) * pairs * P;
  if (g->my_panel == 0) {
    engine->kernels->pair(rows, nu_round_up(g->inputs.end - first, NU_HALF_PANEL), below + first,
                          below_stride, x, columns);
  }
  if (g->first) {
    engine->kernels->pair(rows, nu_panel_width(layer->neurons, g->panel), deltas, layer->stride, y, P);
  }
  chain->x = x + g->inputs.begin - first;
  chain->xcol = columns;
  chain->y = y;
  chain->yrow = P;
}

/* ---- memory */

/* The trailing 1 of each row may lie in a word that no panel writes. */
static bool create_rows(const nu_engine *engine, float **pairs, const float *floats, size_t stride) {
  *pairs = nu_alloc(engine->rows * stride / 2, sizeof(float));
  if (!*pairs) return false;
  nu_narrow_rows(engine, floats, *pairs, stride, (nu_range){0, engine->rows}, (nu_range){0, stride});
  return true;
}

static bool create_layer(nu_engine *engine, size_t l) {
  nu_engine_layer *layer = &engine->layers[l];
  layer->weight_pairs = nu_alloc(layer->panels * panel_words(engine, layer), sizeof(float));
  if (!layer->weight_pairs) return false;
  bool last = l + 1 == engine->n_layers;
  if (!last && !create_rows(engine, &layer->activation_pairs, layer->activations, layer->stride)) return false;
  if (l == 0 || !layer->deltas) return true;
  return create_rows(engine, &layer->delta_pairs, layer->deltas, layer->stride);
}

/* Of one thread in one layer; the smallest group has the fewest threads to share them. */
static size_t most_panels(const nu_engine *engine) {
  size_t most = 0, members = engine->plan->threads / engine->plan->groups;
  for (size_t l = 0; l < engine->n_layers; l++) {
    size_t panels = engine->layers[l].panels;
    most = larger(most, panels < members + 1 ? panels : nu_share(panels, members, 0).end);
  }
  return most;
}

bool nu_create_pairs(nu_engine *engine) {
  if (!engine->pairs) return true;
  for (size_t l = 0; l < engine->n_layers; l++) {
    if (!create_layer(engine, l)) return false;
  }
  if (!create_rows(engine, &engine->input_pairs, engine->inputs, engine->input_stride)) return false;
  if (!engine->layers[0].deltas) return true;
  size_t words = input_words(engine) + most_panels(engine) * delta_words(engine->plan);
  for (size_t t = 0; t < engine->plan->threads; t++) {
    engine->threads[t].pairs = nu_alloc(words, sizeof(float));
    if (!engine->threads[t].pairs) return false;
  }
  return true;
}

void nu_clear_pairs(nu_engine *engine) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    free(engine->layers[l].weight_pairs);
    free(engine->layers[l].activation_pairs);
    free(engine->layers[l].delta_pairs);
  }
  for (size_t t = 0; engine->threads && t < engine->plan->threads; t++) free(engine->threads[t].pairs);
  free(engine->input_pairs);
}
