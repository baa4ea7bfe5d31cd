/* The kernels, written once over a vector header and compiled once per instruction set:
 * NU_VECTOR_HEADER names the header, NU_KERNELS the table. SPDX-License-Identifier: MIT */
#include "kernels/kernels.h"

#include NU_VECTOR_HEADER

#include "base/real.h"
#include "kernels/vector_math.h"
#include "kernels/vector_pairs.h"

#define P NU_PANEL
#define INLINE static inline __attribute__((always_inline))

#include "kernels/update.h"
#include "kernels/chain.h"
#include "kernels/pairs.h"
#include "kernels/peak.h"

/* ---- activations */

INLINE vec activation(nu_activation f, vec z) {
  switch (f) {
    case NU_STEP: return v_choose(z > 0.0f, v_set(1.0f), v_choose(z == z, v_set(0.0f), z));
    case NU_SIGMOID: return v_sigmoid(z);
    case NU_TANH: return v_tanh(z);
    case NU_RELU: return v_choose(z < 0.0f, v_set(0.0f), z); /* keeps NaN, which max would hide */
    case NU_LEAKY_RELU: return v_choose(z < 0.0f, z * NU_LEAKY_SLOPE, z);
    default: return z;
  }
}

/* f'(z) from a = f(z); (1.4) for the sigmoid. */
INLINE vec derivative(nu_activation f, vec a) {
  switch (f) {
    case NU_SIGMOID: return a * (1.0f - a);
    case NU_TANH: return v_fma(-a, a, v_set(1.0f));
    case NU_RELU: return v_choose(a > 0.0f, v_set(1.0f), v_set(0.0f));
    case NU_LEAKY_RELU: return v_choose(a > 0.0f, v_set(1.0f), v_set(NU_LEAKY_SLOPE));
    default: return v_set(1.0f);
  }
}

INLINE void activate_as(nu_activation f, size_t rows, size_t n, float *a, size_t stride) {
  for (; rows > 0; rows--, a += stride) {
    for (size_t i = 0; i < n; i += NU_LANES) v_store(a + i, activation(f, v_load(a + i)));
  }
}

INLINE void derive_as(nu_activation f, size_t rows, size_t n, const float *a, float *d,
                      size_t stride) {
  for (; rows > 0; rows--, a += stride, d += stride) {
    for (size_t i = 0; i < n; i += NU_LANES) {
      v_store(d + i, v_load(d + i) * derivative(f, v_load(a + i)));
    }
  }
}

/* The switch stands outside the loops: each case is a loop of its own. */
static void activate(nu_activation f, size_t rows, size_t n, float *a, size_t stride) {
  switch (f) {
    case NU_STEP: activate_as(NU_STEP, rows, n, a, stride); break;
    case NU_SIGMOID: activate_as(NU_SIGMOID, rows, n, a, stride); break;
    case NU_TANH: activate_as(NU_TANH, rows, n, a, stride); break;
    case NU_RELU: activate_as(NU_RELU, rows, n, a, stride); break;
    case NU_LEAKY_RELU: activate_as(NU_LEAKY_RELU, rows, n, a, stride); break;
    default: break;
  }
}

static void derive(nu_activation f, size_t rows, size_t n, const float *a, float *d, size_t stride) {
  switch (f) {
    case NU_SIGMOID: derive_as(NU_SIGMOID, rows, n, a, d, stride); break;
    case NU_TANH: derive_as(NU_TANH, rows, n, a, d, stride); break;
    case NU_RELU: derive_as(NU_RELU, rows, n, a, d, stride); break;
    case NU_LEAKY_RELU: derive_as(NU_LEAKY_RELU, rows, n, a, d, stride); break;
    default: break;
  }
}

/* ---- the output row: activation, loss, delta */

/* z becomes softmax(z); shifted[i] = z_i - max z stays. Returns ln of the sum of e^shifted. */
static double softmax(size_t n, size_t padded, float *z, float *shifted) {
  float largest = z[0], sum = 0.0f;
  for (size_t i = 1; i < n; i++) largest = z[i] > largest || z[i] != z[i] ? z[i] : largest;
  for (size_t i = 0; i < padded; i += NU_LANES) {
    vec s = v_load(z + i) - largest;
    v_store(shifted + i, s);
    v_store(z + i, v_exp(s));
  }
  for (size_t i = 0; i < n; i++) sum += z[i];
  for (size_t i = 0; i < padded; i += NU_LANES) v_store(z + i, v_load(z + i) / sum);
  return nu_real_log(sum);
}

