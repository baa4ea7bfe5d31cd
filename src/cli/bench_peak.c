/* What the machine can do at best: arithmetic in registers, and memory.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/clock.h"
#include "base/least.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "machine/machine.h"
#include "machine/team.h"

/* Rounds between two looks at the clock: some 20 microseconds. */
#define ROUNDS 4000

/* Measured by all threads at once; each reports its own rate. */
typedef struct job {
  const nu_kernels *kernels;
  bool pairs; /* of bf16 */
  double seconds;
  double *rates;       /* [threads], owned by the caller */
  float *left, *right; /* [threads][n] each, for the bandwidth */
  size_t n;
} job;

static void run_peak(nu_team *team, size_t thread, void *arg) {
  job *j = arg;
  float result;
  double flops = 0.0, passed;
  nu_team_barrier(team);
  double start = nu_clock_seconds();
  do {
    flops += j->kernels->peak(j->pairs, ROUNDS, &result);
    passed = nu_clock_seconds() - start;
  } while (passed < j->seconds);
  j->rates[thread] = flops / passed;
}

static void run_bandwidth(nu_team *team, size_t thread, void *arg) {
  job *j = arg;
  float *left = j->left + thread * j->n, *right = j->right + thread * j->n;
  for (size_t i = 0; i < j->n; i++) left[i] = right[i] = 1.0f; /* first touch by its own thread */
  double bytes = 0.0, passed;
  nu_team_barrier(team);
  double start = nu_clock_seconds();
  do {
    j->kernels->add(j->n, left, right);
    bytes += 3.0 * sizeof(float) * (double)j->n;
    passed = nu_clock_seconds() - start;
  } while (passed < j->seconds);
  j->rates[thread] = bytes / passed;
}

static numann_status run(double *sum, job *j, size_t threads, nu_team_fn *fn, numann_error *err) {
  j->rates = nu_alloc(threads, sizeof *j->rates);
  if (!j->rates) return nu_fail_memory(err, threads * sizeof *j->rates, "the rates");
  numann_status status = nu_team_run(threads, fn, j, err);
  *sum = 0.0;
  for (size_t t = 0; t < threads; t++) *sum += j->rates[t];
  free(j->rates);
  return status;
}

/* The fastest set is found once, by a short look at each. */
static const nu_kernels *fastest(bool pairs, size_t threads, numann_error *err) {
  const nu_kernels *best = NULL;
  double most = 0.0;
  for (size_t i = 0; i < NU_ISAS; i++) {
    job j = {.kernels = nu_kernels_named(nu_isa_names[i]), .pairs = pairs, .seconds = 0.01};
    double flops;
    if (!j.kernels || run(&flops, &j, threads, run_peak, err) != NUMANN_OK) continue;
    if (flops > most) best = j.kernels;
    if (flops > most) most = flops;
  }
  return best;
}

numann_status nu_bench_measure_peak(nu_bench_peak *peak, size_t threads, double seconds,
                                    numann_error *err) {
  job j = {.kernels = peak->isa ? nu_kernels_named(peak->isa) : fastest(peak->pairs, threads, err),
           .pairs = peak->pairs,
           .seconds = seconds};
  if (!j.kernels) return NUMANN_ERR_MEMORY; /* the team could not run: err says so */
  peak->isa = j.kernels->isa;
  return run(&peak->flops, &j, threads, run_peak, err);
}

numann_status nu_bench_measure_bandwidth(double *bandwidth, size_t threads, double seconds,
                                         numann_error *err) {
  nu_machine machine;
  NU_TRY(nu_machine_detect(&machine, err));
  size_t least = 4u << 20, caches = 4 * machine.l3_bytes / sizeof(float) / threads;
  nu_machine_clear(&machine);
  job j = {.kernels = nu_kernels_select(), .seconds = seconds, .n = nu_larger(caches, least)};
  if (!j.kernels) j.kernels = nu_kernels_named("base");
  j.n = nu_round_up(j.n, NU_PANEL);
  j.left = nu_alloc(threads * j.n, sizeof *j.left);
  j.right = nu_alloc(threads * j.n, sizeof *j.right);
  numann_status status = j.left && j.right
                             ? run(bandwidth, &j, threads, run_bandwidth, err)
                             : nu_fail_memory(err, 2 * threads * j.n * sizeof(float), "the arrays");
  free(j.left);
  free(j.right);
  return status;
}
