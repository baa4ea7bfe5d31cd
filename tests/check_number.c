/* Numbers as text in both directions, and the real functions, against libc and libm.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/random.h"
#include "base/real.h"
#include "comma.h"

static uint64_t bits_of(double x) {
  uint64_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static double of_bits(uint64_t u) {
  double x;
  memcpy(&x, &u, sizeof x);
  return x;
}

static nu_stream stream_of(uint32_t counter) {
  return (nu_stream){.seed = 2024, .purpose = NU_PURPOSE_GENERATE, .counter = counter};
}

/* ---- text to number */

static void check_refused(const char *text) {
  double value = 7.0;
  ck_assert_msg(!nu_parse_real(text, strlen(text), &value), "'%s' was taken as %g", text, value);
  ck_assert_msg(value == 7.0, "'%s' was refused, but the output was written", text);
}

/* strtod is the reference: glibc's is correctly rounded. Texts are of our own grammar here. */
static void check_parsed(const char *text) {
  double found, wanted = strtod(text, NULL);
  if (isinf(wanted)) {
    check_refused(text);
    return;
  }
  ck_assert_msg(nu_parse_real(text, strlen(text), &found), "'%s' was refused", text);
  ck_assert_msg(bits_of(found) == bits_of(wanted), "'%s': %a, expected %a", text, found, wanted);
}

