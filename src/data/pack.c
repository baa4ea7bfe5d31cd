/* SPDX-License-Identifier: MIT */
#include "data/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/table.h"

/* ---- the arrays of a part */

nu_row_arrays nu_row_arrays_of(const nu_rows *rows, const nu_schema *schema) {
  size_t n = rows->rows;
  return (nu_row_arrays){
      .at = {rows->inputs, rows->bytes, rows->targets, rows->labels},
      .bytes = {rows->inputs ? n * schema->features * sizeof *rows->inputs : 0,
                rows->bytes ? n * schema->features : 0,
                rows->targets ? n * schema->targets * sizeof *rows->targets : 0,
                rows->labels ? n * sizeof *rows->labels : 0},
  };
}

void nu_row_arrays_put(const nu_row_arrays *arrays, nu_rows *rows) {
  rows->inputs = arrays->at[0];
  rows->bytes = arrays->at[1];
  rows->targets = arrays->at[2];
  rows->labels = arrays->at[3];
}

/* ---- there */

static void put_count(nu_text *out, uint64_t n) { nu_text_append(out, (const char *)&n, sizeof n); }

static void put_bytes(nu_text *out, const void *at, size_t n) {
  put_count(out, n);
  if (n) nu_text_append(out, at, n);
}

static void put_names(nu_text *out, char *const *names, size_t n) {
  put_count(out, names ? 1 : 0);
  for (size_t i = 0; names && i < n; i++) put_bytes(out, names[i], strlen(names[i]));
}

static void put_scaling(nu_text *out, const nu_scaling *scaling, size_t n) {
  put_bytes(out, scaling->shift, scaling->shift ? n * sizeof *scaling->shift : 0);
  put_bytes(out, scaling->scale, scaling->scale ? n * sizeof *scaling->scale : 0);
}

static void put_part(nu_text *out, const nu_rows *rows, const nu_schema *schema) {
  nu_row_arrays arrays = nu_row_arrays_of(rows, schema);
  put_count(out, rows->rows);
  for (size_t i = 0; i < NU_ROW_ARRAYS; i++) put_count(out, arrays.bytes[i]);
  put_scaling(out, &rows->scaling, schema->features);
}

void nu_data_pack(const numann_data *data, nu_text *out) {
  const nu_schema *schema = &data->schema;
  put_count(out, schema->features);
  put_count(out, schema->classes);
  put_count(out, schema->targets);
  put_names(out, schema->feature_names, schema->features);
  put_names(out, schema->class_names, schema->classes);
  put_names(out, schema->target_names, nu_schema_target_columns(schema));
  put_scaling(out, &schema->inputs, schema->features);
  put_scaling(out, &schema->outputs, schema->targets);
  put_count(out, data->rows_dropped);
  put_bytes(out, nu_text_view(&data->notes), data->notes.length);
  put_part(out, &data->train, schema);
  put_part(out, &data->validation, schema);
  put_part(out, &data->test, schema);
}

/* ---- and back */

typedef struct unpacking {
  const char *next;
  size_t left;
  bool short_of;       /* it ends too early, or says what cannot be */
  size_t short_memory; /* bytes that were refused; 0: none */
} unpacking;

static bool stops(const unpacking *u) { return u->short_of || u->short_memory; }

/* The next n bytes; NULL where there are fewer. */
static const char *take(unpacking *u, size_t n) {
  const char *at = u->next;
  u->short_of |= n > u->left;
  if (stops(u)) return NULL;
  u->next += n;
  u->left -= n;
  return at;
}

static size_t take_count(unpacking *u) {
  uint64_t n = 0;
  const char *at = take(u, sizeof n);
  if (at) memcpy(&n, at, sizeof n);
  if (n > SIZE_MAX) u->short_of = true;
  return stops(u) ? 0 : (size_t)n;
}

/* A text of its own. */
static char *take_text(unpacking *u) {
  size_t n = take_count(u);
  const char *at = take(u, n);
  char *copy = at ? nu_copy_text(at, n) : NULL;
  if (at && !copy) u->short_memory = n + 1;
  return copy;
}

