/* AVX-512, with or without its bf16 instructions: 16 lanes. A tile of 12 rows x 2 vectors leaves 8
 * registers for what comes in; one of 8 rows loses 3 % in the short chains of a gradient's grains,
 * where starting and ending a tile counts. SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_VECTOR_AVX512_H
#define NU_KERNELS_VECTOR_AVX512_H

#include <immintrin.h>

#define NU_LANES 16
#ifdef NU_DOT_PAIRS
#define NU_ISA "avx512bf16"
#else
#define NU_ISA "avx512"
#endif
#define NU_TILE_ROWS 12
#define NU_HALF_TILE_ROWS 16
#define NU_TILE_VECTORS 2

#include "kernels/vector.h"

static inline vec v_fma(vec a, vec b, vec c) {
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
/* Where x is NaN the second operand counts. */
static inline vec v_at_least(vec x, float low) {
  return (vec)_mm512_max_ps((__m512)v_set(low), (__m512)x);
}
static inline vec v_at_most(vec x, float high) {
  return (vec)_mm512_min_ps((__m512)v_set(high), (__m512)x);
}
static inline vec v_sqrt(vec v) { return (vec)_mm512_sqrt_ps((__m512)v); }

/* a0 b0 a1 b1 ..., the first or the second half of the lanes. */
static inline vec v_zip_low(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline vec v_zip_high(vec a, vec b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}

/* a0 a2 ... b0 b2 ..., and what lies between. */
static inline vec v_evens(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
static inline vec v_odds(vec a, vec b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

#ifdef NU_DOT_PAIRS
/* What vector_pairs.h says of each, in hardware, whatever the floating-point state. */
static inline vec v_dot_pairs(vec x, vec y, vec sum) {
  return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
}
static inline vec v_narrow(vec low, vec high) {
  return (vec)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}
static inline vec v_pair(vec even, vec odd) {
  __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)even));
  __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)odd));
  return (vec)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}
#endif

#endif
