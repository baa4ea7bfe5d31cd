/* SPDX-License-Identifier: MIT */
#include "network/doubts.h"

#include <math.h>
#include <stdlib.h>

#include "base/least.h"
#include "base/memory.h"
#include "machine/float_env.h"
#include "network/activation.h"

/* Initial weights and learning rates are made for numbers around 1. Pixels of 0 to 16 still train;
 * beyond this the first steps throw the weights far off, or silence the units for good. */
#define LARGE 30.0
#define SMALL 1e-3
#define ROWS_LOOKED_AT 1000
#define PIECE 512 /* features read at a time */

/* Evenly spaced over all. */
static size_t row_of(size_t i, size_t looked_at, size_t rows) { return i * rows / looked_at; }

static size_t rows_looked_at(const nu_rows *rows) { return nu_smaller(rows->rows, ROWS_LOOKED_AT); }

/* ---- inputs */

/* squares [features]: sums of squares over the rows that are looked at. */
static void add_squares(const nu_rows *rows, size_t features, double *squares) {
  float room[PIECE];
  size_t n = rows_looked_at(rows);
  for (size_t i = 0; i < n; i++) {
    for (size_t first = 0; first < features; first += PIECE) {
      size_t piece = nu_smaller(features - first, PIECE);
      nu_rows_inputs(rows, features, row_of(i, n, rows->rows), first, piece, room);
      for (size_t j = 0; j < piece; j++) squares[first + j] += (double)room[j] * (double)room[j];
    }
  }
}

static void tell_inputs(const nu_schema *schema, size_t largest, double size, nu_text *out) {
  const char *name = schema->feature_names ? schema->feature_names[largest] : NULL;
  if (name) nu_text_addf(out, "input %s", name);
  else nu_text_addf(out, "input %zu (counted from 0)", largest);
  nu_text_addf(out,
               " is the largest, about %.3g (root mean square), and networks learn from numbers "
               "around 1; set data.scale: standardize\n",
               size);
}

static void doubt_inputs(const numann_data *data, nu_text *out) {
  size_t features = data->schema.features, largest = 0;
  double *squares = nu_alloc(features, sizeof *squares);
  if (!squares) return; /* what only warns must not fail */
  add_squares(&data->train, features, squares);
  for (size_t j = 1; j < features; j++) {
    if (squares[j] > squares[largest]) largest = j;
  }
  double size = sqrt(squares[largest] / (double)rows_looked_at(&data->train));
  if (size > LARGE || (size > 0.0 && size < SMALL)) tell_inputs(&data->schema, largest, size, out);
  free(squares);
}

/* ---- targets */

typedef struct range {
  double low, high, square; /* square: mean */
} range;

static range range_of_targets(const nu_rows *rows, size_t targets) {
  range r = {INFINITY, -INFINITY, 0.0};
  size_t n = rows_looked_at(rows);
  for (size_t i = 0; i < n * targets; i++) {
    double t = (double)rows->targets[row_of(i / targets, n, rows->rows) * targets + i % targets];
    if (t < r.low) r.low = t;
    if (t > r.high) r.high = t;
    r.square += t * t / (double)(n * targets);
  }
  return r;
}

/* What the last layer can give: where an activation has an end, it hardly moves far from 0. */
static range range_of_answers(nu_activation activation) {
  const double far = 50.0, still = 0.1;
  const nu_activation_row *row = nu_activation_row_of(activation);
  double low = row->value(-far), high = row->value(far);
  if (activation == NU_SOFTMAX || activation == NU_STEP) return (range){0.0, 1.0, 0.0};
  if (fabs(row->value(-2.0 * far) - low) > still) low = -INFINITY;
  if (fabs(row->value(2.0 * far) - high) > still) high = INFINITY;
  return (range){low, high, 0.0};
}

static void doubt_targets(const numann_network *network, const numann_data *data, nu_text *out) {
  const double near = 0.5;
  nu_activation last = network->layers[network->n_layers - 1].activation;
  range t = range_of_targets(&data->train, data->schema.targets), a = range_of_answers(last);
  if (t.low < a.low - near || t.high > a.high + near)
    nu_text_addf(out,
                 "the targets go from %.4g to %.4g, which a last layer of %s cannot give; use "
                 "activation: identity there, or set data.scale_targets: min_max\n",
                 t.low, t.high, nu_activation_name(last));
  else if (sqrt(t.square) > LARGE || (t.square > 0.0 && sqrt(t.square) < SMALL))
    nu_text_addf(out,
                 "the targets are about %.3g (root mean square), and networks learn numbers around "
                 "1; set data.scale_targets: standardize\n",
                 sqrt(t.square));
}

void nu_network_doubts(const numann_network *network, const numann_data *data, nu_text *out) {
  nu_float_env env = nu_float_env_enter();
  doubt_inputs(data, out);
  if (data->train.targets) doubt_targets(network, data, out);
  nu_float_env_leave(&env);
}
