/* Writing a safetensors file. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/durable.h"
#include "checkpoint/safetensors.h"

/* Bytes handled at a time: a whole number of any dtype. */
#define CHUNK 65536

/* The next numbers of the array from byte `from`, as the file has them. */
static size_t take_chunk(const nu_tensor *tensor, size_t from, unsigned char chunk[CHUNK]) {
  size_t size = nu_dtype_size(tensor->dtype);
  size_t left = nu_tensor_count(tensor) * size - from;
  size_t n = left < CHUNK ? left : CHUNK;
  if (n == 0) return 0;
  memcpy(chunk, (const unsigned char *)tensor->data + from, n);
  nu_little_endian(chunk, n / size, size);
  return n;
}

static unsigned long tensor_crc(const nu_tensor *tensor) {
  unsigned char chunk[CHUNK];
  unsigned long crc = crc32(0, NULL, 0);
  size_t from = 0, n;
  while ((n = take_chunk(tensor, from, chunk)) > 0) {
    crc = crc32(crc, chunk, (unsigned)n);
    from += n;
  }
  return crc;
}

/* {"name": "8 hexadecimal digits", ...} as a text in the metadata. */
static bool put_checksums(json_t *metadata, const nu_tensor *tensors, size_t n) {
  json_t *object = json_object();
  nu_text text = {0};
  bool good = object != NULL;
  for (size_t i = 0; i < n && good; i++) {
    char digits[16];
    snprintf(digits, sizeof digits, "%08lx", tensor_crc(&tensors[i]));
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
static bool add_header(nu_text *out, const nu_tensor *tensors, size_t n, json_t *metadata,
                       uint64_t *data_size) {
  json_t *header = json_object();
  bool good = put_checksums(metadata, tensors, n) &&
              json_object_set_new(metadata, NU_HEADER_CRC, json_string("00000000")) == 0 &&
              json_object_set(header, NU_METADATA, metadata) == 0;
  *data_size = 0;
  for (size_t i = 0; i < n && good; i++) {
    uint64_t begin = *data_size;
    *data_size += nu_tensor_count(&tensors[i]) * nu_dtype_size(tensors[i].dtype);
    json_t *entry = describe(&tensors[i], begin, *data_size);
    good = json_object_set_new(header, tensors[i].name, entry) == 0;
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
                                 json_t *metadata, uint64_t *data_size, numann_error *err) {
  static const char length[8] = {0};
  nu_text_append(out, length, sizeof length);
  if (!add_header(out, tensors, n, metadata, data_size)) {
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

static numann_status write_chunks(nu_durable *file, const nu_tensor *tensor, numann_error *err) {
  unsigned char chunk[CHUNK];
  size_t from = 0, n;
  while ((n = take_chunk(tensor, from, chunk)) > 0) {
    NU_TRY(nu_durable_add(file, chunk, n, err));
    from += n;
  }
  return NUMANN_OK;
}

static numann_status write_file(const char *path, const nu_text *header, const nu_tensor *tensors,
                                size_t n, uint64_t data_size, numann_error *err) {
  nu_durable file;
  NU_TRY(nu_durable_begin(&file, path, header->length + data_size, err));
  NU_TRY(nu_durable_add(&file, header->data, header->length, err));
  for (size_t i = 0; i < n; i++) NU_TRY(write_chunks(&file, &tensors[i], err));
  return nu_durable_end(&file, err);
}

numann_status nu_tensors_write(const char *path, const nu_tensor *tensors, size_t n,
                               json_t *metadata, numann_error *err) {
  uint64_t data_size;
  nu_text header = {0};
  numann_status status = make_header(&header, path, tensors, n, metadata, &data_size, err);
  if (status == NUMANN_OK) status = write_file(path, &header, tensors, n, data_size, err);
  nu_text_clear(&header);
  return status;
}
