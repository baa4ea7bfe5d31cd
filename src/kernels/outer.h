/* The gradient and update of a batch of one row, where each weight takes one link: (4.12) and (4.5)
 * in one pass over the weights, which is all that online training spends its time on. In the tiles
 * of chain.h starting and ending one would cost three times as much. Part of kernels.c.
 * SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_OUTER_H
#define NU_KERNELS_OUTER_H

INLINE void outer_as(nu_rule rule, size_t vectors, const nu_chain *c) {
  const nu_target t = *c->target;
  const update_lanes u = spread(t.update);
  const size_t m = c->m, row = vectors * NU_LANES;
  const float *x = c->x;
  vec y[NU_PANEL / NU_LANES];
  ivec bad = {0};
  NU_UNROLL
  for (size_t v = 0; v < vectors; v++) y[v] = v_load(c->y + v * NU_LANES);
  for (size_t i = 0; i < m; i++) {
    vec left = v_set(x[i]);
    NU_UNROLL
    for (size_t v = 0; v < vectors; v++) {
      size_t at = i * row + v * NU_LANES;
      vec G = v_fma(left, y[v], v_set(0.0f));
      vec next = update_lane(rule, &u, G, v_load(t.w + at), t.arrays, at);
      v_store(t.w + at, next);
      bad |= v_not_finite(next);
    }
  }
  if (v_any(bad < 0)) *t.not_finite = true;
}

INLINE void outer(size_t vectors, const nu_chain *c) {
#define OUTER_AS(rule) \
  case rule: outer_as(rule, vectors, c); break;
  switch (c->target->update->rule) {
    NU_EACH_RULE(OUTER_AS)
    case NU_RULES: break;
  }
#undef OUTER_AS
}

/* Is it one? Panels then are dense, as in a chain with a target they always are. */
INLINE bool is_outer(const nu_chain *c) {
  return c->target && c->k == 1 && c->n_left == 0 && !c->pairs;
}

static void outer_product(const nu_chain *c) {
  if (c->width == P) outer(P / NU_LANES, c);
  else outer(NU_HALF_PANEL / NU_LANES, c);
}

#endif
