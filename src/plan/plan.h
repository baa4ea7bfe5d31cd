/* Plan inside numann: who computes which part. SPDX-License-Identifier: MIT
 *
 * A batch of B rows is cut into grains of `grain` consecutive rows. The grain, a function of the
 * batch alone, and the precision, which the config orders, are part of the numbers; everything else
 * here is not. */
#ifndef NU_PLAN_PLAN_H
#define NU_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/machine.h"
#include "network/network.h"
#include "numann/plan.h"

/* The threads form groups; groups split the grains, the threads of a group the neuron panels. */
typedef enum nu_strategy {
  NU_NEURONS, /* one group: threads split the neuron panels inside each layer */
  NU_SAMPLES, /* a group each: threads split the grains; gradients meet in the tree */
  NU_HYBRID,  /* parallel.groups groups */
  NU_STRATEGIES
} nu_strategy;

/* The operands of the matrix products: floats, or floats rounded to bf16. */
typedef enum nu_format { NU_FP32, NU_BF16 } nu_format;

/* How far a loop goes before the next one takes its turn, so that what it reads again is still in a
 * near cache. Never changes a number: a chain is stored and continued. */
typedef struct nu_blocks {
  size_t k; /* links of a chain of (3.8), (4.3) that are done for all rows before the next links */
  size_t panels; /* neuron panels that pass over the same rows together */
  size_t rows;   /* rows that get their activation or derivative right after their chains */
  size_t inputs; /* inputs of a region of the gradient, whose tree and update are done at once */
  size_t packed; /* bytes of packed inputs of regions that pass together */
} nu_blocks;

/* Rates of one thread and of a team: what an estimate stands on. Constants by instruction set
 * (cost.c), or measured on this machine (calibration.h). */
typedef struct nu_rates {
  const char *isa;                         /* static storage */
  double flops;                            /* fused multiply-adds in registers, flops a second */
  double pairs;                            /* those on pairs of bf16, so many times as fast */
  double activation;                       /* seconds for one sigmoid or tanh */
  double barrier, barrier_thread;          /* seconds of a barrier, and for each thread of it */
  double l2_bytes, l3_bytes, memory_bytes; /* bytes a second that one thread reads from there */
  double shared_bytes;                     /* of what another core has just written */
} nu_rates;
/* Those of an instruction set; of an unknown one (or NULL) the widest's. */
const nu_rates *nu_rates_of(const char *isa);
/* The i-th instruction set that has rates; NULL behind the last one. */
const char *nu_rates_isa(size_t i);

/* A way to run a step. */
typedef struct nu_plan_choice {
  size_t threads;
  nu_strategy strategy;
  size_t groups;
  double seconds; /* of a step, estimated */
} nu_plan_choice;

/* The taken one, one thread, and of every strategy its quickest and its widest team. */
enum { NU_PLAN_CHOICES = 2 * NU_STRATEGIES + 2 };

typedef struct nu_placement nu_placement; /* placement.h */

struct numann_plan {
  size_t threads;       /* that share the work */
  size_t idle;          /* that run beside them, because they were ordered, and wait */
  size_t threads_limit; /* that might have */
  nu_strategy strategy;
  size_t groups;     /* 1 to threads */
  size_t batch;      /* rows of a full batch */
  size_t last_batch; /* rows of an epoch's last batch, as large or smaller */
  size_t grain;      /* rows of a full grain */
  nu_format precision;
  size_t chunk; /* grains that a group takes through all layers before the next ones */
  bool fuse;    /* update each region of weights where its gradient was formed */
  nu_blocks blocks;
  size_t moments; /* arrays that the optimiser keeps, 0 to 2 */
  double seconds; /* of a step, estimated */
  size_t n_choices;
  nu_plan_choice choices[NU_PLAN_CHOICES]; /* what was considered, the quickest first */
  char why[192];                           /* the reason for threads and strategy, one sentence */
  char note[512];                          /* warnings for the user, "; " between them, or "" */
  nu_placement
      *placement;     /* threads to cores, memory to nodes; owned; NULL: the system's business */
  nu_machine machine; /* that numann_plan_create found, its arrays owned; all zero in other plans */
};

/* A half-open range of indices. */
typedef struct nu_range {
  size_t begin, end;
} nu_range;

/* Share `part` of `parts` of n items: consecutive, sizes differ by at most one. */
nu_range nu_share(size_t n, size_t parts, size_t part);
/* The same, but of fewer items than parts the empty parts lie between the others, not all at the
 * end, so that no NUMA node is left without work. */
nu_range nu_spread(size_t n, size_t parts, size_t part);

