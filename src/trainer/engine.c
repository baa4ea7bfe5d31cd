/* The engine's memory: layers in engine form, scratch of the threads. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/step.h"

#define P NU_PANEL

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Floats that the largest user of a thread's scratch needs. */
static size_t scratch_size(const nu_engine *engine, nu_engine_use use) {
  size_t size = nu_output_scratch(engine->outputs);
  if (use <= NU_ENGINE_PREDICT) return size;
  return larger(size, larger(nu_gradient_scratch(engine), nu_product_scratch(engine)));
}

static size_t engine_size(const nu_engine_layer *layer) {
  return nu_engine_size(layer->inputs, layer->neurons);
}

/* Every activation row carries a 1 behind its features, the input of the bias (3.8). */
static void set_ones(float *rows, size_t n, size_t stride, size_t features) {
  for (size_t i = 0; i < n; i++) rows[i * stride + features] = 1.0f;
}

static bool create_layer(nu_engine_layer *layer, const nu_layer *from, size_t rows, nu_engine_use use) {
  layer->inputs = from->inputs;
  layer->neurons = from->neurons;
  layer->activation = from->activation;
  layer->panels = nu_panels(from->neurons);
  layer->panel_size = (from->inputs + 1) * P;
  layer->stride = nu_stride(from->neurons);
  if (use != NU_ENGINE_BORROW) layer->array[NU_WEIGHTS] = nu_alloc(engine_size(layer), sizeof(float));
  layer->activations = nu_alloc(rows * layer->stride, sizeof(float));
  if (layer->activations) set_ones(layer->activations, rows, layer->stride, layer->neurons);
  if (use > NU_ENGINE_PREDICT) {
    layer->deltas = nu_alloc(rows * layer->stride, sizeof(float));
    layer->panel_norms = nu_alloc(layer->panels, sizeof(double));
    if (!layer->deltas || !layer->panel_norms) return false;
  }
  return (layer->array[NU_WEIGHTS] || use == NU_ENGINE_BORROW) && layer->activations;
}

static bool create_gradient(nu_engine *engine) {
  for (size_t l = 0; l < engine->n_layers; l++) engine->gradient_size += engine_size(&engine->layers[l]);
  engine->gradient = nu_alloc(engine->gradient_size, sizeof(float));
  float *next = engine->gradient;
  for (size_t l = 0; l < engine->n_layers && next; l++) {
    engine->layers[l].array[NU_GRADIENT] = next;
    next += engine_size(&engine->layers[l]);
  }
  return engine->gradient != NULL;
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
    bool root_of_all = g == 0 && r == 0;
    group->roots[r] = root_of_all ? engine->gradient : nu_alloc(engine->gradient_size, sizeof(float));
    if (!group->roots[r]) return false;
  }
  return true;
}

static bool create_groups(nu_engine *engine) {
  size_t groups = engine->plan->groups, n = most_roots(engine);
  engine->groups = nu_alloc(groups, sizeof *engine->groups);
  if (!engine->groups) return false;
  for (size_t g = 0; g < groups; g++) {
    if (!create_group(engine, g, n)) return false;
  }
  for (size_t t = 0; t < engine->plan->threads; t++) {
    nu_engine_thread *thread = &engine->threads[t];
    thread->merges = nu_alloc(groups * n + 1, sizeof *thread->merges);
    if (!thread->merges) return false;
  }
  return true;
}

static bool create_threads(nu_engine *engine, nu_engine_use use) {
  size_t size = scratch_size(engine, use);
  engine->threads = nu_alloc(engine->plan->threads, sizeof *engine->threads);
  if (!engine->threads) return false;
  for (size_t t = 0; t < engine->plan->threads; t++) {
    engine->threads[t].scratch = nu_alloc(size, sizeof(float));
    if (!engine->threads[t].scratch) return false;
  }
  return true;
}

