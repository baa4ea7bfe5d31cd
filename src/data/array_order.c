/* Arrays in Fortran order, whose first dimension runs fastest: read whole and turned into C order,
 * as rows of a file lie far apart. Memory is asked for as the content comes.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/least.h"
#include "base/memory.h"
#include "data/array.h"

#define ROWS_AT_A_TIME 64 /* whose values are written while they are in the cache */

/* Where value i of a row, counted in C order, stands among the values of one in Fortran order. */
static size_t turned(const nu_array_file *array, size_t i) {
  size_t step = array->width, place = 0;
  for (size_t d = array->rank - 1; d > 0; d--) {
    step /= array->shape[d];
    place += i % array->shape[d] * step;
    i /= array->shape[d];
  }
  return place;
}

uint64_t nu_array_place(const nu_array_file *array, size_t i) {
  size_t bytes = array->element.bytes;
  uint64_t row_at = nu_input_offset(array->in) - array->width * bytes;
  if (!array->fortran) return row_at + i * bytes;
  uint64_t row = (row_at - array->values_at) / (array->width * bytes);
  return array->values_at + (row + array->rows * turned(array, i)) * bytes;
}

static numann_status read_whole(nu_input *in, size_t bytes, unsigned char **all,
                                numann_error *err) {
  size_t n = 0, capacity = 0;
  while (n < bytes) {
    NU_TRY(nu_input_fill(in, 1, err));
    size_t some = nu_smaller(nu_larger(in->end - in->begin, 1), bytes - n);
    if (!nu_grow(all, &capacity, n + some, 1)) return nu_fail_memory(err, n + some, "an array");
    NU_TRY(nu_input_read(in, *all + n, some, err));
    n += some;
  }
  return nu_input_finish(in, err);
}

static void turn_rows(const nu_array_file *array, const unsigned char *from, size_t first,
                      unsigned char *to) {
  size_t bytes = array->element.bytes, last = nu_smaller(first + ROWS_AT_A_TIME, array->rows);
  for (size_t i = 0; i < array->width; i++) {
    const unsigned char *column = from + array->rows * turned(array, i) * bytes;
    for (size_t r = first; r < last; r++) {
      memcpy(to + (r * array->width + i) * bytes, column + r * bytes, bytes);
    }
  }
}

numann_status nu_array_turn(nu_array_file *array, numann_error *err) {
  nu_input *in = array->in;
  size_t bytes = array->rows * array->width * array->element.bytes;
  unsigned char *from = NULL, *to = NULL;
  array->values_at = nu_input_offset(in);
  array->fortran = true;
  numann_status status = read_whole(in, bytes, &from, err);
  if (status == NUMANN_OK && !(to = malloc(bytes))) status = nu_fail_memory(err, bytes, "an array");
  for (size_t r = 0; to && r < array->rows; r += ROWS_AT_A_TIME) turn_rows(array, from, r, to);
  free(from);
  if (status != NUMANN_OK) return status;
  free(in->window);
  in->window = to;
  in->begin = 0;
  in->end = in->capacity = bytes;
  in->taken = array->values_at;
  in->moves++;
  return NUMANN_OK;
}
