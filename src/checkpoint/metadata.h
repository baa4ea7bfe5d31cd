/* Metadata: what a file says in words - versions, layers, names, config, progress.
 * SPDX-License-Identifier: MIT */
#ifndef NU_CHECKPOINT_METADATA_H
#define NU_CHECKPOINT_METADATA_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"

/* Raised when a reader of the older format could not understand the newer one. */
#define NU_FORMAT_VERSION 2
/* The oldest that is read: without kinds of layers, all of them dense, and without the name of the
 * optimiser, whose arrays tell it. */
#define NU_FORMAT_OLDEST 1

/* An object of strings (to be json_decref'ed). NUMANN_ERR_DATA: a name is not UTF-8. The hash of
 * the weights, which takes longer than all else, is zeros until nu_metadata_hash was called. */
numann_status nu_metadata_write(json_t **out, const nu_saved *saved, numann_error *err);
numann_status nu_metadata_hash(json_t *metadata, const nu_saved *saved, numann_error *err);

/* Everything of `out` but the numbers in the arrays: network, schema and state are allocated in the
 * shapes that the metadata tells, after these were compared with the size of the file. On failure
 * the caller clears `out`. */
numann_status nu_metadata_read(nu_saved *out, const nu_tensor_file *file, numann_error *err);

/* Is the checksum of the weights the one in the metadata? */
numann_status nu_metadata_check_weights(const nu_saved *saved, const nu_tensor_file *file,
                                        numann_error *err);

/* A file can be well-formed and still mean nothing that numann could have trained: refused. What it
 * leaves open (names of classes, scaling) is completed. After all arrays were read. */
numann_status nu_metadata_check_meaning(nu_saved *saved, const nu_tensor_file *file,
                                        numann_error *err);

/* The losses that a resume would go on from; that of the best epoch means nothing before there is
 * one. */
bool nu_losses_finite(const nu_state *state);

#endif