START_TEST(reals_outside_the_grammar_are_refused) {
  static const char *const texts[] = {"",         " ",      "+",
                                      "-",        ".",      "e5",
                                      "1e",       "1e+",    "1e-",
                                      "--1",      "+-1",    "1 ",
                                      " 1",       "1,5",    "1.5.2",
                                      "1e5.0",    "0x10",   "0x1p3",
                                      "nan",      "inf",    "-inf",
                                      "NaN",      "1_000",  "1'000",
                                      "1e400",    "-1e400", "1e99999",
                                      "1.5abc",   "1f",     "1e5e5",
                                      "infinity", "\t1",    "1\n",
                                      ".e1",      "1d5",    "+.",
                                      "-.e3",     "١",      "1e999999999999999999999"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check_refused(texts[i]);
  double value;
  ck_assert(!nu_parse_real("1\0", 2, &value)); /* the NUL is part of the token */
  ck_assert(nu_parse_real("12345", 3, &value) && value == 123.0);
}
END_TEST

START_TEST(reals_are_correctly_rounded_at_the_edges) {
  static const char *const texts[] = {"0",
                                      "-0",
                                      "+0.0",
                                      ".5",
                                      "5.",
                                      "-.5e-3",
                                      "1e22",
                                      "1e23",
                                      "9007199254740993",
                                      "9007199254740991",
                                      "9007199254740992.5",
                                      "0.1",
                                      "0.30000000000000004",
                                      "1.7976931348623157e308",
                                      "1.7976931348623158e308",
                                      "1.7976931348623159e308",
                                      "2.2250738585072014e-308",
                                      "2.2250738585072011e-308",
                                      "4.9406564584124654e-324",
                                      "2.4703282292062327e-324",
                                      "2.4703282292062328e-324",
                                      "1e-400",
                                      "-1e-400",
                                      "123456789012345678901234567890",
                                      "0.000000000000000000000000000000000000000000123",
                                      "1E5",
                                      "1e+05",
                                      "00012",
                                      "1e-0",
                                      "0e99999",
                                      "8.5e-22",
                                      "1e0000000000000000000005",
                                      "179769313486231580793728971405301e276"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check_parsed(texts[i]);
}
END_TEST

START_TEST(any_double_in_any_form_reads_back_as_strtod_reads_it) {
  char text[1200];
  for (uint64_t i = 0; i < 60000; i++) {
    nu_stream s = stream_of(1);
    double x = of_bits((uint64_t)nu_random_bits(s, 4 * i) << 32 | nu_random_bits(s, 4 * i + 1));
    if (!isfinite(x)) continue;
    int digits = (int)(nu_random_bits(s, 4 * i + 2) % 24);
    snprintf(text, sizeof text, i % 3 == 0 ? "%.*g" : "%.*e", digits, x);
    check_parsed(text);
    snprintf(text, sizeof text, "%.*f", digits, 8.0 * nu_random_normal(s, i));
    check_parsed(text);
  }
}
END_TEST

START_TEST(long_texts_and_exact_midpoints_are_correctly_rounded) {
  char text[1200];
  for (uint64_t i = 0; i < 4000; i++) {
    nu_stream s = stream_of(2);
    double x = fabs(nu_random_normal(s, i)) * pow(10.0, (double)(nu_random_bits(s, i) % 60) - 30.0);
    /* the exact midpoint of two doubles, then one digit above it and one below */
    long double middle = ((long double)x + nextafter(x, INFINITY)) / 2;
    int n = snprintf(text, sizeof text, "%.*Le", 120, middle);
    check_parsed(text);
    char *exponent = strchr(text, 'e');
    ck_assert_ptr_nonnull(exponent);
    exponent[-1] = '1';
    check_parsed(text);
    ck_assert_int_lt(n, 1000);
  }
}
END_TEST

/* Digits as files have them, around what one operation, integers of 128 bits, or neither can
 * convert. */
START_TEST(digits_and_exponents_of_any_number_are_correctly_rounded) {
  char text[128];
  for (uint64_t i = 0; i < 300000; i++) {
    nu_stream s = stream_of(7);
    uint64_t digits = (uint64_t)nu_random_bits(s, 4 * i) << 32 | nu_random_bits(s, 4 * i + 1);
    uint32_t draw = nu_random_bits(s, 4 * i + 2);
    int n = snprintf(text, sizeof text, "%.*s%" PRIu64, (int)(draw % 3), "-0",
                     digits >> (draw / 4 % 60));
    if (draw / 256 % 4 == 0)
      n += snprintf(text + n, sizeof text - (size_t)n, "%05d", (int)(draw >> 16));
    if (draw / 1024 % 2)
      n += snprintf(text + n, sizeof text - (size_t)n, ".%03d", (int)(draw >> 23));
    snprintf(text + n, sizeof text - (size_t)n, "e%d",
             (int)(nu_random_bits(s, 4 * i + 3) % 80) - 45);
    check_parsed(text);
  }
}
END_TEST

/* (2q + 1) / 2 for a q of 53 bits lies in the middle of two doubles, and so do its products with 5
 * and its quotients by 2: all have few enough digits for integers. One unit more and less must not.
 */
START_TEST(midpoints_of_few_digits_are_correctly_rounded) {
  char text[128];
  for (uint64_t i = 0; i < 40000; i++) {
    nu_stream s = stream_of(8);
    uint64_t q = UINT64_C(1) << 53 | (uint64_t)nu_random_bits(s, 2 * i) << 20 |
                 nu_random_bits(s, 2 * i + 1) >> 12;
    uint64_t odd = (q | 1) * (i % 3 ? 1 : 125);
    for (uint64_t digits = odd - 1; digits <= odd + 1; digits++) {
      snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, (int)(i % 23) - 3);
      check_parsed(text);
      snprintf(text, sizeof text, "%" PRIu64 "000000000000000000000001", digits);
      check_parsed(text);
      snprintf(text, sizeof text, "%.1Lf", (long double)digits / 2);
      check_parsed(text);
    }
  }
}
END_TEST

START_TEST(a_number_ends_where_its_grammar_ends) {
  static const struct {
    const char *text;
    int n; /* bytes of the number; -1: there is none */
    double value;
  } rows[] = {{"1,2", 1, 1.0},   {"-1.5e3;", 6, -1500.0},
              {"1.5.2", 3, 1.5}, {"12345678901,", 11, 12345678901.0},
              {"1e5e5", 3, 1e5}, {"7 ", 1, 7.0},
              {"1e", -1, 0.0},   {"0.123456789\n", 11, 0.123456789},
              {",1", -1, 0.0},   {"1e999,", -1, 0.0},
              {"3.", 2, 3.0},    {"99999999/", 8, 99999999.0},
              {"1:2", 1, 1.0},   {"0x10", 1, 0.0},
              {".", -1, 0.0},    {"1e+", -1, 0.0}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    double value = 0.0;
    const char *text = rows[i].text, *behind = nu_scan_real(text, text + strlen(text), &value);
    ck_assert_msg(rows[i].n < 0 ? !behind : behind == text + rows[i].n, "'%s'", text);
    ck_assert_msg(value == rows[i].value, "'%s': %g", text, value);
  }
}
END_TEST

/* More digits than any buffer has: the last ones decide where a number lies half way between two. */
START_TEST(numbers_of_thousands_of_digits_are_correctly_rounded) {
  enum { MOST = 5000 };
  static const struct {
    const char *begin, *end;
    char fill;
  } rows[] = {{"9007199254740993.", "1", '0'},
              {"9007199254740993.", "0", '0'},
              {"-9007199254740993", "1e-4000", '0'},
              {"0.", "123456789012345678901", '0'},
              {"0", "12345678901234567890123", '0'},
              {"1.", "5", '3'},
              {"-7", "e-3000", '7'},
              {"+1", ".25", '9'}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    for (int fill = 60; fill < MOST - 64; fill = 2 * fill - 7) {
      char text[MOST], middle[MOST];
      memset(middle, rows[i].fill, (size_t)fill);
      int n = snprintf(text, sizeof text, "%s%.*s%s", rows[i].begin, fill, middle, rows[i].end);
      double value, wanted = strtod(text, NULL);
      bool read = nu_parse_real(text, (size_t)n, &value);
      ck_assert_msg(read == (isfinite(wanted) != 0), "row %zu, %d digits", i, fill);
      if (read) ck_assert_msg(value == wanted, "row %zu, %d digits: %a", i, fill, value);
    }
  }
}
END_TEST

START_TEST(counts_are_plain_digits_that_fit) {
  static const char *const bad[] = {"",
                                    "-1",
                                    "+1",
                                    "007",
                                    "1.0",
                                    "1e3",
                                    " 1",
                                    "1 ",
                                    "0x1",
                                    "a",
                                    "18446744073709551616",
                                    "99999999999999999999999"};
  uint64_t value = 7;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ck_assert_msg(!nu_parse_count(bad[i], strlen(bad[i]), &value), "'%s' was taken", bad[i]);
  }
  ck_assert(nu_parse_count("0", 1, &value) && value == 0);
  ck_assert(nu_parse_count("18446744073709551615", 20, &value) && value == UINT64_MAX);
  ck_assert(nu_parse_count("123456", 3, &value) && value == 123);
}
END_TEST

