/* The gradient (4.12), its tree, and the update (4.5), (4.8). SPDX-License-Identifier: MIT
 *
 * A gradient is formed region by region, a few inputs of one panel, so that the sums on their way
 * through the tree stay in the first-level cache. In one group of threads the root of a region ends
 * its way there: the optimiser takes it, and no gradient buffer exists (fused), or it goes into the
 * engine's gradient. In several groups each leaves the roots of its subtrees, which all threads
 * then join. */
#include <math.h>

#include "trainer/step.h"

#define P NU_PANEL

/* A block of a layer's parameters: inputs [begin, end) of one panel, the bias being the last input.
 */
typedef struct region {
  const nu_engine_layer *layer;
  size_t panel, width;
  nu_range inputs;
  size_t together; /* which of the regions that pass together */
} region;

/* Where the region starts in the layer's arrays. */
static size_t offset_of(const region *at) {
  return at->panel * at->layer->panel_size + at->inputs.begin * at->width;
}

static size_t size_of(const region *at) { return (at->inputs.end - at->inputs.begin) * at->width; }

/* ---- update */

/* Weight decay is not for the bias, which has a region of its own where there is decay. */
static nu_update update_of(const region *at, const nu_update *update) {
  nu_update own = *update;
  if (at->inputs.begin == at->layer->inputs) own.decay = 0.0f;
  return own;
}

static float *moment_at(const region *at, nu_array array) {
  float *moment = at->layer->array[array];
  return moment ? moment + offset_of(at) : NULL;
}

/* G: the region's gradient. */
static void update_region(const nu_engine *engine, size_t thread, const region *at, const float *G,
                          const nu_update *update) {
  nu_update own = update_of(at, update);
  bool is_finite = engine->kernels->update(
      &own, size_of(at), at->layer->array[NU_WEIGHTS] + offset_of(at), G,
      (float *[]){moment_at(at, NU_MOMENT1), moment_at(at, NU_MOMENT2), NULL});
  nu_publish_weights(engine, at->layer, at->panel, at->inputs);
  engine->threads[thread].not_finite |= !is_finite;
}

/* ---- regions */

typedef void region_fn(const nu_engine *engine, size_t thread, const region *at, const void *arg);

/* Regions of the layer, `step` inputs each: rows of tiles stay whole, and a short rest joins the
 * last one. */
static size_t region_end(const nu_engine_layer *layer, size_t step, size_t begin, size_t most,
                         bool decays) {
  size_t end = most - begin < step + step / 4 ? most : begin + step;
  bool mixed = begin < layer->inputs && end > layer->inputs;
  return mixed && decays ? layer->inputs : end;
}

size_t nu_region_inputs(const nu_engine *engine) {
  size_t step = engine->plan->blocks.inputs;
  return step + step / 4;
}

static size_t largest_region(const nu_engine *engine) { return nu_region_inputs(engine) * P; }

/* A thread's part of a layer: whole panels or, of a thin layer, whole groups of P inputs, the bias
 * with the last. */
typedef struct part {
  nu_range panels, inputs;
} part;

static part part_of(const nu_engine_layer *layer, bool thin, nu_range share) {
  size_t inputs = layer->inputs + 1, end = share.end * P;
  if (!thin) return (part){share, {0, inputs}};
  return (part){{0, layer->panels},
                {share.begin * P, end < layer->inputs       ? end
                                  : share.begin < share.end ? inputs
                                                            : 0}};
}

static part part_in_group(const nu_engine *engine, size_t l, size_t thread) {
  const nu_engine_layer *layer = &engine->layers[l];
  if (nu_plan_is_thin(engine->plan, layer->panels))
    return part_of(layer, true, nu_plan_my_inputs(engine->plan, nu_panels(layer->inputs), thread));
  return part_of(layer, false, nu_plan_my_panels(engine->plan, layer->panels, thread));
}

/* The part of one of `threads` that share the work, whatever their groups. */
static part part_among(const nu_engine *engine, size_t l, size_t threads, size_t one) {
  const nu_engine_layer *layer = &engine->layers[l];
  if (layer->panels < threads)
    return part_of(layer, true, nu_spread(nu_panels(layer->inputs), threads, one));
  return part_of(layer, false, nu_share(layer->panels, threads, one));
}

