/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Room for n more bytes and a NUL. */
static bool reserve(nu_text *text, size_t n) {
  size_t need;
  if (!nu_size_add(text->length, n, &need) || !nu_size_add(need, 1, &need) ||
      !nu_grow(&text->data, &text->capacity, need, 1)) {
    text->failed = true;
  }
  return !text->failed;
}

void nu_text_append(nu_text *text, const char *bytes, size_t n) {
  if (text->failed || !reserve(text, n)) return;
  if (n) memcpy(text->data + text->length, bytes, n);
  text->length += n;
  text->data[text->length] = '\0';
}

void nu_text_add(nu_text *text, const char *string) { nu_text_append(text, string, strlen(string)); }

void nu_text_addf(nu_text *text, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) text->failed = true;
  if (!text->failed && reserve(text, (size_t)n)) {
    vsnprintf(text->data + text->length, (size_t)n + 1, format, again);
    text->length += (size_t)n;
  }
  va_end(again);
}

const char *nu_text_view(const nu_text *text) { return text->data ? text->data : ""; }

void nu_text_clear(nu_text *text) {
  free(text->data);
  *text = (nu_text){0};
}
