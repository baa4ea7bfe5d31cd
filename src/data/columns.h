/* Columns: which column of a file is an input, a target, or left out. SPDX-License-Identifier: MIT
 *
 * The user names a column by its header or by its position, counted from 0 or, when negative, from
 * the end. A whole number is a position, unless it stands in quotes. */
#ifndef NU_DATA_COLUMNS_H
#define NU_DATA_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "data/data.h"

/* The columns as found in a file; all borrowed. */
typedef struct nu_columns {
  const char *path;
  size_t n;
  char *const *names; /* [n], or NULL without header */
} nu_columns;

#define NU_LEFT_OUT ((size_t)-1)
typedef struct nu_column_layout {
  size_t columns, features, targets;
  size_t *slot; /* [columns]: place in a row of features, then targets; or NU_LEFT_OUT. Owned */
} nu_column_layout;

/* The training file: data.train.target and data.drop, the others are inputs. */
numann_status nu_column_layout_train(nu_column_layout *out, const nu_columns *columns,
                                     const numann_config *config, numann_error *err);

/* Another file: by name when it and the schema have names; else by position, laid out like the
 * training file, or that without the targets, or with the inputs alone. */
numann_status nu_column_layout_like(nu_column_layout *out, const nu_columns *columns,
                                    const nu_schema *schema, const numann_config *config,
                                    bool with_targets, numann_error *err);

void nu_column_layout_clear(nu_column_layout *layout);

/* Do the names tell apart the columns that the layout uses? */
numann_status nu_columns_distinct(bool *distinct, const nu_columns *columns,
                                  const nu_column_layout *layout, numann_error *err);

/* Is the text the name of a column that the config or the schema (may be NULL) speaks of? */
bool nu_column_known(const char *text, size_t n, const numann_config *config,
                     const nu_schema *schema);

/* "column 'age'" or "column 3 (counted from 0)" for messages. */
#define NU_COLUMN_TEXT 80
const char *nu_column_text(const nu_columns *columns, size_t c, char text[NU_COLUMN_TEXT]);

#endif
