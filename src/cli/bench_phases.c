/* numann bench phases: a step cut into its phases, each thread looking at the clock between them.
 * SPDX-License-Identifier: MIT */
#include "cli/bench_phases.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "numann.h"

enum { SLICES = 15, FEWEST_SLICES = 3 };
#define PEAK_SECONDS 0.02

/* ---- one step: nu_engine_* of trainer/step.c and step() of trainer/trainer.c, with a clock
 * between */

typedef struct stopwatch {
  double last;
  double seconds[NU_PHASES];
  uint64_t looks[NU_PHASES];
} stopwatch;

static void lap(stopwatch *watch, size_t phase) {
  double now = nu_clock_seconds();
  watch->seconds[phase] += now - watch->last;
  watch->looks[phase]++;
  watch->last = now;
}

static void wait_for_all(nu_team *team, stopwatch *watch) {
  nu_team_barrier(team);
  lap(watch, NU_WAIT);
}

static void meet_on_rows(const nu_phase_bench *b, nu_team *team, stopwatch *watch) {
  if (nu_plan_shares_rows(b->engine.plan)) wait_for_all(team, watch);
}

static void go_forward(nu_phase_bench *b, nu_team *team, size_t thread, const nu_batch *batch,
                       const nu_pass *pass, stopwatch *watch) {
  const nu_chunk *chunk = pass->chunk;
  nu_gather_rows(&b->engine, thread, batch, chunk);
  lap(watch, NU_GATHER);
  meet_on_rows(b, team, watch);
  for (size_t l = 0; l < b->engine.n_layers; l++) {
    b->engine.layers[l].shape->kind->forward(&b->engine, l, thread, pass);
    lap(watch, NU_FORWARD_OF(l));
    if (nu_plan_meets_after_forward(b->engine.plan, b->engine.network, l))
      meet_on_rows(b, team, watch);
  }
  nu_output_rows(&b->engine, thread, chunk, true);
  lap(watch, NU_OUTPUT);
  if (chunk->last) wait_for_all(team, watch);
  else meet_on_rows(b, team, watch);
}

static void go_backward(nu_phase_bench *b, nu_team *team, size_t thread, const nu_pass *pass,
                        const nu_update *update, stopwatch *watch) {
  const nu_chunk *chunk = pass->chunk;
  for (size_t l = b->engine.n_layers; l-- > 0;) {
    if (l > 0) {
      b->engine.layers[l].shape->kind->delta(&b->engine, l, thread, pass);
      lap(watch, NU_DELTA_OF(l - 1));
      if (nu_plan_meets_after_delta(b->engine.plan, b->engine.network, l - 1))
        meet_on_rows(b, team, watch);
    }
    nu_gradient_layer(&b->engine, l, thread, chunk, update);
    lap(watch, NU_GRADIENT_OF(l));
  }
  if (!chunk->last) {
    meet_on_rows(b, team, watch);
    return;
  }
  if (b->engine.plan->groups > 1) {
    wait_for_all(team, watch);
    nu_join_groups(&b->engine, team, thread, chunk->batch, update);
    lap(watch, NU_JOIN);
  }
  if (!update) wait_for_all(team, watch);
}

/* The update where it is not fused. */
static void go_on(nu_phase_bench *b, nu_team *team, size_t thread, uint64_t step, size_t rows,
                  stopwatch *watch) {
  const nu_optimizer *optimizer = &b->optimizer;
  double norm = optimizer->clip_norm > 0.0 ? nu_engine_norm(&b->engine, team, thread) : 0.0;
  nu_update update = nu_optimizer_step(optimizer, step, rows, norm);
  nu_engine_update(&b->engine, thread, &update);
  lap(watch, NU_UPDATE);
}

static double run_step(nu_phase_bench *b, nu_team *team, size_t thread, uint64_t step, double loss,
                       stopwatch *watch) {
  size_t rows = b->engine.plan->problem.batch, chunks = nu_plan_chunks(b->engine.plan, rows);
  nu_batch batch = nu_phase_batch(b, step);
  nu_update update = nu_optimizer_step(&b->optimizer, step, rows, 0.0);
  for (size_t c = 0; c < chunks; c++) {
    nu_chunk chunk = nu_plan_chunk(b->engine.plan, rows, thread, c);
    nu_pass pass = {.chunk = &chunk, .step = step, .trains = true};
    lap(watch, NU_LOOP);
    go_forward(b, team, thread, &batch, &pass, watch);
    for (size_t i = 0; chunk.last && i < rows; i++) loss += b->engine.row_loss[i];
    lap(watch, NU_LOOP);
    go_backward(b, team, thread, &pass, b->fused ? &update : NULL, watch);
  }
  if (!b->fused) go_on(b, team, thread, step, rows, watch);
  wait_for_all(team, watch);
  return loss;
}

/* ---- slices of steps */

static void run_steps(nu_team *team, size_t thread, void *arg) {
  nu_phase_bench *b = arg;
  nu_phase_times *out = &b->threads[thread];
  volatile double loss = 0.0; /* as in training, nobody may leave the sum out */
  stopwatch watch = {.last = nu_clock_seconds()};
  for (uint64_t s = 0; s < b->steps; s++)
    loss = run_step(b, team, thread, b->done + s, loss, &watch);
  *out = (nu_phase_times){.barriers = (double)watch.looks[NU_WAIT]};
  for (size_t i = 0; i < NU_PHASES; i++) {
    double looking = b->clock * (double)watch.looks[i];
    out->phase[i] = watch.seconds[i] > looking ? watch.seconds[i] - looking : 0.0;
  }
}

