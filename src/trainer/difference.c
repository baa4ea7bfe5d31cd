/* Central differences. SPDX-License-Identifier: MIT
 *
 * dE/dw = (8 (E(w + h) - E(w - h)) - (E(w + 2h) - E(w - 2h))) / 12 h + O(h^4), which allows steps
 * so large that the rounding of E does not show. The differences are taken row by row, before the
 * sum over the rows can round them away. */
#include "trainer/difference.h"

#include <math.h>
#include <stdlib.h>

#include "base/least.h"
#include "base/memory.h"
#include "base/random.h"

/* The step in z of the unit that the weight goes to. Short where a step must not cross a kink. */
#define STEP_SMOOTH 0x1p-11
#define STEP_KINKED 0x1p-16
/* Gradients below this share of the layer's root mean square count as negligible: they are compared
 * with that size instead of their own. */
#define NEGLIGIBLE 0.01
/* Relative size of the roundings in E: where E is large and its derivative small, a difference says
 * nothing about gradients below NOISE E / h, which must not exceed the bound's share of them. */
#define NOISE 0x1p-52
/* Multiply-adds that all differences of a check may cost: about half a second. An exponential
 * counts as 32 of them. */
#define BUDGET 4e8
#define EXPONENTIAL 32
#define EVALUATIONS 4

double nu_difference_margin(const nu_naive *naive) {
  size_t kinked = 0;
  for (size_t l = 0; l < naive->network->n_layers; l++) {
    const nu_layer *layer = &naive->network->layers[l];
    if (nu_activation_row_of(layer->activation)->kink) kinked += layer->neurons;
  }
  return kinked > 256 ? 0x1p-5 / (double)kinked : 0x1p-13;
}

/* ---- how much */

static size_t clamp(double x, size_t least, size_t most) {
  if (x <= (double)least) return least;
  return x < (double)most ? (size_t)x : most;
}

/* One step in every layer, on one row. */
static double cost_of_row(const numann_network *network) {
  size_t neurons = 0;
  for (size_t l = 0; l < network->n_layers; l++) neurons += network->layers[l].neurons;
  double once = (double)network->n_parameters + EXPONENTIAL * (double)neurons;
  return EVALUATIONS * once * (double)network->n_layers;
}

/* Weights and biases to step in each layer, if it has so many. */
static size_t checks_in_layer(const numann_network *network) {
  return clamp(BUDGET / (8.0 * cost_of_row(network)), 16, 160);
}

size_t nu_difference_rows(const numann_network *network, size_t rows) {
  double all = cost_of_row(network) * (double)checks_in_layer(network);
  size_t most = clamp(BUDGET / all, 4, 200);
  return rows < most ? rows : most;
}

/* ---- one derivative */

typedef struct differences {
  nu_naive *naive;
  const nu_gradcheck_batch *batch;
  double *gradient; /* [n_parameters]: naive dE/dw */
  bool *positive;   /* [rows][units]: z > 0 of kinked units, before any step */
  double *reach;    /* [units]: largest |a| over the rows */
  size_t units;
  double loss; /* E, the sum over the rows */
  double step, bound;
} differences;

/* E of a row; *crossed is set when a kinked unit has another sign than before the step. */
static double row_loss(const differences *d, size_t row, bool *crossed) {
  const nu_naive *naive = d->naive;
  const numann_network *network = naive->network;
  size_t n_in = numann_network_inputs(network), n_out = numann_network_outputs(network);
  d->naive->row = d->batch->samples ? d->batch->samples[row] : row;
  double loss =
      nu_naive_forward(d->naive, d->batch->inputs + row * n_in, d->batch->targets + row * n_out);
  for (size_t l = 0; l < network->n_layers; l++) {
    if (!nu_activation_row_of(network->layers[l].activation)->kink) continue;
    for (size_t i = naive->first[l + 1]; i < naive->first[l + 2]; i++) {
      *crossed |= (naive->z[i] > 0.0) != d->positive[row * d->units + i];
    }
  }
  return loss;
}

/* Signs and sizes of all units before any step. */
static void look_around(differences *d) {
  const nu_naive *naive = d->naive;
  bool ignored = false;
  for (size_t row = 0; row < d->batch->rows; row++) {
    d->loss += row_loss(d, row, &ignored);
    for (size_t i = 0; i < d->units; i++) {
      double size = naive->a[i] < 0.0 ? -naive->a[i] : naive->a[i];
      d->positive[row * d->units + i] = naive->z[i] > 0.0;
      if (size > d->reach[i]) d->reach[i] = size;
    }
  }
}

/* A power of two near step max(1, |w|) / max(1, reach): w +- 2h is then exact, and z moves by about
 * `step` whatever the unit of the inputs. */
static double step_length(double step, double w, double reach) {
  double size = w < 0.0 ? -w : w, h = step;
  double wanted = step * (size > 1.0 ? size : 1.0) / (reach > 1.0 ? reach : 1.0);
  while (h > wanted) h *= 0.5;
  while (2.0 * h <= wanted) h *= 2.0;
  return h;
}

