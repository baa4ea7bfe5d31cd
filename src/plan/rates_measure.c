/* Measuring the rates of this machine: short slices on the team that trains.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/least.h"
#include "base/memory.h"
#include "machine/team.h"
#include "plan/rates.h"

/* All slices together take about a fortieth of a second on a quiet machine. The memory is not
 * measured: what that takes, a small training would not, and it seldom decides. */
enum {
  PEAK_SLICES = 24, /* the best counts: a slice that was interrupted says nothing */
  PEAK_ROUNDS = 2000,
  PASSES = 8, /* over a buffer, and of an activation */
  TEAMS =
      4, /* one after the other: where barriers were once disturbed they stay slow for a while */
  BARRIERS = 20,    /* of a slice */
  SWAPS = 8,        /* of a slice, */
  SWAP_SLICES = 20, /* of a team; their median counts: two threads that share a core for a moment
                       exchange faster than two cores ever do */
  ROWS = 96,
  SWAP_FLOATS =
      24 * 1024 /* 96 KiB: a layer's activations of some batch, in the second-level cache */
};
#define SHARING_SECONDS 0.1 /* enough where others use the machine as well */
#define DISTURBED 3.0       /* times as long as it should take */
#define USUAL_L2 (1u << 20)
#define MOST_BYTES (16u << 20) /* so that a small training does not grow by its calibration */

typedef struct measurement {
  const nu_kernels *kernels;
  size_t threads;
  double *flops, *pairs; /* [threads], of each one's best slice; one block, owned by `flops` */
  float *swapped;        /* [threads][SWAP_FLOATS] that others read; owned */
  float *kept;           /* [threads][SWAP_FLOATS] of each thread alone; in the same block */
  double end;            /* no slice begins after it: */
  bool late;
  double barrier; /* seconds of the best slice */
  size_t slices;  /* of swaps; */
  double own[TEAMS * SWAP_SLICES],
      others[TEAMS * SWAP_SLICES]; /* seconds, with which thread's share */
} measurement;

/* ---- alone: activations and reads */

static double activation_seconds(const nu_kernels *kernels, nu_activation f, float *a) {
  double best = 1.0;
  for (size_t i = 0; i < PASSES; i++) {
    for (size_t j = 0; j < ROWS * NU_PANEL; j++) a[j] = 0.01f * (float)(j % 400) - 2.0f;
    double start = nu_clock_seconds();
    kernels->activate(f, ROWS, NU_PANEL, a, a, NU_PANEL);
    best = nu_smaller_real(best, nu_clock_seconds() - start);
  }
  return best / (ROWS * NU_PANEL);
}

/* Bytes a second that sums over arrays of together `bytes` bytes read and write. */
static double streaming_rate(const nu_kernels *kernels, float *buffer, size_t bytes,
                             size_t passes) {
  size_t n = bytes / (2 * sizeof *buffer) / NU_PANEL * NU_PANEL;
  double best = 1e9;
  for (size_t i = 0; i < passes; i++) {
    double start = nu_clock_seconds();
    kernels->add(n, buffer, buffer + n);
    best = nu_smaller_real(best, nu_clock_seconds() - start);
  }
  return 3.0 * sizeof *buffer * (double)n / best;
}

typedef struct lonely {
  const nu_kernels *kernels;
  nu_rates *rates;
  float *buffer; /* [l3] */
  size_t l2, l3; /* bytes that the second and only the third level hold */
} lonely;

static void measure_alone(nu_team *team, size_t thread, void *arg) {
  (void)team;
  (void)thread;
  lonely *m = arg;
  m->rates->l3_bytes = streaming_rate(m->kernels, m->buffer, m->l3, PASSES / 2);
  m->rates->l2_bytes = streaming_rate(m->kernels, m->buffer, m->l2, PASSES);
  m->rates->activation = 0.5 * (activation_seconds(m->kernels, NU_SIGMOID, m->buffer) +
                                activation_seconds(m->kernels, NU_TANH, m->buffer));
}

/* ---- together: arithmetic, barriers, and what another thread has just written */

static double best_peak(const nu_kernels *kernels, bool pairs) {
  float result;
  double best = 0.0;
  for (size_t i = 0; i < PEAK_SLICES; i++) {
    double start = nu_clock_seconds();
    double flops = kernels->peak(pairs, PEAK_ROUNDS, &result);
    best = nu_larger_real(best, flops / (nu_clock_seconds() - start));
  }
  return best;
}

static double barrier_seconds(nu_team *team) {
  nu_team_barrier(team);
  double start = nu_clock_seconds();
  for (size_t b = 0; b < BARRIERS; b++) nu_team_barrier(team);
  return (nu_clock_seconds() - start) / BARRIERS;
}

/* As in a layer: all write their share, meet, and read a share, their own or the next thread's. */
static void swap(nu_team *team, size_t thread, const measurement *m, size_t distance) {
  float *mine = m->swapped + thread * SWAP_FLOATS, *kept = m->kept + thread * SWAP_FLOATS;
  const float *read = m->swapped + (thread + distance) % m->threads * SWAP_FLOATS;
  m->kernels->add(SWAP_FLOATS, mine, kept);
  nu_team_barrier(team);
  m->kernels->add(SWAP_FLOATS, kept, read);
  nu_team_barrier(team);
}

