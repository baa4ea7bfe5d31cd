/* What the functions of a step take alone: with the padded arithmetic they set the ceiling.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/clock.h"
#include "base/least.h"
#include "base/memory.h"
#include "cli/bench_phases.h"

/* Rows and columns of a block, parameters of a region: what the engine hands its kernels at a time,
 * in the nearest cache. */
enum { ROWS = 48, COLUMNS = 64, BLOCK = ROWS * COLUMNS, REGION = 48 * NU_PANEL };
enum { REPEATS = 9, BARRIERS = 200, BLOCKS = 2 + NU_MOST_ARRAYS };
#define REPEAT_SECONDS 50e-6

/* One thread's measurement. */
typedef struct probe {
  const nu_phase_bench *bench;
  size_t thread;
  float *a, *b, *c, *d, *e; /* [BLOCK] each, filled with small numbers */
  const nu_engine_layer *layer;
  size_t rows, n; /* of the call: rows of n columns, or n parameters */
  nu_chunk chunk;
  nu_update update;
} probe;

typedef void call(const probe *p);

static void call_activate(const probe *p) {
  p->bench->engine.kernels->activate(p->layer->activation, p->rows, p->n, p->a, p->a, p->n);
}

static void call_derive(const probe *p) {
  p->bench->engine.kernels->derive(p->layer->activation, p->rows, p->n, p->a, p->b, p->n);
}

static void call_update(const probe *p) {
  p->bench->engine.kernels->update(&p->update, p->n, p->a, p->b, (float *[]){p->c, p->d, p->e});
}

/* On the engine's own rows, as the last step left them. */
static void call_output(const probe *p) {
  nu_output_rows(&p->bench->engine, p->thread, &p->chunk, true);
}

/* Median seconds of a call, each measurement of as many as take some time. */
static double seconds_of(call *fn, const probe *p) {
  double found[REPEATS], passed = 0.0;
  for (size_t calls = 1, i = 0; i < REPEATS;) {
    double start = nu_clock_seconds();
    for (size_t c = 0; c < calls; c++) fn(p);
    passed = nu_clock_seconds() - start;
    if (passed < REPEAT_SECONDS) calls *= 2;
    else found[i++] = passed / (double)calls;
  }
  return nu_median(found, REPEATS);
}

/* Hidden layers: seconds per element, times the elements of a thread. */
static void probe_functions(probe *p, nu_alone *out) {
  const nu_engine *engine = &p->bench->engine;
  double threads = (double)engine->plan->threads, batch = (double)engine->plan->problem.batch;
  p->rows = nu_smaller(ROWS, engine->plan->problem.batch);
  for (size_t l = 0; l + 1 < engine->n_layers; l++) {
    p->layer = &engine->layers[l];
    p->n = nu_smaller(COLUMNS, nu_padded(p->layer->neurons));
    double share =
        batch * (double)nu_padded(p->layer->neurons) / threads / (double)(p->rows * p->n);
    out->activation += share * seconds_of(call_activate, p);
    out->derivative += share * seconds_of(call_derive, p);
  }
}

static void probe_optimizer(probe *p, nu_alone *out) {
  const nu_engine *engine = &p->bench->engine;
  p->update = nu_optimizer_step(&p->bench->optimizer, 0, engine->plan->problem.batch, 0.0);
  double threads = (double)engine->plan->threads;
  for (size_t l = 0; l < engine->n_layers; l++) {
    size_t size = nu_padded(engine->layers[l].neurons) * engine->layers[l].rows;
    if (!size) continue; /* without parameters */
    p->n = nu_smaller(REGION, size);
    out->optimizer += (double)size / (double)p->n / threads * seconds_of(call_update, p);
  }
}

/* The same rows again and again: what waiting for memory costs is told apart. */
static void call_gather(const probe *p) {
  nu_batch batch = nu_phase_batch(p->bench, 0);
  nu_gather_rows(&p->bench->engine, p->thread, &batch, &p->chunk);
}

/* What a thread does by rows, chunk by chunk. */
static void probe_rows(probe *p, call *fn, double *out) {
  const nu_plan *plan = p->bench->engine.plan;
  for (size_t c = 0; c < nu_plan_chunks(plan, plan->problem.batch); c++) {
    p->chunk = nu_plan_chunk(plan, plan->problem.batch, p->thread, c);
    *out += seconds_of(fn, p);
  }
}

static void probe_barrier(nu_team *team, nu_alone *out) {
  double found[REPEATS];
  for (size_t i = 0; i < REPEATS; i++) {
    nu_team_barrier(team);
    double start = nu_clock_seconds();
    for (size_t n = 0; n < BARRIERS; n++) nu_team_barrier(team);
    found[i] = (nu_clock_seconds() - start) / BARRIERS;
  }
  out->barrier = nu_median(found, REPEATS);
}

/* ---- all threads at once, as in a step */

typedef struct job {
  const nu_phase_bench *bench;
  float *blocks; /* [threads][BLOCKS][BLOCK] */
  nu_alone *out; /* [threads] */
} job;

static void run(nu_team *team, size_t thread, void *arg) {
  const job *j = arg;
  float *at = j->blocks + thread * BLOCKS * BLOCK;
  probe p = {.bench = j->bench,
             .thread = thread,
             .a = at,
             .b = at + BLOCK,
             .c = at + 2 * BLOCK,
             .d = at + 3 * BLOCK,
             .e = at + 4 * BLOCK};
  nu_alone alone = {0};
  for (size_t i = 0; i < BLOCKS * BLOCK; i++) at[i] = 1e-3f * (float)(i % 7);
  nu_team_barrier(team);
  probe_functions(&p, &alone);
  probe_optimizer(&p, &alone);
  probe_rows(&p, call_output, &alone.output);
  nu_team_barrier(team); /* all have what the last step left */
  probe_rows(&p, call_gather, &alone.gather);
  probe_barrier(team, &alone);
  j->out[thread] = alone;
}

static nu_alone mean(const nu_alone *all, size_t n) {
  nu_alone sum = {0};
  for (size_t i = 0; i < n; i++) {
    sum.activation += all[i].activation / (double)n;
    sum.derivative += all[i].derivative / (double)n;
    sum.output += all[i].output / (double)n;
    sum.optimizer += all[i].optimizer / (double)n;
    sum.gather += all[i].gather / (double)n;
    sum.barrier += all[i].barrier / (double)n;
  }
  return sum;
}

numann_status nu_measure_alone(nu_phase_bench *b, numann_error *err) {
  size_t threads = b->engine.plan->threads, floats = threads * BLOCKS * BLOCK;
  job j = {b, nu_alloc(floats, sizeof *j.blocks), nu_alloc(threads, sizeof *j.out)};
  numann_status status = j.blocks && j.out
                             ? nu_team_run(threads, run, &j, err)
                             : nu_fail_memory(err, floats * sizeof(float), "the blocks");
  if (status == NUMANN_OK) b->alone = mean(j.out, threads);
  free(j.blocks);
  free(j.out);
  return status;
}
