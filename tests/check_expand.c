/* Variables of the environment in configs: what they become, where they are taken as text, and that
 * a record says what ran. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/expand.h"

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static numann_error error;

static void set_up(void) {
  setenv("NU_SEED", "7", 1);
  setenv("NU_EMPTY", "", 1);
  setenv("NU_NESTED", "${NU_SEED}", 1);
  setenv("NU_YAML", "1, epochs: 2", 1);
  setenv("NU_ODD", "\xff", 1);
  unsetenv("NU_UNSET");
}

/* ---- texts; NULL: refused, with a message that holds `reason` */

static const struct {
  const char *text, *expected, *reason;
} texts[] = {{"plain", "plain", NULL},
             {"${NU_SEED}", "7", NULL},
             {"a${NU_SEED}b${NU_SEED}", "a7b7", NULL},
             {"${NU_UNSET:-3}", "3", NULL},
             {"${NU_EMPTY:-3}", "3", NULL},
             {"${NU_SEED:-3}", "7", NULL},
             {"${NU_UNSET:-}", "", NULL},
             {"${NU_EMPTY}", "", NULL},
             {"${NU_NESTED}", "${NU_SEED}", NULL},
             {"$NU_SEED", "$NU_SEED", NULL},
             {"cost$", "cost$", NULL},
             {"$$", "$$", NULL},
             {"$(date)", "$(date)", NULL},
             {"$${NU_SEED}", "${NU_SEED}", NULL},
             {"$$${NU_SEED}", "$${NU_SEED}", NULL},
             {"{NU_SEED}", "{NU_SEED}", NULL},
             {"${NU_UNSET}", NULL, "t: the variable NU_UNSET is not set"},
             {"${NU_ODD}", NULL, "not UTF-8"},
             {"${NU_SEED", NULL, "without its }"},
             {"${", NULL, "without its }"},
             {"${}", NULL, "names no variable"},
             {"${1}", NULL, "names no variable"},
             {"${NU SEED}", NULL, "names no variable"},
             {"${NU_SEED:3}", NULL, "names no variable"},
             {"${NU_SEED:+3}", NULL, "names no variable"},
             {"${NU_SEED%7}", NULL, "names no variable"}};

START_TEST(texts_are_expanded_once) {
  nu_text out = {0};
  const char *text = texts[_i].text;
  numann_status status = nu_expand("t", text, strlen(text), &out, &error);
  if (texts[_i].expected) {
    ck_assert_msg(status == NUMANN_OK, "%s: %s", text, error.message);
    ck_assert_str_eq(nu_text_view(&out), texts[_i].expected);
  } else {
    ck_assert_msg(status == NUMANN_ERR_CONFIG, "%s: taken", text);
    ck_assert_msg(strstr(error.message, texts[_i].reason) != NULL, "%s", error.message);
  }
  nu_text_clear(&out);
}
END_TEST

START_TEST(a_protected_text_is_itself) {
  static const char *const any[] = {"",         "a",      "$",     "${",     "$${",  "$$${x}",
                                    "${a}${b}", "${x:-}", "$ {a}", "{$}{${", "}$${}"};
  for (int i = 0; i < ROWS(any); i++) {
    nu_text safe = {0}, out = {0};
    nu_expand_protect(any[i], &safe);
    ck_assert_int_eq(nu_expand("t", nu_text_view(&safe), safe.length, &out, &error), NUMANN_OK);
    ck_assert_str_eq(nu_text_view(&out), any[i]);
    nu_text_clear(&safe);
    nu_text_clear(&out);
  }
}
END_TEST

/* ---- configs */

/* A file's. */
static numann_status load(const char *text, numann_config **out) {
  const char *parent = getenv("TMPDIR");
  char path[512];
  snprintf(path, sizeof path, "%.400s/numann-expand.XXXXXX", parent ? parent : "/tmp");
  int fd = mkstemp(path);
  size_t n = strlen(text);
  ck_assert(fd >= 0 && write(fd, text, n) == (ssize_t)n && close(fd) == 0);
  numann_status status = numann_config_load(out, path, &error);
  unlink(path);
  return status;
}

