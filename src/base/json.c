/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

/* Jansson gives NULL for damage and for refused memory alike, and its reader drops a byte where its
 * buffer cannot grow: a name would become another one, and a number ends the process by an assert.
 * So memory is watched while a text is read. After one refusal, the buffer's growth comes from a
 * reserve and all else is refused, so that the reader gives up. */
typedef struct reserve {
  char *begin;
  size_t size, used;
  bool refused;
} reserve;

static _Thread_local reserve *watching;

/* As the program had chosen them before the first text. */
static json_malloc_t chosen_malloc;
static json_free_t chosen_free;

/* The buffer doubles from 16 bytes on. */
static bool is_growth(size_t size) { return size >= 32 && (size & (size - 1)) == 0; }

static void *watched_malloc(size_t size) {
  reserve *r = watching;
  void *got = r && r->refused ? NULL : chosen_malloc(size);
  if (got || !r) return got;
  r->refused = true;
  if (!is_growth(size) || size > r->size - r->used) return NULL;
  r->used += size;
  return r->begin + r->used - size;
}

static void watched_free(void *memory) {
  const reserve *r = watching;
  if (r && (uintptr_t)memory - (uintptr_t)r->begin < r->size) return;
  chosen_free(memory);
}

static void watch(void) {
  json_get_alloc_funcs(&chosen_malloc, &chosen_free);
  json_set_alloc_funcs(watched_malloc, watched_free);
}

json_t *nu_json_load(const char *text, size_t n, json_error_t *flaw) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch);
  /* All growth of a buffer for n bytes together, and some for what only looks like it. */
  reserve r = {.size = n <= SIZE_MAX / 8 ? 4 * n + 8192 : SIZE_MAX};
  r.begin = chosen_malloc(r.size);
  r.refused = !r.begin;
  watching = r.begin ? &r : NULL;
  json_t *value = r.begin ? json_loadb(text, n, JSON_REJECT_DUPLICATES, flaw) : NULL;
  if (r.refused) {
    json_decref(value);
    value = NULL;
    *flaw = (json_error_t){0};
  }
  watching = NULL;
  chosen_free(r.begin);
  return value;
}

static int append(const char *bytes, size_t n, void *text) {
  nu_text_append(text, bytes, n);
  return ((nu_text *)text)->failed ? -1 : 0;
}

/* Into a nu_text because it remembers a refusal: json_dumps of jansson 2.14 passes over some of its
 * own and returns a text with a piece missing. */
bool nu_json_dump(nu_text *out, const json_t *value, size_t flags) {
  if (!value || json_dump_callback(value, append, out, flags) != 0) out->failed = true;
  return !out->failed;
}

json_t *nu_json_text(const char *string, bool *refused) {
  json_t *value = json_string(string);
  *refused = !value && nu_is_utf8(string);
  return value;
}
