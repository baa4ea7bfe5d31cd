/* Writing a safetensors file. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/json.h"
#include "base/least.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"

/* Bytes handled at a time: a whole number of any dtype. */
#define CHUNK 65536

/* {"name": "8 hexadecimal digits", ...} as a text in the metadata. */
static bool put_checksums(json_t *metadata, const nu_tensor *tensors, size_t n,
                          const uint32_t *sums) {
  json_t *object = json_object();
  nu_text text = {0};
  bool good = object != NULL;
  for (size_t i = 0; i < n && good; i++) {
    char digits[16];
    snprintf(digits, sizeof digits, "%08lx", (unsigned long)sums[i]);
    good = json_object_set_new(object, tensors[i].name, json_string(digits)) == 0;
  }
  good = good && nu_json_dump(&text, object, JSON_COMPACT) &&
         json_object_set_new(metadata, NU_TENSOR_CRC, json_string(text.data)) == 0;
  nu_text_clear(&text);
  json_decref(object);
  return good;
}

static json_t *describe(const nu_tensor *tensor, uint64_t begin, uint64_t end) {
  json_t *shape = json_array();
  for (size_t i = 0; i < tensor->rank && shape; i++) {
    if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0) {
      json_decref(shape);
      return NULL;
    }
  }
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", nu_dtype_name(tensor->dtype), "shape", shape,
                   "data_offsets", (json_int_t)begin, (json_int_t)end);
}

/* Append the whole header as JSON, its own checksum still zeros; false when memory is refused. */
static bool add_header(nu_text *out, const nu_tensor *tensors, size_t n, const uint32_t *sums,
                       json_t *metadata) {
  json_t *header = json_object();
  bool good = put_checksums(metadata, tensors, n, sums) &&
              json_object_set_new(metadata, NU_HEADER_CRC, json_string("00000000")) == 0 &&
              json_object_set(header, NU_METADATA, metadata) == 0;
  uint64_t begin = 0;
  for (size_t i = 0; i < n && good; i++) {
    uint64_t end = begin + nu_tensor_bytes(&tensors[i]);
    json_t *entry = describe(&tensors[i], begin, end);
    good = json_object_set_new(header, tensors[i].name, entry) == 0;
    begin = end;
  }
  good = good && nu_json_dump(out, header, JSON_COMPACT);
  json_decref(header);
  return good;
}

/* Padding, the length in the first 8 bytes, and the checksum over all of the header but its own
 * eight digits, which count as zeros. */
static bool finish_header(nu_text *out) {
  static const char padding[] = "                                                                ";
  static const char key[] = "\"" NU_HEADER_CRC "\":\"";
  nu_text_append(out, padding, nu_round_up(out->length, NU_DATA_ALIGNMENT) - out->length);
  if (out->failed) return false;
  uint64_t length = out->length - 8, size = length;
  nu_little_endian(&size, 1, sizeof size);
  memcpy(out->data, &size, sizeof size);
  char digits[16];
  unsigned long crc = crc32(0, (const unsigned char *)out->data + 8, (unsigned)length);
  snprintf(digits, sizeof digits, "%08lx", crc);
  /* A quote inside a string is written \", so this can only be the key itself. */
  char *place = strstr(out->data + 8, key);
  assert(place);
  memcpy(place + sizeof key - 1, digits, 8);
  return true;
}

static numann_status make_header(nu_text *out, const char *path, const nu_tensor *tensors, size_t n,
                                 const uint32_t *sums, json_t *metadata, numann_error *err) {
  static const char length[8] = {0};
  nu_text_append(out, length, sizeof length);
  if (!add_header(out, tensors, n, sums, metadata)) {
    return nu_fail_memory(err, out->length, "a file's header");
  }
  if (out->length > NU_HEADER_LIMIT - NU_DATA_ALIGNMENT) {
    return nu_fail(err, NUMANN_ERR_IO,
                   "%s: the names and the config take %zu bytes, at most %u fit in a file; use "
                   "shorter column names",
                   path, out->length, NU_HEADER_LIMIT - NU_DATA_ALIGNMENT);
  }
  return finish_header(out) ? NUMANN_OK : nu_fail_memory(err, out->length, "a file's header");
}