/* ---- number to text */

static void check_round_trip(double x) {
  char buffer[NU_REAL_TEXT], shorter[NU_REAL_TEXT];
  double back;
  const char *text = nu_format_real(x, buffer);
  ck_assert_ptr_eq(text, buffer);
  ck_assert_msg(nu_parse_real(text, strlen(text), &back), "'%s' is no number", text);
  ck_assert_msg(bits_of(back) == bits_of(x), "%a was written as '%s'", x, text);
  for (int digits = 15; digits < 17; digits++) {
    snprintf(shorter, sizeof shorter, "%.*g", digits, x);
    if (strtod(shorter, NULL) == x) {
      ck_assert_uint_le(strlen(text), strlen(shorter));
      return;
    }
  }
}

START_TEST(written_reals_read_back_and_are_short) {
  static const double values[] = {
      0.0,     -0.0,      1.0,  0.1,  1.0 / 3.0,     DBL_MAX, -DBL_MAX,
      DBL_MIN, 0x1p-1074, 1e22, 1e23, 123456789.125, 5e-324,  0.30000000000000004};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) check_round_trip(values[i]);
  for (uint64_t i = 0; i < 20000; i++) {
    nu_stream s = stream_of(3);
    double x = of_bits((uint64_t)nu_random_bits(s, 2 * i) << 32 | nu_random_bits(s, 2 * i + 1));
    if (isfinite(x)) check_round_trip(x);
  }
  char buffer[NU_REAL_TEXT];
  ck_assert_str_eq(nu_format_real(0.1, buffer), "0.1");
  ck_assert_str_eq(nu_format_real((double)NAN, buffer), "nan");
  ck_assert_str_eq(nu_format_real((double)INFINITY, buffer), "inf");
  ck_assert_str_eq(nu_format_real(-(double)INFINITY, buffer), "-inf");
}
END_TEST

