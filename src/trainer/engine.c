/* The engine: made from the ledger, filled, and emptied. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/least.h"
#include "base/memory.h"
#include "trainer/memory.h"
#include "trainer/ranks.h"
#include "trainer/step.h"

/* ---- structure: lists whose arrays the ledger's walk brings */

static void shape_layer(const nu_engine *engine, nu_engine_layer *layer, const nu_layer *shape) {
  nu_per_thread needs = nu_plan_per_thread(engine->plan, shape);
  layer->shape = shape;
  layer->inputs = shape->inputs;
  layer->neurons = shape->neurons;
  layer->links = shape->links;
  layer->rows = nu_layer_rows(shape);
  layer->activation = shape->activation;
  layer->panels = nu_panels(shape->neurons);
  layer->panel_size = nu_plan_panel_floats(engine->plan, shape);
  layer->stride = nu_stride(shape->neurons);
  layer->together = needs.together;
  layer->packed = needs.packed > 0;
}

static bool create_groups(nu_engine *engine) {
  const nu_problem *problem = &engine->plan->problem;
  size_t groups = engine->plan->groups, n = nu_plan_roots_of_group(engine->plan);
  if (n == 0) return true;
  engine->groups = nu_alloc(groups, sizeof *engine->groups);
  engine->most_merges = groups * n + 1;
  for (size_t rank = 0; rank < nu_plan_ranks(engine->plan); rank++)
    engine->most_merges += nu_plan_rank_roots(engine->plan, problem->batch, rank) +
                           nu_plan_rank_roots(engine->plan, problem->last_batch, rank);
  for (size_t g = 0; engine->groups && g < groups; g++) {
    engine->groups[g] = (nu_engine_group){nu_alloc(n, sizeof(float *)), n};
    if (!engine->groups[g].roots) return false;
  }
  for (size_t t = 0; t < engine->plan->threads; t++) {
    engine->threads[t].merges = nu_alloc(NU_LEVELS * engine->most_merges, sizeof(nu_merge));
    if (!engine->threads[t].merges) return false;
  }
  return engine->groups != NULL;
}

static bool create_lists(nu_engine *engine, nu_use use) {
  const numann_network *network = engine->network;
  engine->layers = nu_alloc(network->n_layers, sizeof *engine->layers);
  engine->threads = nu_alloc(engine->plan->threads, sizeof *engine->threads);
  if (!engine->layers || !engine->threads) return false;
  engine->n_layers = network->n_layers;
  for (size_t l = 0; l < network->n_layers; l++)
    shape_layer(engine, &engine->layers[l], &network->layers[l]);
  return use <= NU_USE_PREDICT || create_groups(engine);
}

/* ---- the ledger's buffers */

/* The field that a buffer is for; NULL: none of an engine. */
static float **field_of(nu_engine *engine, const nu_buffer *what) {
  nu_engine_layer *layer = &engine->layers[what->layer];
  switch (what->kind) {
    case NU_BUFFER_WEIGHTS: return &layer->replicas[what->of];
    case NU_BUFFER_ARRAY: return &layer->array[NU_FIRST_ARRAY + what->of];
    case NU_BUFFER_WEIGHT_PAIRS: return &layer->weight_pairs[what->of];
    case NU_BUFFER_GRADIENT: return &engine->gradient;
    case NU_BUFFER_ROOT: {
      size_t n = engine->groups[0].n_roots;
      return &engine->groups[what->of / n].roots[what->of % n];
    }
    case NU_BUFFER_INPUTS: return &engine->inputs;
    case NU_BUFFER_TARGETS: return &engine->targets;
    case NU_BUFFER_ACTIVATIONS: return &layer->activations;
    case NU_BUFFER_NETS: return &layer->nets;
    case NU_BUFFER_DELTAS: return &layer->deltas;
    case NU_BUFFER_INPUT_PAIRS: return &engine->input_pairs;
    case NU_BUFFER_ACTIVATION_PAIRS: return &layer->activation_pairs;
    case NU_BUFFER_DELTA_PAIRS: return &layer->delta_pairs;
    case NU_BUFFER_SCRATCH: return &engine->threads[what->of].scratch;
    case NU_BUFFER_PACKED: return &engine->threads[what->of].packed;
    case NU_BUFFER_RECEIVED: return &engine->ranks.received;
    case NU_BUFFER_SAMPLES:
    case NU_BUFFER_SENT:
    case NU_BUFFER_LOSSES:
    case NU_BUFFER_NORMS:
    case NU_BUFFER_DATA:
    case NU_BUFFER_KINDS: break;
  }
  return NULL;
}

typedef struct creation {
  nu_engine *engine;
  bool refused;
} creation;

