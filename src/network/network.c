/* Shapes and parameters of a network. SPDX-License-Identifier: MIT */
#include "network/network.h"

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "data/data.h"

/* ---- memory */

/* Set the shapes of all layers and count their parameters; false on overflow. */
static bool count_parameters(numann_network *network) {
  size_t *total = &network->n_parameters;
  for (size_t l = 0; l < network->n_layers; l++) {
    nu_layer *layer = &network->layers[l];
    size_t block;
    if (layer->kind->shape) layer->kind->shape(layer);
    if (!nu_size_mul(layer->neurons, nu_layer_rows(layer), &block) ||
        !nu_size_add(*total, block, total))
      return false;
  }
  return *total <= SIZE_MAX / sizeof(float) / 4;
}

static void place_layers(numann_network *network) {
  float *next = network->parameters;
  for (size_t l = 0; l < network->n_layers; l++) {
    nu_layer *layer = &network->layers[l];
    layer->weights = next;
    layer->biases = next + layer->neurons * layer->links;
    next += nu_layer_parameters(layer);
  }
}

numann_status nu_network_build(numann_network **out, size_t n_layers, const nu_layer *layers,
                               nu_loss loss, numann_error *err) {
  *out = NULL;
  numann_network *network = nu_alloc(1, sizeof *network);
  if (network) network->layers = nu_alloc(n_layers, sizeof *network->layers);
  if (network && network->layers) {
    memcpy(network->layers, layers, n_layers * sizeof *layers);
    network->n_layers = n_layers;
    network->loss = loss;
    if (!count_parameters(network)) {
      numann_network_destroy(network);
      return nu_fail(err, NUMANN_ERR_CONFIG,
                     "network: the number of weights overflows; use smaller layers");
    }
    network->parameters = nu_alloc(network->n_parameters, sizeof(float));
  }
  if (!network || !network->parameters) {
    size_t bytes = network ? network->n_parameters * sizeof(float) : sizeof *network;
    numann_network_destroy(network);
    return nu_fail_memory(err, bytes, "the network's weights");
  }
  place_layers(network);
  *out = network;
  return NUMANN_OK;
}

numann_status nu_network_allocate(numann_network **out, size_t n_layers, const size_t *sizes,
                                  const nu_activation *activations, nu_loss loss,
                                  numann_error *err) {
  nu_layer *layers = nu_alloc(n_layers, sizeof *layers);
  if (!layers) return nu_fail_memory(err, n_layers * sizeof *layers, "the layers");
  for (size_t l = 0; l < n_layers; l++)
    layers[l] = (nu_layer){.kind = nu_kinds[0],
                           .inputs = sizes[l],
                           .neurons = sizes[l + 1],
                           .activation = activations[l]};
  numann_status status = nu_network_build(out, n_layers, layers, loss, err);
  free(layers);
  return status;
}

numann_status nu_network_copy(numann_network **out, const numann_network *network,
                              numann_error *err) {
  NU_TRY(nu_network_build(out, network->n_layers, network->layers, network->loss, err));
  memcpy((*out)->parameters, network->parameters, network->n_parameters * sizeof(float));
  return NUMANN_OK;
}

void numann_network_destroy(numann_network *network) {
  if (!network) return;
  free(network->layers);
  free(network->parameters);
  free(network);
}

/* ---- from a config */

const nu_kind *nu_kind_named(const char *name) {
  size_t i = 0;
  while (nu_kinds[i] && strcmp(nu_kinds[i]->name, name) != 0) i++;
  return nu_kinds[i];
}

static numann_status read_kind(nu_layer *layer, const numann_config *config, const char *key,
                               numann_error *err) {
  char own[80];
  size_t n = 0, choice = 0;
  const char *names[NU_KINDS_MOST];
  for (; nu_kinds[n]; n++) names[n] = nu_kinds[n]->name;
  snprintf(own, sizeof own, "%s.kind", key);
  if (nu_config_given(config, own)) NU_TRY(nu_config_choice(config, own, names, n, &choice, err));
  layer->kind = nu_kinds[choice];
  return NUMANN_OK;
}

