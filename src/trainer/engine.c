/* The engine's memory: layers in engine form, rows of a batch, scratch of the threads.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/step.h"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Floats that the largest user of a thread's scratch needs. */
static size_t scratch_size(const nu_engine *engine, nu_engine_use use) {
  size_t size = nu_output_scratch(engine->outputs);
  if (use <= NU_ENGINE_PREDICT) return size;
  return larger(size, larger(nu_gradient_scratch(engine), nu_product_scratch(engine)));
}

/* Every activation row carries a 1 behind its features, the input of the bias (3.8). */
static void set_ones(float *rows, size_t n, size_t stride, size_t features) {
  for (size_t i = 0; i < n; i++) rows[i * stride + features] = 1.0f;
}

static void set_all_ones(nu_engine *engine) {
  set_ones(engine->inputs, engine->rows, engine->input_stride, engine->features);
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    set_ones(layer->activations, engine->rows, layer->stride, layer->neurons);
  }
  nu_narrow_ones(engine);
}

/* ---- allocations; false when one is refused */

static size_t layer_floats(const nu_engine *engine, const nu_engine_layer *layer) {
  return nu_plan_layer_floats(engine->plan, layer->inputs, layer->neurons);
}

/* A layer's parameters, or something of each of them. */
static float *create_array(nu_engine *engine, nu_buffer_kind kind, size_t l, size_t of) {
  return nu_engine_alloc(engine, kind, l, of, layer_floats(engine, &engine->layers[l]),
                         sizeof(float));
}

static float *create_rows(nu_engine *engine, nu_buffer_kind kind, size_t l, size_t stride) {
  return nu_engine_alloc(engine, kind, l, 0, engine->rows * stride, sizeof(float));
}

static bool create_weights(nu_engine *engine, size_t l) {
  nu_engine_layer *layer = &engine->layers[l];
  for (size_t r = 0; r < engine->replicas; r++) {
    layer->replicas[r] = create_array(engine, NU_BUFFER_WEIGHTS, l, r);
    if (!layer->replicas[r]) return false;
  }
  layer->array[NU_WEIGHTS] = layer->replicas[0];
  return true;
}

static bool create_layer(nu_engine *engine, size_t l, const nu_layer *from, nu_engine_use use) {
  nu_engine_layer *layer = &engine->layers[l];
  layer->inputs = from->inputs;
  layer->neurons = from->neurons;
  layer->activation = from->activation;
  layer->panels = nu_panels(from->neurons);
  layer->panel_size = nu_plan_panel_floats(engine->plan, from->inputs);
  layer->stride = nu_stride(from->neurons);
  if (use != NU_ENGINE_BORROW && !create_weights(engine, l)) return false;
  layer->activations = create_rows(engine, NU_BUFFER_ACTIVATIONS, l, layer->stride);
  if (use <= NU_ENGINE_PREDICT) return layer->activations;
  layer->deltas = create_rows(engine, NU_BUFFER_DELTAS, l, layer->stride);
  layer->panel_norms = nu_alloc(layer->panels, sizeof(double));
  return layer->activations && layer->deltas && layer->panel_norms;
}

static bool create_layers(nu_engine *engine, const numann_network *network, nu_engine_use use) {
  engine->layers = nu_alloc(network->n_layers, sizeof *engine->layers);
  if (!engine->layers) return false;
  engine->n_layers = network->n_layers;
  for (size_t l = 0; l < network->n_layers; l++) {
    if (!create_layer(engine, l, &network->layers[l], use)) return false;
  }
  return true;
}

static bool create_batch(nu_engine *engine) {
  engine->inputs = create_rows(engine, NU_BUFFER_INPUTS, 0, engine->input_stride);
  engine->targets = create_rows(engine, NU_BUFFER_TARGETS, 0, nu_padded(engine->outputs));
  engine->row_loss = nu_alloc(engine->plan->batch, sizeof(double));
  return engine->inputs && engine->targets && engine->row_loss;
}

static size_t most_roots(const nu_engine *engine) {
  const numann_plan *plan = engine->plan;
  return larger(nu_gradient_roots(plan, plan->batch), nu_gradient_roots(plan, plan->last_batch));
}

/* What a group's grains leave is as large as the whole gradient, each. */
static bool create_group(nu_engine *engine, size_t g, size_t n) {
  nu_engine_group *group = &engine->groups[g];
  group->roots = nu_alloc(n, sizeof *group->roots);
  if (!group->roots) return false;
  group->n_roots = n;
  for (size_t r = 0; r < n; r++) {
    group->roots[r] =
        nu_engine_alloc(engine, NU_BUFFER_ROOT, 0, g * n + r, engine->gradient_size, sizeof(float));
    if (!group->roots[r]) return false;
  }
  return true;
}

static bool create_groups(nu_engine *engine) {
  size_t groups = engine->plan->groups, n = larger(most_roots(engine), 1);
  engine->groups = nu_alloc(groups, sizeof *engine->groups);
  engine->most_merges = groups * n + 1;
  if (!engine->groups) return false;
  for (size_t g = 0; g < groups; g++) {
    if (!create_group(engine, g, n)) return false;
  }
  for (size_t t = 0; t < engine->plan->threads; t++) {
    nu_engine_thread *thread = &engine->threads[t];
    thread->merges = nu_alloc(2 * engine->most_merges, sizeof *thread->merges);
    if (!thread->merges) return false;
  }
  engine->gradient = engine->groups[0].roots[0];
  return true;
}

