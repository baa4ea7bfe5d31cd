/* Writing one JSON object, for --json. SPDX-License-Identifier: MIT
 *
 * Keys are NULL inside an array. Numbers that are not finite become null, as JSON has none. */
#ifndef NU_CLI_JSON_H
#define NU_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

typedef struct nu_json {
  nu_text text;
  bool follows; /* a value stands before: a comma is due */
} nu_json;

/* bracket: '{' or '[', and '}' or ']'. */
void nu_json_open(nu_json *json, const char *key, char bracket);
void nu_json_close(nu_json *json, char bracket);
void nu_json_string(nu_json *json, const char *key, const char *value); /* NULL: null */
void nu_json_real(nu_json *json, const char *key, double value);
void nu_json_count(nu_json *json, const char *key, uint64_t value);
void nu_json_flag(nu_json *json, const char *key, bool value);

#endif
