/* A made-up model or checkpoint, for the tests. SPDX-License-Identifier: MIT */
#ifndef TESTS_CHECKPOINT_SAMPLE_H
#define TESTS_CHECKPOINT_SAMPLE_H

#include "checkpoint/checkpoint.h"

typedef enum sample_kind {
  SAMPLE_MODEL,     /* regression, no scaling, no names: the smallest file */
  SAMPLE_CHECKPOINT /* two or more classes, names, scaling, Adam's arrays and best weights */
} sample_kind;

/* sizes: [n_layers + 1]. Every number is a function of the step. NULL members: memory refused. */
nu_saved sample_create(sample_kind kind, size_t n_layers, const size_t *sizes, uint64_t step);

/* Are all fields and all bits the same? */
bool sample_equal(const nu_saved *a, const nu_saved *b);

/* A new folder under TMPDIR or /tmp, malloc'ed; removed with everything in it by sample_remove. */
char *sample_folder(void);
void sample_remove(char *folder);

/* folder/name, malloc'ed. */
char *sample_path(const char *folder, const char *name);

bool sample_exists(const char *folder, const char *name);

/* A whole file: malloc'ed bytes, NULL when it cannot be read; write without any protocol. */
unsigned char *sample_read(const char *path, size_t *size);
void sample_write(const char *path, const void *bytes, size_t size);

#endif
