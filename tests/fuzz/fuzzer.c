/* The entry of libFuzzer: NUMANN_FUZZ names the target. docs/testing.md says how to run it.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "targets.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  const char *name = getenv("NUMANN_FUZZ");
  target = name ? fuzz_target_named(name) : NULL;
  MUST(target);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  target->run(bytes, n);
  return 0;
}
