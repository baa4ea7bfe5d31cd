/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "data/data.h"
#include "kernels/kernels.h"
#include "plan/calibration.h"
#include "plan/cost.h"
#include "plan/placement.h"

static const char *const strategy_names[] = {[NU_NEURONS] = "neurons",
                                             [NU_SAMPLES] = "samples",
                                             [NU_HYBRID] = "hybrid",
                                             [NU_STRATEGIES] = "auto"};

const char *nu_strategy_name(nu_strategy strategy) { return strategy_names[strategy]; }

/* ---- the grain */

/* The grain is part of the numbers: a function of the batch alone. A chain of 32 rows spends a
 * tenth of its time starting, ending and joining, one of 64 a twentieth. */
static size_t default_grain(size_t batch) { return batch <= 1024 ? 64 : 128; }

/* ---- plans as ordered */

static size_t groups_of(nu_strategy strategy, size_t threads, size_t groups) {
  if (strategy == NU_NEURONS) return 1;
  return strategy == NU_SAMPLES || groups > threads ? threads : groups;
}

numann_plan nu_plan_of(size_t threads, nu_strategy strategy, size_t groups, size_t batch,
                       size_t grain) {
  const nu_machine usual = {.cores = threads};
  return (numann_plan){.threads = threads,
                       .threads_limit = threads,
                       .strategy = strategy,
                       .groups = groups_of(strategy, threads, groups),
                       .batch = batch,
                       .last_batch = batch,
                       .grain = grain,
                       .chunk = (batch + grain - 1) / grain,
                       .blocks = nu_blocks_for(&usual)};
}

/* ---- the choice */

/* What the choice is made from, and the best so far. */
typedef struct search {
  const nu_plan_request *request;
  const numann_network *network;
  const nu_machine *machine;
  const nu_rates *rates;
  size_t grain;
  nu_plan_choice best;
  nu_plan_choice one;                                            /* one thread */
  nu_plan_choice quickest[NU_STRATEGIES], widest[NU_STRATEGIES]; /* threads 0: none */
} search;

/* The whole plan of one way to run. */
static numann_plan plan_of(const search *s, const nu_plan_choice *choice) {
  const nu_plan_request *request = s->request;
  numann_plan plan =
      nu_plan_of(choice->threads, choice->strategy, choice->groups, request->batch, s->grain);
  plan.threads_limit = s->machine->threads_limit;
  plan.last_batch =
      request->rows % request->batch ? request->rows % request->batch : request->batch;
  plan.blocks = nu_blocks_for(s->machine);
  plan.chunk = request->chunk ? request->chunk : nu_chunk_for(&plan, s->network, s->machine);
  plan.fuse = request->fuse;
  plan.precision = request->precision;
  plan.moments = request->moments;
  plan.seconds = nu_plan_cost(&plan, s->network, s->machine, s->rates, NULL).seconds;
  return plan;
}

/* More threads, and what comes later in a search, must gain something: estimates are no better. */
static const double GAIN = 0.99;

static void consider(search *s, size_t threads, nu_strategy strategy, size_t groups) {
  nu_plan_choice choice = {threads, strategy, groups_of(strategy, threads, groups), 0.0};
  choice.seconds = plan_of(s, &choice).seconds;
  nu_plan_choice *quickest = &s->quickest[strategy], *widest = &s->widest[strategy];
  if (threads == 1 && !s->one.threads) s->one = choice;
  if (!s->best.threads || choice.seconds < GAIN * s->best.seconds) s->best = choice;
  if (threads == 1 && strategy != s->request->strategy) return; /* all strategies are one there */
  if (!quickest->threads || choice.seconds < GAIN * quickest->seconds) *quickest = choice;
  if (widest->threads < threads || choice.seconds < widest->seconds) *widest = choice;
}

/* Groups of a hybrid: as ordered, else NUMA nodes, as members of a group share a cache; by a
 * machine of one node, 2, 4, 8 ... */
static void consider_hybrids(search *s, size_t threads) {
  size_t groups = s->request->groups, nodes = s->machine->numa_nodes;
  bool ordered = s->request->strategy == NU_HYBRID;
  if (groups || ordered) {
    consider(s, threads, NU_HYBRID, groups ? groups : nodes);
    return;
  }
  for (size_t g = nodes > 1 ? nodes : 2; g < threads; g *= 2) consider(s, threads, NU_HYBRID, g);
}

