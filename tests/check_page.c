/* The report stage after a run: axes, the table, report.html. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "report/axis.h"
#include "report/report.h"
#include "report/scores.h"
#include "well_formed.h"

/* ---- samples */

static char *animals[] = {"cat", "dog & <b>wolf</b>", "\"o'possum\" of a rather long name"};
static char *letters[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
                          "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"};

static nu_evaluation evaluation_of(size_t classes, uint64_t *confusion) {
  nu_evaluation e = {
      .loss = 0.125, .classes = classes, .confusion = confusion, .accuracy = NAN, .rmse = NAN};
  uint64_t right = 0;
  e.constant = 0.4;
  for (size_t i = 0; i < classes * classes; i++) {
    e.rows += confusion[i];
    right += i / classes == i % classes ? confusion[i] : 0;
  }
  e.accuracy = (double)right / (double)e.rows;
  return e;
}

static uint64_t animal_confusion[] = {8, 2, 0, 1, 9, 0, 0, 0, 10};

/* 26 classes: 5 right each, one confusion of every letter with the next, many of c with f. */
static void fill_letters(uint64_t *confusion) {
  memset(confusion, 0, 26 * 26 * sizeof *confusion);
  for (size_t c = 0; c < 26; c++) {
    confusion[c * 26 + c] = 5;
    if (c + 1 < 26) confusion[c * 26 + c + 1] = 1;
  }
  confusion[2 * 26 + 5] = 4;
}

static numann_epoch *make_epochs(size_t n) {
  numann_epoch *epochs = calloc(n, sizeof *epochs);
  for (size_t i = 0; i < n; i++) {
    double e = (double)i + 1;
    epochs[i] = (numann_epoch){.epoch = i + 1,
                               .epochs = n,
                               .step = 10 * i,
                               .train_loss = 1 / e,
                               .learning_rate = 0.1,
                               .validated = true,
                               .validation_loss = 1.5 / e,
                               .validation_accuracy = 1 - 0.5 / e,
                               .validation_rmse = NAN,
                               .seconds = 1,
                               .samples_per_s = 1000};
  }
  return epochs;
}

/* ---- scores and axes */

START_TEST(scores_follow_their_definitions) {
  nu_evaluation e = evaluation_of(3, animal_confusion);
  nu_score cat = nu_score_class(&e, 0), mean = nu_score_mean(&e);
  ck_assert_double_eq_tol(cat.precision, 8.0 / 9, 1e-15);
  ck_assert_double_eq_tol(cat.recall, 0.8, 1e-15);
  ck_assert_double_eq_tol(cat.f1, 2 * (8.0 / 9) * 0.8 / (8.0 / 9 + 0.8), 1e-15);
  ck_assert_uint_eq(cat.support, 10);
  ck_assert_uint_eq(mean.support, 30);
  ck_assert_double_eq_tol(mean.recall, 0.9, 1e-15);
  uint64_t never[] = {3, 0, 0, 0}; /* class 1: neither there nor answered */
  nu_evaluation none = evaluation_of(2, never);
  ck_assert(isnan(nu_score_class(&none, 1).f1));
  ck_assert_double_eq(nu_score_mean(&none).f1, 1.0);
}
END_TEST

START_TEST(confusions_come_by_frequency) {
  uint64_t confusion[26 * 26];
  nu_confused most[3];
  fill_letters(confusion);
  nu_evaluation e = evaluation_of(26, confusion);
  ck_assert_uint_eq(nu_confused_most(&e, most, 3), 3);
  ck_assert_uint_eq(most[0].truth, 2);
  ck_assert_uint_eq(most[0].answer, 5);
  ck_assert_uint_eq(most[0].count, 4);
  ck_assert_uint_eq(most[1].truth, 0); /* equal ones in their order */
  ck_assert_uint_eq(most[2].truth, 1);
  ck_assert_uint_eq(nu_confused_most(&e, most, 0), 0);
}
END_TEST

