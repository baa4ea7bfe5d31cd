/* The phases of a step, per thread. SPDX-License-Identifier: MIT
 *
 * What a thread does is a range of rows times a range of panels (plan/plan.h); the same code serves
 * every strategy. Threads that share rows meet between the layers, others only at the gradient. */
#include "trainer/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define P NU_PANEL

static void meet_on_rows(const nu_engine *engine, nu_team *team) {
  if (nu_plan_shares_rows(engine->plan)) nu_team_barrier(team);
}

/* A(l-1) of layer l: the inputs for the first. */
static const float *activations_below(const nu_engine *engine, size_t l, size_t *stride) {
  *stride = l ? engine->layers[l - 1].stride : engine->input_stride;
  return l ? engine->layers[l - 1].activations : engine->inputs;
}

/* ---- gather */

/* One-hot for classes; one output for two classes is 0 or 1. */
static void put_target(const nu_engine *engine, const nu_rows *data, size_t row, float *target) {
  size_t n = engine->outputs;
  if (!data->labels) {
    memcpy(target, data->targets + row * n, n * sizeof *target);
  } else if (n == 1) {
    target[0] = (float)data->labels[row];
  } else {
    memset(target, 0, n * sizeof *target);
    target[data->labels[row]] = 1.0f;
  }
}

void nu_engine_gather(nu_engine *engine, nu_team *team, size_t thread, const nu_rows *data,
                      const uint32_t *order, size_t first, size_t rows) {
  nu_range mine = nu_plan_my_own_rows(engine->plan, rows, thread);
  for (size_t i = mine.begin; i < mine.end; i++) {
    size_t row = order ? order[first + i] : first + i;
    memcpy(engine->inputs + i * engine->input_stride, data->inputs + row * engine->features,
           engine->features * sizeof(float));
    if (data->labels || data->targets) put_target(engine, data, row, engine->targets + i * engine->outputs);
  }
  meet_on_rows(engine, team);
}

/* ---- forward */

/* (3.8) Z(l) = [A(l-1) 1] [W(l) b(l)]^T on rows x panels     [B x n_l] = [B x (K + 1)] [(K + 1) x n_l] */
static void forward_layer(const nu_engine *engine, size_t l, nu_range rows, nu_range panels) {
  const nu_engine_layer *layer = &engine->layers[l];
  size_t below_stride, stride = layer->stride;
  const float *below = activations_below(engine, l, &below_stride) + rows.begin * below_stride;
  for (size_t p = panels.begin; p < panels.end; p++) {
    engine->kernels->chain(rows.end - rows.begin, layer->inputs + 1, below, below_stride, 1,
                           layer->array[NU_WEIGHTS] + p * layer->panel_size, P,
                           layer->activations + rows.begin * stride + p * P, stride, true);
  }
}

/* A(l) = f(Z(l)) in place; the owner of the last panel puts back the 1 that its padding held. */
static void activate_layer(const nu_engine *engine, size_t l, nu_range rows, nu_range panels) {
  const nu_engine_layer *layer = &engine->layers[l];
  for (size_t i = rows.begin; i < rows.end; i++) {
    float *row = layer->activations + i * layer->stride;
    engine->kernels->activate(layer->activation, (panels.end - panels.begin) * P,
                              row + panels.begin * P);
    if (panels.end == layer->panels) row[layer->neurons] = 1.0f;
  }
}

void nu_engine_forward(nu_engine *engine, nu_team *team, size_t thread, size_t rows) {
  nu_range my_rows = nu_plan_my_rows(engine->plan, rows, thread);
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_range panels = nu_plan_my_panels(engine->plan, engine->layers[l].panels, thread);
    if (panels.begin < panels.end) {
      forward_layer(engine, l, my_rows, panels);
      if (l + 1 < engine->n_layers) activate_layer(engine, l, my_rows, panels);
    }
    meet_on_rows(engine, team);
  }
}