/* The regions that pass together, of one panel; returns the end of their inputs. */
static size_t for_regions_together(const nu_engine *engine, size_t thread, region at, size_t step,
                                   size_t most, bool decays, region_fn *fn, const void *arg) {
  size_t n = nu_regions_together(engine, at.layer);
  for (; at.together < n && at.inputs.begin < most;
       at.together++, at.inputs.begin = at.inputs.end) {
    at.inputs.end = region_end(at.layer, step, at.inputs.begin, most, decays);
    fn(engine, thread, &at, arg);
  }
  return at.inputs.end;
}

static void for_each_region(const nu_engine *engine, size_t l, size_t thread, part mine,
                            size_t step, const nu_update *update, region_fn *fn, const void *arg) {
  const nu_engine_layer *layer = &engine->layers[l];
  bool decays = update && update->decay != 0.0f;
  size_t begin = mine.inputs.begin, end = begin;
  for (; begin < mine.inputs.end && mine.panels.begin < mine.panels.end; begin = end) {
    for (size_t p = mine.panels.begin; p < mine.panels.end; p++) {
      region at = {layer, p, nu_panel_width(layer->neurons, p), {begin, begin}, 0};
      end = for_regions_together(engine, thread, at, step, mine.inputs.end, decays, fn, arg);
    }
  }
}

/* ---- the grains of a chunk */

/* Grain g into the tree: the slots of the subtrees that it completes, nearest first; of the last
 * one of the batch, all of them. */
static size_t push_grain(nu_tree *tree, size_t g, bool last, size_t left[NU_TREE_DEPTH]) {
  size_t n = 0;
  nu_merge merge;
  nu_tree_push(tree, (nu_node){0, g, tree->depth});
  while (nu_tree_merge(tree, &merge)) left[n++] = merge.left;
  while (last && nu_tree_finish(tree, &merge)) left[n++] = merge.left;
  return n;
}

/* Which subtree roots the grains of a group left: the tree's own bookkeeping, without the sums. */
static void find_roots(nu_tree *tree, nu_range grains) {
  size_t left[NU_TREE_DEPTH];
  tree->depth = 0;
  for (size_t g = grains.begin; g < grains.end; g++) push_grain(tree, g, false, left);
}

size_t nu_gradient_roots(const numann_plan *plan, size_t rows) {
  size_t most = 0;
  for (size_t group = 0; group < plan->groups; group++) {
    nu_range grains = nu_plan_group_grains(plan, rows, group);
    nu_tree tree = {.depth = 0};
    size_t left[NU_TREE_DEPTH];
    for (size_t g = grains.begin; g < grains.end; g++) {
      push_grain(&tree, g, false, left);
      bool chunk_ends = (g + 1 - grains.begin) % plan->chunk == 0 || g + 1 == grains.end;
      if (chunk_ends && tree.depth > most) most = tree.depth;
    }
  }
  return most;
}

typedef struct gradient_job {
  size_t l;
  const nu_chunk *chunk;
  part mine;               /* the thread's */
  const nu_tree *before;   /* what earlier chunks of the batch left */
  bool closes;             /* the batch's last chunk, of the only group */
  const nu_update *update; /* NULL: not fused */
} gradient_job;

/* Slot s of the region's tree: in the group's roots what may outlive the chunk, else in scratch. */
static float *slot_of(const nu_engine *engine, size_t thread, const region *at, size_t s) {
  const nu_engine_group *group =
      engine->groups ? &engine->groups[nu_plan_group(engine->plan, thread)] : NULL;
  if (group && s < group->n_roots) {
    return group->roots[s] + (at->layer->array[NU_GRADIENT] - engine->gradient) + offset_of(at);
  }
  return engine->threads[thread].scratch + s * largest_region(engine);
}

/* G(l) = D(l)^T [A(l-1) 1], one chain over the rows of each grain, grains joined in the tree.
 *        [inputs x width] = [rows x inputs]^T [rows x width] */
