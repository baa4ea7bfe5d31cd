/* Array files, IDX and NPY: numbers of one type, the first dimension counting the rows.
 * SPDX-License-Identifier: MIT */
#ifndef NU_DATA_ARRAY_H
#define NU_DATA_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/input.h"

#define NU_ARRAY_RANK 4
#define NU_COLUMNS_MAX 1048576  /* of any data file: features, targets and what is left out */
#define NU_ROWS_MAX 4294967294u /* of any data file: rows are numbered by uint32_t */

typedef struct nu_element {
  char kind; /* 'i' signed, 'u' unsigned, 'f' IEEE 754 */
  unsigned char bytes;
  bool big; /* most significant byte first */
} nu_element;

typedef struct nu_array_file {
  nu_input *in; /* borrowed; stands at the next row */
  nu_element element;
  size_t rank;
  size_t shape[NU_ARRAY_RANK];
  size_t rows;  /* shape[0] */
  size_t width; /* product of the other dimensions */
  bool fortran; /* was in Fortran order in the file, whose first value is at: */
  uint64_t values_at;
} nu_array_file;

/* Read and check the header; a plain file's length must be what it declares. */
numann_status nu_idx_open(nu_array_file *array, nu_input *in, numann_error *err);
numann_status nu_npy_open(nu_array_file *array, nu_input *in, numann_error *err);

/* The check that both share, of element and shape against the limits and the length. Rows may be
 * missing, which is for the caller to judge. */
numann_status nu_array_check(nu_array_file *array, numann_error *err);
numann_status nu_array_fail_empty(const nu_array_file *array, numann_error *err);

/* Whole numbers of 0 to 255? */
static inline bool nu_array_of_bytes(const nu_array_file *array) {
  return array->element.kind == 'u' && array->element.bytes == 1;
}

/* n numbers from their bytes, as they are: perhaps not finite. */
void nu_array_decode(nu_element element, const unsigned char *from, size_t n, double *to);

/* From Fortran order into C order; the input then holds all of it. */
numann_status nu_array_turn(nu_array_file *array, numann_error *err);

/* Offset in the file of value i of the row that was read last. */
uint64_t nu_array_place(const nu_array_file *array, size_t i);

/* The next row: values [width], all finite. */
numann_status nu_array_row(nu_array_file *array, double *values, numann_error *err);

/* "60000x28x28" */
#define NU_SHAPE_TEXT 96
const char *nu_shape_text(const nu_array_file *array, char text[NU_SHAPE_TEXT]);

#endif
