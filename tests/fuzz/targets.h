/* Readers of what strangers write, each for any bytes. SPDX-License-Identifier: MIT
 *
 * A target reads the bytes as its reader would, and aborts where something does not hold that must
 * whatever the bytes are: a status of the right class, a message of one printable line, the same
 * result on another way. tests/check_fuzz.c runs it on the inputs of tests/fuzz/corpus, and
 * tests/fuzz/fuzzer.c under a fuzzer. */
#ifndef TESTS_FUZZ_TARGETS_H
#define TESTS_FUZZ_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct fuzz_target {
  const char *name; /* also of its folder in the corpus */
  void (*run)(const uint8_t *bytes, size_t n);
} fuzz_target;

/* Ends with a row without a name. */
extern const fuzz_target fuzz_targets[];
/* NULL: there is none. */
const fuzz_target *fuzz_target_named(const char *name);

/* ---- for targets */

/* Abort, saying where, unless it holds. */
#define MUST(holds) fuzz_must((holds), __FILE__, __LINE__, #holds)
void fuzz_must(bool holds, const char *file, int line, const char *what);

/* NUMANN_OK, or this failure with a message of one line without control characters. */
void fuzz_check(numann_status status, numann_status failure, const numann_error *err);

/* The bytes as a file of this name in a folder of its own: the path, good until the next call. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n);

void fuzz_model(const uint8_t *bytes, size_t n);
void fuzz_table(const uint8_t *bytes, size_t n);

#endif