/* Grains of a batch of `rows` rows; rows of a range of grains. */
size_t nu_plan_grains(const numann_plan *plan, size_t rows);
nu_range nu_plan_grain_rows(const numann_plan *plan, size_t rows, nu_range grains);

/* The group of a thread, the threads of a group, and the grains of a group. */
size_t nu_plan_group(const numann_plan *plan, size_t thread);
nu_range nu_plan_members(const numann_plan *plan, size_t group);
nu_range nu_plan_group_grains(const numann_plan *plan, size_t rows, size_t group);

/* Consecutive grains of a group that pass through all layers together. All groups have the same
 * number of chunks, so that their threads meet equally often; the last ones may be empty. */
typedef struct nu_chunk {
  size_t batch;    /* rows of the whole batch */
  nu_range grains; /* of the batch */
  nu_range rows;   /* of the batch */
  nu_range held;   /* the same rows where the engine holds them */
  bool last;
} nu_chunk;
size_t nu_plan_chunks(const numann_plan *plan, size_t rows);
nu_chunk nu_plan_chunk(const numann_plan *plan, size_t rows, size_t thread, size_t i);
/* Rows that all groups together hold at a time, for batches of at most `rows`. */
size_t nu_plan_held(const numann_plan *plan, size_t rows);

/* Shares of one thread in the layers' phases: of every layer's panels among its group, and of the
 * rows of a range where work goes by rows (gather, output). */
nu_range nu_plan_my_panels(const numann_plan *plan, size_t panels, size_t thread);
/* The same of the inputs of the layer above, whose deltas it computes: as the panels, but spread
 * where a group has more threads. */
nu_range nu_plan_my_inputs(const numann_plan *plan, size_t panels, size_t thread);
/* Has a layer fewer panels than a group has threads? Then its threads split the rows in (3.8), and
 * in (4.12) the inputs: each those that it computed, so that these weights stay with their thread.
 */
bool nu_plan_is_thin(const numann_plan *plan, size_t panels);
/* Does the gradient of a layer read operands that were packed for it (trainer/pack.c)? And of how
 * many regions of inputs at most at a time? */
bool nu_plan_packs(const numann_plan *plan, size_t neurons);
/* Panels of the layer that a thread packs at most; 0: none. */
size_t nu_plan_packed_panels(const numann_plan *plan, size_t neurons);
enum { NU_REGIONS_TOGETHER = 3 };
nu_range nu_plan_my_own(const numann_plan *plan, nu_range rows, size_t thread);
/* Do threads work on the same rows, so that they must meet between the layers? */
bool nu_plan_shares_rows(const numann_plan *plan);
/* Do these then meet when a layer has its activations; and when a layer (the `first` one?) has its
 * deltas, so that other threads can read them, or the weights of the layer above, which they came
 * from, can change? Of a thin layer above each thread changes only the weights that it has read. */
bool nu_plan_meets_after_forward(const numann_plan *plan, size_t panels, bool last);
bool nu_plan_meets_after_delta(const numann_plan *plan, size_t panels, size_t above, bool first);

/* A plan as ordered, for code that needs no choice; groups only matter to NU_HYBRID. Not fused, and
 * all grains of a group in one chunk. */
numann_plan nu_plan_of(size_t threads, nu_strategy strategy, size_t groups, size_t batch,
                       size_t grain);

/* numann_plan_create with everything explicit, for tests and fake machines: threads 0 = auto,
 * strategy NU_STRATEGIES = auto, batch in rows, grain 0 = by batch, groups and chunk 0 = auto. */
typedef struct nu_plan_request {
  size_t threads;
  nu_strategy strategy;
  size_t rows; /* of the training data; 0: one batch */
  size_t batch;
  size_t grain;
  size_t groups;
  size_t chunk; /* grains; 0 = auto */
  bool fuse;
  nu_format precision;
  size_t moments;        /* arrays that the optimiser keeps */
  const nu_rates *rates; /* NULL: the widest instruction set's */
} nu_plan_request;
numann_plan nu_plan_make(const nu_plan_request *request, const numann_network *network,
                         const nu_machine *machine);
/* The machine as the config lets it be used: parallel.smt raises the thread limit from cores to
 * hardware threads. Borrows the machine's arrays: not to be cleared. */
nu_machine nu_plan_machine(const nu_machine *machine, const numann_config *config);
/* Threads that run there without taking turns. */
size_t nu_plan_slots(const nu_machine *machine);

/* Frees what a plan owns that is held by value. */
void nu_plan_clear(numann_plan *plan);

/* What a config asks for, for so many training rows: a number for full batches, groups and the
 * like. */
numann_status nu_plan_request_of(nu_plan_request *request, const numann_config *config, size_t rows,
                                 numann_error *err);

const char *nu_strategy_name(nu_strategy strategy);

#endif
