/* Config: every wrong text is refused with its place, every right one read as written.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/keys.h"
#include "config/store.h"
#include "network/methods.h"

static numann_error error;

/* Text, and what the message must hold: the place, and a word of the reason. */
static const struct {
  const char *text, *place, *reason;
} bad[] = {
    {"", "t:1:1", "empty"},
    {"# nothing\n", "t:2:1", "empty"},
    {"[1]", "t:1:1", "found a list, expected a mapping"},
    {"just text", "t:1:1", "found a plain value, expected a mapping"},
    {"a: 1", "t:1:1", "unknown key a"},
    {"train:\n  epoch: 3", "t:2:3", "did you mean train.epochs"},
    {"train: {loss: x, los: y}", "t:1:18", "did you mean train.loss"},
    {"network: {layer: []}", "t:1:11", "unknown key network.layer"},
    {"data: {train: {pat: x}}", "t:1:16", "did you mean data.train.path"},
    {"train: {optimizer: {learningrate: 1}}", "t:1:21", "train.optimizer.learning_rate"},
    {"paralel: {threads: 1}", "t:1:1", "unknown key paralel"},
    {"train: {epochs: 3, epochs: 4}", "t:1:20", "train.epochs: found a second time"},
    {"train: {epochs: 3}\ntrain: {seed: 1}", "t:2:1", "train: found a second time"},
    {"network: {layers: [{neurons: 1, neurons: 2, activation: relu}]}", "t:1:33",
     "network.layers.0.neurons: found a second time"},
    {"train: &x {epochs: 1}", "t:1:8", "anchor"},
    {"train: {epochs: &x 1}", "t:1:17", "anchor"},
    {"train: {epochs: *x}", "t:1:17", "alias"},
    {"train: {epochs: !!int 1}", "t:1:17", "tag"},
    {"data: {drop: !x [a]}", "t:1:14", "tag"},
    {"train: {epochs: 1}\n---\ntrain: {epochs: 2}", "t:2:1", "second document"},
    {"train: {epochs: 1", "t:", "not valid YAML"},
    {"train:\n\tepochs: 1", "t:2:1", "begins with a tab: indent with spaces"},
    {"train:\n  \tepochs: 1", "t:2:3", "begins with a tab: indent with spaces"},
    {"train:\n  epochs: 1\n\tseed: 2", "t:3:1", "begins with a tab: indent with spaces"},
    {"# \xe9t\xe9\ntrain: {epochs: 1}", "t:1:4", "save the file as UTF-8"},
    {"\xff\xfet", "t:1:1", "found UTF-16"},
    {"\xfe\xff", "t:1:1", "save the file as UTF-8"},
    {"train: {optimizer: adam}", "t:1:20", "as in optimizer: {name: adam}"},
    {"train: {schedule: cosine}", "t:1:19", "as in schedule: {name: cosine}"},
    {"train: {early_stopping: 5}", "t:1:25", "as in early_stopping: {patience: 5}"},
    {"data: {train: x.csv}", "t:1:15", "as in train: {path: x.csv}"},
    {"checkpoint: 60 s", "t:1:13", "as in checkpoint: {every: 60 s}"},
    {"data: {test: 0.3}", "t:1:14", "as in test: {fraction: 0.3}"},
    {"train: {epochs: \"1}", "t:", "not valid YAML"},
    {"train: {epochs: 1}}", "t:1:19", "not valid YAML"},
    {"train: 3", "t:1:8", "found a plain value, expected a mapping"},
    {"train: [3]", "t:1:8", "found a list, expected a mapping"},
    {"train: {epochs: [1]}", "t:1:17", "found a list, expected a plain value"},
    {"train: {epochs: {a: 1}}", "t:1:17", "found a mapping, expected a plain value"},
    {"? [a]\n: 1", "t:1:3", "expected the name of a key"},
    {"train: {epochs: }", "t:1:17", "found no value"},
    {"train: {epochs: ~}", "t:1:17", "whole number"},
    {"train: {epochs: 0}", "t:1:17", "from 1"},
    {"train: {epochs: -1}", "t:1:17", "\"-1\""},
    {"train: {epochs: +1}", "t:1:17", "whole number"},
    {"train: {epochs: 1.5}", "t:1:17", "whole number"},
    {"train: {epochs: 1e3}", "t:1:17", "whole number"},
    {"train: {epochs: 010}", "t:1:17", "whole number"},
    {"train: {epochs: 0x10}", "t:1:17", "whole number"},
    {"train: {epochs: 1_000}", "t:1:17", "whole number"},
    {"train: {epochs: \"5\"}", "t:1:17", "whole number"},
    {"train: {epochs: 5 6}", "t:1:17", "whole number"},
    {"train: {epochs: 99999999999999999999}", "t:1:17", "whole number"},
    {"train: {epochs: ten}", "t:1:17", "whole number"},
    {"train: {batch: fulll}", "t:1:16", "or full"},
    {"train: {batch: 0}", "t:1:16", "from 1"},
    {"train: {optimizer: {learning_rate: nan}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: .nan}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: inf}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: 1e400}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: 0}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: -0.1}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: 0,1}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: 1e}}", "t:1:36", "above 0"},
    {"train: {optimizer: {learning_rate: 0.1abc}}", "t:1:36", "above 0"},
    {"train: {optimizer: {momentum: 1.01}}", "t:1:31", "from 0 to 1"},
    {"train: {optimizer: {beta1: 1}}", "t:1:28", "below 1"},
    {"train: {shuffle: yes}", "t:1:18", "true or false"},
    {"train: {shuffle: True}", "t:1:18", "true or false"},
    {"train: {shuffle: 1}", "t:1:18", "true or false"},
    {"data: {blank: skip}", "t:1:15", "error or drop_row"},
    {"data: {scale: normal}", "t:1:15", "standardize"},
    {"data: {scale: 0}", "t:1:15", "above 0"},
    {"data: {test: {fraction: 1}}", "t:1:25", "below 1"},
    {"data: {test: {fraction: 20%}}", "t:1:25", "number"},
    {"data: {test: 0.2}", "t:1:14", "expected a mapping"},
    {"data: {drop: {a: b}}", "t:1:14", "expected a list"},
    {"data: {drop: [[a]]}", "t:1:15", "expected plain values"},
    {"data: {drop: [a, \"\"]}", "t:1:18", "found no value"},
    {"network: {layers: 3}", "t:1:19", "expected a list of mappings"},
    {"network: {layers: {neurons: 3}}", "t:1:", "expected a list of mappings"},
    {"network: {layers: [3]}", "t:1:20", "expected a mapping"},
    {"network: {layers: [{neurons: 3}]}", "t:1:30: network.layers.0.activation", "missing"},
    {"network: {layers: [{neurons: 3, activation: relu}, {activation: relu}]}",
     "t:1:65: network.layers.1.neurons", "missing"},
    {"network: {layers: [{neurons: 1000001, activation: relu}]}", "t:1:30", "to 1000000"},
    {"network: {layers: [{neurons: 3, activation: relu, bias: true}]}", "t:1:51", "unknown key"},
    {"parallel: {threads: 0}", "t:1:21", "or auto"},
    {"parallel: {threads: 5000}", "t:1:21", "to 4096"},
    {"checkpoint: {every: 60}", "t:1:21", "steps"},
    {"checkpoint: {every: 0 s}", "t:1:21", "steps"},
    {"checkpoint: {every: 1.5 s}", "t:1:21", "steps"},
    {"checkpoint: {keep: 1}", "t:1:20", "from 2"},
};

