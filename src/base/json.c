/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <pthread.h>
#include <string.h>

/* Jansson gives NULL for damage and for refused memory alike, and its reader drops a byte where its
 * buffer could not grow: a number or a name would become another one. So memory is watched while a
 * text is read. After one refusal all is refused until the reader gives up, because it goes on with
 * what it has, beyond the end of a string that lost its closing quote. */
static _Thread_local enum { NOT_WATCHED, WATCHED, REFUSED } memory;

/* As the program had chosen it before the first text. */
static json_malloc_t chosen;

static void *watched(size_t size) {
  void *got = memory == REFUSED ? NULL : chosen(size);
  if (!got && memory == WATCHED) memory = REFUSED;
  return got;
}

static void watch(void) {
  json_free_t release;
  json_get_alloc_funcs(&chosen, &release);
  json_set_alloc_funcs(watched, release);
}

json_t *nu_json_load(const char *text, size_t n, json_error_t *flaw) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch);
  memory = WATCHED;
  json_t *value = json_loadb(text, n, JSON_REJECT_DUPLICATES, flaw);
  bool refused = memory == REFUSED;
  memory = NOT_WATCHED;
  if (!refused) return value;
  json_decref(value);
  flaw->text[0] = '\0';
  return NULL;
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
