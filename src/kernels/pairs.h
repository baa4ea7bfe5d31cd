/* Floats to pairs of bf16. Part of kernels.c. SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_PAIRS_H
#define NU_KERNELS_PAIRS_H

static void narrow(size_t rows, size_t n, const float *from, size_t fromstride, float *to,
                   size_t tostride) {
  for (; rows > 0; rows--, from += fromstride, to += tostride) {
    for (size_t i = 0; i < n; i += 2 * NU_LANES) {
      v_store(to + i / 2, v_narrow(v_load(from + i), v_load(from + i + NU_LANES)));
    }
  }
}

static void pair(size_t rows, size_t n, const float *from, size_t fromstride, float *to,
                 size_t tostride) {
  for (size_t r = 0; r < rows; r += 2, from += 2 * fromstride, to += tostride) {
    bool alone = r + 1 == rows;
    for (size_t i = 0; i < n; i += NU_LANES) {
      vec odd = alone ? v_set(0.0f) : v_load(from + fromstride + i);
      v_store(to + i, v_pair(v_load(from + i), odd));
    }
  }
}

#endif
