/* The matrix products of forward (3.8) and delta (4.3), blocked for the caches.
 * SPDX-License-Identifier: MIT
 *
 * Blocks (plan/plan.h) from the outside in: a few panels, links of the chain, rows. So a block of
 * weights stays in the second-level cache while all rows pass it, a tile's rows stay in the
 * first-level cache while all panels of the block pass them, and a row gets its activation while it
 * is still near. */
#include "trainer/step.h"

#define P NU_PANEL

/* A matrix product on the rows and panels of one thread. */
typedef struct product {
  const nu_engine_layer *layer; /* whose activations or deltas are formed */
  nu_range rows;
  size_t panel, panels, width; /* the panels of the block, all of one width */
  size_t links;                /* of the whole chain */
} product;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The next block of panels: a half panel comes alone. */
static product next_block(const nu_engine *engine, const nu_engine_layer *layer, nu_range rows,
                          nu_range panels, size_t links) {
  size_t n = least(panels.end - panels.begin, engine->plan->blocks.panels);
  size_t last = panels.begin + n - 1;
  if (n > 1 && nu_panel_width(layer->neurons, last) < P) n--;
  return (product){.layer = layer,
                   .rows = rows,
                   .panel = panels.begin,
                   .panels = n,
                   .width = nu_panel_width(layer->neurons, panels.begin),
                   .links = links};
}

/* Equal blocks of at most blocks.k links, multiples of P. */
static size_t links_in_block(const nu_engine *engine, size_t links) {
  size_t blocks = (links + engine->plan->blocks.k - 1) / engine->plan->blocks.k;
  return ((links + blocks - 1) / blocks + P - 1) / P * P;
}

/* ---- forward */

/* A(l) = f(Z(l)) in place; the last panel gets back the 1 that its padding held. */
static void activate_block(const nu_engine *engine, const product *b, nu_range rows,
                           bool last_layer) {
  const nu_engine_layer *layer = b->layer;
  float *at = layer->activations + rows.begin * layer->stride;
  size_t n = b->panels * b->width;
  float *block = at + b->panel * P;
  if (last_layer) return; /* nu_engine_output's business */
  engine->kernels->activate(layer->activation, rows.end - rows.begin, n, block, block,
                            layer->stride);
  if (b->panel * P + n > layer->neurons) {
    for (size_t i = rows.begin; i < rows.end; i++, at += layer->stride) at[layer->neurons] = 1.0f;
  }
  nu_narrow_rows(engine, layer->activations, layer->activation_pairs, layer->stride, rows,
                 (nu_range){b->panel * P, b->panel * P + n});
}

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
    nu_range rows = {i, least(i + step, b->rows.end)};
    chain.m = rows.end - rows.begin;
    chain.x = below.at + i * below.stride + from;
    chain.out = layer->activations + i * layer->stride + b->panel * P;
    engine->kernels->chain(&chain);
    if (k.end == b->links) activate_block(engine, b, rows, l + 1 == engine->n_layers);
  }
}

void nu_forward_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk) {
  const nu_engine_layer *layer = &engine->layers[l];
  nu_range panels = nu_plan_my_panels(engine->plan, layer->panels, thread), rows = chunk->held;
  size_t links = layer->inputs + 1, step = links_in_block(engine, links);
  if (nu_plan_is_thin(engine->plan, layer->panels)) {
    panels = (nu_range){0, layer->panels};
    rows = nu_plan_my_own(engine->plan, rows, thread);
  }
  while (panels.begin < panels.end && rows.begin < rows.end) {
    product block = next_block(engine, layer, rows, panels, links);
    for (size_t k = 0; k < links; k += step) {
      forward_links(engine, l, thread, &block, (nu_range){k, least(k + step, links)});
    }
    panels.begin += block.panels;
  }
}

/* ---- delta */

/* A panel of layer l is a stripe of inputs of layer l + 1: stripe[q][j][c] = w(k.begin + j, panel's
 * c). */
static void transpose_stripes(const nu_engine *engine, size_t l, size_t thread, const product *b,
                              nu_range k, float *stripes) {
  const nu_engine_layer *above = &engine->layers[l + 1];
  for (size_t q = 0; q < b->panels; q++) {
    size_t input = (b->panel + q) * P, columns = least(b->width, above->inputs - input);
    for (size_t j = k.begin; j < k.end; j += P) {
      size_t to = nu_words(engine, q * (k.end - k.begin) + j - k.begin) * P;
      nu_transpose_panel(engine, above, thread, j / P, input, columns, stripes + to);
    }
  }
}

/* D(l) = (D(l+1) W(l+1)) * f'(Z(l)) for the neurons [k.begin, k.end) above.
 *        [rows x panels] += [rows x links] [links x panels] */
static void delta_links(const nu_engine *engine, size_t l, size_t thread, const product *b,
                        nu_range k) {
  float *stripes = engine->threads[thread].scratch;
  const nu_engine_layer *layer = b->layer;
  nu_operands above = nu_deltas(engine, l + 1);
  size_t stride = layer->stride, step = engine->plan->blocks.rows, n = b->panels * b->width;
  nu_range padded = {k.begin, (k.end + P - 1) / P * P};
  transpose_stripes(engine, l, thread, b, padded, stripes);
  nu_chain chain = {.k = nu_words(engine, k.end - k.begin),
                    .panels = b->panels,
                    .width = b->width,
                    .xrow = above.stride,
                    .xcol = 1,
                    .y = stripes,
                    .yrow = P,
                    .ypanel = nu_words(engine, padded.end - padded.begin) * P,
                    .outrow = stride,
                    .fresh = k.begin == 0,
                    .pairs = engine->pairs};
  for (size_t i = b->rows.begin; i < b->rows.end; i += step) {
    size_t at = i * stride + b->panel * P;
    chain.m = least(step, b->rows.end - i);
    chain.x = above.at + i * above.stride + nu_words(engine, k.begin);
    chain.out = layer->deltas + at;
    engine->kernels->chain(&chain);
    if (k.end < b->links) continue;
    engine->kernels->derive(layer->activation, chain.m, n, layer->activations + at,
                            layer->deltas + at, stride);
    nu_narrow_rows(engine, layer->deltas, layer->delta_pairs, stride, (nu_range){i, i + chain.m},
                   (nu_range){b->panel * P, b->panel * P + n});
  }
}

void nu_delta_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk) {
  const nu_engine_layer *layer = &engine->layers[l];
  nu_range panels = nu_plan_my_inputs(engine->plan, layer->panels, thread);
  size_t links = layer[1].neurons, step = links_in_block(engine, links);
  while (panels.begin < panels.end && chunk->held.begin < chunk->held.end) {
    product block = next_block(engine, layer, chunk->held, panels, links);
    for (size_t k = 0; k < links; k += step) {
      delta_links(engine, l, thread, &block, (nu_range){k, least(k + step, links)});
    }
    panels.begin += block.panels;
  }
}

size_t nu_product_scratch(const nu_engine *engine) {
  size_t most = 0;
  for (size_t l = 1; l < engine->n_layers; l++) {
    size_t links = links_in_block(engine, engine->layers[l].neurons);
    most = links > most ? links : most;
  }
  return engine->plan->blocks.panels * most * P;
}
