/* The joins: what several groups have left, added up level by level. SPDX-License-Identifier: MIT
 *
 * The tree (plan/tree.h) fixes which sums are added in which order; the ladder only says who adds
 * them. An addition belongs to the lowest level on which both its sums are of one unit: a NUMA node
 * adds what its own groups have left, then all threads of the host the rest. Ranks will be one more
 * level. Every level ends with a barrier, as the next reads what it has written; the last level
 * updates the weights as well. */
#include "trainer/gradient.h"

/* A group's unit on a level, or a thread's; groups that span units belong to none. */
#define NO_UNIT SIZE_MAX

static size_t unit_of_thread(const nu_plan *plan, nu_level level, size_t thread) {
  return level == NU_LEVEL_NODE ? nu_plan_node(plan, thread) : 0;
}

static size_t unit_of_group(const nu_plan *plan, nu_level level, size_t group) {
  nu_range members = nu_plan_members(plan, group);
  size_t first = unit_of_thread(plan, level, members.begin);
  return unit_of_thread(plan, level, members.end - 1) == first ? first : NO_UNIT;
}

/* Have nodes several groups each? Else there is nothing to add on them. */
static bool joins_on(const nu_plan *plan, nu_level level) {
  return level == NU_LEVEL_HOST || (nu_plan_nodes(plan) > 1 && plan->groups > nu_plan_nodes(plan));
}

/* Slots are group * NU_TREE_DEPTH + root. */
static float *root_at(const nu_engine *engine, const nu_region *at, size_t slot) {
  return engine->groups[slot / NU_TREE_DEPTH].roots[slot % NU_TREE_DEPTH] +
         nu_region_in_gradient(engine, at);
}

/* The additions of one unit of each level, in order. */
typedef struct ladder {
  const nu_engine *engine;
  size_t thread;
  struct {
    nu_merge *merges;
    size_t n;
  } levels[NU_LEVELS];
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

/* Up to the root of the batch, which ends in slot 0, the engine's gradient. */
static void list_merges(ladder *all, size_t rows) {
  const nu_plan *plan = all->engine->plan;
  nu_tree tree = {.depth = 0};
  nu_merge merge;
  for (size_t group = 0; group < plan->groups; group++) {
    nu_range grains = nu_plan_group_grains(plan, rows, group);
    nu_tree roots;
    nu_tree_of(&roots, grains.begin, grains.end);
    for (size_t r = 0; r < roots.depth; r++) {
      nu_tree_node root = roots.nodes[r];
      nu_tree_push(&tree, (nu_tree_node){root.level, root.index, group * NU_TREE_DEPTH + r});
      while (nu_tree_merge(&tree, &merge)) add_merge(all, &merge, group);
    }
  }
  while (nu_tree_finish(&tree, &merge)) add_merge(all, &merge, plan->groups - 1);
}

typedef struct join_job {
  const nu_merge *merges;
  size_t n;
  const nu_update *update; /* NULL: none yet */
} join_job;

static void join_region(const nu_engine *engine, size_t thread, const nu_region *at,
                        const void *arg) {
  const join_job *job = arg;
  for (size_t i = 0; i < job->n; i++) {
    const nu_merge *merge = &job->merges[i];
    engine->kernels->add(nu_region_size(at), root_at(engine, at, merge->left),
                         root_at(engine, at, merge->right));
  }
  if (job->update) nu_update_region(engine, thread, at, root_at(engine, at, 0), job->update);
}

void nu_join_groups(const nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                    const nu_update *update) {
  const nu_plan *plan = engine->plan;
  ladder all = {.engine = engine, .thread = thread};
  for (nu_level level = NU_LEVEL_NODE; level < NU_LEVELS; level++)
    all.levels[level].merges = engine->threads[thread].merges + level * engine->most_merges;
  list_merges(&all, rows);
  for (nu_level level = NU_LEVEL_NODE; level < NU_LEVELS; level++) {
    bool last = level + 1 == NU_LEVELS;
    if (!joins_on(plan, level)) continue;
    join_job job = {all.levels[level].merges, all.levels[level].n, last ? update : NULL};
    for (size_t l = 0; l < engine->n_layers; l++) {
      nu_part mine = nu_plan_part(plan, engine->layers[l].shape, level, thread);
      nu_for_each_region(engine, l, thread, mine, plan->blocks.inputs, job.update, join_region,
                         &job);
    }
    if (!last) nu_team_barrier(team);
  }
}
