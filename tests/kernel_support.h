/* What the tests of the kernels share: random numbers, guarded arrays, a row of output.
 * SPDX-License-Identifier: MIT */
#ifndef KERNEL_SUPPORT_H
#define KERNEL_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* Full random mantissas, magnitudes 2^-10 to 2^10: any change of order shows in the bits. */
float draw(uint32_t counter, uint64_t index);
void fill(float *values, size_t n, uint32_t counter);

/* n floats, all guard_value, with GUARD more on both sides; free(p - GUARD). */
#define GUARD 16
extern const float guard_value;
float *guarded(size_t n);
void check_guards(const float *inner, size_t n);

/* One row alone. z, delta [nu_padded(n)], target [n]; delta may be NULL, z then becomes y. */
double output_row(const nu_kernels *kernels, nu_activation f, nu_loss loss, size_t n, float *z,
                  const float *target, float *delta);

#endif