START_TEST(wrong_configs_are_refused_with_their_place) {
  numann_config *config;
  int status = (int)numann_config_parse(&config, bad[_i].text, "t", &error);
  ck_assert_msg(status == NUMANN_ERR_CONFIG, "accepted: %s", bad[_i].text);
  ck_assert_ptr_null(config);
  ck_assert_msg(strncmp(error.message, bad[_i].place, strlen(bad[_i].place)) == 0 &&
                    strstr(error.message, bad[_i].reason),
                "%s\ngave %s\nexpected %s ... %s", bad[_i].text, error.message, bad[_i].place,
                bad[_i].reason);
  ck_assert_ptr_null(strchr(error.message, '\n'));
}
END_TEST

static numann_config *parse(const char *text) {
  numann_config *config;
  int status = (int)numann_config_parse(&config, text, "t", &error);
  ck_assert_msg(status == NUMANN_OK, "%s", error.message);
  return config;
}

static const char *const sample =
    "data:\n  train: {path: x/y.csv, target: [a, -1, \"7\"]}\n  drop: \"a: b\"\n  separator: "
    "\"\\\\\"\n"
    "network:\n  layers:\n    - {neurons: 64, activation: relu, initializer: he_normal}\n"
    "    - {neurons: 10, activation: softmax}\n"
    "train: {loss: cross_entropy, optimizer: {learning_rate: 1e-3}, batch: full, shuffle: false}\n"
    "parallel: {threads: 7}\n";

