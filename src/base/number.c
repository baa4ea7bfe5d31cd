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

/* ---- reading the parts */

/* The digits, up to eight, that p[0..8) begins with: *value takes them behind its own. How many.
 * Lanes of 8, then 16, then 32 bits hold one, two, four digits each, the first digits in the lowest
 * lanes. */
static int take_eight(const char *p, uint64_t *value) {
  static const uint64_t ten[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
  uint64_t x = 0;
  for (int i = 0; i < 8; i++) x |= (uint64_t)(unsigned char)p[i] << 8 * i;
  x ^= UINT64_C(0x3030303030303030);
  /* now lanes of 0 to 9 are digits; others get their top bit set */
  uint64_t others = ((x + UINT64_C(0x7676767676767676)) | x) & UINT64_C(0x8080808080808080);
  int n = others ? __builtin_ctzll(others) / 8 : 8;
  if (n == 0) return 0;
  x <<= 64 - 8 * n; /* zeros before them make them eight */
  x = (x & UINT64_C(0x00FF00FF00FF00FF)) * 10 + (x >> 8 & UINT64_C(0x00FF00FF00FF00FF));
  x = (x & UINT64_C(0x0000FFFF0000FFFF)) * 100 + (x >> 16 & UINT64_C(0x0000FFFF0000FFFF));
  *value = *value * ten[n] + (x & UINT64_C(0xFFFFFFFF)) * 10000 + (x >> 32);
  return n;
}

/* Digits from p on; *value wraps around when they are more than 19. */
static const char *take_digits(const char *p, const char *end, uint64_t *value) {
  while (end - p >= 8) {
    int n = take_eight(p, value);
    p += n;
    if (n < 8) return p;
  }
  for (; p < end && is_digit(*p); p++) *value = *value * 10 + (uint64_t)(*p - '0');
  return p;
}

/* The mantissa again, of text[0..n) with more than 19 digits: those that fit a uint64_t are kept,
 * later ones only move the exponent. */
static void take_long_mantissa(const char *text, const char *end, decimal *d) {
  bool fraction = false;
  d->mantissa = 0;
  d->exponent = 0;
  for (const char *p = text; p < end; p++) {
    if (*p == '.') fraction = true;
    else if (d->mantissa < UINT64_C(1000000000000000000)) {
      d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
      d->exponent -= fraction;
    } else {
      d->truncated |= *p != '0';
      d->exponent += !fraction;
    }
  }
}

/* Behind an exponent that begins with p, which is added to *exponent; NULL when there is none. */
static const char *scan_exponent(const char *p, const char *end, long *exponent) {
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end || !is_digit(*p)) return NULL;
  long value = 0;
  for (; p < end && is_digit(*p); p++) {
    if (value < 100000) value = value * 10 + (*p - '0');
  }
  *exponent += negative ? -value : value;
  return p;
}

/* Behind the longest number of the grammar of nu_parse_real that begins with p; NULL: there is
 * none. */
static const char *scan(const char *p, const char *end, decimal *d) {
  *d = (decimal){0};
  if (p < end && (*p == '-' || *p == '+')) d->negative = *p++ == '-';
  const char *begin = p;
  for (; p < end && is_digit(*p); p++) d->mantissa = d->mantissa * 10 + (uint64_t)(*p - '0');
  ptrdiff_t digits = p - begin;
  if (p < end && *p == '.') {
    const char *point = p++;
    p = take_digits(p, end, &d->mantissa);
    d->exponent = point + 1 - p;
    digits -= d->exponent;
  }
  if (digits == 0) return NULL;
  if (digits > 19) take_long_mantissa(begin, p, d);
  if (p == end || (*p != 'e' && *p != 'E')) return p;
  return scan_exponent(p + 1, end, &d->exponent);
}

/* ---- conversion */

/* A number half way between two doubles has at most 768 digits: of what stands after these only
 * matters whether it is 0. */
#define MOST_DIGITS 800

/* The library's correctly rounded conversion, kept away from the caller's locale: the text is
 * rewritten as digits and exponent, so that no decimal point is left to be localised. */
