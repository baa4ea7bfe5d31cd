/* The scale kind: one learned factor for each input, a_i = s_i x_i. SPDX-License-Identifier: MIT
 *
 *   forward   A(l) = A(l-1) diag(s)                    [B x n]
 *   delta     D(l-1) = D(l) diag(s) * f'(Z(l-1))       [B x n]
 *   gradient  g_i = sum over rows of delta_i x_i       [n]
 * The factors start at 1 and do not decay: towards 0 they would only shrink what they carry. In the
 * engine's form they are a layer whose panels have one row. Threads split rows. */

#include "layers/engine.h"
#include "layers/rounding.h"
#include "plan/cost.h"

#define P NU_PANEL

static void shape(nu_layer *layer) { layer->links = 1; }

/* Each number is read, multiplied, written. */
static void cost(const nu_work *w, size_t l, nu_parts_cost *out) {
  double floats = w->rows * (double)w->network->layers[l].neurons / (double)w->members;
  out->forward.arithmetic = nu_cost_floats(2.0 * floats);
  if (l > 0) out->delta.arithmetic = nu_cost_floats(2.0 * floats);
  out->gradient.arithmetic = nu_cost_floats(2.0 * floats);
  out->update = nu_cost_update(w, l);
}

/* ---- a pass */

/* to[rows][columns] = from diag(s), panel by panel: with memory on nodes they lie pages apart. */
static void multiply(const nu_engine *engine, const nu_engine_layer *layer, size_t thread,
                     nu_range rows, const float *from, float *to, size_t stride) {
  const float *factors = layer->replicas[nu_replica_of(engine, thread)];
  size_t at = rows.begin * stride;
  for (size_t p = 0; p < layer->panels; p++)
    engine->kernels->multiply(rows.end - rows.begin, nu_panel_width(layer->neurons, p),
                              from + at + p * P, factors + p * layer->panel_size, to + at + p * P,
                              stride);
}

static void forward(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass) {
  const nu_engine_layer *layer = &engine->layers[l];
  nu_range mine = nu_plan_my_own(engine->plan, pass->chunk->held, thread);
  size_t stride;
  const float *below = nu_activations_below(engine, l, &stride);
  multiply(engine, layer, thread, mine, below, layer->activations, stride);
  nu_finish_activations(engine, layer, mine, (nu_range){0, nu_padded(layer->neurons)});
}

static void delta(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass) {
  const nu_engine_layer *layer = &engine->layers[l], *below = layer - 1;
  nu_range mine = nu_plan_my_own(engine->plan, pass->chunk->held, thread);
  multiply(engine, layer, thread, mine, layer->deltas, below->deltas, layer->stride);
  nu_finish_deltas(engine, below, mine, (nu_range){0, nu_padded(layer->neurons)});
}

static void grain(const nu_engine *engine, size_t thread, const nu_grain *g) {
  const nu_engine_layer *layer = &engine->layers[g->l];
  size_t stride, at = g->held.begin * layer->stride + g->panel * P;
  const float *below = nu_activations_below(engine, g->l, &stride);
  float sum[NU_PANEL];
  (void)thread;
  engine->kernels->dot_rows(g->held.end - g->held.begin, g->chain->width, below + at, stride,
                            layer->deltas + at, layer->stride, sum);
  nu_finish_grain(engine, g, sum);
}

/* ---- the proof */

static double factor_of(const nu_naive *naive, size_t l, size_t i) {
  return naive->parameters[nu_weights_at(naive->network, l) + i];
}

static void naive_forward(nu_naive *naive, size_t l) {
  nu_naive_factor_forward(naive, l, factor_of);
}
static void naive_delta(nu_naive *naive, size_t l) { nu_naive_factor_delta(naive, l, factor_of); }

static void naive_gradient(const nu_naive *naive, size_t l, double *gradient) {
  const nu_layer *layer = &naive->network->layers[l];
  double *g = gradient + nu_weights_at(naive->network, l);
  for (size_t i = 0; i < layer->neurons; i++)
    g[i] -= naive->delta[naive->first[l + 1] + i] * naive->a[naive->first[l] + i];
}

static void bound_forward(nu_rounding *bound, size_t l) {
  nu_rounding_factor_forward(bound, l, factor_of);
}
static void bound_delta(nu_rounding *bound, size_t l) {
  nu_rounding_factor_delta(bound, l, factor_of);
}

static void bound_gradient(const nu_rounding *bound, size_t l, nu_rounding_sum *sum) {
  const nu_naive *naive = bound->naive;
  size_t at = nu_weights_at(naive->network, l);
  for (size_t i = 0; i < naive->network->layers[l].neurons; i++) {
    size_t below = naive->first[l] + i, own = naive->first[l + 1] + i;
    nu_rounding_term(sum, at + i, naive->delta[own], bound->delta[own], naive->a[below],
                     bound->a[below]);
  }
}

const nu_kind nu_scale = {.name = "scale",
                          .keys = "",
                          .shape = shape,
                          .weights = "scale",
                          .vector = true,
                          .undecayed = true,
                          .initial = 1.0f,
                          .by_rows = true,
                          .cost = cost,
                          .forward = forward,
                          .delta = delta,
                          .grain = grain,
                          .naive_forward = naive_forward,
                          .naive_delta = naive_delta,
                          .naive_gradient = naive_gradient,
                          .bound_forward = bound_forward,
                          .bound_delta = bound_delta,
                          .bound_gradient = bound_gradient};
