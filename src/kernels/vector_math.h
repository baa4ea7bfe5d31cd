/* exp, sigmoid, tanh and the functions of activations on vectors, the same bits on every
 * instruction set: fused multiply-adds in a fixed order, divisions as IEEE 754 rounds them. NaN in
 * gives NaN out. SPDX-License-Identifier: MIT
 *
 * Errors over all floats, measured by tests/check_kernels.c (results below 2^-126 are 0): exp, of
 * what is not positive, 2 ulp; sigmoid and tanh 2.7 ulp. tanh is odd to the bit; all three reach 0,
 * 1 and -1 and stay within. Where the sign of the slope is the rounding's, a result may lie 2 ulp
 * below a smaller argument's.
 *
 * gelu, silu, elu, selu, mish, softplus (tests/check_curves.c), with u = 2^-24 and whatever is
 * flushed in T = 4 (1 + |z|) 2^-126:
 *   |computed - f(z)|  <= c u |f(z)| + T           c = 9 for gelu, 6 for the others
 *   |computed - f'(z)| <= 8 u (|f'(z)| + g(z)) + T, where f = z g: gelu, silu, mish
 *                      <= 6 u f'(z) + T            softplus
 *                      <= 8 u + T                  elu and selu, from the computed a
 * for every finite z whose f(z) is finite; at the infinities they have their limits. */
#ifndef NU_KERNELS_VECTOR_MATH_H
#define NU_KERNELS_VECTOR_MATH_H

/* e^2x = power (1 + t) / (1 - t). */
typedef struct v_halves {
  vec power, t;
} v_halves;

/* With 2x = n ln 2 + 2h, |h| <= ln 2 / 4: power = 2^n and t = tanh h, so that each function is one
 * quotient and no polynomial needs more than two terms. |x| <= 44 or NaN; n is -127, where power is
 * 0, to 127. Where not `far`, |x| <= 10, ln 2 may lack its last bits. */
static inline v_halves v_halve(vec x, int far) {
  const vec magic =
      v_set(0x1.8p23f + 127); /* adding it rounds to an integer, kept in the low bits */
  vec shifted = v_fma(x, v_set(0x1.715476p+1f), magic); /* 2 x / ln 2 */
  vec n = shifted - magic;
  vec h = v_fma(n, v_set(-0x1.62e430p-2f), x); /* exact: 20 bits of ln 2 / 2, and the rest */
  if (far) h = v_fma(n, v_set(0x1.05c610p-30f), h);
  /* (tanh h / h - 1) / h^2, by a minimax fit that counts errors at the ends more; 2^-24 of tanh h
   */
  vec square = h * h;
  vec slope = v_fma(square, v_set(0x1.0c3aa0p-3f), v_set(-0x1.554f04p-2f));
  return (v_halves){v_of_bits((ivec)((uvec)shifted << 23)), v_fma(h * square, slope, h)};
}

/* For x <= 0. */
static inline vec v_exp(vec x) {
  v_halves e = v_halve(0.5f * v_at_least(x, -88.0f), 1);
  return v_fma(e.power, e.t, e.power) / (1.0f - e.t);
}

/* (1.2) as e^x / (e^x + 1), both times 1 - t. The divisor is made from the dividend, whose rounding
 * then hardly matters and cannot lead above 1. */
static inline vec v_sigmoid(vec x) {
  v_halves e = v_halve(0.5f * v_at_most(v_at_least(x, -88.0f), 88.0f), 1);
  vec u = v_fma(e.power, e.t, e.power);
  return u / (u + (1.0f - e.t));
}

/* (e^2x - 1) / (e^2x + 1) likewise, u being (e^2x - 1) (1 - t). From 10 on the result is 1. */
static inline vec v_tanh(vec x) {
  v_halves e = v_halve(v_at_most(v_abs(x), 10.0f), 0);
  vec u = v_fma(e.t, e.power + 1.0f, e.power - 1.0f);
  return v_sign_of(u / v_fma(1.0f - e.t, v_set(2.0f), u), x);
}

/* e^x as a quotient, x from -88 to 88, or NaN; 0 below -87.7. */
typedef struct v_quotient {
  vec over, under; /* (1 + t) power, 1 - t */
} v_quotient;

static inline v_quotient v_exp_quotient(vec x) {
  v_halves e = v_halve(0.5f * x, 1);
  return (v_quotient){v_fma(e.power, e.t, e.power), 1.0f - e.t};
}

/* e^x - 1 for x <= 0: the dividend of tanh, as it does not cancel near 0. */
static inline vec v_exp_minus_1(vec x) {
  v_halves e = v_halve(0.5f * v_at_least(x, -88.0f), 1);
  return v_fma(e.t, e.power + 1.0f, e.power - 1.0f) / (1.0f - e.t);
}

/* z for z > 0, else e^z - 1. */
static inline vec v_elu(vec z) { return v_choose(z > 0.0f, z, v_exp_minus_1(v_at_most(z, 0.0f))); }

