/* L-BFGS: a quasi-Newton iteration on the whole data. SPDX-License-Identifier: MIT
 *
 * Liu and Nocedal, Mathematical Programming 45, 1989; two-loop recursion and line search as in
 * Nocedal and Wright, Numerical Optimization, 2006, algorithms 7.4, 3.5 and 3.6. With E the mean
 * loss plus decay / 2 times the squares of the weights, g its gradient and the last MEMORY pairs
 * s = w_new - w, y = g_new - g, a step is
 *   d = -H g,  H from the pairs by the recursion
 *   w += t d,  t by strong Wolfe: E(t) <= E + C1 t g.d, |g(t).d| <= C2 |g.d|
 * Where E(t) differs from E by roundings alone the slopes decide (Hager and Zhang, SIAM J. Optim.
 * 16, 2005). Every trial is a pass over all rows; the gradient of the accepted one is kept, so that
 * most steps cost one pass. Every thread computes the same numbers; inner products are sums over
 * panels in a fixed order, so that the bits depend on nothing else. */
#include <math.h>
#include <string.h>

#include "trainer/iteration.h"

enum { MEMORY = 10, MOST_TRIALS = 20 };
#define C1 1e-4
#define C2 0.9
#define NOISE 1e-7 /* of E: what the roundings of its terms leave */

/* Arrays of the engine; those of pairs by slot. */
enum { S = NU_FIRST_ARRAY, Y = S + MEMORY, G = Y + MEMORY, D, START };

/* Numbers of the state, counts first. */
enum { PAIRS, EVALUATIONS, STALLED, OBJECTIVE, LOSS, LENGTH, NUMBERS };

/* What a thread knows of a step; the same on every thread. */
typedef struct iteration {
  nu_training *t;
  nu_team *team;
  size_t thread, rows;
  const nu_step *step;
  double numbers[NUMBERS];
} iteration;

/* A point of the line: E and its slope. */
typedef struct point {
  double t, value, slope, loss;
} point;

/* ---- elements: each thread has the part that it would update */

typedef void element_fn(const nu_kernels *kernels, size_t n, double factor, const float *from,
                        float *to);

static void assign(const nu_kernels *kernels, size_t n, double factor, const float *from,
                   float *to) {
  kernels->scale_by(n, (float)factor, from, to);
}

static void add_multiple(const nu_kernels *kernels, size_t n, double factor, const float *from,
                         float *to) {
  kernels->axpy(n, (float)factor, from, to);
}

/* array `to` = or += factor * array `from`; of the decayed rows alone, or of all. */
static void combine(const iteration *it, element_fn *fn, double factor, size_t from, size_t to,
                    bool decayed) {
  const nu_engine *engine = &it->t->engine;
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    nu_part part = nu_plan_part(engine->plan, layer->shape, NU_LEVEL_HOST, it->thread);
    size_t most = decayed ? nu_layer_decayed(layer->shape) : layer->rows;
    size_t end = part.inputs.end < most ? part.inputs.end : most;
    for (size_t p = part.panels.begin; part.inputs.begin < end && p < part.panels.end; p++) {
      size_t width = nu_panel_width(layer->neurons, p);
      size_t at = p * layer->panel_size + part.inputs.begin * width;
      fn(engine->kernels, (end - part.inputs.begin) * width, factor, layer->array[from] + at,
         layer->array[to] + at);
    }
  }
}

static double dot(const iteration *it, size_t a, size_t b) {
  return nu_engine_dot(&it->t->engine, it->team, it->thread, a, b, false);
}

static void publish(const iteration *it) {
  const nu_engine *engine = &it->t->engine;
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    nu_part part = nu_plan_part(engine->plan, layer->shape, NU_LEVEL_HOST, it->thread);
    if (part.inputs.begin >= part.inputs.end) continue;
    for (size_t p = part.panels.begin; p < part.panels.end; p++)
      nu_publish_weights(engine, layer, p, part.inputs);
  }
  nu_team_barrier(it->team);
}

/* ---- passes */

/* The gradient of E from the engine's. */
static void mean_gradient(const iteration *it, size_t to) {
  combine(it, assign, -1.0 / (double)it->rows, NU_GRADIENT, to, false);
  if (it->t->optimizer.decay > 0.0)
    combine(it, add_multiple, it->t->optimizer.decay, NU_WEIGHTS, to, true);
}