START_TEST(values_are_read_as_written_and_defaults_filled) {
  numann_config *c = parse(sample);
  ck_assert_uint_eq(nu_config_items(c, "network.layers"), 2);
  ck_assert_uint_eq(nu_config_count(c, "network.layers.0.neurons"), 64);
  ck_assert_str_eq(nu_config_string(c, "network.layers.1.activation"), "softmax");
  ck_assert(nu_config_given(c, "network.layers.0.initializer"));
  ck_assert(!nu_config_given(c, "network.layers.1.initializer"));
  ck_assert(nu_config_real(c, "train.optimizer.learning_rate") == 1e-3);
  ck_assert(nu_config_real(c, "train.optimizer.beta2") == 0.999);
  ck_assert_uint_eq(nu_config_count(c, "train.batch"), 0);
  ck_assert_str_eq(nu_config_string(c, "train.batch"), "full");
  ck_assert_uint_eq(nu_config_count(c, "train.epochs"), 10);
  ck_assert_uint_eq(nu_config_count(c, "parallel.threads"), 7);
  ck_assert(!nu_config_flag(c, "train.shuffle"));
  ck_assert_uint_eq(nu_config_items(c, "data.train.target"), 3);
  ck_assert(nu_config_item_quoted(c, "data.train.target", 2));
  ck_assert(!nu_config_item_quoted(c, "data.train.target", 1));
  ck_assert_str_eq(nu_config_item(c, "data.train.target", 1), "-1");
  ck_assert_uint_eq(nu_config_items(c, "data.drop"), 1);
  ck_assert_str_eq(nu_config_item(c, "data.drop", 0), "a: b");
  ck_assert_str_eq(nu_config_string(c, "data.separator"), "\\");
  ck_assert(nu_config_given(c, "data.train") && !nu_config_given(c, "data.test"));
  ck_assert_ptr_null(nu_config_path(c, "data.test.path"));
  numann_config_destroy(c);
}
END_TEST

enum { SCRIPTS = 7 };

