/* What a dense layer costs. SPDX-License-Identifier: MIT */
#include "base/least.h"
#include "layers/dense/dense.h"
#include "plan/cost.h"

/* Calls for a region of the gradient, and its update; adjusted to whole steps of `bench step`. */
static const double REGION_S = 60e-9;

/* A(l-1), which other members have formed, unless both layers go by rows; and the weights, which
 * threads of all groups have updated, or, in a thin layer, the members. */
static nu_seconds forward_parts(const nu_work *w, size_t l) {
  const nu_layer *layer = &w->network->layers[l];
  double columns = nu_work_columns(w, l), rows = nu_work_rows(w, l);
  bool last = l + 1 == w->network->n_layers,
       by_rows = nu_work_is_thin(w, l) && (l == 0 || nu_work_is_thin(w, l - 1));
  size_t updaters = w->plan->groups > 1 ? w->plan->threads : nu_work_is_thin(w, l) ? w->members : 1;
  return (nu_seconds){
      .arithmetic = nu_cost_chains(w, rows, (double)layer->inputs + 1.0, columns),
      .activation = last ? 0.0 : nu_cost_activation(w, layer->activation, rows * columns),
      .memory = nu_cost_stream(w, w->chunks * nu_work_parameters(w, l)),
      .shared = (by_rows ? 0.0 : nu_cost_from_others(w, rows * (double)layer->inputs, w->members)) +
                nu_cost_from_others(w, nu_work_parameters(w, l), updaters)};
}

/* The deltas below from the weights of layer l, which are transposed for every chunk; other members
 * have updated most of them. */
static nu_seconds delta_parts(const nu_work *w, size_t l) {
  double columns = nu_work_columns(w, l - 1), rows = nu_work_rows(w, l - 1);
  double links = (double)w->network->layers[l].neurons, floats = w->chunks * links * columns;
  bool by_rows = nu_work_is_thin(w, l - 1) && nu_work_is_thin(w, l);
  return (nu_seconds){
      .arithmetic = nu_cost_chains(w, rows, links, columns) + nu_cost_floats(2.0 * floats),
      .activation = nu_cost_floats(rows * columns),
      .memory = nu_cost_stream(w, floats),
      .shared = (by_rows ? 0.0 : nu_cost_from_others(w, rows * links, w->members)) +
                (w->plan->groups > 1 ? 0.0 : nu_cost_from_others(w, links * columns, w->members))};
}

/* Grains of a chain each; sums that are left for later go out to memory and come back. In a thin
 * layer other members have formed most of A(l-1) and D(l). */
static nu_seconds gradient_parts(const nu_work *w, size_t l) {
  double inputs = (double)w->network->layers[l].inputs + 1.0, columns = nu_work_columns(w, l);
  if (nu_work_is_thin(w, l)) inputs /= (double)w->members;
  double regions = inputs / (double)w->plan->blocks.inputs * columns / NU_PANEL;
  double rows = w->rows / w->grains;
  double chains = w->grains * nu_cost_chains(w, inputs, rows, columns);
  return (nu_seconds){
      .arithmetic = chains + REGION_S * regions * w->grains,
      .memory = nu_cost_left(w, inputs * columns),
      .shared = nu_work_is_thin(w, l)
                    ? nu_cost_from_others(w, w->rows * (inputs + columns), w->members)
                    : 0.0};
}

void nu_dense_cost(const nu_work *w, size_t l, nu_parts_cost *cost) {
  cost->forward = forward_parts(w, l);
  if (l > 0) cost->delta = delta_parts(w, l);
  cost->gradient = gradient_parts(w, l);
  cost->update = nu_cost_update(w, l);
}
