/* What a step costs under a plan, in seconds. SPDX-License-Identifier: MIT
 *
 * A pure function of plan, network, machine and rates. It decides who computes what, never a
 * number. The time of a phase is that of the busiest thread; each kind of layer tells its own. */
#ifndef NU_PLAN_COST_H
#define NU_PLAN_COST_H

#include "plan/parts.h"
#include "plan/rates.h"

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
  double ranks;  /* what is written for other ranks, read and added of theirs; not the sending */
  double barriers;
  double seconds; /* all of it */
} nu_step_cost;

/* each: [n_layers], or NULL. */
nu_step_cost nu_plan_cost(const nu_plan *plan, const numann_network *network,
                          const nu_machine *machine, const nu_rates *rates, nu_layer_cost *each);

/* Barriers that a step of the plan has. */
size_t nu_plan_barriers(const nu_plan *plan, const numann_network *network);

/* Blocks and chunk for the caches of the machine. */
nu_blocks nu_blocks_for(const nu_machine *machine);
size_t nu_chunk_for(const nu_plan *plan, const numann_network *network, const nu_machine *machine);

/* ---- for the kinds of layers */

/* What the busiest thread works on. */
struct nu_work {
  const nu_plan *plan;
  const numann_network *network;
  const nu_machine *machine;
  const nu_rates *rates;
  size_t members;              /* of the smallest group, whose members have most panels each */
  double rows, grains, chunks; /* of the first group, which has most, in a batch */
  double bytes_s;              /* rate at which it streams parameters */
};

/* Seconds of a phase, by what they go to. */
typedef struct nu_seconds {
  double arithmetic, activation, memory, shared;
} nu_seconds;

struct nu_parts_cost {
  nu_seconds forward, delta, gradient, update;
};

/* The members of a group split the rows of a thin layer, and its inputs in (4.12). */
bool nu_work_is_thin(const nu_work *w, size_t l);
/* Most neurons of a layer that one thread computes, padding included; for so many rows. */
double nu_work_columns(const nu_work *w, size_t l);
double nu_work_rows(const nu_work *w, size_t l);
double nu_work_parameters(const nu_work *w, size_t l);

/* m rows x columns of chains of k links: whole tiles; a last one with fewer rows gains little. */
double nu_cost_chains(const nu_work *w, double m, double k, double columns);
double nu_cost_activation(const nu_work *w, nu_activation f, double elements);
/* Copying, transposing, adding, multiplying floats. */
double nu_cost_floats(double floats);
/* Reading or writing parameters, from where they lie. */
double nu_cost_stream(const nu_work *w, double floats);
/* Floats that members of a group, or threads of all groups, have just written in equal shares:
 * those of the others. */
double nu_cost_from_others(const nu_work *w, double floats, size_t writers);
/* Sums that wait for other groups or for the next chunk are written and read again. */
double nu_cost_left(const nu_work *w, double floats);
/* The optimiser on the parameters of layer l. */
nu_seconds nu_cost_update(const nu_work *w, size_t l);

#endif
