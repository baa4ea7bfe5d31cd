/* Reading and writing JSON while memory is refused. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* What jansson asks for: request `wanted` is refused, and with `every` all from there on. */
static size_t requests, wanted;
static bool every;

static void *counted_malloc(size_t size) {
  requests++;
  return requests == wanted || (every && wanted > 0 && requests > wanted) ? NULL : malloc(size);
}

static void refuse(size_t request, bool all) {
  requests = 0;
  wanted = request;
  every = all;
}

/* Tokens that outgrow the reader's buffer of 16 bytes, as the first that do so and later ones. */
static const char *const texts[] = {
    "[0.12345678901234567, 123456789012345678, 0.123456789012345678901234567890123456789]",
    "{\"a name of more than sixteen bytes\": \"a value with \\\"quotes\\\" of more than that\"}",
    "[\"0123456789abcdef0123456789abcd\", true, 0.1234567890123456789012345678901, [{}, null]]",
    "{\"a\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], \"b\": {\"c\": {\"d\": [\"0123456\", 1e300]}}}",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static void check_refused(const char *text, size_t request, bool all, const json_t *expected) {
  json_error_t flaw;
  refuse(request, all);
  json_t *value = nu_json_load(text, strlen(text), &flaw);
  refuse(0, false);
  ck_assert_msg(!value, "%s: request %zu was refused, and there is a value", text, request);
  ck_assert_msg(flaw.text[0] == '\0', "%s: request %zu: %s", text, request, flaw.text);
  value = nu_json_load(text, strlen(text), &flaw);
  ck_assert_msg(json_equal(value, expected), "%s: request %zu: another value afterwards", text,
                request);
  json_decref(value);
}

START_TEST(a_refusal_is_no_damage) {
  const char *text = texts[_i / 2];
  json_error_t flaw;
  refuse(0, false);
  json_t *expected = nu_json_load(text, strlen(text), &flaw);
  size_t n = requests;
  ck_assert_msg(expected && n > 4, "%s: %s", text, flaw.text);
  for (size_t request = 1; request <= n; request++) check_refused(text, request, _i % 2, expected);
  json_decref(expected);
}
END_TEST

START_TEST(damage_is_no_refusal) {
  static const char *const damaged[] = {"",         "{",    "[1,]", "{\"a\": 1, \"a\": 2}",
                                        "\"\xff\"", "[1] 2"};
  for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
    json_error_t flaw;
    ck_assert_ptr_null(nu_json_load(damaged[i], strlen(damaged[i]), &flaw));
    ck_assert_msg(flaw.text[0] != '\0', "%s", damaged[i]);
  }
}
END_TEST

START_TEST(a_text_is_whole_or_failed) {
  json_error_t flaw;
  json_t *value = nu_json_load(texts[3], strlen(texts[3]), &flaw);
  nu_text whole = {0};
  refuse(0, false);
  ck_assert(nu_json_dump(&whole, value, JSON_COMPACT));
  size_t n = requests;
  for (size_t request = 1; request <= n; request++) {
    nu_text out = {0};
    refuse(request, false);
    bool good = nu_json_dump(&out, value, JSON_COMPACT);
    ck_assert(good != out.failed);
    if (good) ck_assert_str_eq(nu_text_view(&out), nu_text_view(&whole));
    nu_text_clear(&out);
  }
  refuse(0, false);
  nu_text_clear(&whole);
  json_decref(value);
}
END_TEST

START_TEST(a_refused_string_is_told_from_a_wrong_one) {
  bool refused;
  refuse(1, true);
  ck_assert_ptr_null(nu_json_text("name", &refused));
  ck_assert(refused);
  refuse(0, false);
  ck_assert_ptr_null(nu_json_text("\xff", &refused));
  ck_assert(!refused);
  json_t *value = nu_json_text("name", &refused);
  ck_assert(value && !refused);
  json_decref(value);
}
END_TEST

int main(void) {
  json_set_alloc_funcs(counted_malloc, free);
  Suite *suite = suite_create("json");
  TCase *all = tcase_create("all");
  tcase_add_loop_test(all, a_refusal_is_no_damage, 0, 2 * TEXTS);
  tcase_add_test(all, damage_is_no_refusal);
  tcase_add_test(all, a_text_is_whole_or_failed);
  tcase_add_test(all, a_refused_string_is_told_from_a_wrong_one);
  suite_add_tcase(suite, all);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
