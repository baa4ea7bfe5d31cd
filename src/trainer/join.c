/* The joins: what several groups have left, added up level by level. SPDX-License-Identifier: MIT
 *
 * The tree (plan/tree.h) fixes which sums are added in which order; the ladder only says who adds
 * them. An addition belongs to the lowest level on which both its sums are of one unit: a NUMA node
 * adds what its own groups have left, then all threads of the host the rest, and what different
 * ranks have left each rank for its own part of the parameters. Every level ends with a barrier, as
 * the next reads what it has written; the last level updates the weights as well.
 *
 * Between ranks messages take time, in which the gradients of lower layers are formed. So ranks
 * join bundle by bundle: once bundle i has left its roots they are sent; then the roots of bundle
 * i - 1, sent before, are joined, its weights updated and sent in turn; and the new weights of
 * bundle i - 2 are taken in. By then all threads have done with the weights of these layers. */
#include <string.h>

#include "trainer/ranks.h"

/* A group's unit on a level, or a thread's; groups that span units belong to none. */
#define NO_UNIT SIZE_MAX

static size_t unit_of_thread(const nu_plan *plan, nu_level level, size_t thread) {
  return level == NU_LEVEL_NODE ? nu_plan_node(plan, thread) : 0;
}

static size_t unit_of_group(const nu_plan *plan, nu_level level, size_t group) {
  if (level == NU_LEVEL_JOB) return 0;
  if (group >= plan->groups) return NO_UNIT; /* another rank */
  nu_range members = nu_plan_members(plan, group);
  size_t first = unit_of_thread(plan, level, members.begin);
  return unit_of_thread(plan, level, members.end - 1) == first ? first : NO_UNIT;
}

static nu_level last_level(const nu_plan *plan) {
  return nu_plan_ranks(plan) > 1 ? NU_LEVEL_JOB : NU_LEVEL_HOST;
}

/* Is there anything to do? On nodes, where they have several groups each. */
static bool joins_on(const nu_plan *plan, nu_level level) {
  if (level == last_level(plan)) return true;
  size_t units = level == NU_LEVEL_NODE ? nu_plan_nodes(plan) : 1;
  return level <= NU_LEVEL_HOST && plan->groups > units && (level == NU_LEVEL_HOST || units > 1);
}

/* Slots are unit * NU_TREE_DEPTH + root; the units are this rank's groups, then all ranks. */
static float *root_at(const nu_engine *engine, const nu_region *at, size_t slot) {
  size_t unit = slot / NU_TREE_DEPTH, groups = engine->plan->groups;
  if (unit < groups) return nu_group_root(engine, at, slot);
  return nu_ranks_root(engine, at, unit - groups, slot % NU_TREE_DEPTH);
}

/* The additions of one unit of each level, in order. */
typedef struct ladder {
  const nu_engine *engine;
  size_t thread;
  struct {
    nu_merge *merges;
    size_t n;
  } levels[NU_LEVELS];
  size_t root; /* the slot in which the sum over the batch ends */
} ladder;

/* The right subtree ends with the group that was pushed last; units are consecutive groups. */
static void add_merge(ladder *all, const nu_merge *merge, size_t last_group) {
  const nu_plan *plan = all->engine->plan;
  for (nu_level level = NU_LEVEL_NODE; level < NU_LEVELS; level++) {
    if (!joins_on(plan, level)) continue;
    size_t unit = unit_of_group(plan, level, merge->left / NU_TREE_DEPTH);
    if (unit == NO_UNIT || unit != unit_of_group(plan, level, last_group)) continue;
    if (unit == unit_of_thread(plan, level, all->thread))
      all->levels[level].merges[all->levels[level].n++] = *merge;
    return;
  }
}

/* all NULL: only the stack is of interest. */
static void push_roots(ladder *all, nu_tree *tree, nu_range grains, size_t unit) {
  nu_tree roots;
  nu_merge merge;
  nu_tree_of(&roots, grains.begin, grains.end);
  for (size_t r = 0; r < roots.depth; r++) {
    nu_tree_node root = roots.nodes[r];
    nu_tree_push(tree, (nu_tree_node){root.level, root.index, unit * NU_TREE_DEPTH + r});
    while (nu_tree_merge(tree, &merge))
      if (all) add_merge(all, &merge, unit);
  }
}

/* Up to the root of the batch; returns the slot in which it ends. */
static size_t list_merges(ladder *all, size_t rows) {
  const nu_plan *plan = all->engine->plan;
  nu_tree tree = {.depth = 0};
  nu_merge merge;
  size_t last = 0; /* unit that was pushed */
  for (size_t rank = 0; rank < nu_plan_ranks(plan); rank++) {
    bool own = rank == plan->rank;
    size_t first = own ? 0 : plan->groups + rank, n = own ? plan->groups : 1;
    for (size_t unit = first; unit < first + n; unit++) {
      push_roots(
          all, &tree,
          own ? nu_plan_group_grains(plan, rows, unit) : nu_plan_rank_grains(plan, rows, rank),
          unit);
      last = unit;
    }
  }
  /* These make no subtree of its own, which a rank might add alone. */
  if (nu_plan_ranks(plan) > 1) last = plan->groups;
  while (nu_tree_finish(&tree, &merge)) add_merge(all, &merge, last);
  return tree.nodes[0].slot;
}

