/* SPDX-License-Identifier: MIT */
#include "base/number.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The parts of a decimal number: value = mantissa * 10^exponent, exact when !truncated. */
typedef struct decimal {
  uint64_t mantissa;
  long exponent;
  bool negative, truncated;
} decimal;

/* Up to 19 digits fit a uint64_t; later ones only move the exponent. */
static void take_digit(decimal *d, char c, bool fraction) {
  if (d->mantissa < UINT64_C(1000000000000000000)) {
    d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
    d->exponent -= fraction;
  } else {
    d->truncated |= c != '0';
    d->exponent += !fraction;
  }
}

static bool scan_exponent(const char *p, const char *end, long *exponent) {
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end) return false;
  long value = 0;
  for (; p < end; p++) {
    if (!is_digit(*p)) return false;
    if (value < 100000) value = value * 10 + (*p - '0');
  }
  *exponent += negative ? -value : value;
  return true;
}

/* The grammar of nu_parse_real; false when the text is not of it. */
static bool scan(const char *text, size_t n, decimal *d) {
  const char *p = text, *end = text + n;
  *d = (decimal){0};
  if (p < end && (*p == '-' || *p == '+')) d->negative = *p++ == '-';
  size_t digits = 0;
  for (; p < end && is_digit(*p); p++, digits++) take_digit(d, *p, false);
  if (p < end && *p == '.') {
    for (p++; p < end && is_digit(*p); p++, digits++) take_digit(d, *p, true);
  }
  if (digits == 0) return false;
  if (p == end) return true;
  if (*p != 'e' && *p != 'E') return false;
  return scan_exponent(p + 1, end, &d->exponent);
}

/* The library's correctly rounded conversion, kept away from the caller's locale: the text is
 * rewritten as digits and exponent, so that no decimal point is left to be localised. */
static double convert_slowly(const char *text, size_t n) {
  char small[128], *copy = n + 24 <= sizeof small ? small : malloc(n + 24);
  if (!copy) return 0.0;
  size_t used = 0;
  long exponent = 0;
  bool fraction = false;
  size_t i = 0;
  for (; i < n && text[i] != 'e' && text[i] != 'E'; i++) {
    if (text[i] == '.') fraction = true;
    else {
      copy[used++] = text[i];
      exponent -= fraction && is_digit(text[i]);
    }
  }
  if (i < n) scan_exponent(text + i + 1, text + n, &exponent);
  snprintf(copy + used, 24, "e%ld", exponent);
  double value = strtod(copy, NULL);
  if (copy != small) free(copy);
  return value;
}

bool nu_parse_real(const char *text, size_t n, double *out) {
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  decimal d;
  if (!scan(text, n, &d)) return false;
  /* Exact operands give one correctly rounded operation (Clinger 1990, fast path). */
  if (!d.truncated && d.mantissa < (UINT64_C(1) << 53) && d.exponent >= -22 && d.exponent <= 22) {
    double m = (double)d.mantissa;
    double value = d.exponent < 0 ? m / ten[-d.exponent] : m * ten[d.exponent];
    *out = d.negative ? -value : value;
    return true;
  }
  double value = convert_slowly(text, n);
  if (!(value - value == 0.0)) return false;
  *out = value;
  return true;
}

bool nu_parse_count(const char *text, size_t n, uint64_t *out) {
  if (n == 0 || (n > 1 && text[0] == '0')) return false;
  uint64_t value = 0;
  for (size_t i = 0; i < n; i++) {
    if (!is_digit(text[i])) return false;
    if (__builtin_mul_overflow(value, UINT64_C(10), &value)) return false;
    if (__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value)) return false;
  }
  *out = value;
  return true;
}

/* Replace whatever the locale uses as decimal point (perhaps several bytes) by one '.'. */
static void put_point(char *buffer) {
  char *p = buffer;
  while (*p && (isalnum((unsigned char)*p) || *p == '-' || *p == '+')) p++;
  if (!*p || *p == '.') return;
  char *rest = p;
  while (*rest && !is_digit(*rest)) rest++;
  *p = '.';
  memmove(p + 1, rest, strlen(rest) + 1);
}

const char *nu_format_real(double value, char buffer[NU_REAL_TEXT]) {
  for (int digits = 15; digits <= 17; digits++) {
    double back;
    snprintf(buffer, NU_REAL_TEXT, "%.*g", digits, value);
    put_point(buffer);
    bool finite_text = nu_parse_real(buffer, strlen(buffer), &back); /* 15 digits may round to inf */
    if (value - value != 0.0 || (finite_text && back == value)) break;
  }
  return buffer;
}
