/* SPDX-License-Identifier: MIT */
#include "base/real.h"

#include <math.h>
#include <string.h>

static const double LN2_HIGH = 0x1.62e42fefa0000p-1; /* ln 2 to 40 bits: n * LN2_HIGH is exact */
static const double LN2_LOW = 0x1.cf79abc9e3b3ap-40; /* ln 2 - LN2_HIGH */

static uint64_t bits_of(double x) {
  uint64_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static double of_bits(uint64_t u) {
  double x;
  memcpy(&x, &u, sizeof x);
  return x;
}

double nu_real_log(double x) {
  /* x = m 2^e with m in [sqrt(1/2), sqrt(2)), s = (m - 1) / (m + 1), log m = 2 atanh(s). */
  uint64_t u = bits_of(x);
  int e = (int)(u >> 52) - 1023;
  double m = of_bits((u & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000));
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  double s = (m - 1.0) / (m + 1.0), z = s * s, sum = 0.0;
  for (int k = 25; k >= 3; k -= 2) sum = (sum + 1.0 / k) * z; /* z <= 0.0295: z^12 / 25 < 2^-65 */
  double n = e;
  return n * LN2_HIGH + (2.0 * s + (2.0 * s * sum + n * LN2_LOW));
}

double nu_real_exp(double x) {
  /* x = n ln 2 + r, |r| <= ln 2 / 2; Taylor to r^14: (0.347)^15 / 15! < 2^-62. */
  double scaled = x * 1.4426950408889634;
  int n = (int)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  double r = (x - n * LN2_HIGH) - n * LN2_LOW, sum = 1.0;
  for (int k = 14; k >= 1; k--) sum = 1.0 + sum * r / k;
  return n < -1000 ? sum * of_bits((uint64_t)(n + 1123) << 52) * 0x1p-100
                   : sum * of_bits((uint64_t)(n + 1023) << 52);
}

double nu_real_exp_any(double x) {
  if (x > 700.0) return nu_real_exp(700.0);
  return x < -700.0 ? 0.0 : nu_real_exp(x);
}

double nu_real_log1p(double x) {
  /* 2 atanh(s), s = x / (2 + x) <= 1/3: s^38 / 39 < 2^-65. */
  double s = x / (2.0 + x), z = s * s, sum = 0.0;
  for (int k = 37; k >= 3; k -= 2) sum = (sum + 1.0 / k) * z;
  return 2.0 * s + 2.0 * s * sum;
}

double nu_real_expm1(double x) {
  /* Near 0, where the difference cancels, Taylor to x^16: 0.5^16 / 17! < 2^-64. */
  if (x < -0.5) return nu_real_exp(x) - 1.0;
  double sum = 1.0;
  for (int k = 16; k >= 2; k--) sum = 1.0 + sum * x / k;
  return sum * x;
}

/* e^(-x^2), x^2 to twice the length. */
static double bell(double x) {
  double square = x * x, low = fma(x, x, -square);
  return nu_real_exp(-square) * (1.0 - low);
}

double nu_real_erfc(double x) {
  static const double ROOT_PI = 1.7724538509055161;
  if (x < 0.0) return 2.0 - nu_real_erfc(-x);
  if (!(x < 26.0)) return x == x ? 0.0 : x;
  double sum = 1.0;
  if (x < 1.0) { /* 1 - 2 x e^(-x^2) / sqrt(pi) sum over k of (2 x^2)^k / (1 3 5 ... (2k + 1)) */
    for (int k = 30; k >= 1; k--) sum = 1.0 + sum * (2.0 * x * x) / (2 * k + 1);
    return 1.0 - 2.0 * x * bell(x) / ROOT_PI * sum;
  }
  /* Laplace's fraction, e^(-x^2) / sqrt(pi) / (x + (1/2) / (x + (2/2) / (x + (3/2) / ...))): so
   * many terms leave 2^-53. */
  double under = x;
  for (int k = 20 + (int)(200.0 / (x * x)); k >= 1; k--) under = x + 0.5 * k / under;
  return bell(x) / ROOT_PI / under;
}

/* sum of (-1)^i x^(2i + first) / (2i + first)! for |x| <= pi/4, 10 terms. */
static double alternating(double x, int first) {
  double z = x * x, sum = 1.0;
  for (int k = 18 + first; k > first; k -= 2) sum = 1.0 - sum * z / (double)(k * (k - 1));
  return first ? sum * x : sum;
}

double nu_real_cospi(double x) {
  static const double PI = 3.141592653589793;
  if (x < 0) x = -x;
  x -= 2.0 * (double)(int64_t)(x * 0.5); /* exact: x in [0, 2) */
  if (x > 1.0) x = 2.0 - x;              /* cos(pi (2 - x)) = cos(pi x) */
  double sign = 1.0;
  if (x > 0.5) {
    x = 1.0 - x;
    sign = -1.0;
  }
  return sign * (x <= 0.25 ? alternating(PI * x, 0) : alternating(PI * (0.5 - x), 1));
}

double nu_real_power(double base, uint64_t n) {
  double result = 1.0;
  for (; n; n >>= 1) {
    if (n & 1) result *= base;
    base *= base;
  }
  return result;
}
