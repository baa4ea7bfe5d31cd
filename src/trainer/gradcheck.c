/* gradcheck: which rows, both comparisons, the verdict. SPDX-License-Identifier: MIT */
#include "trainer/gradcheck.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "machine/float_env.h"
#include "trainer/difference.h"
#include "layers/naive.h"
#include "layers/rounding.h"
#include "trainer/step.h"

#define UNIT_ROUNDOFF 0x1p-24
/* Thread counts that (ii) runs, 1 to this, with every strategy. */
#define MOST_THREADS 3
/* As in (i): a share of the layer's root mean square. */
#define NEGLIGIBLE 0.01
/* Where the rows' terms all but cancel (XOR at its start), the norm of what cancelled counts, at
 * this share: no float sum could keep the digits of the little that is left. */
#define CANCELLED 0x1p-5

typedef struct check {
  nu_gradcheck *out;
  const numann_network *network;
  nu_naive naive;
  nu_rounding rounding;
  nu_rounding_sum sum;
  nu_plan plan;            /* of engine_rows */
  nu_engine engine_rows;   /* the engine after its forward pass over all rows of the batch */
  float *inputs, *targets; /* the rows that are kept; owned */
  uint32_t *samples;       /* [rows]: which row of the batch each kept one is; owned */
  nu_gradcheck_batch kept; /* borrows them */
  double *gradient;        /* [n_parameters]: naive dE/dw; owned */
  float *engine;           /* [n_parameters]: the engine's -dE/dw; owned */
  float *first;            /* [n_parameters]: that of its first plan; owned */
} check;

/* ---- the rows */

typedef struct forward_pass {
  nu_engine *engine;
  nu_rows data;
} forward_pass;

static void run_forward(nu_team *team, size_t thread, void *arg) {
  forward_pass *pass = arg;
  nu_batch batch = {.data = &pass->data};
  nu_chunk chunk = nu_plan_chunk(pass->engine->plan, pass->data.rows, thread, 0);
  nu_pass how = {.chunk = &chunk, .trains = true};
  nu_engine_gather(pass->engine, team, thread, &batch, &how);
  nu_engine_forward(pass->engine, team, thread, &how);
}

/* The engine's activations of the whole batch, for the signs of its ReLU units. */
static numann_status forward_engine(check *c, const nu_gradcheck_batch *batch, numann_error *err) {
  c->plan = nu_plan_of(1, NU_NEURONS, 1, batch->rows, batch->rows);
  NU_TRY(nu_engine_create(&c->engine_rows, c->network, &c->plan, NU_USE_GRADIENT, err));
  forward_pass pass = {&c->engine_rows, nu_rows_view(batch->rows, batch->inputs, NULL)};
  return nu_team_run(1, run_forward, &pass, err);
}

/* Is unit i of layer l so near its kink that a step carries it across, or that the engine, by
 * rounding alone, has it on the other side? (On the other side for another reason is a fault, to be
 * shown.) */
static bool unit_at_kink(const check *c, size_t row, size_t l, size_t i, double margin) {
  const nu_engine_layer *layer = &c->engine_rows.layers[l];
  size_t unit = c->naive.first[l + 1] + i;
  double z = c->naive.z[unit];
  bool other_side = (layer->activations[row * layer->stride + i] > 0.0f) != (z > 0.0);
  return fabs(z) < margin || (other_side && !nu_rounding_sign_is_sure(&c->rounding, unit));
}

static bool at_kink(const check *c, size_t row) {
  double margin = nu_difference_margin(&c->naive);
  for (size_t l = 0; l < c->network->n_layers; l++) {
    if (!nu_activation_row_of(c->network->layers[l].activation)->kink) continue;
    for (size_t i = 0; i < c->network->layers[l].neurons; i++) {
      if (unit_at_kink(c, row, l, i, margin)) return true;
    }
  }
  return false;
}

/* Copy the rows that are not at a kink, and sum the bounds of their gradients. */
static void keep_rows(check *c, const nu_gradcheck_batch *batch) {
  size_t n_in = numann_network_inputs(c->network), n_out = numann_network_outputs(c->network);
  size_t kept = 0;
  for (size_t r = 0; r < batch->rows; r++) {
    const float *input = batch->inputs + r * n_in, *target = batch->targets + r * n_out;
    c->naive.row = r;
    nu_naive_forward(&c->naive, input, target);
    nu_rounding_forward(&c->rounding);
    if (at_kink(c, r)) continue;
    nu_naive_backward(&c->naive, target);
    nu_rounding_backward(&c->rounding, target);
    nu_rounding_add(&c->rounding, &c->sum);
    memcpy(c->inputs + kept * n_in, input, n_in * sizeof *input);
    memcpy(c->targets + kept * n_out, target, n_out * sizeof *target);
    c->samples[kept++] = (uint32_t)r;
  }
  c->kept = (nu_gradcheck_batch){kept, c->inputs, c->targets, c->samples};
  c->out->rows = kept;
  c->out->rows_left_out = batch->rows - kept;
}

