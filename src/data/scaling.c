/* Scaling: fit and apply. SPDX-License-Identifier: MIT */
#include "data/scaling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void measure(const statistics *s, const float *values, size_t rows, size_t n) {
  for (size_t j = 0; j < n; j++) s->low[j] = s->high[j] = (double)values[j];
  for (size_t r = 0; r < rows; r++) {
    const float *row = values + r * n;
    for (size_t j = 0; j < n; j++) {
      double x = (double)row[j];
      s->mean[j] += x;
      s->low[j] = x < s->low[j] ? x : s->low[j];
      s->high[j] = x > s->high[j] ? x : s->high[j];
    }
  }
  for (size_t j = 0; j < n; j++) s->mean[j] /= (double)rows;
  for (size_t r = 0; r < rows; r++) {
    const float *row = values + r * n;
    for (size_t j = 0; j < n; j++) {
      double d = (double)row[j] - s->mean[j];
      s->variance[j] += d * d;
    }
  }
  for (size_t j = 0; j < n; j++) s->variance[j] /= (double)rows;
}

static void set_column(nu_scaling *scaling, const statistics *s, size_t j, bool standardize) {
  /* by the extremes, since rounding may leave a constant column a tiny variance */
  bool constant = s->low[j] == s->high[j];
  double width = standardize ? sqrt(s->variance[j]) : s->high[j] - s->low[j];
  scaling->shift[j] = constant || !standardize ? s->low[j] : s->mean[j];
  scaling->scale[j] = constant || width <= 0.0 ? 1.0 : 1.0 / width;
}

static numann_status fit_columns(nu_scaling *scaling, const float *values, size_t rows, size_t n,
                                 bool standardize, numann_error *err) {
  double *block = calloc(4 * n + 1, sizeof *block);
  if (!block) return nu_fail_memory(err, 4 * n * sizeof *block, "scaling");
  statistics s = {block, block + n, block + 2 * n, block + 3 * n};
  measure(&s, values, rows, n);
  for (size_t j = 0; j < n; j++) set_column(scaling, &s, j, standardize);
  free(block);
  return NUMANN_OK;
}

numann_status nu_scaling_fit(nu_scaling *scaling, const float *values, size_t rows, size_t n,
                             const numann_config *config, const char *key, numann_error *err) {
  const char *method = nu_config_string(config, key);
  if (strcmp(method, "none") == 0) return NUMANN_OK;
  if (strcmp(method, "standardize") == 0) return fit_columns(scaling, values, rows, n, true, err);
  if (strcmp(method, "min_max") == 0) return fit_columns(scaling, values, rows, n, false, err);
  double divisor = nu_config_real(config, key);
  for (size_t j = 0; j < n; j++) scaling->scale[j] = 1.0 / divisor;
  return NUMANN_OK;
}

static bool is_identity(const nu_scaling *scaling, size_t n) {
  for (size_t j = 0; j < n; j++) {
    if (scaling->shift[j] != 0.0 || scaling->scale[j] != 1.0) return false;
  }
  return true;
}

numann_status nu_scaling_apply(const nu_scaling *scaling, float *values, size_t rows, size_t n,
                               const char *file, numann_error *err) {
  if (is_identity(scaling, n)) return NUMANN_OK;
  for (size_t r = 0; r < rows; r++) {
    float *row = values + r * n;
    bool fits = true;
    for (size_t j = 0; j < n; j++) {
      row[j] = (float)(((double)row[j] - scaling->shift[j]) * scaling->scale[j]);
      fits &= isfinite(row[j]) != 0;
    }
    if (fits) continue;
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: row %zu (counted from 0, without dropped ones) has a value that data.scale "
                   "takes out of the range of a float; correct it or change the scaling",
                   file, r);
  }
  return NUMANN_OK;
}
