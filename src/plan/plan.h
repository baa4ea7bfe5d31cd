/* Plan inside numann: the decisions, and what they stand on. SPDX-License-Identifier: MIT
 *
 * A nu_plan is a plain value: the problem (problem.h), which is part of the numbers, and how it is
 * shared out, which is not. parts.h says who computes which part of it, placement.h where threads
 * run and pages lie, ledger.h which buffers it takes. A numann_plan is what a user gets: the
 * nu_plan with the reasons for it, its machine and its placement, all owned. */
#ifndef NU_PLAN_PLAN_H
#define NU_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/machine.h"
#include "network/network.h"
#include "numann/plan.h"
#include "plan/problem.h"

/* The threads form groups; groups split the grains, the threads of a group the neuron panels. */
typedef enum nu_strategy {
  NU_NEURONS, /* one group: threads split the neuron panels inside each layer */
  NU_SAMPLES, /* a group each: threads split the grains; gradients meet in the tree */
  NU_HYBRID,  /* parallel.groups groups */
  NU_STRATEGIES
} nu_strategy;
const char *nu_strategy_name(nu_strategy strategy);

/* How far a loop goes before the next one takes its turn, so that what it reads again is still in a
 * near cache. Never changes a number: a chain is stored and continued. */
typedef struct nu_blocks {
  size_t k;      /* links of a chain of (3.8), (4.3) that are done for all rows before the next */
  size_t panels; /* neuron panels that pass over the same rows together */
  size_t rows;   /* rows that get their activation or derivative right after their chains */
  size_t inputs; /* inputs of a region of the gradient, whose tree and update are done at once */
  size_t packed; /* bytes of packed inputs of regions that pass together */
} nu_blocks;

typedef struct nu_rates nu_rates;         /* rates.h */
typedef struct nu_placement nu_placement; /* placement.h */

struct nu_plan {
  nu_problem problem;
  size_t threads; /* that share the work */
  size_t idle;    /* that run beside them, because they were ordered, and wait */
  nu_strategy strategy;
  size_t groups; /* 1 to threads */
  size_t ranks;  /* processes that train together, each with such a plan; 0 or 1: alone */
  size_t rank;   /* this one of them */
  size_t bundle; /* parameters that are worth messages of their own; the same on all ranks */
  size_t chunk;  /* grains that a group takes through all layers before the next ones */
  bool fuse;     /* update each region of weights where its gradient was formed */
  nu_blocks blocks;
  size_t arrays;                 /* of one number per parameter that the optimiser keeps */
  const nu_placement *placement; /* borrowed; NULL: threads and memory are the system's business */
};

/* A way to run a step. */
typedef struct nu_plan_choice {
  size_t threads;
  nu_strategy strategy;
  size_t groups;
  double seconds; /* of a step, estimated */
} nu_plan_choice;

/* The chosen plan, the one of a single thread, and each strategy's fastest and largest team. */
enum { NU_PLAN_CHOICES = 2 * NU_STRATEGIES + 2 };

struct numann_plan {
  nu_plan plan;
  size_t threads_limit; /* that might have shared the work */
  double seconds;       /* of a step, estimated */
  size_t n_choices;
  nu_plan_choice choices[NU_PLAN_CHOICES]; /* what was considered, the quickest first */
  char why[192];                           /* the reason for threads and strategy, one sentence */
  char note[512];                          /* warnings for the user, "; " between them, or "" */
  nu_placement *placement;                 /* the one that plan borrows; owned; NULL: none */
  nu_machine machine; /* that numann_plan_create found, its arrays owned; else all zero */
};

/* Groups that a strategy forms of so many threads; `groups` only matters to NU_HYBRID. */
size_t nu_strategy_groups(nu_strategy strategy, size_t threads, size_t groups);

/* What a plan has as its bundle: the gradient of a layer of 256 x 256 neurons, which still is in a
 * cache when its turn comes. Up to so many ranks may share it: the 16 KiB that each then sends to
 * each are about what a network carries in the time of a latency. */
enum { NU_BUNDLE = 1 << 16, NU_BUNDLE_RANKS = 16 };

/* A plan as ordered, for code that needs no choice; groups only matter to NU_HYBRID. Not fused, and
 * all grains of a group in one chunk. */
nu_plan nu_plan_of(size_t threads, nu_strategy strategy, size_t groups, size_t batch, size_t grain);

/* Frees what a numann_plan owns that is held by value. */
void nu_plan_clear(numann_plan *plan);

#endif
