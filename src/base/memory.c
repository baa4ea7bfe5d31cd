/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

bool nu_size_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
bool nu_size_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

void *nu_alloc(size_t count, size_t size) {
  size_t bytes;
  if (!nu_size_mul(count, size, &bytes) || !nu_size_add(bytes, 64, &bytes)) return NULL;
  bytes = bytes / 64 * 64;
  void *memory = aligned_alloc(64, bytes ? bytes : 64);
  if (memory) memset(memory, 0, bytes);
  return memory;
}

bool nu_grow(void *array, size_t *capacity, size_t need, size_t size) {
  if (need <= *capacity) return true;
  size_t target = *capacity ? *capacity : 16;
  while (target < need) {
    if (!nu_size_mul(target, 2, &target)) return false;
  }
  size_t bytes;
  if (!nu_size_mul(target, size, &bytes)) return false;
  void *old;
  memcpy(&old, array, sizeof old);
  void *grown = realloc(old, bytes);
  if (!grown) return false;
  memcpy(array, &grown, sizeof grown);
  *capacity = target;
  return true;
}

char *nu_copy_text(const char *text, size_t n) {
  char *copy = malloc(n + 1);
  if (!copy) return NULL;
  if (n) memcpy(copy, text, n);
  copy[n] = '\0';
  return copy;
}
