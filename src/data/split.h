/* Split: which rows of the training file are for test and validation. SPDX-License-Identifier: MIT
 *
 * A part of fraction f of n rows has floor(f n + 1/2) of them. The rows are taken in the order of a
 * permutation drawn from train.seed: test first, then validation; the rest trains. Stratified, each
 * class gives its share, rounded by largest remainder. Within a part rows keep the file's order. */
#ifndef NU_DATA_SPLIT_H
#define NU_DATA_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

typedef struct nu_split_request {
  size_t rows;
  size_t validation, test; /* how many rows; together fewer than all */
  uint64_t seed;
  const int32_t *classes; /* [rows] class of each row, or NULL: not stratified */
  size_t n_classes;
} nu_split_request;

/* part: [rows], set to NU_TRAIN, NU_VALIDATION or NU_TEST. */
numann_status nu_split(uint8_t *part, const nu_split_request *request, numann_error *err);

/* Rows for the fraction under `key`; 0 when it is not given, and an error when the fraction comes
 * to 0. */
numann_status nu_split_count(size_t *count, const numann_config *config, const char *key,
                             size_t rows, numann_error *err);

#endif
