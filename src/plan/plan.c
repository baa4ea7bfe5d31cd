/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/config.h"
#include "data/data.h"
#include "kernels/kernels.h"

static const char *const strategy_names[] = {
    [NU_NEURONS] = "neurons", [NU_SAMPLES] = "samples", [NU_STRATEGIES] = "auto"};

const char *nu_strategy_name(nu_strategy strategy) { return strategy_names[strategy]; }

nu_range nu_share(size_t n, size_t parts, size_t part) {
  size_t size = n / parts, longer = n % parts;
  size_t begin = part * size + (part < longer ? part : longer);
  return (nu_range){begin, begin + size + (part < longer)};
}

/* ---- shares */

size_t nu_plan_grains(const numann_plan *plan, size_t rows) {
  return (rows + plan->grain - 1) / plan->grain;
}

nu_range nu_plan_grain_rows(const numann_plan *plan, size_t rows, nu_range grains) {
  size_t begin = grains.begin * plan->grain, end = grains.end * plan->grain;
  return (nu_range){begin < rows ? begin : rows, end < rows ? end : rows};
}

nu_range nu_plan_my_grains(const numann_plan *plan, size_t rows, size_t thread) {
  size_t grains = nu_plan_grains(plan, rows);
  return plan->strategy == NU_SAMPLES ? nu_share(grains, plan->threads, thread)
                                      : (nu_range){0, grains};
}

nu_range nu_plan_my_rows(const numann_plan *plan, size_t rows, size_t thread) {
  return nu_plan_grain_rows(plan, rows, nu_plan_my_grains(plan, rows, thread));
}

nu_range nu_plan_my_panels(const numann_plan *plan, size_t panels, size_t thread) {
  return plan->strategy == NU_NEURONS ? nu_share(panels, plan->threads, thread)
                                      : (nu_range){0, panels};
}

nu_range nu_plan_my_own_rows(const numann_plan *plan, size_t rows, size_t thread) {
  return plan->strategy == NU_NEURONS ? nu_share(rows, plan->threads, thread)
                                      : nu_plan_my_rows(plan, rows, thread);
}

bool nu_plan_shares_rows(const numann_plan *plan) {
  return plan->strategy == NU_NEURONS && plan->threads > 1;
}

/* ---- the choice */

/* Rough costs, in seconds; they decide who computes what, never a number. Measured on one Zen 2 core
 * with the kernels of this release: 100 GFLOP/s in the chains, about half of it in whole steps. */
static const double FLOP_S = 2e-11;    /* one flop of a step on one thread */
static const double BARRIER_S = 2e-6;  /* a barrier, for each thread that takes part */
static const double ADD_S = 1e-9;      /* one float of a root added in the tree */

static double layer_flops(const nu_layer *layer, size_t batch) {
  return 6.0 * (double)batch * (double)(layer->inputs + 1) * (double)(nu_panels(layer->neurons) * NU_PANEL);
}

/* The longest share of n parts among `threads`, as a fraction of all. */
static double longest_share(size_t n, size_t threads) {
  return (double)((n + threads - 1) / threads) / (double)n;
}

static double cost_neurons(const numann_network *network, size_t batch, size_t threads) {
  double seconds = 0.0;
  for (size_t l = 0; l < network->n_layers; l++) {
    const nu_layer *layer = &network->layers[l];
    seconds += layer_flops(layer, batch) * FLOP_S * longest_share(nu_panels(layer->neurons), threads);
    if (threads > 1) seconds += 2.0 * BARRIER_S * (double)threads;
  }
  return seconds + (threads > 1 ? 4.0 * BARRIER_S * (double)threads : 0.0);
}

static double cost_samples(const numann_network *network, size_t batch, size_t grain,
                           size_t threads) {
  size_t grains = (batch + grain - 1) / grain;
  double flops = 0.0;
  for (size_t l = 0; l < network->n_layers; l++) flops += layer_flops(&network->layers[l], batch);
  double seconds = flops * FLOP_S * longest_share(grains, threads);
  if (threads > 1) {
    seconds += 4.0 * BARRIER_S * (double)threads + ADD_S * (double)network->n_parameters;
  }
  return seconds;
}

