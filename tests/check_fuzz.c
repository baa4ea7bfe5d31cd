/* The inputs that a fuzzer found worth keeping, and small changes of each, through every reader.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/status.h"
#include "base/text.h"
#include "fuzz/targets.h"

enum { CHANGES = 400, LARGEST = 1 << 20 };

static char *path_of(const char *target, const char *name) {
  const char *source = getenv("srcdir");
  nu_text path = {0};
  nu_text_addf(&path, "%s/tests/fuzz/corpus/%s/%s", source ? source : ".", target, name);
  return path.data;
}

static size_t read_input(const char *path, uint8_t *bytes) {
  FILE *file = fopen(path, "rb");
  ck_assert_ptr_nonnull(file);
  size_t n = fread(bytes, 1, LARGEST, file);
  fclose(file);
  return n;
}

/* A byte, a stretch, or the end: what bit rot and hands do to a file. */
static size_t change(uint8_t *bytes, size_t n, uint32_t draw, uint32_t where) {
  size_t at = n ? where % n : 0;
  if (n == 0) return 0;
  switch (draw % 4) {
    case 0: bytes[at] = (uint8_t)(draw >> 8); break;
    case 1: bytes[at] ^= (uint8_t)(1u << (draw >> 8) % 8); break;
    case 2: return at;
    case 3: memmove(bytes + at, bytes + at + 1, n - at - 1); return n - 1;
  }
  return n;
}

static void run_input(const fuzz_target *target, const char *name, uint64_t number) {
  static uint8_t bytes[LARGEST], changed[LARGEST];
  char *path = path_of(target->name, name);
  size_t n = read_input(path, bytes);
  free(path);
  target->run(bytes, n);
  for (uint64_t i = 0; i < CHANGES; i++) {
    nu_stream stream = {11, NU_PURPOSE_GENERATE, (uint32_t)number};
    memcpy(changed, bytes, n);
    target->run(changed, change(changed, n, nu_random_bits(stream, 2 * i),
                                nu_random_bits(stream, 2 * i + 1)));
  }
}

START_TEST(readers_hold) {
  const fuzz_target *target = &fuzz_targets[_i];
  char *folder = path_of(target->name, "");
  DIR *inputs = opendir(folder);
  ck_assert_msg(inputs != NULL, "%s: no inputs", folder);
  uint64_t n = 0;
  for (struct dirent *entry; (entry = readdir(inputs));) {
    if (entry->d_name[0] != '.') run_input(target, entry->d_name, n++);
  }
  closedir(inputs);
  free(folder);
  ck_assert_uint_ge(n, 1);
}
END_TEST

int main(void) {
  int n = 0;
  while (fuzz_targets[n].name) n++;
  Suite *suite = suite_create("fuzz");
  TCase *tests = tcase_create("fuzz");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, readers_hold, 0, n);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
