/* Opening a safetensors file: every rule is checked before an array is touched.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/safetensors.h"

#define CHUNK 65536

numann_status nu_tensor_file_fail(const nu_tensor_file *file, uint64_t offset, numann_error *err,
                                  const char *format, ...) {
  char what[512];
  va_list args;
  va_start(args, format);
  nu_show_vformat(what, sizeof what, format, args);
  va_end(args);
  return nu_fail(err, NUMANN_ERR_MODEL,
                 "%s@%llu: %s; use another copy, or an older checkpoint of the run", file->path,
                 (unsigned long long)offset, what);
}

/* n bytes at `offset`, over short reads and interruptions. */
static numann_status read_bytes(const nu_tensor_file *file, uint64_t offset, void *bytes, size_t n,
                                numann_error *err) {
  unsigned char *next = bytes;
  for (size_t left = n; left > 0;) {
    ssize_t got = pread(file->fd, next, left, (off_t)(offset + (n - left)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return nu_fail(err, NUMANN_ERR_IO, "%s: cannot be read: %s; try again, or use another copy",
                     file->path, strerror(errno));
    }
    if (got == 0) return nu_tensor_file_fail(file, offset, err, "the file became shorter");
    next += got;
    left -= (size_t)got;
  }
  return NUMANN_OK;
}

/* A file that is not there is a wrong model; a machine out of descriptors or memory is not. */
static numann_status open_failed(const char *path, int error, numann_error *err) {
  bool machine = error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO ||
                 error == ESTALE || error == EINTR;
  return nu_fail(err, machine ? NUMANN_ERR_IO : NUMANN_ERR_MODEL, "%s: cannot be opened: %s; %s",
                 path, strerror(error), nu_errno_advice(error));
}

static numann_status open_file(nu_tensor_file *file, numann_error *err) {
  /* O_NONBLOCK: a pipe without a writer must not hang us. */
  file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->fd < 0) return open_failed(file->path, errno, err);
  struct stat info;
  if (fstat(file->fd, &info) != 0) return open_failed(file->path, errno, err);
  if (!S_ISREG(info.st_mode)) {
    return nu_tensor_file_fail(file, 0, err, "not a regular file");
  }
  file->size = (uint64_t)info.st_size;
  if (file->size < 8 + 2) {
    return nu_tensor_file_fail(file, 0, err, "%llu bytes, too few for a header",
                               (unsigned long long)file->size);
  }
  return NUMANN_OK;
}

/* The header's length, then its bytes into *text (malloc'ed, a NUL follows). */
static numann_status read_header(nu_tensor_file *file, char **text, numann_error *err) {
  uint64_t length;
  NU_TRY(read_bytes(file, 0, &length, sizeof length, err));
  nu_little_endian(&length, 1, sizeof length);
  uint64_t most = file->size - 8 < NU_HEADER_LIMIT ? file->size - 8 : NU_HEADER_LIMIT;
  if (length > most) {
    return nu_tensor_file_fail(file, 0, err, "a header of %llu bytes, at most %llu are possible",
                               (unsigned long long)length, (unsigned long long)most);
  }
  file->data = 8 + length;
  *text = malloc((size_t)length + 1);
  if (!*text) return nu_fail_memory(err, (size_t)length, "a file's header");
  (*text)[length] = '\0';
  NU_TRY(read_bytes(file, 8, *text, (size_t)length, err));
  if ((*text)[0] != '{') return nu_tensor_file_fail(file, 8, err, "the header is not JSON");
  return NUMANN_OK;
}

static numann_status parse(const nu_tensor_file *file, json_t **out, const char *text, size_t n,
                           const char *what, uint64_t start, numann_error *err) {
  size_t offset;
  char reason[160];
  *out = nu_json_parse(text, n, &offset, reason);
  if (*out && json_is_object(*out)) return NUMANN_OK;
  if (*out) return nu_tensor_file_fail(file, start, err, "%s is not a JSON object", what);
  if (!reason[0]) return nu_fail_memory(err, n, what);
  return nu_tensor_file_fail(file, start + offset, err, "%s: %s", what, reason);
}

static numann_status check_metadata(nu_tensor_file *file, numann_error *err) {
  file->metadata = json_object_get(file->header, NU_METADATA);
  if (!json_is_object(file->metadata)) {
    return nu_tensor_file_fail(file, 8, err, "no %s: not a file of numann", NU_METADATA);
  }
  const char *key;
  char shown[NU_EXCERPT];
  json_t *value;
  json_object_foreach(file->metadata, key, value) {
    if (!json_is_string(value)) {
      return nu_tensor_file_fail(file, 8, err, "metadata %s is not a string",
                                 nu_excerpt(key, strlen(key), shown));
    }
  }
  return NUMANN_OK;
}

