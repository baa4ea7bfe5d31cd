/* numann bench step: the trainer's own epoch loop on generated data, with slices of the arithmetic
 * peak between slices of training. SPDX-License-Identifier: MIT
 *
 * A slice is shorter than most epochs, so few slices have a shuffle in them and the median would
 * not see it. Each slice is therefore charged with its own share: the shuffle is timed alone beside
 * it, and its rate is what whole epochs would have, (rows of the slice) / (time + (share - shuffles
 * inside) shuffle). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "config/config.h"
#include "data/data.h"
#include "numann.h"
#include "plan/plan.h"

/* Slices of training; a network whose steps are long ends with fewer, once three times --seconds
 * have passed. */
enum { SLICES = 15, FEWEST_SLICES = 3 };
#define LOOK_SECONDS 1e-3 /* between two looks at the clock, about */
#define PEAK_SECONDS 0.02

typedef struct bench {
  nu_bench_setup setup;
  numann_trainer *trainer;
  uint32_t *order; /* [rows]: shuffled only to see how long it takes; owned */
  bool shuffles;
  double slice_seconds;
  uint64_t stride;       /* steps between two looks at the clock */
  size_t slices;         /* measured */
  double started, ended; /* of the running slice: its start, and its last look at the clock */
  uint64_t first_step, last_step;
  size_t epochs_begun, epochs_inside; /* in the slice; up to its last look */
  double rates[SLICES], peaks[SLICES],
      shuffles_s[SLICES]; /* [slices]: samples/s; flops/s; seconds */
  const char *isa;
} bench;

static numann_status prepare(bench *b, const nu_arguments *args, numann_error *err) {
  nu_bench_setup *s = &b->setup;
  NU_TRY(nu_bench_seconds(&b->slice_seconds, args, err));
  b->slice_seconds /= SLICES;
  NU_TRY(nu_bench_prepare(s, args, err));
  b->shuffles = nu_config_flag(s->config, "train.shuffle");
  b->order = nu_alloc(s->rows, sizeof *b->order);
  if (!b->order) return nu_fail_memory(err, s->rows * sizeof *b->order, "the row order");
  return numann_trainer_create(&b->trainer, s->config, s->network, s->plan, s->data, err);
}

/* ---- measuring */

/* Small steps are not all looked at, so that the clock costs nothing beside them. */
static numann_action on_step(void *arg, const numann_progress *progress) {
  bench *b = arg;
  if (progress->step % b->stride) return NUMANN_CONTINUE;
  double now = nu_clock_seconds();
  if (b->started == 0.0) {
    b->started = now;
    b->first_step = progress->step;
    return NUMANN_CONTINUE;
  }
  b->ended = now;
  b->last_step = progress->step;
  b->epochs_inside = b->epochs_begun;
  return now - b->started >= b->slice_seconds ? NUMANN_STOP : NUMANN_CONTINUE;
}

static numann_action on_epoch(void *arg, const numann_epoch *epoch) {
  bench *b = arg;
  (void)epoch;
  if (b->started != 0.0) b->epochs_begun++;
  return NUMANN_CONTINUE;
}

static double time_shuffle(bench *b, size_t slice) {
  double start = nu_clock_seconds();
  nu_data_order(b->order, b->setup.rows, 1, slice, b->shuffles);
  return nu_clock_seconds() - start;
}

/* A slice begins with the first look, which leaves out what entering an epoch anew costs; where a
 * step is longer than a slice, with the epoch's entry, which is then nothing and would cost another
 * step. */
static numann_status run_slice(bench *b, double shuffle, double *rate, numann_error *err) {
  const numann_plan *plan = b->setup.plan;
  numann_observer observer = {.arg = b, .on_step = on_step, .on_epoch = on_epoch};
  bool long_steps = plan->seconds > b->slice_seconds;
  b->started = long_steps ? nu_clock_seconds() : 0.0;
  b->first_step = b->last_step;
  b->epochs_begun = long_steps ? 1 : 0;
  numann_status status = numann_trainer_run(b->trainer, &observer, err);
  if (status != NUMANN_STOPPED)
    return status ? status : nu_fail(err, NUMANN_ERR_INTERNAL, "bench ended");
  double rows = (double)(b->last_step - b->first_step) * (double)plan->plan.problem.batch;
  double owed = rows / (double)b->setup.rows - (double)b->epochs_inside;
  *rate = rows / (b->ended - b->started + owed * shuffle);
  return NUMANN_OK;
}