/* Letters whose bytes look like controls, and what is written as an escape. */
START_TEST(values_of_every_script_read_back_the_same) {
  static const char *const values[SCRIPTS] = {"\xc3\x84",
                                              "\xe2\x80\x93 \xe6\x97\xa5\xe6\x9c\xac",
                                              "\xf0\x9f\x98\x80",
                                              "\xe2\x80\xae\xe2\x81\xa6",
                                              "\xf3\xa0\x80\x81",
                                              "\x1b]0;\x07\n",
                                              "\xc2\x85\xc2\x9b\xef\xbb\xbf"};
  const char *value = values[_i];
  numann_config *c = parse(sample);
  nu_store_remove(c, "data.drop");
  nu_entry *entry = nu_store_add(c, "data.drop", "here");
  nu_text text = {0};
  ck_assert(entry && nu_entry_add(entry, value, strlen(value), false));
  nu_config_write(c, NU_CONFIG_RUN, &text);
  ck_assert(nu_is_utf8(nu_text_view(&text)));
  numann_config *again = parse(nu_text_view(&text));
  ck_assert_str_eq(nu_config_item(again, "data.drop", 0), value);
  nu_text_clear(&text);
  numann_config_destroy(again);
  numann_config_destroy(c);
}
END_TEST

START_TEST(the_written_config_reads_back_the_same) {
  for (int form = NU_CONFIG_RUN; form <= NU_CONFIG_MODEL; form++) {
    numann_config *c = parse(sample);
    nu_text first = {0}, second = {0};
    nu_config_write(c, (nu_config_form)form, &first);
    numann_config *again = parse(nu_text_view(&first));
    nu_config_write(again, (nu_config_form)form, &second);
    ck_assert_str_eq(nu_text_view(&first), nu_text_view(&second));
    ck_assert_ptr_nonnull(strstr(nu_text_view(&first), "[a, -1, \"7\"]"));
    bool machine = strstr(nu_text_view(&first), "threads") != NULL;
    bool absolute = strstr(nu_text_view(&first), "path: /") != NULL;
    ck_assert(machine == (form == NU_CONFIG_RUN) && absolute == (form == NU_CONFIG_RUN));
    if (form == NU_CONFIG_MODEL) ck_assert_int_eq(nu_config_match(c, again, &error), NUMANN_OK);
    nu_text_clear(&first);
    nu_text_clear(&second);
    numann_config_destroy(again);
    numann_config_destroy(c);
  }
}
END_TEST

static const struct {
  const char *assignment, *reason; /* NULL: must be taken */
} sets[] = {
    {"train.epochs=5", NULL},
    {"network.layers.0.neurons=128", NULL},
    {"network.layers=[{neurons: 2, activation: tanh}]", NULL},
    {"network.layers.2={neurons: 5, activation: tanh}", NULL},
    {"data.drop=[a, b]", NULL},
    {"train.optimizer={name: adam, beta1: 0.5}", NULL},
    {"train.epochs", "expected key=value"},
    {"=5", "expected key=value"},
    {"train.epochs=", "found no value"},
    {"train.epochs=x", "whole number"},
    {"train.epoch=5", "did you mean train.epochs"},
    {"network.layers.3.neurons=5", "index up to 2"},
    {"network.layers.01.neurons=5", "unknown key"},
    {"train=5", "expected a mapping"},
    {"train.epochs={a: 1}", "expected a plain value"},
    {"train.epochs=*x", "alias"},
};

START_TEST(set_checks_like_the_file_and_spoils_nothing) {
  numann_config *c = parse(sample);
  nu_text before = {0}, after = {0};
  nu_config_write(c, NU_CONFIG_RUN, &before);
  int status = (int)numann_config_set(c, sets[_i].assignment, &error);
  nu_config_write(c, NU_CONFIG_RUN, &after);
  bool same = strcmp(nu_text_view(&before), nu_text_view(&after)) == 0;
  if (sets[_i].reason) {
    ck_assert_int_eq(status, NUMANN_ERR_CONFIG);
    ck_assert_msg(
        strstr(error.message, sets[_i].reason) && strncmp(error.message, "--set ", 6) == 0, "%s",
        error.message);
    ck_assert(same);
  } else {
    ck_assert_msg(status == NUMANN_OK, "%s", error.message);
    ck_assert(!same);
  }
  nu_text_clear(&before);
  nu_text_clear(&after);
  numann_config_destroy(c);
}
END_TEST