static void create_buffer(const nu_buffer *what, void *arg) {
  creation *c = arg;
  nu_engine *engine = c->engine;
  if (what->kind == NU_BUFFER_SENT) return; /* neighbours read it: nu_ranks_join */
  void *at = c->refused ? NULL : nu_engine_alloc(engine, what);
  c->refused |= !at;
  if (!at) return;
  if (what->kind == NU_BUFFER_SAMPLES) engine->samples = at;
  else if (what->kind == NU_BUFFER_LOSSES) engine->row_loss = at;
  else if (what->kind == NU_BUFFER_NORMS) engine->layers[what->layer].panel_norms = at;
  else *field_of(engine, what) = at;
}

/* What lies inside or in place of other buffers. */
static void connect(nu_engine *engine) {
  float *next = engine->groups ? engine->groups[0].roots[0] : engine->gradient;
  engine->gradient = next;
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    size_t floats = nu_plan_layer_floats(engine->plan, layer->shape);
    layer->array[NU_WEIGHTS] = layer->replicas[0];
    if (!layer->nets) layer->nets = layer->activations;
    layer->slopes = nu_keeps_z(layer->activation) ? layer->nets : layer->activations;
    layer->array[NU_GRADIENT] = next;
    if (next) next += floats;
    engine->gradient_size += floats;
  }
}

/* Every activation row carries a 1 behind its features, the input of the bias (3.8). */
static void set_ones(const nu_engine *engine, float *rows, float *pairs, size_t stride,
                     size_t features) {
  for (size_t i = 0; i < engine->rows; i++) rows[i * stride + features] = 1.0f;
  nu_narrow_rows(engine, rows, pairs, stride, (nu_range){0, engine->rows}, (nu_range){0, stride});
}

static void set_all_ones(nu_engine *engine) {
  set_ones(engine, engine->inputs, engine->input_pairs, engine->input_stride, engine->features);
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    set_ones(engine, layer->activations, layer->activation_pairs, layer->stride, layer->neurons);
  }
}

static bool create(nu_engine *engine, nu_use use) {
  creation c = {.engine = engine};
  if (!nu_engine_seat(engine) || !create_lists(engine, use)) return false;
  nu_ledger_walk(engine->plan, engine->network, use, create_buffer, &c);
  return !c.refused;
}

numann_status nu_engine_create(nu_engine *engine, const numann_network *network,
                               const nu_plan *plan, nu_use use, numann_error *err) {
  size_t features = network->layers[0].inputs;
  *engine = (nu_engine){.plan = plan,
                        .network = network,
                        .loss = network->loss,
                        .rows = nu_plan_held(plan, plan->problem.batch),
                        .features = features,
                        .input_stride = nu_stride(features),
                        .pairs = plan->problem.precision == NU_BF16,
                        .replicas = nu_plan_replicas(plan),
                        .outputs = network->layers[network->n_layers - 1].neurons};
  NU_TRY(nu_kernels_choose(&engine->kernels, err));
  size_t bytes = nu_ledger_bytes(plan, network, use, NU_BUFFER_KINDS);
  numann_status status = create(engine, use)
                             ? nu_engine_touch(engine, err)
                             : nu_fail_memory(err, bytes, "the batch and its gradients");
  if (status != NUMANN_OK) {
    nu_engine_clear(engine);
    return status;
  }
  connect(engine);
  set_all_ones(engine);
  if (use != NU_USE_BORROW) nu_engine_load(engine, NU_WEIGHTS, network->parameters);
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
  if (!engine->plan) return; /* never created */
  for (size_t t = 0; engine->threads && t < engine->plan->threads; t++)
    free(engine->threads[t].merges);
  for (size_t g = 0; engine->groups && g < engine->plan->groups; g++) free(engine->groups[g].roots);
  nu_ranks_leave(engine);
  nu_engine_free(engine);
  free(engine->groups);
  free(engine->layers);
  free(engine->threads);
  *engine = (nu_engine){.plan = engine->plan};
}

/* ---- logical blocks */

void nu_engine_load(nu_engine *engine, size_t array, const float *block) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    nu_engine_layer *layer = &engine->layers[l];
    const float *biases = block + layer->neurons * layer->links;
    if (layer->rows)
      nu_to_engine(layer->links, layer->neurons, layer->panel_size, block,
                   layer->shape->bias ? biases : NULL, layer->array[array]);
    block += nu_layer_parameters(layer->shape);
  }
  if (array == NU_WEIGHTS) nu_publish_all_weights(engine);
}

void nu_engine_store(const nu_engine *engine, size_t array, float *block) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    float *biases = block + layer->neurons * layer->links;
    if (layer->rows)
      nu_from_engine(layer->links, layer->neurons, layer->panel_size, layer->array[array], block,
                     layer->shape->bias ? biases : NULL);
    block += nu_layer_parameters(layer->shape);
  }
}
