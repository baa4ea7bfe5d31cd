/* Array files into a table. SPDX-License-Identifier: MIT */
#ifndef NU_DATA_ARRAY_ROWS_H
#define NU_DATA_ARRAY_ROWS_H

#include <stdbool.h>

#include "data/array.h"
#include "data/columns.h"
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

/* Two files read side by side, row by row; `labels` may be missing. */
typedef struct nu_array_rows {
  nu_array_file inputs, labels;
  bool has_labels;
  bool as_it_is; /* a row of inputs stands in the file as in the table: bytes, none left out */
  nu_table *table;
  size_t *slot;        /* of each value of an inputs row; borrowed */
  size_t *label_slots; /* of each value of a labels row; owned */
  double *values;      /* [larger width]; owned */
} nu_array_rows;

/* The next row into the table; the next row's labels alone into row `at`. */
numann_status nu_array_rows_next(nu_array_rows *rows, numann_error *err);
numann_status nu_array_rows_label(nu_array_rows *rows, size_t at, numann_error *err);

/* All rows in blocks, by a team of threads: the same rows and first error as by nu_array_rows_next.
 * For inputs without the single target among them, whose row fits into NU_INPUT_REST. */
numann_status nu_array_rows_all(nu_array_rows *rows, nu_crew *crew, numann_error *err);

#endif
