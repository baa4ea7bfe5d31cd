/* AVX2 and FMA: 8 lanes. A tile of 6 rows x 2 vectors fills 12 of the 16 registers.
 * SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_VECTOR_AVX2_H
#define NU_KERNELS_VECTOR_AVX2_H

#include <immintrin.h>

#define NU_LANES 8
#define NU_ISA "avx2"
#define NU_TILE_ROWS 6
#define NU_HALF_TILE_ROWS 6
#define NU_TILE_VECTORS 2

#include "kernels/vector.h"

static inline vec v_fma(vec a, vec b, vec c) {
  return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
/* Where x is NaN the second operand counts. */
static inline vec v_at_least(vec x, float low) {
  return (vec)_mm256_max_ps((__m256)v_set(low), (__m256)x);
}
static inline vec v_at_most(vec x, float high) {
  return (vec)_mm256_min_ps((__m256)v_set(high), (__m256)x);
}
static inline vec v_sqrt(vec v) { return (vec)_mm256_sqrt_ps((__m256)v); }

/* a0 b0 a1 b1 ..., the first or the second half of the lanes. */
static inline vec v_zip_low(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
static inline vec v_zip_high(vec a, vec b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/* a0 a2 ... b0 b2 ..., and what lies between. */
static inline vec v_evens(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
static inline vec v_odds(vec a, vec b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
}

#endif
