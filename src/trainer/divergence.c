/* SPDX-License-Identifier: MIT */
#include "trainer/divergence.h"

#include <math.h>

/* One parameter, as far as a message names it. */
typedef struct parameter {
  size_t layer;
  bool bias;
  float value;
} parameter;

static const char *tensor_of(const parameter *at) { return at->bias ? "biases" : "weights"; }

/* The later one where it is not finite or larger; what is not finite stays. */
static void take_worse(parameter *worst, const parameter *at) {
  if (isfinite(worst->value) && !(fabsf(at->value) <= fabsf(worst->value))) *worst = *at;
}

static void look_at_layer(const nu_engine *engine, size_t l, bool bias, parameter *worst) {
  const nu_engine_layer *layer = &engine->layers[l];
  size_t links = layer->links, first = bias ? links : 0, end = bias ? layer->rows : links;
  for (size_t p = 0; layer->rows && p < layer->panels; p++) {
    size_t width = nu_panel_width(layer->neurons, p);
    const float *panel = layer->array[NU_WEIGHTS] + p * layer->panel_size;
    for (size_t i = first * width; i < end * width; i++)
      take_worse(worst, &(parameter){l, bias, panel[i]});
  }
}

static parameter worst_of(const nu_engine *engine) {
  parameter worst = {0};
  for (size_t l = 0; l < engine->n_layers; l++) {
    look_at_layer(engine, l, false, &worst);
    look_at_layer(engine, l, true, &worst);
  }
  return worst;
}

#define ADVICE                                                             \
  "lower train.optimizer.learning_rate, set train.clip_norm, or scale the" \
  " data (data.scale)"

numann_status nu_fail_diverged(const nu_engine *engine, uint64_t epoch, uint64_t step,
                               numann_error *err) {
  parameter worst = worst_of(engine);
  unsigned long long e = epoch, s = step; /* a step without a finite loss does not count */
  if (!isfinite(worst.value))
    return nu_fail(err, NUMANN_ERR_DIVERGED,
                   "epoch %llu, step %llu: the %s of layer %zu are not finite; " ADVICE, e, s,
                   tensor_of(&worst), worst.layer + 1);
  return nu_fail(err, NUMANN_ERR_DIVERGED,
                 "epoch %llu, step %llu: the loss is not finite; the largest parameter is %g, in "
                 "the %s of layer %zu; " ADVICE,
                 e, s + 1, (double)worst.value, tensor_of(&worst), worst.layer + 1);
}
