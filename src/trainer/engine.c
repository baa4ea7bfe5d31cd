/* The engine's memory: layers in engine form, scratch of the threads. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/step.h"

#define P NU_PANEL

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* The most grains that one thread of the plan can have. */
static size_t most_grains(const numann_plan *plan, size_t rows) {
  nu_range first = nu_plan_my_grains(plan, rows, 0);
  return first.end - first.begin;
}

/* Floats that the largest user of a thread's scratch needs (see step.c). */
static size_t scratch_size(const nu_engine *engine, bool training) {
  size_t size = nu_stride(engine->outputs);
  if (!training) return size;
  size_t grains = most_grains(engine->plan, engine->rows);
  size = larger(size, nu_tree_slots_bound(grains) * NU_REGION_INPUTS * P);
  for (size_t l = 0; l < engine->n_layers; l++) size = larger(size, engine->layers[l].neurons * P);
  return size;
}

/* Every activation row carries a 1 behind its features, the input of the bias (3.8). */
static void set_ones(float *rows, size_t n, size_t stride, size_t features) {
  for (size_t i = 0; i < n; i++) rows[i * stride + features] = 1.0f;
}

static bool create_layer(nu_engine_layer *layer, const nu_layer *from, size_t rows, bool training) {
  layer->inputs = from->inputs;
  layer->neurons = from->neurons;
  layer->activation = from->activation;
  layer->panels = nu_panels(from->neurons);
  layer->panel_size = (from->inputs + 1) * P;
  layer->stride = nu_stride(from->neurons);
  layer->array[NU_WEIGHTS] = nu_alloc(layer->panels * layer->panel_size, sizeof(float));
  layer->activations = nu_alloc(rows * layer->stride, sizeof(float));
  if (layer->activations) set_ones(layer->activations, rows, layer->stride, layer->neurons);
  if (training) {
    layer->deltas = nu_alloc(rows * layer->stride, sizeof(float));
    layer->panel_norms = nu_alloc(layer->panels, sizeof(double));
    if (!layer->deltas || !layer->panel_norms) return false;
  }
  return layer->array[NU_WEIGHTS] && layer->activations;
}

static bool create_gradient(nu_engine *engine) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    engine->gradient_size += engine->layers[l].panels * engine->layers[l].panel_size;
  }
  engine->gradient = nu_alloc(engine->gradient_size, sizeof(float));
  float *next = engine->gradient;
  for (size_t l = 0; l < engine->n_layers && next; l++) {
    engine->layers[l].array[NU_GRADIENT] = next;
    next += engine->layers[l].panels * engine->layers[l].panel_size;
  }
  return engine->gradient != NULL;
}

/* Under samples a thread's grains leave subtree roots, each as large as the whole gradient. */
static bool create_roots(nu_engine *engine, size_t thread) {
  nu_engine_thread *mine = &engine->threads[thread];
  size_t n = nu_tree_roots_bound(most_grains(engine->plan, engine->rows));
  mine->roots = nu_alloc(n, sizeof *mine->roots);
  if (!mine->roots) return false;
  mine->n_roots = n;
  for (size_t r = 0; r < n; r++) {
    bool root_of_all = thread == 0 && r == 0;
    mine->roots[r] = root_of_all ? engine->gradient : nu_alloc(engine->gradient_size, sizeof(float));
    if (!mine->roots[r]) return false;
  }
  return true;
}

static bool create_threads(nu_engine *engine, bool training) {
  size_t size = scratch_size(engine, training);
  engine->threads = nu_alloc(engine->plan->threads, sizeof *engine->threads);
  if (!engine->threads) return false;
  for (size_t t = 0; t < engine->plan->threads; t++) {
    engine->threads[t].scratch = nu_alloc(size, sizeof(float));
    if (!engine->threads[t].scratch) return false;
    bool needs_roots = training && engine->plan->strategy == NU_SAMPLES;
    if (needs_roots && !create_roots(engine, t)) return false;
  }
  return true;
}

static bool create(nu_engine *engine, const numann_network *network, bool training) {
  engine->layers = nu_alloc(network->n_layers, sizeof *engine->layers);
  if (!engine->layers) return false;
  engine->n_layers = network->n_layers;
  for (size_t l = 0; l < network->n_layers; l++) {
    if (!create_layer(&engine->layers[l], &network->layers[l], engine->rows, training)) return false;
  }
  engine->inputs = nu_alloc(engine->rows * engine->input_stride, sizeof(float));
  engine->targets = nu_alloc(engine->rows * engine->outputs, sizeof(float));
  engine->row_loss = nu_alloc(engine->rows, sizeof(double));
  if (!engine->inputs || !engine->targets || !engine->row_loss) return false;
  set_ones(engine->inputs, engine->rows, engine->input_stride, engine->features);
  return (!training || create_gradient(engine)) && create_threads(engine, training);
}

/* Bytes of the largest arrays, for the message when memory is refused. */
static size_t rough_size(const nu_engine *engine, const numann_network *network) {
  return sizeof(float) * (engine->rows * engine->input_stride + 2 * network->n_parameters);
}

numann_status nu_engine_create(nu_engine *engine, const numann_network *network,
                               const numann_plan *plan, size_t rows, bool training,
                               numann_error *err) {
  size_t features = network->layers[0].inputs;
  *engine = (nu_engine){.plan = plan,
                        .kernels = nu_kernels_select(),
                        .loss = network->loss,
                        .rows = rows,
                        .features = features,
                        .input_stride = nu_stride(features),
                        .outputs = network->layers[network->n_layers - 1].neurons};
  if (!engine->kernels) {
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "NUMANN_ISA=%s: no such instruction set here; use base or avx2, or unset it",
                   getenv("NUMANN_ISA"));
  }
  if (!create(engine, network, training)) {
    nu_engine_clear(engine);
    return nu_fail_memory(err, rough_size(engine, network), "the batch and its gradients");
  }
  nu_engine_load(engine, NU_WEIGHTS, network->parameters);
  return NUMANN_OK;
}

static void clear_thread(nu_engine *engine, nu_engine_thread *thread) {
  free(thread->scratch);
  for (size_t r = 0; r < thread->n_roots; r++) {
    if (thread->roots[r] != engine->gradient) free(thread->roots[r]);
  }
  free(thread->roots);
}

void nu_engine_clear(nu_engine *engine) {
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
    clear_thread(engine, &engine->threads[t]);
  }
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
    size_t size = layer->panels * layer->panel_size;
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
}

void nu_engine_store(const nu_engine *engine, nu_array array, float *block) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    float *biases = block + layer->neurons * layer->inputs;
    nu_from_engine(layer->inputs, layer->neurons, layer->array[array], block, biases);
    block = biases + layer->neurons;
  }
}
