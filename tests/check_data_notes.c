/* What the data stage makes of headers that are numbers, of names that are numbers, and what it
 * tells of data that it takes. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "data_support.h"

/* ---- headers: rows that are left, and a part of what is told (NULL: nothing) */

static const struct {
  const char *text, *options, *note;
  size_t rows, classes;
} headers[] = {
    {"0,1,2\n1.5,2.5,g\n3.5,1.5,h\n2,2,g\n", "", "counts the columns", 3, 2},
    {"0,1,2,3\n5,6,7,1\n5,6,8,0\n4,4,4,1\n", ", targets: classes", "counts the columns", 3, 2},
    {"0,1,2,3\n5,6,7,1\n5,6,8,0\n4,4,4,3\n", ", header: false, targets: classes", NULL, 4, 3},
    {",0,1,2\n9,1.5,2.5,g\n9,3.5,1.5,h\n", ", drop: [0]", "counts the columns", 2, 2},
    {"0,1,2,3,label\n5,6,7,1,2\n5,6,8,0,1\n4,4,4,1,2\n", ", targets: classes", "counts the columns",
     3, 2},
    /* rows, though they count */
    {"0,1,2\n3,4,5\n6,7,8\n", "", NULL, 3, 0},
    {"0,1,a\n1,0,b\n1,1,a\n0,0,b\n", "", NULL, 4, 2},
    {"1,2,3,4\n5,6,7,8\n2,2,2,2\n", "", NULL, 3, 0},
    /* a header that only its class betrays */
    {"2019,2020,kind\n1.5,2,g\n2.5,2,h\n1,1,g\n2,2,h\n", "", "the class 'kind' is in the first", 5,
     3},
    {"7,8,9\n1.5,2,g\n2.5,2,h\n1,1,g\n2,2,h\n", "", "the class '9' is in the first line", 5, 3},
    {"7,8,9\n1.5,2,g\n2.5,2,h\n1,1,g\n", ", header: false", NULL, 4, 3},
    {"7,8,9\n1.5,2,g\n2.5,2,h\n1,1,g\n", ", header: true", NULL, 3, 2},
    {"7,8,g\n1.5,2,g\n2.5,2,h\n1,1,h\n", "", NULL, 4, 2},
    /* columns without a name */
    {",a,t\n0,1,2\n1,3,5\n", "", "column 0 (counted from 0) has no name", 2, 0},
    {",a,t\n0,1,2\n1,3,5\n", "", "data.drop: [0]", 2, 0},
    {",a,t\n0,1,2\n1,3,5\n", ", drop: [0]", NULL, 2, 0},
    {"a,Unnamed: 0,t\n0,1,2\n1,3,5\n", "", "data.drop: [1]", 2, 0},
    {",,a,t\n0,0,1,2\n1,1,3,5\n", "", "as are 1 more", 2, 0},
    /* names that are numbers */
    {"a,2019,b,t\n1,x,3,4\n2,y,4,5\n", ", drop: [\"2019\"]", NULL, 2, 0},
    {"2018,2019,2020,2021\n1,x,3,4\n2,y,4,5\n", ", drop: [\"2019\"]", NULL, 2, 0},
    {"3,2,1,0\n1,x,3,4\n2,y,4,5\n", ", drop: [\"2\"]", NULL, 2, 0},
    {"3,2,1,0\n1,x,3,4\n2,y,4,5\n", ", header: true, drop: [1]", NULL, 2, 0},
};

START_TEST(headers_that_are_numbers) {
  numann_data *data = load_table(put_text("h.csv", headers[_i].text), "-1", headers[_i].options);
  const char *notes = nu_text_view(&data->notes);
  ck_assert_uint_eq(data->train.rows, headers[_i].rows);
  ck_assert_uint_eq(data->schema.classes, headers[_i].classes);
  if (headers[_i].note) ck_assert_msg(strstr(notes, headers[_i].note), "told: %s", notes);
  else ck_assert_str_eq(notes, "");
  numann_data_destroy(data);
}
END_TEST

/* The names of the training file are found again, with the target's and without. */
START_TEST(numbers_are_found_as_names) {
  static const char *const texts[] = {"1,0\n2,4\n6,8\n", "2,1,0\n9,2,4\n9,6,8\n", "2,4\n6,8\n"};
  static const float expected[][4] = {{4, 2, 8, 6}, {4, 2, 8, 6}, {2, 4, 6, 8}};
  for (int i = 0; i < 3; i++) {
    numann_config *config = make_config(1, "train: {path: \"%s\", target: 2}, header: true",
                                        put_text("t.csv", "0,1,2\n1.5,3,4\n"));
    numann_data *data = load(config);
    ck_assert_int_eq(numann_config_set(config, "data.header=auto", NULL), NUMANN_OK);
    nu_source source = {put_text("p.csv", texts[i]), NULL, false};
    nu_rows rows;
    ck_assert_int_eq(nu_data_read(&rows, &source, &data->schema, config, NULL), NUMANN_OK);
    ck_assert_uint_eq(rows.rows, 2);
    check_inputs(&rows, 2, expected[i]);
    nu_rows_clear(&rows);
    numann_data_destroy(data);
    numann_config_destroy(config);
  }
}
END_TEST

/* ---- what messages advise works: the file as it is with the options, or without what they name */

