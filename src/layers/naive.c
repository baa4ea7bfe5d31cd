/* The network by (3.8), (4.1), (4.3), (4.9) and (4.12) of docs/numerics.md.
 * SPDX-License-Identifier: MIT */
#include "layers/naive.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/real.h"

/* ---- memory */

static bool allocate(nu_naive *naive, size_t n_layers) {
  size_t units = naive->first[n_layers + 1];
  naive->parameters = nu_alloc(naive->network->n_parameters, sizeof(double));
  naive->z = nu_alloc(units, sizeof(double));
  naive->a = nu_alloc(units, sizeof(double));
  naive->delta = nu_alloc(units, sizeof(double));
  return naive->parameters && naive->z && naive->a && naive->delta;
}

numann_status nu_naive_create(nu_naive *naive, const numann_network *network, numann_error *err) {
  size_t n_layers = network->n_layers;
  *naive = (nu_naive){.network = network, .first = nu_alloc(n_layers + 2, sizeof(size_t))};
  if (naive->first) {
    naive->first[1] = network->layers[0].inputs;
    for (size_t l = 0; l < n_layers; l++) {
      assert(network->layers[l].activation != NU_STEP);
      naive->first[l + 2] = naive->first[l + 1] + network->layers[l].neurons;
    }
  }
  if (!naive->first || !allocate(naive, n_layers)) {
    nu_naive_clear(naive);
    return nu_fail_memory(err, network->n_parameters * sizeof(double), "the naive network");
  }
  for (size_t i = 0; i < network->n_parameters; i++) naive->parameters[i] = network->parameters[i];
  return NUMANN_OK;
}

void nu_naive_clear(nu_naive *naive) {
  free(naive->parameters);
  free(naive->first);
  free(naive->z);
  free(naive->a);
  free(naive->delta);
  *naive = (nu_naive){0};
}

size_t nu_weights_at(const numann_network *network, size_t l) {
  return (size_t)(network->layers[l].weights - network->parameters);
}

size_t nu_biases_at(const numann_network *network, size_t l) {
  return (size_t)(network->layers[l].biases - network->parameters);
}

/* ---- softmax */

static double largest(size_t n, const double *z) {
  double m = z[0];
  for (size_t i = 1; i < n; i++) m = z[i] > m ? z[i] : m;
  return m;
}

/* a_i = e^z_i / sum over j of e^z_j; the shift by the largest z cancels in the quotient. */
static void softmax(size_t n, const double *z, double *a) {
  double shift = largest(n, z), sum = 0.0;
  for (size_t i = 0; i < n; i++) {
    a[i] = nu_real_exp_any(z[i] - shift);
    sum += a[i];
  }
  for (size_t i = 0; i < n; i++) a[i] /= sum;
}

/* ---- losses of one row */

/* (4.9) E_d = 1/2 sum over outputs of (t_i - y_i)^2 */
static double squared_error(size_t n, const double *y, const float *t) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += ((double)t[i] - y[i]) * ((double)t[i] - y[i]);
  return 0.5 * sum;
}

/* -sum t_i ln y_i, where ln y_i = z_i - ln sum over j of e^z_j */
static double cross_entropy(size_t n, const double *z, const float *t) {
  double shift = largest(n, z), sum = 0.0, loss = 0.0;
  for (size_t i = 0; i < n; i++) sum += nu_real_exp_any(z[i] - shift);
  for (size_t i = 0; i < n; i++) loss -= (double)t[i] * (z[i] - shift - nu_real_log(sum));
  return loss;
}

/* -ln sigmoid(z) = ln(1 + e^-z), without overflow */
static double minus_log_sigmoid(double z) {
  double size = z < 0.0 ? -z : z;
  return (z < 0.0 ? -z : 0.0) + nu_real_log(1.0 + nu_real_exp_any(-size));
}

/* -sum t_i ln y_i + (1 - t_i) ln(1 - y_i), where 1 - sigmoid(z) = sigmoid(-z) */
static double binary_cross_entropy(size_t n, const double *z, const float *t) {
  double loss = 0.0;
  for (size_t i = 0; i < n; i++) {
    double p = (double)t[i];
    loss += p * minus_log_sigmoid(z[i]) + (1.0 - p) * minus_log_sigmoid(-z[i]);
  }
  return loss;
}

