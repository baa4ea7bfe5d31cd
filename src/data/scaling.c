/* Scaling: fit and apply. SPDX-License-Identifier: MIT */
#include "data/scaling.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NARROWEST_GROUP 8   /* columns: threads would read the same cache lines */
#define GROUP_VALUES 65536  /* of rows */

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

void nu_scaling_clear(nu_scaling *scaling) {
  free(scaling->shift);
  free(scaling->scale);
  *scaling = (nu_scaling){0};
}

/* Column statistics of values [rows][n]. */
typedef struct statistics {
  double *low, *high, *mean, *variance; /* [n] each, in one block that `low` owns */
} statistics;

/* What threads share: groups of columns when fitting, of rows when applying. */
typedef struct job {
  const statistics *s;
  const nu_scaling *scaling;
  const float *values;   /* [rows][n] */
  float *scaled;         /* the same, when applying */
  size_t rows, n, group; /* rows or columns a group */
  atomic_size_t bad;     /* the first row that leaves the range of a float; rows when none does */
} job;

/* Statistics of columns first to last of a group, each summed in the order of the rows. */
static void measure(size_t i, void *arg) {
  const job *b = arg;
  const statistics *s = b->s;
  size_t first = i * b->group, last = first + b->group < b->n ? first + b->group : b->n;
  for (size_t j = first; j < last; j++) s->low[j] = s->high[j] = (double)b->values[j];
  for (size_t r = 0; r < b->rows; r++) {
    const float *row = b->values + r * b->n;
    for (size_t j = first; j < last; j++) {
      double x = (double)row[j];
      s->mean[j] += x;
      s->low[j] = x < s->low[j] ? x : s->low[j];
      s->high[j] = x > s->high[j] ? x : s->high[j];
    }
  }
  for (size_t j = first; j < last; j++) s->mean[j] /= (double)b->rows;
  for (size_t r = 0; r < b->rows; r++) {
    const float *row = b->values + r * b->n;
    for (size_t j = first; j < last; j++) {
      double d = (double)row[j] - s->mean[j];
      s->variance[j] += d * d;
    }
  }
  for (size_t j = first; j < last; j++) s->variance[j] /= (double)b->rows;
}

static void set_column(nu_scaling *scaling, const statistics *s, size_t j, bool standardize) {
  /* by the extremes, since rounding may leave a constant column a tiny variance */
  bool constant = s->low[j] == s->high[j];
  double width = standardize ? sqrt(s->variance[j]) : s->high[j] - s->low[j];
  scaling->shift[j] = constant || !standardize ? s->low[j] : s->mean[j];
  scaling->scale[j] = constant || width <= 0.0 ? 1.0 : 1.0 / width;
}

static numann_status fit_columns(nu_scaling *scaling, const float *values, size_t rows, size_t n,
                                 bool standardize, nu_crew *crew, numann_error *err) {
  double *block = calloc(4 * n + 1, sizeof *block);
  if (!block) return nu_fail_memory(err, 4 * n * sizeof *block, "scaling");
  statistics s = {block, block + n, block + 2 * n, block + 3 * n};
  size_t threads = nu_crew_size(crew, rows * n * sizeof *values);
  size_t group = nu_round_up((n + threads - 1) / threads, NARROWEST_GROUP);
  job b = {.s = &s, .values = values, .rows = rows, .n = n, .group = group};
  nu_crew_each(threads, (n + group - 1) / group, measure, &b);
  for (size_t j = 0; j < n; j++) set_column(scaling, &s, j, standardize);
  free(block);
  return NUMANN_OK;
}

numann_status nu_scaling_fit(nu_scaling *scaling, const float *values, size_t rows, size_t n,
                             nu_crew *crew, const char *key, numann_error *err) {
  const char *method = nu_config_string(crew->config, key);
  if (strcmp(method, "none") == 0) return NUMANN_OK;
  if (strcmp(method, "standardize") == 0)
    return fit_columns(scaling, values, rows, n, true, crew, err);
  if (strcmp(method, "min_max") == 0)
    return fit_columns(scaling, values, rows, n, false, crew, err);
  double divisor = nu_config_real(crew->config, key);
  for (size_t j = 0; j < n; j++) scaling->scale[j] = 1.0 / divisor;
  return NUMANN_OK;
}

static bool is_identity(const nu_scaling *scaling, size_t n) {
  for (size_t j = 0; j < n; j++) {
    if (scaling->shift[j] != 0.0 || scaling->scale[j] != 1.0) return false;
  }
  return true;
}

static void note_bad(job *b, size_t row) {
  size_t least = atomic_load(&b->bad);
  while (row < least && !atomic_compare_exchange_weak(&b->bad, &least, row)) continue;
}

static void apply(size_t i, void *arg) {
  job *b = arg;
  size_t first = i * b->group, last = first + b->group < b->rows ? first + b->group : b->rows;
  for (size_t r = first; r < last; r++) {
    float *row = b->scaled + r * b->n;
    bool fits = true;
    for (size_t j = 0; j < b->n; j++) {
      row[j] = (float)(((double)row[j] - b->scaling->shift[j]) * b->scaling->scale[j]);
      fits &= isfinite(row[j]) != 0;
    }
    if (!fits) {
      note_bad(b, r);
      return;
    }
  }
}

numann_status nu_scaling_apply(const nu_scaling *scaling, float *values, size_t rows, size_t n,
                               const char *file, nu_crew *crew, numann_error *err) {
  if (is_identity(scaling, n)) return NUMANN_OK;
  job b = {.scaling = scaling, .scaled = values, .rows = rows, .n = n, .bad = rows};
  b.group = GROUP_VALUES / n + 1;
  size_t threads = nu_crew_size(crew, rows * n * sizeof *values);
  nu_crew_each(threads, (rows + b.group - 1) / b.group, apply, &b);
  size_t bad = atomic_load(&b.bad);
  if (bad == rows) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: row %zu (counted from 0, without dropped ones) has a value that data.scale "
                 "takes out of the range of a float; correct it or change the scaling",
                 file, bad);
}
