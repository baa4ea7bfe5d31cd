/* Extents and anchors of columns. SPDX-License-Identifier: MIT */
#include "data/extent.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "data/scaling.h"

/* Below this, floats have few values or none. */
#define TINY 0x1p-100

void nu_extent_join(nu_extent *extent, const nu_extent *other) {
  if (other->low < extent->low) extent->low = other->low;
  if (other->high > extent->high) extent->high = other->high;
  extent->inexact |= other->inexact;
}

/* The power of two at or below x, of those whose inverse is one too; 1 for 0. */
static double power_below(double x) {
  uint64_t bits;
  double power;
  if (x <= 0.0) return 1.0;
  memcpy(&bits, &x, sizeof bits);
  bits &= UINT64_C(0x7ff0000000000000);
  memcpy(&power, &bits, sizeof power);
  return power > 0x1p1000 ? 0x1p1000 : power < 0x1p-1000 ? 0x1p-1000 : power;
}

bool nu_extent_anchor(const nu_extent *extent, double *shift, double *scale) {
  *shift = 0.0;
  *scale = 1.0;
  if (extent->low > extent->high || !extent->inexact) return false;
  double a = fabs(extent->low), b = fabs(extent->high), size = a > b ? a : b;
  double spread = extent->high - extent->low;
  /* twice the bound of nu_before_scaling: what has an anchor is scaled from doubles later */
  bool narrow = size > 2.0 * NU_NARROW * (spread > 0.0 ? spread : 1.0);
  if (!narrow && size <= (double)FLT_MAX && size >= TINY) return false;
  *shift = extent->low;
  *scale = 1.0 / power_below(spread);
  return true;
}

void nu_anchors_round(nu_scaling *scaling, const double *shift, const double *scale, size_t n) {
  for (size_t j = 0; j < n; j++) {
    double composed = shift[j] + scaling->shift[j] / scale[j];
    scaling->shift[j] = (composed - shift[j]) * scale[j];
  }
}

void nu_anchors_compose(nu_scaling *scaling, const double *shift, const double *scale, size_t n) {
  for (size_t j = 0; j < n; j++) {
    scaling->shift[j] = shift[j] + scaling->shift[j] / scale[j];
    scaling->scale[j] *= scale[j];
  }
}
