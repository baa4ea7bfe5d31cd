/* Between the files of the dense kind. SPDX-License-Identifier: MIT
 *
 * dense.c is its row, product.c the blocked matrix products of forward and delta, operands.c what
 * they read in fp32 or bf16, pack.c what the gradient reads, cost.c what it costs, proof.c its
 * double version and the bounds. */
#ifndef NU_LAYERS_DENSE_DENSE_H
#define NU_LAYERS_DENSE_DENSE_H

#include "layers/engine.h"

extern const nu_kind nu_dense;

/* ---- product.c */

void nu_dense_forward(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass);
void nu_dense_delta(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass);

/* ---- operands.c: floats as they are, or pairs of bf16 made from them */

/* What a product reads, in words: floats or pairs; for weights `stride` is that of the panels. */
typedef struct nu_operands {
  const float *at;
  size_t stride;
} nu_operands;
/* Words of so many operands of a chain. */
size_t nu_words(const nu_engine *engine, size_t operands);
/* The rows below layer l, its deltas, its weights as the thread's node has them. */
nu_operands nu_below(const nu_engine *engine, size_t l);
nu_operands nu_deltas(const nu_engine *engine, size_t l);
nu_operands nu_weights(const nu_engine *engine, size_t l, size_t thread);
/* to[j][c] = w(neuron j of the panel, input + c) for all neurons j of a panel of the layer, as
 * operands of a chain over j: words `to`, rows P apart. */
void nu_transpose_panel(const nu_engine *engine, const nu_engine_layer *layer, size_t thread,
                        size_t panel, size_t input, size_t columns, float *to);

/* ---- pack.c */

/* Are the gradient's operands packed? */
bool nu_dense_packs(const nu_plan *plan, const nu_layer *layer);
nu_per_thread nu_dense_per_thread(const nu_plan *plan, const nu_layer *layer);
/* A thread asks for its first inputs before the others of a panel, and for its first panel before
 * the others. */
void nu_dense_grain(const nu_engine *engine, size_t thread, const nu_grain *grain);

/* ---- cost.c, proof.c */

void nu_dense_cost(const nu_work *work, size_t l, nu_parts_cost *cost);
void nu_dense_naive_forward(nu_naive *naive, size_t l);
void nu_dense_naive_delta(nu_naive *naive, size_t l);
void nu_dense_naive_gradient(const nu_naive *naive, size_t l, double *gradient);
void nu_dense_bound_forward(nu_rounding *bound, size_t l);
void nu_dense_bound_delta(nu_rounding *bound, size_t l);
void nu_dense_bound_gradient(const nu_rounding *bound, size_t l, nu_rounding_sum *sum);

#endif