START_TEST(axes_have_round_ticks_around_the_values) {
  static const struct {
    double low, high;
    bool log;
    const char *first, *last;
  } cases[] = {{0, 1, false, "0.0", "1.0"},
               {0.13, 0.87, false, "0.0", "1.0"},
               {48.1, 97.4, false, "40", "100"},
               {-3, 12, false, "-5", "15"},
               {5, 5, false, "4.4", "5.6"},
               {0, 0, false, "-1.0", "1.0"},
               {48123, 99000, false, "40000", "100000"},
               {0.005, 2, true, "0.01", "1"},
               {1e-9, 1e3, true, "1e-9", "1000"},
               {0.01, 0.29, false, "0.0", "0.3"},
               {2e-7, 9e-7, false, "2e-7", "1e-6"},
               {1e-320, 1e300, false, "0", "1e300"},
               {-1e308, 1e308, false, "-1e300", "1e300"}};
  char first[NU_REAL_TEXT], last[NU_REAL_TEXT];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    nu_axis axis = nu_axis_values(cases[i].low, cases[i].high, true);
    ck_assert_int_eq(axis.log, cases[i].log);
    ck_assert_uint_ge(axis.n_ticks, 3);
    ck_assert_uint_lt(axis.n_ticks, 14);
    ck_assert_str_eq(nu_axis_label(&axis, axis.tick[0], first), cases[i].first);
    ck_assert_str_eq(nu_axis_label(&axis, axis.tick[axis.n_ticks - 1], last), cases[i].last);
    for (size_t t = 0; t < axis.n_ticks; t++) {
      double place = nu_axis_place(&axis, axis.tick[t]);
      ck_assert(place > -1e-6 && place < 1 + 1e-6);
      ck_assert(t == 0 || axis.tick[t] > axis.tick[t - 1]);
      ck_assert(t == 0 || strcmp(nu_axis_label(&axis, axis.tick[t], first),
                                 nu_axis_label(&axis, axis.tick[t - 1], last)) != 0);
    }
    if (cases[i].low > -1e300 && cases[i].high < 1e300) {
      ck_assert(nu_axis_place(&axis, cases[i].low) > -1e-6);
      ck_assert(nu_axis_place(&axis, cases[i].high) < 1 + 1e-6);
    }
  }
}
END_TEST

START_TEST(epoch_axes_have_whole_ticks) {
  for (double n = 1; n < 3000; n = n * 1.3 + 1) {
    double last = (double)(int)n;
    nu_axis axis = nu_axis_counts(1, last);
    ck_assert_uint_ge(axis.n_ticks, 1);
    ck_assert_uint_le(axis.n_ticks, 8);
    for (size_t t = 0; t < axis.n_ticks; t++) {
      ck_assert(axis.tick[t] == (double)(int)axis.tick[t]);
      ck_assert(axis.tick[t] >= 1 && axis.tick[t] <= last);
    }
  }
}
END_TEST

/* ---- the table */

static void expect_table(const nu_result *result, bool colour, const char *expected) {
  nu_text out = {0};
  nu_result_table(result, colour, &out);
  ck_assert_str_eq(nu_text_view(&out), expected);
  nu_text_clear(&out);
}

START_TEST(table_of_classes) {
  setenv("LC_ALL", "C.UTF-8", 1);
  nu_evaluation test = evaluation_of(3, animal_confusion);
  nu_schema schema = {.classes = 3, .class_names = animals};
  numann_epoch *epochs = make_epochs(4);
  epochs[2].best = true;
  nu_result result = {.schema = &schema, .test = &test, .epochs = epochs, .n_epochs = 4};
  expect_table(&result, false,
               "                rows         loss     accuracy    one class\n"
               "test              30       0.1250      90.00 %      40.00 %\n"
               "best epoch  3 of 4, its weights are kept\n"
               "\n"
               "test rows, by class\n"
               "class                             precision     recall         F1      rows\n"
               "cat                                  88.9 %     80.0 %     84.2 %        10\n"
               "dog & <b>wolf</b>                    81.8 %     90.0 %     85.7 %        10\n"
               "\"o'possum\" of a rather long name    100.0 %    100.0 %    100.0 %        10\n"
               "mean                                 90.2 %     90.0 %     90.0 %        30\n"
               "\n"
               "test rows, confusion (a row: the truth; a column: the answer)\n"
               "                        cat dog & <b>… \"o'possum…\n"
               "cat                       8          2          .\n"
               "dog & <b>wolf</…          1          9          .\n"
               "\"o'possum\" of a…          .          .         10\n");
  free(epochs);
}
END_TEST

