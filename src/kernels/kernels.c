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
#include "kernels/outer.h"
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

static void derive(nu_activation f, size_t rows, size_t n, const float *a, float *d,
                   size_t stride) {
  switch (f) {
    case NU_SIGMOID: derive_as(NU_SIGMOID, rows, n, a, d, stride); break;
    case NU_TANH: derive_as(NU_TANH, rows, n, a, d, stride); break;
    case NU_RELU: derive_as(NU_RELU, rows, n, a, d, stride); break;
    case NU_LEAKY_RELU: derive_as(NU_LEAKY_RELU, rows, n, a, d, stride); break;
    default: break;
  }
}

#include "kernels/output.h"

/* ---- rows of bytes */

/* By way of int, as gcc has no vectors for the direct conversion. */
static void scale(size_t n, const uint8_t *restrict from, const double *restrict shift,
                  const double *restrict by, float *restrict to) {
  for (size_t i = 0; i < n; i++) to[i] = (float)(((double)(int)from[i] - shift[i]) * by[i]);
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
                               .scale = scale,
                               .add = add,
                               .update = update,
                               .square_sum = square_sum,
                               .peak = peak};
