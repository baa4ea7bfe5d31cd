/* Packing: all of the data but the rows' arrays as one run of bytes, for a process of the same
 * program on the same host. SPDX-License-Identifier: MIT
 *
 * Numbers stand as memory holds them, texts and lists behind their lengths. Unpacking checks every
 * length against the bytes that are left before it takes memory for it. */
#ifndef NU_DATA_PACK_H
#define NU_DATA_PACK_H

#include "data/data.h"

/* The arrays of a part, as one list: inputs, bytes, targets, labels. */
enum { NU_ROW_ARRAYS = 4 };
typedef struct nu_row_arrays {
  void *at[NU_ROW_ARRAYS];     /* NULL: the part has none of these */
  size_t bytes[NU_ROW_ARRAYS]; /* 0 with NULL */
} nu_row_arrays;

/* What the rows have. */
nu_row_arrays nu_row_arrays_of(const nu_rows *rows, const nu_schema *schema);
/* Give the rows these arrays. */
void nu_row_arrays_put(const nu_row_arrays *arrays, nu_rows *rows);

/* Appended to *out, whose `failed` tells of refused memory. */
void nu_data_pack(const numann_data *data, nu_text *out);
/* The data in `bytes`, without arrays: their sizes, and NULL, are in arrays[NU_PARTS]. */
numann_status nu_data_unpack(numann_data **out, nu_row_arrays *arrays, const char *bytes, size_t n,
                             numann_error *err);

#endif
