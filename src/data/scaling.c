/* Scaling: fit and apply. SPDX-License-Identifier: MIT */
#include "data/scaling.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/least.h"
#include "base/memory.h"

#define NARROWEST_GROUP 8 /* columns: threads would read the same cache lines */
#define WIDEST_GROUP 512
#define GROUP_VALUES 65536 /* of rows */

numann_status nu_scaling_identity(nu_scaling *out, size_t n, numann_error *err) {
  out->shift = calloc(n + 1, sizeof *out->shift);
  out->scale = calloc(n + 1, sizeof *out->scale);
  if (!out->shift || !out->scale) {
    nu_scaling_clear(out);
    return nu_fail_memory(err, n * sizeof(double), "scaling");
  }
  for (size_t j = 0; j < n; j++) out->scale[j] = 1.0;
  return NUMANN_OK;
}

numann_status nu_scaling_copy(nu_scaling *out, const nu_scaling *from, size_t n,
                              numann_error *err) {
  if (!from->shift) return NUMANN_OK;
  NU_TRY(nu_scaling_identity(out, n, err));
  memcpy(out->shift, from->shift, n * sizeof *from->shift);
  memcpy(out->scale, from->scale, n * sizeof *from->scale);
  return NUMANN_OK;
}

void nu_scaling_clear(nu_scaling *scaling) {
  free(scaling->shift);
  free(scaling->scale);
  *scaling = (nu_scaling){0};
}

/* Column statistics of numbers [rows][n]. */
typedef struct statistics {
  double *low, *high, *mean, *variance; /* [n] each, in one block that `low` owns */
} statistics;

/* What threads share: groups of columns when fitting, of rows when applying. */
typedef struct job {
  const statistics *s;
  const nu_scaling *scaling;
  nu_numbers numbers;
  size_t group;      /* rows or columns a group */
  atomic_size_t bad; /* the first row that leaves the range of a float; rows when none does */
} job;

/* Columns of row r from `first` on, as floats; those of bytes are put into `room`. */
static const float *row_part(const nu_numbers *x, size_t r, size_t first, size_t n, float *room) {
  size_t at = r * x->n + first;
  if (x->values) return x->values + at;
  for (size_t j = 0; j < n; j++) room[j] = (float)x->bytes[at + j];
  return room;
}

/* Statistics of the columns of a group, each summed in the order of the rows. */
static void measure(size_t i, void *arg) {
  const job *b = arg;
  const nu_numbers *numbers = &b->numbers;
  float room[WIDEST_GROUP];
  size_t first = i * b->group, rest = numbers->n - first, n = nu_smaller(rest, b->group);
  double *low = b->s->low + first, *high = b->s->high + first, *mean = b->s->mean + first;
  double *variance = b->s->variance + first;
  const float *row = row_part(numbers, 0, first, n, room);
  for (size_t j = 0; j < n; j++) low[j] = high[j] = (double)row[j];
  for (size_t r = 0; r < numbers->rows; r++) {
    row = row_part(numbers, r, first, n, room);
    for (size_t j = 0; j < n; j++) {
      double x = (double)row[j];
      mean[j] += x;
      low[j] = x < low[j] ? x : low[j];
      high[j] = x > high[j] ? x : high[j];
    }
  }
  for (size_t j = 0; j < n; j++) mean[j] /= (double)numbers->rows;
  for (size_t r = 0; r < numbers->rows; r++) {
    row = row_part(numbers, r, first, n, room);
    for (size_t j = 0; j < n; j++) {
      double d = (double)row[j] - mean[j];
      variance[j] += d * d;
    }
  }
  for (size_t j = 0; j < n; j++) variance[j] /= (double)numbers->rows;
}

static void set_column(nu_scaling *scaling, const statistics *s, size_t j, bool standardize) {
  /* by the extremes, since rounding may leave a constant column a tiny variance */
  bool constant = s->low[j] == s->high[j];
  double width = standardize ? sqrt(s->variance[j]) : s->high[j] - s->low[j];
  scaling->shift[j] = constant || !standardize ? s->low[j] : s->mean[j];
  scaling->scale[j] = constant || width <= 0.0 ? 1.0 : 1.0 / width;
}

static uint64_t bytes_of(const nu_numbers *x) {
  return (uint64_t)x->rows * x->n * (x->bytes ? 1 : sizeof(float));
}

