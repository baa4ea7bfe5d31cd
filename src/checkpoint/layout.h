/* Layout: which arrays a model or checkpoint has, in the order of the file.
 * SPDX-License-Identifier: MIT */
#ifndef NU_CHECKPOINT_LAYOUT_H
#define NU_CHECKPOINT_LAYOUT_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"

/* The arrays of `saved` (malloc'ed), pointing into it: scaling first, doubles, so that all stay
 * aligned; then the parameters and, in a checkpoint, the optimiser's and the best ones. Writer and
 * reader use the same list. */
numann_status nu_layout(nu_tensor **out, size_t *n, const nu_saved *saved, numann_error *err);

/* Is the block in the file? prefix: "best.", "optimizer.moment1." and the like. */
bool nu_layout_has(const nu_tensor_file *file, const char *prefix, const nu_layer *layers,
                   size_t n_layers);

/* Of these arrays of `saved`, and of the losses of the running epoch, from which a resume would go
 * on: NUMANN_ERR_DIVERGED names the first number that is not finite. */
numann_status nu_saved_check_finite(const char *path, const nu_saved *saved,
                                    const nu_tensor *tensors, size_t n, numann_error *err);

#define NU_FIRST_INPUTS "scaling.inputs.shift"
#define NU_FIRST_OUTPUTS "scaling.outputs.shift"

#endif