static void gradient_region(const nu_engine *engine, size_t thread, const region *at,
                            const void *arg) {
  const gradient_job *job = arg;
  const nu_chunk *chunk = job->chunk;
  size_t slots[NU_TREE_DEPTH];
  const float *left[NU_TREE_DEPTH];
  const nu_engine_layer *layer = at->layer;
  nu_tree tree;
  nu_tree_copy(&tree, job->before);
  nu_update update = job->update ? update_of(at, job->update) : (nu_update){0};
  nu_target target = {&update,
                      layer->array[NU_WEIGHTS] + offset_of(at),
                      {moment_at(at, NU_MOMENT1), moment_at(at, NU_MOMENT2), NULL},
                      &engine->threads[thread].not_finite};
  nu_chain chain = {.m = at->inputs.end - at->inputs.begin,
                    .panels = 1,
                    .width = at->width,
                    .xrow = 1,
                    .outrow = at->width,
                    .fresh = true,
                    .pairs = engine->pairs,
                    .left = left};
  for (size_t g = chunk->grains.begin; g < chunk->grains.end; g++) {
    nu_range rows = nu_plan_grain_rows(engine->plan, chunk->batch, (nu_range){g, g + 1});
    size_t held = chunk->held.begin + rows.begin - chunk->rows.begin;
    bool closes = job->closes && g + 1 == chunk->grains.end;
    nu_grain grain = {job->l,
                      at->panel,
                      at->panel - job->mine.panels.begin,
                      at->inputs,
                      at->inputs.begin == job->mine.inputs.begin,
                      at->together,
                      {held, held + rows.end - rows.begin},
                      g - chunk->grains.begin};
    nu_grain_operands(engine, thread, &grain, &chain);
    size_t slot = tree.depth;
    chain.n_left = push_grain(&tree, g, closes, slots);
    for (size_t i = 0; i < chain.n_left; i++) {
      slot = slots[i];
      left[i] = slot_of(engine, thread, at, slot);
    }
    chain.out = closes && !job->update ? layer->array[NU_GRADIENT] + offset_of(at)
                                       : slot_of(engine, thread, at, slot);
    if (closes && job->update) chain.target = &target;
    engine->kernels->chain(&chain);
  }
  if (job->closes && job->update) nu_publish_weights(engine, layer, at->panel, at->inputs);
}

/* Nothing of a batch of one row waits in a tree: where nothing is packed either its regions are
 * whole panels. */
static size_t gradient_step(const nu_engine *engine, const nu_engine_layer *layer,
                            const nu_chunk *chunk) {
  bool whole = chunk->batch == 1 && !nu_plan_packs(engine->plan, layer->neurons);
  return whole ? SIZE_MAX / 2 : engine->plan->blocks.inputs;
}

void nu_gradient_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk,
                       const nu_update *update) {
  size_t group = nu_plan_group(engine->plan, thread);
  size_t first = nu_plan_group_grains(engine->plan, chunk->batch, group).begin;
  part mine = part_in_group(engine, l, thread);
  nu_tree before;
  find_roots(&before, (nu_range){first, chunk->grains.begin});
  gradient_job job = {l, chunk, mine, &before, chunk->last && engine->plan->groups == 1, update};
  size_t step = gradient_step(engine, &engine->layers[l], chunk);
  for_each_region(engine, l, thread, mine, step, update, gradient_region, &job);
}

/* A scratch slot for every level of the tree of a chunk. */
size_t nu_gradient_scratch(const nu_engine *engine) {
  return nu_tree_slots_bound(nu_plan_grains(engine->plan, engine->plan->batch)) *
         largest_region(engine);
}

/* ---- the roots of several groups */

static float *root_at(const nu_engine *engine, const region *at, size_t slot) {
  return engine->groups[slot / NU_TREE_DEPTH].roots[slot % NU_TREE_DEPTH] +
         (at->layer->array[NU_GRADIENT] - engine->gradient) + offset_of(at);
}

/* The additions that join the roots of several groups. Slots are group * NU_TREE_DEPTH + root. */
typedef struct merge_list {
  nu_merge *merges;
  size_t n;
} merge_list;

/* Threads of a group that spans nodes belong to none. */
#define NO_NODE SIZE_MAX
static size_t node_of_group(const numann_plan *plan, size_t group) {
  nu_range members = nu_plan_members(plan, group);
  size_t first = nu_plan_node(plan, members.begin);
  return nu_plan_node(plan, members.end - 1) == first ? first : NO_NODE;
}

/* A sum of groups that are all on one node is that node's business. Nodes are consecutive groups,
 * and the right subtree ends with the group that was pushed last. */
static void add_merge(const nu_engine *engine, size_t node, const nu_merge *merge,
                      size_t last_group, merge_list *on_node, merge_list *across) {
  const numann_plan *plan = engine->plan;
  size_t left =
      nu_plan_joins_on_nodes(plan) ? node_of_group(plan, merge->left / NU_TREE_DEPTH) : NO_NODE;
  if (left == NO_NODE || left != node_of_group(plan, last_group))
    across->merges[across->n++] = *merge;
  else if (left == node) on_node->merges[on_node->n++] = *merge;
}