START_TEST(the_locale_changes_nothing) {
  char buffer[NU_REAL_TEXT];
  double value;
  if (!choose_comma(NULL)) return;
  ck_assert(nu_parse_real("1.5", 3, &value) && value == 1.5);
  ck_assert(nu_parse_real("123456789012345678901.5e-3", 26, &value) &&
            value == 123456789012345678.9015);
  ck_assert(!nu_parse_real("1,5", 3, &value));
  ck_assert_str_eq(nu_format_real(0.5, buffer), "0.5");
  ck_assert_str_eq(nu_format_real(-1.25e-7, buffer), "-1.25e-07");
  ck_assert_str_eq(nu_format_real(1.0 / 3.0, buffer), "0.3333333333333333");
}
END_TEST

/* ---- real functions against long double */

static double ulp(double x) {
  double magnitude = fabs(x) < DBL_MIN ? DBL_MIN : fabs(x);
  return nextafter(magnitude, INFINITY) - magnitude;
}

START_TEST(logarithm_is_within_4_ulp) {
  nu_stream s = stream_of(4);
  for (uint64_t i = 0; i < 200000; i++) {
    uint64_t exponent =
        i % 4 ? 1023 + nu_random_bits(s, 3 * i) % 5 - 2 : 1 + nu_random_bits(s, 3 * i) % 2046;
    uint64_t mantissa =
        (uint64_t)nu_random_bits(s, 3 * i + 1) << 20 | nu_random_bits(s, 3 * i + 2) >> 12;
    double x = of_bits(exponent << 52 | mantissa);
    long double wanted = logl((long double)x);
    double error = fabs((double)((long double)nu_real_log(x) - wanted));
    ck_assert_msg(error <= 4.0 * ulp((double)wanted), "log(%a) is off by %g ulp", x,
                  error / ulp((double)wanted));
  }
  ck_assert(nu_real_log(1.0) == 0.0);
  ck_assert_double_eq_tol(nu_real_log(DBL_MIN), log(DBL_MIN), 1e-12);
}
END_TEST

START_TEST(exponential_is_within_4_ulp) {
  for (uint64_t i = 0; i < 200000; i++) {
    double x = (nu_random_uniform(stream_of(5), i) - 0.5) * (i % 2 ? 1400.0 : 2.0);
    long double wanted = expl((long double)x);
    double error = fabs((double)((long double)nu_real_exp(x) - wanted));
    ck_assert_msg(error <= 4.0 * ulp((double)wanted), "exp(%a) is off by %g ulp", x,
                  error / ulp((double)wanted));
  }
  ck_assert(nu_real_exp(0.0) == 1.0);
  ck_assert(nu_real_exp(700.0) < (double)INFINITY && nu_real_exp(-700.0) > 0.0);
}
END_TEST

