/* Writing one JSON object with jansson, for --json. SPDX-License-Identifier: MIT
 *
 * Keys keep the order in which they are added, and are NULL inside an array. Numbers that are not
 * finite become null, as JSON has none. */
#ifndef NU_CLI_JSON_H
#define NU_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

#define NU_JSON_DEPTH 8

/* Start with {0}. The last nu_json_close writes the whole into `text` (the caller clears it). */
typedef struct nu_json {
  json_t *open[NU_JSON_DEPTH]; /* from the outermost object in; only the first is owned */
  size_t depth;
  nu_text text;
} nu_json;

/* bracket: '{' or '[', and '}' or ']'. */
void nu_json_open(nu_json *json, const char *key, char bracket);
void nu_json_close(nu_json *json, char bracket);
void nu_json_string(nu_json *json, const char *key, const char *value); /* NULL: null */
void nu_json_real(nu_json *json, const char *key, double value);
void nu_json_count(nu_json *json, const char *key, uint64_t value);
void nu_json_flag(nu_json *json, const char *key, bool value);

#endif
