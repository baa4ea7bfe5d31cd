/* Chains of fused multiply-adds - (3.8), (4.3), (4.12) - and the transposition that (4.3) needs.
 * Part of kernels.c. SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_CHAIN_H
#define NU_KERNELS_CHAIN_H

/* What is constant in a family of tiles, so that the compiler makes a loop of its own for each. */
typedef struct family {
  bool gradient; /* (4.12): x is read along rows, and the update may stand in for the result */
  bool pairs;    /* of bf16 */
  size_t xrow, outrow;
} family;

/* A link of a chain on floats is one multiply-add; on pairs one where there is an instruction for
 * it, else one with the odd elements, then one with the even ones. */
INLINE size_t steps_of(bool pairs) { return pairs ? NU_PAIR_STEPS : 1; }

INLINE vec operand(bool pairs, size_t step, vec word) {
  if (steps_of(pairs) == 1) return word;
  return step == 0 ? v_odd(word) : v_even(word);
}

INLINE vec multiply_add(bool pairs, vec x, vec y, vec sum) {
#ifdef NU_DOT_PAIRS
  if (pairs) return v_dot_pairs(x, y, sum);
#endif
  (void)pairs;
  return v_fma(x, y, sum);
}

typedef vec tile_sums[NU_HALF_TILE_ROWS][NU_TILE_VECTORS];

#ifdef NU_FREE_ORDER
#include "kernels/free_order.h"
#else
#define split_links(rows, vectors, c, f, x, y, sum) 0
#endif

/* The last links of a gradient's chains: the weights take the step with the sums in registers. */
INLINE void update_tile_as(nu_rule rule, size_t rows, size_t vectors, const nu_chain *c,
                           size_t outrow, tile_sums sum, size_t out) {
  const nu_target t = *c->target; /* a copy, which no store to w can change */
  update_lanes u = spread(t.update);
  ivec bad = {0};
  NU_UNROLL
  for (size_t i = 0; i < rows; i++) {
    NU_UNROLL
    for (size_t v = 0; v < vectors; v++) {
      size_t at = out + i * outrow + v * NU_LANES;
      vec next = update_lane(rule, &u, sum[i][v], v_load(t.w + at), t.arrays, at);
      v_store(t.w + at, next);
      bad |= v_not_finite(next);
    }
  }
  if (v_any(bad < 0)) *t.not_finite = true;
}

INLINE void update_tile(size_t rows, size_t vectors, const nu_chain *c, size_t outrow,
                        tile_sums sum, size_t out) {
#define TILE_AS(rule) \
  case rule: update_tile_as(rule, rows, vectors, c, outrow, sum, out); break;
  switch (c->target->update->rule) {
    NU_EACH_RULE(TILE_AS)
    case NU_RULES: break;
  }
#undef TILE_AS
}

INLINE void fetch(size_t rows, size_t vectors, const float *at, size_t outrow) {
  NU_UNROLL
  for (size_t i = 0; i < rows; i++) {
    NU_UNROLL
    for (size_t v = 0; v < vectors; v++) __builtin_prefetch(at + i * outrow + v * NU_LANES, 1);
  }
}

#define SHORT 12 /* links: some 300 cycles */

/* Into the nearest cache while the chains run; shorter ones are over before it has come. */
INLINE void fetch_target(size_t rows, size_t vectors, const nu_chain *c, size_t outrow,
                         size_t out) {
  if (c->k < SHORT) return;
  fetch(rows, vectors, c->target->w + out, outrow);
  NU_UNROLL
  for (size_t a = 0; a < NU_MOST_ARRAYS; a++) {
    if (c->target->arrays[a]) fetch(rows, vectors, c->target->arrays[a] + out, outrow);
  }
}

/* `rows` x `vectors` vectors of out in registers through the whole chain; both are constants
 * wherever this is called, so the loops unroll. y and out start at the tile's first column. */