/* CRC-32 of the header, its own eight digits taken as zeros. */
static numann_status check_header_crc(const nu_tensor_file *file, const char *text,
                                      numann_error *err) {
  static const char key[] = "\"" NU_HEADER_CRC "\":\"";
  size_t length = (size_t)(file->data - 8);
  const char *place = strstr(text, key);
  const char *stored = nu_tensor_file_text(file, NU_HEADER_CRC);
  if (!place || !stored || strlen(stored) != 8) {
    return nu_tensor_file_fail(file, 8, err, "no checksum of the header: not a file of numann");
  }
  size_t before = (size_t)(place - text) + sizeof key - 1;
  if (before + 8 > length) return nu_tensor_file_fail(file, 8, err, "the header ends early");
  const unsigned char *bytes = (const unsigned char *)text;
  unsigned long crc = crc32(0, bytes, (unsigned)before);
  crc = crc32(crc, (const unsigned char *)"00000000", 8);
  crc = crc32(crc, bytes + before + 8, (unsigned)(length - before - 8));
  char digits[16];
  snprintf(digits, sizeof digits, "%08lx", crc);
  if (strcmp(digits, stored) == 0 && memcmp(digits, place + sizeof key - 1, 8) == 0) {
    return NUMANN_OK;
  }
  return nu_tensor_file_fail(file, 8, err, "the header's checksum is %s, %s was written: damaged",
                             digits, stored);
}

/* A count in JSON: an integer, not negative. */
static bool get_count(const json_t *value, uint64_t *out) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *out = (uint64_t)json_integer_value(value);
  return true;
}

static bool get_dtype(const json_t *value, nu_dtype *out) {
  const char *name = json_string_value(value);
  for (size_t i = 0; i < NU_DTYPES && name; i++) {
    *out = (nu_dtype)i;
    if (strcmp(name, nu_dtype_name(*out)) == 0) return true;
  }
  return false;
}

/* Dimensions, and the bytes that they stand for. */
static bool get_shape(const json_t *value, nu_tensor_entry *entry, uint64_t *bytes) {
  entry->rank = json_array_size(value);
  *bytes = nu_dtype_size(entry->dtype);
  if (!json_is_array(value) || entry->rank > NU_RANK_LIMIT) return false;
  for (size_t i = 0; i < entry->rank; i++) {
    if (!get_count(json_array_get(value, i), &entry->shape[i]) ||
        __builtin_mul_overflow(*bytes, entry->shape[i], bytes)) {
      return false;
    }
  }
  return true;
}

/* NULL, or what is wrong with a tensor's entry. */
static const char *get_entry(const json_t *value, nu_tensor_entry *entry) {
  const json_t *offsets = json_object_get(value, "data_offsets");
  uint64_t bytes;
  if (!json_is_object(value) || json_object_size(value) != 3) {
    return "not an object of dtype, shape and data_offsets";
  }
  if (strlen(entry->name) > NU_NAME_LIMIT) return "a name longer than 1024 bytes";
  if (!get_dtype(json_object_get(value, "dtype"), &entry->dtype)) return "dtype is not F32 or F64";
  if (!get_shape(json_object_get(value, "shape"), entry, &bytes)) {
    return "shape is not a list of up to 8 counts, or its product overflows";
  }
  if (json_array_size(offsets) != 2 || !get_count(json_array_get(offsets, 0), &entry->begin) ||
      !get_count(json_array_get(offsets, 1), &entry->end) || entry->begin > entry->end) {
    return "data_offsets are not two increasing counts";
  }
  return entry->end - entry->begin == bytes ? NULL : "data_offsets do not fit dtype and shape";
}

static int by_offset(const void *left, const void *right) {
  const nu_tensor_entry *a = left, *b = right;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return (a->end > b->end) - (a->end < b->end);
}

/* The arrays must follow each other without gap or overlap up to the last byte, so that every byte
 * of the file has exactly one meaning. */
static numann_status check_cover(const nu_tensor_file *file, numann_error *err) {
  uint64_t next = 0;
  for (size_t i = 0; i < file->n; i++) {
    const nu_tensor_entry *entry = &file->entries[i];
    if (entry->begin != next) {
      char shown[NU_EXCERPT];
      return nu_tensor_file_fail(file, file->data + next, err,
                                 "%s begins at %llu of the data, %llu expected: a gap or "
                                 "overlap",
                                 nu_excerpt(entry->name, strlen(entry->name), shown),
                                 (unsigned long long)entry->begin, (unsigned long long)next);
    }
    next = entry->end;
  }
  if (next == file->size - file->data) return NUMANN_OK;
  return nu_tensor_file_fail(file, file->size, err, "%llu bytes of data, the header describes %llu",
                             (unsigned long long)(file->size - file->data),
                             (unsigned long long)next);
}

