/* Between the files of `numann bench phases`: bench_phases.c runs and times the step, bench_alone.c
 * its parts alone, bench_account.c says where the time went. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_BENCH_PHASES_H
#define NU_CLI_BENCH_PHASES_H

#include "cli/bench.h"
#include "trainer/gradient.h"
#include "trainer/optimizer.h"
#include "trainer/step.h"

/* Phases of a step: those that occur once, then three of each layer. */
enum { NU_GATHER, NU_OUTPUT, NU_UPDATE, NU_JOIN, NU_WAIT, NU_LOOP, NU_FORWARD };
enum { NU_PHASES = NU_FORWARD + 3 * NU_BENCH_LAYERS };
/* Of layer l: forward, delta (all but the last), gradient, with the update where it is fused. */
#define NU_FORWARD_OF(l) (NU_FORWARD + 3 * (l))
#define NU_DELTA_OF(l) (NU_FORWARD + 3 * (l) + 1)
#define NU_GRADIENT_OF(l) (NU_FORWARD + 3 * (l) + 2)

/* Seconds of a step by phase, mean over the threads; their sum is the step. */
typedef struct nu_phase_times {
  double step;
  double phase[NU_PHASES];
  double barriers; /* in a step */
} nu_phase_times;

/* Seconds that the step's functions take alone, on hot data, mean over the threads. */
typedef struct nu_alone {
  double activation, derivative, output, optimizer, gather;
  double barrier; /* one */
} nu_alone;

typedef struct nu_phase_bench {
  nu_bench_setup setup;
  nu_engine engine;
  nu_optimizer optimizer;
  bool fused;
  uint32_t *order;         /* [rows] of the data, shuffled; owned */
  uint64_t done, steps;    /* so far; of the next slice */
  nu_phase_times *threads; /* [threads]: sums over the running slice; owned */
  double clock;            /* seconds that a look at the clock takes */
  double peak, spread;     /* best peak slice, flops/s of all threads; spread as a share of it */
  nu_phase_times times;    /* of the median slice */
  nu_alone alone;
} nu_phase_bench;

/* The batch of a step, rows taken from the shuffled data in turn. */
static inline nu_batch nu_phase_batch(const nu_phase_bench *b, uint64_t step) {
  size_t batch = b->engine.plan->problem.batch, batches = b->setup.rows / batch;
  return (nu_batch){
      .data = &b->setup.data->train, .order = b->order, .first = (size_t)(step % batches) * batch};
}

numann_status nu_measure_alone(nu_phase_bench *b, numann_error *err);

/* The result. */
void nu_account_json(const nu_phase_bench *b, nu_json *json);
void nu_account_text(const nu_phase_bench *b, nu_text *out);

#endif