size_t nu_plan_slots(const nu_machine *machine) {
  return machine->slots ? machine->slots : machine->cores;
}

/* More threads than cores take turns, and every barrier then costs all their turns. So if the
 * strategy is open, no more of them share the work than there are cores; the others of the order
 * run and wait. */
static bool may_idle(const search *s) {
  return s->request->strategy == NU_STRATEGIES && s->request->threads > nu_plan_slots(s->machine);
}

/* The quickest of what the request leaves open. */
static void choose(search *s) {
  size_t threads = s->request->threads, limit = threads ? threads : s->machine->threads_limit;
  nu_strategy strategy = s->request->strategy;
  bool open = strategy == NU_STRATEGIES;
  if (may_idle(s)) threads = 0, limit = nu_plan_slots(s->machine);
  for (size_t t = threads ? threads : 1; t <= limit; t++) {
    if (open || strategy == NU_NEURONS) consider(s, t, NU_NEURONS, 1);
    if (strategy == NU_SAMPLES || (open && t > 1)) consider(s, t, NU_SAMPLES, t);
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

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

static void explain_choice(numann_plan *plan, const search *s) {
  const char *strategy =
      s->request->strategy == NU_STRATEGIES ? "strategy by cost" : "strategy as ordered";
  double us = plan->seconds * 1e6;
  if (plan->idle) {
    snprintf(plan->why, sizeof plan->why,
             "%zu threads as ordered, of which %zu share the work, %s: about %.0f us a step",
             s->request->threads, plan->threads, strategy, us);
  } else if (s->request->threads) {
    snprintf(plan->why, sizeof plan->why, "%zu thread%s as ordered, %s: about %.0f us a step",
             plan->threads, plural(plan->threads), strategy, us);
  } else if (s->machine->threads_limit == 1) {
    snprintf(plan->why, sizeof plan->why, "the one thread that may run (%s): about %.0f us a step",
             s->machine->limited_by, us);
  } else {
    snprintf(plan->why, sizeof plan->why, "cheapest of 1 to %zu threads (%s): about %.0f us a step",
             s->machine->threads_limit, s->machine->limited_by, us);
  }
}

/* Behind those that are there. */
__attribute__((format(printf, 2, 3))) static void add_note(numann_plan *plan, const char *format,
                                                           ...) {
  size_t used = strlen(plan->note);
  va_list args;
  if (used) used += (size_t)snprintf(plan->note + used, sizeof plan->note - used, "; ");
  va_start(args, format);
  if (used < sizeof plan->note)
    vsnprintf(plan->note + used, sizeof plan->note - used, format, args);
  va_end(args);
}

/* Groups beyond the grains have no rows. */
static void note_idle_groups(numann_plan *plan) {
  size_t grains = nu_plan_grains(plan, plan->batch);
  if (plan->groups <= grains) return;
  add_note(plan,
           "a batch of %zu rows has %zu grain%s of %zu: %zu of %zu groups have nothing to do; "
           "strategy neurons, or "
           "a larger batch, gives them work",
           plan->batch, grains, grains == 1 ? "" : "s", plan->grain, plan->groups - grains,
           plan->groups);
}

static void explain(numann_plan *plan, const search *s) {
  size_t threads = plan->threads + plan->idle, cores = s->machine->cores;
  char turns[64] = "so they take turns";
  explain_choice(plan, s);
  note_idle_groups(plan);
  size_t omp = s->machine->omp_limit;
  if (s->request->threads && omp && threads > omp)
    add_note(plan, "OMP_NUM_THREADS=%zu gives way to parallel.threads: %zu", omp, threads);
  if (threads <= nu_plan_slots(s->machine)) return;
  if (plan->idle) snprintf(turns, sizeof turns, "so %zu of them wait", plan->idle);
  add_note(plan,
           "%zu threads on %zu cores: more threads than cores, %s; the weights are the same, "
           "`--threads %zu` "
           "is faster",
           threads, cores, turns, s->machine->threads_limit);
}

numann_plan nu_plan_make(const nu_plan_request *request, const numann_network *network,
                         const nu_machine *machine) {
  search s = {.request = request,
              .network = network,
              .machine = machine,
              .rates = request->rates ? request->rates : nu_rates_of(NULL),
              .grain = request->grain ? request->grain : default_grain(request->batch)};
  choose(&s);
  numann_plan plan = plan_of(&s, &s.best);
  if (request->threads > plan.threads) plan.idle = request->threads - plan.threads;
  keep_choices(&plan, &s);
  explain(&plan, &s);
  return plan;
}

/* ---- from a config */

nu_machine nu_plan_machine(const nu_machine *machine, const numann_config *config) {
  nu_machine used = *machine;
  if (nu_config_flag(config, "parallel.smt")) nu_machine_use_siblings(&used);
  return used;
}

/* train.batch: a number, or `full` for all training rows (getter 0); never more than there are. */
static size_t batch_rows(const numann_config *config, size_t rows) {
  size_t batch = nu_config_count(config, "train.batch");
  return batch == 0 || batch > rows ? rows : batch;
}

static nu_format precision_of(const numann_config *config) {
  return strcmp(nu_config_string(config, "train.precision"), "bf16") == 0 ? NU_BF16 : NU_FP32;
}

/* Arrays that an optimiser keeps; names that do not stand here are refused by the trainer. */
static size_t moments_of(const char *optimizer) {
  static const struct {
    const char *name;
    size_t moments;
  } table[] = {{"momentum", 1}, {"nesterov", 1}, {"rmsprop", 1}, {"adam", 2}, {"adamw", 2}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    if (strcmp(table[i].name, optimizer) == 0) return table[i].moments;
  }
  return 0;
}

numann_status nu_plan_request_of(nu_plan_request *request, const numann_config *config, size_t rows,
                                 numann_error *err) {
  size_t strategy;
  NU_TRY(nu_config_choice(config, "parallel.strategy", strategy_names, NU_STRATEGIES + 1, &strategy,
                          err));
  const nu_kernels *kernels = nu_kernels_select();
  bool clips = nu_config_real(config, "train.clip_norm") > 0.0; /* which needs the whole gradient */
  *request =
      (nu_plan_request){.threads = nu_config_count(config, "parallel.threads"),
                        .strategy = (nu_strategy)strategy,
                        .rows = rows,
                        .batch = batch_rows(config, rows),
                        .grain = nu_config_count(config, "train.grain"),
                        .groups = nu_config_count(config, "parallel.groups"),
                        .chunk = nu_config_count(config, "parallel.chunk"),
                        .fuse = nu_config_flag(config, "parallel.fuse_update") && !clips,
                        .precision = precision_of(config),
                        .moments = moments_of(nu_config_string(config, "train.optimizer.name")),
                        .rates = nu_rates_of(kernels ? kernels->isa : NULL)};
  return NUMANN_OK;
}

numann_status numann_plan_create(numann_plan **out, const numann_config *config,
                                 const numann_network *network, const numann_data *data,
                                 numann_error *err) {
  *out = NULL;
  nu_machine machine;
  nu_calibration calibration;
  numann_plan *plan = nu_alloc(1, sizeof *plan);
  if (!plan) return nu_fail_memory(err, sizeof *plan, "the plan");
  numann_status status = nu_machine_detect(&machine, err);
  if (status == NUMANN_OK) {
    machine = nu_plan_machine(&machine, config);
    status =
        nu_plan_from(plan, &calibration, config, network, &machine, data->train.rows, NULL, err);
    if (machine.foreign)
      nu_plan_clear(
          plan); /* another machine's cores and nodes (HWLOC_SYNTHETIC): nothing to bind */
    plan->machine = machine;
  }
  if (status == NUMANN_OK) *out = plan;
  else numann_plan_destroy(plan);
  return status;
}

size_t numann_plan_threads(const numann_plan *plan) { return plan->threads + plan->idle; }
const char *numann_plan_strategy(const numann_plan *plan) {
  return nu_strategy_name(plan->strategy);
}

void nu_plan_clear(numann_plan *plan) {
  nu_placement_destroy(plan->placement);
  plan->placement = NULL;
}

void numann_plan_destroy(numann_plan *plan) {
  if (plan) {
    nu_plan_clear(plan);
    nu_machine_clear(&plan->machine);
  }
  free(plan);
}
