/* SPDX-License-Identifier: MIT */
#include "cli/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

/* Into the innermost open object or array, where memory was refused for neither; takes the value.
 */
static bool add(nu_json *json, const char *key, json_t *value) {
  json_t *parent = json->open[json->depth - 1];
  int refused =
      key ? json_object_set_new(parent, key, value) : json_array_append_new(parent, value);
  if (refused != 0) json->text.failed = true;
  return refused == 0;
}

void nu_json_open(nu_json *json, const char *key, char bracket) {
  assert(json->depth < NU_JSON_DEPTH);
  json_t *value = bracket == '{' ? json_object() : json_array();
  if (json->depth > 0 && !add(json, key, value)) value = NULL;
  json->open[json->depth++] = value;
}

/* Outside its strings JSON is ASCII: what a terminal must not see stands in a string. */
static void add_unit(nu_text *out, uint32_t unit) { nu_text_addf(out, "\\u%04" PRIx32, unit); }

static void add_shown(nu_text *out, const char *text) {
  uint32_t code;
  for (size_t n; (n = nu_utf8_code(text, &code)) > 0; text += n) {
    if (nu_is_shown(code)) {
      nu_text_append(out, text, n);
    } else if (code <= 0xffff) {
      add_unit(out, code);
    } else {
      add_unit(out, 0xd800 + ((code - 0x10000) >> 10));
      add_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
    }
  }
}

void nu_json_close(nu_json *json, char bracket) {
  nu_text raw = {0};
  assert(json->depth > 0 && (bracket == '}' || bracket == ']'));
  (void)bracket;
  if (--json->depth > 0) return;
  if (!nu_json_dump(&raw, json->open[0], JSON_REAL_PRECISION(17))) json->text.failed = true;
  add_shown(&json->text, nu_text_view(&raw));
  nu_text_clear(&raw);
  json_decref(json->open[0]);
}

void nu_json_string(nu_json *json, const char *key, const char *value) {
  bool refused = false;
  json_t *text = value ? nu_json_text(value, &refused) : NULL;
  add(json, key, text || refused ? text : json_null());
}

void nu_json_real(nu_json *json, const char *key, double value) {
  add(json, key, isfinite(value) ? json_real(value) : json_null());
}

void nu_json_count(nu_json *json, const char *key, uint64_t value) {
  add(json, key, json_integer((json_int_t)value));
}

void nu_json_flag(nu_json *json, const char *key, bool value) {
  add(json, key, json_boolean(value));
}
