/* Array files into a table. SPDX-License-Identifier: MIT */
#ifndef NU_DATA_ARRAY_ROWS_H
#define NU_DATA_ARRAY_ROWS_H

#include <stdbool.h>

#include "data/input.h"
#include "data/table.h"

/* Does the content begin like IDX or NPY? */
bool nu_is_array(const nu_input *in);

/* One array whose columns are inputs and targets by position. */
numann_status nu_array_read_table(nu_table *table, nu_input *in, const nu_request *request,
                                  numann_error *err);

/* An array of inputs, flattened row by row, and one of labels or targets (NULL: none). */
numann_status nu_array_read_pair(nu_table *table, nu_input *inputs, nu_input *labels,
                                 const nu_request *request, numann_error *err);

#endif
