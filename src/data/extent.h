/* Extents: between what numbers a column lies, and whether floats tell its values apart.
 * SPDX-License-Identifier: MIT
 *
 * Values become floats before they are scaled, which costs nothing that matters where a column is
 * about as wide as its values are large. Columns of other kinds - times, 1,700,000,000 and a few
 * seconds more; values that no float holds - are read again, shifted and stretched by an anchor in
 * double before they become floats. */
#ifndef NU_DATA_EXTENT_H
#define NU_DATA_EXTENT_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>

#include "data/data.h"

/* Start with NU_EXTENT_NONE. */
typedef struct nu_extent {
  double low, high;
  bool inexact; /* a value is no float */
} nu_extent;
#define NU_EXTENT_NONE ((nu_extent){DBL_MAX, -DBL_MAX, false})

static inline void nu_extent_note(nu_extent *extent, double value) {
  extent->low = value < extent->low ? value : extent->low;
  extent->high = value > extent->high ? value : extent->high;
  extent->inexact |= (double)(float)value != value;
}

void nu_extent_join(nu_extent *extent, const nu_extent *other);

/* Values that scaling can make ordinary: the difference of two has an inverse. */
#define NU_VALUE_MAX 1e306

/* The anchor of a column: y = (x - *shift) * *scale, *scale a power of two. False: it needs none,
 * and y = x. */
bool nu_extent_anchor(const nu_extent *extent, double *shift, double *scale);

/* What is done to y, for n columns: shifts as they will be when composed, so that the rows that
 * train and the rows asked later are shifted alike. */
void nu_anchors_round(nu_scaling *scaling, const double *shift, const double *scale, size_t n);
/* From what is done to y to what is done to x, for n columns. */
void nu_anchors_compose(nu_scaling *scaling, const double *shift, const double *scale, size_t n);

#endif
