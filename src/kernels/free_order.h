/* With -DNU_FREE_ORDER: chains in an order that is free, to measure what the fixed one costs
 * (bench/promise.py); the numbers of such a build belong to no numerics version. Part of chain.h.
 * SPDX-License-Identifier: MIT
 *
 * A tile of a few vectors has too few chains to hide the latency of a multiply-add. Here each is
 * cut into parts, link p going to part p modulo their number, and the parts are added at the end.
 */
#ifndef NU_KERNELS_FREE_ORDER_H
#define NU_KERNELS_FREE_ORDER_H

#define ENOUGH_CHAINS 8

/* Adds the last links to `sum`, as many as the parts share evenly; returns how many. */
INLINE size_t split_links(size_t rows, size_t vectors, const nu_chain *c, family f, const float *x,
                          const float *y, tile_sums sum) {
  const size_t tile = rows * vectors, parts = tile < ENOUGH_CHAINS ? ENOUGH_CHAINS / tile : 1;
  if (parts == 1 || f.pairs) return 0;
  vec part[ENOUGH_CHAINS];
  size_t left = c->k % parts;
  NU_UNROLL
  for (size_t i = 0; i < parts * tile; i++) part[i] = v_set(0.0f);
  for (size_t p = left; p < c->k; p += parts) {
    NU_UNROLL
    for (size_t i = 0; i < parts * tile; i++) {
      size_t link = p + i / tile, row = i % tile / vectors, v = i % vectors;
      vec at_x = v_set(x[row * f.xrow + link * c->xcol]);
      part[i] = v_fma(at_x, v_load(y + link * c->yrow + v * NU_LANES), part[i]);
    }
  }
  NU_UNROLL
  for (size_t i = 0; i < parts * tile; i++) sum[i % tile / vectors][i % vectors] += part[i];
  return c->k - left;
}

#endif
