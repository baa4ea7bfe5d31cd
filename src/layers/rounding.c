/* Bounds of rounding errors, (R1) to (R9) of docs/numerics.md. SPDX-License-Identifier: MIT */
#include "layers/rounding.h"

#include <stdlib.h>

#include "base/least.h"
#include "base/memory.h"
#include "base/real.h"

#define U NU_UNIT
#define LAMBDA NU_FLUSHED

/* (R1) n roundings in a row multiply by at most 1 + gamma(n). */
static double gamma_of(size_t n) { return (double)n * U / (1.0 - (double)n * U); }

/* ---- memory */

numann_status nu_rounding_create(nu_rounding *bound, const nu_naive *naive, numann_error *err) {
  size_t units = naive->first[naive->network->n_layers + 1];
  *bound = (nu_rounding){.naive = naive,
                         .z = nu_alloc(units, sizeof(double)),
                         .a = nu_alloc(units, sizeof(double)),
                         .delta = nu_alloc(units, sizeof(double))};
  if (bound->z && bound->a && bound->delta) return NUMANN_OK;
  nu_rounding_clear(bound);
  return nu_fail_memory(err, 3 * units * sizeof(double), "the bounds of rounding errors");
}

void nu_rounding_clear(nu_rounding *bound) {
  free(bound->z);
  free(bound->a);
  free(bound->delta);
  *bound = (nu_rounding){0};
}

numann_status nu_rounding_sum_create(nu_rounding_sum *sum, size_t n_parameters, numann_error *err) {
  *sum = (nu_rounding_sum){.terms = nu_alloc(n_parameters, sizeof(double)),
                           .bound = nu_alloc(n_parameters, sizeof(double))};
  if (sum->terms && sum->bound) return NUMANN_OK;
  nu_rounding_sum_clear(sum);
  return nu_fail_memory(err, 2 * n_parameters * sizeof(double), "the bounds of rounding errors");
}

void nu_rounding_sum_clear(nu_rounding_sum *sum) {
  free(sum->terms);
  free(sum->bound);
  *sum = (nu_rounding_sum){0};
}

/* ---- forward */

double nu_rounding_chain(size_t n, double carried, double mass) {
  if (mass == 0.0) return 0.0;
  return carried + gamma_of(n) * mass + (double)n * LAMBDA * (1.0 + gamma_of(n));
}

/* (R5) softmax: all that changes numerator and denominator stands in one exponent. */
static void bound_softmax(size_t n, const double *z, const double *a, const double *e_z,
                          double *e_a) {
  double top = z[0], least = z[0], worst = 0.0;
  for (size_t i = 0; i < n; i++) {
    top = z[i] > top ? z[i] : top;
    least = z[i] < least ? z[i] : least;
    worst = e_z[i] > worst ? e_z[i] : worst;
  }
  double widest = top - least + 2.0 * worst;
  for (size_t i = 0; i < n; i++) {
    double exponent = e_z[i] + worst + 2.0 * U * widest + 2.0 * NU_FUNCTION + gamma_of(n + 1);
    double carried = exponent < 1.0 ? a[i] * exponent * nu_real_exp(exponent) : 1.0 + exponent;
    e_a[i] = carried + 2.0 * (double)(n + 2) * LAMBDA;
  }
}

void nu_rounding_activate(nu_rounding *bound, size_t l) {
  const nu_naive *naive = bound->naive;
  const nu_layer *layer = &naive->network->layers[l];
  size_t first = naive->first[l + 1];
  const double *z = naive->z + first, *a = naive->a + first;
  if (layer->activation == NU_SOFTMAX) {
    bound_softmax(layer->neurons, z, a, bound->z + first, bound->a + first);
    return;
  }
  const nu_activation_row *f = nu_activation_row_of(layer->activation);
  for (size_t j = 0; j < layer->neurons; j++)
    bound->a[first + j] = f->bound(z[j], a[j], bound->z[first + j]);
}

void nu_rounding_forward(nu_rounding *bound) {
  const numann_network *network = bound->naive->network;
  for (size_t l = 0; l < network->n_layers; l++) network->layers[l].kind->bound_forward(bound, l);
}

