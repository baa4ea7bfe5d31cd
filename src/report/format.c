/* SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "report/format.h"

#include <ctype.h>
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- numbers */

static const char *unknown(char buffer[NU_REAL_TEXT]) {
  memcpy(buffer, "-", 2);
  return buffer;
}

/* printf writes the locale's decimal point, which may be several bytes. */
static const char *with_point(char *buffer) {
  char *p = buffer;
  while (*p && (isdigit((unsigned char)*p) || *p == '-')) p++;
  if (!*p || *p == '.' || *p == 'e') return buffer;
  char *rest = p;
  while (*rest && !isdigit((unsigned char)*rest)) rest++;
  *p = '.';
  memmove(p + 1, rest, strlen(rest) + 1);
  return buffer;
}

static const char *with_unit(char buffer[NU_REAL_TEXT], const char *unit) {
  size_t n = strlen(buffer);
  snprintf(buffer + n, NU_REAL_TEXT - n, "%s", unit);
  return buffer;
}

static double magnitude(double value) { return value < 0 ? -value : value; }

const char *nu_format_fixed(double value, int decimals, char buffer[NU_REAL_TEXT]) {
  if (!isfinite(value)) return unknown(buffer);
  if (magnitude(value) < 1e15) snprintf(buffer, NU_REAL_TEXT, "%.*f", decimals, value);
  else snprintf(buffer, NU_REAL_TEXT, "%.3e", value);
  return with_point(buffer);
}

const char *nu_format_value(double value, char buffer[NU_REAL_TEXT]) {
  static const struct {
    double below;
    int decimals;
  } steps[] = {{0.1, 5}, {10, 4}, {100, 3}, {1000, 2}, {1e6, 1}};
  if (!isfinite(value)) return unknown(buffer);
  double size = magnitude(value);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0] && (size >= 1e-3 || size == 0); i++) {
    if (size < steps[i].below)
      return nu_format_fixed(value, size > 0 ? steps[i].decimals : 4, buffer);
  }
  snprintf(buffer, NU_REAL_TEXT, "%.3e", value);
  return with_point(buffer);
}

const char *nu_format_share(double share, int decimals, char buffer[NU_REAL_TEXT]) {
  if (!isfinite(share)) return unknown(buffer);
  double unit = 0.01;
  for (int i = 0; i < decimals; i++) unit *= 0.1;
  if (share < 1.0 && share > 1.0 - unit) share = 1.0 - unit;
  nu_format_fixed(100.0 * share, decimals, buffer);
  return with_unit(buffer, " %");
}

const char *nu_format_rate(double rate, char buffer[NU_REAL_TEXT]) {
  static const char *const units[] = {"", "k", "M", "G", "T"};
  if (!isfinite(rate) || rate < 0) return unknown(buffer);
  size_t unit = 0;
  for (; rate >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++) rate /= 1000.0;
  nu_format_fixed(rate, rate < 9.995 && unit ? 2 : rate < 99.95 ? 1 : 0, buffer);
  return with_unit(buffer, units[unit]);
}

/* Seconds as a whole number; none of these functions is asked for more than some years. */
static unsigned long whole(double seconds) {
  return seconds < 1e10 ? (unsigned long)(seconds + 0.5) : 10000000000UL;
}

const char *nu_format_clock(double seconds, char buffer[NU_REAL_TEXT]) {
  if (!isfinite(seconds) || seconds < 0) {
    memcpy(buffer, "--:--", 6);
    return buffer;
  }
  unsigned long s = whole(seconds), m = s / 60, h = m / 60;
  if (h >= 24) snprintf(buffer, NU_REAL_TEXT, "%lud %02lu:%02lu", h / 24, h % 24, m % 60);
  else if (h) snprintf(buffer, NU_REAL_TEXT, "%lu:%02lu:%02lu", h, m % 60, s % 60);
  else snprintf(buffer, NU_REAL_TEXT, "%lu:%02lu", m, s % 60);
  return buffer;
}

