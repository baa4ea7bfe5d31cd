/* Initial weights. SPDX-License-Identifier: MIT
 *   glorot  variance 2 / (n_in + n_out)   Glorot and Bengio, AISTATS 2010
 *   he      variance 2 / n_in             He et al., ICCV 2015
 *   lecun   variance 1 / n_in             LeCun et al., Efficient BackProp, 1998
 * uniform: on [-a, a) with a = sqrt(3 variance); normal: mean 0. Biases start at 0. */
#include <math.h>
#include <stdio.h>

#include "base/random.h"
#include "config/config.h"
#include "machine/float_env.h"
#include "network/network.h"

typedef enum scheme { AUTO, GLOROT, HE, LECUN, CONSTANT } scheme;

typedef struct initializer {
  scheme by;
  bool normal;
} initializer;

static const char *const names[] = {"auto",      "glorot_uniform", "glorot_normal", "he_uniform",
                                    "he_normal", "lecun_uniform",  "lecun_normal",  "constant"};
static const initializer initializers[] = {{AUTO, false}, {GLOROT, false},  {GLOROT, true},
                                           {HE, false},   {HE, true},       {LECUN, false},
                                           {LECUN, true}, {CONSTANT, false}};
#define INITIALIZERS (sizeof names / sizeof *names)

/* He for the ReLU family, whose units pass half of the variance, and for what is used in their
 * place: gelu, silu and mish were proposed so, elu with He's (Clevert et al. 2016). selu keeps the
 * variance only with LeCun's normal numbers (Klambauer et al. 2017). Glorot otherwise. */
static const initializer by_activation[NU_ACTIVATIONS] = {
    [NU_STEP] = {GLOROT, false},   [NU_IDENTITY] = {GLOROT, false}, [NU_SIGMOID] = {GLOROT, false},
    [NU_TANH] = {GLOROT, false},   [NU_RELU] = {HE, true},          [NU_LEAKY_RELU] = {HE, true},
    [NU_GELU] = {HE, true},        [NU_SILU] = {HE, true},          [NU_ELU] = {HE, true},
    [NU_SELU] = {LECUN, true},     [NU_MISH] = {HE, true},          [NU_SOFTPLUS] = {GLOROT, false},
    [NU_SOFTMAX] = {GLOROT, false}};

static initializer resolve_auto(initializer chosen, nu_activation activation) {
  return chosen.by == AUTO ? by_activation[activation] : chosen;
}

static double variance(scheme by, size_t inputs, size_t neurons) {
  double n_in = (double)inputs, n_out = (double)neurons;
  if (by == GLOROT) return 2.0 / (n_in + n_out);
  return (by == HE ? 2.0 : 1.0) / n_in;
}

static void draw(nu_layer *layer, initializer chosen, double constant, nu_stream stream) {
  size_t n = layer->neurons * layer->links;
  if (layer->kind->initial != 0.0f) {
    for (size_t i = 0; i < n; i++) layer->weights[i] = layer->kind->initial;
    return;
  }
  if (chosen.by == CONSTANT) {
    for (size_t i = 0; i < n; i++) layer->weights[i] = (float)constant;
    return;
  }
  double deviation = sqrt(variance(chosen.by, layer->inputs, layer->neurons));
  double limit = sqrt(3.0) * deviation;
  for (size_t i = 0; i < n; i++) {
    double x = chosen.normal ? deviation * nu_random_normal(stream, i)
                             : limit * (2.0 * nu_random_uniform(stream, i) - 1.0);
    layer->weights[i] = (float)x;
  }
}

static numann_status initialize_layer(nu_layer *layer, size_t l, const numann_config *config,
                                      numann_error *err) {
  char key[64];
  size_t choice;
  snprintf(key, sizeof key, "network.layers.%zu.initializer", l);
  const char *from = nu_config_given(config, key) ? key : "network.initializer";
  NU_TRY(nu_config_choice(config, from, names, INITIALIZERS, &choice, err));
  nu_stream stream = {nu_config_count(config, "train.seed"), NU_PURPOSE_WEIGHTS, (uint32_t)l};
  draw(layer, resolve_auto(initializers[choice], layer->activation),
       nu_config_real(config, "network.initializer_value"), stream);
  for (size_t j = 0; layer->bias && j < layer->neurons; j++) layer->biases[j] = 0.0f;
  return NUMANN_OK;
}

numann_status nu_network_initialize(numann_network *network, const numann_config *config,
                                    numann_error *err) {
  nu_float_env env = nu_float_env_enter();
  numann_status status = NUMANN_OK;
  for (size_t l = 0; l < network->n_layers && status == NUMANN_OK; l++) {
    status = initialize_layer(&network->layers[l], l, config, err);
  }
  nu_float_env_leave(&env);
  return status;
}
