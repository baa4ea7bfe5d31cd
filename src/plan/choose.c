/* How many threads run, and by which strategy: the least estimated cost (cost.h) of all ways.
 * SPDX-License-Identifier: MIT */
#include "plan/choose.h"

#include <assert.h>
#include <string.h>

#include "base/least.h"
#include "plan/cost.h"

/* What the choice is made from, and the best so far. */
typedef struct search {
  const nu_plan_request *request;
  const numann_network *network;
  const nu_machine *machine;
  const nu_rates *rates;
  size_t grains; /* of a batch, on this rank */
  nu_plan_choice best;
  nu_plan_choice one;                                            /* one thread */
  nu_plan_choice quickest[NU_STRATEGIES], widest[NU_STRATEGIES]; /* threads 0: none */
} search;

/* The plan of one way to run. */
static nu_plan plan_of(const search *s, const nu_plan_choice *choice) {
  const nu_plan_request *request = s->request;
  nu_plan plan = {.problem = request->problem,
                  .ranks = request->ranks,
                  .rank = request->rank,
                  .threads = choice->threads,
                  .strategy = choice->strategy,
                  .groups = choice->groups,
                  .bundle = NU_BUNDLE,
                  .fuse = request->fuse,
                  .blocks = nu_blocks_for(s->machine),
                  .arrays = request->arrays};
  plan.chunk = request->chunk ? request->chunk : nu_chunk_for(&plan, s->network, s->machine);
  return plan;
}

/* More threads, and what comes later in a search, must gain something: estimates are no better. */
static const double GAIN = 0.99;

static void consider(search *s, size_t threads, nu_strategy strategy, size_t groups) {
  nu_plan_choice choice = {threads, strategy, nu_strategy_groups(strategy, threads, groups), 0.0};
  nu_plan plan = plan_of(s, &choice);
  choice.seconds = nu_plan_cost(&plan, s->network, s->machine, s->rates, NULL).seconds;
  nu_plan_choice *quickest = &s->quickest[strategy], *widest = &s->widest[strategy];
  if (threads == 1 && !s->one.threads) s->one = choice;
  if (!s->best.threads || choice.seconds < GAIN * s->best.seconds) s->best = choice;
  if (threads == 1 && strategy != s->request->strategy) return; /* all strategies are one there */
  if (!quickest->threads || choice.seconds < GAIN * quickest->seconds) *quickest = choice;
  if (widest->threads < threads || choice.seconds < widest->seconds) *widest = choice;
}

/* More threads than cores take turns, and every barrier then costs all their turns. So if the
 * strategy is open, no more of them share the work than there are cores; the others of the order
 * run and wait. */
static bool may_idle(const search *s) {
  return s->request->strategy == NU_STRATEGIES &&
         s->request->threads > nu_machine_slots(s->machine);
}

/* Groups without a grain wait, and so do their threads: only of an ordered number of threads may
 * that be the best that can be done. */
static bool may_wait(const search *s) { return s->request->threads > 0 && !may_idle(s); }

/* Groups of a hybrid: as ordered, else every number of them; first that of the NUMA nodes, as
 * members of a group share a cache. One is `neurons`, and as many as threads are `samples`, which
 * an open search has considered. */
static void consider_hybrids(search *s, size_t threads) {
  size_t groups = s->request->groups, nodes = s->machine->numa_nodes;
  bool open = s->request->strategy == NU_STRATEGIES;
  size_t most = open ? threads - 1 : threads;
  if (!may_wait(s)) most = nu_smaller(most, s->grains);
  if (groups || most < 2) {
    if (groups || !open) consider(s, threads, NU_HYBRID, groups ? groups : 1);
    return;
  }
  if (nodes > 1 && nodes <= most) consider(s, threads, NU_HYBRID, nodes);
  for (size_t g = 2; g <= most; g++) consider(s, threads, NU_HYBRID, g);
}

/* The quickest of what the request leaves open. */
static void choose(search *s) {
  size_t threads = s->request->threads, limit = threads ? threads : s->machine->threads_limit;
  nu_strategy strategy = s->request->strategy;
  bool open = strategy == NU_STRATEGIES;
  if (may_idle(s)) threads = 0, limit = nu_machine_slots(s->machine);
  for (size_t t = threads ? threads : 1; t <= limit; t++) {
    if (open || strategy == NU_NEURONS) consider(s, t, NU_NEURONS, 1);
    bool samples = strategy == NU_SAMPLES || (open && t > 1);
    if (samples && (threads || t <= s->grains)) consider(s, t, NU_SAMPLES, t);
    if (strategy == NU_HYBRID || (open && t > 2)) consider_hybrids(s, t);
  }
}

/* ---- what was considered, for people */

static bool same_choice(const nu_plan_choice *a, const nu_plan_choice *b) {
  return a->threads == b->threads && a->groups == b->groups &&
         (a->strategy == b->strategy || a->threads == 1);
}

static void keep_choice(numann_plan *plan, const nu_plan_choice *choice) {
  if (!choice->threads) return;
  size_t at = 0;
  for (size_t i = 0; i < plan->n_choices; i++) {
    if (same_choice(&plan->choices[i], choice)) return;
    if (plan->choices[i].seconds <= choice->seconds) at = i + 1;
  }
  assert(plan->n_choices < NU_PLAN_CHOICES);
  memmove(&plan->choices[at + 1], &plan->choices[at], (plan->n_choices - at) * sizeof *choice);
  plan->choices[at] = *choice;
  plan->n_choices++;
}

static void keep_choices(numann_plan *plan, const search *s) {
  keep_choice(plan, &s->best);
  keep_choice(plan, &s->one);
  for (size_t i = 0; i < NU_STRATEGIES; i++) {
    keep_choice(plan, &s->quickest[i]);
    keep_choice(plan, &s->widest[i]);
  }
}

void nu_plan_choose(numann_plan *out, const nu_plan_request *request, const numann_network *network,
                    const nu_machine *machine) {
  search s = {.request = request,
              .network = network,
              .machine = machine,
              .rates = request->rates ? request->rates : nu_rates_of(NULL)};
  nu_plan any = plan_of(&s, &(nu_plan_choice){.threads = 1, .groups = 1});
  s.grains = nu_plan_own_grains(&any);
  choose(&s);
  *out = (numann_plan){.plan = plan_of(&s, &s.best),
                       .threads_limit = machine->threads_limit,
                       .seconds = s.best.seconds};
  if (request->threads > out->plan.threads) out->plan.idle = request->threads - out->plan.threads;
  keep_choices(out, &s);
  nu_plan_explain(out, request, machine);
}
