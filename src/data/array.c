/* Array files: sizes checked, rows decoded. SPDX-License-Identifier: MIT */
#include "data/array.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/least.h"
#include "base/memory.h"

const char *nu_shape_text(const nu_array_file *array, char text[NU_SHAPE_TEXT]) {
  size_t used = 0;
  for (size_t i = 0; i < array->rank; i++) {
    used +=
        (size_t)snprintf(text + used, NU_SHAPE_TEXT - used, "%s%zu", i ? "x" : "", array->shape[i]);
  }
  return text;
}

static numann_status check_length(const nu_array_file *array, numann_error *err) {
  char shape[NU_SHAPE_TEXT];
  const nu_input *in = array->in;
  size_t values, bytes;
  if (!nu_size_mul(array->rows, array->width, &values) ||
      !nu_size_mul(values, array->element.bytes, &bytes)) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s: declares %s values, more than memory can address",
                   in->name, nu_shape_text(array, shape));
  }
  uint64_t left = in->size - nu_input_offset(in);
  if (!in->sized || left == bytes) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s@%" PRIu64 ": declares %s values of %d bytes, %zu bytes in all, but %" PRIu64
                 " follow; get a complete copy",
                 in->name, nu_input_offset(in), nu_shape_text(array, shape), array->element.bytes,
                 bytes, left);
}

numann_status nu_array_fail_empty(const nu_array_file *array, numann_error *err) {
  char shape[NU_SHAPE_TEXT];
  return nu_fail(err, NUMANN_ERR_DATA, "%s: declares %s values, that is none; rows are expected",
                 array->in->name, nu_shape_text(array, shape));
}

numann_status nu_array_check(nu_array_file *array, numann_error *err) {
  char shape[NU_SHAPE_TEXT];
  const char *name = array->in->name;
  array->rows = array->shape[0];
  array->width = 1;
  bool fits = true, empty = false;
  for (size_t i = 1; i < array->rank; i++) {
    empty |= array->shape[i] == 0;
    fits = fits && nu_size_mul(array->width, array->shape[i], &array->width);
  }
  if (empty) return nu_array_fail_empty(array, err);
  if (!fits || array->width > NU_COLUMNS_MAX || array->rows > NU_ROWS_MAX) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: declares %s values; at most %u rows of %d values are read", name,
                   nu_shape_text(array, shape), NU_ROWS_MAX, NU_COLUMNS_MAX);
  }
  return check_length(array, err);
}

/* The bits of the float that a half, of 5 bits of exponent and 10 of fraction, is equal to. */
static uint32_t widen_half(uint32_t half) {
  uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu, fraction = half & 0x3ffu;
  if (exponent == 0x1f) return sign | 0x7f800000u | fraction << 13;
  if (exponent > 0) return sign | (exponent + 112) << 23 | fraction << 13;
  if (fraction == 0) return sign;
  for (exponent = 113; !(fraction & 0x400u); exponent--) fraction <<= 1;
  return sign | exponent << 23 | (fraction & 0x3ffu) << 13;
}

static double decode_bits(nu_element element, uint64_t bits) {
  if (element.kind == 'u') return (double)bits;
  if (element.kind == 'i') {
    uint64_t sign = UINT64_C(1) << (8 * element.bytes - 1);
    return (double)(int64_t)((bits ^ sign) - sign);
  }
  if (element.bytes == 8) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  uint32_t word = element.bytes == 2 ? widen_half((uint32_t)bits) : (uint32_t)bits;
  float value;
  memcpy(&value, &word, sizeof value);
  return (double)value;
}

void nu_array_decode(nu_element element, const unsigned char *from, size_t n, double *to) {
  if (element.kind == 'u' && element.bytes == 1) {
    for (size_t i = 0; i < n; i++) to[i] = from[i];
    return;
  }
  for (size_t i = 0; i < n; i++, from += element.bytes) {
    uint64_t bits = 0;
    for (size_t b = 0; b < element.bytes; b++) {
      bits = bits << 8 | from[element.big ? b : element.bytes - 1 - b];
    }
    to[i] = decode_bits(element, bits);
  }
}

static numann_status check_finite(const nu_array_file *array, const double *values,
                                  numann_error *err) {
  for (size_t i = 0; i < array->width; i++) {
    if (isfinite(values[i])) continue;
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s@%" PRIu64 ": the value is not finite (nan or inf); clean the data",
                   array->in->name, nu_array_place(array, i));
  }
  return NUMANN_OK;
}

numann_status nu_array_row(nu_array_file *array, double *values, numann_error *err) {
  nu_input *in = array->in;
  size_t bytes = array->element.bytes;
  for (size_t done = 0; done < array->width;) {
    NU_TRY(nu_input_fill(in, bytes, err));
    size_t whole = (in->end - in->begin) / bytes, left = array->width - done;
    if (whole == 0) {
      char shape[NU_SHAPE_TEXT];
      return nu_fail(err, NUMANN_ERR_DATA,
                     "%s@%" PRIu64
                     ": the data end early, %s values are declared; get a complete "
                     "copy",
                     in->name, nu_input_offset(in), nu_shape_text(array, shape));
    }
    size_t n = nu_smaller(whole, left);
    nu_array_decode(array->element, in->window + in->begin, n, values + done);
    in->begin += n * bytes;
    done += n;
  }
  return array->element.kind == 'f' ? check_finite(array, values, err) : NUMANN_OK;
}
