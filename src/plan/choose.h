/* The choice of a plan: the cheapest of what is left open, by estimated cost.
 * SPDX-License-Identifier: MIT */
#ifndef NU_PLAN_CHOOSE_H
#define NU_PLAN_CHOOSE_H

#include "plan/plan.h"

/* Everything that a choice is made from; also usable with fake machines in tests. */
typedef struct nu_plan_request {
  nu_problem problem;
  size_t ranks, rank;   /* processes that train together, and which one plans */
  size_t threads;       /* 0 = auto */
  nu_strategy strategy; /* NU_STRATEGIES = auto */
  size_t groups;        /* 0 = auto */
  size_t chunk;         /* grains; 0 = auto */
  bool fuse;
  size_t arrays;         /* that the optimiser keeps */
  const nu_rates *rates; /* NULL: the widest instruction set's */
} nu_plan_request;

/* The cheapest plan, with its reasons; without a placement (from_config.h). */
void nu_plan_choose(numann_plan *out, const nu_plan_request *request, const numann_network *network,
                    const nu_machine *machine);

/* why and note of a chosen plan, for people (reasons.c). */
void nu_plan_explain(numann_plan *plan, const nu_plan_request *request, const nu_machine *machine);

#endif