static numann_status fit_columns(nu_scaling *scaling, const nu_numbers *numbers, bool standardize,
                                 nu_crew *crew, numann_error *err) {
  size_t n = numbers->n;
  double *block = calloc(4 * n + 1, sizeof *block);
  if (!block) return nu_fail_memory(err, 4 * n * sizeof *block, "scaling");
  statistics s = {block, block + n, block + 2 * n, block + 3 * n};
  size_t threads = nu_crew_size(crew, bytes_of(numbers));
  size_t group = nu_round_up((n + threads - 1) / threads, NARROWEST_GROUP);
  if (group > WIDEST_GROUP) group = WIDEST_GROUP;
  job b = {.s = &s, .numbers = *numbers, .group = group};
  nu_crew_each(threads, (n + group - 1) / group, measure, &b);
  for (size_t j = 0; j < n; j++) set_column(scaling, &s, j, standardize);
  free(block);
  return NUMANN_OK;
}

numann_status nu_scaling_fit(nu_scaling *scaling, const nu_numbers *numbers, nu_crew *crew,
                             const char *key, numann_error *err) {
  const char *method = nu_config_string(crew->config, key);
  if (strcmp(method, "none") == 0) return NUMANN_OK;
  if (strcmp(method, "standardize") == 0) return fit_columns(scaling, numbers, true, crew, err);
  if (strcmp(method, "min_max") == 0) return fit_columns(scaling, numbers, false, crew, err);
  double divisor = nu_config_real(crew->config, key);
  for (size_t j = 0; j < numbers->n; j++) scaling->scale[j] = 1.0 / divisor;
  return NUMANN_OK;
}

bool nu_scaling_is_identity(const nu_scaling *scaling, size_t n) {
  for (size_t j = 0; j < n; j++) {
    if (scaling->shift[j] != 0.0 || scaling->scale[j] != 1.0) return false;
  }
  return true;
}

static void note_bad(job *b, size_t row) {
  size_t least = atomic_load(&b->bad);
  while (row < least && !atomic_compare_exchange_weak(&b->bad, &least, row)) continue;
}

static bool scale_row(const nu_scaling *scaling, float *row, size_t n) {
  bool fits = true;
  for (size_t j = 0; j < n; j++) {
    row[j] = nu_scale((double)row[j], scaling->shift[j], scaling->scale[j]);
    fits &= isfinite(row[j]) != 0;
  }
  return fits;
}

static bool bytes_fit(const nu_scaling *scaling, const uint8_t *row, size_t n) {
  bool fits = true;
  for (size_t j = 0; j < n; j++) {
    fits &= isfinite(nu_scale((double)row[j], scaling->shift[j], scaling->scale[j])) != 0;
  }
  return fits;
}

/* Whatever the bytes are, as the least and the largest fit. */
static bool all_bytes_fit(const nu_scaling *scaling, size_t n) {
  bool fits = true;
  for (size_t j = 0; j < n; j++) {
    fits &= isfinite(nu_scale(0.0, scaling->shift[j], scaling->scale[j])) &&
            isfinite(nu_scale(UINT8_MAX, scaling->shift[j], scaling->scale[j]));
  }
  return fits;
}

static void apply(size_t i, void *arg) {
  job *b = arg;
  const nu_numbers *x = &b->numbers;
  size_t first = i * b->group, last = first + b->group < x->rows ? first + b->group : x->rows;
  for (size_t r = first; r < last; r++) {
    if (x->values ? !scale_row(b->scaling, x->values + r * x->n, x->n)
                  : !bytes_fit(b->scaling, x->bytes + r * x->n, x->n)) {
      note_bad(b, r);
      return;
    }
  }
}

numann_status nu_scaling_apply(const nu_scaling *scaling, const nu_numbers *numbers,
                               const char *file, nu_crew *crew, numann_error *err) {
  size_t rows = numbers->rows, n = numbers->n;
  if (nu_scaling_is_identity(scaling, n) || (numbers->bytes && all_bytes_fit(scaling, n)))
    return NUMANN_OK;
  job b = {.scaling = scaling, .numbers = *numbers, .group = GROUP_VALUES / n + 1, .bad = rows};
  size_t threads = nu_crew_size(crew, bytes_of(numbers));
  nu_crew_each(threads, (rows + b.group - 1) / b.group, apply, &b);
  size_t bad = atomic_load(&b.bad);
  if (bad == rows) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: row %zu (counted from 0, without dropped ones) has a value that data.scale "
                 "takes out of the range of a float; correct it or change the scaling",
                 file, bad);
}