void nu_engine_output(nu_engine *engine, size_t thread, size_t rows, bool targets) {
  const nu_engine_layer *layer = &engine->layers[engine->n_layers - 1];
  nu_range mine = nu_plan_my_own_rows(engine->plan, rows, thread);
  for (size_t i = mine.begin; i < mine.end; i++) {
    engine->row_loss[i] = engine->kernels->output(
        layer->activation, engine->loss, layer->neurons, layer->activations + i * layer->stride,
        targets ? engine->targets + i * engine->outputs : NULL,
        layer->deltas ? layer->deltas + i * layer->stride : NULL, engine->threads[thread].scratch);
  }
}

/* ---- delta */

/* (4.3) D(l) = (D(l+1) W(l+1)) * f'(Z(l)) on rows x panels   [B x n_l] = [B x n_(l+1)] [n_(l+1) x n_l]
 * A panel of layer l is a stripe of inputs of layer l + 1, transposed once for all rows. */
static void delta_layer(const nu_engine *engine, size_t l, nu_range rows, nu_range panels,
                        float *stripe) {
  const nu_engine_layer *layer = &engine->layers[l], *above = layer + 1;
  size_t stride = layer->stride;
  for (size_t p = panels.begin; p < panels.end; p++) {
    nu_transpose_stripe(above->inputs, above->neurons, above->array[NU_WEIGHTS], p, stripe);
    engine->kernels->chain(rows.end - rows.begin, above->neurons,
                           above->deltas + rows.begin * above->stride, above->stride, 1, stripe, P,
                           layer->deltas + rows.begin * stride + p * P, stride, true);
  }
  size_t first = panels.begin * P, n = (panels.end - panels.begin) * P;
  for (size_t i = rows.begin; i < rows.end; i++) {
    engine->kernels->derive(layer->activation, n, layer->activations + i * stride + first,
                            layer->deltas + i * stride + first);
  }
}

/* ---- gradient and tree */

/* A block of a layer's gradient: inputs [begin, end) of one panel. */
typedef struct region {
  size_t layer, panel;
  nu_range inputs;
} region;

/* Where slot s of the region lies: final roots in their block, what is still on the way in scratch. */
static float *slot_of(const nu_engine *engine, size_t thread, const region *at, size_t s) {
  const nu_engine_layer *layer = &engine->layers[at->layer];
  const nu_engine_thread *mine = &engine->threads[thread];
  float *place = layer->array[NU_GRADIENT] + at->panel * layer->panel_size + at->inputs.begin * P;
  if (s == 0 && mine->n_roots == 0) return place;
  if (s < mine->n_roots) return mine->roots[s] + (place - engine->gradient);
  return mine->scratch + s * NU_REGION_INPUTS * P;
}

static void merge_region(const nu_engine *engine, size_t thread, const region *at, nu_merge merge) {
  engine->kernels->add((at->inputs.end - at->inputs.begin) * P,
                       slot_of(engine, thread, at, merge.left),
                       slot_of(engine, thread, at, merge.right));
}

/* (4.12) G(l) = D(l)^T [A(l-1) 1], one chain over the rows of each grain, grains joined in the tree:
 *        [panel inputs x P] = [rows x inputs]^T [rows x P] */
static void gradient_region(const nu_engine *engine, size_t thread, const region *at, size_t rows,
                            nu_range grains) {
  const nu_engine_layer *layer = &engine->layers[at->layer];
  size_t below_stride;
  const float *below = activations_below(engine, at->layer, &below_stride);
  nu_tree tree = {.depth = 0};
  nu_merge merge;
  for (size_t g = grains.begin; g < grains.end; g++) {
    nu_range r = nu_plan_grain_rows(engine->plan, rows, (nu_range){g, g + 1});
    engine->kernels->chain(at->inputs.end - at->inputs.begin, r.end - r.begin,
                           below + r.begin * below_stride + at->inputs.begin, 1, below_stride,
                           layer->deltas + r.begin * layer->stride + at->panel * P, layer->stride,
                           slot_of(engine, thread, at, tree.depth), P, true);
    nu_tree_push(&tree, (nu_node){0, g, tree.depth});
    while (nu_tree_merge(&tree, &merge)) merge_region(engine, thread, at, merge);
  }
  if (engine->threads[thread].n_roots) return; /* samples: the roots are joined by all threads */
  while (nu_tree_finish(&tree, &merge)) merge_region(engine, thread, at, merge);
}

