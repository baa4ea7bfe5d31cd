/* The matrix products of forward (3.8) and delta (4.3), blocked for the caches.
 * SPDX-License-Identifier: MIT
 *
 * Blocks (plan/plan.h) from the outside in: a few panels, links of the chain, rows. So a block of
 * weights stays in the second-level cache while all rows pass it, a tile's rows stay in the
 * first-level cache while all panels of the block pass them, and a row gets its activation while it
 * is still near. */
#include "base/least.h"
#include "base/memory.h"
#include "layers/dense/dense.h"

#define P NU_PANEL

/* A matrix product on the rows and panels of one thread. */
typedef struct product {
  const nu_engine_layer *layer; /* whose activations or deltas are formed */
  nu_range rows;
  size_t panel, panels, width; /* the panels of the block, all of one width */
  size_t links;                /* of the whole chain */
} product;

/* The next block of panels: a half panel comes alone. */
static product next_block(const nu_engine *engine, const nu_engine_layer *layer, nu_range rows,
                          nu_range panels, size_t links) {
  size_t n = nu_smaller(panels.end - panels.begin, engine->plan->blocks.panels);
  size_t last = panels.begin + n - 1;
  if (n > 1 && nu_panel_width(layer->neurons, last) < P) n--;
  return (product){.layer = layer,
                   .rows = rows,
                   .panel = panels.begin,
                   .panels = n,
                   .width = nu_panel_width(layer->neurons, panels.begin),
                   .links = links};
}

/* Of the block, padding included. */
static nu_range columns_of(const product *b) {
  return (nu_range){b->panel * P, b->panel * P + b->panels * b->width};
}

/* ---- forward */

/* Z(l) = [A(l-1) 1] [W(l) b(l)]^T for links [k.begin, k.end) of a block of panels.
 *        [rows x panels] += [rows x links] [links x panels] */
static void forward_links(const nu_engine *engine, size_t l, size_t thread, const product *b,
                          nu_range k) {
  const nu_engine_layer *layer = b->layer;
  size_t step = engine->plan->blocks.rows, from = nu_words(engine, k.begin);
  nu_operands below = nu_below(engine, l), weights = nu_weights(engine, l, thread);
  nu_chain chain = {.k = nu_words(engine, k.end - k.begin),
                    .panels = b->panels,
                    .width = b->width,
                    .xrow = below.stride,
                    .xcol = 1,
                    .y = weights.at + b->panel * weights.stride + from * b->width,
                    .yrow = b->width,
                    .ypanel = weights.stride,
                    .outrow = layer->stride,
                    .fresh = k.begin == 0,
                    .pairs = engine->pairs};
  for (size_t i = b->rows.begin; i < b->rows.end; i += step) {
    nu_range rows = {i, nu_smaller(i + step, b->rows.end)};
    chain.m = rows.end - rows.begin;
    chain.x = below.at + i * below.stride + from;
    chain.out = layer->nets + i * layer->stride + b->panel * P;
    engine->kernels->chain(&chain);
    /* of the last layer f is nu_output_rows' business */
    if (k.end == b->links && l + 1 < engine->n_layers)
      nu_finish_activations(engine, layer, rows, columns_of(b));
  }
}

void nu_dense_forward(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass) {
  const nu_engine_layer *layer = &engine->layers[l];
  nu_part part = nu_plan_part(engine->plan, layer->shape, NU_LEVEL_GROUP, thread);
  nu_range panels = part.panels, rows = pass->chunk->held;
  size_t links = layer->rows, step = nu_plan_block_links(engine->plan, links);
  if (part.thin) rows = nu_plan_my_own(engine->plan, rows, thread);
  while (panels.begin < panels.end && rows.begin < rows.end) {
    product block = next_block(engine, layer, rows, panels, links);
    for (size_t k = 0; k < links; k += step) {
      forward_links(engine, l, thread, &block, (nu_range){k, nu_smaller(k + step, links)});
    }
    panels.begin += block.panels;
  }
}

/* ---- delta */

/* A panel of the layer below is a stripe of inputs: stripe[q][j][c] = w(k.begin + j, panel's c). */
static void transpose_stripes(const nu_engine *engine, size_t l, size_t thread, const product *b,
                              nu_range k, float *stripes) {
  const nu_engine_layer *above = &engine->layers[l];
  for (size_t q = 0; q < b->panels; q++) {
    size_t input = (b->panel + q) * P, columns = nu_smaller(b->width, above->inputs - input);
    for (size_t j = k.begin; j < k.end; j += P) {
      size_t to = nu_words(engine, q * (k.end - k.begin) + j - k.begin) * P;
      nu_transpose_panel(engine, above, thread, j / P, input, columns, stripes + to);
    }
  }
}

/* D(l-1) = (D(l) W(l)) * f'(Z(l-1)) for the neurons [k.begin, k.end) of layer l.
 *        [rows x panels] += [rows x links] [links x panels] */
static void delta_links(const nu_engine *engine, size_t l, size_t thread, const product *b,
                        nu_range k) {
  float *stripes = engine->threads[thread].scratch;
  const nu_engine_layer *below = b->layer;
  nu_operands above = nu_deltas(engine, l);
  size_t step = engine->plan->blocks.rows;
  nu_range padded = {k.begin, nu_round_up(k.end, P)};
  transpose_stripes(engine, l, thread, b, padded, stripes);
  nu_chain chain = {.k = nu_words(engine, k.end - k.begin),
                    .panels = b->panels,
                    .width = b->width,
                    .xrow = above.stride,
                    .xcol = 1,
                    .y = stripes,
                    .yrow = P,
                    .ypanel = nu_words(engine, padded.end - padded.begin) * P,
                    .outrow = below->stride,
                    .fresh = k.begin == 0,
                    .pairs = engine->pairs};
  for (size_t i = b->rows.begin; i < b->rows.end; i += step) {
    nu_range rows = {i, nu_smaller(i + step, b->rows.end)};
    chain.m = rows.end - rows.begin;
    chain.x = above.at + i * above.stride + nu_words(engine, k.begin);
    chain.out = below->deltas + i * below->stride + b->panel * P;
    engine->kernels->chain(&chain);
    if (k.end == b->links) nu_finish_deltas(engine, below, rows, columns_of(b));
  }
}

void nu_dense_delta(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass) {
  const nu_engine_layer *below = &engine->layers[l - 1];
  nu_range panels = nu_plan_delta_panels(engine->plan, below->shape, thread);
  nu_range rows = pass->chunk->held;
  size_t links = engine->layers[l].neurons, step = nu_plan_block_links(engine->plan, links);
  while (panels.begin < panels.end && rows.begin < rows.end) {
    product block = next_block(engine, below, rows, panels, links);
    for (size_t k = 0; k < links; k += step) {
      delta_links(engine, l, thread, &block, (nu_range){k, nu_smaller(k + step, links)});
    }
    panels.begin += block.panels;
  }
}
