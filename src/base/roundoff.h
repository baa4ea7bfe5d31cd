/* Rounding of floats, as proofs count it: (R1) and (R2) of docs/numerics.md.
 * SPDX-License-Identifier: MIT
 *
 * Names: a quantity v of the naive network, in double, and its error bound e_v: |engine's v - v| <=
 * e_v. */
#ifndef NU_BASE_ROUNDOFF_H
#define NU_BASE_ROUNDOFF_H

/* Unit roundoff of float, a little enlarged: pays for the roundings of the naive network and of
 * the bounds themselves, all in double. */
#define NU_UNIT 0x1.0001p-24
/* What FTZ may take from one result: anything below the smallest normal float. */
#define NU_FLUSHED 0x1p-126
/* Relative error of the engine's exp, sigmoid and tanh: 4 units in the last place, each at most 2
 * NU_UNIT. tests/check_kernels.c holds them to 2.7. */
#define NU_FUNCTION (8.0 * NU_UNIT)

static inline double nu_magnitude(double x) { return x < 0.0 ? -x : x; }

/* (R2) |x y| is off by at most this when x, y are off by e_x, e_y and the product is rounded. */
static inline double nu_rounding_product(double x, double e_x, double y, double e_y) {
  return x * e_y + y * e_x + e_x * e_y + NU_UNIT * (x + e_x) * (y + e_y) + NU_FLUSHED;
}

#endif
