/* AVX-512: 16 lanes. A tile of 12 rows x 2 vectors leaves 8 registers for what comes in; one of 8 rows
 * loses 3 % in the short chains of a gradient's grains, where starting and ending a tile counts.
 * SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_VECTOR_AVX512_H
#define NU_KERNELS_VECTOR_AVX512_H

#include <immintrin.h>

#define NU_LANES 16
#define NU_ISA "avx512"
#define NU_TILE_ROWS 12
#define NU_HALF_TILE_ROWS 16
#define NU_TILE_VECTORS 2

#include "kernels/vector.h"

static inline vec v_fma(vec a, vec b, vec c) {
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
static inline vec v_sqrt(vec v) { return (vec)_mm512_sqrt_ps((__m512)v); }

/* a0 b0 a1 b1 ..., the first or the second half of the lanes. */
static inline vec v_zip_low(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline vec v_zip_high(vec a, vec b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

#endif
