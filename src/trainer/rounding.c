/* Bounds of rounding errors, (R1) to (R9) of docs/numerics.md. SPDX-License-Identifier: MIT
 *
 * Names: a quantity v of the naive network, and its error bound e_v: |engine's v - v| <= e_v. */
#include "trainer/rounding.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/real.h"

/* Unit roundoff of float, a little enlarged: pays for the roundings of the naive network and of
 * these bounds themselves, all in double. */
#define U 0x1.0001p-24
/* What FTZ may take from one result: anything below the smallest normal float. */
#define LAMBDA 0x1p-126
/* Relative error of the engine's exp, sigmoid and tanh: 4 units in the last place, each
 * at most 2 U. tests/check_kernels.c holds them to 2.7. */
#define FUNCTION (8.0 * U)

/* (R1) n roundings in a row multiply by at most 1 + gamma(n). */
static double gamma_of(size_t n) { return (double)n * U / (1.0 - (double)n * U); }

/* (R2) |x y| is off by at most this when x, y are off by e_x, e_y and the product is rounded. */
static double product(double x, double e_x, double y, double e_y) {
  return x * e_y + y * e_x + e_x * e_y + U * (x + e_x) * (y + e_y) + LAMBDA;
}

static double magnitude(double x) { return x < 0.0 ? -x : x; }
static double smaller(double a, double b) { return a < b ? a : b; }

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

/* (R3) A chain of n fused multiply-adds over w_i x_i: carried = sum |w_i| e_i, mass = sum |w_i|
 * (|x_i| + e_i). A chain of zeros is exactly zero. */
static double chain(size_t n, double carried, double mass) {
  if (mass == 0.0) return 0.0;
  return carried + gamma_of(n) * mass + (double)n * LAMBDA * (1.0 + gamma_of(n));
}

static void bound_z(nu_rounding *bound, size_t l) {
  const nu_naive *naive = bound->naive;
  const nu_layer *layer = &naive->network->layers[l];
  const double *w = naive->parameters + (layer->weights - naive->network->parameters);
  const double *b = naive->parameters + (layer->biases - naive->network->parameters);
  const double *x = naive->a + naive->first[l], *e_x = bound->a + naive->first[l];
  double *e_z = bound->z + naive->first[l + 1];
  for (size_t j = 0; j < layer->neurons; j++) {
    double carried = 0.0, mass = magnitude(b[j]);
    for (size_t i = 0; i < layer->inputs; i++) {
      double size = magnitude(w[j * layer->inputs + i]);
      carried += size * e_x[i];
      mass += size * (magnitude(x[i]) + e_x[i]);
    }
    e_z[j] = chain(layer->inputs + 1, carried, mass);
  }
}

/* (R4) a = f(z): what e_z becomes, and the error of f itself. The derivative grows over the way e_z
 * by at most e^(rate e_z), as |f''| <= rate f'. */
static double bound_smooth(double a, double slope, double steepest, double rate, double e_z) {
  double near = e_z < 1.0 ? smaller(steepest, slope * nu_real_exp(rate * e_z)) : steepest;
  double carried = near * e_z;
  return carried + FUNCTION * (magnitude(a) + carried) + LAMBDA;
}

static double bound_activation(nu_activation f, double z, double a, double e_z) {
  switch (f) {
    case NU_SIGMOID: return bound_smooth(a, a * (1.0 - a), 0.25, 1.0, e_z);
    case NU_TANH: return bound_smooth(a, 1.0 - a * a, 1.0, 2.0, e_z);
    case NU_RELU: return z > 0.0 ? e_z : 0.0;
    case NU_LEAKY_RELU:
      return z > 0.0 ? e_z : product((double)NU_LEAKY_SLOPE, 0.0, magnitude(z), e_z);
    default: return e_z;
  }
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
    double exponent = e_z[i] + worst + 2.0 * U * widest + 2.0 * FUNCTION + gamma_of(n + 1);
    double carried = exponent < 1.0 ? a[i] * exponent * nu_real_exp(exponent) : 1.0 + exponent;
    e_a[i] = carried + 2.0 * (double)(n + 2) * LAMBDA;
  }
}

void nu_rounding_forward(nu_rounding *bound) {
  const nu_naive *naive = bound->naive;
  for (size_t l = 0; l < naive->network->n_layers; l++) {
    const nu_layer *layer = &naive->network->layers[l];
    size_t first = naive->first[l + 1];
    const double *z = naive->z + first, *a = naive->a + first;
    bound_z(bound, l);
    if (layer->activation == NU_SOFTMAX) {
      bound_softmax(layer->neurons, z, a, bound->z + first, bound->a + first);
      continue;
    }
    for (size_t j = 0; j < layer->neurons; j++) {
      bound->a[first + j] = bound_activation(layer->activation, z[j], a[j], bound->z[first + j]);
    }
  }
}

