/* Time for reports and checkpoint intervals; never for a number that reaches a weight.
 * SPDX-License-Identifier: MIT */
#ifndef NU_BASE_CLOCK_H
#define NU_BASE_CLOCK_H

#include <stddef.h>

/* Seconds of a monotonic clock with an arbitrary start. */
double nu_clock_seconds(void);
/* Of the calling thread alone, while it runs: other threads that take its core do not count. */
double nu_clock_thread_seconds(void);

/* The median of n >= 1 measurements; sorts them. */
double nu_median(double *values, size_t n);

#endif
