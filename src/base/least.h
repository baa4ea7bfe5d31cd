/* The smaller and the larger of two numbers. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_LEAST_H
#define NU_BASE_LEAST_H

#include <stddef.h>

static inline size_t nu_smaller(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t nu_larger(size_t a, size_t b) { return a > b ? a : b; }

/* Of two numbers neither of which is NaN. */
static inline double nu_smaller_real(double a, double b) { return a < b ? a : b; }
static inline double nu_larger_real(double a, double b) { return a > b ? a : b; }

#endif
