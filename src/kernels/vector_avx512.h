/* AVX-512: 16 lanes. A tile of 8 rows x 2 vectors: 16 chains hide the latency of the multiply-add, and
 * 8 divides the rows of most batches and regions; 10 to 14 rows are no faster.
 * SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_VECTOR_AVX512_H
#define NU_KERNELS_VECTOR_AVX512_H

#include <immintrin.h>

#define NU_LANES 16
#define NU_ISA "avx512"
#define NU_TILE_ROWS 8
#define NU_TILE_VECTORS 2

#include "kernels/vector.h"

static inline vec v_fma(vec a, vec b, vec c) {
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
static inline vec v_sqrt(vec v) { return (vec)_mm512_sqrt_ps((__m512)v); }

#endif
