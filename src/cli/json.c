/* Writing one JSON object. SPDX-License-Identifier: MIT */
#include "cli/json.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "base/number.h"

static void add_quoted(nu_text *text, const char *value) {
  nu_text_add(text, "\"");
  for (const char *c = value; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\')
      nu_text_addf(text, "\\%c", *c);
    else if ((unsigned char)*c < 0x20)
      nu_text_addf(text, "\\u%04x", (unsigned)(unsigned char)*c);
    else
      nu_text_append(text, c, 1);
  }
  nu_text_add(text, "\"");
}

/* What stands before a value: the comma, and the key in an object. */
static void begin_value(nu_json *json, const char *key) {
  if (json->follows) nu_text_add(&json->text, ", ");
  json->follows = true;
  if (key == NULL) return;
  add_quoted(&json->text, key);
  nu_text_add(&json->text, ": ");
}

void nu_json_open(nu_json *json, const char *key, char bracket) {
  begin_value(json, key);
  nu_text_append(&json->text, &bracket, 1);
  json->follows = false;
}

void nu_json_close(nu_json *json, char bracket) {
  nu_text_append(&json->text, &bracket, 1);
  json->follows = true;
}

void nu_json_string(nu_json *json, const char *key, const char *value) {
  begin_value(json, key);
  if (value == NULL)
    nu_text_add(&json->text, "null");
  else
    add_quoted(&json->text, value);
}

void nu_json_real(nu_json *json, const char *key, double value) {
  char buffer[NU_REAL_TEXT];
  begin_value(json, key);
  nu_text_add(&json->text, isfinite(value) ? nu_format_real(value, buffer) : "null");
}

void nu_json_count(nu_json *json, const char *key, uint64_t value) {
  begin_value(json, key);
  nu_text_addf(&json->text, "%" PRIu64, value);
}

void nu_json_flag(nu_json *json, const char *key, bool value) {
  begin_value(json, key);
  nu_text_add(&json->text, value ? "true" : "false");
}