INLINE void tile(size_t rows, size_t vectors, const nu_chain *c, family f, const float *x,
                 const float *y, size_t out) {
  vec right[NU_TILE_VECTORS];
  tile_sums sum;
  const size_t xrow = f.xrow, outrow = f.outrow, xcol = c->xcol, yrow = c->yrow;
  if (f.gradient && c->target) fetch_target(rows, vectors, c, outrow, out);
  NU_UNROLL
  for (size_t i = 0; i < rows; i++) {
    const float *at = c->out + out + i * outrow;
    NU_UNROLL
    for (size_t v = 0; v < vectors; v++)
      sum[i][v] = f.gradient || c->fresh ? v_set(0.0f) : v_load(at + v * NU_LANES);
  }
  /* From two bases so few distances are needed that they stay in registers. */
  const float *low = x, *high = v_another_base(x + rows / 2 * xrow);
  const size_t links = c->k - split_links(rows, vectors, c, f, x, y, sum);
  for (size_t p = 0; p < links; p++, low += xcol, high += xcol) {
    NU_UNROLL
    for (size_t s = 0; s < steps_of(f.pairs); s++) {
      NU_UNROLL
      for (size_t v = 0; v < vectors; v++)
        right[v] = operand(f.pairs, s, v_load(y + p * yrow + v * NU_LANES));
      NU_UNROLL
      for (size_t i = 0; i < rows; i++) {
        const float *at = i < rows / 2 ? low + i * xrow : high + (i - rows / 2) * xrow;
        vec left = operand(f.pairs, s, f.pairs ? v_set_word(at) : v_set(*at));
        NU_UNROLL
        for (size_t v = 0; v < vectors; v++)
          sum[i][v] = multiply_add(f.pairs, left, right[v], sum[i][v]);
      }
    }
  }
  for (size_t l = 0; l < c->n_left; l++) {
    const float *left = c->left[l] + out;
    NU_UNROLL
    for (size_t i = 0; i < rows; i++) {
      NU_UNROLL
      for (size_t v = 0; v < vectors; v++)
        sum[i][v] = v_load(left + i * outrow + v * NU_LANES) + sum[i][v];
    }
  }
  if (f.gradient && c->target) {
    update_tile(rows, vectors, c, outrow, sum, out);
    return;
  }
  NU_UNROLL
  for (size_t i = 0; i < rows; i++) {
    float *at = c->out + out + i * outrow;
    NU_UNROLL
    for (size_t v = 0; v < vectors; v++) v_store(at + v * NU_LANES, sum[i][v]);
  }
}

/* Tiles of so many rows from row i on, while they fit, all panels of a tile's rows before the next,
 * so that x stays in the nearest cache; returns the first row that is left. */
INLINE size_t tiles(size_t rows, size_t vectors, const nu_chain *c, family f, size_t i) {
  for (; i + rows <= c->m; i += rows) {
    for (size_t q = 0; q < c->panels; q++) {
      for (size_t column = 0; column < c->width; column += vectors * NU_LANES) {
        tile(rows, vectors, c, f, c->x + i * f.xrow, c->y + q * c->ypanel + column,
             i * f.outrow + q * P + column);
      }
    }
  }
  return i;
}

/* A row alone has too few sums to keep the multiply-adds busy, each of which takes four cycles: it
 * passes over `panels` panels side by side. Returns the first panel that is left. */
enum { ROW_SUMS = 8, PANEL_VECTORS = P / NU_LANES, ROW_PANELS = ROW_SUMS / PANEL_VECTORS };
INLINE size_t row_tiles(size_t panels, const nu_chain *c, family f, size_t i, size_t q) {
  for (; q + panels <= c->panels; q += panels) {
    const float *x = c->x + i * f.xrow, *y = c->y + q * c->ypanel;
    float *out = c->out + i * f.outrow + q * P;
    vec sum[ROW_SUMS];
    NU_UNROLL
    for (size_t v = 0; v < panels * PANEL_VECTORS; v++)
      sum[v] = c->fresh ? v_set(0.0f) : v_load(out + v * NU_LANES);
    for (size_t p = 0; p < c->k; p++) {
      NU_UNROLL
      for (size_t s = 0; s < steps_of(f.pairs); s++) {
        const float *at = x + p * c->xcol, *row = y + p * c->yrow;
        vec left = operand(f.pairs, s, f.pairs ? v_set_word(at) : v_set(*at));
        NU_UNROLL
        for (size_t v = 0; v < panels * PANEL_VECTORS; v++) {
          vec right = v_load(row + v / PANEL_VECTORS * c->ypanel + v % PANEL_VECTORS * NU_LANES);
          sum[v] = multiply_add(f.pairs, left, operand(f.pairs, s, right), sum[v]);
        }
      }
    }
    NU_UNROLL
    for (size_t v = 0; v < panels * PANEL_VECTORS; v++) v_store(out + v * NU_LANES, sum[v]);
  }
  return q;
}