static void gradient_layer(const nu_engine *engine, size_t l, size_t thread, size_t rows) {
  const nu_engine_layer *layer = &engine->layers[l];
  nu_range panels = nu_plan_my_panels(engine->plan, layer->panels, thread);
  nu_range grains = nu_plan_my_grains(engine->plan, rows, thread);
  size_t inputs = layer->inputs + 1;
  for (size_t p = panels.begin; p < panels.end; p++) {
    for (size_t i = 0; i < inputs; i += NU_REGION_INPUTS) {
      size_t end = i + NU_REGION_INPUTS < inputs ? i + NU_REGION_INPUTS : inputs;
      gradient_region(engine, thread, &(region){l, p, {i, end}}, rows, grains);
    }
  }
}

/* Which subtree roots the grains of a thread left: the tree's own bookkeeping, without the sums. */
static nu_tree roots_of(nu_range grains) {
  nu_tree tree = {.depth = 0};
  nu_merge merge;
  for (size_t g = grains.begin; g < grains.end; g++) {
    nu_tree_push(&tree, (nu_node){0, g, tree.depth});
    while (nu_tree_merge(&tree, &merge)) continue;
  }
  return tree;
}

/* Add right to left, slots being thread * NU_TREE_DEPTH + root, on this thread's share of all
 * parameters. */
static void merge_share(const nu_engine *engine, size_t thread, nu_merge merge) {
  nu_range share = nu_share(engine->gradient_size / P, engine->plan->threads, thread);
  float *left = engine->threads[merge.left / NU_TREE_DEPTH].roots[merge.left % NU_TREE_DEPTH];
  const float *right = engine->threads[merge.right / NU_TREE_DEPTH].roots[merge.right % NU_TREE_DEPTH];
  engine->kernels->add((share.end - share.begin) * P, left + share.begin * P, right + share.begin * P);
}

/* Join the roots of all threads, in order, up to the root of the batch, which ends in the engine's
 * gradient: slot 0 of thread 0. */
static void join_roots(const nu_engine *engine, size_t thread, size_t rows) {
  nu_tree tree = {.depth = 0};
  nu_merge merge;
  for (size_t t = 0; t < engine->plan->threads; t++) {
    nu_tree part = roots_of(nu_plan_my_grains(engine->plan, rows, t));
    for (size_t r = 0; r < part.depth; r++) {
      nu_node node = part.nodes[r];
      nu_tree_push(&tree, (nu_node){node.level, node.index, t * NU_TREE_DEPTH + r});
      while (nu_tree_merge(&tree, &merge)) merge_share(engine, thread, merge);
    }
  }
  while (nu_tree_finish(&tree, &merge)) merge_share(engine, thread, merge);
}

/* The rows of this thread, layer by layer: the gradient of layer l + 1 comes after the delta of layer
 * l, as the engine of fused updates will need it. */
void nu_engine_backward(nu_engine *engine, nu_team *team, size_t thread, size_t rows) {
  nu_range my_rows = nu_plan_my_rows(engine->plan, rows, thread);
  meet_on_rows(engine, team);
  for (size_t l = engine->n_layers; l-- > 0;) {
    if (l > 0) {
      nu_range panels = nu_plan_my_panels(engine->plan, engine->layers[l - 1].panels, thread);
      if (panels.begin < panels.end) {
        delta_layer(engine, l - 1, my_rows, panels, engine->threads[thread].scratch);
      }
    }
    meet_on_rows(engine, team);
    gradient_layer(engine, l, thread, rows);
  }
  nu_team_barrier(team);
  if (engine->plan->strategy == NU_SAMPLES) {
    join_roots(engine, thread, rows);
    nu_team_barrier(team);
  }
}

