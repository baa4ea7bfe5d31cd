/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <inttypes.h>
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

const char *nu_text_line(const char **text, int *n) {
  const char *line = *text;
  if (*line == '\0') return NULL;
  *n = (int)strcspn(line, "\n");
  *text += *n + (line[*n] == '\n');
  return line;
}

void nu_text_clear(nu_text *text) {
  free(text->data);
  *text = (nu_text){0};
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

/* ---- others' text on a terminal */

bool nu_is_shown(uint32_t code) {
  static const struct {
    uint32_t first, last;
  } hidden[] = {{0x00, 0x1f},      {0x7f, 0x9f},     {0xad, 0xad},     {0x061c, 0x061c},
                {0x180e, 0x180e},  {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},
                {0x2060, 0x206f},  {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xfffe, 0xffff},
                {0xe0000, 0xe007f}};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
    if (code >= hidden[i].first && code <= hidden[i].last) return false;
  }
  return true;
}

/* The bytes of a character, 1 for one that is no part of any, and how it is shown: "\\U000e0001" at
 * the longest. */
static size_t show_one(const char *text, size_t n, char shown[11]) {
  char first[5] = {0};
  uint32_t code;
  memcpy(first, text, n < 4 ? n : 4);
  size_t bytes = nu_utf8_code(first, &code);
  if (bytes == 0) code = (unsigned char)*text;
  if (bytes > 0 && nu_is_shown(code)) snprintf(shown, 11, "%.*s", (int)bytes, first);
  else if (bytes <= 1) snprintf(shown, 11, "\\x%02" PRIx32, code);
  else snprintf(shown, 11, code <= 0xffff ? "\\u%04" PRIx32 : "\\U%08" PRIx32, code);
  return bytes > 0 ? bytes : 1;
}

size_t nu_show(char *out, size_t size, const char *text, size_t n) {
  char shown[11];
  size_t taken = 0, used = 0;
  while (taken < n) {
    size_t bytes = show_one(text + taken, n - taken, shown), length = strlen(shown);
    if (used + length >= size) break;
    memcpy(out + used, shown, length);
    used += length;
    taken += bytes;
  }
  out[used] = '\0';
  return taken;
}

/* Without the beginning of a character that vsnprintf cut. */
static size_t whole_characters(const char *text, size_t n) {
  size_t at = n;
  while (at > 0 && n - at < 3 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) at--;
  bool cut = at > 0 && followers((unsigned char)text[at - 1]) > (int)(n - at);
  return cut ? at - 1 : n;
}

void nu_show_vformat(char *out, size_t size, const char *format, va_list args) {
  char raw[NU_LINE];
  int n = vsnprintf(raw, sizeof raw, format, args);
  size_t length = n < 0 ? 0 : (size_t)n;
  if (length >= sizeof raw) length = whole_characters(raw, sizeof raw - 1);
  nu_show(out, size, raw, length);
}

void nu_show_format(char *out, size_t size, const char *format, ...) {
  va_list args;
  va_start(args, format);
  nu_show_vformat(out, size, format, args);
  va_end(args);
}

const char *nu_excerpt(const char *text, size_t length, char excerpt[NU_EXCERPT]) {
  static const char more[] = "...";
  if (nu_show(excerpt, NU_EXCERPT, text, length) == length) return excerpt;
  nu_show(excerpt, NU_EXCERPT - (sizeof more - 1), text, length);
  memcpy(excerpt + strlen(excerpt), more, sizeof more);
  return excerpt;
}

static void add_shown(nu_text *text, const char *string, bool lines) {
  char shown[11];
  size_t left = strlen(string);
  while (left > 0) {
    bool end = lines && *string == '\n';
    size_t bytes = show_one(string, left, shown);
    nu_text_add(text, end ? "\n" : shown);
    string += bytes;
    left -= bytes;
  }
}

void nu_text_add_shown(nu_text *text, const char *string) { add_shown(text, string, false); }

void nu_text_add_shown_lines(nu_text *text, const char *string) { add_shown(text, string, true); }
