/* What the rows and weights of every kind go through when they are complete: the activation or its
 * derivative, the pairs of bf16 that products read, the copies of other nodes.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "layers/engine.h"

#define P NU_PANEL

/* ---- rows */

void nu_narrow_rows(const nu_engine *engine, const float *from, float *to, size_t stride,
                    nu_range rows, nu_range columns) {
  if (!engine->pairs || !to) return;
  engine->kernels->narrow(rows.end - rows.begin, nu_round_up(columns.end - columns.begin, P),
                          from + rows.begin * stride + columns.begin, stride,
                          to + (rows.begin * stride + columns.begin) / 2, stride / 2);
}

/* The last panel gets back the 1 that its padding held. */
void nu_finish_activations(const nu_engine *engine, const nu_engine_layer *layer, nu_range rows,
                           nu_range columns) {
  size_t stride = layer->stride, at = rows.begin * stride + columns.begin;
  engine->kernels->activate(layer->activation, rows.end - rows.begin, columns.end - columns.begin,
                            layer->nets + at, layer->activations + at, stride);
  if (columns.end > layer->neurons) {
    float *row = layer->activations + rows.begin * stride;
    for (size_t i = rows.begin; i < rows.end; i++, row += stride) row[layer->neurons] = 1.0f;
  }
  nu_narrow_rows(engine, layer->activations, layer->activation_pairs, stride, rows, columns);
}

void nu_finish_deltas(const nu_engine *engine, const nu_engine_layer *layer, nu_range rows,
                      nu_range columns) {
  size_t at = rows.begin * layer->stride + columns.begin;
  engine->kernels->derive(layer->activation, rows.end - rows.begin, columns.end - columns.begin,
                          layer->slopes + at, layer->deltas + at, layer->stride);
  nu_narrow_rows(engine, layer->deltas, layer->delta_pairs, layer->stride, rows, columns);
}

/* ---- the gradient */

void nu_finish_grain(const nu_engine *engine, const nu_grain *grain, const float *sum) {
  const nu_chain *chain = grain->chain;
  const size_t n = chain->m * chain->width;
  const nu_target *target = chain->target;
  float joined[NU_PANEL]; /* kinds that come here have one row of parameters */
  memcpy(joined, sum, n * sizeof *sum);
  for (size_t i = 0; i < chain->n_left; i++) {
    float left[NU_PANEL];
    memcpy(left, chain->left[i], n * sizeof *left);
    engine->kernels->add(n, left, joined);
    memcpy(joined, left, n * sizeof *left);
  }
  if (!target) {
    memcpy(chain->out, joined, n * sizeof *joined);
  } else if (!engine->kernels->update(target->update, n, target->w, joined, target->arrays)) {
    *target->not_finite = true;
  }
}

/* ---- weights */

/* A pair that lies across the end of one range and the start of the next is rounded with the
 * latter. */
static void narrow_weights(const nu_engine *engine, const nu_engine_layer *layer, size_t replica,
                           size_t panel, nu_range inputs) {
  size_t width = nu_panel_width(layer->neurons, panel), begin = inputs.begin / 2 * 2;
  size_t end = inputs.end < layer->rows ? inputs.end / 2 * 2 : inputs.end;
  size_t words = nu_plan_pair_panel_words(engine->plan, layer->shape);
  if (begin >= end) return;
  engine->kernels->pair(end - begin, width,
                        layer->array[NU_WEIGHTS] + panel * layer->panel_size + begin * width, width,
                        layer->weight_pairs[replica] + panel * words + begin / 2 * width, width);
}

void nu_publish_weights(const nu_engine *engine, const nu_engine_layer *layer, size_t panel,
                        nu_range inputs) {
  size_t width = nu_panel_width(layer->neurons, panel);
  size_t at = panel * layer->panel_size + inputs.begin * width;
  for (size_t r = 1; r < engine->replicas; r++) {
    memcpy(layer->replicas[r] + at, layer->array[NU_WEIGHTS] + at,
           (inputs.end - inputs.begin) * width * sizeof(float));
  }
  for (size_t r = 0; r < engine->replicas && layer->weight_pairs[r]; r++)
    narrow_weights(engine, layer, r, panel, inputs);
}

void nu_publish_all_weights(const nu_engine *engine) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    for (size_t p = 0; layer->rows && p < layer->panels; p++)
      nu_publish_weights(engine, layer, p, (nu_range){0, layer->rows});
  }
}
