/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "data/data.h"
#include "kernels/kernels.h"

static const char *const strategy_names[] = {
    [NU_NEURONS] = "neurons", [NU_SAMPLES] = "samples", [NU_HYBRID] = "hybrid", [NU_STRATEGIES] = "auto"};

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

nu_range nu_plan_members(const numann_plan *plan, size_t group) {
  return nu_share(plan->threads, plan->groups, group);
}

/* The inverse of nu_plan_members: the first groups have one thread more. */
size_t nu_plan_group(const numann_plan *plan, size_t thread) {
  size_t size = plan->threads / plan->groups, longer = plan->threads % plan->groups;
  size_t in_longer = longer * (size + 1);
  return thread < in_longer ? thread / (size + 1) : longer + (thread - in_longer) / size;
}

/* Share of n items that a thread has among its group. */
static nu_range share_in_group(const numann_plan *plan, size_t n, size_t thread) {
  nu_range members = nu_plan_members(plan, nu_plan_group(plan, thread));
  return nu_share(n, members.end - members.begin, thread - members.begin);
}

nu_range nu_plan_group_grains(const numann_plan *plan, size_t rows, size_t group) {
  return nu_share(nu_plan_grains(plan, rows), plan->groups, group);
}

nu_range nu_plan_my_panels(const numann_plan *plan, size_t panels, size_t thread) {
  return share_in_group(plan, panels, thread);
}

bool nu_plan_is_thin(const numann_plan *plan, size_t panels) {
  return panels < nu_plan_members(plan, 0).end;
}

nu_range nu_plan_my_own(const numann_plan *plan, nu_range rows, size_t thread) {
  nu_range mine = share_in_group(plan, rows.end - rows.begin, thread);
  return (nu_range){rows.begin + mine.begin, rows.begin + mine.end};
}

bool nu_plan_shares_rows(const numann_plan *plan) { return plan->groups < plan->threads; }

/* ---- chunks */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Grains of the first group, which has the most. */
static size_t most_grains(const numann_plan *plan, size_t rows) {
  return nu_plan_group_grains(plan, rows, 0).end;
}

size_t nu_plan_chunks(const numann_plan *plan, size_t rows) {
  return (most_grains(plan, rows) + plan->chunk - 1) / plan->chunk;
}

static size_t held_by_group(const numann_plan *plan, size_t rows) {
  return least(least(most_grains(plan, rows), plan->chunk) * plan->grain, rows);
}

size_t nu_plan_held(const numann_plan *plan, size_t rows) {
  return least(plan->groups, nu_plan_grains(plan, rows)) * held_by_group(plan, rows);
}

nu_chunk nu_plan_chunk(const numann_plan *plan, size_t rows, size_t thread, size_t i) {
  size_t group = nu_plan_group(plan, thread);
  nu_range all = nu_plan_group_grains(plan, rows, group);
  size_t begin = least(all.begin + i * plan->chunk, all.end);
  nu_range grains = {begin, least(begin + plan->chunk, all.end)};
  nu_range of_batch = nu_plan_grain_rows(plan, rows, grains);
  size_t held = group * held_by_group(plan, plan->batch);
  return (nu_chunk){.batch = rows,
                    .grains = grains,
                    .rows = of_batch,
                    .held = {held, held + of_batch.end - of_batch.begin},
                    .last = i + 1 == nu_plan_chunks(plan, rows)};
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
    bool open = request->strategy == NU_STRATEGIES;
    if (open || request->strategy == NU_NEURONS) {
      consider(&best, t, NU_NEURONS, cost_neurons(network, request->batch, t));
    }
    if (open || request->strategy == NU_SAMPLES) {
      consider(&best, t, NU_SAMPLES, cost_samples(network, request->batch, grain, t));
    }
    if (request->strategy == NU_HYBRID) {
      consider(&best, t, NU_HYBRID, cost_samples(network, request->batch, grain, t));
    }
  }
  return best;
}

/* The grain is part of the numbers: a function of the batch alone. A chain of 32 rows spends a tenth of
 * its time starting, ending and joining, one of 64 a twentieth. */
static size_t default_grain(size_t batch) { return batch <= 1024 ? 64 : 128; }

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