/* ---- (ii) */

static void keep_worst(double *worst, double value) {
  if (!(value <= *worst)) *worst = value; /* NaN is the worst of all */
}

/* The engine computes -dE/dw: its difference from the naive gradient is a sum. */
static void compare_layer(const check *c, nu_gradcheck_layer *out, size_t begin, size_t n) {
  double square = 0.0, terms = 0.0, off = 0.0, unit = UNIT_ROUNDOFF * (double)c->out->depth;
  for (size_t i = begin; i < begin + n; i++) {
    double error = (double)c->engine[i] + c->gradient[i];
    square += c->gradient[i] * c->gradient[i];
    terms += c->sum.terms[i] * c->sum.terms[i];
    off += error * error;
    keep_worst(&out->share, error == 0.0 ? 0.0 : fabs(error) / c->sum.bound[i]);
  }
  double negligible = NEGLIGIBLE * sqrt(square / (double)n);
  for (size_t i = begin; i < begin + n; i++) {
    bool alive = fabs(c->gradient[i]) > negligible;
    if (alive) keep_worst(&out->factor, c->sum.bound[i] / (unit * c->sum.terms[i]));
  }
  double norm = sqrt(square), cancelled = CANCELLED * sqrt(terms);
  keep_worst(&out->norm, off == 0.0 ? 0.0 : sqrt(off) / (norm > cancelled ? norm : cancelled));
}

static void compare_engine(const check *c) {
  for (size_t l = 0; l < c->network->n_layers; l++) {
    const nu_layer *layer = &c->network->layers[l];
    if (!layer->links) continue;
    compare_layer(c, &c->out->layers[l], (size_t)(layer->weights - c->network->parameters),
                  nu_layer_parameters(layer));
  }
}

static numann_status run_plan(check *c, size_t threads, nu_strategy strategy, numann_error *err) {
  size_t bytes = c->network->n_parameters * sizeof *c->engine;
  nu_plan plan = nu_plan_of(threads, strategy, 2, c->kept.rows, c->out->grain);
  nu_rows rows = nu_rows_view(c->kept.rows, c->inputs, c->targets);
  nu_batch batch = {.data = &rows, .samples = c->samples};
  NU_TRY(nu_engine_gradient_of(c->network, &plan, &batch, c->engine, err));
  compare_engine(c);
  if (c->out->plans++ == 0) memcpy(c->first, c->engine, bytes);
  if (memcmp(c->first, c->engine, bytes) != 0) c->out->same_bits = false;
  return NUMANN_OK;
}

static numann_status check_engine(check *c, numann_error *err) {
  nu_naive_gradient(&c->naive, c->kept.rows, c->inputs, c->targets, c->samples, c->gradient);
  c->out->depth = nu_rounding_depth(c->kept.rows, c->out->grain);
  c->out->same_bits = true;
  nu_rounding_finish(&c->sum, c->network->n_parameters, c->out->grain);
  for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
    for (int strategy = 0; strategy < NU_STRATEGIES; strategy++) {
      NU_TRY(run_plan(c, threads, (nu_strategy)strategy, err));
    }
  }
  return NUMANN_OK;
}

/* ---- the verdict */

