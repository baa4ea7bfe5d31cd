/* What a diverged training says of itself. SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_DIVERGENCE_H
#define NU_TRAINER_DIVERGENCE_H

#include "layers/engine.h"

/* The first layer, in their order, that has a weight or a bias that is not finite; where all are
 * finite, the loss, and the largest parameter that led to it. step: updates done. */
numann_status nu_fail_diverged(const nu_engine *engine, uint64_t epoch, uint64_t step,
                               numann_error *err);

#endif
