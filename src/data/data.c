/* Data from memory, row orders, and what the other files leave. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/array.h"
#include "data/scaling.h"
#include "data/schema.h"

static numann_status check_finite(const float *values, size_t rows, size_t n, const char *what,
                                  numann_error *err) {
  for (size_t i = 0; i < rows * n; i++) {
    if (isfinite(values[i])) continue;
    return nu_fail(err, NUMANN_ERR_DATA, "%s: row %zu, column %zu (counted from 0) is not finite",
                   what, i / n, i % n);
  }
  return NUMANN_OK;
}

static numann_status check_labels(const int32_t *labels, size_t rows, size_t classes,
                                  numann_error *err) {
  if (classes < 2)
    return nu_fail(err, NUMANN_ERR_DATA, "labels: one class; at least two are needed");
  for (size_t r = 0; r < rows; r++) {
    if (labels[r] >= 0 && (size_t)labels[r] < classes) continue;
    return nu_fail(err, NUMANN_ERR_DATA, "labels: row %zu has %d, a class of 0 to %zu is expected",
                   r, (int)labels[r], classes - 1);
  }
  return NUMANN_OK;
}

static numann_status copy_rows(numann_data *data, size_t rows, const float *inputs,
                               const float *targets, const int32_t *labels, numann_error *err) {
  const nu_schema *schema = &data->schema;
  nu_row_shape shape = {.features = schema->features, .targets = schema->targets, .labels = labels};
  NU_TRY(nu_rows_allocate(&data->train, rows, &shape, err));
  memcpy(data->train.inputs, inputs, rows * schema->features * sizeof *inputs);
  if (targets) memcpy(data->train.targets, targets, rows * schema->targets * sizeof *targets);
  if (labels) memcpy(data->train.labels, labels, rows * sizeof *labels);
  return NUMANN_OK;
}

numann_status numann_data_create(numann_data **out, size_t rows, size_t features,
                                 const float *inputs, size_t n_targets, const float *targets,
                                 const int32_t *labels, numann_error *err) {
  assert(out && inputs && features > 0 && n_targets > 0 && !targets != !labels);
  *out = NULL;
  if (rows == 0 || rows > NU_ROWS_MAX) {
    return nu_fail(err, NUMANN_ERR_DATA, "%zu rows; 1 to %u are expected", rows, NU_ROWS_MAX);
  }
  NU_TRY(check_finite(inputs, rows, features, "inputs", err));
  if (targets) NU_TRY(check_finite(targets, rows, n_targets, "targets", err));
  if (labels) NU_TRY(check_labels(labels, rows, n_targets, err));
  numann_data *data = calloc(1, sizeof *data);
  if (!data) return nu_fail_memory(err, sizeof *data, "data");
  numann_status status =
      nu_schema_plain(&data->schema, features, labels ? n_targets : 0, labels ? 0 : n_targets, err);
  if (status == NUMANN_OK) status = copy_rows(data, rows, inputs, targets, labels, err);
  if (status != NUMANN_OK) numann_data_destroy(data);
  else *out = data;
  return status;
}

void numann_data_destroy(numann_data *data) {
  if (!data) return;
  nu_rows_clear(&data->train);
  nu_rows_clear(&data->validation);
  nu_rows_clear(&data->test);
  nu_schema_clear(&data->schema);
  nu_text_clear(&data->notes);
  if (data->comm) nu_comm_unshare(data->comm, data->areas);
  free(data->areas);
  free(data);
}

size_t numann_data_rows(const numann_data *data) { return data->train.rows; }

size_t numann_data_features(const numann_data *data) { return data->schema.features; }

size_t numann_data_classes(const numann_data *data) { return data->schema.classes; }

/* The one place where const is taken away: a nu_rows that owns its arrays fills them, one that is
 * read through const nu_rows * does not. */
nu_rows nu_rows_view(size_t rows, const float *inputs, const float *targets) {
  union {
    const float *from;
    float *to;
  } x = {inputs}, t = {targets};
  return (nu_rows){.rows = rows, .inputs = x.to, .targets = t.to};
}

void nu_rows_inputs(const nu_rows *rows, size_t features, size_t row, size_t first, size_t n,
                    float *to) {
  size_t at = row * features + first;
  if (rows->inputs) {
    memcpy(to, rows->inputs + at, n * sizeof *to);
    return;
  }
  const double *shift = rows->scaling.shift + first, *scale = rows->scaling.scale + first;
  for (size_t j = 0; j < n; j++) to[j] = nu_scale((double)rows->bytes[at + j], shift[j], scale[j]);
}

void nu_data_order(uint32_t *order, size_t rows, uint64_t seed, uint64_t epoch, bool shuffle) {
  nu_stream stream = {seed, NU_PURPOSE_SHUFFLE, (uint32_t)epoch};
  for (size_t r = 0; r < rows; r++) order[r] = (uint32_t)r;
  if (shuffle) nu_random_shuffle(stream, order, rows);
}