/* E at the present weights, and its gradient into array `to`. */
static double evaluate(iteration *it, size_t to, double *loss) {
  nu_engine *engine = &it->t->engine;
  nu_batch batch = {.data = it->t->rows, .order = it->t->order, .first = it->step->first};
  double decay = it->t->optimizer.decay, n = (double)it->rows, penalty = 0.0;
  nu_engine_pass(engine, it->team, it->thread, &batch, it->rows, it->step->number);
  *loss = nu_add_losses(engine, it->rows, 0.0);
  it->numbers[EVALUATIONS] += 1.0;
  mean_gradient(it, to);
  if (decay > 0.0)
    penalty = nu_engine_dot(engine, it->team, it->thread, NU_WEIGHTS, NU_WEIGHTS, true);
  return *loss / n + 0.5 * decay * penalty;
}

/* w = start + t d. The gradient goes where the next pair will be. */
static point try_step(iteration *it, double t, size_t slot) {
  point at = {.t = t};
  combine(it, assign, 1.0, START, NU_WEIGHTS, false);
  combine(it, add_multiple, t, D, NU_WEIGHTS, false);
  publish(it);
  at.value = evaluate(it, Y + slot, &at.loss);
  at.slope = dot(it, Y + slot, D);
  return at;
}

/* ---- the direction */

/* The two-loop recursion; pairs are counted from the first step, slots come round. */
static void find_direction(iteration *it) {
  size_t pairs = (size_t)it->numbers[PAIRS], used = pairs < MEMORY ? pairs : MEMORY;
  double a[MEMORY] = {0.0}, rho[MEMORY] = {0.0};
  combine(it, assign, -1.0, G, D, false);
  for (size_t i = pairs; i-- > pairs - used;) {
    size_t slot = i % MEMORY;
    rho[slot] = 1.0 / dot(it, S + slot, Y + slot);
    a[slot] = rho[slot] * dot(it, S + slot, D);
    combine(it, add_multiple, -a[slot], Y + slot, D, false);
  }
  if (used) {
    size_t newest = (pairs - 1) % MEMORY;
    double scale = 1.0 / (rho[newest] * dot(it, Y + newest, Y + newest));
    combine(it, assign, scale, D, D, false);
  }
  for (size_t i = pairs - used; i < pairs; i++) {
    size_t slot = i % MEMORY;
    double b = rho[slot] * dot(it, Y + slot, D);
    combine(it, add_multiple, a[slot] - b, S + slot, D, false);
  }
}

/* ---- the line search */

/* The minimum of the cubic through two points and their slopes; the middle where there is none, and
 * never nearer to an end than a tenth of the way. */
static double interpolate(const point *a, const point *b) {
  double d1 = a->slope + b->slope - 3.0 * (a->value - b->value) / (a->t - b->t);
  double square = d1 * d1 - a->slope * b->slope, middle = 0.5 * (a->t + b->t);
  double low = a->t < b->t ? a->t : b->t, width = fabs(a->t - b->t), t = middle;
  if (square >= 0.0) {
    double d2 = b->t > a->t ? sqrt(square) : -sqrt(square);
    t = b->t - (b->t - a->t) * (b->slope + d2 - d1) / (b->slope - a->slope + 2.0 * d2);
  }
  if (!(t >= low + 0.1 * width && t <= low + 0.9 * width)) return middle;
  return t;
}

static bool is_flat(const point *start, const point *at) {
  bool close = at->value <= start->value + NOISE * fabs(start->value);
  return close && at->slope >= C2 * start->slope && at->slope <= (2.0 * C1 - 1.0) * start->slope;
}

static bool falls_enough(const point *start, const point *at) {
  return at->value <= start->value + C1 * at->t * start->slope || is_flat(start, at);
}

static bool is_accepted(const point *start, const point *at) {
  return falls_enough(start, at) && fabs(at->slope) <= -C2 * start->slope;
}

