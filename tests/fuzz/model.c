/* Models and checkpoints whose checksums are right, whatever they say. SPDX-License-Identifier: MIT
 *
 * The bytes up to the first NUL are the header's JSON, the rest are the arrays. The target puts in
 * the sums that docs/files.md demands, so that a fuzzer gets past them: what is read then is held
 * to answer a row, and to be written and read again. */
#include <jansson.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "numann/model.h"
#include "targets.h"

typedef struct arrays {
  const uint8_t *bytes;
  size_t n;
} arrays;

/* data_offsets of an entry; false where they are outside of the arrays. */
static bool find(const json_t *entry, const arrays *all, size_t *begin, size_t *end) {
  const json_t *offsets = json_object_get(entry, "data_offsets");
  json_int_t from = json_integer_value(json_array_get(offsets, 0));
  json_int_t to = json_integer_value(json_array_get(offsets, 1));
  if (from < 0 || to < from || (size_t)to > all->n) return false;
  *begin = (size_t)from;
  *end = (size_t)to;
  return true;
}

static char *sums_of(json_t *header, const arrays *all) {
  json_t *sums = json_object(), *entry;
  const char *name;
  json_object_foreach(header, name, entry) {
    char digits[16];
    size_t begin, end;
    if (strcmp(name, NU_METADATA) == 0 || !find(entry, all, &begin, &end)) continue;
    snprintf(digits, sizeof digits, "%08lx", crc32(0, all->bytes + begin, (unsigned)(end - begin)));
    json_object_set_new(sums, name, json_string(digits));
  }
  char *text = json_dumps(sums, JSON_COMPACT);
  json_decref(sums);
  return text;
}

/* Over the arrays of the layers, in the order of the header. */
static void hash_of(json_t *header, const arrays *all, char hex[SHA256_DIGEST_STRING_LENGTH]) {
  SHA2_CTX context;
  json_t *entry;
  const char *name;
  SHA256Init(&context);
  json_object_foreach(header, name, entry) {
    size_t begin, end;
    if (strncmp(name, "layers.", 7) != 0 || !find(entry, all, &begin, &end)) continue;
    SHA256Update(&context, all->bytes + begin, end - begin);
  }
  SHA256End(&context, hex);
}

/* The header with its sums, the header's own one still zeros; NULL when it is no header. */
static char *complete(const char *text, const arrays *all) {
  json_t *header = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
  json_t *metadata = json_object_get(header, NU_METADATA);
  char *whole = NULL;
  if (json_is_object(metadata)) {
    char hex[SHA256_DIGEST_STRING_LENGTH], *sums = sums_of(header, all);
    hash_of(header, all, hex);
    json_object_set_new(metadata, NU_TENSOR_CRC, json_string(sums));
    json_object_set_new(metadata, "weights_sha256", json_string(hex));
    json_object_set_new(metadata, NU_HEADER_CRC, json_string("00000000"));
    whole = json_dumps(header, JSON_COMPACT);
    free(sums);
  }
  json_decref(header);
  return whole;
}

static const char *write_file(const char *header, const arrays *all) {
  static const char key[] = "\"" NU_HEADER_CRC "\":\"";
  size_t n = strlen(header), padded = nu_round_up(8 + n, NU_DATA_ALIGNMENT) - 8;
  uint8_t *file = calloc(8 + padded + all->n + 1, 1);
  MUST(file);
  for (size_t i = 0; i < 8; i++) file[i] = (uint8_t)(padded >> (8 * i));
  memset(file + 8, ' ', padded);
  memcpy(file + 8, header, n);
  char *place = strstr((char *)file + 8, key), digits[16];
  snprintf(digits, sizeof digits, "%08lx", crc32(0, file + 8, (unsigned)padded));
  if (place) memcpy(place + sizeof key - 1, digits, 8);
  memcpy(file + 8 + padded, all->bytes, all->n);
  const char *path = fuzz_file("model.safetensors", file, 8 + padded + all->n);
  free(file);
  return path;
}

static void ask(const char *path) {
  numann_model *model;
  numann_error err;
  numann_status status = numann_model_load(&model, path, &err);
  fuzz_check(status, NUMANN_ERR_MODEL, &err);
  if (status != NUMANN_OK) return;
  double *inputs = nu_alloc(numann_model_inputs(model), sizeof *inputs);
  double *outputs = nu_alloc(numann_model_outputs(model), sizeof *outputs);
  MUST(inputs && outputs);
  status = numann_model_predict(model, 1, 1, inputs, outputs, &err);
  /* Answers that are not finite; or a sound scaling takes even a 0 out of a float's range. */
  fuzz_check(status, status == NUMANN_ERR_DATA ? status : NUMANN_ERR_DIVERGED, &err);
  for (size_t i = 0; i < numann_model_classes(model); i++) MUST(numann_model_class_name(model, i));
  MUST(numann_model_describe(model, NULL, 0) > 0);
  free(inputs);
  free(outputs);
  numann_model_destroy(model);
}

/* What was read is written, and read again. */
static void go_round(const char *path) {
  nu_saved saved, again;
  numann_error err;
  numann_status status = nu_saved_read(&saved, path, &err);
  fuzz_check(status, NUMANN_ERR_MODEL, &err);
  if (status != NUMANN_OK) return;
  MUST(nu_saved_write(path, &saved, &err) == NUMANN_OK);
  MUST(nu_saved_read(&again, path, &err) == NUMANN_OK);
  nu_saved_clear(&saved);
  nu_saved_clear(&again);
}

void fuzz_model(const uint8_t *bytes, size_t n) {
  const uint8_t *end = memchr(bytes, '\0', n);
  if (!end) return;
  size_t before = (size_t)(end - bytes) + 1;
  arrays all = {bytes + before, n - before};
  char *header = complete((const char *)bytes, &all);
  const char *path = header ? write_file(header, &all) : write_file((const char *)bytes, &all);
  ask(path);
  go_round(path);
  free(header);
}