static const struct {
  const char *text, *key, *value; /* no key: refused, and the message has the value */
} files[] = {{"train:\n  seed: ${NU_SEED}\n", "train.seed", "7"},
             {"train: {seed: \"${NU_SEED}\"}", "train.seed", "7"},
             {"train:\n  seed: 1${NU_SEED}\n", "train.seed", "17"},
             {"data: {train: {path: \"d-${NU_SEED}.csv\"}}", "data.train.path", "d-7.csv"},
             {"data: {train: {path: \"d$${NU_SEED}.csv\"}}", "data.train.path", "d${NU_SEED}.csv"},
             {"train:\n  seed: ${NU_UNSET}\n", NULL, ":2:9: train.seed: the variable NU_UNSET"},
             {"train:\n  seed: ${NU_YAML}\n", NULL, "found \"1, epochs: 2\""},
             {"train:\n  seed: ${NU_EMPTY}\n", NULL, "found no value"},
             {"train: {seed: ${NU_SEED}}", NULL, "a variable stands in quotes"},
             {"train: {\"${NU_SEED}\": 1}", NULL, "unknown key"}};

START_TEST(files_take_variables) {
  numann_config *c = NULL;
  numann_status status = load(files[_i].text, &c);
  if (files[_i].key) {
    ck_assert_msg(status == NUMANN_OK, "%s", error.message);
    ck_assert_str_eq(nu_config_string(c, files[_i].key), files[_i].value);
  } else {
    ck_assert_msg(status == NUMANN_ERR_CONFIG, "taken: %s", files[_i].text);
    ck_assert_msg(strstr(error.message, files[_i].value) != NULL, "%s", error.message);
  }
  numann_config_destroy(c);
}
END_TEST

START_TEST(set_takes_variables_and_names_those_that_are_not_set) {
  numann_config *c = NULL;
  ck_assert_int_eq(load("train: {seed: 1}", &c), NUMANN_OK);
  ck_assert_int_eq(numann_config_set(c, "train.seed=${NU_SEED}", &error), NUMANN_OK);
  ck_assert_str_eq(nu_config_string(c, "train.seed"), "7");
  ck_assert_int_eq(numann_config_set(c, "train.seed=${NU_UNSET}", &error), NUMANN_ERR_CONFIG);
  ck_assert_msg(strstr(error.message, "train.seed: the variable NU_UNSET") != NULL, "%s",
                error.message);
  ck_assert_str_eq(nu_config_string(c, "train.seed"), "7");
  numann_config_destroy(c);
}
END_TEST

/* A number in quotes is a column's name, with a variable in it, too. */
START_TEST(a_quoted_variable_is_a_name_in_a_list) {
  numann_config *c = NULL;
  ck_assert_int_eq(load("data: {drop: [\"${NU_SEED}\"]}", &c), NUMANN_OK);
  ck_assert_str_eq(nu_config_item(c, "data.drop", 0), "7");
  ck_assert(nu_config_item_quoted(c, "data.drop", 0));
  numann_config_destroy(c);
}
END_TEST

/* What models and checkpoints keep is text: it names nobody's variables. */
START_TEST(records_are_text) {
  numann_config *c = NULL;
  ck_assert_int_eq(
      numann_config_parse(&c, "data: {train: {path: \"${NU_UNSET}\"}}", "record", &error),
      NUMANN_OK);
  ck_assert_str_eq(nu_config_string(c, "data.train.path"), "${NU_UNSET}");
  numann_config_destroy(c);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("expand");
  TCase *tests = tcase_create("expand");
  tcase_add_checked_fixture(tests, set_up, NULL);
  tcase_add_loop_test(tests, texts_are_expanded_once, 0, ROWS(texts));
  tcase_add_test(tests, a_protected_text_is_itself);
  tcase_add_loop_test(tests, files_take_variables, 0, ROWS(files));
  tcase_add_test(tests, set_takes_variables_and_names_those_that_are_not_set);
  tcase_add_test(tests, a_quoted_variable_is_a_name_in_a_list);
  tcase_add_test(tests, records_are_text);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
