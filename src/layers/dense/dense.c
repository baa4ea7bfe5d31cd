/* The dense kind: every neuron takes every input. SPDX-License-Identifier: MIT
 *
 * Shapes as in include/numann/network.h: W [neurons][inputs], b [neurons]. */
#include "layers/dense/dense.h"

#include <stdio.h>

#include "config/config.h"

static numann_status read(nu_layer *layer, const numann_config *config, const char *key,
                          numann_error *err) {
  char own[80];
  const char *names[NU_ACTIVATIONS];
  size_t choice;
  snprintf(own, sizeof own, "%s.neurons", key);
  layer->neurons = nu_config_count(config, own);
  snprintf(own, sizeof own, "%s.activation", key);
  nu_activation_names(names);
  NU_TRY(nu_config_choice(config, own, names, NU_ACTIVATIONS, &choice, err));
  layer->activation = (nu_activation)choice;
  return NUMANN_OK;
}

static void shape(nu_layer *layer) {
  layer->links = layer->inputs;
  layer->bias = true;
}

static void book(const nu_books *books, size_t l) {
  const nu_layer *layer = &books->network->layers[l];
  size_t words = nu_panels(layer->neurons) * nu_plan_pair_panel_words(books->plan, layer);
  for (size_t r = 0; books->plan->problem.precision == NU_BF16 && r < nu_plan_replicas(books->plan);
       r++)
    nu_book(books, NU_BUFFER_WEIGHT_PAIRS, l, r, words, sizeof(float));
  /* f' of the last layer is formed where z still is (nu_output) */
  bool needs_z = books->use > NU_USE_PREDICT && l + 1 < books->network->n_layers;
  if (needs_z && nu_keeps_z(layer->activation))
    nu_book(books, NU_BUFFER_NETS, l, 0, books->rows * nu_stride(layer->neurons), sizeof(float));
}

const nu_kind nu_dense = {.name = "dense",
                          .keys = "neurons activation initializer",
                          .read = read,
                          .shape = shape,
                          .weights = "weight",
                          .product = true,
                          .book = book,
                          .per_thread = nu_dense_per_thread,
                          .cost = nu_dense_cost,
                          .forward = nu_dense_forward,
                          .delta = nu_dense_delta,
                          .grain = nu_dense_grain,
                          .naive_forward = nu_dense_naive_forward,
                          .naive_delta = nu_dense_naive_delta,
                          .naive_gradient = nu_dense_naive_gradient,
                          .bound_forward = nu_dense_bound_forward,
                          .bound_delta = nu_dense_bound_delta,
                          .bound_gradient = nu_dense_bound_gradient};