/* max(z, 0) + ln(1 + e^-|z|), where ln(1 + y) = 2 atanh(y / (2 + y)), an odd series. */
static inline vec v_softplus(vec z) {
  v_quotient e = v_exp_quotient(v_at_least(-v_abs(z), -88.0f));
  vec s = e.over / v_fma(e.under, v_set(2.0f), e.over), square = s * s;
  vec sum = v_fma(square, v_set(0x1.1ed7cep-2f), v_set(0x1.1ebd0ap-2f));
  sum = v_fma(square, sum, v_set(0x1.99d208p-2f));
  sum = v_fma(square, sum, v_set(0x1.555502p-1f));
  return v_choose(z < 0.0f, v_set(0.0f), z) + v_fma(s * square, sum, 2.0f * s);
}

static inline vec v_silu(vec z) { return v_at_least(z, -88.0f) * v_sigmoid(z); }

/* s (1 + z (1 - s)) with s = sigmoid(z), in one quotient; from 24 on it is 1. */
static inline vec v_silu_slope(vec z) {
  vec x = v_at_most(v_at_least(z, -88.0f), 24.0f);
  v_quotient e = v_exp_quotient(x);
  vec sum = e.over + e.under;
  return e.over * v_fma(x, e.under, sum) / (sum * sum);
}

/* tanh(softplus(z)) = ((1 + e^z)^2 - 1) / ((1 + e^z)^2 + 1) = over / under; from 12 on it is 1. */
static inline v_quotient v_mish_gate(v_quotient e) {
  vec over = e.over * v_fma(e.under, v_set(2.0f), e.over);
  return (v_quotient){over, v_fma(e.under * 2.0f, e.under, over)};
}

static inline vec v_mish(vec z) {
  vec x = v_at_least(z, -88.0f);
  v_quotient gate = v_mish_gate(v_exp_quotient(v_at_most(x, 12.0f)));
  return x * (gate.over / gate.under);
}

/* With w = e^z and the gate g = over / under: g + z g', g' = 4 w (1 + w) / under^2. */
static inline vec v_mish_slope(vec z) {
  vec x = v_at_most(v_at_least(z, -88.0f), 12.0f);
  v_quotient e = v_exp_quotient(x), gate = v_mish_gate(e);
  vec rise = e.over * (e.over + e.under) * (e.under * e.under);
  return v_fma(4.0f * x, rise, gate.over * gate.under) / (gate.under * gate.under);
}

/* Phi(-x) = e^(-x^2 / 2) over / under for 0 <= x <= 13.25, where it falls below 2^-126. A minimax
 * quotient of polynomials, 2^-27.5 of it, without a negative term. */
typedef struct v_normal {
  v_quotient bell, tail;
} v_normal;

static inline v_normal v_normal_below(vec x) {
  vec square = x * x, low = v_fma(x, x, -square); /* x^2 to the last bit */
  v_quotient e = v_exp_quotient(-0.5f * square);
  e.over = v_fma(e.over, -0.5f * low, e.over);
  vec over = v_fma(x, v_set(0x1.073352p-8f), v_set(0x1.4752d2p-5f));
  over = v_fma(x, over, v_set(0x1.7325a0p-3f));
  over = v_fma(x, over, v_set(0x1.be0710p-2f));
  over = v_fma(x, over, v_set(0x1.000000p-1f));
  vec under = v_fma(x, v_set(0x1.49de3ep-7f), v_set(0x1.9a4504p-4f));
  under = v_fma(x, under, v_set(0x1.db4d58p-2f));
  under = v_fma(x, under, v_set(0x1.31b31ep+0f));
  under = v_fma(x, under, v_set(0x1.ab45b8p+0f));
  under = v_fma(x, under, v_set(0x1.000000p+0f));
  return (v_normal){e, {over, under}};
}

/* z Phi(z) = max(z, 0) - |z| Phi(-|z|), which does not cancel. */
static inline vec v_gelu(vec z) {
  vec x = v_at_most(v_abs(z), 13.25f);
  v_normal n = v_normal_below(x);
  vec below = n.bell.over * n.tail.over / (n.bell.under * n.tail.under);
  return v_fma(-x, below, v_choose(z < 0.0f, v_set(0.0f), z));
}

/* Phi(z) + z phi(z): for z < 0 it is e^(-z^2 / 2) (over / under - |z| / sqrt(2 pi)), for -z 1 less
 * that. */
static inline vec v_gelu_slope(vec z) {
  vec x = v_at_most(v_abs(z), 13.25f);
  v_normal n = v_normal_below(x);
  vec rest = v_fma(x * v_set(-0x1.988454p-2f), n.tail.under, n.tail.over);
  vec below = n.bell.over * rest / (n.bell.under * n.tail.under);
  return v_choose(z < 0.0f, below, 1.0f - below);
}

#endif