/* dE/dw by steps of h; false when a step crossed a kink in any row. */
static bool derivative(const differences *d, size_t parameter, double h, double *result) {
  static const double at[EVALUATIONS] = {1.0, -1.0, 2.0, -2.0};
  double *w = &d->naive->parameters[parameter], centre = *w, sum = 0.0;
  bool crossed = false;
  for (size_t row = 0; row < d->batch->rows && !crossed; row++) {
    double e[EVALUATIONS];
    for (size_t i = 0; i < EVALUATIONS; i++) {
      *w = centre + at[i] * h;
      e[i] = row_loss(d, row, &crossed);
    }
    sum += 8.0 * (e[0] - e[1]) - (e[2] - e[3]);
  }
  *w = centre;
  *result = sum / (12.0 * h);
  return !crossed;
}

/* ---- a layer */

/* Which of parameters [begin, begin + n) is check number i of `count`: one from each of `count`
 * equal parts, by turns drawn at random, so that all have a chance, and the part's largest
 * gradient, so that there is something to see where most inputs are 0. */
static size_t pick(const differences *d, size_t begin, size_t n, size_t count, size_t i,
                   nu_stream stream) {
  size_t from = i * n / count, to = (i + 1) * n / count;
  if (i % 2 == 0) return begin + from + nu_random_bits(stream, begin + i) % (to - from);
  size_t best = from;
  for (size_t k = from; k < to; k++) {
    if (fabs(d->gradient[begin + k]) > fabs(d->gradient[begin + best])) best = k;
  }
  return begin + best;
}

static double root_mean_square(const double *values, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += values[i] * values[i];
  return sqrt(sum / (double)n);
}

/* Not written with a maximum, so that NaN is kept as the worst. */
static void keep_worst(double *worst, double error) {
  if (!(error <= *worst)) *worst = error;
}

static void compare(const differences *d, nu_gradcheck_layer *out, size_t parameter, double reach,
                    double negligible) {
  double naive = d->gradient[parameter], stepped;
  double h = step_length(d->step, d->naive->parameters[parameter], reach);
  if (!derivative(d, parameter, h, &stepped)) {
    out->skipped++;
    return;
  }
  double size = nu_larger_real(fabs(naive), fabs(stepped)), scale;
  negligible = nu_larger_real(negligible, NOISE * d->loss / (h * d->bound));
  scale = nu_larger_real(size, negligible);
  out->checked++;
  out->alive += size > negligible;
  if (scale != 0.0) keep_worst(&out->difference, fabs(naive - stepped) / scale);
}

static void check_layer(const differences *d, nu_gradcheck_layer *out, size_t l, uint64_t seed) {
  const numann_network *network = d->naive->network;
  const nu_layer *layer = &network->layers[l];
  size_t begin = (size_t)(layer->weights - network->parameters);
  size_t n_weights = layer->neurons * layer->links, n_biases = layer->bias ? layer->neurons : 0;
  size_t most = checks_in_layer(network), biases = n_biases < most / 4 ? n_biases : most / 4;
  size_t weights = n_weights < most - biases ? n_weights : most - biases;
  nu_stream stream = {seed, NU_PURPOSE_GENERATE, (uint32_t)l};
  double negligible = NEGLIGIBLE * root_mean_square(d->gradient + begin, n_weights + n_biases);
  for (size_t i = 0; i < weights; i++) {
    size_t parameter = pick(d, begin, n_weights, weights, i, stream);
    /* a weight of a dense layer goes with one of all inputs, one of a vector with its own */
    size_t weight = parameter - begin, input = weight % layer->links;
    size_t source = d->naive->first[l] + (layer->kind->vector ? weight : input);
    compare(d, out, parameter, d->reach[source], negligible);
  }
  for (size_t i = 0; i < biases; i++) {
    compare(d, out, pick(d, begin + n_weights, n_biases, biases, i, stream), 1.0, negligible);
  }
}

static bool has_any_kink(const numann_network *network) {
  bool any = false;
  for (size_t l = 0; l < network->n_layers; l++)
    any |= nu_activation_row_of(network->layers[l].activation)->kink;
  return any;
}

double nu_difference_bound(const numann_network *network) {
  return has_any_kink(network) ? NU_GRADCHECK_KINKED : NU_GRADCHECK_SMOOTH;
}

numann_status nu_difference_check(nu_gradcheck_layer *layers, nu_naive *naive,
                                  const nu_gradcheck_batch *batch, uint64_t seed,
                                  numann_error *err) {
  const numann_network *network = naive->network;
  size_t units = naive->first[network->n_layers + 1], flags = 0;
  differences d = {
      .naive = naive,
      .batch = batch,
      .gradient = nu_alloc(network->n_parameters, sizeof(double)),
      .positive = nu_size_mul(units, batch->rows, &flags) ? nu_alloc(flags, sizeof(bool)) : NULL,
      .reach = nu_alloc(units, sizeof(double)),
      .units = units,
      .step = has_any_kink(network) ? STEP_KINKED : STEP_SMOOTH,
      .bound = nu_difference_bound(network)};
  bool allocated = d.gradient && d.positive && d.reach;
  if (allocated) {
    nu_naive_gradient(naive, batch->rows, batch->inputs, batch->targets, batch->samples,
                      d.gradient);
    look_around(&d);
    for (size_t l = 0; l < network->n_layers; l++) {
      if (network->layers[l].links) check_layer(&d, &layers[l], l, seed);
    }
  }
  free(d.gradient);
  free(d.positive);
  free(d.reach);
  size_t bytes = network->n_parameters * sizeof(double);
  return allocated ? NUMANN_OK : nu_fail_memory(err, bytes, "the central differences");
}
