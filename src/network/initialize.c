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

static const char *const names[] = {"auto",      "glorot_uniform", "glorot_normal", "he_uniform",
                                    "he_normal", "lecun_uniform",  "lecun_normal",  "constant"};
static const nu_initializer initializers[] = {
    {NU_SCHEME_AUTO, false}, {NU_SCHEME_GLOROT, false},  {NU_SCHEME_GLOROT, true},
    {NU_SCHEME_HE, false},   {NU_SCHEME_HE, true},       {NU_SCHEME_LECUN, false},
    {NU_SCHEME_LECUN, true}, {NU_SCHEME_CONSTANT, false}};
#define INITIALIZERS (sizeof names / sizeof *names)

static double variance(nu_scheme scheme, size_t inputs, size_t neurons) {
  double n_in = (double)inputs, n_out = (double)neurons;
  if (scheme == NU_SCHEME_GLOROT) return 2.0 / (n_in + n_out);
  return (scheme == NU_SCHEME_HE ? 2.0 : 1.0) / n_in;
}

static void draw(nu_layer *layer, nu_initializer chosen, double constant, nu_stream stream) {
  size_t n = layer->neurons * layer->links;
  if (layer->kind->initial != 0.0f) {
    for (size_t i = 0; i < n; i++) layer->weights[i] = layer->kind->initial;
    return;
  }
  if (chosen.scheme == NU_SCHEME_CONSTANT) {
    for (size_t i = 0; i < n; i++) layer->weights[i] = (float)constant;
    return;
  }
  double deviation = sqrt(variance(chosen.scheme, layer->inputs, layer->neurons));
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
  nu_initializer chosen = initializers[choice];
  if (chosen.scheme == NU_SCHEME_AUTO)
    chosen = nu_activation_row_of(layer->activation)->initializer;
  nu_stream stream = {nu_config_count(config, "train.seed"), NU_PURPOSE_WEIGHTS, (uint32_t)l};
  draw(layer, chosen, nu_config_real(config, "network.initializer_value"), stream);
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