START_TEST(table_of_numbers) {
  nu_evaluation train = {
      .rows = 400, .loss = 0.25, .accuracy = NAN, .rmse = 48123.4, .constant = 61000};
  nu_evaluation none = {.rows = 0};
  nu_schema schema = {.targets = 1};
  nu_result result = {.schema = &schema, .train = &train, .validation = &none};
  expect_table(&result, true,
               "                rows         loss         rmse   mean alone\n"
               "training         400       0.2500      48123.4      61000.0\n");
  result.train = NULL;
  expect_table(&result, true, "");
}
END_TEST

START_TEST(table_colours_the_diagonal) {
  uint64_t confusion[] = {2, 1, 0, 3};
  nu_evaluation test = evaluation_of(2, confusion);
  nu_schema schema = {.classes = 2, .class_names = letters};
  nu_result result = {.schema = &schema, .test = &test};
  nu_text out = {0};
  nu_result_table(&result, true, &out);
  ck_assert_ptr_nonnull(strstr(nu_text_view(&out),
                               "\na \x1b[32m  2\x1b[0m \x1b[33m  1\x1b[0m\n"
                               "b \x1b[2m  .\x1b[0m \x1b[32m  3\x1b[0m\n"));
  nu_text_clear(&out);
}
END_TEST

START_TEST(table_of_many_classes_lists_confusions) {
  uint64_t confusion[26 * 26];
  fill_letters(confusion);
  nu_evaluation test = evaluation_of(26, confusion);
  nu_schema schema = {.classes = 26, .class_names = letters};
  nu_result result = {.schema = &schema, .test = &test};
  nu_text out = {0};
  nu_result_table(&result, false, &out);
  const char *list = strstr(nu_text_view(&out),
                            "test rows, most frequent confusions\n"
                            "truth   answer    rows   of class\n"
                            "c       f            4     40.0 %\n"
                            "a       b            1     16.7 %\n");
  ck_assert_ptr_nonnull(list);
  size_t lines = 0;
  for (const char *p = list; *p; p++) lines += *p == '\n';
  ck_assert_uint_eq(lines, 12);
  nu_text_clear(&out);
}
END_TEST

START_TEST(table_fits_80_columns) {
  for (size_t classes = 2; classes <= 20; classes++) {
    uint64_t confusion[400];
    for (size_t i = 0; i < classes * classes; i++) confusion[i] = i % 97;
    nu_evaluation test = evaluation_of(classes, confusion);
    nu_schema schema = {.classes = classes, .class_names = letters};
    nu_result result = {.schema = &schema, .test = &test};
    nu_text out = {0};
    nu_result_table(&result, false, &out);
    for (char *p = out.data; *p; p += strcspn(p, "\n") + 1) ck_assert_uint_le(strcspn(p, "\n"), 80);
    nu_text_clear(&out);
  }
}
END_TEST

/* ---- well-formed pages */

START_TEST(the_checker_finds_faults) {
  ck_assert(is_well_formed("<!DOCTYPE html><a b=\"1\" c=\"&amp;\">x &lt; y<br/></a>"));
  static const char *const bad[] = {
      "<a>",   "</a>", "<a><b></a></b>",     "<a b=1></a>",        "<a b=\"<\"></a>",
      "a < b", "AT&T", "<a b=\"x\"y\"></a>", "<a b=\"1\"c=\"2\"/>"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) ck_assert(!is_well_formed(bad[i]));
}
END_TEST

/* ---- report.html */

static char *write_page(const nu_result *result) {
  const char *parent = getenv("TMPDIR");
  char folder[256], path[300], *data;
  size_t size;
  snprintf(folder, sizeof folder, "%s/numann-page-XXXXXX", parent ? parent : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/report.html", folder);
  ck_assert_int_eq(nu_report_write(path, result, NULL), NUMANN_OK);
  ck_assert_int_eq(nu_file_read(path, 1 << 24, NUMANN_ERR_DATA, &data, &size, NULL), NUMANN_OK);
  ck_assert_uint_eq(strlen(data), size);
  unlink(path);
  ck_assert_int_eq(rmdir(folder), 0); /* no temporary file is left */
  return data;
}

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
  return n;
}

