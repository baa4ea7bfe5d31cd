/* What a step costs under a plan, in seconds. SPDX-License-Identifier: MIT
 *
 * A pure function of plan, network, machine and rates. It decides who computes what, never a
 * number. The time of a phase is that of the busiest thread. */
#ifndef NU_PLAN_COST_H
#define NU_PLAN_COST_H

#include "plan/plan.h"

/* One layer, on the busiest thread. */
typedef struct nu_layer_cost {
  double forward;    /* (3.8) with the activation */
  double delta;      /* (4.3) with the derivative; 0 for the last layer */
  double gradient;   /* (4.12) with its tree, what it leaves for other groups, and the update */
  const char *bound; /* what takes most of it, a few words; static storage */
} nu_layer_cost;

typedef struct nu_step_cost {
  double layers; /* forward, delta and gradient of all layers */
  double rows;   /* gather and output: what goes by rows */
  double join;   /* the sum over groups */
  double barriers;
  double seconds; /* all of it */
} nu_step_cost;

/* `moments`: optimiser arrays, 0 to 2. each: [n_layers], or NULL. */
nu_step_cost nu_plan_cost(const numann_plan *plan, const numann_network *network,
                          const nu_machine *machine, const nu_rates *rates, nu_layer_cost *each);

/* Barriers that a step of the plan has. */
size_t nu_plan_barriers(const numann_plan *plan, const numann_network *network);

/* Blocks and chunk for the caches of the machine. */
nu_blocks nu_blocks_for(const nu_machine *machine);
size_t nu_chunk_for(const numann_plan *plan, const numann_network *network,
                    const nu_machine *machine);

#endif
