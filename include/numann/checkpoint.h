/* Checkpoint: models on disk, as safetensors files. SPDX-License-Identifier: MIT
 *
 * A file is written under a temporary name, synchronised, then renamed: after any crash the old
 * file or the new one is there, whole. Contents depend on config, seed and data only - never on
 * threads, strategy or time. docs/files.md tells the format. */
#ifndef NUMANN_CHECKPOINT_H
#define NUMANN_CHECKPOINT_H

#include <numann/config.h>
#include <numann/data.h>
#include <numann/network.h>
#include <numann/status.h>

/* Write the network with the names, classes and scaling of the data and the config's text. */
NUMANN_API numann_status numann_model_save(const char *path, const numann_network *network,
                                           const numann_data *data, const numann_config *config,
                                           numann_error *err);

/* Read a network back: NUMANN_ERR_MODEL with the byte offset for anything that is not as written.
 * `path` may also be a run folder or a checkpoint. */
NUMANN_API numann_status numann_model_load(numann_network **out, const char *path,
                                           numann_error *err);

#endif