/* Where this rank's own roots stand once its groups have joined. */
static void list_own_roots(const nu_plan *plan, size_t rows, size_t slots[NU_TREE_DEPTH]) {
  nu_tree tree = {.depth = 0};
  for (size_t group = 0; group < plan->groups; group++)
    push_roots(NULL, &tree, nu_plan_group_grains(plan, rows, group), group);
  for (size_t r = 0; r < tree.depth; r++) slots[r] = tree.nodes[r].slot;
}

typedef struct join_job {
  const nu_merge *merges;
  size_t n;
  bool ends; /* then the sum over the batch is whole, in this slot */
  size_t slot;
  const nu_update *update; /* NULL: none yet */
} join_job;

/* The whole sum becomes the update, or the engine's gradient; of several ranks all get it. */
static void end_region(const nu_engine *engine, size_t thread, const nu_region *at,
                       const join_job *job) {
  float *sum = root_at(engine, at, job->slot);
  size_t array = job->update ? NU_WEIGHTS : NU_GRADIENT;
  float *result = at->layer->array[array] + nu_region_offset(at);
  if (job->update) nu_update_region(engine, thread, at, sum, job->update);
  else if (sum != result) memcpy(result, sum, nu_region_size(at) * sizeof(float));
  if (nu_plan_ranks(engine->plan) > 1) nu_ranks_pack(engine, at, result);
}

static void join_region(const nu_engine *engine, size_t thread, const nu_region *at,
                        const void *arg) {
  const join_job *job = arg;
  for (size_t i = 0; i < job->n; i++) {
    const nu_merge *merge = &job->merges[i];
    engine->kernels->add(nu_region_size(at), root_at(engine, at, merge->left),
                         root_at(engine, at, merge->right));
  }
  if (job->ends) end_region(engine, thread, at, job);
}

static void join_level(const nu_engine *engine, size_t thread, nu_level level, nu_range layers,
                       const join_job *job) {
  for (size_t l = layers.begin; l < layers.end; l++) {
    nu_part mine = nu_plan_part(engine->plan, engine->layers[l].shape, level, thread);
    nu_for_each_region(engine, l, thread, mine, engine->plan->blocks.inputs, job->update,
                       join_region, job);
  }
}

static void make_ladder(ladder *all, const nu_engine *engine, size_t thread, size_t rows) {
  *all = (ladder){.engine = engine, .thread = thread};
  for (nu_level level = NU_LEVEL_NODE; level < NU_LEVELS; level++)
    all->levels[level].merges = engine->threads[thread].merges + level * engine->most_merges;
  all->root = list_merges(all, rows);
}

static void climb(const ladder *all, nu_level level, nu_range layers, const nu_update *update) {
  bool ends = level == last_level(all->engine->plan);
  join_job job = {all->levels[level].merges, all->levels[level].n, ends, all->root,
                  ends ? update : NULL};
  join_level(all->engine, all->thread, level, layers, &job);
}

/* The levels of the host. */
static void climb_host(const ladder *all, nu_team *team, nu_range layers, const nu_update *update) {
  const nu_plan *plan = all->engine->plan;
  for (nu_level level = NU_LEVEL_NODE; level <= NU_LEVEL_HOST; level++) {
    if (!joins_on(plan, level)) continue;
    climb(all, level, layers, update);
    if (level != last_level(plan)) nu_team_barrier(team);
  }
}

void nu_join_groups(nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                    const nu_update *update) {
  ladder all;
  make_ladder(&all, engine, thread, rows);
  climb_host(&all, team, (nu_range){0, engine->n_layers}, update);
}

/* ---- ranks */

/* The roots of a bundle are on their way, or here; the results of the one before, too. */
static void join_bundle(const ladder *all, nu_engine *engine, nu_team *team, size_t bundle,
                        const nu_update *update) {
  size_t array = update ? NU_WEIGHTS : NU_GRADIENT;
  nu_ranks_await_roots(engine, team, all->thread, bundle);
  climb(all, NU_LEVEL_JOB, engine->ranks.bundles[bundle], update);
  nu_ranks_send_results(engine, team, all->thread, bundle);
  if (bundle > 0) nu_ranks_await_results(engine, team, all->thread, bundle - 1, array);
}

void nu_join_ranks(nu_engine *engine, nu_team *team, size_t thread, size_t rows, size_t l,
                   const nu_update *update) {
  const nu_engine_ranks *ranks = &engine->ranks;
  size_t bundle = ranks->bundle_of[l], slots[NU_TREE_DEPTH];
  if (l != ranks->bundles[bundle].begin) return;
  ladder all;
  make_ladder(&all, engine, thread, rows);
  nu_team_barrier(team);
  climb_host(&all, team, ranks->bundles[bundle], NULL);
  list_own_roots(engine->plan, rows, slots);
  nu_ranks_send_roots(engine, team, thread, rows, slots, bundle);
  if (bundle > 0) join_bundle(&all, engine, team, bundle - 1, update);
  if (l > 0) return;
  join_bundle(&all, engine, team, bundle, update);
  nu_ranks_await_results(engine, team, thread, bundle, update ? NU_WEIGHTS : NU_GRADIENT);
}
