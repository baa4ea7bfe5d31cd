/* exp, tanh and sigmoid on vectors, the same bits on every instruction set: fused multiply-adds in a
 * fixed order, divisions as IEEE 754 rounds them. Polynomials interpolate at Chebyshev nodes.
 * NaN in gives NaN out. SPDX-License-Identifier: MIT
 *
 * Errors over all floats, measured by tests/check_kernels.c (results below 2^-126 are 0):
 * exp 2 ulp, tanh 3 ulp, sigmoid 3 ulp. */
#ifndef NU_KERNELS_VECTOR_MATH_H
#define NU_KERNELS_VECTOR_MATH_H

/* Horner: c[0] + x (c[1] + x (c[2] + ...)). */
static inline vec v_polynomial(vec x, const float *c, int n) {
  vec sum = v_set(c[n - 1]);
  for (int i = n - 2; i >= 0; i--) sum = v_fma(sum, x, v_set(c[i]));
  return sum;
}

static inline vec v_exp(vec x) {
  /* (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2 */
  static const float q[] = {0x1.000000p-1f, 0x1.5554dcp-3f, 0x1.55551ap-5f, 0x1.120b6cp-7f,
                            0x1.6d1106p-10f};
  const vec magic = v_set(0x1.8p23f); /* adding it rounds to an integer, kept in the low bits */
  x = v_choose(x < -104.0f, v_set(-104.0f), x); /* below and above: 0 and infinity anyhow */
  x = v_choose(x > 89.0f, v_set(89.0f), x);
  vec shifted = v_fma(x, v_set(0x1.715476p+0f), magic); /* x / ln 2 */
  ivec n = v_bits(shifted) - v_bits(magic);
  vec count = shifted - magic;
  vec r = v_fma(count, v_set(-0x1.62e400p-1f), x); /* ln 2 in two parts, the first of 14 bits */
  r = v_fma(count, v_set(-0x1.7f7d1cp-20f), r);
  vec e = v_fma(v_polynomial(r, q, 5), r * r, r) + 1.0f;
  ivec half = n >> 1; /* 2^n in two factors, as n may leave the exponent's range */
  return e * v_of_bits((half + 127) << 23) * v_of_bits((n - half + 127) << 23);
}

/* (1.2), from the side where e^-|x| cannot overflow. */
static inline vec v_sigmoid(vec x) {
  vec e = v_exp(v_of_bits(v_bits(x) | INT32_MIN));
  vec numerator = v_choose(x < 0.0f, e, v_set(1.0f));
  return numerator / (e + 1.0f);
}

static inline vec v_tanh(vec x) {
  /* (tanh(y) / y - 1) / y^2 in y^2, |y| <= 0.625 */
  static const float t[] = {-0x1.555556p-2f, 0x1.1110eap-3f,  -0x1.ba08c4p-5f,
                            0x1.64a976p-6f,  -0x1.116a16p-7f, 0x1.2c83c0p-9f};
  vec magnitude = v_abs(x), square = x * x;
  vec small = v_fma(v_polynomial(square, t, 6) * square, x, x);
  vec large = 1.0f - 2.0f / (v_exp(magnitude + magnitude) + 1.0f);
  return v_choose(magnitude < 0.625f, small, v_sign_of(large, x));
}

#endif
