/* Parts: which part of a step each thread has. SPDX-License-Identifier: MIT
 *
 * Pure arithmetic on a plan, the only place that says so: the layers, the joins, the ledger's
 * stripes and the texts all ask here. A batch is cut into grains; ranks split the grains, groups of
 * threads those of their rank, the threads of a group each layer's weights. */
#ifndef NU_PLAN_PARTS_H
#define NU_PLAN_PARTS_H

#include "plan/plan.h"

/* A half-open range of indices. */
typedef struct nu_range {
  size_t begin, end;
} nu_range;

/* Share `part` of `parts` of n items: consecutive, sizes differ by at most one. */
nu_range nu_share(size_t n, size_t parts, size_t part);
/* The same, but of fewer items than parts the empty parts lie between the others, not all at the
 * end, so that no NUMA node is left without work. */
nu_range nu_spread(size_t n, size_t parts, size_t part);

/* ---- rows */

/* Rows of a range of grains of a batch of `rows` rows. */
nu_range nu_plan_grain_rows(const nu_plan *plan, size_t rows, nu_range grains);

/* Ranks of the job, and the grains of one: none where a batch has fewer. */
size_t nu_plan_ranks(const nu_plan *plan);
nu_range nu_plan_rank_grains(const nu_plan *plan, size_t rows, size_t rank);
/* How many of a whole batch are this rank's. */
size_t nu_plan_own_grains(const nu_plan *plan);

/* The group of a thread, the threads of a group, and the grains of a group. */
size_t nu_plan_group(const nu_plan *plan, size_t thread);
nu_range nu_plan_members(const nu_plan *plan, size_t group);
nu_range nu_plan_group_grains(const nu_plan *plan, size_t rows, size_t group);

/* Consecutive grains of a group that pass through all layers together. All groups of a rank have
 * the same number of chunks, at least one, so that their threads meet equally often; the last ones
 * may be empty. */
typedef struct nu_chunk {
  size_t batch;    /* rows of the whole batch */
  nu_range grains; /* of the batch */
  nu_range rows;   /* of the batch */
  nu_range held;   /* the same rows where the engine holds them */
  bool last;
} nu_chunk;
size_t nu_plan_chunks(const nu_plan *plan, size_t rows);
nu_chunk nu_plan_chunk(const nu_plan *plan, size_t rows, size_t thread, size_t i);
/* Rows that all groups of the rank together hold at a time, for batches of at most `rows`. */
size_t nu_plan_held(const nu_plan *plan, size_t rows);
/* The thread's share of rows where work goes by rows: gather, output, layers of a kind by_rows. */
nu_range nu_plan_my_own(const nu_plan *plan, nu_range rows, size_t thread);
/* Do threads work on the same rows, so that they must meet between the layers? */
bool nu_plan_shares_rows(const nu_plan *plan);

/* ---- weights: a ladder of levels, on each of which sums meet */

typedef enum nu_level {
  NU_LEVEL_GROUP, /* threads of a group: they form the gradient of the same rows */
  NU_LEVEL_NODE,  /* threads of a NUMA node: they join the sums of its groups */
  NU_LEVEL_HOST,  /* all threads of the process: they join the rest, and update */
  NU_LEVEL_JOB,   /* all ranks: each joins, and updates, its own part of the parameters */
  NU_LEVELS
} nu_level;

/* The threads of this process that share a thread's work on a level. */
nu_range nu_plan_sharers(const nu_plan *plan, nu_level level, size_t thread);

/* A thread's part of a layer's parameters: whole panels or, where the layer has fewer panels than
 * there are threads to share them ("thin"), whole groups of NU_PANEL inputs of all panels, the bias
 * with the last. */
typedef struct nu_part {
  nu_range panels;
  nu_range inputs; /* rows of the engine form: the bias is the last one */
  bool thin;
} nu_part;
nu_part nu_plan_part(const nu_plan *plan, const nu_layer *layer, nu_level level, size_t thread);
/* The part of a layer's parameters that a rank owns, and one thread's share of it: as above, with
 * groups of fewer inputs. */
nu_part nu_plan_rank_part(const nu_plan *plan, const nu_layer *layer, size_t rank);
nu_part nu_plan_share_part(const nu_layer *layer, nu_part all, size_t threads, size_t thread);
/* Parameters of a part, in engine form. */
size_t nu_part_floats(const nu_layer *layer, nu_part part);
/* The largest group decides for all, as every thread must reach the same barriers. */
bool nu_plan_is_thin(const nu_plan *plan, const nu_layer *layer, nu_level level, size_t thread);
/* Panels of layer l whose deltas the thread forms: as nu_plan_part's, but spread where there are
 * fewer than threads, so that each has those inputs of a thin layer above that it will update. */
nu_range nu_plan_delta_panels(const nu_plan *plan, const nu_layer *layer, size_t thread);

/* Do threads that share rows meet when layer l has its activations; and when it has its deltas, so
 * that other threads can read them, or the weights of the layer above, which they came from, can
 * change? Of a thin layer above each thread changes only the weights that it has read. */
bool nu_plan_meets_after_forward(const nu_plan *plan, const numann_network *network, size_t l);
bool nu_plan_meets_after_delta(const nu_plan *plan, const numann_network *network, size_t l);

#endif
