/* What the engine must know of an activation. SPDX-License-Identifier: MIT */
#include "kernels/kernels.h"

/* Where a = f(z) does not tell z, or not sharply enough. */
static const bool keeps_z[NU_ACTIVATIONS] = {
    [NU_GELU] = true, [NU_SILU] = true, [NU_MISH] = true, [NU_SOFTPLUS] = true};

bool nu_keeps_z(nu_activation f) { return keeps_z[f]; }
