/* Schema: classes or values, and the names. SPDX-License-Identifier: MIT */
#ifndef NU_DATA_SCHEMA_H
#define NU_DATA_SCHEMA_H

#include "config/config.h"
#include "data/table.h"

/* Make the schema of the training table, whose names move into it; scaling is the identity. */
numann_status nu_schema_make(nu_schema *out, nu_table *table, const numann_config *config,
                             numann_error *err);

/* A schema of these shapes, classes named "0", "1" ..., columns without names, identity scaling. */
numann_status nu_schema_plain(nu_schema *out, size_t features, size_t classes, size_t targets,
                              numann_error *err);

/* *class_of = the class of each label of the table, or NULL for regression; owned by the caller.
 * NUMANN_ERR_DATA with the place of a label that the schema does not know, or of a text where
 * numbers are expected. */
numann_status nu_schema_match(const nu_schema *schema, const nu_table *table, int32_t **class_of,
                              numann_error *err);

#endif