static bool create(nu_engine *engine, const numann_network *network, nu_engine_use use) {
  engine->layers = nu_alloc(network->n_layers, sizeof *engine->layers);
  if (!engine->layers) return false;
  engine->n_layers = network->n_layers;
  for (size_t l = 0; l < network->n_layers; l++) {
    if (!create_layer(&engine->layers[l], &network->layers[l], engine->rows, use)) return false;
  }
  engine->inputs = nu_alloc(engine->rows * engine->input_stride, sizeof(float));
  engine->targets = nu_alloc(engine->rows * nu_padded(engine->outputs), sizeof(float));
  engine->row_loss = nu_alloc(engine->plan->batch, sizeof(double));
  if (!engine->inputs || !engine->targets || !engine->row_loss) return false;
  set_ones(engine->inputs, engine->rows, engine->input_stride, engine->features);
  if (!create_threads(engine, use) || !nu_create_pairs(engine)) return false;
  if (use > NU_ENGINE_PREDICT && !nu_create_packed(engine)) return false;
  bool several = engine->plan->groups > 1 || nu_plan_chunks(engine->plan, engine->plan->batch) > 1;
  if (use <= NU_ENGINE_PREDICT || (use == NU_ENGINE_FUSED && !several)) return true;
  return create_gradient(engine) && (!several || create_groups(engine));
}

/* Bytes of the largest arrays, for the message when memory is refused. */
static size_t rough_size(const nu_engine *engine, const numann_network *network) {
  return sizeof(float) * (engine->rows * engine->input_stride + 2 * network->n_parameters);
}

numann_status nu_engine_create(nu_engine *engine, const numann_network *network,
                               const numann_plan *plan, nu_engine_use use, numann_error *err) {
  size_t features = network->layers[0].inputs;
  *engine = (nu_engine){.plan = plan,
                        .loss = network->loss,
                        .rows = nu_plan_held(plan, plan->batch),
                        .features = features,
                        .input_stride = nu_stride(features),
                        .pairs = plan->precision == NU_BF16,
                        .outputs = network->layers[network->n_layers - 1].neurons};
  NU_TRY(nu_kernels_choose(&engine->kernels, err));
  if (!create(engine, network, use)) {
    nu_engine_clear(engine);
    return nu_fail_memory(err, rough_size(engine, network), "the batch and its gradients");
  }
  if (use != NU_ENGINE_BORROW) nu_engine_load(engine, NU_WEIGHTS, network->parameters);
  return NUMANN_OK;
}

void nu_engine_lend(nu_engine *to, const nu_engine *from) {
  for (size_t l = 0; l < to->n_layers; l++) {
    to->layers[l].array[NU_WEIGHTS] = from ? from->layers[l].array[NU_WEIGHTS] : NULL;
  }
}

static void clear_groups(nu_engine *engine) {
  for (size_t g = 0; engine->groups && g < engine->plan->groups; g++) {
    nu_engine_group *group = &engine->groups[g];
    for (size_t r = 0; r < group->n_roots; r++) {
      if (group->roots[r] != engine->gradient) free(group->roots[r]);
    }
    free(group->roots);
  }
  free(engine->groups);
}

void nu_engine_clear(nu_engine *engine) {
  nu_clear_pairs(engine);
  nu_clear_packed(engine);
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    free(layer->array[NU_WEIGHTS]);
    free(layer->array[NU_MOMENT1]);
    free(layer->array[NU_MOMENT2]);
    free(layer->activations);
    free(layer->deltas);
    free(layer->panel_norms);
  }
  for (size_t t = 0; engine->threads && t < engine->plan->threads; t++) {
    free(engine->threads[t].scratch);
    free(engine->threads[t].merges);
  }
  clear_groups(engine);
  free(engine->layers);
  free(engine->threads);
  free(engine->gradient);
  free(engine->inputs);
  free(engine->targets);
  free(engine->row_loss);
  *engine = (nu_engine){.plan = engine->plan};
}

numann_status nu_engine_add(nu_engine *engine, nu_array array, numann_error *err) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    size_t size = engine_size(layer);
    layer->array[array] = nu_alloc(size, sizeof(float));
    if (!layer->array[array]) return nu_fail_memory(err, size * sizeof(float), "the optimiser's state");
  }
  return NUMANN_OK;
}

void nu_engine_load(nu_engine *engine, nu_array array, const float *block) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    const float *biases = block + layer->neurons * layer->inputs;
    nu_to_engine(layer->inputs, layer->neurons, block, biases, layer->array[array]);
    block = biases + layer->neurons;
  }
  if (array == NU_WEIGHTS) nu_narrow_all_weights(engine);
}

void nu_engine_store(const nu_engine *engine, nu_array array, float *block) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    float *biases = block + layer->neurons * layer->inputs;
    nu_from_engine(layer->inputs, layer->neurons, layer->array[array], block, biases);
    block = biases + layer->neurons;
  }
}
