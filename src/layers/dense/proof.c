/* A dense layer in double, one row at a time, straight from the equations, and the bounds of its
 * rounding errors (docs/numerics.md). SPDX-License-Identifier: MIT */
#include <math.h>

#include "layers/dense/dense.h"
#include "layers/rounding.h"

/* ---- naive */

/* (3.8) a = f(W x + b), x being the layer below: z_j = sum over i of w_ji x_i + b_j (4.11) */
void nu_dense_naive_forward(nu_naive *naive, size_t l) {
  const nu_layer *layer = &naive->network->layers[l];
  const double *w = naive->parameters + nu_weights_at(naive->network, l);
  const double *b = naive->parameters + nu_biases_at(naive->network, l);
  const double *x = naive->a + naive->first[l];
  double *z = naive->z + naive->first[l + 1];
  for (size_t j = 0; j < layer->neurons; j++) {
    z[j] = b[j];
    for (size_t i = 0; i < layer->inputs; i++) z[j] += w[j * layer->inputs + i] * x[i];
  }
  nu_naive_activate(naive, l);
}

/* (4.3) delta_i = f'(z_i) sum over downstream k of w_ki delta_k, i of layer l - 1, k of layer l */
void nu_dense_naive_delta(nu_naive *naive, size_t l) {
  const nu_layer *layer = &naive->network->layers[l];
  const double *w = naive->parameters + nu_weights_at(naive->network, l);
  const double *delta = naive->delta + naive->first[l + 1];
  for (size_t i = 0; i < layer->inputs; i++) {
    size_t unit = naive->first[l] + i;
    double sum = 0.0;
    for (size_t k = 0; k < layer->neurons; k++) sum += w[k * layer->inputs + i] * delta[k];
    naive->delta[unit] = nu_naive_slope(naive, l - 1, unit) * sum;
  }
}

/* (4.12) dE_d/dw_ji = (dE_d/dnet_j) x_ji = -delta_j x_ji; the bias has x = 1 */
void nu_dense_naive_gradient(const nu_naive *naive, size_t l, double *gradient) {
  const nu_layer *layer = &naive->network->layers[l];
  const double *x = naive->a + naive->first[l], *delta = naive->delta + naive->first[l + 1];
  double *weights = gradient + nu_weights_at(naive->network, l);
  double *biases = gradient + nu_biases_at(naive->network, l);
  for (size_t j = 0; j < layer->neurons; j++) {
    for (size_t i = 0; i < layer->inputs; i++) weights[j * layer->inputs + i] -= delta[j] * x[i];
    biases[j] -= delta[j];
  }
}

/* ---- bounds */

/* (R3) of every z, then of a. */
void nu_dense_bound_forward(nu_rounding *bound, size_t l) {
  const nu_naive *naive = bound->naive;
  const nu_layer *layer = &naive->network->layers[l];
  const double *w = naive->parameters + nu_weights_at(naive->network, l);
  const double *b = naive->parameters + nu_biases_at(naive->network, l);
  const double *x = naive->a + naive->first[l], *e_x = bound->a + naive->first[l];
  double *e_z = bound->z + naive->first[l + 1];
  for (size_t j = 0; j < layer->neurons; j++) {
    double carried = 0.0, mass = fabs(b[j]);
    for (size_t i = 0; i < layer->inputs; i++) {
      double size = fabs(w[j * layer->inputs + i]);
      carried += size * e_x[i];
      mass += size * (fabs(x[i]) + e_x[i]);
    }
    e_z[j] = nu_rounding_chain(layer->inputs + 1, carried, mass);
  }
  nu_rounding_activate(bound, l);
}

/* (R8) (4.3): a chain over the neurons of layer l, times f' of the layer below. */
void nu_dense_bound_delta(nu_rounding *bound, size_t l) {
  const nu_naive *naive = bound->naive;
  const nu_layer *layer = &naive->network->layers[l];
  const double *w = naive->parameters + nu_weights_at(naive->network, l);
  const double *delta = naive->delta + naive->first[l + 1];
  const double *e_delta = bound->delta + naive->first[l + 1];
  for (size_t i = 0; i < layer->inputs; i++) {
    double sum = 0.0, carried = 0.0, mass = 0.0;
    for (size_t k = 0; k < layer->neurons; k++) {
      double size = fabs(w[k * layer->inputs + i]);
      sum += w[k * layer->inputs + i] * delta[k];
      carried += size * e_delta[k];
      mass += size * (fabs(delta[k]) + e_delta[k]);
    }
    size_t unit = naive->first[l] + i;
    double e = nu_rounding_chain(layer->neurons, carried, mass);
    bound->delta[unit] = nu_rounding_delta(bound, l - 1, unit, fabs(sum), e);
  }
}

void nu_dense_bound_gradient(const nu_rounding *bound, size_t l, nu_rounding_sum *sum) {
  const nu_naive *naive = bound->naive;
  const nu_layer *layer = &naive->network->layers[l];
  size_t at = nu_weights_at(naive->network, l), biases = nu_biases_at(naive->network, l);
  size_t below = naive->first[l], own = naive->first[l + 1];
  for (size_t j = own; j < own + layer->neurons; j++) {
    for (size_t i = below; i < below + layer->inputs; i++)
      nu_rounding_term(sum, at++, naive->delta[j], bound->delta[j], naive->a[i], bound->a[i]);
    nu_rounding_term(sum, biases++, naive->delta[j], bound->delta[j], 1.0, 0.0);
  }
}
