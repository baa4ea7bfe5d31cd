/* SPDX-License-Identifier: MIT */
#include "report/axis.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/real.h"
#include "report/format.h"

#define TARGET_TICKS 5.0
#define LOG_RANGE 30.0 /* a linear axis would press the small values of more into a line */
#define LEAST 1e-300   /* nu_real_log takes normal numbers */
#define MOST 1e300

static double ten_to(int n) {
  return n < 0 ? 1.0 / nu_real_power(10.0, (uint64_t)-n) : nu_real_power(10.0, (uint64_t)n);
}

/* The largest n with 10^n <= value, for LEAST <= value <= MOST. */
static int decade_of(double value) {
  int n = (int)(nu_real_log(value) / 2.302585092994046);
  while (ten_to(n) > value) n--;
  while (ten_to(n + 1) <= value) n++;
  return n;
}

/* The smallest of 1, 2, 5, 10 times a power of ten that is not below value. */
static double round_step(double value) {
  static const double factors[] = {1.0, 2.0, 5.0};
  double unit = ten_to(decade_of(value));
  for (size_t i = 0; i < 3; i++) {
    if (factors[i] * unit >= value * (1.0 - 1e-9)) return factors[i] * unit;
  }
  return 10.0 * unit;
}

static double down(double x) {
  double n = (double)(int64_t)x;
  return n > x ? n - 1.0 : n;
}

static double up(double x) { return -down(-x); }

static void add_tick(nu_axis *axis, double value) {
  if (axis->n_ticks < NU_TICKS_MOST) axis->tick[axis->n_ticks++] = value;
}

/* ---- linear */

static void spread(double *low, double *high) {
  double size = *high < 0 ? -*low : *high, least = size * 1e-6;
  if (*high - *low > least) return;
  double margin = size > 0 ? size * 0.1 : 1.0;
  *low -= margin;
  *high += margin;
}

static nu_axis linear(double low, double high) {
  nu_axis axis = {0};
  spread(&low, &high);
  double step = round_step((high - low) / TARGET_TICKS);
  double first = down(low / step + 1e-9), last = up(high / step - 1e-9);
  axis.low = first * step;
  axis.high = last * step;
  for (double i = first; i <= last; i += 1.0) add_tick(&axis, i * step);
  int decade = decade_of(step);
  bool plain = decade >= -5 && axis.high < 1e7 && axis.low > -1e7;
  axis.decimals = !plain ? -1 : decade < 0 ? -decade : 0;
  return axis;
}

/* ---- logarithmic */

/* The largest of 1, 2, 5 times a power of ten that is not above value. */
static double round_below(double value) {
  double unit = ten_to(decade_of(value));
  return 5.0 * unit <= value ? 5.0 * unit : 2.0 * unit <= value ? 2.0 * unit : unit;
}

static nu_axis logarithmic(double low, double high) {
  static const double factors[] = {1.0, 2.0, 5.0};
  nu_axis axis = {.low = round_below(low), .high = round_step(high), .log = true, .decimals = -1};
  int first = decade_of(low), last = decade_of(high) + 1, decades = last - first;
  int every = decades <= 6 ? 1 : decades / 6 + 1;
  size_t n_factors = decades <= 3 ? 3 : 1;
  for (int d = first; d <= last; d += every) {
    for (size_t i = 0; i < n_factors; i++) {
      double value = factors[i] * ten_to(d);
      if (value >= axis.low * (1 - 1e-9) && value <= axis.high * (1 + 1e-9)) add_tick(&axis, value);
    }
  }
  return axis;
}

static double inside(double value) { return value < -MOST ? -MOST : value > MOST ? MOST : value; }

nu_axis nu_axis_values(double low, double high, bool may_log) {
  low = inside(low);
  high = inside(high);
  bool wide = low > LEAST && high / low > LOG_RANGE;
  return may_log && wide ? logarithmic(low, high) : linear(low, high);
}

void nu_axis_clip(nu_axis *axis, double least, double most) {
  double slack = 1e-9 * (axis->high - axis->low);
  size_t kept = 0;
  for (size_t i = 0; i < axis->n_ticks; i++) {
    bool inside_range = axis->tick[i] >= least - slack && axis->tick[i] <= most + slack;
    if (inside_range) axis->tick[kept++] = axis->tick[i];
  }
  axis->n_ticks = kept;
  if (axis->low < least) axis->low = least;
  if (axis->high > most) axis->high = most;
}

nu_axis nu_axis_counts(double first, double last) {
  nu_axis axis = {.low = first, .high = last};
  if (!(last > first)) {
    axis.low = first - 1.0;
    axis.high = first + 1.0;
    add_tick(&axis, first);
    return axis;
  }
  double step = round_step((last - first) / 6.0);
  if (step < 1.0) step = 1.0;
  add_tick(&axis, first);
  for (double i = up(first / step); i * step <= last; i += 1.0) {
    if (i * step - first >= 0.6 * step) add_tick(&axis, i * step);
  }
  return axis;
}

double nu_axis_place(const nu_axis *axis, double value) {
  if (!axis->log) return (value - axis->low) / (axis->high - axis->low);
  double low = nu_real_log(axis->low);
  return (nu_real_log(value > LEAST ? value : LEAST) - low) / (nu_real_log(axis->high) - low);
}

static void trim_zeros(char *number) {
  size_t n = strlen(number);
  while (n > 1 && number[n - 1] == '0') number[--n] = '\0';
  if (number[n - 1] == '.') number[n - 1] = '\0';
}

/* "2e-5"; without the power where that is as short: "0.002", "500". */
static const char *power_label(double value, bool log, char buffer[NU_REAL_TEXT]) {
  double size = value < 0 ? -value : value;
  if (size == 0) return memcpy(buffer, "0", 2);
  int decade = decade_of(size * (1.0 + 1e-9));
  bool plain = log && decade >= -3 && decade < 5;
  char digits[NU_REAL_TEXT];
  nu_format_fixed(plain ? value : value / ten_to(decade), 6, digits);
  trim_zeros(digits);
  if (plain) snprintf(buffer, NU_REAL_TEXT, "%s", digits);
  else snprintf(buffer, NU_REAL_TEXT, "%.14se%d", digits, decade);
  return buffer;
}

const char *nu_axis_label(const nu_axis *axis, double value, char buffer[NU_REAL_TEXT]) {
  return axis->decimals < 0 ? power_label(value, axis->log, buffer)
                            : nu_format_fixed(value, axis->decimals, buffer);
}