static void complain(nu_gradcheck *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(nu_gradcheck *out, const char *format, ...) {
  if (!out->passed) return;
  va_list args;
  va_start(args, format);
  vsnprintf(out->complaint, sizeof out->complaint, format, args);
  va_end(args);
  out->passed = false;
}

/* Comparisons are written so that NaN fails. */
static void judge_layer(nu_gradcheck *out, size_t l) {
  const nu_gradcheck_layer *layer = &out->layers[l];
  if (!layer->parameters) return;
  size_t tried = layer->checked + layer->skipped, number = l + 1;
  if (!((double)layer->skipped <= NU_GRADCHECK_SKIPPED * (double)tried)) {
    complain(out, "layer %zu: %zu of %zu weights lie at a kink", number, layer->skipped, tried);
  }
  if (!(layer->difference <= out->difference_bound)) {
    complain(out, "layer %zu: naive gradient and differences are %.3g apart, at most %.3g expected",
             number, layer->difference, out->difference_bound);
  }
  if (!((double)layer->alive >= NU_GRADCHECK_ALIVE * (double)layer->checked && layer->alive)) {
    complain(out, "layer %zu: only %zu of %zu gradients are large enough to tell anything", number,
             layer->alive, layer->checked);
  }
  if (!(layer->share <= 1.0)) {
    complain(out, "layer %zu: the engine's gradient is %.3g times its bound off", number,
             layer->share);
  }
  if (!(layer->norm <= NU_GRADCHECK_NORM)) {
    complain(out, "layer %zu: the engine's gradient is %.3g of its norm off, at most %.3g expected",
             number, layer->norm, NU_GRADCHECK_NORM);
  }
}

void nu_gradcheck_judge(nu_gradcheck *out) {
  out->passed = true;
  for (size_t l = 0; l < out->n_layers; l++) judge_layer(out, l);
  if (!out->same_bits) complain(out, "strategies or thread counts differ in the engine's bits");
}

/* ---- a network on a batch */

static bool has_step(const numann_network *network) {
  return network->layers[network->n_layers - 1].activation == NU_STEP;
}

static bool allocate(check *c, const nu_gradcheck_batch *batch) {
  size_t n_in, n_out, n = c->network->n_parameters;
  if (!nu_size_mul(batch->rows, numann_network_inputs(c->network), &n_in)) return false;
  if (!nu_size_mul(batch->rows, numann_network_outputs(c->network), &n_out)) return false;
  c->out->layers = nu_alloc(c->network->n_layers, sizeof *c->out->layers);
  c->inputs = nu_alloc(n_in, sizeof(float));
  c->targets = nu_alloc(n_out, sizeof(float));
  c->samples = nu_alloc(batch->rows, sizeof *c->samples);
  c->gradient = nu_alloc(n, sizeof(double));
  c->engine = nu_alloc(n, sizeof(float));
  c->first = nu_alloc(n, sizeof(float));
  return c->out->layers && c->inputs && c->targets && c->samples && c->gradient && c->engine &&
         c->first;
}

static void clear(check *c) {
  nu_naive_clear(&c->naive);
  nu_rounding_clear(&c->rounding);
  nu_rounding_sum_clear(&c->sum);
  nu_engine_clear(&c->engine_rows);
  free(c->inputs);
  free(c->targets);
  free(c->samples);
  free(c->gradient);
  free(c->engine);
  free(c->first);
}

static void describe_layers(check *c) {
  c->out->difference_bound = nu_difference_bound(c->network);
  c->out->n_layers = c->network->n_layers;
  for (size_t l = 0; l < c->network->n_layers; l++) {
    const nu_layer *layer = &c->network->layers[l];
    c->out->layers[l].inputs = layer->inputs;
    c->out->layers[l].neurons = layer->neurons;
    c->out->layers[l].parameters = nu_layer_parameters(layer);
    c->out->layers[l].name =
        layer->kind->product ? nu_activation_name(layer->activation) : layer->kind->name;
  }
}

static numann_status prepare(check *c, const nu_gradcheck_batch *batch, numann_error *err) {
  if (!allocate(c, batch)) {
    return nu_fail_memory(err, c->network->n_parameters * sizeof(double), "the gradient check");
  }
  describe_layers(c);
  NU_TRY(nu_naive_create(&c->naive, c->network, err));
  NU_TRY(nu_rounding_create(&c->rounding, &c->naive, err));
  return nu_rounding_sum_create(&c->sum, c->network->n_parameters, err);
}

static numann_status run(check *c, const nu_gradcheck_batch *batch, uint64_t seed,
                         numann_error *err) {
  NU_TRY(prepare(c, batch, err));
  NU_TRY(forward_engine(c, batch, err));
  c->out->passed = true;
  keep_rows(c, batch);
  if (2 * c->kept.rows < batch->rows || c->kept.rows == 0) {
    complain(c->out, "%zu of %zu rows lie at a kink of a ReLU unit", c->out->rows_left_out,
             batch->rows);
    return NUMANN_OK;
  }
  nu_gradcheck_batch few = c->kept;
  few.rows = nu_difference_rows(c->network, few.rows);
  c->out->difference_rows = few.rows;
  NU_TRY(nu_difference_check(c->out->layers, &c->naive, &few, seed, err));
  NU_TRY(check_engine(c, err));
  nu_gradcheck_judge(c->out);
  return NUMANN_OK;
}

numann_status nu_gradcheck_network(nu_gradcheck *out, const numann_network *network,
                                   const nu_gradcheck_batch *batch, size_t grain, uint64_t seed,
                                   numann_error *err) {
  *out = (nu_gradcheck){.parameters = network->n_parameters, .grain = grain};
  if (has_step(network)) {
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "gradcheck: a step network learns by the perceptron rule and has no gradient to "
                   "check; give a config with another activation");
  }
  check c = {.out = out, .network = network};
  nu_float_env env = nu_float_env_enter();
  numann_status status = run(&c, batch, seed, err);
  nu_float_env_leave(&env);
  clear(&c);
  if (status != NUMANN_OK) nu_gradcheck_clear(out);
  return status;
}

void nu_gradcheck_clear(nu_gradcheck *out) {
  free(out->layers);
  *out = (nu_gradcheck){0};
}
