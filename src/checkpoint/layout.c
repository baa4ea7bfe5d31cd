/* The list of arrays in a file. SPDX-License-Identifier: MIT */
#include "checkpoint/layout.h"

#include <stdio.h>

#include "base/memory.h"

static void add(nu_tensor **next, const char *prefix, const char *name, nu_dtype dtype, size_t rows,
                size_t columns, void *data) {
  nu_tensor *tensor = (*next)++;
  snprintf(tensor->name, sizeof tensor->name, "%s%s", prefix, name);
  tensor->dtype = dtype;
  tensor->rank = columns ? 2 : 1;
  tensor->shape[0] = rows;
  tensor->shape[1] = columns;
  tensor->data = data;
}

static void add_scaling(nu_tensor **next, const char *prefix, const nu_scaling *scaling, size_t n) {
  if (!scaling->shift) return;
  add(next, prefix, "shift", NU_F64, n, 0, scaling->shift);
  add(next, prefix, "scale", NU_F64, n, 0, scaling->scale);
}

/* One block of parameters in network order: W(1), b(1), W(2), ... */
static void add_block(nu_tensor **next, const char *prefix, const numann_network *network,
                      float *block) {
  if (!block) return;
  for (size_t l = 0; l < network->n_layers; l++) {
    const nu_layer *layer = &network->layers[l];
    char name[48];
    if (layer->links) {
      snprintf(name, sizeof name, "layers.%zu.%s", l, layer->kind->weights);
      add(next, prefix, name, NU_F32, layer->neurons, layer->kind->vector ? 0 : layer->links,
          block);
    }
    block += layer->neurons * layer->links;
    if (!layer->bias) continue;
    snprintf(name, sizeof name, "layers.%zu.bias", l);
    add(next, prefix, name, NU_F32, layer->neurons, 0, block);
    block += layer->neurons;
  }
}

bool nu_layout_has(const nu_tensor_file *file, const char *prefix, const nu_layer *layers,
                   size_t n_layers) {
  char name[NU_TENSOR_NAME];
  size_t l = 0;
  while (l < n_layers && !layers[l].links) l++;
  if (l == n_layers) return false;
  snprintf(name, sizeof name, "%slayers.%zu.%s", prefix, l, layers[l].kind->weights);
  return nu_tensor_file_has(file, name);
}

numann_status nu_layout(nu_tensor **out, size_t *n, const nu_saved *saved, numann_error *err) {
  const numann_network *network = saved->network;
  const nu_state *state = &saved->state;
  size_t blocks = 2 + (saved->has_state ? state->method->n_arrays : 0);
  size_t most = 5 + blocks * 2 * network->n_layers;
  nu_tensor *next = *out = nu_alloc(most, sizeof *next);
  if (!next) return nu_fail_memory(err, most * sizeof *next, "the list of a file's arrays");
  const nu_schema *schema = &saved->schema;
  add_scaling(&next, "scaling.inputs.", &schema->inputs, schema->features);
  add_scaling(&next, "scaling.outputs.", &schema->outputs, schema->targets);
  add_block(&next, "", network, saved->has_state ? state->weights : network->parameters);
  if (saved->has_state) {
    const nu_method *method = state->method;
    for (size_t i = 0; i < method->n_arrays; i++) {
      char prefix[48];
      snprintf(prefix, sizeof prefix, "optimizer.%s.", method->arrays[i]);
      add_block(&next, prefix, network, state->arrays[i]);
    }
    add_block(&next, "best.", network, state->best);
  }
  *n = (size_t)(next - *out);
  return NUMANN_OK;
}