static const struct {
  const char *text, *target, *options;
} obeyed[] = {
    {"a,b,t,\n1,2,3,\n4,5,6,\n", "t", ", drop: [3]"},
    {"a,b,t,\n1,2,3,\n4,5,6,\n", "t", ", drop: [3], blank: drop_row"},
    {"1,2,\n4,5,\n", "1", ", drop: [2]"},
    {"a,b,,t\n1,2,,3\n4,5,,6\n", "t", ", drop: [2]"},
    {"#id,a,t\n1,2,3\n4,5,6\n", "t", ""},
};

START_TEST(advice_works_when_obeyed) {
  const char *path = put_text("o.csv", obeyed[_i].text);
  numann_data *data = load_table(path, obeyed[_i].target, obeyed[_i].options);
  ck_assert_uint_eq(data->train.rows, 2);
  numann_data_destroy(data);
}
END_TEST

/* ---- rows to answer: none are none, and advice is for those who have a model */

static numann_status ask(const char *path, bool with_targets, nu_rows *rows, numann_error *err) {
  nu_source source = {path, NULL, with_targets};
  numann_config *config = make_config(1, "train: {path: \"%s\", target: t}, drop: [d]",
                                      put_text("t.csv", "a,d,b,t\n1,9,2,3\n4,9,5,6\n"));
  numann_data *data = load(config);
  numann_status status = nu_data_read(rows, &source, &data->schema, config, err);
  numann_data_destroy(data);
  numann_config_destroy(config);
  return status;
}

static void check_none(const char *path, const char *refusal) {
  nu_rows rows;
  numann_error err = {0};
  numann_status status = ask(path, false, &rows, &err);
  ck_assert_msg(status == NUMANN_OK, "%s", err.message);
  ck_assert_uint_eq(rows.rows, 0);
  nu_rows_clear(&rows);
  ck_assert_int_eq(ask(path, true, &rows, &err), NUMANN_ERR_DATA);
  ck_assert_msg(strstr(err.message, refusal), "%s", err.message);
}

START_TEST(no_rows_have_no_answers) {
  unsigned char file[128];
  size_t n;
  check_none(put_text("h.csv", "a,b,t\n"), "no rows after the header");
  check_none(put_text("h.csv", ""), "empty; a file with data is expected");
  check_none(put_gz("h.csv", "", 0), "empty; a file with data is expected");
  check_none(put_text("h.csv", "\n\n"), "only empty lines");
  n = make_npy(file, "{'descr':'<f8','fortran_order':False,'shape':(0,2)}", "", 0);
  check_none(put_bytes("a.npy", file, n), "that is none");
  n = make_npy(file, "{'descr':'<f8','fortran_order':True,'shape':(0,2)}", "", 0);
  check_none(put_bytes("a.npy", file, n), "that is none");
}
END_TEST

static const struct {
  const char *text, *fragment, *never;
} asked[] = {
    {"a,b\n1,x\n", "'x' is not a finite number; correct it", "data.drop"},
    {"a,b\n1,\n", "column 'b' is blank; fill it in", "data."},
    {"a,b\n1,2,\n", "a separator ends the line; remove it", "data."},
    {"1,2,\n4,5,\n", "3 columns without a header, but the network's were chosen by name", "data."},
    {"1,2,3,4\n4,5,6,7\n", "or its 2 inputs alone", "data."},
    {"# x y\na,b\n1,2\n", "remove lines that begin with '#'", "data."},
};

START_TEST(advice_is_for_those_who_ask) {
  nu_rows rows;
  numann_error err = {0};
  ck_assert_int_eq(ask(put_text("q.csv", asked[_i].text), false, &rows, &err), NUMANN_ERR_DATA);
  ck_assert_msg(strstr(err.message, asked[_i].fragment), "%s", err.message);
  ck_assert_msg(!strstr(err.message, asked[_i].never), "%s", err.message);
}
END_TEST

/* ---- classes without a training row */

#define TEN "1,x\n2,x\n3,x\n4,x\n5,x\n6,x\n7,x\n8,x\n9,x\n"
static const struct {
  const char *text, *options, *note;
} lost[] = {
    {"1,a\n" TEN, ", test: {fraction: 0.9}", "no training row has the class 'a': all"},
    {"1,a\n" TEN, ", test: {fraction: 0.9}, stratify: true", "no training row has the class 'a'"},
    {"1,a\n1,a\n" TEN, ", test: {fraction: 0.2}, stratify: true", NULL},
    {"1,a\n1,b\n1,c\n1,x\n1,x\n", ", test: {fraction: 0.8}", "'a', 'b', 'c': all"},
};

START_TEST(classes_without_a_training_row_are_told) {
  numann_data *data = load_table(put_text("l.csv", lost[_i].text), "1", lost[_i].options);
  const char *notes = nu_text_view(&data->notes);
  if (lost[_i].note) ck_assert_msg(strstr(notes, lost[_i].note), "told: %s", notes);
  else ck_assert_ptr_null(strstr(notes, "no training row"));
  numann_data_destroy(data);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(tcase, test, 0, (int)(sizeof table / sizeof table[0]))

static Suite *notes_suite(void) {
  Suite *suite = suite_create("data notes");
  TCase *tcase = tcase_create("notes");
  tcase_set_timeout(tcase, 60);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  LOOP(headers_that_are_numbers, headers);
  tcase_add_test(tcase, numbers_are_found_as_names);
  LOOP(advice_works_when_obeyed, obeyed);
  tcase_add_test(tcase, no_rows_have_no_answers);
  LOOP(advice_is_for_those_who_ask, asked);
  LOOP(classes_without_a_training_row_are_told, lost);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(notes_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