static size_t groups_of(nu_strategy strategy, size_t threads, size_t groups) {
  if (strategy == NU_NEURONS) return 1;
  return strategy == NU_SAMPLES || groups > threads ? threads : groups;
}

/* For caches that hwloc does not know, and for one of 512 KiB or more. */
static const nu_blocks default_blocks = {.k = 512, .panels = 8, .rows = 96, .inputs = 48};

numann_plan nu_plan_of(size_t threads, nu_strategy strategy, size_t groups, size_t batch,
                       size_t grain) {
  return (numann_plan){.threads = threads,
                       .threads_limit = threads,
                       .strategy = strategy,
                       .groups = groups_of(strategy, threads, groups),
                       .batch = batch,
                       .last_batch = batch,
                       .grain = grain,
                       .chunk = (batch + grain - 1) / grain,
                       .blocks = default_blocks};
}

/* Bytes of a row's inputs, activations and deltas in all layers. */
static size_t row_bytes(const numann_network *network) {
  size_t floats = nu_stride(network->layers[0].inputs);
  for (size_t l = 0; l < network->n_layers; l++) floats += 2 * nu_stride(network->layers[l].neurons);
  return floats * sizeof(float);
}

/* Where the rows of a batch do not fit the second-level cache, chunks of them that do, if the gradient,
 * which every chunk adds to, is less to carry than the rows were. A chunk is 2^n grains: then the tree
 * closes at its end, and one sum is carried on. */
static size_t choose_chunk(const numann_plan *plan, const numann_network *network,
                           const nu_machine *machine) {
  size_t cache = machine->l2_bytes ? machine->l2_bytes : 512u << 10, all = most_grains(plan, plan->batch);
  size_t grain_bytes = row_bytes(network) * plan->grain, chunk = 1;
  while (2 * chunk * grain_bytes <= cache / 2) chunk *= 2;
  size_t carried = network->n_parameters * sizeof(float);
  bool pays = all * grain_bytes > cache && carried < chunk * grain_bytes / 2;
  return pays && chunk < all ? chunk : all;
}

numann_plan nu_plan_make(const nu_plan_request *request, const numann_network *network,
                         const nu_machine *machine) {
  size_t grain = request->grain ? request->grain : default_grain(request->batch);
  size_t groups = request->groups ? request->groups : machine->numa_nodes;
  choice best = choose(request, network, machine, grain);
  numann_plan plan = nu_plan_of(best.threads, best.strategy, groups, request->batch, grain);
  plan.threads_limit = machine->threads_limit;
  plan.last_batch = request->rows % request->batch ? request->rows % request->batch : request->batch;
  plan.chunk = request->chunk ? request->chunk : choose_chunk(&plan, network, machine);
  plan.fuse = request->fuse;
  plan.precision = request->precision;
  explain(&plan, request, machine, best.seconds);
  return plan;
}

/* train.batch: a number, or `full` for all training rows (getter 0); never more than there are. */
static size_t batch_rows(const numann_config *config, size_t rows) {
  size_t batch = nu_config_count(config, "train.batch");
  return batch == 0 || batch > rows ? rows : batch;
}

static nu_format precision_of(const numann_config *config) {
  return strcmp(nu_config_string(config, "train.precision"), "bf16") == 0 ? NU_BF16 : NU_FP32;
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
                             .rows = data->train.rows,
                             .batch = batch_rows(config, data->train.rows),
                             .grain = nu_config_count(config, "train.grain"),
                             .groups = nu_config_count(config, "parallel.groups"),
                             .chunk = nu_config_count(config, "parallel.chunk"),
                             .fuse = nu_config_flag(config, "parallel.fuse_update"),
                             .precision = precision_of(config)};
  numann_plan *plan = nu_alloc(1, sizeof *plan);
  if (!plan) return nu_fail_memory(err, sizeof *plan, "the plan");
  *plan = nu_plan_make(&request, network, &machine);
  *out = plan;
  return NUMANN_OK;
}

size_t numann_plan_threads(const numann_plan *plan) { return plan->threads; }
const char *numann_plan_strategy(const numann_plan *plan) { return nu_strategy_name(plan->strategy); }
void numann_plan_destroy(numann_plan *plan) { free(plan); }