typedef struct choice {
  size_t threads;
  nu_strategy strategy;
  double seconds;
} choice;

static void consider(choice *best, size_t threads, nu_strategy strategy, double seconds) {
  if (seconds < best->seconds) *best = (choice){threads, strategy, seconds};
}

/* The cheapest of what the request leaves open; of equals the fewest threads. */
static choice choose(const nu_plan_request *request, const numann_network *network,
                     const nu_machine *machine, size_t grain) {
  size_t first = request->threads ? request->threads : 1;
  size_t last = request->threads ? request->threads : machine->threads_limit;
  choice best = {first, request->strategy == NU_STRATEGIES ? NU_NEURONS : request->strategy, 1e300};
  for (size_t t = first; t <= last; t++) {
    if (request->strategy != NU_SAMPLES) {
      consider(&best, t, NU_NEURONS, cost_neurons(network, request->batch, t));
    }
    if (request->strategy != NU_NEURONS) {
      consider(&best, t, NU_SAMPLES, cost_samples(network, request->batch, grain, t));
    }
  }
  return best;
}

/* The grain is part of the numbers: a function of the batch alone. */
static size_t default_grain(size_t batch) { return batch <= 1024 ? 32 : 64; }

static void explain(numann_plan *plan, const nu_plan_request *request, const nu_machine *machine,
                    double seconds) {
  if (request->threads) {
    snprintf(plan->why, sizeof plan->why, "%zu threads as ordered, %s", plan->threads,
             request->strategy == NU_STRATEGIES ? "strategy by cost" : "strategy as ordered");
  } else {
    snprintf(plan->why, sizeof plan->why, "cheapest of 1 to %zu threads (%s): about %.0f us a step",
             machine->threads_limit, machine->limited_by, seconds * 1e6);
  }
  if (plan->threads > machine->cores) {
    snprintf(plan->note, sizeof plan->note,
             "%zu threads on %zu cores: more threads than cores, so they take turns; the weights are "
             "the same, `--threads %zu` is faster",
             plan->threads, machine->cores, machine->threads_limit);
  }
}

numann_plan nu_plan_make(const nu_plan_request *request, const numann_network *network,
                         const nu_machine *machine) {
  size_t grain = request->grain ? request->grain : default_grain(request->batch);
  choice best = choose(request, network, machine, grain);
  numann_plan plan = {.threads = best.threads,
                      .threads_limit = machine->threads_limit,
                      .strategy = best.strategy,
                      .batch = request->batch,
                      .grain = grain};
  explain(&plan, request, machine, best.seconds);
  return plan;
}

/* train.batch: a number, or `full` for all training rows (getter 0); never more than there are. */
static size_t batch_rows(const numann_config *config, size_t rows) {
  size_t batch = nu_config_count(config, "train.batch");
  return batch == 0 || batch > rows ? rows : batch;
}

numann_status numann_plan_create(numann_plan **out, const numann_config *config,
                                 const numann_network *network, const numann_data *data,
                                 numann_error *err) {
  *out = NULL;
  size_t strategy;
  nu_machine machine;
  NU_TRY(nu_config_choice(config, "parallel.strategy", strategy_names, NU_STRATEGIES + 1, &strategy, err));
  NU_TRY(nu_machine_detect(&machine, err));
  nu_plan_request request = {.threads = nu_config_count(config, "parallel.threads"),
                             .strategy = (nu_strategy)strategy,
                             .batch = batch_rows(config, data->train.rows),
                             .grain = nu_config_count(config, "train.grain")};
  numann_plan *plan = nu_alloc(1, sizeof *plan);
  if (!plan) return nu_fail_memory(err, sizeof *plan, "the plan");
  *plan = nu_plan_make(&request, network, &machine);
  *out = plan;
  return NUMANN_OK;
}

size_t numann_plan_threads(const numann_plan *plan) { return plan->threads; }
const char *numann_plan_strategy(const numann_plan *plan) { return nu_strategy_name(plan->strategy); }
void numann_plan_destroy(numann_plan *plan) { free(plan); }
