/* SPDX-License-Identifier: MIT
 *
 * A gradient is formed region by region, a few inputs of one panel, so that the sums on their way
 * through the tree stay in the first-level cache. In one group of threads the root of a region ends
 * its way there: the optimiser takes it, and no gradient buffer exists (fused), or it goes into the
 * engine's gradient. In several groups each leaves the roots of its subtrees, which join.c adds up.
 * */
#include "trainer/gradient.h"

#include <math.h>

#include "trainer/step.h"

#define P NU_PANEL

/* ---- update */

static nu_update update_of(const nu_region *at, const nu_update *update) {
  nu_update own = *update;
  if (at->inputs.begin >= nu_layer_decayed(at->layer->shape)) own.decay = 0.0f;
  return own;
}

static void arrays_of(const nu_region *at, float *arrays[NU_MOST_ARRAYS]) {
  for (size_t i = 0; i < NU_MOST_ARRAYS; i++) {
    float *array = at->layer->array[NU_FIRST_ARRAY + i];
    arrays[i] = array ? array + nu_region_offset(at) : NULL;
  }
}

void nu_update_region(const nu_engine *engine, size_t thread, const nu_region *at, const float *G,
                      const nu_update *update) {
  nu_update own = update_of(at, update);
  float *arrays[NU_MOST_ARRAYS], *w = at->layer->array[NU_WEIGHTS] + nu_region_offset(at);
  arrays_of(at, arrays);
  bool is_finite = engine->kernels->update(&own, nu_region_size(at), w, G, arrays);
  nu_publish_weights(engine, at->layer, at->panel, at->inputs);
  engine->threads[thread].not_finite |= !is_finite;
}

/* ---- regions */

/* Rows of tiles stay whole, and a short rest joins the last region. */
static size_t region_end(const nu_engine_layer *layer, size_t step, size_t begin, size_t most,
                         bool decays) {
  size_t end = most - begin < step + step / 4 ? most : begin + step,
         decayed = nu_layer_decayed(layer->shape);
  bool mixed = begin < decayed && end > decayed;
  return mixed && decays ? decayed : end;
}

/* The regions that pass together, of one panel; returns the end of their inputs. */
static size_t for_regions_together(const nu_engine *engine, size_t thread, nu_region at,
                                   size_t step, size_t most, bool decays, nu_region_fn *fn,
                                   const void *arg) {
  for (; at.together < at.layer->together && at.inputs.begin < most;
       at.together++, at.inputs.begin = at.inputs.end) {
    at.inputs.end = region_end(at.layer, step, at.inputs.begin, most, decays);
    fn(engine, thread, &at, arg);
  }
  return at.inputs.end;
}

void nu_for_each_region(const nu_engine *engine, size_t l, size_t thread, nu_part part, size_t step,
                        const nu_update *update, nu_region_fn *fn, const void *arg) {
  const nu_engine_layer *layer = &engine->layers[l];
  bool decays = update && update->decay != 0.0f;
  size_t begin = part.inputs.begin, end = begin;
  for (; begin < part.inputs.end && part.panels.begin < part.panels.end; begin = end) {
    for (size_t p = part.panels.begin; p < part.panels.end; p++) {
      nu_region at = {layer, p, nu_panel_width(layer->neurons, p), {begin, begin}, 0};
      end = for_regions_together(engine, thread, at, step, part.inputs.end, decays, fn, arg);
    }
  }
}

/* ---- the grains of a chunk */

typedef struct gradient_job {
  size_t l;
  const nu_chunk *chunk;
  nu_part mine;            /* the thread's */
  const nu_tree *before;   /* what earlier chunks of the batch left */
  bool closes;             /* the batch's last chunk, of the only group */
  const nu_update *update; /* NULL: not fused */
} gradient_job;

/* Slot s of the region's tree: in the group's roots what may outlive the chunk, else in scratch. */
static float *slot_of(const nu_engine *engine, size_t thread, const nu_region *at, size_t s) {
  const nu_engine_group *group =
      engine->groups ? &engine->groups[nu_plan_group(engine->plan, thread)] : NULL;
  if (group && s < group->n_roots) return group->roots[s] + nu_region_in_gradient(engine, at);
  return engine->threads[thread].scratch + s * nu_plan_region_inputs(engine->plan) * P;
}

/* One sum over the rows of each grain, formed by the layer's kind; grains are joined in the tree.
 * */
