/* What the gradient reads, packed into a near cache. SPDX-License-Identifier: MIT
 *
 * The chains of (4.12) run down the rows of a grain: a few inputs, and the deltas of one panel, of
 * each row. Where rows lie a page of memory or more apart no hardware looks ahead, and every link
 * waits (the wide row of the benchmarks: 0.60 of the peak, packed 0.80); so a thread copies its
 * deltas once a layer, and the inputs of a few regions before its panels pass them. Under bf16 all
 * layers are packed: chains run over pairs of rows, which exist nowhere else. */
#include <string.h>

#include "base/memory.h"
#include "trainer/step.h"

#define P NU_PANEL

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static bool packs(const nu_engine *engine, const nu_engine_layer *layer) {
  return nu_plan_packs(engine->plan, layer->neurons);
}

/* Words of a column of a grain, grains of a chunk, columns of a region of inputs. */
static size_t grain_words(const nu_engine *engine) {
  return nu_words(engine, least(engine->plan->grain, engine->plan->batch));
}
static size_t chunk_grains(const numann_plan *plan) {
  return least(plan->chunk, nu_plan_grains(plan, plan->batch));
}
static size_t region_columns(const nu_engine *engine) {
  return nu_round_up(nu_region_inputs(engine), NU_HALF_PANEL) + NU_HALF_PANEL;
}

/* Words of one panel's deltas, and of one region's inputs, over the rows of a chunk. */
static size_t delta_words(const nu_engine *engine) {
  return chunk_grains(engine->plan) * grain_words(engine) * P;
}
static size_t input_words(const nu_engine *engine) {
  return chunk_grains(engine->plan) * grain_words(engine) * region_columns(engine);
}

/* So many that their inputs stay in the second-level cache: the deltas of a panel come from further
 * away, once for all of them. */
size_t nu_regions_together(const nu_engine *engine, const nu_engine_layer *layer) {
  if (!packs(engine, layer)) return 1;
  size_t fit = engine->plan->blocks.packed / (input_words(engine) * sizeof(float));
  return least(larger(fit, 1), NU_REGIONS_TOGETHER);
}

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

void nu_grain_operands(const nu_engine *engine, size_t thread, const nu_grain *g, nu_chain *chain) {
  const nu_engine_layer *layer = &engine->layers[g->l];
  size_t below_stride, rows = g->held.end - g->held.begin,
                       width = nu_panel_width(layer->neurons, g->panel);
  const float *below =
      nu_activations_below(engine, g->l, &below_stride) + g->held.begin * below_stride;
  const float *deltas = layer->deltas + g->held.begin * layer->stride + g->panel * P;
  chain->k = nu_words(engine, rows);
  chain->x = below + g->inputs.begin;
  chain->xcol = below_stride;
  chain->y = deltas;
  chain->yrow = layer->stride;
  if (!packs(engine, layer)) return;
  size_t columns = region_columns(engine), first = g->inputs.begin / NU_HALF_PANEL * NU_HALF_PANEL;
  float *x = engine->threads[thread].packed + g->together * input_words(engine) +
             g->in_chunk * grain_words(engine) * columns;
  float *y = engine->threads[thread].packed + NU_REGIONS_TOGETHER * input_words(engine) +
             g->my_panel * delta_words(engine) + g->in_chunk * grain_words(engine) * P;
  if (g->my_panel == 0)
    pack(engine, rows, g->inputs.end - first, below + first, below_stride, x, columns);
  if (g->first) pack(engine, rows, width, deltas, layer->stride, y, P);
  chain->x = x + g->inputs.begin - first;
  chain->xcol = columns;
  chain->y = y;
  chain->yrow = P;
}

/* ---- memory */

/* Of one thread in one layer. */
static size_t most_panels(const nu_engine *engine) {
  size_t most = 0;
  for (size_t l = 0; l < engine->n_layers; l++)
    most = larger(most, nu_plan_packed_panels(engine->plan, engine->layers[l].neurons));
  return most;
}

bool nu_create_packed(nu_engine *engine) {
  size_t panels = most_panels(engine);
  if (panels == 0) return true;
  size_t words = NU_REGIONS_TOGETHER * input_words(engine) + panels * delta_words(engine);
  for (size_t t = 0; t < engine->plan->threads; t++) {
    engine->threads[t].packed =
        nu_engine_alloc(engine, NU_BUFFER_PACKED, 0, t, words, sizeof(float));
    if (!engine->threads[t].packed) return false;
  }
  return true;
}
