/* The dropout kind: in training each input is kept with probability q = 1 - rate and divided by q,
 * or else 0; in evaluation it passes. Srivastava et al., JMLR 15, 2014, scaled while training.
 * SPDX-License-Identifier: MIT
 *
 *   forward  A(l) = A(l-1) * M,  delta  D(l-1) = (D(l) * M) * f'(Z(l-1)),  M in {0, 1/q}  [B x n]
 * M is a pure function of seed, layer, step, sample and unit, so that no thread, rank or resume
 * changes it: numbers of 16 bits, eight from each block of the counter-based generator, of the
 * stream (seed of the step, NU_PURPOSE_DROPOUT, layer). q is a multiple of 2^-16 therefore. The
 * factors of a pass are kept for its deltas. Threads split rows. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "config/config.h"
#include "layers/engine.h"
#include "layers/rounding.h"
#include "plan/cost.h"

static numann_status read(nu_layer *layer, const numann_config *config, const char *key,
                          numann_error *err) {
  char own[80];
  snprintf(own, sizeof own, "%s.rate", key);
  layer->rate = nu_config_real(config, own);
  if (layer->rate > 0.0) return NUMANN_OK;
  return nu_config_fail(config, own, err,
                        "a dropout layer needs the share of inputs to drop, above 0 and below 1, "
                        "such as rate: 0.3");
}

/* The factors lie where other layers keep z. */
static void book(const nu_books *books, size_t l) {
  size_t floats = books->rows * nu_stride(books->network->layers[l].neurons);
  if (books->use > NU_USE_PREDICT) nu_book(books, NU_BUFFER_NETS, l, 0, floats, sizeof(float));
}

/* Drawing costs as much as copying some thirty numbers (`numann bench phases`). */
static void cost(const nu_work *w, size_t l, nu_parts_cost *out) {
  double floats = w->rows * (double)w->network->layers[l].neurons / (double)w->members;
  out->forward.arithmetic = nu_cost_floats(32.0 * floats);
  if (l > 0) out->delta.arithmetic = nu_cost_floats(2.0 * floats);
}

/* ---- the mask */

typedef struct mask {
  nu_stream stream;   /* of the step */
  uint32_t threshold; /* numbers below it drop their unit */
  float factor;       /* 1 / q */
} mask;

static mask mask_of(const nu_layer *layer, size_t l, uint64_t seed, uint64_t step) {
  nu_stream all = {seed, NU_PURPOSE_DROPOUT, (uint32_t)l};
  uint64_t of_step =
      (uint64_t)nu_random_bits(all, 2 * step) << 32 | nu_random_bits(all, 2 * step + 1);
  uint32_t threshold = (uint32_t)(layer->rate * 0x1p16 + 0.5);
  double q = 1.0 - threshold * 0x1p-16;
  if (q <= 0.0) q = 0x1p-16, threshold = 0xffff;
  return (mask){{of_step, NU_PURPOSE_DROPOUT, (uint32_t)l}, threshold, (float)(1.0 / q)};
}

/* The factors of units [8 block, 8 block + 8) of a sample. */
static void draw_eight(const mask *m, uint64_t blocks, uint64_t sample, size_t block, float to[8]) {
  uint32_t numbers[4];
  nu_random_block(m->stream, sample * blocks + block, numbers);
  for (size_t i = 0; i < 8; i++) {
    uint32_t number = numbers[i / 2] >> 16 * (i % 2) & 0xffff;
    to[i] = number < m->threshold ? 0.0f : m->factor;
  }
}

/* Of a row of n units; to has room for a multiple of 8. */
static void draw_row(const mask *m, size_t n, uint64_t sample, float *to) {
  size_t blocks = (n + 7) / 8;
  for (size_t b = 0; b < blocks; b++) draw_eight(m, blocks, sample, b, to + 8 * b);
}

static double factor_of(const nu_naive *naive, size_t l, size_t unit) {
  const nu_layer *layer = &naive->network->layers[l];
  mask m = mask_of(layer, l, naive->seed, 0);
  float eight[8];
  draw_eight(&m, (layer->neurons + 7) / 8, naive->row, unit / 8, eight);
  return (double)eight[unit % 8];
}

/* ---- a pass */

static void forward(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass) {
  const nu_engine_layer *layer = &engine->layers[l];
  nu_range mine = nu_plan_my_own(engine->plan, pass->chunk->held, thread);
  size_t stride, padded = nu_padded(layer->neurons);
  const float *below = nu_activations_below(engine, l, &stride);
  mask m = mask_of(layer->shape, l, engine->plan->problem.seed, pass->step);
  for (size_t r = mine.begin; r < mine.end; r++) {
    const float *from = below + r * stride;
    float *factors = layer->nets + r * stride, *to = layer->activations + r * stride;
    if (pass->trains) {
      draw_row(&m, layer->neurons, engine->samples[r], factors);
      engine->kernels->multiply(1, padded, from, factors, to, stride);
    } else {
      memcpy(to, from, padded * sizeof *to);
    }
    if (padded > layer->neurons) to[layer->neurons] = 1.0f;
  }
  nu_narrow_rows(engine, layer->activations, layer->activation_pairs, stride, mine,
                 (nu_range){0, padded});
}

static void delta(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass) {
  const nu_engine_layer *layer = &engine->layers[l], *below = layer - 1;
  nu_range mine = nu_plan_my_own(engine->plan, pass->chunk->held, thread);
  size_t padded = nu_padded(layer->neurons);
  for (size_t r = mine.begin; r < mine.end; r++) {
    size_t at = r * layer->stride;
    engine->kernels->multiply(1, padded, layer->deltas + at, layer->nets + at, below->deltas + at,
                              layer->stride);
  }
  nu_finish_deltas(engine, below, mine, (nu_range){0, padded});
}

/* ---- the proof */

static void naive_forward(nu_naive *naive, size_t l) {
  nu_naive_factor_forward(naive, l, factor_of);
}
static void naive_delta(nu_naive *naive, size_t l) { nu_naive_factor_delta(naive, l, factor_of); }
static void bound_forward(nu_rounding *bound, size_t l) {
  nu_rounding_factor_forward(bound, l, factor_of);
}
static void bound_delta(nu_rounding *bound, size_t l) {
  nu_rounding_factor_delta(bound, l, factor_of);
}

const nu_kind nu_dropout = {.name = "dropout",
                            .keys = "rate",
                            .read = read,
                            .by_rows = true,
                            .draws = true,
                            .book = book,
                            .cost = cost,
                            .forward = forward,
                            .delta = delta,
                            .naive_forward = naive_forward,
                            .naive_delta = naive_delta,
                            .bound_forward = bound_forward,
                            .bound_delta = bound_delta};