static void gradient_region(const nu_engine *engine, size_t thread, const nu_region *at,
                            const void *arg) {
  const gradient_job *job = arg;
  const nu_chunk *chunk = job->chunk;
  size_t slots[NU_TREE_DEPTH];
  const float *left[NU_TREE_DEPTH];
  const nu_engine_layer *layer = at->layer;
  nu_tree tree;
  nu_tree_copy(&tree, job->before);
  nu_update update = job->update ? update_of(at, job->update) : (nu_update){0};
  nu_target target = {.update = &update,
                      .w = layer->array[NU_WEIGHTS] + nu_region_offset(at),
                      .not_finite = &engine->threads[thread].not_finite};
  arrays_of(at, target.arrays);
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
    nu_grain grain = {.l = job->l,
                      .panel = at->panel,
                      .my_panel = at->panel - job->mine.panels.begin,
                      .inputs = at->inputs,
                      .first = at->inputs.begin == job->mine.inputs.begin,
                      .together = at->together,
                      .held = {held, held + rows.end - rows.begin},
                      .in_chunk = g - chunk->grains.begin,
                      .chain = &chain};
    size_t slot = tree.depth;
    chain.n_left = nu_tree_push_grain(&tree, g, closes, slots);
    for (size_t i = 0; i < chain.n_left; i++) {
      slot = slots[i];
      left[i] = slot_of(engine, thread, at, slot);
    }
    chain.out = closes && !job->update ? layer->array[NU_GRADIENT] + nu_region_offset(at)
                                       : slot_of(engine, thread, at, slot);
    if (closes && job->update) chain.target = &target;
    layer->shape->kind->grain(engine, thread, &grain);
  }
  if (job->closes && job->update) nu_publish_weights(engine, layer, at->panel, at->inputs);
}

void nu_gradient_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk,
                       const nu_update *update) {
  const nu_plan *plan = engine->plan;
  const nu_engine_layer *layer = &engine->layers[l];
  if (layer->rows == 0) return;
  size_t first = nu_plan_group_grains(plan, chunk->batch, nu_plan_group(plan, thread)).begin;
  nu_part mine = nu_plan_part(plan, layer->shape, NU_LEVEL_GROUP, thread);
  nu_tree before;
  nu_tree_of(&before, first, chunk->grains.begin);
  gradient_job job = {
      l,     chunk, mine, &before, chunk->last && plan->groups == 1 && nu_plan_ranks(plan) == 1,
      update};
  /* nothing of a batch of one row waits in a tree: if nothing is packed, regions are whole panels
   * */
  bool whole = chunk->batch == 1 && !layer->packed;
  size_t step = whole ? SIZE_MAX / 2 : plan->blocks.inputs;
  nu_for_each_region(engine, l, thread, mine, step, update, gradient_region, &job);
}

/* ---- the whole gradient */

double nu_engine_dot(nu_engine *engine, nu_team *team, size_t thread, size_t a, size_t b,
                     bool decayed) {
  nu_team_barrier(team); /* both arrays are written, and the last sums read */
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    nu_range panels = nu_share(layer->panels, engine->plan->threads, thread);
    size_t rows = decayed ? nu_layer_decayed(layer->shape) : layer->rows;
    for (size_t p = panels.begin; rows && p < panels.end; p++) {
      size_t n = rows * nu_panel_width(layer->neurons, p), at = p * layer->panel_size;
      layer->panel_norms[p] = engine->kernels->dot(n, layer->array[a] + at, layer->array[b] + at);
    }
  }
  nu_team_barrier(team);
  double sum = 0.0;
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    size_t rows = decayed ? nu_layer_decayed(layer->shape) : layer->rows;
    for (size_t p = 0; rows && p < layer->panels; p++) sum += layer->panel_norms[p];
  }
  return sum;
}

double nu_engine_norm(nu_engine *engine, nu_team *team, size_t thread) {
  return sqrt(nu_engine_dot(engine, team, thread, NU_GRADIENT, NU_GRADIENT, false));
}

static void take_step(const nu_engine *engine, size_t thread, const nu_region *at,
                      const void *arg) {
  nu_update_region(engine, thread, at, at->layer->array[NU_GRADIENT] + nu_region_offset(at), arg);
}

void nu_engine_update(nu_engine *engine, size_t thread, const nu_update *update) {
  size_t step = engine->plan->blocks.inputs;
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_part mine = nu_plan_part(engine->plan, engine->layers[l].shape, NU_LEVEL_HOST, thread);
    nu_for_each_region(engine, l, thread, mine, step, update, take_step, update);
  }
}

bool nu_engine_not_finite(const nu_engine *engine) {
  bool any = engine->ranks.not_finite;
  for (size_t t = 0; t < engine->plan->threads; t++) any |= engine->threads[t].not_finite;
  return any;
}
