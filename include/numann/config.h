/* Config: what to train, on which data, how. YAML, checked against one table of keys.
 * SPDX-License-Identifier: MIT
 *
 * The keys, their types, defaults and bounds: `numann help config`, docs/config.md.
 * Do not change a config while a numann_data or numann_trainer is being created from it; after that
 * it may be changed or destroyed. Functions may be called from any thread, but for one config from
 * only one thread at a time. */
#ifndef NUMANN_CONFIG_H
#define NUMANN_CONFIG_H

#include <numann/status.h>

typedef struct numann_config numann_config;

/* Read a YAML file of at most 1 MiB. Paths inside it are relative to its folder; ${NAME} in a value
 * is a variable of the environment, here and in numann_config_set (docs/config.md).
 * NUMANN_ERR_CONFIG with file:line:column for anything wrong; *out is NULL on failure. */
NUMANN_API numann_status numann_config_load(numann_config **out, const char *path,
                                            numann_error *err);

/* The same from a text, without variables; `name` stands for the file in messages, paths are
 * relative to the current folder. */
NUMANN_API numann_status numann_config_parse(numann_config **out, const char *text,
                                             const char *name, numann_error *err);

/* "train.epochs=5", "network.layers.0.neurons=128": set one key, checked like the file's. The value
 * is YAML too: "data.drop=[a, b]". */
NUMANN_API numann_status numann_config_set(numann_config *config, const char *assignment,
                                           numann_error *err);

NUMANN_API void numann_config_destroy(numann_config *config); /* NULL is allowed */

#endif
