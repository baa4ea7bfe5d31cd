/* The optimiser's step on one vector - (4.5), (4.8) - which the update of whole arrays and the end
 * of a gradient's chain share. Part of kernels.c. SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_UPDATE_H
#define NU_KERNELS_UPDATE_H

/* Every rule: DO stands for the case that makes code of its own for it. The switches have no
 * default, so that the compiler tells of a rule that is missing here. */
#define NU_EACH_RULE(DO) \
  DO(NU_SGD)             \
  DO(NU_MOMENTUM)        \
  DO(NU_NESTEROV) DO(NU_RMSPROP) DO(NU_ADAM) DO(NU_ADAMW) DO(NU_AMSGRAD) DO(NU_IRPROP)

/* An nu_update in all lanes. */
typedef struct update_lanes {
  vec step, mean, minus_eta, shrink, decay, momentum, momentum_rest, smoothing, smoothing_rest,
      epsilon, correction1, correction2;
} update_lanes;

INLINE update_lanes spread(const nu_update *u) {
  return (update_lanes){.step = v_set(u->learning_rate * u->factor),
                        .mean = v_set(-u->factor),
                        .minus_eta = v_set(-u->learning_rate),
                        .shrink = v_set(-u->learning_rate * u->decay),
                        .decay = v_set(u->decay),
                        .momentum = v_set(u->momentum),
                        .momentum_rest = v_set(1.0f - u->momentum),
                        .smoothing = v_set(u->smoothing),
                        .smoothing_rest = v_set(1.0f - u->smoothing),
                        .epsilon = v_set(u->epsilon),
                        .correction1 = v_set(u->correction1),
                        .correction2 = v_set(u->correction2)};
}

/* iRprop-: the new w; `sizes` are those of the weights' steps, `before` their last gradients, 0
 * where a sign has just changed. Sizes are 0 before the first step. */
INLINE vec irprop_lane(const update_lanes *u, vec g, vec w, float *sizes, float *before) {
  vec last = v_load(before), size = v_load(sizes);
  ivec up = g > 0.0f, was_up = last > 0.0f;
  ivec down = g < 0.0f, was_down = last < 0.0f;
  ivec turns = (up & was_down) | (down & was_up), keeps = (up & was_up) | (down & was_down);
  size = v_choose(size == 0.0f, -u->minus_eta, size);
  size = v_choose(keeps, v_at_most(size * 1.2f, 50.0f), size);
  size = v_choose(turns, v_at_least(size * 0.5f, 1e-6f), size);
  g = v_choose(turns, v_set(0.0f), g);
  v_store(sizes, size);
  v_store(before, g);
  vec move = v_choose(g > 0.0f, size, v_choose(g < 0.0f, -size, v_set(0.0f)));
  return v_choose(v_not_finite(g) < 0, g, w - move);
}

/* The new w, with what the rule keeps at arrays[..][at]; the formulas and their sources stand
 * with nu_rule. */
INLINE vec update_lane(nu_rule rule, const update_lanes *u, vec G, vec w,
                       float *const arrays[NU_MOST_ARRAYS], size_t at) {
  vec g = G * u->mean, m1, m2;
  if (rule == NU_ADAMW) w = v_fma(u->shrink, w, w);
  else g = v_fma(u->decay, w, g);
  switch (rule) {
    case NU_SGD: return v_fma(u->step, G, v_fma(u->shrink, w, w)); /* (4.5), (4.8) */
    case NU_MOMENTUM:
      m1 = v_fma(u->momentum, v_load(arrays[0] + at), g);
      w = v_fma(u->minus_eta, m1, w);
      break;
    case NU_NESTEROV:
      m1 = v_fma(u->momentum, v_load(arrays[0] + at), g);
      w = v_fma(u->minus_eta, v_fma(u->momentum, m1, g), w);
      break;
    case NU_RMSPROP:
      m1 = v_fma(u->smoothing, v_load(arrays[0] + at), g * g * u->smoothing_rest);
      w = v_fma(u->minus_eta, g / (v_sqrt(m1) + u->epsilon), w);
      break;
    case NU_ADAM:
    case NU_ADAMW:
    case NU_AMSGRAD:
      m1 = v_fma(u->momentum, v_load(arrays[0] + at), g * u->momentum_rest);
      m2 = v_fma(u->smoothing, v_load(arrays[1] + at), g * g * u->smoothing_rest);
      v_store(arrays[1] + at, m2);
      if (rule == NU_AMSGRAD) {
        vec most = v_load(arrays[2] + at);
        m2 = v_choose(m2 > most, m2, most);
        v_store(arrays[2] + at, m2);
      }
      w = v_fma(u->minus_eta, m1 * u->correction1 / (v_sqrt(m2 * u->correction2) + u->epsilon), w);
      break;
    case NU_IRPROP: return irprop_lane(u, g, w, arrays[0] + at, arrays[1] + at);
    case NU_RULES: return w;
  }
  v_store(arrays[0] + at, m1);
  return w;
}

INLINE bool update_as(nu_rule rule, const nu_update *update, size_t n, float *w, const float *G,
                      float *const arrays[NU_MOST_ARRAYS]) {
  update_lanes u = spread(update);
  /* A copy, which no store to w can change: the pointers stay in registers. */
  float *const own[NU_MOST_ARRAYS] = {arrays[0], arrays[1], arrays[2]};
  ivec bad = {0};
  for (size_t i = 0; i < n; i += NU_LANES) {
    vec next = update_lane(rule, &u, v_load(G + i), v_load(w + i), own, i);
    v_store(w + i, next);
    bad |= v_not_finite(next);
  }
  return !v_any(bad < 0);
}

static bool update(const nu_update *u, size_t n, float *w, const float *G,
                   float *const arrays[NU_MOST_ARRAYS]) {
#define UPDATE_AS(rule) \
  case rule: return update_as(rule, u, n, w, G, arrays);
  switch (u->rule) {
    NU_EACH_RULE(UPDATE_AS)
    case NU_RULES: break;
  }
#undef UPDATE_AS
  return false;
}

#endif