const char *nu_format_duration(double seconds, char buffer[NU_REAL_TEXT]) {
  if (!isfinite(seconds) || seconds < 0) return unknown(buffer);
  if (seconds < 59.95) {
    nu_format_fixed(seconds, seconds < 9.995 ? 2 : 1, buffer);
    return with_unit(buffer, " s");
  }
  unsigned long s = whole(seconds), m = s / 60, h = m / 60;
  if (h >= 24) snprintf(buffer, NU_REAL_TEXT, "%lu d %02lu h", h / 24, h % 24);
  else if (h) snprintf(buffer, NU_REAL_TEXT, "%lu h %02lu min", h, m % 60);
  else snprintf(buffer, NU_REAL_TEXT, "%lu min %02lu s", m, s % 60);
  return buffer;
}

/* ---- text */

static bool is_utf8(const char *codeset, size_t n) {
  return (n == 5 && strncasecmp(codeset, "utf-8", n) == 0) ||
         (n == 4 && strncasecmp(codeset, "utf8", n) == 0);
}

/* "de_DE.UTF-8@euro", "C.utf8". */
static bool names_utf8(const char *locale) {
  const char *dot = strchr(locale, '.');
  return dot && is_utf8(dot + 1, strcspn(dot + 1, "@"));
}

bool nu_utf8_wanted(void) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  const char *codeset = nl_langinfo(CODESET);
  if (is_utf8(codeset, strlen(codeset))) return true;
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
    const char *value = getenv(variables[i]);
    if (value && *value) return names_utf8(value);
  }
  return false;
}

uint32_t nu_utf8_next(const char **text) {
  uint32_t code = 0;
  if (!**text) return 0;
  size_t n = nu_utf8_code(*text, &code);
  *text += n ? n : 1;
  return n && nu_is_shown(code) ? code : 0xfffd;
}

void nu_utf8_add(nu_text *out, uint32_t code) {
  char bytes[4];
  size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n; i-- > 1; code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3f));
  bytes[0] = (char)(lead[n] | code);
  nu_text_append(out, bytes, n);
}

/* East Asian and emoji blocks take two columns, combining marks none: enough for class names. */
static size_t code_columns(uint32_t code) {
  static const struct {
    uint32_t first, last;
    size_t columns;
  } blocks[] = {{0x0300, 0x036f, 0}, {0x200b, 0x200f, 0},   {0xfe00, 0xfe0f, 0},
                {0x1100, 0x115f, 2}, {0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},
                {0xf900, 0xfaff, 2}, {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
                {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2}};
  for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
    if (code >= blocks[i].first && code <= blocks[i].last) return blocks[i].columns;
  }
  return 1;
}

size_t nu_text_columns(const char *text) {
  size_t columns = 0;
  for (uint32_t code; (code = nu_utf8_next(&text));) columns += code_columns(code);
  return columns;
}

void nu_text_repeat(nu_text *out, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) nu_text_add(out, text);
}

/* Append whole characters while they fit; the columns used. */
static size_t add_columns(nu_text *out, const char *text, size_t columns, bool utf8) {
  size_t used = 0;
  for (uint32_t code; (code = nu_utf8_next(&text));) {
    size_t width = code_columns(code);
    if (used + width > columns) break;
    nu_utf8_add(out, utf8 || code < 0x80 ? code : '?');
    if (!utf8 && width == 2) nu_text_add(out, "?");
    used += width;
  }
  return used;
}

void nu_text_fit(nu_text *out, const char *text, size_t columns, nu_align align, bool utf8) {
  size_t width = nu_text_columns(text);
  if (width <= columns) {
    if (align == NU_RIGHT) nu_text_repeat(out, " ", columns - width);
    add_columns(out, text, columns, utf8);
    if (align == NU_LEFT) nu_text_repeat(out, " ", columns - width);
    return;
  }
  const char *ellipsis = utf8 ? "…" : columns > 2 ? ".." : "";
  size_t room = columns - (columns ? nu_text_columns(ellipsis) : 0);
  size_t used = add_columns(out, text, room, utf8);
  if (columns) nu_text_add(out, ellipsis);
  nu_text_repeat(out, " ", room - used);
}