/* What must hold for every page: it needs nothing from outside and no number is missing. */
static void expect_sound(const char *page) {
  static const char *const banned[] = {"<script", "http:", "https:", "src=", "@import", "url(",
                                       ">nan",    "\"nan", " nan",   "inf ", "-0.0 ",   "\x1b"};
  ck_assert(is_well_formed(page));
  for (size_t i = 0; i < sizeof banned / sizeof banned[0]; i++)
    ck_assert_msg(!strstr(page, banned[i]), "the page has %s", banned[i]);
}

START_TEST(page_of_classes_is_sound_and_escaped) {
  nu_evaluation test = evaluation_of(3, animal_confusion);
  nu_schema schema = {.classes = 3, .class_names = animals};
  numann_epoch *epochs = make_epochs(30);
  nu_result result = {.title = "a<b>&\"'\x1b",
                      .config_text = "a: <b> & \"c\"\nd: 'e'\n",
                      .machine_text = "cpu: A&B\n",
                      .network_text = "4 - 3",
                      .weights_sha256 = "abc123",
                      .schema = &schema,
                      .epochs = epochs,
                      .n_epochs = 30,
                      .test = &test,
                      .seconds = 4.2};
  char *page = write_page(&result);
  expect_sound(page);
  ck_assert_ptr_nonnull(strstr(page, "<title>a&lt;b&gt;&amp;&quot;&#39;\xef\xbf\xbd - numann"));
  ck_assert_ptr_nonnull(strstr(page, "a: &lt;b&gt; &amp; &quot;c&quot;\nd: &#39;e&#39;\n</pre>"));
  ck_assert_ptr_nonnull(strstr(page, "title=\"&quot;o&#39;possum&quot; of a rather long name\""));
  ck_assert_ptr_nonnull(strstr(page, "<b>90.00 %</b>"));
  ck_assert_ptr_nonnull(strstr(page, "abc123"));
  ck_assert_ptr_nonnull(strstr(page, "lowest loss: epoch 30"));
  ck_assert_ptr_nonnull(strstr(page, ">8</td><td class=\"miss"));
  ck_assert_uint_eq(count(page, "<svg"), 2); /* the learning rate is constant: no curve of it */
  ck_assert_uint_eq(count(page, "<circle class=\"dot\""), 90);
  free(page);
  epochs[7].learning_rate = 0.05;
  epochs[4].best = true;
  page = write_page(&result);
  expect_sound(page);
  ck_assert_uint_eq(count(page, "<svg"), 3);
  ck_assert_ptr_nonnull(strstr(page, "best: epoch 5"));
  free(page);
  free(epochs);
}
END_TEST

START_TEST(page_leaves_gaps_where_numbers_are_missing) {
  numann_epoch *epochs = make_epochs(50);
  for (size_t i = 0; i < 50; i++) {
    if (i % 10 == 3 || i == 11) epochs[i].validation_loss = NAN; /* epoch 13 stands alone */
    if (i > 20) epochs[i].validation_accuracy = NAN;
    if (i == 33) epochs[i].train_loss = INFINITY;
  }
  nu_schema schema = {.targets = 1};
  nu_result result = {.schema = &schema, .epochs = epochs, .n_epochs = 50, .seconds = NAN};
  char *page = write_page(&result);
  expect_sound(page);
  const char *curve = strstr(page, "<g class=\"validation\"><path");
  ck_assert_ptr_nonnull(curve);
  size_t moves = 0, end = strcspn(strstr(curve, "d=\"") + 3, "\"");
  for (size_t i = 0; i < end; i++) moves += strstr(curve, "d=\"")[3 + i] == 'M';
  ck_assert_uint_eq(moves, 7);
  ck_assert_uint_eq(count(page, "<circle class=\"dot\""), 1);
  free(page);
  free(epochs);
}
END_TEST

