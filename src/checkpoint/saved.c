/* One model or checkpoint file, whole. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/layout.h"
#include "checkpoint/metadata.h"
#include "checkpoint/safetensors.h"
#include "machine/float_env.h"

void nu_saved_clear(nu_saved *saved) {
  numann_network_destroy(saved->network);
  nu_schema_clear(&saved->schema);
  free(saved->config_text);
  nu_state_clear(&saved->state);
  *saved = (nu_saved){0};
}

numann_status nu_saved_check_finite(const char *path, const nu_saved *saved,
                                    const nu_tensor *tensors, size_t n, numann_error *err) {
  for (size_t i = 0; i < n; i++) {
    size_t wrong = nu_tensor_first_wrong(&tensors[i]);
    if (wrong == nu_tensor_count(&tensors[i])) continue;
    return nu_fail(err, NUMANN_ERR_DIVERGED,
                   "%s: %s[%zu] is not finite, so nothing was written; start again with a smaller "
                   "train.optimizer.learning_rate, which a resume cannot change",
                   path, tensors[i].name, wrong);
  }
  if (!saved->has_state || nu_losses_finite(&saved->state)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DIVERGED,
                 "%s: the loss is not finite, so nothing was written; start again with a smaller "
                 "train.optimizer.learning_rate, which a resume cannot change",
                 path);
}

numann_status nu_saved_write(const char *path, const nu_saved *saved, numann_error *err) {
  assert(saved->schema.features == numann_network_inputs(saved->network));
  assert(!saved->has_state || saved->state.n_parameters == saved->network->n_parameters);
  nu_tensor *tensors;
  size_t n;
  json_t *metadata = NULL;
  numann_status status = nu_layout(&tensors, &n, saved, err);
  if (status == NUMANN_OK) status = nu_saved_check_finite(path, saved, tensors, n, err);
  if (status == NUMANN_OK) status = nu_metadata_write(&metadata, saved, err);
  if (status == NUMANN_OK) status = nu_metadata_hash(metadata, saved, err);
  if (status == NUMANN_OK) status = nu_tensors_write(path, tensors, n, metadata, err);
  json_decref(metadata);
  free(tensors);
  return status;
}

/* The arrays, in the order in which they must stand. */
static numann_status read_tensors(nu_saved *out, const nu_tensor_file *file, numann_error *err) {
  nu_tensor *tensors;
  size_t n;
  numann_status status = nu_layout(&tensors, &n, out, err);
  if (status == NUMANN_OK && n != file->n) {
    status = nu_tensor_file_fail(file, 8, err, "%zu tensors, the layers need %zu", file->n, n);
  }
  for (size_t i = 0; i < n && status == NUMANN_OK; i++) {
    status = nu_tensor_file_read(file, i, &tensors[i], err);
  }
  free(tensors);
  return status;
}

numann_status nu_saved_read(nu_saved *out, const char *path, numann_error *err) {
  *out = (nu_saved){0};
  nu_tensor_file file;
  NU_TRY(nu_tensor_file_open(&file, path, err));
  numann_status status = nu_metadata_read(out, &file, err);
  if (status == NUMANN_OK) status = read_tensors(out, &file, err);
  if (status == NUMANN_OK && out->has_state) {
    memcpy(out->network->parameters, out->state.weights, out->state.n_parameters * sizeof(float));
  }
  if (status == NUMANN_OK) status = nu_metadata_check_weights(out, &file, err);
  if (status == NUMANN_OK) status = nu_metadata_check_meaning(out, &file, err);
  nu_tensor_file_close(&file);
  if (status != NUMANN_OK) nu_saved_clear(out);
  return status;
}

/* CRC-32 over numbers of `size` bytes, little-endian, so that all machines agree. */
static unsigned long add_crc(unsigned long crc, const void *numbers, size_t count, size_t size) {
  unsigned char chunk[4096];
  const unsigned char *next = numbers;
  for (size_t left = count * size; left > 0;) {
    size_t n = left < sizeof chunk ? left : sizeof chunk;
    memcpy(chunk, next, n);
    nu_little_endian(chunk, n / size, size);
    crc = crc32(crc, chunk, (unsigned)n);
    next += n;
    left -= n;
  }
  return crc;
}

/* Over the scaled numbers, whether or not they are kept so. */
static unsigned long add_inputs(unsigned long crc, const nu_rows *rows, size_t features) {
  float scaled[1024];
  if (rows->inputs) return add_crc(crc, rows->inputs, rows->rows * features, sizeof *rows->inputs);
  nu_float_env env = nu_float_env_enter();
  for (size_t r = 0; r < rows->rows; r++) {
    for (size_t first = 0; first < features; first += sizeof scaled / sizeof *scaled) {
      size_t left = features - first, most = sizeof scaled / sizeof *scaled;
      size_t n = left < most ? left : most;
      nu_rows_inputs(rows, features, r, first, n, scaled);
      crc = add_crc(crc, scaled, n, sizeof *scaled);
    }
  }
  nu_float_env_leave(&env);
  return crc;
}

uint64_t nu_rows_sum(const nu_schema *schema, const nu_rows *rows) {
  if (rows->rows == 0) return 0;
  const uint64_t counts[] = {rows->rows, schema->features, schema->classes, schema->targets};
  unsigned long crc = add_crc(crc32(0, NULL, 0), counts, 4, sizeof *counts);
  crc = add_inputs(crc, rows, schema->features);
  if (rows->targets) {
    crc = add_crc(crc, rows->targets, rows->rows * schema->targets, sizeof *rows->targets);
  }
  if (rows->labels) crc = add_crc(crc, rows->labels, rows->rows, sizeof *rows->labels);
  /* The row count above the checksum keeps the sum from being 0, which means unknown. */
  return (uint64_t)rows->rows << 32 | crc;
}

uint64_t nu_data_sum(const numann_data *data) { return nu_rows_sum(&data->schema, &data->train); }