START_TEST(near_one_and_zero_nothing_cancels) {
  for (uint64_t i = 0; i < 100000; i++) {
    double u = nu_random_uniform(stream_of(7), i), x = i % 2 ? u : ldexp(u, -(int)(i % 900));
    double y = i % 2 ? -700.0 * u * u * u : -x;
    double log_error = fabs((double)((long double)nu_real_log1p(x) - log1pl(x)));
    double exp_error = fabs((double)((long double)nu_real_expm1(y) - expm1l(y)));
    ck_assert_msg(log_error <= 8.0 * ulp(log1p(x)), "log1p(%a) is off by %g", x, log_error);
    ck_assert_msg(exp_error <= 8.0 * ulp(expm1(y)), "expm1(%a) is off by %g", y, exp_error);
  }
}
END_TEST

START_TEST(complement_of_the_error_function_is_within_its_bound) {
  for (uint64_t i = 0; i < 100000; i++) {
    double x = (nu_random_uniform(stream_of(8), i) - 0.1) * (i % 2 ? 28.0 : 4.0);
    long double wanted = x < 26.0 ? erfcl((long double)x) : 0.0L;
    double error = fabs((double)((long double)nu_real_erfc(x) - wanted));
    ck_assert_msg(error <= 0x1p-46 * (double)wanted, "erfc(%a) is off by %g of it", x,
                  error / (double)wanted);
  }
  ck_assert(nu_real_erfc(0.0) == 1.0 && nu_real_erfc(-(double)INFINITY) == 2.0);
  ck_assert(isnan(nu_real_erfc((double)NAN)));
}
END_TEST

START_TEST(cosine_of_pi_is_within_its_bound) {
  const long double pi = 3.14159265358979323846264338327950288L;
  for (uint64_t i = 0; i < 200000; i++) {
    double x = (nu_random_uniform(stream_of(6), i) - 0.5) * (i % 3 ? 4.0 : 1e6);
    long double reduced = remainderl((long double)x, 2.0L);
    double error = fabs((double)((long double)nu_real_cospi(x) - cosl(pi * reduced)));
    ck_assert_msg(error <= 0x1p-51, "cos(pi %a) is off by %g", x, error);
  }
  ck_assert(nu_real_cospi(0.0) == 1.0 && nu_real_cospi(1.0) == -1.0 && nu_real_cospi(0.5) == 0.0);
}
END_TEST

START_TEST(power_multiplies) {
  ck_assert(nu_real_power(0.9, 0) == 1.0);
  ck_assert(nu_real_power(3.0, 20) == 3486784401.0);
  ck_assert(nu_real_power(2.0, 1023) == 0x1p1023);
  for (uint64_t n = 1; n < 2000; n += 7) {
    double wanted = pow(0.999, (double)n);
    ck_assert_double_le(fabs(nu_real_power(0.999, n) - wanted), (double)n * DBL_EPSILON * wanted);
  }
}
END_TEST

int main(void) {
  const TTest *const tests[] = {reals_outside_the_grammar_are_refused,
                                reals_are_correctly_rounded_at_the_edges,
                                any_double_in_any_form_reads_back_as_strtod_reads_it,
                                long_texts_and_exact_midpoints_are_correctly_rounded,
                                digits_and_exponents_of_any_number_are_correctly_rounded,
                                midpoints_of_few_digits_are_correctly_rounded,
                                numbers_of_thousands_of_digits_are_correctly_rounded,
                                a_number_ends_where_its_grammar_ends,
                                counts_are_plain_digits_that_fit,
                                written_reals_read_back_and_are_short,
                                the_locale_changes_nothing,
                                logarithm_is_within_4_ulp,
                                exponential_is_within_4_ulp,
                                near_one_and_zero_nothing_cancels,
                                complement_of_the_error_function_is_within_its_bound,
                                cosine_of_pi_is_within_its_bound,
                                power_multiplies};
  Suite *suite = suite_create("number");
  TCase *all = tcase_create("number");
  tcase_set_timeout(all, 60);
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);
  suite_add_tcase(suite, all);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