/* Keys that other kinds have. */
static numann_status refuse_keys(const nu_layer *layer, const numann_config *config,
                                 const char *key, numann_error *err) {
  static const char *const names[] = {"neurons", "activation", "initializer", "rate"};
  char own[80];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(own, sizeof own, "%s.%s", key, names[i]);
    if (strstr(layer->kind->keys, names[i]) || !nu_config_given(config, own)) continue;
    return nu_config_fail(config, own, err, "a %s layer has no %s; leave it out", layer->kind->name,
                          names[i]);
  }
  return NUMANN_OK;
}

/* Where step, softmax and layers without neurons may stand. */
static numann_status check_layer(const nu_layer *layer, const numann_config *config,
                                 const char *key, bool last, bool only, numann_error *err) {
  char own[80];
  snprintf(own, sizeof own, "%s.activation", key);
  if (layer->activation == NU_SOFTMAX && !last)
    return nu_config_fail(config, own, err,
                          "softmax in a hidden layer; it belongs to the last one: use relu or tanh "
                          "here");
  if (layer->activation == NU_STEP && !only)
    return nu_config_fail(config, own, err,
                          "step has no derivative, so a network with it has one layer (the "
                          "perceptron rule); use sigmoid or relu");
  snprintf(own, sizeof own, "%s.kind", key);
  if (last && !layer->kind->product)
    return nu_config_fail(config, own, err,
                          "%s in the last layer, which gives the answers; put a dense layer behind "
                          "it",
                          layer->kind->name);
  return NUMANN_OK;
}

static numann_status read_layers(nu_layer *layers, size_t n_layers, const numann_config *config,
                                 size_t inputs, numann_error *err) {
  char key[64];
  for (size_t l = 0; l < n_layers; inputs = layers[l++].neurons) {
    nu_layer *layer = &layers[l];
    snprintf(key, sizeof key, "network.layers.%zu", l);
    NU_TRY(read_kind(layer, config, key, err));
    NU_TRY(refuse_keys(layer, config, key, err));
    layer->inputs = layer->neurons = inputs;
    layer->activation = NU_IDENTITY;
    if (layer->kind->read) NU_TRY(layer->kind->read(layer, config, key, err));
    NU_TRY(check_layer(layer, config, key, l + 1 == n_layers, n_layers == 1, err));
  }
  return NUMANN_OK;
}

/* The last layer against the data: as many outputs as classes or numbers; two classes may share one
 * sigmoid or step output. */
static numann_status check_outputs(const numann_config *config, size_t l, size_t neurons,
                                   nu_activation activation, size_t classes, size_t targets,
                                   numann_error *err) {
  char key[64];
  snprintf(key, sizeof key, "network.layers.%zu.neurons", l);
  bool shared = classes == 2 && neurons == 1 && activation != NU_SOFTMAX;
  if (classes && neurons != classes && !shared) {
    return nu_config_fail(config, key, err,
                          "%zu neurons in the last layer, the data has %zu classes; use %zu",
                          neurons, classes, classes);
  }
  if (!classes && neurons != targets) {
    return nu_config_fail(config, key, err,
                          "%zu neurons in the last layer, the data has %zu target columns; use %zu",
                          neurons, targets, targets);
  }
  return NUMANN_OK;
}

static numann_status read_loss(const numann_config *config, nu_activation output, size_t neurons,
                               size_t classes, nu_loss *loss, numann_error *err) {
  size_t choice;
  NU_TRY(nu_config_choice(config, "train.loss", nu_loss_names(), NU_LOSSES, &choice, err));
  *loss = (nu_loss)choice;
  const char *refusal = nu_pairing_refusal(output, *loss, neurons);
  if (refusal) {
    return nu_config_fail(config, "train.loss", err, "%s after %s: %s", nu_loss_name(*loss),
                          nu_activation_name(output), refusal);
  }
  if (*loss == NU_CROSS_ENTROPY && classes == 0) {
    return nu_config_fail(config, "train.loss", err,
                          "cross_entropy on numeric targets; it needs classes: set data.targets: "
                          "classes, or use squared_error");
  }
  return NUMANN_OK;
}