/* The training curve goes through this value. */
static void expect_point(const char *page, const nu_axis *axis, double value) {
  const char *path = strstr(strstr(page, "<g class=\"train\"><path"), "d=\"") + 3;
  char place[16];
  snprintf(place, sizeof place, " %.1fL", 248.0 - 202.0 * nu_axis_place(axis, value));
  const char *found = strstr(path, place);
  ck_assert(found && found < strchr(path, '"'));
}

START_TEST(page_of_any_length_is_sound) {
  static const size_t lengths[] = {0, 1, 2, 41, 400, 401, 5000};
  size_t n = lengths[_i];
  numann_epoch *epochs = make_epochs(n ? n : 1);
  if (n > 100) { /* must not be thinned away */
    epochs[n / 2].train_loss = 777.0;
    epochs[n / 2 + 1].train_loss = 0.00001;
  }
  nu_schema schema = {.classes = 3, .class_names = animals};
  nu_result result = {.schema = &schema, .epochs = epochs, .n_epochs = n};
  char *page = write_page(&result);
  expect_sound(page);
  ck_assert_uint_le(strlen(page), 60000);
  ck_assert_uint_eq(count(page, "<svg"), n ? 2 : 0);
  if (n > 100) {
    nu_axis axis = nu_axis_values(0.00001, 777.0, true);
    expect_point(page, &axis, 777.0);
    expect_point(page, &axis, 0.00001);
  }
  free(page);
  free(epochs);
}
END_TEST

START_TEST(page_of_many_classes_and_a_network) {
  uint64_t confusion[26 * 26];
  fill_letters(confusion);
  nu_evaluation test = evaluation_of(26, confusion);
  nu_schema schema = {.classes = 26, .class_names = letters};
  nu_layer layers[] = {{.inputs = 16, .neurons = 5, .activation = NU_RELU},
                       {.inputs = 5, .neurons = 26, .activation = NU_SOFTMAX}};
  struct numann_network network = {.n_layers = 2, .layers = layers};
  nu_result result = {.schema = &schema, .test = &test, .network = &network};
  char *page = write_page(&result);
  expect_sound(page);
  ck_assert_ptr_nonnull(
      strstr(page, "<td class=\"name\">c</td><td class=\"name\">f</td><td>4</td>"));
  ck_assert_ptr_null(strstr(page, "class=\"heat"));
  ck_assert_uint_eq(count(page, "class=\"neuron\""), 6 + 5 + 6);
  ck_assert_ptr_nonnull(strstr(page, ">softmax</text>"));
  free(page);
}
END_TEST

START_TEST(page_that_cannot_be_written_is_an_error) {
  nu_result result = {.title = "x"};
  numann_error err = {0};
  ck_assert_int_eq(nu_report_write("/nonexistent/report.html", &result, &err), NUMANN_ERR_IO);
  ck_assert_ptr_nonnull(strstr(err.message, "/nonexistent/report.html"));
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *const *tests, size_t n) {
  TCase *tcase = tcase_create(name);
  tcase_set_timeout(tcase, 120);
  for (size_t i = 0; i < n; i++) tcase_add_test(tcase, tests[i]);
  suite_add_tcase(suite, tcase);
}

int main(void) {
  Suite *suite = suite_create("page");
  const TTest *const numbers[] = {scores_follow_their_definitions, confusions_come_by_frequency,
                                  axes_have_round_ticks_around_the_values,
                                  epoch_axes_have_whole_ticks};
  const TTest *const table[] = {table_of_classes, table_of_numbers, table_colours_the_diagonal,
                                table_of_many_classes_lists_confusions, table_fits_80_columns};
  const TTest *const page[] = {the_checker_finds_faults, page_of_classes_is_sound_and_escaped,
                               page_leaves_gaps_where_numbers_are_missing,
                               page_of_many_classes_and_a_network,
                               page_that_cannot_be_written_is_an_error};
  add_case(suite, "numbers", numbers, sizeof numbers / sizeof numbers[0]);
  add_case(suite, "table", table, sizeof table / sizeof table[0]);
  add_case(suite, "page", page, sizeof page / sizeof page[0]);
  TCase *lengths = tcase_create("lengths");
  tcase_set_timeout(lengths, 120);
  tcase_add_loop_test(lengths, page_of_any_length_is_sound, 0, 7);
  suite_add_tcase(suite, lengths);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
