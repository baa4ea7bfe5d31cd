/* What the data tests share: temporary files, configs, loading. SPDX-License-Identifier: MIT */
#ifndef NU_TESTS_DATA_SUPPORT_H
#define NU_TESTS_DATA_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/data.h"

/* Checked fixture: a temporary folder for each test, removed after it with all files in it. */
void make_folder(void);
void remove_folder(void);

/* Paths, valid until the end of the test: in the temporary folder, and in the source tree. */
const char *temp_path(const char *name);
const char *source_path(const char *name);

/* Write a file into the temporary folder; the gz form packs the bytes. Gives its path. */
const char *put_bytes(const char *name, const void *bytes, size_t n);
const char *put_text(const char *name, const char *text);
const char *put_gz(const char *name, const void *bytes, size_t n);

/* The bytes of a file; [*n], to be freed. */
unsigned char *get_bytes(const char *path, size_t *n);

/* An array file in memory; out must hold it. Gives its length. Elements are copied as they are. */
size_t make_idx(unsigned char *out, unsigned char type, size_t rank, const uint32_t *shape,
                const void *elements, size_t bytes);
size_t make_npy(unsigned char *out, const char *dictionary, const void *elements, size_t bytes);

/* A config with this `data:` mapping, one output neuron per `outputs` and squared error; the format
 * is printf's. Destroy it. */
numann_config *make_config(size_t outputs, const char *data_format, ...)
    __attribute__((format(printf, 2, 3)));

/* The scaled inputs of a part, floats or bytes, are `expected` [rows][features]. */
void check_inputs(const nu_rows *rows, size_t features, const float *expected);

/* Load what must be loadable. */
numann_data *load(const numann_config *config);
/* make_config and load in one, for one output. */
numann_data *load_table(const char *path, const char *target, const char *more);

#endif
