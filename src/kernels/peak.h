/* The arithmetic peak: independent chains that never leave the registers. Part of kernels.c.
 * SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_PEAK_H
#define NU_KERNELS_PEAK_H

/* As many chains as a tile has: enough to fill the multipliers, few enough for the registers. */
#define NU_PEAK_CHAINS (NU_TILE_ROWS * NU_TILE_VECTORS)

INLINE double peak_of(bool pairs, size_t rounds, float *result) {
  volatile float half = 0.5f, one = 1.0f; /* so that nothing can be computed beforehand */
  vec a = v_set(half), b = v_set(one), sum[NU_PEAK_CHAINS], all = v_set(0.0f);
  NU_UNROLL
  for (size_t i = 0; i < NU_PEAK_CHAINS; i++) sum[i] = v_set((float)i);
  for (size_t r = 0; r < rounds; r++) {
    NU_UNROLL
    for (size_t i = 0; i < NU_PEAK_CHAINS; i++) {
      NU_UNROLL
      for (size_t s = 0; s < steps_of(pairs); s++)
        sum[i] = multiply_add(pairs, operand(pairs, s, a), operand(pairs, s, b), sum[i]);
    }
  }
  NU_UNROLL
  for (size_t i = 0; i < NU_PEAK_CHAINS; i++) all += sum[i];
  *result = all[0];
  return (pairs ? 4.0 : 2.0) * NU_LANES * NU_PEAK_CHAINS * (double)rounds;
}

static double peak(bool pairs, size_t rounds, float *result) {
  return pairs ? peak_of(true, rounds, result) : peak_of(false, rounds, result);
}

#endif
