/* Jansson, with refused memory told from damage. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_JSON_H
#define NU_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* The one value of a text, without duplicate keys. NULL: *flaw has place and reason; its text is ""
 * where memory was refused. */
json_t *nu_json_load(const char *text, size_t n, json_error_t *flaw);

/* Append a value (NULL fails) as json_dumps writes it with these flags; false: memory was refused,
 * and the text remembers it. */
bool nu_json_dump(nu_text *out, const json_t *value, size_t flags);

/* A new string. NULL: it is not UTF-8, or memory was refused, which *refused tells. */
json_t *nu_json_text(const char *string, bool *refused);

#endif
