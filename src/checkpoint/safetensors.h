/* Safetensors: named arrays behind a JSON header, with checksums. SPDX-License-Identifier: MIT
 *
 *   8 bytes       length H of the header, little-endian
 *   H bytes       JSON: "__metadata__" (strings), then name -> dtype, shape, data_offsets; spaces
 *                 at its end bring the data to a multiple of 64
 *   the rest      the arrays without gaps, row-major, little-endian, up to the last byte
 *
 * The format itself has no checksum: a CRC-32 of each array and one of the header stand in the
 * metadata, so that no changed bit goes unnoticed. docs/files.md has the tables. */
#ifndef NU_CHECKPOINT_SAFETENSORS_H
#define NU_CHECKPOINT_SAFETENSORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "checkpoint/durable.h"
#include "plan/parts.h"

#define NU_HEADER_LIMIT 100000000u /* bytes; the format's own limit */
#define NU_TENSORS_LIMIT 65536u
#define NU_RANK_LIMIT 8u
#define NU_NAME_LIMIT 1024u
#define NU_DATA_ALIGNMENT 64u
#define NU_TENSOR_NAME 96u /* bytes of a name that numann writes */

#define NU_METADATA "__metadata__"
#define NU_TENSOR_CRC "tensor_crc32"
#define NU_HEADER_CRC "header_crc32"

typedef enum nu_dtype { NU_F32, NU_F64, NU_DTYPES } nu_dtype;

/* One array in memory. */
typedef struct nu_tensor {
  char name[NU_TENSOR_NAME];
  nu_dtype dtype;
  size_t rank; /* 1 or 2 */
  size_t shape[2];
  void *data; /* [shape[0]][shape[1]], row-major, machine's byte order; borrowed */
} nu_tensor;

size_t nu_tensor_count(const nu_tensor *tensor); /* numbers in it */
size_t nu_tensor_bytes(const nu_tensor *tensor);
size_t nu_tensors_bytes(const nu_tensor *tensors, size_t n);
size_t nu_dtype_size(nu_dtype dtype);
const char *nu_dtype_name(nu_dtype dtype);
/* The index of the first number that is not finite; nu_tensor_count when all are. */
size_t nu_tensor_first_wrong(const nu_tensor *tensor);
/* Numbers of `size` bytes between the machine's order and the file's; its own inverse. */
void nu_little_endian(void *numbers, size_t count, size_t size);

/* Write the file durably. The checksums are added to `metadata`, an object of strings. */
numann_status nu_tensors_write(const char *path, const nu_tensor *tensors, size_t n,
                               json_t *metadata, numann_error *err);

/* The same in three parts, as several processes do it. sums: [n], the CRC-32 of each array, 0 at
 * the beginning.
 *   begin    the temporary file, and how many bytes are before the arrays (*data): a header is as
 *            long whatever its checksums are
 *   put      what lies in `bytes`, a range of the file's that cuts no number; adds to `sums`
 *   finish   the header, then nu_durable_end
 * Whichever fails abandons the file. */
numann_status nu_tensors_begin(nu_durable *file, size_t *data, const char *path,
                               const nu_tensor *tensors, size_t n, const uint32_t *sums,
                               json_t *metadata, numann_error *err);
numann_status nu_tensors_put(nu_durable *file, size_t data, const nu_tensor *tensors, size_t n,
                             nu_range bytes, uint32_t *sums, numann_error *err);
numann_status nu_tensors_finish(nu_durable *file, const nu_tensor *tensors, size_t n,
                                const uint32_t *sums, json_t *metadata, numann_error *err);
/* Which bytes of an array that begins at byte `begin` of the file lie in a range of the file. */
nu_range nu_tensor_overlap(nu_range bytes, size_t begin, const nu_tensor *tensor);

/* A header's entry. */
typedef struct nu_tensor_entry {
  const char *name; /* borrowed from the header */
  nu_dtype dtype;
  size_t rank;
  uint64_t shape[NU_RANK_LIMIT];
  uint64_t begin, end; /* bytes from the start of the data */
} nu_tensor_entry;

/* A file open for reading, its header checked against every rule and checksum. */
typedef struct nu_tensor_file {
  const char *path; /* borrowed until close */
  int fd;
  uint64_t size;     /* of the file */
  uint64_t data;     /* where the arrays begin */
  json_t *header;    /* owned */
  json_t *metadata;  /* inside header */
  json_t *checksums; /* name -> 8 hexadecimal digits; owned */
  size_t n;
  nu_tensor_entry *entries; /* [n], by offset; owned */
} nu_tensor_file;

/* Nothing is allocated on the word of the file before it was compared with the file's size. */
numann_status nu_tensor_file_open(nu_tensor_file *file, const char *path, numann_error *err);
void nu_tensor_file_close(nu_tensor_file *file);

bool nu_tensor_file_has(const nu_tensor_file *file, const char *name);
/* A metadata string, or NULL. */
const char *nu_tensor_file_text(const nu_tensor_file *file, const char *key);

/* Read the index-th array into `tensor`, whose name, dtype and shape must be the file's; verifies
 * the checksum and that every number is finite. */
numann_status nu_tensor_file_read(const nu_tensor_file *file, size_t index, nu_tensor *tensor,
                                  numann_error *err);

/* "path@offset: what; use ...": NUMANN_ERR_MODEL. */
numann_status nu_tensor_file_fail(const nu_tensor_file *file, uint64_t offset, numann_error *err,
                                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Parse JSON that may be hostile: bounded in depth and number of values before the parser
 * allocates, no duplicate keys, no minus sign outside strings. NULL when it is not such a text:
 * *offset and `reason` [160] say where and why; an empty reason means that memory was refused. */
json_t *nu_json_parse(const char *text, size_t n, size_t *offset, char reason[160]);

#endif
