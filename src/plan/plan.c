/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <stdlib.h>

#include "plan/cost.h"
#include "plan/placement.h"

static const char *const strategy_names[] = {[NU_NEURONS] = "neurons",
                                             [NU_SAMPLES] = "samples",
                                             [NU_HYBRID] = "hybrid",
                                             [NU_STRATEGIES] = "auto"};

const char *nu_strategy_name(nu_strategy strategy) { return strategy_names[strategy]; }

size_t nu_strategy_groups(nu_strategy strategy, size_t threads, size_t groups) {
  if (strategy == NU_NEURONS) return 1;
  return strategy == NU_SAMPLES || groups > threads ? threads : groups;
}

nu_plan nu_plan_of(size_t threads, nu_strategy strategy, size_t groups, size_t batch,
                   size_t grain) {
  const nu_machine usual = {.cores = threads};
  return (nu_plan){.problem = nu_problem_of(batch, batch, grain, NU_FP32, 0),
                   .threads = threads,
                   .strategy = strategy,
                   .groups = nu_strategy_groups(strategy, threads, groups),
                   .bundle = NU_BUNDLE,
                   .chunk = (batch + grain - 1) / grain,
                   .blocks = nu_blocks_for(&usual)};
}

size_t numann_plan_threads(const numann_plan *plan) { return plan->plan.threads + plan->plan.idle; }
const char *numann_plan_strategy(const numann_plan *plan) {
  return nu_strategy_name(plan->plan.strategy);
}

void nu_plan_clear(numann_plan *plan) {
  nu_placement_destroy(plan->placement);
  plan->placement = NULL;
  plan->plan.placement = NULL;
}

void numann_plan_destroy(numann_plan *plan) {
  if (!plan) return;
  nu_plan_clear(plan);
  nu_machine_clear(&plan->machine);
  free(plan);
}