/* The additions in order up to the root of the batch, which ends in slot 0, the engine's gradient:
 * those of one node, and those across nodes. */
static void list_merges(const nu_engine *engine, size_t rows, size_t node, merge_list *on_node,
                        merge_list *across) {
  size_t groups = engine->plan->groups;
  nu_tree tree = {.depth = 0};
  nu_merge merge;
  for (size_t group = 0; group < groups; group++) {
    nu_tree roots;
    find_roots(&roots, nu_plan_group_grains(engine->plan, rows, group));
    for (size_t r = 0; r < roots.depth; r++) {
      nu_node root = roots.nodes[r];
      nu_tree_push(&tree, (nu_node){root.level, root.index, group * NU_TREE_DEPTH + r});
      while (nu_tree_merge(&tree, &merge)) add_merge(engine, node, &merge, group, on_node, across);
    }
  }
  while (nu_tree_finish(&tree, &merge))
    add_merge(engine, node, &merge, groups - 1, on_node, across);
}

typedef struct join_job {
  const merge_list *list;
  const nu_update *update; /* NULL: none yet */
} join_job;

static void join_region(const nu_engine *engine, size_t thread, const region *at, const void *arg) {
  const join_job *job = arg;
  for (size_t i = 0; i < job->list->n; i++) {
    const nu_merge *merge = &job->list->merges[i];
    engine->kernels->add(size_of(at), root_at(engine, at, merge->left),
                         root_at(engine, at, merge->right));
  }
  if (job->update) update_region(engine, thread, at, root_at(engine, at, 0), job->update);
}

/* Which of how many threads share the layers. */
static void join_parts(const nu_engine *engine, size_t thread, nu_range sharers,
                       const join_job *job) {
  size_t step = engine->plan->blocks.inputs, n = sharers.end - sharers.begin;
  for (size_t l = 0; l < engine->n_layers; l++) {
    part mine = part_among(engine, l, n, thread - sharers.begin);
    for_each_region(engine, l, thread, mine, step, job->update, join_region, job);
  }
}

void nu_join_groups(const nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                    const nu_update *update) {
  const numann_plan *plan = engine->plan;
  nu_merge *merges = engine->threads[thread].merges;
  merge_list on_node = {merges, 0}, across = {merges + engine->most_merges, 0};
  size_t node = nu_plan_node(plan, thread);
  list_merges(engine, rows, node, &on_node, &across);
  if (nu_plan_joins_on_nodes(plan)) {
    join_parts(engine, thread, nu_plan_node_threads(plan, node), &(join_job){&on_node, NULL});
    nu_team_barrier(team);
  }
  join_parts(engine, thread, (nu_range){0, plan->threads}, &(join_job){&across, update});
}

/* ---- the whole gradient */

/* Floats of panel p of a layer. */
static size_t panel_floats(const nu_engine_layer *layer, size_t p) {
  return (layer->inputs + 1) * nu_panel_width(layer->neurons, p);
}

double nu_engine_norm(nu_engine *engine, nu_team *team, size_t thread) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    nu_range panels = nu_share(layer->panels, engine->plan->threads, thread);
    for (size_t p = panels.begin; p < panels.end; p++) {
      layer->panel_norms[p] = engine->kernels->square_sum(
          panel_floats(layer, p), layer->array[NU_GRADIENT] + p * layer->panel_size);
    }
  }
  nu_team_barrier(team);
  double sum = 0.0;
  for (size_t l = 0; l < engine->n_layers; l++) {
    for (size_t p = 0; p < engine->layers[l].panels; p++) sum += engine->layers[l].panel_norms[p];
  }
  return sqrt(sum);
}

static void take_step(const nu_engine *engine, size_t thread, const region *at, const void *arg) {
  update_region(engine, thread, at, at->layer->array[NU_GRADIENT] + offset_of(at), arg);
}

void nu_engine_update(nu_engine *engine, size_t thread, const nu_update *update) {
  size_t step = engine->plan->blocks.inputs;
  for (size_t l = 0; l < engine->n_layers; l++) {
    part mine = part_among(engine, l, engine->plan->threads, thread);
    for_each_region(engine, l, thread, mine, step, update, take_step, update);
  }
}

bool nu_engine_not_finite(const nu_engine *engine) {
  bool any = false;
  for (size_t t = 0; t < engine->plan->threads; t++) any |= engine->threads[t].not_finite;
  return any;
}