static numann_status measure(bench *b, numann_error *err) {
  nu_bench_peak peak = {.pairs = b->setup.plan->plan.problem.precision == NU_BF16};
  double warm_up;
  b->stride = 1 + (uint64_t)(LOOK_SECONDS / b->setup.plan->seconds);
  NU_TRY(run_slice(b, time_shuffle(b, 0), &warm_up, err));
  double end = nu_clock_seconds() + 3.0 * SLICES * b->slice_seconds;
  for (size_t i = 0; i < SLICES && (i < FEWEST_SLICES || nu_clock_seconds() < end); i++) {
    b->slices = i + 1;
    NU_TRY(nu_bench_measure_peak(&peak, b->setup.plan->plan.threads, PEAK_SECONDS, err));
    b->peaks[i] = peak.flops;
    b->shuffles_s[i] = time_shuffle(b, i + 1);
    NU_TRY(run_slice(b, b->shuffles_s[i], &b->rates[i], err));
  }
  return NUMANN_OK;
}

/* ---- the result */

typedef struct result {
  double rate, gflops, peak, fraction, spread; /* peak in GFLOP/s; spread as a share of it */
  double shuffle;                              /* share of an epoch's time */
  bool valid;
} result;

static result evaluate(bench *b) {
  double median = nu_median(b->rates, b->slices);
  double shuffle = nu_median(b->shuffles_s, b->slices);
  nu_median(b->peaks, b->slices); /* sorts */
  double peak = b->peaks[b->slices - 1];
  result r = {.rate = median,
              .gflops = median * nu_bench_flops_a_row(&b->setup) / 1e9,
              .peak = peak / 1e9,
              .spread = 1.0 - b->peaks[0] / peak,
              .shuffle = shuffle * median / (double)b->setup.rows};
  r.fraction = r.gflops / r.peak;
  r.valid = r.fraction <= 1.0 && r.spread <= NU_BENCH_PEAK_SPREAD;
  return r;
}

static void write_json(const bench *b, const result *r, nu_json *json) {
  nu_json_open(json, NULL, '{');
  nu_bench_describe_json(&b->setup, json);
  nu_json_real(json, "samples_per_s", r->rate);
  nu_json_real(json, "samples_per_s_least", b->rates[0]);
  nu_json_real(json, "samples_per_s_most", b->rates[b->slices - 1]);
  nu_json_real(json, "shuffle_share", r->shuffle);
  nu_json_real(json, "gflops", r->gflops);
  nu_json_real(json, "peak_gflops", r->peak);
  nu_json_real(json, "fraction_of_peak", r->fraction);
  nu_json_real(json, "peak_spread", r->spread);
  nu_json_flag(json, "valid", r->valid);
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

static void write_text(const bench *b, const result *r, nu_text *out) {
  nu_bench_describe(&b->setup, out);
  nu_text_addf(
      out, "%12.0f samples/s  (%.0f to %.0f in %zu slices; %.1f %% of the time is the shuffle)\n",
      r->rate, b->rates[0], b->rates[b->slices - 1], b->slices, 100.0 * r->shuffle);
  nu_text_addf(out, "%12.1f GFLOP/s    of %.1f peak: fraction %.3f\n", r->gflops, r->peak,
               r->fraction);
  if (r->valid) return;
  nu_text_addf(out, "not valid: %s\n",
               r->fraction > 1.0 ? "faster than the measured peak, so the peak was disturbed"
                                 : "the peak moved by more than 5 %, so the machine was not quiet");
}

numann_status nu_bench_step(const nu_arguments *args, numann_error *err) {
  bench b = {0};
  nu_json json = {0};
  numann_status status = prepare(&b, args, err);
  if (status == NUMANN_OK) status = measure(&b, err);
  if (status == NUMANN_OK) {
    result r = evaluate(&b);
    if (nu_given(args, NU_OPTION_JSON)) write_json(&b, &r, &json);
    else write_text(&b, &r, &json.text);
    status = nu_print_text(&json.text, err);
  }
  numann_trainer_destroy(b.trainer);
  free(b.order);
  nu_bench_clear(&b.setup);
  return status;
}
