/* The base stage: random streams, memory, text, files, errors, clock. Numbers: check_number.c.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Random123's headers are not written for our warning flags. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "base/text.h"

static nu_stream stream_of(uint32_t counter) {
  return (nu_stream){.seed = 2024, .purpose = NU_PURPOSE_GENERATE, .counter = counter};
}

/* ---- random numbers */

/* Random123's published known answers: the header itself. */
START_TEST(philox_gives_its_known_answers) {
  static const struct {
    uint32_t counter[4], key[2], answer[4];
  } rows[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
              {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
               {UINT32_MAX, UINT32_MAX},
               {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
              {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
               {0xa4093822, 0x299f31d0},
               {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    philox4x32_ctr_t counter;
    philox4x32_key_t key;
    memcpy(counter.v, rows[i].counter, sizeof counter.v);
    memcpy(key.v, rows[i].key, sizeof key.v);
    philox4x32_ctr_t answer = philox4x32(counter, key);
    ck_assert_mem_eq(answer.v, rows[i].answer, sizeof answer.v);
  }
}
END_TEST

/* counter = (index / 4 low, high, stream counter, purpose), key = seed. The layout is part of the
 * numerics version. */
START_TEST(streams_are_philox_with_a_fixed_layout) {
  static const uint32_t first[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  nu_stream zero = {.seed = 0, .purpose = 0, .counter = 0};
  for (uint64_t i = 0; i < 4; i++) ck_assert_uint_eq(nu_random_bits(zero, i), first[i]);
  nu_stream s = {
      .seed = UINT64_C(0x299f31d0a4093822), .purpose = NU_PURPOSE_WEIGHTS, .counter = 0x13198a2e};
  for (uint64_t i = 1; i < UINT64_C(1) << 62; i = i * 5 + 1) {
    philox4x32_ctr_t counter = {
        {(uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), 0x13198a2e, NU_PURPOSE_WEIGHTS}};
    philox4x32_key_t key = {{0xa4093822, 0x299f31d0}};
    ck_assert_uint_eq(nu_random_bits(s, i), philox4x32(counter, key).v[i % 4]);
    ck_assert(nu_random_uniform(s, i) == nu_random_bits(s, i) / 4294967296.0);
  }
}
END_TEST

START_TEST(normals_have_mean_0_and_variance_1) {
  double sum = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; i++) {
    double x = nu_random_normal(stream_of(7), (uint64_t)i);
    ck_assert(isfinite(x));
    sum += x;
    squares += x * x;
  }
  ck_assert_double_lt(fabs(sum / n), 5 / sqrt(n)); /* 5 standard deviations */
  ck_assert_double_lt(fabs(squares / n - 1), 5 * sqrt(2.0 / n));
}
END_TEST

START_TEST(a_shuffle_is_a_permutation_fixed_by_its_stream) {
  enum { N = 1000 };
  static uint32_t a[N], b[N], c[N];
  static bool seen[N];
  for (uint32_t i = 0; i < N; i++) a[i] = b[i] = c[i] = i;
  nu_random_shuffle(stream_of(8), a, N);
  nu_random_shuffle(stream_of(8), b, N);
  nu_random_shuffle(stream_of(9), c, N);
  ck_assert_mem_eq(a, b, sizeof a);
  ck_assert_mem_ne(a, c, sizeof a);
  for (size_t i = 0; i < N; i++) {
    ck_assert_uint_lt(a[i], N);
    ck_assert(!seen[a[i]]);
    seen[a[i]] = true;
  }
  nu_random_shuffle(stream_of(8), a, 0);
  uint32_t one = 5;
  nu_random_shuffle(stream_of(8), &one, 1);
  ck_assert_uint_eq(one, 5);
}
END_TEST

/* Each of the 24 orders of 4 items equally often: chi-squared with 23 degrees of freedom, 99.99 %.
 */
START_TEST(all_orders_are_equally_likely) {
  enum { DRAWS = 48000 };
  static int count[256];
  for (uint32_t i = 0; i < DRAWS; i++) {
    uint32_t items[4] = {0, 1, 2, 3};
    nu_random_shuffle(stream_of(100 + i), items, 4);
    count[items[0] << 6 | items[1] << 4 | items[2] << 2 | items[3]]++;
  }
  double expected = DRAWS / 24.0, chi = 0;
  int orders = 0;
  for (int i = 0; i < 256; i++) {
    if (count[i] == 0) continue;
    orders++;
    chi += (count[i] - expected) * (count[i] - expected) / expected;
  }
  ck_assert_int_eq(orders, 24);
  ck_assert_double_lt(chi, 57.1);
}
END_TEST

/* ---- memory, text, files, errors */

START_TEST(only_characters_of_the_standard_are_utf8) {
  static const char *const good[] = {"",
                                     "abc",
                                     "\xc3\xa9",
                                     "\xe6\x97\xa5\xe6\x9c\xac",
                                     "\xf0\x9f\x98\x80",
                                     "\xf4\x8f\xbf\xbf",
                                     "\xed\x9f\xbf"};
  static const char *const bad[] = {"\xe9",     "a\x80",        "\xc3",         "\xc3z",
                                    "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                    "\xff",     "\xf0\x9f\x98"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) ck_assert(nu_is_utf8(good[i]));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert(!nu_is_utf8(bad[i]));
}
END_TEST

START_TEST(excerpts_are_short_single_lines) {
  char shown[NU_EXCERPT], text[2 * NU_EXCERPT];
  ck_assert_str_eq(nu_excerpt("a\nb\tc", 5, shown), "a\\x0ab\\x09c");
  for (size_t i = 0; i + 1 < sizeof text; i += 2) memcpy(text + i, "\xc3\xa9", 2);
  nu_excerpt(text, sizeof text, shown);
  size_t n = strlen(shown);
  ck_assert_uint_lt(n, NU_EXCERPT);
  ck_assert_str_eq(shown + n - 3, "...");
  ck_assert(nu_is_utf8(shown));
}
END_TEST

static const struct {
  const char *text, *shown;
} foreign[] = {
    {"plain \\ text", "plain \\ text"},
    {"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80"},
    {"\x1b]0;t\x07", "\\x1b]0;t\\x07"},
    {"a\n\r\t\x7f", "a\\x0a\\x0d\\x09\\x7f"},
    {"\xc2\x9b"
     "31m",
     "\\u009b31m"},
    {"a\xe2\x80\xae"
     "b\xe2\x81\xa9\xe2\x80\x8f",
     "a\\u202eb\\u2069\\u200f"},
    {"\xe2\x80\xa8\xef\xbb\xbf\xf3\xa0\x81\x81", "\\u2028\\ufeff\\U000e0041"},
    {"\xff\xc3|\xe2\x80", "\\xff\\xc3|\\xe2\\x80"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
};

/* Everywhere the same, and shown once more it stays. */
START_TEST(text_of_others_does_not_reach_the_terminal) {
  const char *text = foreign[_i].text, *shown = foreign[_i].shown;
  numann_error err;
  char excerpt[NU_EXCERPT];
  nu_text out = {0};
  nu_fail(&err, NUMANN_ERR_DATA, "%s", text);
  ck_assert_str_eq(err.message, shown);
  nu_fail(&err, NUMANN_ERR_DATA, "%s", err.message);
  ck_assert_str_eq(err.message, shown);
  ck_assert_str_eq(nu_excerpt(text, strlen(text), excerpt), shown);
  nu_text_add_shown(&out, text);
  ck_assert_str_eq(nu_text_view(&out), shown);
  nu_text_clear(&out);
}
END_TEST

START_TEST(lines_of_a_shown_text_stay) {
  nu_text out = {0};
  nu_text_add_shown_lines(&out, "a\x1b\nb\n");
  ck_assert_str_eq(nu_text_view(&out), "a\\x1b\nb\n");
  nu_text_clear(&out);
}
END_TEST

/* Messages of every length around the room there is, of whole characters all. */
START_TEST(messages_are_not_cut_inside_a_character) {
  static const char *const characters[] = {"\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x98\x80", "\x1b",
                                           "\xe2\x80\xae"};
  const char *character = characters[_i];
  char shown[16], text[NU_LINE + 8];
  numann_error err;
  nu_show(shown, sizeof shown, character, strlen(character));
  for (size_t before = 0; before < 12; before++) {
    for (size_t room = 900; room <= NU_LINE; room += NU_LINE - 900) {
      size_t n = before;
      memset(text, '.', before);
      for (; n < room; n += strlen(character)) memcpy(text + n, character, strlen(character));
      text[n] = '\0';
      nu_fail(&err, NUMANN_ERR_DATA, "%s", text);
      size_t length = strlen(err.message);
      ck_assert_uint_ge(length, room < sizeof err.message ? 900 : sizeof err.message - 10);
      ck_assert_uint_eq((length - before) % strlen(shown), 0);
      ck_assert_str_eq(err.message + length - strlen(shown), shown);
    }
  }
}
END_TEST

/* What a line of NU_LINE bytes cuts is no character of the text. */
START_TEST(long_lines_end_with_a_whole_character) {
  static char text[NU_LINE + 8], out[2 * NU_LINE];
  for (size_t before = 0; before < 4; before++) {
    size_t n = before;
    memset(text, '.', before);
    for (; n < NU_LINE; n += 4) memcpy(text + n, "\xf0\x9f\x98\x80", 4);
    text[n] = '\0';
    nu_show_format(out, sizeof out, "%s", text);
    ck_assert(nu_is_utf8(out));
    ck_assert_ptr_null(strchr(out, '\\'));
    ck_assert_uint_gt(strlen(out), NU_LINE - 5);
  }
}
END_TEST

START_TEST(sizes_do_not_wrap) {
  size_t out;
  ck_assert(nu_size_mul(3, 5, &out) && out == 15);
  ck_assert(nu_size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
  ck_assert(!nu_size_mul(SIZE_MAX / 2, 3, &out));
  ck_assert(!nu_size_add(SIZE_MAX, 1, &out));
  ck_assert_ptr_null(nu_alloc(SIZE_MAX / 4, 8));
  ck_assert_ptr_null(nu_alloc(SIZE_MAX, 1));
  ck_assert_uint_eq(nu_round_up(33, 32), 64);
  ck_assert_uint_eq(nu_round_up(32, 32), 32);
  ck_assert_uint_eq(nu_round_up(0, 32), 0);
}
END_TEST

START_TEST(memory_is_aligned_and_zero) {
  for (size_t n = 0; n < 300; n += 7) {
    unsigned char *p = nu_alloc(n, 3);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 64, 0);
    for (size_t i = 0; i < 3 * n; i++) ck_assert_int_eq(p[i], 0);
    free(p);
  }
}
END_TEST

START_TEST(arrays_grow_and_keep_their_content) {
  int *array = NULL;
  size_t capacity = 0;
  for (int i = 0; i < 1000; i++) {
    ck_assert(nu_grow(&array, &capacity, (size_t)i + 1, sizeof *array));
    array[i] = i;
  }
  for (int i = 0; i < 1000; i++) ck_assert_int_eq(array[i], i);
  size_t before = capacity;
  int *same = array;
  ck_assert(!nu_grow(&array, &capacity, SIZE_MAX / 2, sizeof *array));
  ck_assert(!nu_grow(&array, &capacity, SIZE_MAX, 1));
  ck_assert(array == same && capacity == before);
  free(array);
}
END_TEST

START_TEST(bytes_have_units) {
  static const struct {
    size_t bytes;
    const char *text;
  } shown[] = {{0, "0 B"},          {1023, "1023 B"},           {1024, "1 KiB"},
               {1536, "1.5 KiB"},   {102348, "99.9 KiB"},       {102349, "100 KiB"},
               {106906, "104 KiB"}, {1048063, "1023 KiB"},      {1048064, "1.0 MiB"},
               {1048576, "1 MiB"},  {(size_t)3 << 30, "3 GiB"}, {SIZE_MAX, "16777216 TiB"}};
  for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
    nu_text text = {0};
    nu_text_add_bytes(&text, shown[i].bytes);
    ck_assert_str_eq(nu_text_view(&text), shown[i].text);
    nu_text_clear(&text);
  }
}
END_TEST

START_TEST(texts_grow) {
  nu_text text = {0};
  ck_assert_str_eq(nu_text_view(&text), "");
  for (int i = 0; i < 500; i++) nu_text_addf(&text, "%d,", i);
  nu_text_add(&text, "end");
  nu_text_append(&text, "\0x", 2);
  ck_assert(!text.failed);
  ck_assert_uint_eq(text.length, 10 * 2 + 90 * 3 + 400 * 4 + 3 + 2);
  ck_assert_int_eq(strncmp(nu_text_view(&text), "0,1,2,", 6), 0);
  nu_text_clear(&text);
  ck_assert_ptr_null(text.data);
  ck_assert_uint_eq(text.length, 0);
}
END_TEST

static char *write_temporary(const char *content, size_t n) {
  const char *folder = getenv("TMPDIR");
  static char path[4096];
  snprintf(path, sizeof path, "%s/numann-base-XXXXXX", folder && *folder ? folder : "/tmp");
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, content, n), (ssize_t)n);
  ck_assert_int_eq(close(fd), 0);
  return path;
}

START_TEST(files_are_read_whole_or_refused) {
  char *path = write_temporary("one\0two", 7), *data;
  size_t size;
  numann_error err;
  ck_assert_int_eq(nu_file_read(path, 7, NUMANN_ERR_DATA, &data, &size, &err), NUMANN_OK);
  ck_assert_uint_eq(size, 7);
  ck_assert_mem_eq(data, "one\0two", 8);
  free(data);
  ck_assert_int_eq(nu_file_read(path, 6, NUMANN_ERR_DATA, &data, &size, &err), NUMANN_ERR_DATA);
  ck_assert_ptr_null(data);
  ck_assert_ptr_nonnull(strstr(err.message, path));
  unlink(path);
  ck_assert_int_eq(nu_file_read(path, 6, NUMANN_ERR_CONFIG, &data, &size, &err), NUMANN_ERR_CONFIG);
  ck_assert_int_eq(nu_file_read("/", 6, NUMANN_ERR_MODEL, &data, &size, &err), NUMANN_ERR_MODEL);
  ck_assert_int_eq(nu_file_read("/dev/null", 6, NUMANN_ERR_MODEL, &data, &size, NULL),
                   NUMANN_ERR_MODEL);
  path = write_temporary("", 0);
  ck_assert_int_eq(nu_file_read(path, 0, NUMANN_ERR_DATA, &data, &size, &err), NUMANN_OK);
  ck_assert_uint_eq(size, 0);
  free(data);
  unlink(path);
}
END_TEST

START_TEST(paths_join_and_part) {
  static const char *const rows[][3] = {
      {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char *path = nu_path_join(rows[i][0], rows[i][1]);
    ck_assert_str_eq(path, rows[i][2]);
    free(path);
  }
  static const char *const folders[][2] = {
      {"a/b", "a"}, {"b", "."}, {"/b", "/"}, {"a/b/c.yaml", "a/b"}};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char *folder = nu_path_folder(folders[i][0]);
    ck_assert_str_eq(folder, folders[i][1]);
    free(folder);
  }
}
END_TEST

START_TEST(errors_carry_status_and_one_whole_line) {
  numann_error err;
  char longer[3000];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  ck_assert_int_eq(nu_fail(&err, NUMANN_ERR_DATA, "%s:%d: %s", "f", 3, "bad"), NUMANN_ERR_DATA);
  ck_assert_int_eq(err.status, NUMANN_ERR_DATA);
  ck_assert_str_eq(err.message, "f:3: bad");
  ck_assert_int_eq(nu_fail(&err, NUMANN_ERR_IO, "%s", longer), NUMANN_ERR_IO);
  ck_assert_uint_lt(strlen(err.message), sizeof err.message);
  ck_assert_int_eq(nu_fail(NULL, NUMANN_ERR_IO, "%s", longer), NUMANN_ERR_IO);
  ck_assert_int_eq(nu_fail_memory(&err, 12, "the plan"), NUMANN_ERR_MEMORY);
  ck_assert_ptr_nonnull(strstr(err.message, "the plan"));
  ck_assert_str_eq(numann_status_name(NUMANN_ERR_CONFIG), "config");
  ck_assert_str_ne(numann_status_name(NUMANN_STOPPED), numann_status_name(NUMANN_OK));
}
END_TEST

START_TEST(the_clock_goes_forward) {
  double first = nu_clock_seconds(), last = first;
  for (int i = 0; i < 1000; i++) {
    double now = nu_clock_seconds();
    ck_assert(now >= last);
    last = now;
  }
  usleep(2000);
  ck_assert(nu_clock_seconds() > first);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {philox_gives_its_known_answers,
                                streams_are_philox_with_a_fixed_layout,
                                normals_have_mean_0_and_variance_1,
                                a_shuffle_is_a_permutation_fixed_by_its_stream,
                                all_orders_are_equally_likely,
                                sizes_do_not_wrap,
                                memory_is_aligned_and_zero,
                                arrays_grow_and_keep_their_content,
                                texts_grow,
                                bytes_have_units,
                                only_characters_of_the_standard_are_utf8,
                                excerpts_are_short_single_lines,
                                lines_of_a_shown_text_stay,
                                long_lines_end_with_a_whole_character,
                                files_are_read_whole_or_refused,
                                paths_join_and_part,
                                errors_carry_status_and_one_whole_line,
                                the_clock_goes_forward};
  Suite *suite = suite_create("base");
  TCase *all = tcase_create("base");
  tcase_set_timeout(all, 60);
  for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(all, tests[i]);
  tcase_add_loop_test(all, text_of_others_does_not_reach_the_terminal, 0,
                      sizeof foreign / sizeof *foreign);
  tcase_add_loop_test(all, messages_are_not_cut_inside_a_character, 0, 5);
  suite_add_tcase(suite, all);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
