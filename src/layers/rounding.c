/* Bounds of rounding errors, (R1) to (R9) of docs/numerics.md. SPDX-License-Identifier: MIT
 *
 * Names: a quantity v of the naive network, and its error bound e_v: |engine's v - v| <= e_v. */
#include "layers/rounding.h"

#include <stdlib.h>

#include "base/least.h"
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

/* Of the others, as src/kernels/vector_math.h has them, and a little for the naive network's: of
 * the value, of |f'| + gate, and what is flushed. */
#define VALUE (10.0 * U)
#define SLOPE (9.0 * U)
#define FLUSHED(z) (5.0 * (1.0 + magnitude(z)) * LAMBDA)

/* (R1) n roundings in a row multiply by at most 1 + gamma(n). */
static double gamma_of(size_t n) { return (double)n * U / (1.0 - (double)n * U); }

double nu_rounding_product(double x, double e_x, double y, double e_y) {
  return x * e_y + y * e_x + e_x * e_y + U * (x + e_x) * (y + e_y) + LAMBDA;
}

static double magnitude(double x) { return x < 0.0 ? -x : x; }

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

/* (R4) a = f(z): what e_z becomes, and the error of f itself. The derivative grows over the way e_z
 * by at most e^(rate e_z), as |f''| <= rate f'. */
static double bound_smooth(double a, double slope, double steepest, double rate, double e_z) {
  double near = e_z < 1.0 ? nu_smaller_real(steepest, slope * nu_real_exp(rate * e_z)) : steepest;
  double carried = near * e_z;
  return carried + FUNCTION * (magnitude(a) + carried) + LAMBDA;
}

/* f = z g(z), 0 <= g <= 1: |f'| at most `steepest`, |f''| and g' at most `curvature`. */
typedef struct gated {
  double steepest, curvature;
} gated;
static const gated gelu = {1.13, 0.8}, silu = {1.1, 0.5}, mish = {1.09, 0.65};

static double bound_gated(gated f, double z, double a, double slope, double e_z) {
  double carried = nu_smaller_real(f.steepest, magnitude(slope) + f.curvature * e_z) * e_z;
  return carried + VALUE * (magnitude(a) + carried) + FLUSHED(z) + 5.0 * LAMBDA * e_z;
}

/* e^z - 1 times `depth`, below 0; f'' = f'. */
static double bound_elu(double depth, double z, double a, double slope, double e_z) {
  double near = e_z < 1.0 ? nu_smaller_real(depth, slope * nu_real_exp(e_z)) : depth;
  return near * e_z + VALUE * (magnitude(a) + near * e_z) + FLUSHED(z);
}

