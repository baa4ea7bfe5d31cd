/* Activations and their derivatives, on vectors and on rows. Part of kernels.c.
 * SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_ACTIVATION_H
#define NU_KERNELS_ACTIVATION_H

/* Every activation whose slope varies: DO stands for the case that makes a loop of its own for it.
 * The switches have no default, so that the compiler tells of one that is missing here. */
#define NU_EACH_CURVE(DO) \
  DO(NU_SIGMOID)          \
  DO(NU_TANH)             \
  DO(NU_RELU)             \
  DO(NU_LEAKY_RELU) DO(NU_GELU) DO(NU_SILU) DO(NU_ELU) DO(NU_SELU) DO(NU_MISH) DO(NU_SOFTPLUS)

INLINE vec activation(nu_activation f, vec z) {
  switch (f) {
    case NU_STEP: return v_choose(z > 0.0f, v_set(1.0f), v_choose(z == z, v_set(0.0f), z));
    case NU_IDENTITY: return z;
    case NU_SIGMOID: return v_sigmoid(z);
    case NU_TANH: return v_tanh(z);
    case NU_RELU: return v_choose(z < 0.0f, v_set(0.0f), z); /* keeps NaN, which max would hide */
    case NU_LEAKY_RELU: return v_choose(z < 0.0f, z * NU_LEAKY_SLOPE, z);
    case NU_GELU: return v_gelu(z);
    case NU_SILU: return v_silu(z);
    case NU_ELU: return v_elu(z);
    case NU_SELU:
      return v_choose(z > 0.0f, z * NU_SELU_SLOPE,
                      v_exp_minus_1(v_at_most(z, 0.0f)) * NU_SELU_DEPTH);
    case NU_MISH: return v_mish(z);
    case NU_SOFTPLUS: return v_softplus(z);
    case NU_SOFTMAX: /* a whole row's business: output.h */
    case NU_ACTIVATIONS: break;
  }
  return z;
}

/* f'(z) from z where nu_keeps_z(f), else from a = f(z); (1.4) for the sigmoid. */
INLINE vec derivative(nu_activation f, vec from) {
  const vec z = from, a = from;
  switch (f) {
    case NU_SIGMOID: return a * (1.0f - a);
    case NU_TANH: return v_fma(-a, a, v_set(1.0f));
    case NU_RELU: return v_choose(a > 0.0f, v_set(1.0f), v_set(0.0f));
    case NU_LEAKY_RELU: return v_choose(a > 0.0f, v_set(1.0f), v_set(NU_LEAKY_SLOPE));
    case NU_GELU: return v_gelu_slope(z);
    case NU_SILU: return v_silu_slope(z);
    case NU_ELU: return v_choose(a > 0.0f, v_set(1.0f), a + 1.0f);
    case NU_SELU: return v_choose(a > 0.0f, v_set(NU_SELU_SLOPE), a + NU_SELU_DEPTH);
    case NU_MISH: return v_mish_slope(z);
    case NU_SOFTPLUS: return v_sigmoid(z);
    case NU_STEP: /* not differentiable: the perceptron rule has no f' */
    case NU_IDENTITY:
    case NU_SOFTMAX:
    case NU_ACTIVATIONS: break;
  }
  return v_set(1.0f);
}

INLINE void activate_as(nu_activation f, size_t rows, size_t n, const float *z, float *a,
                        size_t stride) {
  for (; rows > 0; rows--, z += stride, a += stride) {
    for (size_t i = 0; i < n; i += NU_LANES) v_store(a + i, activation(f, v_load(z + i)));
  }
}

INLINE void derive_as(nu_activation f, size_t rows, size_t n, const float *from, float *d,
                      size_t stride) {
  for (; rows > 0; rows--, from += stride, d += stride) {
    for (size_t i = 0; i < n; i += NU_LANES) {
      v_store(d + i, v_load(d + i) * derivative(f, v_load(from + i)));
    }
  }
}

/* The switch stands outside the loops: each case is a loop of its own. */
static void activate(nu_activation f, size_t rows, size_t n, const float *z, float *a,
                     size_t stride) {
#define ACTIVATE_AS(f) \
  case f: activate_as(f, rows, n, z, a, stride); break;
  switch (f) {
    NU_EACH_CURVE(ACTIVATE_AS)
    ACTIVATE_AS(NU_STEP)
    case NU_IDENTITY:
      if (z != a) activate_as(NU_IDENTITY, rows, n, z, a, stride);
      break;
    case NU_SOFTMAX:
    case NU_ACTIVATIONS: break;
  }
#undef ACTIVATE_AS
}

static void derive(nu_activation f, size_t rows, size_t n, const float *from, float *d,
                   size_t stride) {
#define DERIVE_AS(f) \
  case f: derive_as(f, rows, n, from, d, stride); break;
  switch (f) {
    NU_EACH_CURVE(DERIVE_AS)
    case NU_STEP:
    case NU_IDENTITY:
    case NU_SOFTMAX:
    case NU_ACTIVATIONS: break;
  }
#undef DERIVE_AS
}

#endif