/* Each has a length of its own: more names than there can be lengths are none. */
static char **take_names(unpacking *u, size_t n) {
  size_t given = take_count(u);
  u->short_of |= given && n > u->left / sizeof(uint64_t);
  if (stops(u) || !given) return NULL;
  char **names = calloc(n + 1, sizeof *names);
  if (!names) u->short_memory = (n + 1) * sizeof *names;
  for (size_t i = 0; names && i < n; i++) names[i] = take_text(u);
  return names;
}

/* n numbers, or none. */
static double *take_reals(unpacking *u, size_t n) {
  size_t bytes = take_count(u), whole = 0;
  u->short_of |= bytes && (!nu_size_mul(n, sizeof(double), &whole) || bytes != whole);
  const char *at = take(u, bytes);
  if (!at || !bytes) return NULL;
  double *copy = malloc(bytes);
  if (copy) memcpy(copy, at, bytes);
  else u->short_memory = bytes;
  return copy;
}

static void take_scaling(unpacking *u, nu_scaling *scaling, size_t n) {
  scaling->shift = take_reals(u, n);
  scaling->scale = take_reals(u, n);
}

/* An array has whole rows of one width. */
static void take_part(unpacking *u, nu_rows *rows, const nu_schema *schema, nu_row_arrays *arrays) {
  const struct {
    size_t n, size;
  } width[NU_ROW_ARRAYS] = {{schema->features, sizeof(float)},
                            {schema->features, sizeof(uint8_t)},
                            {schema->targets, sizeof(float)},
                            {1, sizeof(int32_t)}};
  *arrays = (nu_row_arrays){.bytes = {0}};
  rows->rows = take_count(u);
  for (size_t i = 0; i < NU_ROW_ARRAYS; i++) {
    size_t bytes = take_count(u), row = 0, whole = 0;
    bool fits = nu_size_mul(width[i].n, width[i].size, &row) &&
                nu_size_mul(row, rows->rows, &whole) && bytes == whole;
    u->short_of |= bytes && !fits;
    arrays->bytes[i] = bytes;
  }
  take_scaling(u, &rows->scaling, schema->features);
}

static void take_schema(unpacking *u, nu_schema *schema) {
  schema->features = take_count(u);
  schema->classes = take_count(u);
  schema->targets = take_count(u);
  schema->feature_names = take_names(u, schema->features);
  schema->class_names = take_names(u, schema->classes);
  schema->target_names = take_names(u, nu_schema_target_columns(schema));
  take_scaling(u, &schema->inputs, schema->features);
  take_scaling(u, &schema->outputs, schema->targets);
}

static void take_data(unpacking *u, numann_data *data, nu_row_arrays *arrays) {
  take_schema(u, &data->schema);
  data->rows_dropped = take_count(u);
  size_t n = take_count(u);
  const char *notes = take(u, n);
  if (notes) nu_text_append(&data->notes, notes, n);
  if (data->notes.failed) u->short_memory = n;
  take_part(u, &data->train, &data->schema, &arrays[NU_TRAIN]);
  take_part(u, &data->validation, &data->schema, &arrays[NU_VALIDATION]);
  take_part(u, &data->test, &data->schema, &arrays[NU_TEST]);
  u->short_of |= u->left > 0;
}

numann_status nu_data_unpack(numann_data **out, nu_row_arrays *arrays, const char *bytes, size_t n,
                             numann_error *err) {
  unpacking u = {.next = bytes, .left = n};
  numann_data *data = *out = calloc(1, sizeof *data);
  if (!data) return nu_fail_memory(err, sizeof *data, "data");
  take_data(&u, data, arrays);
  if (!stops(&u)) return NUMANN_OK;
  numann_data_destroy(data);
  *out = NULL;
  if (u.short_memory) return nu_fail_memory(err, u.short_memory, "data of this host's first rank");
  return nu_fail(err, NUMANN_ERR_PEER,
                 "the first rank of this host has sent data of another form (%zu bytes); start all "
                 "ranks with the same numann",
                 n);
}
