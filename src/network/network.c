/* Shapes and parameters of a network. SPDX-License-Identifier: MIT */
#include "network/network.h"

#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "data/data.h"

/* n_parameters = sum over layers of neurons * (inputs + 1); false on overflow. */
static bool count_parameters(size_t n_layers, const size_t *sizes, size_t *total) {
  *total = 0;
  for (size_t l = 0; l < n_layers; l++) {
    size_t row, block;
    if (!nu_size_add(sizes[l], 1, &row) || !nu_size_mul(row, sizes[l + 1], &block) ||
        !nu_size_add(*total, block, total)) {
      return false;
    }
  }
  return *total <= SIZE_MAX / sizeof(float) / 4;
}

static void place_layers(numann_network *network, const size_t *sizes,
                         const nu_activation *activations) {
  float *next = network->parameters;
  for (size_t l = 0; l < network->n_layers; l++) {
    nu_layer *layer = &network->layers[l];
    layer->inputs = sizes[l];
    layer->neurons = sizes[l + 1];
    layer->activation = activations[l];
    layer->weights = next;
    layer->biases = next + layer->neurons * layer->inputs;
    next = layer->biases + layer->neurons;
  }
}

numann_status nu_network_allocate(numann_network **out, size_t n_layers, const size_t *sizes,
                                  const nu_activation *activations, nu_loss loss,
                                  numann_error *err) {
  *out = NULL;
  size_t total;
  if (!count_parameters(n_layers, sizes, &total)) {
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "network: the number of weights overflows; use smaller layers");
  }
  numann_network *network = nu_alloc(1, sizeof *network);
  if (network) {
    network->layers = nu_alloc(n_layers, sizeof *network->layers);
    network->parameters = nu_alloc(total, sizeof(float));
  }
  if (!network || !network->layers || !network->parameters) {
    numann_network_destroy(network);
    return nu_fail_memory(err, total * sizeof(float), "the network's weights");
  }
  network->n_layers = n_layers;
  network->n_parameters = total;
  network->loss = loss;
  place_layers(network, sizes, activations);
  *out = network;
  return NUMANN_OK;
}

void numann_network_destroy(numann_network *network) {
  if (!network) return;
  free(network->layers);
  free(network->parameters);
  free(network);
}

/* The rules that concern one layer: where step and softmax may stand. */
static numann_status check_layer(const numann_config *config, const char *key,
                                 nu_activation activation, size_t l, size_t n_layers,
                                 numann_error *err) {
  if (activation == NU_SOFTMAX && l + 1 < n_layers) {
    return nu_config_fail(
        config, key, err,
        "softmax in a hidden layer; it belongs to the last one: use relu or tanh here");
  }
  if (activation == NU_STEP && n_layers > 1) {
    return nu_config_fail(
        config, key, err,
        "step has no derivative, so a network with it has one layer (the perceptron "
        "rule); use sigmoid or relu");
  }
  return NUMANN_OK;
}

/* Neurons and activations of the config into sizes[1..n] and activations[0..n). */
static numann_status read_layers(const numann_config *config, size_t n_layers, size_t *sizes,
                                 nu_activation *activations, numann_error *err) {
  char key[64];
  for (size_t l = 0; l < n_layers; l++) {
    size_t choice;
    snprintf(key, sizeof key, "network.layers.%zu.neurons", l);
    sizes[l + 1] = nu_config_count(config, key);
    snprintf(key, sizeof key, "network.layers.%zu.activation", l);
    NU_TRY(nu_config_choice(config, key, nu_activation_names(), NU_ACTIVATIONS, &choice, err));
    activations[l] = (nu_activation)choice;
    NU_TRY(check_layer(config, key, activations[l], l, n_layers, err));
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

static numann_status shape(numann_network **out, const numann_config *config, size_t n_layers,
                           size_t *sizes, nu_activation *activations, size_t classes,
                           size_t targets, numann_error *err) {
  nu_loss loss;
  size_t last = n_layers - 1;
  NU_TRY(read_layers(config, n_layers, sizes, activations, err));
  NU_TRY(check_outputs(config, last, sizes[n_layers], activations[last], classes, targets, err));
  NU_TRY(read_loss(config, activations[last], sizes[n_layers], classes, &loss, err));
  return nu_network_allocate(out, n_layers, sizes, activations, loss, err);
}

numann_status nu_network_shape(numann_network **out, const numann_config *config, size_t inputs,
                               size_t classes, size_t targets, numann_error *err) {
  *out = NULL;
  size_t n_layers = nu_config_items(config, "network.layers");
  if (n_layers == 0) {
    return nu_config_fail(config, "network.layers", err,
                          "no layers; give at least the output layer");
  }
  size_t *sizes = nu_alloc(n_layers + 1, sizeof *sizes);
  nu_activation *activations = nu_alloc(n_layers, sizeof *activations);
  numann_status status = NUMANN_OK;
  if (sizes && activations) {
    sizes[0] = inputs;
    status = shape(out, config, n_layers, sizes, activations, classes, targets, err);
  } else {
    status = nu_fail_memory(err, n_layers * sizeof *sizes, "the layers");
  }
  free(sizes);
  free(activations);
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
  return network->layers[layer].weights;
}
const float *numann_network_biases_view(const numann_network *network, size_t layer) {
  return network->layers[layer].biases;
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
    *bias = all_finite(at->weights, at->neurons * at->inputs);
    if (!*bias || !all_finite(at->biases, at->neurons)) return false;
  }
  return true;
}