/* ---- update */

/* This thread's panels of a layer, whatever the strategy: the update is split by panels. */
static nu_range update_panels(const nu_engine *engine, size_t l, size_t thread) {
  return nu_share(engine->layers[l].panels, engine->plan->threads, thread);
}

double nu_engine_norm(nu_engine *engine, nu_team *team, size_t thread) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    nu_range panels = update_panels(engine, l, thread);
    for (size_t p = panels.begin; p < panels.end; p++) {
      layer->panel_norms[p] = engine->kernels->square_sum(
          layer->panel_size, layer->array[NU_GRADIENT] + p * layer->panel_size);
    }
  }
  nu_team_barrier(team);
  double sum = 0.0;
  for (size_t l = 0; l < engine->n_layers; l++) {
    for (size_t p = 0; p < engine->layers[l].panels; p++) sum += engine->layers[l].panel_norms[p];
  }
  return sqrt(sum);
}

static bool update_rows(const nu_engine *engine, const nu_engine_layer *layer,
                        const nu_update *update, size_t offset, size_t n) {
  float *m1 = layer->array[NU_MOMENT1], *m2 = layer->array[NU_MOMENT2];
  return engine->kernels->update(update, n, layer->array[NU_WEIGHTS] + offset,
                                 layer->array[NU_GRADIENT] + offset, m1 ? m1 + offset : NULL,
                                 m2 ? m2 + offset : NULL);
}

void nu_engine_update(nu_engine *engine, size_t thread, const nu_update *update) {
  nu_update bias_update = *update;
  bias_update.decay = 0.0f;
  bool is_finite = true;
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    nu_range panels = update_panels(engine, l, thread);
    for (size_t p = panels.begin; p < panels.end; p++) {
      size_t at = p * layer->panel_size, weights = layer->inputs * P;
      is_finite &= update_rows(engine, layer, update, at, weights);
      is_finite &= update_rows(engine, layer, &bias_update, at + weights, P);
    }
  }
  engine->threads[thread].not_finite = !is_finite;
}

bool nu_engine_not_finite(const nu_engine *engine) {
  bool any = false;
  for (size_t t = 0; t < engine->plan->threads; t++) any |= engine->threads[t].not_finite;
  return any;
}

/* ---- one batch, for gradcheck and tests */

typedef struct one_batch {
  nu_engine *engine;
  nu_rows data;
} one_batch;

static void run_one_batch(nu_team *team, size_t thread, void *arg) {
  one_batch *batch = arg;
  nu_engine *engine = batch->engine;
  nu_engine_gather(engine, team, thread, &batch->data, NULL, 0, batch->data.rows);
  nu_engine_forward(engine, team, thread, batch->data.rows);
  nu_engine_output(engine, thread, batch->data.rows, true);
  nu_engine_backward(engine, team, thread, batch->data.rows);
}

numann_status nu_engine_gradient(const numann_network *network, const numann_plan *plan,
                                 size_t rows, const float *inputs, const float *targets,
                                 float *gradient, numann_error *err) {
  nu_engine engine;
  NU_TRY(nu_engine_create(&engine, network, plan, rows, true, err));
  union {
    const float *from;
    float *to;
  } x = {inputs}, t = {targets}; /* nu_rows owns elsewhere; here it only borrows */
  one_batch batch = {&engine, {.rows = rows, .inputs = x.to, .targets = t.to}};
  numann_status status = nu_team_run(plan->threads, run_one_batch, &batch, err);
  if (status == NUMANN_OK) nu_engine_store(&engine, NU_GRADIENT, gradient);
  nu_engine_clear(&engine);
  return status;
}