bool nu_rounding_sign_is_sure(const nu_rounding *bound, size_t unit) {
  return bound->z[unit] == 0.0 || magnitude(bound->naive->z[unit]) > bound->z[unit];
}

/* ---- backward */

/* (R6) f'(z) as the engine computes it from a; *e_slope its error. */
static double bound_derivative(nu_activation f, double z, double a, double e_a, double *e_slope) {
  double size = magnitude(a), rest = 1.0 - a, e_square;
  *e_slope = 0.0;
  switch (f) {
    case NU_SIGMOID:
      *e_slope = product(size, e_a, rest, e_a + U * (rest + e_a));
      return size * rest;
    case NU_TANH:
      e_square = 2.0 * size * e_a + e_a * e_a;
      *e_slope = e_square + U * (1.0 - a * a + e_square) + LAMBDA;
      return 1.0 - a * a;
    case NU_RELU: return z > 0.0 ? 1.0 : 0.0;
    case NU_LEAKY_RELU: return z > 0.0 ? 1.0 : (double)NU_LEAKY_SLOPE;
    default: return 1.0;
  }
}

/* Of unit i, whose delta before the derivative is `size` large and off by at most e. */
static double bound_delta(const nu_rounding *bound, nu_activation f, size_t i, double size,
                          double e) {
  const nu_naive *naive = bound->naive;
  double e_slope, slope = bound_derivative(f, naive->z[i], naive->a[i], bound->a[i], &e_slope);
  return product(size, e, slope, e_slope);
}

/* (R7) t - y, and for the squared error (4.1) times f'. */
static void bound_output(nu_rounding *bound, const float *target) {
  const nu_naive *naive = bound->naive;
  const numann_network *network = naive->network;
  nu_activation f = network->layers[network->n_layers - 1].activation;
  for (size_t i = naive->first[network->n_layers]; i < naive->first[network->n_layers + 1]; i++) {
    double size = magnitude((double)*target++ - naive->a[i]);
    double e = bound->a[i] + U * (size + bound->a[i]) + LAMBDA;
    bound->delta[i] = network->loss == NU_SQUARED_ERROR ? bound_delta(bound, f, i, size, e) : e;
  }
}

/* (R8) (4.3): a chain over the neurons of the layer above, times f'. */
static void bound_hidden(nu_rounding *bound, size_t l) {
  const nu_naive *naive = bound->naive;
  const nu_layer *layer = &naive->network->layers[l], *above = layer + 1;
  const double *w = naive->parameters + (above->weights - naive->network->parameters);
  const double *delta = naive->delta + naive->first[l + 2];
  const double *e_delta = bound->delta + naive->first[l + 2];
  for (size_t i = 0; i < layer->neurons; i++) {
    double sum = 0.0, carried = 0.0, mass = 0.0;
    for (size_t k = 0; k < above->neurons; k++) {
      double size = magnitude(w[k * above->inputs + i]);
      sum += w[k * above->inputs + i] * delta[k];
      carried += size * e_delta[k];
      mass += size * (magnitude(delta[k]) + e_delta[k]);
    }
    double e = chain(above->neurons, carried, mass);
    size_t unit = naive->first[l + 1] + i;
    bound->delta[unit] = bound_delta(bound, layer->activation, unit, magnitude(sum), e);
  }
}

void nu_rounding_backward(nu_rounding *bound, const float *target) {
  bound_output(bound, target);
  for (size_t l = bound->naive->network->n_layers - 1; l-- > 0;) bound_hidden(bound, l);
}

/* ---- the gradient */

/* One term delta x of (4.12): its size, and how far the engine's term may lie from it. */
static void add_term(nu_rounding_sum *sum, size_t parameter, double delta, double e_delta, double x,
                     double e_x) {
  double size = magnitude(delta), other = magnitude(x);
  sum->terms[parameter] += size * other;
  sum->bound[parameter] += size * e_x + other * e_delta + e_delta * e_x;
}

void nu_rounding_add(const nu_rounding *bound, nu_rounding_sum *sum) {
  const nu_naive *naive = bound->naive;
  for (size_t l = 0; l < naive->network->n_layers; l++) {
    const nu_layer *layer = &naive->network->layers[l];
    size_t at = (size_t)(layer->weights - naive->network->parameters), below = naive->first[l];
    size_t biases = (size_t)(layer->biases - naive->network->parameters);
    for (size_t j = 0; j < layer->neurons; j++) {
      double delta = naive->delta[naive->first[l + 1] + j];
      double e_delta = bound->delta[naive->first[l + 1] + j];
      for (size_t i = below; i < below + layer->inputs; i++) {
        add_term(sum, at++, delta, e_delta, naive->a[i], bound->a[i]);
      }
      add_term(sum, biases + j, delta, e_delta, 1.0, 0.0);
    }
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
