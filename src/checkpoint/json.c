/* JSON from a file that may be damaged or hostile. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/json.h"
#include "checkpoint/safetensors.h"

/* Header, tensor, shape: three levels are all that is ever needed. */
#define DEPTH_LIMIT 4
/* A value in memory takes some hundred bytes: this bounds what a small hostile text can ask for,
 * and leaves room for the names of a million columns. */
#define VALUES_LIMIT 4194304u

typedef struct scan {
  size_t depth, values;
  bool quoted, escaped;
} scan;

/* One byte of the text: NULL, or what is wrong at it. */
static const char *scan_byte(scan *at, char c) {
  if (at->quoted) {
    at->quoted = at->escaped || c != '"';
    at->escaped = !at->escaped && c == '\\';
    return NULL;
  }
  if (c == '"') at->quoted = true;
  if (c == '-') return "a negative number";
  if (c == '{' || c == '[') at->depth++;
  if ((c == '}' || c == ']') && at->depth > 0) at->depth--;
  if (c == ',' || c == '{' || c == '[') at->values++;
  if (at->depth > DEPTH_LIMIT) return "nested deeper than 4 levels";
  return at->values > VALUES_LIMIT ? "more than 4194304 values" : NULL;
}

json_t *nu_json_parse(const char *text, size_t n, size_t *offset, char reason[160]) {
  scan at = {0};
  for (size_t i = 0; i < n; i++) {
    const char *wrong = scan_byte(&at, text[i]);
    if (!wrong) continue;
    *offset = i;
    snprintf(reason, 160, "%s", wrong);
    return NULL;
  }
  json_error_t error;
  json_t *value = nu_json_load(text, n, &error);
  if (value) return value;
  *offset = error.position > 0 ? (size_t)error.position : 0;
  nu_show_format(reason, 160, "%s", error.text);
  return NULL;
}
