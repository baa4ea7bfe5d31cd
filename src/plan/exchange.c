/* SPDX-License-Identifier: MIT */
#include "plan/exchange.h"

#include <string.h>

#include "plan/ledger.h"

const char *nu_exchange_name(nu_exchange exchange) {
  static const char *const names[NU_EXCHANGES] = {[NU_EXCHANGE_LOSSES] = "losses",
                                                  [NU_EXCHANGE_ROOTS] = "roots",
                                                  [NU_EXCHANGE_RESULTS] = "results"};
  return names[exchange];
}

/* Each rank has a message of its own share: it, too, must be worth a latency. */
static size_t least_of_bundle(const nu_plan *plan) {
  return plan->bundle * ((nu_plan_ranks(plan) + NU_BUNDLE_RANKS - 1) / NU_BUNDLE_RANKS);
}

nu_range nu_plan_bundle(const nu_plan *plan, const numann_network *network, size_t end) {
  size_t least = least_of_bundle(plan), begin = end, floats = 0, below = 0;
  for (size_t l = 0; l < end; l++) below += nu_layer_parameters(&network->layers[l]);
  while (begin > 0 && (floats < least || below < least)) {
    size_t its = nu_layer_parameters(&network->layers[--begin]);
    floats += its;
    below -= its;
  }
  return (nu_range){begin, end};
}

nu_rank_share nu_plan_rank_share(const nu_plan *plan, const numann_network *network, size_t rows,
                                 size_t rank, nu_range layers) {
  nu_range grains = nu_plan_rank_grains(plan, rows, rank);
  nu_range of_batch = nu_plan_grain_rows(plan, rows, grains);
  return (nu_rank_share){.grains = grains.end - grains.begin,
                         .rows = of_batch.end - of_batch.begin,
                         .roots = nu_plan_rank_roots(plan, rows, rank),
                         .floats = nu_plan_rank_floats(plan, network, rank, layers)};
}

size_t nu_exchange_bytes(nu_exchange exchange, const nu_rank_share *from, const nu_rank_share *to) {
  if (exchange == NU_EXCHANGE_LOSSES) return (1 + from->rows) * sizeof(double);
  if (exchange == NU_EXCHANGE_ROOTS) return from->roots * to->floats * sizeof(float);
  return (NU_RANK_HEADER + from->floats) * sizeof(float);
}

static void count(nu_traffic *traffic, size_t bytes) {
  traffic->messages += bytes > 0;
  traffic->bytes += bytes;
}

/* What each rank has of these layers. */
static void share_out(const nu_plan *plan, const numann_network *network, size_t rows,
                      nu_range layers, nu_rank_step *steps) {
  for (size_t r = 0; r < nu_plan_ranks(plan); r++)
    steps[r].share = nu_plan_rank_share(plan, network, rows, r, layers);
}

static void add_exchange(nu_rank_step *steps, size_t ranks, nu_exchange what) {
  for (size_t from = 0; from < ranks; from++) {
    for (size_t to = 0; to < ranks; to++) {
      if (to == from) continue;
      size_t bytes = nu_exchange_bytes(what, &steps[from].share, &steps[to].share);
      count(&steps[from].sent[what], bytes);
      count(&steps[to].received[what], bytes);
    }
  }
}

void nu_plan_rank_steps(const nu_plan *plan, const numann_network *network, size_t rows,
                        nu_rank_step *steps) {
  size_t ranks = nu_plan_ranks(plan), n = network->n_layers;
  memset(steps, 0, ranks * sizeof *steps);
  for (nu_range bundle = {n, n}; bundle.begin > 0;) {
    bundle = nu_plan_bundle(plan, network, bundle.begin);
    share_out(plan, network, rows, bundle, steps);
    add_exchange(steps, ranks, NU_EXCHANGE_ROOTS);
    add_exchange(steps, ranks, NU_EXCHANGE_RESULTS);
  }
  share_out(plan, network, rows, (nu_range){0, n}, steps);
  add_exchange(steps, ranks, NU_EXCHANGE_LOSSES);
}

nu_traffic nu_rank_step_sent(const nu_rank_step *step) {
  nu_traffic all = {0, 0};
  for (size_t x = 0; x < NU_EXCHANGES; x++) {
    all.messages += step->sent[x].messages;
    all.bytes += step->sent[x].bytes;
  }
  return all;
}
