/* Scaling: standardise, min-max, or divide by a constant. SPDX-License-Identifier: MIT
 *
 * Fitted in double on the training rows, column by column in row order; part of the numerics. */
#ifndef NU_DATA_SCALING_H
#define NU_DATA_SCALING_H

#include <stddef.h>

#include "data/crew.h"
#include "data/data.h"

/* shift 0, scale 1 for n columns. */
numann_status nu_scaling_identity(nu_scaling *out, size_t n, numann_error *err);
void nu_scaling_clear(nu_scaling *scaling);

/* Set scaling [n] to what the crew's config's key (data.scale, data.scale_targets) asks for on the
 * values [rows][n]. A constant column is shifted to 0 and not stretched. */
numann_status nu_scaling_fit(nu_scaling *scaling, const float *values, size_t rows, size_t n,
                             nu_crew *crew, const char *key, numann_error *err);

/* Scale values [rows][n] in place; NUMANN_ERR_DATA when one leaves the range of float. `file` is
 * for the message. */
numann_status nu_scaling_apply(const nu_scaling *scaling, float *values, size_t rows, size_t n,
                               const char *file, nu_crew *crew, numann_error *err);

#endif
