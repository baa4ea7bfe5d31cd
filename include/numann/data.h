/* Data: the rows to train on, to validate on and to test on, scaled and ready.
 * SPDX-License-Identifier: MIT
 *
 * Shapes: inputs [rows][features] and targets [rows][targets], row-major float; labels [rows], a
 * class index each. A numann_data is immutable after creation and may be read from any thread. */
#ifndef NUMANN_DATA_H
#define NUMANN_DATA_H

#include <stddef.h>
#include <stdint.h>

#include <numann/config.h>
#include <numann/status.h>

typedef struct numann_data numann_data;

/* Read the files that the config names, split, fit the scaling on the training rows and apply it to
 * all. NUMANN_ERR_DATA names file and line, column or offset. */
NUMANN_API numann_status numann_data_load(numann_data **out, const numann_config *config,
                                          numann_error *err);

/* Training rows from memory, copied as they are: no scaling, no split.
 * Regression: targets [rows][n_targets], labels NULL. Classification: labels [rows] in [0,
 * classes), targets NULL, n_targets = classes. */
NUMANN_API numann_status numann_data_create(numann_data **out, size_t rows, size_t features,
                                            const float *inputs, size_t n_targets,
                                            const float *targets, const int32_t *labels,
                                            numann_error *err);

NUMANN_API size_t numann_data_rows(const numann_data *data);     /* training rows */
NUMANN_API size_t numann_data_features(const numann_data *data); /* inputs of the network */
NUMANN_API size_t numann_data_classes(const numann_data *data);  /* 0 for regression */

NUMANN_API void numann_data_destroy(numann_data *data); /* NULL is allowed */

#endif