START_TEST(set_values_are_seen) {
  numann_config *c = parse(sample);
  ck_assert_int_eq(numann_config_set(c, "network.layers=[{neurons: 2, activation: tanh}]", &error),
                   NUMANN_OK);
  ck_assert_uint_eq(nu_config_items(c, "network.layers"), 1);
  ck_assert(!nu_config_given(c, "network.layers.0.initializer"));
  ck_assert_int_eq(numann_config_set(c, "checkpoint.every=20 steps", &error), NUMANN_OK);
  double seconds;
  uint64_t epochs, steps;
  nu_config_every(c, &seconds, &epochs, &steps);
  ck_assert(seconds == 0.0 && epochs == 0 && steps == 20);
  nu_config_fail(c, "checkpoint.every", &error, "no");
  ck_assert_str_eq(error.message, "--set checkpoint.every=20 steps: checkpoint.every: no");
  numann_config_destroy(c);
}
END_TEST

START_TEST(choices_list_the_names_and_suggest_one) {
  static const char *const names[] = {"sgd", "adam"};
  numann_config *c = parse("train: {optimizer: {name: adm}}");
  size_t index;
  ck_assert_int_eq(nu_config_choice(c, "train.optimizer.name", names, 2, &index, &error),
                   NUMANN_ERR_CONFIG);
  ck_assert_str_eq(
      error.message,
      "t:1:27: train.optimizer.name: found \"adm\", expected one of sgd, adam; did you mean adam?");
  ck_assert_int_eq(nu_config_choice(c, "train.loss", names, 2, &index, &error), NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(strstr(error.message, "missing"));
  ck_assert_int_eq(numann_config_set(c, "train.optimizer.name=adam", &error), NUMANN_OK);
  ck_assert_int_eq(nu_config_choice(c, "train.optimizer.name", names, 2, &index, &error),
                   NUMANN_OK);
  ck_assert_uint_eq(index, 1);
  numann_config_destroy(c);
}
END_TEST

START_TEST(a_resume_lists_what_differs) {
  numann_config *a = parse(sample), *b = parse(sample);
  ck_assert_int_eq(numann_config_set(b, "train.epochs=99", &error), NUMANN_OK);
  ck_assert_int_eq(numann_config_set(b, "parallel.threads=2", &error), NUMANN_OK);
  ck_assert_int_eq(numann_config_set(b, "train.optimizer.learning_rate=0.001", &error), NUMANN_OK);
  ck_assert_msg(nu_config_match(a, b, &error) == NUMANN_OK, "%s", error.message);
  ck_assert_int_eq(numann_config_set(b, "train.clip_norm=0.125", &error), NUMANN_OK);
  ck_assert_int_eq(nu_config_match(a, b, &error), NUMANN_ERR_CONFIG);
  ck_assert_int_eq(nu_config_match_diverged(a, b, &error), NUMANN_OK);
  ck_assert_int_eq(numann_config_set(b, "train.seed=2", &error), NUMANN_OK);
  ck_assert_int_eq(numann_config_set(b, "network.layers.1.activation=sigmoid", &error), NUMANN_OK);
  ck_assert_int_eq(nu_config_match(a, b, &error), NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(strstr(error.message, "train.seed is 1, was 2"));
  ck_assert_ptr_nonnull(
      strstr(error.message, "network.layers.1.activation is softmax, was sigmoid"));
  numann_config_destroy(a);
  numann_config_destroy(b);
}
END_TEST

/* Editors put the byte order mark of UTF-8 in front; places are those behind it. */
START_TEST(marks_of_byte_order) {
  static const char utf16[] = "t\0r\0a\0i\0n\0"; /* in a file, as a text ends at its first zero */
  numann_config *config = parse("\xef\xbb\xbftrain: {epochs: 3}");
  ck_assert_uint_eq(nu_config_count(config, "train.epochs"), 3);
  numann_config_destroy(config);
  ck_assert_int_eq(numann_config_parse(&config, "\xef\xbb\xbfx: 1", "t", &error),
                   NUMANN_ERR_CONFIG);
  ck_assert_msg(strncmp(error.message, "t:1:1: unknown key x", 20) == 0, "%s", error.message);
  char path[256];
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/numann-config-XXXXXX", folder ? folder : "/tmp");
  int file = mkstemp(path);
  ck_assert(file >= 0 && write(file, utf16, sizeof utf16 - 1) == (ssize_t)sizeof utf16 - 1);
  close(file);
  ck_assert_int_eq(numann_config_load(&config, path, &error), NUMANN_ERR_CONFIG);
  ck_assert_msg(strstr(error.message, ":1:1: found UTF-16"), "%s", error.message);
  unlink(path);
}
END_TEST

START_TEST(a_resume_keeps_the_end_of_the_schedule) {
  numann_config *saved = parse("train: {schedule: {name: cosine}, epochs: 40}");
  numann_config *now = parse("train: {schedule: {name: cosine}, epochs: 60}");
  ck_assert_int_eq(nu_config_match(now, saved, &error), NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(strstr(error.message, "train.schedule.epochs is 60, was 40"));
  ck_assert_int_eq(numann_config_set(now, "train.schedule.epochs=40", &error), NUMANN_OK);
  ck_assert_msg(nu_config_match(now, saved, &error) == NUMANN_OK, "%s", error.message);
  numann_config_destroy(now);
  numann_config_destroy(saved);
}
END_TEST

/* Every default of the table must itself be a value that the key takes. */
START_TEST(the_table_accepts_its_own_defaults) {
  size_t n;
  const nu_key *keys = nu_keys(&n);
  numann_config *c = parse(sample);
  for (size_t i = 0; i < n; i++) {
    char assignment[256];
    ck_assert_msg(strlen(keys[i].help) > 10 && strlen(keys[i].help) < 200, "%s", keys[i].path);
    if (!keys[i].fallback) continue;
    snprintf(assignment, sizeof assignment, "%s=%s", keys[i].path, keys[i].fallback);
    ck_assert_msg(numann_config_set(c, assignment, &error) == NUMANN_OK, "%s", error.message);
  }
  numann_config_destroy(c);
}
END_TEST

START_TEST(files_are_limited_and_named) {
  numann_config *config;
  ck_assert_int_eq(numann_config_load(&config, "no/such/file.yaml", &error), NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(strstr(error.message, "no/such/file.yaml"));
  ck_assert_int_eq(numann_config_load(&config, "/dev/zero", &error), NUMANN_ERR_CONFIG);
  ck_assert_int_eq(numann_config_load(&config, "/", &error), NUMANN_ERR_CONFIG);
}
END_TEST

static Suite *config_suite(void) {
  Suite *suite = suite_create("config");
  TCase *tests = tcase_create("config");
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, wrong_configs_are_refused_with_their_place, 0,
                      sizeof bad / sizeof *bad);
  tcase_add_test(tests, values_are_read_as_written_and_defaults_filled);
  tcase_add_test(tests, the_written_config_reads_back_the_same);
  tcase_add_loop_test(tests, values_of_every_script_read_back_the_same, 0, SCRIPTS);
  tcase_add_loop_test(tests, set_checks_like_the_file_and_spoils_nothing, 0,
                      sizeof sets / sizeof *sets);
  tcase_add_test(tests, set_values_are_seen);
  tcase_add_test(tests, choices_list_the_names_and_suggest_one);
  tcase_add_test(tests, a_resume_lists_what_differs);
  tcase_add_test(tests, marks_of_byte_order);
  tcase_add_test(tests, a_resume_keeps_the_end_of_the_schedule);
  tcase_add_test(tests, the_table_accepts_its_own_defaults);
  tcase_add_test(tests, files_are_limited_and_named);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(config_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