static double row_loss(nu_loss loss, size_t n, const double *z, const double *y, const float *t) {
  if (loss == NU_CROSS_ENTROPY) return cross_entropy(n, z, t);
  if (loss == NU_BINARY_CROSS_ENTROPY) return binary_cross_entropy(n, z, t);
  return squared_error(n, y, t);
}

/* ---- forward */

void nu_naive_activate(nu_naive *naive, size_t l) {
  const nu_layer *layer = &naive->network->layers[l];
  double *z = naive->z + naive->first[l + 1], *a = naive->a + naive->first[l + 1];
  const nu_activation_row *f = nu_activation_row_of(layer->activation);
  for (size_t j = 0; j < layer->neurons; j++) a[j] = f->value(z[j]);
  if (layer->activation == NU_SOFTMAX) softmax(layer->neurons, z, a);
}

double nu_naive_slope(const nu_naive *naive, size_t l, size_t unit) {
  return nu_activation_row_of(naive->network->layers[l].activation)
      ->slope(naive->z[unit], naive->a[unit]);
}

void nu_naive_factor_forward(nu_naive *naive, size_t l, nu_factor_fn *factor) {
  for (size_t i = 0; i < naive->network->layers[l].neurons; i++)
    naive->z[naive->first[l + 1] + i] = naive->a[naive->first[l] + i] * factor(naive, l, i);
  nu_naive_activate(naive, l);
}

void nu_naive_factor_delta(nu_naive *naive, size_t l, nu_factor_fn *factor) {
  for (size_t i = 0; i < naive->network->layers[l].neurons; i++) {
    size_t below = naive->first[l] + i;
    double back = naive->delta[naive->first[l + 1] + i] * factor(naive, l, i);
    naive->delta[below] = nu_naive_slope(naive, l - 1, below) * back;
  }
}

double nu_naive_forward(nu_naive *naive, const float *input, const float *target) {
  const numann_network *network = naive->network;
  size_t last = network->n_layers, outputs = network->layers[last - 1].neurons;
  for (size_t i = 0; i < network->layers[0].inputs; i++) naive->a[i] = (double)input[i];
  for (size_t l = 0; l < last; l++) network->layers[l].kind->naive_forward(naive, l);
  const double *z = naive->z + naive->first[last], *y = naive->a + naive->first[last];
  return row_loss(network->loss, outputs, z, y, target);
}

/* ---- backward */

/* (4.1) delta_i = f'(z_i) (t_i - y_i). For softmax with cross-entropy and for sigmoid with binary
 * cross-entropy f' cancels against the loss's 1/y and 1/(y (1 - y)): delta_i = t_i - y_i. */
static void output_delta(nu_naive *naive, const float *target) {
  const numann_network *network = naive->network;
  const nu_layer *layer = &network->layers[network->n_layers - 1];
  size_t first = naive->first[network->n_layers];
  for (size_t i = 0; i < layer->neurons; i++) {
    double y = naive->a[first + i], delta = (double)target[i] - y;
    if (network->loss == NU_SQUARED_ERROR) {
      delta *= nu_naive_slope(naive, network->n_layers - 1, first + i);
    }
    naive->delta[first + i] = delta;
  }
}

void nu_naive_backward(nu_naive *naive, const float *target) {
  output_delta(naive, target);
  for (size_t l = naive->network->n_layers; --l > 0;)
    naive->network->layers[l].kind->naive_delta(naive, l);
}

void nu_naive_gradient(nu_naive *naive, size_t rows, const float *inputs, const float *targets,
                       const uint32_t *samples, double *gradient) {
  size_t n_in = naive->network->layers[0].inputs, n_out = numann_network_outputs(naive->network);
  memset(gradient, 0, naive->network->n_parameters * sizeof *gradient);
  for (size_t r = 0; r < rows; r++) {
    naive->row = samples ? samples[r] : r;
    nu_naive_forward(naive, inputs + r * n_in, targets + r * n_out);
    nu_naive_backward(naive, targets + r * n_out);
    for (size_t l = 0; l < naive->network->n_layers; l++) {
      const nu_layer *layer = &naive->network->layers[l];
      if (layer->links) layer->kind->naive_gradient(naive, l, gradient);
    }
  }
}
