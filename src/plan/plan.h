/* Plan inside numann: who computes which part. SPDX-License-Identifier: MIT
 *
 * A batch of B rows is cut into grains of `grain` consecutive rows. The grain, a function of the
 * batch alone, is part of the numbers; everything else here is not. */
#ifndef NU_PLAN_PLAN_H
#define NU_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/machine.h"
#include "network/network.h"
#include "numann/plan.h"

typedef enum nu_strategy {
  NU_NEURONS, /* threads split the neuron panels inside each layer */
  NU_SAMPLES, /* threads split the grains; gradients meet in the tree */
  NU_STRATEGIES
} nu_strategy;

struct numann_plan {
  size_t threads;       /* that run */
  size_t threads_limit; /* that might have */
  nu_strategy strategy;
  size_t batch;         /* rows of a full batch */
  size_t grain;         /* rows of a full grain */
  char why[160];        /* the reason for threads and strategy, one sentence */
  char note[256];       /* a warning for the user, or "" */
};

/* A half-open range of indices. */
typedef struct nu_range {
  size_t begin, end;
} nu_range;

/* Share `part` of `parts` of n items: consecutive, sizes differ by at most one. */
nu_range nu_share(size_t n, size_t parts, size_t part);

/* Grains of a batch of `rows` rows; rows of a range of grains. */
size_t nu_plan_grains(const numann_plan *plan, size_t rows);
nu_range nu_plan_grain_rows(const numann_plan *plan, size_t rows, nu_range grains);

/* Shares of one thread in the layers' phases. Under neurons every thread has all rows and grains and
 * a share of the panels; under samples a share of the grains, their rows, and all panels. */
nu_range nu_plan_my_grains(const numann_plan *plan, size_t rows, size_t thread);
nu_range nu_plan_my_rows(const numann_plan *plan, size_t rows, size_t thread);
nu_range nu_plan_my_panels(const numann_plan *plan, size_t panels, size_t thread);
/* Rows that a thread handles alone where work goes by rows (gather, output). */
nu_range nu_plan_my_own_rows(const numann_plan *plan, size_t rows, size_t thread);
/* Do threads work on the same rows, so that they must meet between the layers? */
bool nu_plan_shares_rows(const numann_plan *plan);

/* numann_plan_create with everything explicit, for tests and fake machines: threads 0 = auto,
 * strategy NU_STRATEGIES = auto, batch in rows, grain 0 = by batch. */
typedef struct nu_plan_request {
  size_t threads;
  nu_strategy strategy;
  size_t batch;
  size_t grain;
} nu_plan_request;
numann_plan nu_plan_make(const nu_plan_request *request, const numann_network *network,
                         const nu_machine *machine);

const char *nu_strategy_name(nu_strategy strategy);

#endif
