/* numann bench step: the trainer's own epoch loop on generated data, with slices of the arithmetic peak
 * between slices of training. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/random.h"
#include "cli/bench.h"
#include "cli/json.h"
#include "config/config.h"
#include "data/data.h"
#include "machine/machine.h"
#include "network/network.h"
#include "numann.h"
#include "plan/plan.h"

/* Slices of training; a network whose steps are long ends with fewer, once three times --seconds have passed. */
enum { SLICES = 15, FEWEST_SLICES = 5 };
#define LOOK_SECONDS 1e-3 /* between two looks at the clock, about */
#define PEAK_SECONDS 0.03
#define PEAK_SPREAD 0.05 /* more makes a run invalid: the machine was not quiet */

typedef struct bench {
  nu_bench_row row;
  size_t sizes[NU_BENCH_LAYERS + 1]; /* neurons of layer l, the inputs first */
  size_t n_layers;
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
  numann_trainer *trainer;
  size_t rows;          /* of the generated data */
  double slice_seconds;
  uint64_t stride;      /* steps between two looks at the clock */
  size_t slices;        /* measured */
  double started, ended; /* of the running slice: at its first and last looked-at step */
  uint64_t first_step, last_step;
  double rates[SLICES], peaks[SLICES]; /* [slices]: samples/s; flops/s */
  const char *isa;
} bench;

/* ---- the data */

static void fill_uniform(float *out, size_t n, uint32_t what) {
  nu_stream stream = {.seed = 1, .purpose = NU_PURPOSE_GENERATE, .counter = what};
  for (size_t i = 0; i < n; i++) out[i] = (float)nu_random_uniform(stream, i);
}

static numann_status make_data(bench *b, numann_error *err) {
  size_t features = b->sizes[0], outputs = b->sizes[b->n_layers];
  bool classes = strcmp(b->row.loss, "squared_error") != 0;
  size_t n_classes = outputs > 1 ? outputs : 2, n_targets = classes ? 0 : b->rows * outputs;
  float *inputs = nu_alloc(b->rows * features, sizeof *inputs);
  float *targets = nu_alloc(n_targets, sizeof *targets);
  int32_t *labels = nu_alloc(b->rows, sizeof *labels);
  numann_status status = NUMANN_OK;
  if (inputs && targets && labels) {
    fill_uniform(inputs, b->rows * features, 1);
    fill_uniform(targets, n_targets, 2);
    nu_stream stream = {.seed = 1, .purpose = NU_PURPOSE_GENERATE, .counter = 3};
    for (size_t i = 0; i < b->rows; i++) {
      labels[i] = (int32_t)(nu_random_bits(stream, i) % (uint32_t)n_classes);
    }
    status = numann_data_create(&b->data, b->rows, features, inputs, classes ? n_classes : outputs,
                                classes ? NULL : targets, classes ? labels : NULL, err);
  } else {
    status = nu_fail_memory(err, sizeof(float) * (b->rows * features + n_targets), "the data");
  }
  free(inputs);
  free(targets);
  free(labels);
  return status;
}

static numann_status prepare(bench *b, const nu_arguments *args, numann_error *err) {
  NU_TRY(nu_bench_choose_row(&b->row, args, err));
  NU_TRY(nu_bench_seconds(&b->slice_seconds, args, err));
  b->slice_seconds /= SLICES;
  NU_TRY(nu_bench_sizes(b->sizes, &b->n_layers, &b->row, err));
  NU_TRY(nu_bench_config(&b->config, &b->row, b->sizes, b->n_layers, args, err));
  NU_TRY(nu_bench_data_rows(&b->rows, b->config, &b->row, b->sizes, b->n_layers, err));
  NU_TRY(make_data(b, err));
  NU_TRY(numann_network_create(&b->network, b->config, b->data, err));
  NU_TRY(numann_plan_create(&b->plan, b->config, b->network, b->data, err));
  return numann_trainer_create(&b->trainer, b->config, b->network, b->plan, b->data, err);
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
  return now - b->started >= b->slice_seconds ? NUMANN_STOP : NUMANN_CONTINUE;
}

static numann_status run_slice(bench *b, double *rate, numann_error *err) {
  numann_observer observer = {.arg = b, .on_step = on_step};
  b->started = 0.0;
  numann_status status = numann_trainer_run(b->trainer, &observer, err);
  if (status != NUMANN_STOPPED) return status ? status : nu_fail(err, NUMANN_ERR_INTERNAL, "bench ended");
  *rate = (double)(b->last_step - b->first_step) * (double)b->plan->batch / (b->ended - b->started);
  return NUMANN_OK;
}

