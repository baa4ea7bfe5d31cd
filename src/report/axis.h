/* An axis of a plot: a range with round ends and the values to write beside it.
 * SPDX-License-Identifier: MIT */
#ifndef NU_REPORT_AXIS_H
#define NU_REPORT_AXIS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/number.h"

#define NU_TICKS_MOST 24

typedef struct nu_axis {
  double low, high; /* low < high */
  bool log;
  double tick[NU_TICKS_MOST];
  size_t n_ticks;
  int decimals; /* that tell the ticks apart; -1: powers of ten */
} nu_axis;

/* For finite values low <= high. Logarithmic where allowed, all are positive and the range is
 * about one and a half decades or more. */
nu_axis nu_axis_values(double low, double high, bool may_log);

/* Cut what lies outside [least, most]: no share is above 100 per cent. */
void nu_axis_clip(nu_axis *axis, double least, double most);

/* For whole numbers: ends as they are, ticks at multiples of a round step, the first one too. */
nu_axis nu_axis_counts(double first, double last);

/* 0 at low, 1 at high. */
double nu_axis_place(const nu_axis *axis, double value);

const char *nu_axis_label(const nu_axis *axis, double value, char buffer[NU_REAL_TEXT]);

#endif