static numann_status shape(numann_network **out, nu_layer *layers, size_t n_layers,
                           const numann_config *config, size_t inputs, size_t classes,
                           size_t targets, numann_error *err) {
  nu_loss loss;
  const nu_layer *last = &layers[n_layers - 1];
  NU_TRY(read_layers(layers, n_layers, config, inputs, err));
  NU_TRY(
      check_outputs(config, n_layers - 1, last->neurons, last->activation, classes, targets, err));
  NU_TRY(read_loss(config, last->activation, last->neurons, classes, &loss, err));
  return nu_network_build(out, n_layers, layers, loss, err);
}

numann_status nu_network_shape(numann_network **out, const numann_config *config, size_t inputs,
                               size_t classes, size_t targets, numann_error *err) {
  *out = NULL;
  size_t n_layers = nu_config_items(config, "network.layers");
  if (n_layers == 0) {
    return nu_config_fail(config, "network.layers", err,
                          "no layers; give at least the output layer");
  }
  nu_layer *layers = nu_alloc(n_layers, sizeof *layers);
  if (!layers) return nu_fail_memory(err, n_layers * sizeof *layers, "the layers");
  numann_status status = shape(out, layers, n_layers, config, inputs, classes, targets, err);
  free(layers);
  return status;
}

numann_status numann_network_create(numann_network **out, const numann_config *config,
                                    const numann_data *data, numann_error *err) {
  const nu_schema *schema = &data->schema;
  NU_TRY(nu_network_shape(out, config, schema->features, schema->classes, schema->targets, err));
  numann_status status = nu_network_initialize(*out, config, err);
  if (status != NUMANN_OK) {
    numann_network_destroy(*out);
    *out = NULL;
  }
  return status;
}

size_t numann_network_layers(const numann_network *network) { return network->n_layers; }
size_t numann_network_inputs(const numann_network *network) { return network->layers[0].inputs; }
size_t numann_network_outputs(const numann_network *network) {
  return network->layers[network->n_layers - 1].neurons;
}
size_t numann_network_parameters(const numann_network *network) { return network->n_parameters; }
const float *numann_network_weights_view(const numann_network *network, size_t layer) {
  return network->layers[layer].links ? network->layers[layer].weights : NULL;
}
const float *numann_network_biases_view(const numann_network *network, size_t layer) {
  return network->layers[layer].bias ? network->layers[layer].biases : NULL;
}

bool nu_network_draws(const numann_network *network) {
  bool draws = false;
  for (size_t l = 0; l < network->n_layers; l++) draws |= network->layers[l].kind->draws;
  return draws;
}

void nu_network_describe(const numann_network *network, nu_text *out) {
  nu_text_addf(out, "%zu", numann_network_inputs(network));
  for (size_t l = 0; l < network->n_layers; l++) {
    const nu_layer *layer = &network->layers[l];
    if (layer->kind->product)
      nu_text_addf(out, " - %zu %s", layer->neurons, nu_activation_name(layer->activation));
    else nu_text_addf(out, " - %s", layer->kind->name);
    if (layer->rate > 0.0) nu_text_addf(out, " %g", layer->rate);
  }
  nu_text_addf(out, ", %zu parameters", numann_network_parameters(network));
}

/* Little-endian bytes of up to 1024 floats at a time, whatever the machine's order. */
void nu_network_sha256(const numann_network *network, char hex[65]) {
  SHA2_CTX context;
  SHA256Init(&context);
  uint8_t bytes[4096];
  for (size_t i = 0; i < network->n_parameters;) {
    size_t n = 0;
    for (; n < sizeof bytes && i < network->n_parameters; i++, n += 4) {
      uint32_t u;
      memcpy(&u, &network->parameters[i], sizeof u);
      for (size_t b = 0; b < 4; b++) bytes[n + b] = (uint8_t)(u >> (8 * b));
    }
    SHA256Update(&context, bytes, n);
  }
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256Final(digest, &context);
  for (size_t i = 0; i < sizeof digest; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* x - x is 0 for finite x only. */
static bool all_finite(const float *values, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!(values[i] - values[i] == 0.0f)) return false;
  }
  return true;
}

bool nu_network_finite(const numann_network *network, size_t *layer, bool *bias) {
  for (size_t l = 0; l < network->n_layers; l++) {
    const nu_layer *at = &network->layers[l];
    *layer = l;
    *bias = all_finite(at->weights, at->neurons * at->links);
    if (!*bias || !all_finite(at->biases, at->bias ? at->neurons : 0)) return false;
  }
  return true;
}