/* -sum t ln y = sum t (ln sum - shifted), which does not lose small y. */
static double cross_entropy(size_t n, double log_sum, const float *shifted, const float *target) {
  double loss = 0.0;
  for (size_t i = 0; i < n; i++) loss += target[i] * (log_sum - shifted[i]);
  return loss;
}

/* -t ln y - (1 - t) ln (1 - y) = max(z, 0) - t z + ln(1 + e^-|z|), from z as y may round to 1. */
static double binary_cross_entropy(size_t n, const float *z, const float *target) {
  double loss = 0.0;
  for (size_t i = 0; i < n; i++) {
    double logit = z[i], magnitude = logit < 0.0 ? -logit : logit;
    double positive = logit < 0.0 ? 0.0 : logit;
    double tail = magnitude < 700.0 ? nu_real_log(1.0 + nu_real_exp(-magnitude)) : 0.0;
    loss += positive - target[i] * logit + (magnitude == magnitude ? tail : magnitude);
  }
  return loss;
}

/* (4.9) */
static double squared_error(size_t n, const float *y, const float *target) {
  double loss = 0.0;
  for (size_t i = 0; i < n; i++) {
    double error = (double)target[i] - y[i];
    loss += 0.5 * error * error;
  }
  return loss;
}

/* t - y: the whole delta for the matching pairs (softmax with cross-entropy, sigmoid with binary
 * cross-entropy) and for the perceptron rule; times f' it is (4.1). */
static void difference(size_t n, size_t padded, const float *y, const float *target, float *delta) {
  for (size_t i = 0; i < n; i++) delta[i] = target[i] - y[i];
  for (size_t i = n; i < padded; i++) delta[i] = 0.0f;
}

static double output(nu_activation f, nu_loss loss, size_t n, float *z, const float *target,
                     float *delta, float *scratch) {
  size_t padded = nu_padded(n);
  double log_sum = 0.0, value = 0.0;
  if (f == NU_SOFTMAX) {
    log_sum = softmax(n, padded, z, scratch);
  } else {
    memcpy(scratch, z, n * sizeof *z);
    activate(f, 1, padded, z, padded);
  }
  if (!target) return 0.0;
  if (loss == NU_CROSS_ENTROPY) value = cross_entropy(n, log_sum, scratch, target);
  if (loss == NU_BINARY_CROSS_ENTROPY) value = binary_cross_entropy(n, scratch, target);
  if (loss == NU_SQUARED_ERROR) value = squared_error(n, z, target);
  if (delta) {
    difference(n, padded, z, target, delta);
    if (loss == NU_SQUARED_ERROR) derive(f, 1, padded, z, delta, padded);
  }
  return value;
}

/* ---- gradients */

static void add(size_t n, float *left, const float *right) {
  for (size_t i = 0; i < n; i += NU_LANES) v_store(left + i, v_load(left + i) + v_load(right + i));
}

static double square_sum(size_t n, const float *G) {
  double lanes[NU_HALF_PANEL] = {0.0}, sum = 0.0;
  for (size_t i = 0; i < n; i += NU_HALF_PANEL) {
    for (size_t l = 0; l < NU_HALF_PANEL; l++) lanes[l] += (double)G[i + l] * G[i + l];
  }
  for (size_t l = 0; l < NU_HALF_PANEL; l++) sum += lanes[l];
  return sum;
}

extern const nu_kernels NU_KERNELS;
const nu_kernels NU_KERNELS = {.isa = NU_ISA,
                               .chain = chain,
                               .narrow = narrow,
                               .pair = pair,
                               .transpose = transpose,
                               .activate = activate,
                               .derive = derive,
                               .output = output,
                               .add = add,
                               .update = update,
                               .square_sum = square_sum,
                               .peak = peak};
