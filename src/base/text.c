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

void nu_text_add(nu_text *text, const char *string) {
  nu_text_append(text, string, strlen(string));
}

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

/* From 1023.5 on a number would be shown as 1024. */
void nu_text_add_bytes(nu_text *text, size_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  const size_t last = sizeof units / sizeof *units - 1;
  double value = (double)bytes;
  size_t unit = 0;
  for (; value >= 1023.5 && unit < last; unit++) value /= 1024.0;
  bool whole = unit == 0 || value >= 99.95 || value == (double)(size_t)value;
  nu_text_addf(text, whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

const char *nu_text_view(const nu_text *text) { return text->data ? text->data : ""; }

void nu_text_clear(nu_text *text) {
  free(text->data);
  *text = (nu_text){0};
}

/* ---- excerpts */

const char *nu_excerpt(const char *text, size_t length, char excerpt[NU_EXCERPT]) {
  static const char more[] = "...";
  size_t n = length < NU_EXCERPT ? length : NU_EXCERPT - sizeof more;
  if (n < length) {
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) n--; /* no half of a character */
  }
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    excerpt[i] = c < 0x20 || c == 0x7f ? '?' : text[i];
  }
  memcpy(excerpt + n, n < length ? more : "", n < length ? sizeof more : 1);
  return excerpt;
}

/* ---- UTF-8 */

/* Bytes that follow the first byte of a sequence; -1 when it cannot start one. */
static int followers(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  if (first >= 0xf0 && first <= 0xf4) return 3;
  return -1;
}

size_t nu_utf8_code(const char *text, uint32_t *code) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  const unsigned char *p = (const unsigned char *)text;
  int n = followers(*p), i = 1;
  if (n < 0 || *p == 0) return 0;
  uint32_t c = n == 0 ? *p : *p & (0x3fu >> n);
  for (; i <= n && (p[i] & 0xc0) == 0x80; i++) c = c << 6 | (p[i] & 0x3fu);
  *code = c;
  bool whole = i == n + 1 && c >= least[n] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
  return whole ? (size_t)i : 0;
}

bool nu_is_utf8(const char *text) {
  uint32_t code;
  for (size_t n; *text; text += n) {
    n = nu_utf8_code(text, &code);
    if (n == 0) return false;
  }
  return true;
}