static bool create_gradient(nu_engine *engine, bool several) {
  for (size_t l = 0; l < engine->n_layers; l++)
    engine->gradient_size += layer_floats(engine, &engine->layers[l]);
  if (several && !create_groups(engine)) return false;
  if (!several)
    engine->gradient =
        nu_engine_alloc(engine, NU_BUFFER_GRADIENT, 0, 0, engine->gradient_size, sizeof(float));
  float *next = engine->gradient;
  for (size_t l = 0; l < engine->n_layers && next; l++) {
    engine->layers[l].array[NU_GRADIENT] = next;
    next += layer_floats(engine, &engine->layers[l]);
  }
  return engine->gradient != NULL;
}

static bool create_threads(nu_engine *engine, nu_engine_use use) {
  size_t size = scratch_size(engine, use);
  engine->threads = nu_alloc(engine->plan->threads, sizeof *engine->threads);
  if (!engine->threads) return false;
  for (size_t t = 0; t < engine->plan->threads; t++) {
    engine->threads[t].scratch =
        nu_engine_alloc(engine, NU_BUFFER_SCRATCH, 0, t, size, sizeof(float));
    if (!engine->threads[t].scratch) return false;
  }
  return true;
}

static bool create(nu_engine *engine, const numann_network *network, nu_engine_use use) {
  bool several = engine->plan->groups > 1 || nu_plan_chunks(engine->plan, engine->plan->batch) > 1;
  bool trains = use > NU_ENGINE_PREDICT, gradient = trains && (use != NU_ENGINE_FUSED || several);
  return nu_engine_seat(engine) && create_layers(engine, network, use) && create_batch(engine) &&
         create_threads(engine, use) && nu_create_pairs(engine) &&
         (!trains || nu_create_packed(engine)) && (!gradient || create_gradient(engine, several));
}

/* Bytes of the largest arrays, for the message when memory is refused. */
static size_t rough_size(const nu_engine *engine, const numann_network *network) {
  return sizeof(float) * (engine->rows * engine->input_stride + 2 * network->n_parameters);
}

numann_status nu_engine_create(nu_engine *engine, const numann_network *network,
                               const numann_plan *plan, nu_engine_use use, numann_error *err) {
  size_t features = network->layers[0].inputs;
  *engine = (nu_engine){.plan = plan,
                        .network = network,
                        .loss = network->loss,
                        .rows = nu_plan_held(plan, plan->batch),
                        .features = features,
                        .input_stride = nu_stride(features),
                        .pairs = plan->precision == NU_BF16,
                        .replicas = nu_plan_replicas(plan),
                        .outputs = network->layers[network->n_layers - 1].neurons};
  NU_TRY(nu_kernels_choose(&engine->kernels, err));
  numann_status status =
      create(engine, network, use)
          ? nu_engine_touch(engine, err)
          : nu_fail_memory(err, rough_size(engine, network), "the batch and its gradients");
  if (status != NUMANN_OK) {
    nu_engine_clear(engine);
    return status;
  }
  set_all_ones(engine);
  if (use != NU_ENGINE_BORROW) nu_engine_load(engine, NU_WEIGHTS, network->parameters);
  return NUMANN_OK;
}

/* The same panels apart as there, wherever this engine's own memory lies. */
void nu_engine_lend(nu_engine *to, const nu_engine *from) {
  to->replicas = from ? from->replicas : 1;
  for (size_t l = 0; l < to->n_layers; l++) {
    nu_engine_layer *layer = &to->layers[l];
    if (from) layer->panel_size = from->layers[l].panel_size;
    for (size_t r = 0; r < to->replicas; r++)
      layer->replicas[r] = from ? from->layers[l].replicas[r] : NULL;
    layer->array[NU_WEIGHTS] = layer->replicas[0];
  }
}

void nu_engine_clear(nu_engine *engine) {
  for (size_t l = 0; engine->layers && l < engine->n_layers; l++)
    free(engine->layers[l].panel_norms);
  for (size_t t = 0; engine->threads && t < engine->plan->threads; t++)
    free(engine->threads[t].merges);
  for (size_t g = 0; engine->groups && g < engine->plan->groups; g++) free(engine->groups[g].roots);
  nu_engine_free(engine);
  free(engine->groups);
  free(engine->layers);
  free(engine->threads);
  free(engine->row_loss);
  *engine = (nu_engine){.plan = engine->plan};
}

numann_status nu_engine_add(nu_engine *engine, nu_array array, numann_error *err) {
  nu_buffer_kind kind = array == NU_MOMENT1 ? NU_BUFFER_MOMENT1 : NU_BUFFER_MOMENT2;
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    layer->array[array] = create_array(engine, kind, l, 0);
    if (!layer->array[array])
      return nu_fail_memory(err, layer_floats(engine, layer) * sizeof(float),
                            "the optimiser's state");
  }
  return nu_engine_touch(engine, err);
}

void nu_engine_load(nu_engine *engine, nu_array array, const float *block) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    const float *biases = block + layer->neurons * layer->inputs;
    nu_to_engine(layer->inputs, layer->neurons, layer->panel_size, block, biases,
                 layer->array[array]);
    block = biases + layer->neurons;
  }
  if (array == NU_WEIGHTS) nu_publish_all_weights(engine);
}

void nu_engine_store(const nu_engine *engine, nu_array array, float *block) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    float *biases = block + layer->neurons * layer->inputs;
    nu_from_engine(layer->inputs, layer->neurons, layer->panel_size, layer->array[array], block,
                   biases);
    block = biases + layer->neurons;
  }
}