bool nu_rounding_sign_is_sure(const nu_rounding *bound, size_t unit) {
  return bound->z[unit] == 0.0 || nu_magnitude(bound->naive->z[unit]) > bound->z[unit];
}

/* ---- backward */

double nu_rounding_delta(const nu_rounding *bound, size_t l, size_t i, double size, double e) {
  const nu_naive *naive = bound->naive;
  const nu_activation_row *f = nu_activation_row_of(naive->network->layers[l].activation);
  double e_slope = f->bound_slope(naive->z[i], naive->a[i], bound->z[i], bound->a[i]);
  return nu_rounding_product(size, e, nu_magnitude(nu_naive_slope(naive, l, i)), e_slope);
}

void nu_rounding_factor_forward(nu_rounding *bound, size_t l, nu_factor_fn *factor) {
  const nu_naive *naive = bound->naive;
  for (size_t i = 0; i < naive->network->layers[l].neurons; i++) {
    size_t below = naive->first[l] + i;
    double size = nu_magnitude(factor(naive, l, i));
    bound->z[naive->first[l + 1] + i] =
        nu_rounding_product(nu_magnitude(naive->a[below]), bound->a[below], size, 0.0);
  }
  nu_rounding_activate(bound, l);
}

void nu_rounding_factor_delta(nu_rounding *bound, size_t l, nu_factor_fn *factor) {
  const nu_naive *naive = bound->naive;
  for (size_t i = 0; i < naive->network->layers[l].neurons; i++) {
    size_t below = naive->first[l] + i, own = naive->first[l + 1] + i;
    double back = nu_magnitude(naive->delta[own]), size = nu_magnitude(factor(naive, l, i));
    double e = nu_rounding_product(back, bound->delta[own], size, 0.0);
    bound->delta[below] = nu_rounding_delta(bound, l - 1, below, back * size, e);
  }
}

/* (R7) t - y, and for the squared error (4.1) times f'. */
static void bound_output(nu_rounding *bound, const float *target) {
  const nu_naive *naive = bound->naive;
  const numann_network *network = naive->network;
  for (size_t i = naive->first[network->n_layers]; i < naive->first[network->n_layers + 1]; i++) {
    double size = nu_magnitude((double)*target++ - naive->a[i]);
    double e = bound->a[i] + U * (size + bound->a[i]) + LAMBDA;
    bound->delta[i] = network->loss == NU_SQUARED_ERROR
                          ? nu_rounding_delta(bound, network->n_layers - 1, i, size, e)
                          : e;
  }
}

void nu_rounding_backward(nu_rounding *bound, const float *target) {
  bound_output(bound, target);
  const numann_network *network = bound->naive->network;
  for (size_t l = network->n_layers; --l > 0;) network->layers[l].kind->bound_delta(bound, l);
}

/* ---- the gradient */

void nu_rounding_term(nu_rounding_sum *sum, size_t parameter, double delta, double e_delta,
                      double x, double e_x) {
  double size = nu_magnitude(delta), other = nu_magnitude(x);
  sum->terms[parameter] += size * other;
  sum->bound[parameter] += size * e_x + other * e_delta + e_delta * e_x;
}

void nu_rounding_add(const nu_rounding *bound, nu_rounding_sum *sum) {
  const numann_network *network = bound->naive->network;
  for (size_t l = 0; l < network->n_layers; l++) {
    if (network->layers[l].links) network->layers[l].kind->bound_gradient(bound, l, sum);
  }
  sum->rows++;
}

size_t nu_rounding_depth(size_t rows, size_t grain) {
  size_t grains = (rows + grain - 1) / grain, depth = rows < grain ? rows : grain;
  while (grains > 1) {
    grains = (grains + 1) / 2;
    depth++;
  }
  return depth;
}

/* (R9) Chains over the rows of the grains, joined in the tree. Every row is one fused multiply-add,
 * every grain but one an addition. */
void nu_rounding_finish(nu_rounding_sum *sum, size_t n_parameters, size_t grain) {
  double gamma = gamma_of(nu_rounding_depth(sum->rows, grain));
  double flushed = 2.0 * (double)sum->rows * LAMBDA * (1.0 + gamma);
  for (size_t i = 0; i < n_parameters; i++) {
    sum->bound[i] += gamma * (sum->terms[i] + sum->bound[i]) + flushed;
  }
}