static numann_status measure(bench *b, numann_error *err) {
  nu_bench_peak peak = {.pairs = b->plan->precision == NU_BF16};
  double warm_up;
  b->stride = 1 + (uint64_t)(LOOK_SECONDS / b->plan->seconds);
  NU_TRY(run_slice(b, &warm_up, err));
  double end = nu_clock_seconds() + 3.0 * SLICES * b->slice_seconds;
  for (size_t i = 0; i < SLICES && (i < FEWEST_SLICES || nu_clock_seconds() < end); i++) {
    b->slices = i + 1;
    NU_TRY(nu_bench_measure_peak(&peak, b->plan->threads, PEAK_SECONDS, err));
    b->peaks[i] = peak.flops;
    NU_TRY(run_slice(b, &b->rates[i], err));
  }
  return NUMANN_OK;
}

/* ---- the result */

/* Flops of a step for one row: 2 (3 sum K N - K1 N1); padding and biases do not count. */
static double flops_a_row(const bench *b) {
  double sum = 0.0;
  for (size_t l = 0; l < b->n_layers; l++) {
    sum += (l ? 6.0 : 4.0) * (double)b->sizes[l] * (double)b->sizes[l + 1];
  }
  return sum;
}

typedef struct result {
  double rate, gflops, peak, fraction, spread; /* peak in GFLOP/s; spread as a share of it */
  bool valid;
} result;

static result evaluate(bench *b) {
  double median = nu_bench_median(b->rates, b->slices);
  nu_bench_median(b->peaks, b->slices); /* sorts */
  double peak = b->peaks[b->slices - 1];
  result r = {.rate = median, .gflops = median * flops_a_row(b) / 1e9, .peak = peak / 1e9,
              .spread = 1.0 - b->peaks[0] / peak};
  r.fraction = r.gflops / r.peak;
  r.valid = r.fraction <= 1.0 && r.spread <= PEAK_SPREAD;
  return r;
}

static void write_json(const bench *b, const result *r, nu_json *json) {
  nu_json_open(json, NULL, '{');
  nu_json_string(json, "row", b->row.name);
  nu_json_string(json, "layers", b->row.layers);
  nu_json_string(json, "activation", b->row.activation);
  nu_json_string(json, "loss", b->row.loss);
  nu_json_string(json, "optimizer", b->row.optimizer);
  nu_json_count(json, "batch", b->plan->batch);
  nu_json_count(json, "threads", numann_plan_threads(b->plan));
  nu_json_count(json, "threads_limit", b->plan->threads_limit);
  nu_json_string(json, "strategy", numann_plan_strategy(b->plan));
  nu_json_count(json, "groups", b->plan->groups);
  nu_json_string(json, "isa", nu_kernels_select()->isa);
  nu_json_string(json, "precision", nu_config_string(b->config, "train.precision"));
  nu_json_real(json, "samples_per_s", r->rate);
  nu_json_real(json, "samples_per_s_least", b->rates[0]);
  nu_json_real(json, "samples_per_s_most", b->rates[b->slices - 1]);
  nu_json_real(json, "gflops", r->gflops);
  nu_json_real(json, "peak_gflops", r->peak);
  nu_json_real(json, "fraction_of_peak", r->fraction);
  nu_json_real(json, "peak_spread", r->spread);
  nu_json_flag(json, "valid", r->valid);
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

static void write_text(const bench *b, const result *r, nu_text *out) {
  nu_text_addf(out, "%s: %s, %s, %s, %s, batch %zu, %s\n", b->row.name, b->row.layers, b->row.activation,
               b->row.loss, b->row.optimizer, b->plan->batch, nu_config_string(b->config, "train.precision"));
  nu_text_addf(out, "%zu thread%s, %s, %s; %zu generated rows\n", b->plan->threads,
               b->plan->threads == 1 ? "" : "s", numann_plan_strategy(b->plan),
               nu_kernels_select()->isa, b->rows);
  nu_text_addf(out, "%12.0f samples/s  (%.0f to %.0f in %zu slices)\n", r->rate, b->rates[0],
               b->rates[b->slices - 1], b->slices);
  nu_text_addf(out, "%12.1f GFLOP/s    of %.1f peak: fraction %.3f\n", r->gflops, r->peak, r->fraction);
  if (r->valid) return;
  nu_text_addf(out, "not valid: %s\n",
               r->fraction > 1.0 ? "faster than the measured peak, so the peak was disturbed"
                                 : "the peak moved by more than 5 %, so the machine was not quiet");
}

static void clear(bench *b) {
  numann_trainer_destroy(b->trainer);
  numann_plan_destroy(b->plan);
  numann_network_destroy(b->network);
  numann_data_destroy(b->data);
  numann_config_destroy(b->config);
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
  clear(&b);
  return status;
}
