/* What the tests of the data stage share. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "data_support.h"

#include <check.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define PATHS 64

static char folder[512];
static char paths[PATHS][1024];
static size_t next_path;

void make_folder(void) {
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/numann-data-XXXXXX", base ? base : "/tmp");
  ck_assert_msg(mkdtemp(folder) != NULL, "no temporary folder %s", folder);
}

void remove_folder(void) {
  DIR *entries = opendir(folder);
  ck_assert_ptr_nonnull(entries);
  for (struct dirent *e; (e = readdir(entries));) {
    if (e->d_name[0] != '.') unlinkat(dirfd(entries), e->d_name, 0);
  }
  closedir(entries);
  rmdir(folder);
}

static const char *join(const char *front, const char *name) {
  char *path = paths[next_path++ % PATHS];
  snprintf(path, sizeof paths[0], "%s/%s", front, name);
  return path;
}

const char *temp_path(const char *name) { return join(folder, name); }

const char *source_path(const char *name) {
  const char *source = getenv("srcdir");
  return join(source ? source : ".", name);
}

const char *put_bytes(const char *name, const void *bytes, size_t n) {
  const char *path = temp_path(name);
  FILE *file = fopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
  ck_assert_int_eq(fclose(file), 0);
  return path;
}

const char *put_text(const char *name, const char *text) {
  return put_bytes(name, text, strlen(text));
}

const char *put_gz(const char *name, const void *bytes, size_t n) {
  const char *path = temp_path(name);
  gzFile file = gzopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  if (n > 0) ck_assert_int_eq(gzwrite(file, bytes, (unsigned)n), (int)n);
  ck_assert_int_eq(gzclose(file), Z_OK);
  return path;
}

unsigned char *get_bytes(const char *path, size_t *n) {
  FILE *file = fopen(path, "rb");
  ck_assert_ptr_nonnull(file);
  unsigned char *bytes = malloc(1 << 16);
  ck_assert_ptr_nonnull(bytes);
  *n = fread(bytes, 1, 1 << 16, file);
  fclose(file);
  return bytes;
}

size_t make_idx(unsigned char *out, unsigned char type, size_t rank, const uint32_t *shape,
                const void *elements, size_t bytes) {
  size_t n = 0;
  out[n++] = 0;
  out[n++] = 0;
  out[n++] = type;
  out[n++] = (unsigned char)rank;
  for (size_t i = 0; i < rank; i++) {
    for (int shift = 24; shift >= 0; shift -= 8) out[n++] = (unsigned char)(shape[i] >> shift);
  }
  if (bytes) memcpy(out + n, elements, bytes);
  return n + bytes;
}

size_t make_npy(unsigned char *out, const char *dictionary, const void *elements, size_t bytes) {
  size_t header = strlen(dictionary);
  memcpy(out, "\x93NUMPY\x01\x00", 8);
  out[8] = (unsigned char)(header & 255);
  out[9] = (unsigned char)(header >> 8);
  memcpy(out + 10, dictionary, header);
  if (bytes) memcpy(out + 10 + header, elements, bytes);
  return 10 + header + bytes;
}

numann_config *make_config(size_t outputs, const char *data_format, ...) {
  char data[4096], text[5000];
  va_list args;
  va_start(args, data_format);
  vsnprintf(data, sizeof data, data_format, args);
  va_end(args);
  snprintf(text, sizeof text,
           "data: {%s}\n"
           "network: {layers: [{neurons: %zu, activation: identity}]}\n"
           "train: {loss: squared_error, seed: 1}\n",
           data, outputs);
  numann_config *config;
  numann_error err = {0};
  numann_status status = numann_config_parse(&config, text, "test.yaml", &err);
  ck_assert_msg(status == NUMANN_OK, "%s\n%s", err.message, text);
  return config;
}

void check_inputs(const nu_rows *rows, size_t features, const float *expected) {
  for (size_t i = 0; i < rows->rows * features; i++) {
    float input;
    nu_rows_inputs(rows, features, i / features, i % features, 1, &input);
    ck_assert_float_eq(input, expected[i]);
  }
}

numann_data *load(const numann_config *config) {
  numann_data *data;
  numann_error err = {0};
  numann_status status = numann_data_load(&data, config, &err);
  ck_assert_msg(status == NUMANN_OK, "%s", err.message);
  return data;
}

numann_data *load_table(const char *path, const char *target, const char *more) {
  numann_config *config = make_config(1, "train: {path: \"%s\", target: %s}%s", path, target, more);
  numann_data *data = load(config);
  numann_config_destroy(config);
  return data;
}