/* Bytes [from, to) of an array to byte `at` of the file, a chunk of whole numbers at a time. */
static numann_status put_tensor(nu_durable *file, uint64_t at, const nu_tensor *tensor, size_t from,
                                size_t to, uint32_t *sum, numann_error *err) {
  unsigned char chunk[CHUNK];
  size_t size = nu_dtype_size(tensor->dtype);
  for (size_t n; from < to; from += n, at += n) {
    n = nu_smaller(to - from, CHUNK);
    memcpy(chunk, (const unsigned char *)tensor->data + from, n);
    nu_little_endian(chunk, n / size, size);
    *sum = (uint32_t)crc32(*sum, chunk, (unsigned)n);
    NU_TRY(nu_durable_put(file, at, chunk, n, err));
  }
  return NUMANN_OK;
}

nu_range nu_tensor_overlap(nu_range bytes, size_t begin, const nu_tensor *tensor) {
  size_t end = begin + nu_tensor_bytes(tensor);
  size_t from = nu_larger(bytes.begin, begin), to = nu_smaller(bytes.end, end);
  return from < to ? (nu_range){from - begin, to - begin} : (nu_range){0, 0};
}

numann_status nu_tensors_put(nu_durable *file, size_t data, const nu_tensor *tensors, size_t n,
                             nu_range bytes, uint32_t *sums, numann_error *err) {
  for (size_t i = 0; i < n; data += nu_tensor_bytes(&tensors[i++])) {
    nu_range own = nu_tensor_overlap(bytes, data, &tensors[i]);
    NU_TRY(put_tensor(file, data + own.begin, &tensors[i], own.begin, own.end, &sums[i], err));
  }
  return NUMANN_OK;
}

numann_status nu_tensors_finish(nu_durable *file, const nu_tensor *tensors, size_t n,
                                const uint32_t *sums, json_t *metadata, numann_error *err) {
  nu_text header = {0};
  numann_status status = make_header(&header, file->path, tensors, n, sums, metadata, err);
  if (status != NUMANN_OK) nu_durable_abandon(file);
  if (status == NUMANN_OK) status = nu_durable_put(file, 0, header.data, header.length, err);
  if (status == NUMANN_OK) status = nu_durable_end(file, err);
  nu_text_clear(&header);
  return status;
}

numann_status nu_tensors_begin(nu_durable *file, size_t *data, const char *path,
                               const nu_tensor *tensors, size_t n, const uint32_t *sums,
                               json_t *metadata, numann_error *err) {
  nu_text header = {0};
  numann_status status = make_header(&header, path, tensors, n, sums, metadata, err);
  *data = header.length;
  nu_text_clear(&header);
  if (status != NUMANN_OK) return status;
  return nu_durable_begin(file, path, *data + nu_tensors_bytes(tensors, n), err);
}

numann_status nu_tensors_write(const char *path, const nu_tensor *tensors, size_t n,
                               json_t *metadata, numann_error *err) {
  nu_durable file;
  size_t data;
  uint32_t *sums = nu_alloc(n, sizeof *sums);
  numann_status status =
      sums ? NUMANN_OK : nu_fail_memory(err, n * sizeof *sums, "the checksums of a file");
  if (status == NUMANN_OK)
    status = nu_tensors_begin(&file, &data, path, tensors, n, sums, metadata, err);
  if (status == NUMANN_OK)
    status = nu_tensors_put(&file, data, tensors, n, (nu_range){0, SIZE_MAX}, sums, err);
  if (status == NUMANN_OK) status = nu_tensors_finish(&file, tensors, n, sums, metadata, err);
  free(sums);
  return status;
}