INLINE void last_row(const nu_chain *c, family f, size_t i) {
  size_t q = row_tiles(ROW_PANELS, c, f, i, 0);
  if (ROW_PANELS > 1) row_tiles(1, c, f, i, q);
}

/* Full tiles, then smaller ones for the rows that are left, with the same chain. */
INLINE void all_tiles(size_t rows, size_t vectors, const nu_chain *c, family f) {
  size_t i = tiles(rows, vectors, c, f, 0);
  if (rows > 8) i = tiles(8, vectors, c, f, i);
  if (rows > 4) i = tiles(4, vectors, c, f, i);
  i = tiles(2, vectors, c, f, i);
  if (i == c->m) return;
  if (f.gradient || c->n_left || c->width < P) tiles(1, vectors, c, f, i);
  else last_row(c, f, i);
}

/* Whole panels, or half ones, which are one vector wide where a vector is that wide. The gradient's
 * chains are short and dense; with their distances as constants a tile of 64 links starts 60 cycles
 * (a tenth of its time) sooner than if it had to find the places of its rows. */
INLINE void chain_of(bool pairs, const nu_chain *c) {
  bool whole = c->width % (NU_TILE_VECTORS * NU_LANES) == 0, gradient = c->xrow == 1 && c->fresh;
  if (gradient && whole && c->outrow == P)
    all_tiles(NU_TILE_ROWS, NU_TILE_VECTORS, c, (family){true, pairs, 1, P});
  else if (gradient && c->outrow == NU_HALF_PANEL)
    all_tiles(NU_HALF_TILE_ROWS, 1, c, (family){true, pairs, 1, NU_HALF_PANEL});
  else if (whole)
    all_tiles(NU_TILE_ROWS, NU_TILE_VECTORS, c, (family){false, pairs, c->xrow, c->outrow});
  else all_tiles(NU_HALF_TILE_ROWS, 1, c, (family){false, pairs, c->xrow, c->outrow});
}

/* Apart: in one function with the other the floats' gradient loses 4 % (gcc 12). */
static __attribute__((noinline)) void chain_of_floats(const nu_chain *c) { chain_of(false, c); }
static __attribute__((noinline)) void chain_of_pairs(const nu_chain *c) { chain_of(true, c); }

static void chain(const nu_chain *c) {
  if (is_outer(c)) outer_product(c);
  else if (c->pairs) chain_of_pairs(c);
  else chain_of_floats(c);
}

/* One square of vectors: each round is a perfect shuffle of all rows, and log2(lanes) of them turn
 * rows into columns. Rows from `columns` on count as zero; the first `stored` columns are written.
 */
INLINE void transpose_square(size_t columns, size_t stored, const float *from, size_t fromstride,
                             float *to, size_t tostride) {
  vec a[NU_LANES], b[NU_LANES];
  NU_UNROLL
  for (size_t c = 0; c < NU_LANES; c++)
    a[c] = c < columns ? v_load(from + c * fromstride) : v_set(0.0f);
  NU_UNROLL
  for (size_t round = 1; round < NU_LANES; round *= 2) {
    NU_UNROLL
    for (size_t i = 0; i < NU_LANES / 2; i++) {
      b[2 * i] = v_zip_low(a[i], a[i + NU_LANES / 2]);
      b[2 * i + 1] = v_zip_high(a[i], a[i + NU_LANES / 2]);
    }
    NU_UNROLL
    for (size_t i = 0; i < NU_LANES; i++) a[i] = b[i];
  }
  NU_UNROLL
  for (size_t j = 0; j < NU_LANES; j++) {
    if (j < stored) v_store(to + j * tostride, a[j]);
  }
}

static void transpose(size_t n, size_t columns, const float *from, size_t fromstride, float *to,
                      size_t tostride) {
  size_t padded = (columns + NU_HALF_PANEL - 1) / NU_HALF_PANEL * NU_HALF_PANEL;
  for (size_t j = 0; j < n; j += NU_LANES) {
    for (size_t c = 0; c < padded; c += NU_LANES) {
      transpose_square(c < columns ? columns - c : 0, NU_LANES, from + c * fromstride + j,
                       fromstride, to + j * tostride + c, tostride);
    }
  }
}

#endif
