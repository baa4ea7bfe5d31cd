/* The progress line as a pure function of what is known and of the room there is.
 * SPDX-License-Identifier: MIT */
#ifndef NU_REPORT_PROGRESS_LINE_H
#define NU_REPORT_PROGRESS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* NaN: not known, the field is left out. */
typedef struct nu_line {
  uint64_t epoch, epochs;
  double done; /* share of the training, 0 to 1 */
  double loss, validation_loss, accuracy, rmse;
  double rate;    /* samples per second */
  double seconds; /* still to go, or since the start when `ended` */
  bool ended;
} nu_line;

/* columns: room on the terminal. A plain line has neither bar nor limit. */
typedef struct nu_line_style {
  size_t columns;
  bool plain, utf8, colour;
} nu_line_style;

/* One line without its end, at most style.columns wide: the bar shrinks first, then fields are
 * dropped from the least important. */
void nu_line_draw(const nu_line *line, nu_line_style style, nu_text *out);

/* Seconds still to go when `elapsed` seconds took the training from `from` to `at` out of `to`
 * epochs, fractions included: a resumed run is judged by what it did itself. NaN until known. */
double nu_line_remaining(double elapsed, double from, double at, double to);

#endif
