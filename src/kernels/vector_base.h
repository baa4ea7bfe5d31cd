/* The portable baseline: 4 lanes, no instruction set assumed. SPDX-License-Identifier: MIT
 *
 * Where the target has no fused multiply-add in hardware (x86-64 without FMA) it is emulated, to
 * the same bits: a * b is exact in double; the sum with c is rounded to odd (Boldo and Melquiond,
 * 2008), so that rounding it once more, to float, gives the correctly rounded result. */
#ifndef NU_KERNELS_VECTOR_BASE_H
#define NU_KERNELS_VECTOR_BASE_H

#include <math.h>

#define NU_LANES 4
#define NU_ISA "base"
#define NU_TILE_ROWS 4
#define NU_HALF_TILE_ROWS 4
#define NU_TILE_VECTORS 2

#include "kernels/vector.h"

#ifdef FP_FAST_FMAF
static inline vec v_fma(vec a, vec b, vec c) {
  for (int i = 0; i < NU_LANES; i++) c[i] = fmaf(a[i], b[i], c[i]);
  return c;
}
#else
typedef double dvec __attribute__((vector_size(8 * NU_LANES)));
typedef int64_t lvec __attribute__((vector_size(8 * NU_LANES)));

/* Not inlined: in every tile of every rule it would make a compiler work for most of a minute. */
static __attribute__((noinline)) vec v_fma(vec a, vec b, vec c) {
  dvec p = __builtin_convertvector(a, dvec) * __builtin_convertvector(b, dvec);
  dvec addend = __builtin_convertvector(c, dvec);
  dvec s = p + addend;
  dvec back = s - p; /* Knuth's two-sum: s + e is p + addend exactly */
  dvec e = (p - (s - back)) + (addend - back);
  /* Inexact, and the last bit even: step towards the exact value, whose last bits are odd. Away
   * from zero where e has the sign of s. An infinite or NaN s has e = NaN, which compares false. */
  lvec inexact = (e < 0.0) | (e > 0.0);
  lvec even = ((lvec)s & 1) == 0;
  lvec away = ((lvec)s ^ (lvec)e) >= 0;
  lvec step = (inexact & even) & ((away & 2) - 1);
  return __builtin_convertvector((dvec)((lvec)s + step), vec);
}
#endif

static inline vec v_at_least(vec x, float low) { return v_choose(x < low, v_set(low), x); }
static inline vec v_at_most(vec x, float high) { return v_choose(x > high, v_set(high), x); }
static inline vec v_sqrt(vec v) {
  for (int i = 0; i < NU_LANES; i++) v[i] = sqrtf(v[i]);
  return v;
}

/* a0 b0 a1 b1 ..., the first or the second half of the lanes. */
static inline vec v_zip_low(vec a, vec b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
static inline vec v_zip_high(vec a, vec b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }

/* a0 a2 ... b0 b2 ..., and what lies between. */
static inline vec v_evens(vec a, vec b) { return __builtin_shufflevector(a, b, 0, 2, 4, 6); }
static inline vec v_odds(vec a, vec b) { return __builtin_shufflevector(a, b, 1, 3, 5, 7); }

#endif