static double bound_activation(nu_activation f, double z, double a, double e_z) {
  double slope = nu_naive_derivative(f, z, a);
  switch (f) {
    case NU_GELU: return bound_gated(gelu, z, a, slope, e_z);
    case NU_SILU: return bound_gated(silu, z, a, slope, e_z);
    case NU_MISH: return bound_gated(mish, z, a, slope, e_z);
    case NU_ELU: return bound_elu(1.0, z, a, slope, e_z);
    case NU_SELU:
      return z > 0.0 ? nu_rounding_product((double)NU_SELU_SLOPE, 0.0, z, e_z)
                     : bound_elu((double)NU_SELU_DEPTH, z, a, slope, e_z);
    case NU_SOFTPLUS: return bound_smooth(a, slope, 1.0, 1.0, e_z) + FLUSHED(z);
    case NU_SIGMOID: return bound_smooth(a, a * (1.0 - a), 0.25, 1.0, e_z);
    case NU_TANH: return bound_smooth(a, 1.0 - a * a, 1.0, 2.0, e_z);
    case NU_RELU: return z > 0.0 ? e_z : 0.0;
    case NU_LEAKY_RELU:
      return z > 0.0 ? e_z : nu_rounding_product((double)NU_LEAKY_SLOPE, 0.0, magnitude(z), e_z);
    case NU_STEP:
    case NU_IDENTITY:
    case NU_SOFTMAX: /* a whole row's business */
    case NU_ACTIVATIONS: break;
  }
  return e_z;
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

void nu_rounding_activate(nu_rounding *bound, size_t l) {
  const nu_naive *naive = bound->naive;
  const nu_layer *layer = &naive->network->layers[l];
  size_t first = naive->first[l + 1];
  const double *z = naive->z + first, *a = naive->a + first;
  if (layer->activation == NU_SOFTMAX) {
    bound_softmax(layer->neurons, z, a, bound->z + first, bound->a + first);
    return;
  }
  for (size_t j = 0; j < layer->neurons; j++)
    bound->a[first + j] = bound_activation(layer->activation, z[j], a[j], bound->z[first + j]);
}

void nu_rounding_forward(nu_rounding *bound) {
  const numann_network *network = bound->naive->network;
  for (size_t l = 0; l < network->n_layers; l++) network->layers[l].kind->bound_forward(bound, l);
}

bool nu_rounding_sign_is_sure(const nu_rounding *bound, size_t unit) {
  return bound->z[unit] == 0.0 || magnitude(bound->naive->z[unit]) > bound->z[unit];
}

/* ---- backward */

/* (R6) |f'(z)| as the engine computes it from z, in which f' moves by at most curvature e_z. */
static double bound_gated_slope(gated f, double z, double a, double e_z, double slope,
                                double *e_slope) {
  double carried = f.curvature * e_z, gate = z == 0.0 ? 1.0 : a / z;
  *e_slope =
      carried + SLOPE * (magnitude(slope) + gate + 2.0 * carried) + FLUSHED(z) + 5.0 * LAMBDA * e_z;
  return magnitude(slope);
}

/* (R6) |f'(z)| as the engine computes it from a, or from z; *e_slope its error. */
static double bound_derivative(nu_activation f, double z, double a, double e_z, double e_a,
                               double *e_slope) {
  double size = magnitude(a), rest = 1.0 - a, slope = nu_naive_derivative(f, z, a), e_square;
  *e_slope = 0.0;
  switch (f) {
    case NU_GELU: return bound_gated_slope(gelu, z, a, e_z, slope, e_slope);
    case NU_SILU: return bound_gated_slope(silu, z, a, e_z, slope, e_slope);
    case NU_MISH: return bound_gated_slope(mish, z, a, e_z, slope, e_slope);
    case NU_ELU: /* 1, or a + 1; near 0 a' may have the other sign, and is then below e_a */
      if (z <= e_z) *e_slope = e_a + U * (slope + e_a) + LAMBDA;
      return slope;
    case NU_SELU:
      if (z <= 0.0) *e_slope = e_a + U * (slope + e_a) + LAMBDA;
      return slope;
    case NU_SOFTPLUS:
      *e_slope = bound_smooth(slope, slope * (1.0 - slope), 0.25, 1.0, e_z) + FLUSHED(z);
      return slope;
    case NU_SIGMOID:
      *e_slope = nu_rounding_product(size, e_a, rest, e_a + U * (rest + e_a));
      return size * rest;
    case NU_TANH:
      e_square = 2.0 * size * e_a + e_a * e_a;
      *e_slope = e_square + U * (1.0 - a * a + e_square) + LAMBDA;
      return 1.0 - a * a;
    case NU_RELU: return z > 0.0 ? 1.0 : 0.0;
    case NU_LEAKY_RELU: return z > 0.0 ? 1.0 : (double)NU_LEAKY_SLOPE;
    case NU_STEP: /* the perceptron rule has no f' */
    case NU_IDENTITY:
    case NU_SOFTMAX: /* a whole row's business */
    case NU_ACTIVATIONS: break;
  }
  return 1.0;
}

double nu_rounding_delta(const nu_rounding *bound, size_t l, size_t i, double size, double e) {
  const nu_naive *naive = bound->naive;
  nu_activation f = naive->network->layers[l].activation;
  double e_slope,
      slope = bound_derivative(f, naive->z[i], naive->a[i], bound->z[i], bound->a[i], &e_slope);
  return nu_rounding_product(size, e, slope, e_slope);
}

void nu_rounding_factor_forward(nu_rounding *bound, size_t l, nu_factor_fn *factor) {
  const nu_naive *naive = bound->naive;
  for (size_t i = 0; i < naive->network->layers[l].neurons; i++) {
    size_t below = naive->first[l] + i;
    double size = magnitude(factor(naive, l, i));
    bound->z[naive->first[l + 1] + i] =
        nu_rounding_product(magnitude(naive->a[below]), bound->a[below], size, 0.0);
  }
  nu_rounding_activate(bound, l);
}

void nu_rounding_factor_delta(nu_rounding *bound, size_t l, nu_factor_fn *factor) {
  const nu_naive *naive = bound->naive;
  for (size_t i = 0; i < naive->network->layers[l].neurons; i++) {
    size_t below = naive->first[l] + i, own = naive->first[l + 1] + i;
    double back = magnitude(naive->delta[own]), size = magnitude(factor(naive, l, i));
    double e = nu_rounding_product(back, bound->delta[own], size, 0.0);
    bound->delta[below] = nu_rounding_delta(bound, l - 1, below, back * size, e);
  }
}

/* (R7) t - y, and for the squared error (4.1) times f'. */
static void bound_output(nu_rounding *bound, const float *target) {
  const nu_naive *naive = bound->naive;
  const numann_network *network = naive->network;
  for (size_t i = naive->first[network->n_layers]; i < naive->first[network->n_layers + 1]; i++) {
    double size = magnitude((double)*target++ - naive->a[i]);
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
  double size = magnitude(delta), other = magnitude(x);
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
