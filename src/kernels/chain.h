/* Chains of fused multiply-adds - (3.8), (4.3), (4.12) - and the transposition that (4.3) needs. Part of
 * kernels.c. SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_CHAIN_H
#define NU_KERNELS_CHAIN_H

/* Where a tile's rows lie. */
typedef struct rows_at {
  size_t xrow, outrow;
} rows_at;

/* `rows` x `vectors` vectors of out in registers through the whole chain; both are constants wherever
 * this is called, so the loops unroll. y and out start at the tile's first column. */
INLINE void tile(size_t rows, size_t vectors, const nu_chain *c, rows_at at_rows, const float *x,
                 const float *y, size_t out) {
  vec sum[NU_HALF_TILE_ROWS][NU_TILE_VECTORS], right[NU_TILE_VECTORS];
  const size_t xrow = at_rows.xrow, outrow = at_rows.outrow, xcol = c->xcol, yrow = c->yrow;
  NU_UNROLL for (size_t i = 0; i < rows; i++) {
    const float *at = c->out + out + i * outrow;
    NU_UNROLL for (size_t v = 0; v < vectors; v++)
      sum[i][v] = c->fresh ? v_set(0.0f) : v_load(at + v * NU_LANES);
  }
  /* From two bases so few distances are needed that they stay in registers. */
  const float *low = x, *high = v_another_base(x + rows / 2 * xrow);
  for (size_t p = 0; p < c->k; p++, low += xcol, high += xcol) {
    NU_UNROLL for (size_t v = 0; v < vectors; v++)
      right[v] = v_load(y + p * yrow + v * NU_LANES);
    NU_UNROLL for (size_t i = 0; i < rows; i++) {
      vec left = v_set(i < rows / 2 ? low[i * xrow] : high[(i - rows / 2) * xrow]);
      NU_UNROLL for (size_t v = 0; v < vectors; v++)
        sum[i][v] = v_fma(left, right[v], sum[i][v]);
    }
  }
  for (size_t l = 0; l < c->n_left; l++) {
    const float *left = c->left[l] + out;
    NU_UNROLL for (size_t i = 0; i < rows; i++) {
      NU_UNROLL for (size_t v = 0; v < vectors; v++)
        sum[i][v] = v_load(left + i * outrow + v * NU_LANES) + sum[i][v];
    }
  }
  NU_UNROLL for (size_t i = 0; i < rows; i++) {
    float *at = c->out + out + i * outrow;
    NU_UNROLL for (size_t v = 0; v < vectors; v++) v_store(at + v * NU_LANES, sum[i][v]);
  }
}

/* Tiles of so many rows from row i on, while they fit, all panels of a tile's rows before the next, so
 * that x stays in the nearest cache; returns the first row that is left. */
INLINE size_t tiles(size_t rows, size_t vectors, const nu_chain *c, rows_at at, size_t i) {
  for (; i + rows <= c->m; i += rows) {
    for (size_t q = 0; q < c->panels; q++) {
      for (size_t column = 0; column < c->width; column += vectors * NU_LANES) {
        tile(rows, vectors, c, at, c->x + i * at.xrow, c->y + q * c->ypanel + column,
             i * at.outrow + q * P + column);
      }
    }
  }
  return i;
}

/* Full tiles, then smaller ones for the rows that are left, with the same chain. */
INLINE void all_tiles(size_t rows, size_t vectors, const nu_chain *c, rows_at at) {
  size_t i = tiles(rows, vectors, c, at, 0);
  if (rows > 8) i = tiles(8, vectors, c, at, i);
  if (rows > 4) i = tiles(4, vectors, c, at, i);
  i = tiles(2, vectors, c, at, i);
  tiles(1, vectors, c, at, i);
}

/* Whole panels, or half ones, which are one vector wide where a vector is that wide. */
INLINE void chain_at(const nu_chain *c, bool whole, rows_at at) {
  if (whole) all_tiles(NU_TILE_ROWS, NU_TILE_VECTORS, c, at);
  else all_tiles(NU_HALF_TILE_ROWS, 1, c, at);
}

/* The gradient's chains are short and dense; with their distances as constants a tile of 64 links starts
 * 60 cycles (a tenth of its time) sooner than if it had to find the places of its rows. */
static void chain(const nu_chain *c) {
  bool whole = c->width % (NU_TILE_VECTORS * NU_LANES) == 0;
  if (c->xrow == 1 && c->outrow == P && whole) chain_at(c, true, (rows_at){1, P});
  else chain_at(c, whole, (rows_at){c->xrow, c->outrow});
}

/* One square of vectors: each round is a perfect shuffle of all rows, and log2(lanes) of them turn rows
 * into columns. */
INLINE void transpose_square(size_t columns, const float *from, size_t fromstride, float *to,
                             size_t tostride) {
  vec a[NU_LANES], b[NU_LANES];
  NU_UNROLL for (size_t c = 0; c < NU_LANES; c++)
    a[c] = c < columns ? v_load(from + c * fromstride) : v_set(0.0f);
  NU_UNROLL for (size_t round = 1; round < NU_LANES; round *= 2) {
    NU_UNROLL for (size_t i = 0; i < NU_LANES / 2; i++) {
      b[2 * i] = v_zip_low(a[i], a[i + NU_LANES / 2]);
      b[2 * i + 1] = v_zip_high(a[i], a[i + NU_LANES / 2]);
    }
    NU_UNROLL for (size_t i = 0; i < NU_LANES; i++) a[i] = b[i];
  }
  NU_UNROLL for (size_t j = 0; j < NU_LANES; j++) v_store(to + j * tostride, a[j]);
}

static void transpose(size_t n, size_t columns, const float *from, size_t fromstride, float *to,
                      size_t tostride) {
  size_t padded = (columns + NU_HALF_PANEL - 1) / NU_HALF_PANEL * NU_HALF_PANEL;
  for (size_t j = 0; j < n; j += NU_LANES) {
    for (size_t c = 0; c < padded; c += NU_LANES) {
      transpose_square(c < columns ? columns - c : 0, from + c * fromstride + j, fromstride,
                       to + j * tostride + c, tostride);
    }
  }
}

#endif