static double swap_seconds(nu_team *team, size_t thread, const measurement *m, size_t distance) {
  swap(team, thread, m, distance); /* brings the lines where they will be */
  double start = nu_clock_seconds();
  for (size_t s = 0; s < SWAPS; s++) swap(team, thread, m, distance);
  return (nu_clock_seconds() - start) / SWAPS;
}

/* Thread 0 writes m->late between two barriers, the others read it between the next two. */
static void measure_sharing(nu_team *team, size_t thread, void *arg) {
  measurement *m = arg;
  bool late = false;
  for (size_t i = 0; i < SWAP_SLICES && !late; i++) {
    double barrier = barrier_seconds(team);
    double own = swap_seconds(team, thread, m, 0), others = swap_seconds(team, thread, m, 1);
    if (thread == 0) {
      m->barrier = nu_smaller_real(m->barrier, barrier);
      m->own[m->slices] = own;
      m->others[m->slices++] = others;
      m->late = nu_clock_seconds() > m->end;
    }
    nu_team_barrier(team);
    late = m->late;
  }
}

static void measure_peaks(nu_team *team, size_t thread, void *arg) {
  measurement *m = arg;
  (void)team;
  m->flops[thread] = best_peak(m->kernels, false);
  m->pairs[thread] = best_peak(m->kernels, true);
}

static numann_status measure_together(measurement *m, numann_error *err) {
  NU_TRY(nu_team_run(m->threads, measure_peaks, m, err));
  if (m->threads == 1) return NUMANN_OK;
  m->end = nu_clock_seconds() + SHARING_SECONDS;
  for (size_t i = 0; i < TEAMS && !m->late; i++)
    NU_TRY(nu_team_run(m->threads, measure_sharing, m, err));
  return NUMANN_OK;
}

/* ---- the whole */

/* The threads work at the pace of the slowest. The share of a barrier that grows with the threads
 * is taken from what `rates` held. */
static void take_together(nu_rates *rates, const measurement *m) {
  double flops = m->flops[0], pairs = m->pairs[0];
  for (size_t t = 1; t < m->threads; t++) {
    flops = nu_smaller_real(flops, m->flops[t]);
    pairs = nu_smaller_real(pairs, m->pairs[t]);
  }
  rates->flops = flops;
  rates->pairs = pairs / flops;
  if (m->threads == 1) return;
  double factor = m->barrier / (rates->barrier + rates->barrier_thread * (double)m->threads);
  rates->barrier *= factor;
  rates->barrier_thread *= factor;
}

/* Bytes a second: as good as no cost; cores that share their caches come here. */
#define MOST_SHARED 1e11

/* What a swap with another thread takes longer than one with oneself, which the second-level cache
 * and two barriers explain unless other programs had their part in it. */
static numann_status take_sharing(nu_rates *rates, measurement *m, numann_error *err) {
  double own = nu_median(m->own, m->slices), others = nu_median(m->others, m->slices);
  double bytes = SWAP_FLOATS * sizeof *m->swapped;
  double explained = 6.0 * bytes / rates->l2_bytes + 2.0 * m->barrier;
  if (own > DISTURBED * explained)
    return nu_fail(err, NUMANN_ERR_MEMORY, "other programs disturbed it too much");
  rates->shared_bytes = bytes / nu_larger_real(others - own, bytes / MOST_SHARED);
  return NUMANN_OK;
}

static numann_status run_together(nu_rates *rates, const nu_kernels *kernels, size_t threads,
                                  numann_error *err) {
  measurement m = {.kernels = kernels, .threads = threads, .barrier = 1.0};
  m.flops = nu_alloc(2 * threads, sizeof *m.flops);
  m.swapped = nu_alloc(2 * threads, SWAP_FLOATS * sizeof *m.swapped);
  numann_status status = NUMANN_ERR_MEMORY;
  if (m.flops && m.swapped) {
    m.pairs = m.flops + threads;
    m.kept = m.swapped + threads * SWAP_FLOATS;
    status = measure_together(&m, err);
    if (status == NUMANN_OK) take_together(rates, &m);
    if (status == NUMANN_OK && threads > 1) status = take_sharing(rates, &m, err);
  } else {
    nu_fail_memory(err, 2 * threads * SWAP_FLOATS * sizeof *m.swapped, "the calibration");
  }
  free(m.flops);
  free(m.swapped);
  return status;
}

static numann_status run_alone(nu_rates *rates, const nu_kernels *kernels,
                               const nu_machine *machine, numann_error *err) {
  size_t l2 = machine->l2_bytes ? machine->l2_bytes : USUAL_L2;
  size_t l3 = machine->l3_bytes / 4 > 2 * l2 ? machine->l3_bytes / 4 : 2 * l2;
  lonely m = {
      .kernels = kernels, .rates = rates, .l2 = l2 / 2, .l3 = l3 < MOST_BYTES ? l3 : MOST_BYTES};
  if (m.l2 > m.l3) m.l2 = m.l3;
  m.buffer = nu_alloc(1, m.l3);
  if (!m.buffer) return nu_fail_memory(err, m.l3, "the calibration");
  numann_status status = nu_team_run(1, measure_alone, &m, err);
  free(m.buffer);
  return status;
}

numann_status nu_rates_measure(nu_rates *rates, const nu_kernels *kernels,
                               const nu_machine *machine, numann_error *err) {
  NU_TRY(run_alone(rates, kernels, machine, err));
  return run_together(rates, kernels, machine->threads_limit, err);
}
