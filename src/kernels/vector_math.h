/* exp, sigmoid and tanh on vectors, the same bits on every instruction set: fused multiply-adds in
 * a fixed order, divisions as IEEE 754 rounds them. NaN in gives NaN out.
 * SPDX-License-Identifier: MIT
 *
 * Errors over all floats, measured by tests/check_kernels.c (results below 2^-126 are 0): exp, of
 * what is not positive, 2 ulp; sigmoid and tanh 2.7 ulp. tanh is odd to the bit; all three reach 0,
 * 1 and -1 and stay within. Where the sign of the slope is the rounding's, a result may lie 2 ulp
 * below a smaller argument's. */
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

#endif
