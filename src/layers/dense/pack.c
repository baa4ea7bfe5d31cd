/* What the gradient reads, packed into a near cache. SPDX-License-Identifier: MIT
 *
 * The chains of (4.12) run down the rows of a grain: a few inputs, and the deltas of one panel, of
 * each row. Where rows lie a page of memory or more apart no hardware looks ahead, and every link
 * waits (the wide row of the benchmarks: 0.60 of the peak, packed 0.80); so a thread copies its
 * deltas once for the layer, and the inputs of a few regions before its panels pass them. Under
 * bf16 all layers are packed: chains run over pairs of rows, which exist nowhere else. */
#include <string.h>

#include "base/least.h"
#include "base/memory.h"
#include "layers/dense/dense.h"

#define P NU_PANEL
/* Floats from one row to the next: a page. */
#define FAR 1024
enum { MOST_TOGETHER = 3 };

/* In a thin layer every thread would pack all deltas for a few inputs: there it only does what it
 * must. */
bool nu_dense_packs(const nu_plan *plan, const nu_layer *layer) {
  if (plan->problem.precision == NU_BF16) return true;
  return nu_stride(layer->neurons) >= FAR && !nu_plan_is_thin(plan, layer, NU_LEVEL_GROUP, 0);
}

/* ---- sizes, in words */

/* Of a column of a grain, of the columns of a region of inputs. */
static size_t grain_words(const nu_plan *plan) {
  size_t rows = nu_smaller(plan->problem.grain, plan->problem.batch);
  return plan->problem.precision == NU_BF16 ? (rows + 1) / 2 : rows;
}
static size_t chunk_words(const nu_plan *plan) {
  size_t grains = nu_problem_grains(&plan->problem, plan->problem.batch);
  return nu_smaller(plan->chunk, grains) * grain_words(plan);
}
static size_t region_columns(const nu_plan *plan) {
  return nu_round_up(nu_plan_region_inputs(plan), NU_HALF_PANEL) + NU_HALF_PANEL;
}

/* Of one panel's deltas, and of one region's inputs, over the rows of a chunk. */
static size_t delta_words(const nu_plan *plan) { return chunk_words(plan) * P; }
static size_t input_words(const nu_plan *plan) { return chunk_words(plan) * region_columns(plan); }

/* Panels of the layer that a thread packs at most: those of the last group, which has the fewest
 * threads to share them. */
static size_t packed_panels(const nu_plan *plan, const nu_layer *layer) {
  nu_part part =
      nu_plan_part(plan, layer, NU_LEVEL_GROUP, nu_plan_members(plan, plan->groups - 1).begin);
  return part.panels.end;
}

/* So many regions pass together that their inputs stay in the second-level cache: the deltas of a
 * panel come from further away, once for all of them. */
nu_per_thread nu_dense_per_thread(const nu_plan *plan, const nu_layer *layer) {
  nu_per_thread needs = {
      .scratch = plan->blocks.panels * nu_plan_block_links(plan, layer->neurons) * P,
      .together = 1};
  if (!nu_dense_packs(plan, layer)) return needs;
  size_t fit = plan->blocks.packed / (input_words(plan) * sizeof(float));
  needs.together = nu_smaller(nu_larger(fit, 1), MOST_TOGETHER);
  needs.packed = MOST_TOGETHER * input_words(plan) + packed_panels(plan, layer) * delta_words(plan);
  return needs;
}

/* ---- packing */

/* `rows` rows of n floats, or of the pairs that they make, `tostride` words apart. */
static void pack(const nu_engine *engine, size_t rows, size_t n, const float *from,
                 size_t fromstride, float *to, size_t tostride) {
  if (engine->pairs) {
    engine->kernels->pair(rows, nu_padded(n), from, fromstride, to, tostride);
    return;
  }
  const size_t ahead = 12;
  for (size_t r = 0; r < rows; r++, from += fromstride, to += tostride) {
    for (size_t i = 0; i < n; i += 16) __builtin_prefetch(from + ahead * fromstride + i);
    memcpy(to, from, n * sizeof *to);
  }
}

static void pack_grain(const nu_engine *engine, size_t thread, const nu_grain *g, size_t width,
                       const float *below, size_t below_stride, const float *deltas) {
  const nu_engine_layer *layer = &engine->layers[g->l];
  const nu_plan *plan = engine->plan;
  size_t rows = g->held.end - g->held.begin, columns = region_columns(plan);
  size_t first = g->inputs.begin / NU_HALF_PANEL * NU_HALF_PANEL, words = grain_words(plan);
  float *packed = engine->threads[thread].packed;
  float *x = packed + g->together * input_words(plan) + g->in_chunk * words * columns;
  float *y = packed + MOST_TOGETHER * input_words(plan) + g->my_panel * delta_words(plan) +
             g->in_chunk * words * P;
  if (g->my_panel == 0)
    pack(engine, rows, g->inputs.end - first, below + first, below_stride, x, columns);
  if (g->first) pack(engine, rows, width, deltas, layer->stride, y, P);
  g->chain->x = x + g->inputs.begin - first;
  g->chain->xcol = columns;
  g->chain->y = y;
  g->chain->yrow = P;
}

/* G(l) = D(l)^T [A(l-1) 1]: [inputs x width] = [rows x inputs]^T [rows x width]. */
void nu_dense_grain(const nu_engine *engine, size_t thread, const nu_grain *g) {
  const nu_engine_layer *layer = &engine->layers[g->l];
  nu_chain *chain = g->chain;
  size_t below_stride;
  const float *below =
      nu_activations_below(engine, g->l, &below_stride) + g->held.begin * below_stride;
  const float *deltas = layer->deltas + g->held.begin * layer->stride + g->panel * P;
  chain->k = nu_words(engine, g->held.end - g->held.begin);
  chain->x = below + g->inputs.begin;
  chain->xcol = below_stride;
  chain->y = deltas;
  chain->yrow = layer->stride;
  if (layer->packed) pack_grain(engine, thread, g, chain->width, below, below_stride, deltas);
  engine->kernels->chain(chain);
}