/* Between `low`, the best so far, and `high`, behind a minimum: algorithm 3.6. */
static point zoom(iteration *it, const point *start, point low, point high, size_t slot,
                  size_t trials) {
  point at = low;
  for (; trials < MOST_TRIALS && high.t != low.t; trials++) {
    double t = isfinite(high.value) ? interpolate(&low, &high) : 0.5 * (low.t + high.t);
    at = try_step(it, t, slot);
    if (is_accepted(start, &at)) return at;
    if (!falls_enough(start, &at) || at.value >= low.value) {
      high = at;
    } else {
      if (at.slope * (high.t - low.t) >= 0.0) high = low;
      low = at;
    }
  }
  /* nothing better came: the best that was seen, which may be the start */
  return low.t == 0.0 || low.t == at.t ? low : try_step(it, low.t, slot);
}

/* Algorithm 3.5, from a first guess. */
static point search_line(iteration *it, const point *start, double t, size_t slot) {
  point last = *start;
  for (size_t trials = 1; trials < MOST_TRIALS; trials++) {
    point at = try_step(it, t, slot);
    if (is_accepted(start, &at)) return at;
    bool rises = !(at.value < last.value) && trials > 1;
    if (!isfinite(at.value) || !falls_enough(start, &at) || rises)
      return zoom(it, start, last, at, slot, trials);
    if (at.slope >= 0.0) return zoom(it, start, at, last, slot, trials);
    last = at;
    t *= 4.0;
  }
  return last;
}

/* ---- a step */

/* A pair counts where the curvature along it is positive beyond roundings. One that does not has
 * taken the place of the oldest: with a full memory the others go, too. */
static void keep_pair(iteration *it, double t, size_t slot) {
  combine(it, add_multiple, -1.0, G, Y + slot, false);
  combine(it, assign, t, D, S + slot, false);
  double curvature = dot(it, S + slot, Y + slot);
  if (curvature > 1e-10 * dot(it, Y + slot, Y + slot)) it->numbers[PAIRS] += 1.0;
  else if (it->numbers[PAIRS] >= MEMORY) it->numbers[PAIRS] = 0.0;
  mean_gradient(it, G);
}

/* Where no step lowers E, not even along the gradient, the iteration has come to its end. */
static void give_up(iteration *it) {
  combine(it, assign, 1.0, START, NU_WEIGHTS, false);
  publish(it);
  it->numbers[STALLED] = it->numbers[PAIRS] == 0.0;
  it->numbers[PAIRS] = 0.0;
}

static double move(iteration *it) {
  find_direction(it);
  point start = {0.0, it->numbers[OBJECTIVE], dot(it, G, D), it->numbers[LOSS]};
  if (!(start.slope < 0.0)) {
    it->numbers[PAIRS] = 0.0;
    combine(it, assign, -1.0, G, D, false);
    start.slope = dot(it, G, D);
  }
  bool first = it->numbers[PAIRS] == 0.0;
  double length = sqrt(-start.slope), guess = first && length > 1.0 ? 1.0 / length : 1.0;
  size_t slot = (size_t)it->numbers[PAIRS] % MEMORY;
  combine(it, assign, 1.0, NU_WEIGHTS, START, false);
  point end = search_line(it, &start, guess, slot);
  if (!(end.t > 0.0 && end.value <= start.value + NOISE * fabs(start.value))) {
    give_up(it);
    return 0.0;
  }
  keep_pair(it, end.t, slot);
  it->numbers[OBJECTIVE] = end.value;
  it->numbers[LOSS] = end.loss;
  return end.t;
}

static bool step(nu_training *training, nu_team *team, size_t thread, const nu_step *at,
                 nu_outcome *outcome) {
  iteration it = {.t = training, .team = team, .thread = thread, .rows = at->rows, .step = at};
  memcpy(it.numbers, training->numbers, sizeof it.numbers);
  nu_team_barrier(team); /* all have read them before thread 0 changes them */
  if (it.numbers[EVALUATIONS] == 0.0) it.numbers[OBJECTIVE] = evaluate(&it, G, &it.numbers[LOSS]);
  outcome->loss += it.numbers[LOSS];
  if (!isfinite(it.numbers[OBJECTIVE])) return false;
  it.numbers[LENGTH] = it.numbers[STALLED] == 0.0 ? move(&it) : 0.0;
  outcome->learning_rate = it.numbers[LENGTH];
  if (thread == 0) memcpy(training->numbers, it.numbers, sizeof it.numbers);
  return true;
}

static double rate(const nu_training *training) { return training->numbers[LENGTH]; }

const nu_iteration nu_lbfgs = {.step = step, .rate = rate};