static numann_status read_entries(nu_tensor_file *file, numann_error *err) {
  size_t n = json_object_size(file->header) - 1;
  if (n > NU_TENSORS_LIMIT) {
    return nu_tensor_file_fail(file, 8, err, "%zu tensors, at most %u are allowed", n,
                               NU_TENSORS_LIMIT);
  }
  file->entries = nu_alloc(n, sizeof *file->entries);
  if (!file->entries) return nu_fail_memory(err, n * sizeof *file->entries, "a file's header");
  const char *name;
  char shown[NU_EXCERPT];
  json_t *value;
  json_object_foreach(file->header, name, value) {
    if (value == file->metadata) continue;
    nu_tensor_entry *entry = &file->entries[file->n++];
    entry->name = name;
    const char *wrong = get_entry(value, entry);
    if (wrong)
      return nu_tensor_file_fail(file, 8, err, "tensor %s: %s",
                                 nu_excerpt(name, strlen(name), shown), wrong);
  }
  if (n > 0) qsort(file->entries, n, sizeof *file->entries, by_offset);
  return check_cover(file, err);
}

static numann_status read_checksums(nu_tensor_file *file, numann_error *err) {
  const char *text = nu_tensor_file_text(file, NU_TENSOR_CRC);
  if (!text) return nu_tensor_file_fail(file, 8, err, "no metadata %s", NU_TENSOR_CRC);
  return parse(file, &file->checksums, text, strlen(text), "metadata " NU_TENSOR_CRC, 8, err);
}

numann_status nu_tensor_file_open(nu_tensor_file *file, const char *path, numann_error *err) {
  *file = (nu_tensor_file){.path = path, .fd = -1};
  char *text = NULL;
  numann_status status = open_file(file, err);
  if (status == NUMANN_OK) status = read_header(file, &text, err);
  if (status == NUMANN_OK) {
    status = parse(file, &file->header, text, (size_t)(file->data - 8), "header", 8, err);
  }
  if (status == NUMANN_OK) status = check_metadata(file, err);
  if (status == NUMANN_OK) status = check_header_crc(file, text, err);
  if (status == NUMANN_OK) status = read_entries(file, err);
  if (status == NUMANN_OK) status = read_checksums(file, err);
  free(text);
  if (status != NUMANN_OK) nu_tensor_file_close(file);
  return status;
}

void nu_tensor_file_close(nu_tensor_file *file) {
  if (file->fd >= 0) close(file->fd);
  json_decref(file->header);
  json_decref(file->checksums);
  free(file->entries);
  *file = (nu_tensor_file){.fd = -1};
}

bool nu_tensor_file_has(const nu_tensor_file *file, const char *name) {
  return strcmp(name, NU_METADATA) != 0 && json_object_get(file->header, name) != NULL;
}

const char *nu_tensor_file_text(const nu_tensor_file *file, const char *key) {
  return json_string_value(json_object_get(file->metadata, key));
}

static bool same_shape(const nu_tensor_entry *entry, const nu_tensor *tensor) {
  if (entry->dtype != tensor->dtype || entry->rank != tensor->rank) return false;
  for (size_t i = 0; i < tensor->rank; i++) {
    if (entry->shape[i] != tensor->shape[i]) return false;
  }
  return true;
}

/* The array's bytes, and their CRC-32 as 8 digits. */
static numann_status read_data(const nu_tensor_file *file, uint64_t offset, unsigned char *data,
                               size_t size, char digits[16], numann_error *err) {
  unsigned long crc = crc32(0, NULL, 0);
  for (size_t from = 0, n; from < size; from += n) {
    n = size - from < CHUNK ? size - from : CHUNK;
    NU_TRY(read_bytes(file, offset + from, data + from, n, err));
    crc = crc32(crc, data + from, (unsigned)n);
  }
  snprintf(digits, 16, "%08lx", crc);
  return NUMANN_OK;
}

numann_status nu_tensor_file_read(const nu_tensor_file *file, size_t index, nu_tensor *tensor,
                                  numann_error *err) {
  const nu_tensor_entry *entry = &file->entries[index];
  uint64_t offset = file->data + entry->begin;
  char shown[NU_EXCERPT];
  if (strcmp(entry->name, tensor->name) != 0) {
    return nu_tensor_file_fail(file, offset, err, "tensor %s, %s was expected here",
                               nu_excerpt(entry->name, strlen(entry->name), shown), tensor->name);
  }
  if (!same_shape(entry, tensor)) {
    return nu_tensor_file_fail(file, offset, err,
                               "%s has another dtype or shape than the layers say", tensor->name);
  }
  size_t count = nu_tensor_count(tensor), size = nu_dtype_size(tensor->dtype);
  char digits[16];
  NU_TRY(read_data(file, offset, tensor->data, count * size, digits, err));
  const char *stored = json_string_value(json_object_get(file->checksums, tensor->name));
  if (!stored || strcmp(stored, digits) != 0) {
    if (!stored) stored = "none";
    return nu_tensor_file_fail(file, offset, err, "%s: its checksum is %s, %s was written: damaged",
                               tensor->name, digits, nu_excerpt(stored, strlen(stored), shown));
  }
  nu_little_endian(tensor->data, count, size);
  size_t wrong = nu_tensor_first_wrong(tensor);
  if (wrong == count) return NUMANN_OK;
  return nu_tensor_file_fail(file, offset + wrong * size, err, "%s[%zu] is not finite",
                             tensor->name, wrong);
}