static numann_status run_slice(nu_phase_bench *b, nu_phase_times *out, numann_error *err) {
  size_t threads = b->engine.plan->threads;
  double all = (double)b->steps * (double)threads;
  NU_TRY(nu_engine_run(&b->engine, run_steps, b, err));
  *out = (nu_phase_times){.step = 0.0};
  for (size_t t = 0; t < threads; t++) {
    out->barriers += b->threads[t].barriers / all;
    for (size_t i = 0; i < NU_PHASES; i++) out->phase[i] += b->threads[t].phase[i] / all;
  }
  for (size_t i = 0; i < NU_PHASES; i++) out->step += out->phase[i];
  b->done += b->steps;
  if (!nu_engine_not_finite(&b->engine)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DIVERGED,
                 "bench phases: a weight is not finite after %llu steps; "
                 "lower the rate with --set train.optimizer.learning_rate=...",
                 (unsigned long long)b->done);
}

static int compare(const void *a, const void *b) {
  double x = ((const nu_phase_times *)a)->step, y = ((const nu_phase_times *)b)->step;
  return (x > y) - (x < y);
}

/* Slices of steps and of the peak in turn; the median slice stays. */
static numann_status run_slices(nu_phase_bench *b, nu_phase_times *slices, double seconds,
                                numann_error *err) {
  nu_bench_peak peak = {.pairs = b->engine.pairs};
  double peaks[SLICES], slice = seconds / SLICES;
  size_t n = 0;
  b->steps = 1 + (uint64_t)(slice / b->setup.plan->seconds);
  NU_TRY(run_slice(b, &slices[0], err)); /* to warm up */
  b->steps = 1 + (uint64_t)(slice / slices[0].step);
  double end = nu_clock_seconds() + 2.0 * seconds;
  while (n < SLICES && (n < FEWEST_SLICES || nu_clock_seconds() < end)) {
    NU_TRY(nu_bench_measure_peak(&peak, b->engine.plan->threads, PEAK_SECONDS, err));
    peaks[n] = peak.flops;
    NU_TRY(run_slice(b, &slices[n++], err));
  }
  qsort(slices, n, sizeof *slices, compare);
  b->times = slices[n / 2];
  nu_median(peaks, n); /* sorts */
  b->peak = peaks[n - 1];
  b->spread = 1.0 - peaks[0] / b->peak;
  return NUMANN_OK;
}

/* ---- the whole */

static double time_of_clock(void) {
  enum { LOOKS = 2000 };
  double start = nu_clock_seconds(), last = start;
  for (size_t i = 0; i < LOOKS; i++) last = nu_clock_seconds();
  return (last - start) / LOOKS;
}

static numann_status prepare(nu_phase_bench *b, const nu_arguments *args, numann_error *err) {
  nu_bench_setup *s = &b->setup;
  NU_TRY(nu_bench_prepare(s, args, err));
  NU_TRY(nu_optimizer_create(&b->optimizer, s->config, s->rows / s->plan->plan.problem.batch, err));
  if (b->optimizer.method->rule == NU_RULES)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "bench phases: %s has no phases of one pass; measure it with bench step",
                   b->optimizer.method->name);
  b->fused = s->plan->plan.fuse && b->optimizer.clip_norm == 0.0;
  nu_use use = b->fused ? NU_USE_FUSED : NU_USE_GRADIENT;
  NU_TRY(nu_engine_create(&b->engine, s->network, &s->plan->plan, use, err));
  b->order = nu_alloc(s->rows, sizeof *b->order);
  b->threads = nu_alloc(s->plan->plan.threads, sizeof *b->threads);
  if (!b->order || !b->threads)
    return nu_fail_memory(err, s->rows * sizeof *b->order, "the row order");
  nu_data_order(b->order, s->rows, 1, 0, nu_config_flag(s->config, "train.shuffle"));
  b->clock = time_of_clock();
  return NUMANN_OK;
}

static numann_status measure(nu_phase_bench *b, double seconds, numann_error *err) {
  nu_phase_times *slices = nu_alloc(SLICES, sizeof *slices);
  if (!slices) return nu_fail_memory(err, SLICES * sizeof *slices, "the slices");
  numann_status status = run_slices(b, slices, seconds, err);
  free(slices);
  return status == NUMANN_OK ? nu_measure_alone(b, err) : status;
}

numann_status nu_bench_phases(const nu_arguments *args, numann_error *err) {
  double seconds;
  nu_json json = {0};
  NU_TRY(nu_bench_seconds(&seconds, args, err));
  nu_phase_bench *b = nu_alloc(1, sizeof *b);
  if (!b) return nu_fail_memory(err, sizeof *b, "the measurement");
  numann_status status = prepare(b, args, err);
  if (status == NUMANN_OK) status = measure(b, seconds, err);
  if (status == NUMANN_OK) {
    if (nu_given(args, NU_OPTION_JSON)) nu_account_json(b, &json);
    else nu_account_text(b, &json.text);
    status = nu_print_text(&json.text, err);
  }
  if (b->engine.plan) nu_engine_clear(&b->engine);
  nu_bench_clear(&b->setup);
  free(b->order);
  free(b->threads);
  free(b);
  return status;
}