static double convert_slowly(const char *text, size_t n) {
  char copy[MOST_DIGITS + 32];
  size_t used = 0, i = text[0] == '-' || text[0] == '+';
  long exponent = 0;
  bool fraction = false, more = false;
  for (; i < n && text[i] != 'e' && text[i] != 'E'; i++) {
    if (text[i] == '.') {
      fraction = true;
      continue;
    }
    bool leading = used == 0 && text[i] == '0', kept = !leading && used < MOST_DIGITS;
    if (kept) copy[used++] = text[i];
    else more |= text[i] != '0';
    if (kept || leading) exponent -= fraction;
    else exponent += !fraction;
  }
  if (i < n) scan_exponent(text + i + 1, text + n, &exponent);
  snprintf(copy + used, 32, "%se%ld", more ? "1" : used == 0 ? "0" : "", exponent - more);
  double value = strtod(copy, NULL);
  return text[0] == '-' ? -value : value;
}

__extension__ typedef unsigned __int128 uint128;

/* 2^exponent, of a normal double. */
static double power_of_two(int exponent) {
  uint64_t bits = (uint64_t)(1023 + exponent) << 52;
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* mantissa * 10^exponent for |exponent| <= FIVES, mantissa > 0. An integer of up to 64 bits whose
 * last bit stands for all that is cut off converts with one correct rounding; the power of two is
 * exact. */
#define FIVES 27
static double convert_by_integers(uint64_t mantissa, int exponent) {
  static const uint64_t five[FIVES + 1] = {1u,
                                           5u,
                                           25u,
                                           125u,
                                           625u,
                                           3125u,
                                           15625u,
                                           78125u,
                                           390625u,
                                           1953125u,
                                           9765625u,
                                           48828125u,
                                           244140625u,
                                           1220703125u,
                                           6103515625u,
                                           30517578125u,
                                           152587890625u,
                                           762939453125u,
                                           3814697265625u,
                                           19073486328125u,
                                           95367431640625u,
                                           476837158203125u,
                                           2384185791015625u,
                                           11920928955078125u,
                                           59604644775390625u,
                                           298023223876953125u,
                                           1490116119384765625u,
                                           7450580596923828125u};
  if (exponent >= 0) {
    uint128 product = (uint128)mantissa * five[exponent];
    uint64_t high = (uint64_t)(product >> 64);
    if (high == 0) return (double)(uint64_t)product * power_of_two(exponent);
    int cut = 64 - __builtin_clzll(high);
    uint64_t rest = (uint64_t)product << (64 - cut);
    return (double)((uint64_t)(product >> cut) | (rest != 0)) * power_of_two(exponent + cut);
  }
  int up = __builtin_clzll(mantissa), up5 = __builtin_clzll(five[-exponent]);
  uint128 dividend = (uint128)(mantissa << up) << 63;
  uint64_t divisor = five[-exponent] << up5;
  uint64_t quotient = (uint64_t)(dividend / divisor); /* of 63 or 64 bits */
  bool rest = (uint128)quotient * divisor != dividend;
  return (double)(quotient | rest) * power_of_two(up5 - up - 63 + exponent);
}

/* False when it is for convert_slowly. */
static bool convert_fast(const decimal *d, double *out) {
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  long e = d->exponent;
  /* Exact operands give one correctly rounded operation (Clinger 1990, fast path). */
  if (d->mantissa < (UINT64_C(1) << 53) && e >= -22 && e <= 22) {
    double m = (double)d->mantissa;
    *out = e < 0 ? m / ten[-e] : m * ten[e];
    return true;
  }
  if (d->mantissa == 0) {
    *out = 0.0;
    return true;
  }
  if (e < -FIVES || e > FIVES) return false;
  *out = convert_by_integers(d->mantissa, (int)e);
  /* the digits cut off lie between these two, and so does the answer */
  return !d->truncated || convert_by_integers(d->mantissa + 1, (int)e) == *out;
}

const char *nu_scan_real(const char *text, const char *end, double *out) {
  decimal d;
  double value;
  const char *behind = scan(text, end, &d);
  if (!behind) return NULL;
  if (convert_fast(&d, &value)) {
    *out = d.negative ? -value : value;
    return behind;
  }
  value = convert_slowly(text, (size_t)(behind - text));
  if (!(value - value == 0.0)) return NULL;
  *out = value;
  return behind;
}

bool nu_parse_real(const char *text, size_t n, double *out) {
  double value;
  if (nu_scan_real(text, text + n, &value) != text + n) return false;
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
    bool finite_text =
        nu_parse_real(buffer, strlen(buffer), &back); /* 15 digits may round to inf */
    if (value - value != 0.0 || (finite_text && back == value)) break;
  }
  return buffer;
}
