/* Scaling: standardise, min-max, or divide by a constant. SPDX-License-Identifier: MIT
 *
 * Fitted in double on the training rows, column by column in row order; part of the numerics. */
#ifndef NU_DATA_SCALING_H
#define NU_DATA_SCALING_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>

#include "data/crew.h"
#include "data/data.h"

/* Shift 0, scale 1 for n columns. */
bool nu_scaling_is_identity(const nu_scaling *scaling, size_t n);
numann_status nu_scaling_identity(nu_scaling *out, size_t n, numann_error *err);
numann_status nu_scaling_copy(nu_scaling *out, const nu_scaling *from, size_t n, numann_error *err);
void nu_scaling_clear(nu_scaling *scaling);

/* What scaling does to a number. */
static inline float nu_scale(double x, double shift, double scale) {
  return (float)((x - shift) * scale);
}

/* Of a column whose values are more than this many times as large as they are wide a float keeps
 * too little. */
#define NU_NARROW 512.0

/* What is scaled of a number of a file: the float that training scaled, but the number itself where
 * that would lose what matters (data/extent.h). */
static inline double nu_before_scaling(double x, double shift, double scale) {
  double size = x < 0.0 ? -x : x, place = shift < 0.0 ? -shift : shift;
  bool whole = place * scale >= NU_NARROW || size > (double)FLT_MAX || size < (double)FLT_MIN;
  return whole ? x : (double)(float)x;
}
static inline float nu_scale_number(double x, double shift, double scale) {
  return nu_scale(nu_before_scaling(x, shift, scale), shift, scale);
}

/* Numbers [rows][n], floats or bytes: the other is NULL. All borrowed. */
typedef struct nu_numbers {
  float *values;
  const uint8_t *bytes;
  size_t rows, n;
} nu_numbers;

/* Set scaling [n] to what the crew's config's key (data.scale, data.scale_targets) asks for on the
 * numbers. A constant column is shifted to 0 and not stretched. */
numann_status nu_scaling_fit(nu_scaling *scaling, const nu_numbers *numbers, nu_crew *crew,
                             const char *key, numann_error *err);

/* Scale floats in place; bytes stay. NUMANN_ERR_DATA when a number leaves the range of float.
 * `file` is for the message. */
numann_status nu_scaling_apply(const nu_scaling *scaling, const nu_numbers *numbers,
                               const char *file, nu_crew *crew, numann_error *err);

#endif
