/* Files read in blocks by a team of threads: the same rows, labels and messages as record by
 * record, for every place of the cuts. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/table.h"
#include "data_support.h"

static const nu_reading one_by_one = {1, 0, 1};
static const nu_reading readings[] = {{1, 1, 1},    {1, 64, 3},  {2, 1, 2},   {2, 2, 7},
                                      {3, 3, 3},    {2, 11, 50}, {5, 16, 5},  {2, 61, 4},
                                      {3, 150, 10}, {2, 400, 2}, {4, 40, 40}, {2, 100000, 4}};
#define N(array) (sizeof array / sizeof array[0])

/* ---- a table and how its reading ended */

typedef struct outcome {
  numann_status status;
  numann_error err;
  nu_table table;
} outcome;

static outcome read_with(const char *path, const numann_config *config, const nu_reading *reading) {
  nu_crew crew = {.config = config};
  outcome o = {0};
  nu_request request = {
      .source = {path, NULL, true}, .config = config, .crew = &crew, .reading = reading};
  o.status = nu_table_read(&o.table, &request, &o.err);
  return o;
}

static void check_labels_equal(const nu_table *a, const nu_table *b) {
  ck_assert_int_eq(a->labels.overflow, b->labels.overflow);
  ck_assert_uint_eq(a->labels.n, b->labels.n);
  for (size_t i = 0; i < a->labels.n; i++) {
    const nu_label *x = &a->labels.list[i], *y = &b->labels.list[i];
    ck_assert_pstr_eq(x->text, y->text);
    ck_assert_mem_eq(&x->number, &y->number, sizeof x->number);
    ck_assert_uint_eq(x->place, y->place);
  }
  for (size_t r = 0; a->targets == 1 && !a->labels.overflow && r < a->rows; r++) {
    ck_assert_uint_eq(a->label_ids[r], b->label_ids[r]);
  }
}

static void check_equal(outcome *a, outcome *b) {
  ck_assert_str_eq(a->err.message, b->err.message);
  ck_assert_int_eq(a->status, b->status);
  if (a->status != NUMANN_OK) return;
  ck_assert_uint_eq(a->table.rows, b->table.rows);
  ck_assert_uint_eq(a->table.dropped, b->table.dropped);
  ck_assert_uint_eq(a->table.features, b->table.features);
  ck_assert_uint_eq(a->table.targets, b->table.targets);
  size_t bytes = (a->table.features + a->table.targets) * sizeof(float);
  for (size_t r = 0; r < a->table.rows; r++) {
    ck_assert_mem_eq(nu_table_row(&a->table, r), nu_table_row(&b->table, r), bytes);
  }
  check_labels_equal(&a->table, &b->table);
}

static void check_all_ways(const char *path, const numann_config *config, size_t first, size_t n) {
  outcome expected = read_with(path, config, &one_by_one);
  for (size_t i = first; i < first + n; i++) {
    outcome found = read_with(path, config, &readings[i]);
    check_equal(&found, &expected);
    nu_table_clear(&found.table);
  }
  nu_table_clear(&expected.table);
}

/* ---- random texts: columns a, n (left out), b, and the target t */

static uint32_t below(uint64_t *draw, uint32_t n) {
  return nu_random_bits((nu_stream){.seed = 5, .purpose = NU_PURPOSE_GENERATE}, (*draw)++) % n;
}

/* Content that a row may have, then what it must not have. */
static const char *const numbers[] = {"1",
                                      "-2.5",
                                      " 3e2 ",
                                      "\"4\"",
                                      "0.1234567890123456789",
                                      "+7",
                                      "\t8",
                                      "123456789012345678901234567890e-20",
                                      "\" 5\"",
                                      "\"6\" "};
static const char *const notes[] = {
    "x",        "",    "\"a,b\"",         "\"two\nlines\"", "\"\"\"q\"\"\"",
    "\"\n\n\"", "y z", "\"\n1,2,3,4\n\"", "\"cr\r\nlf\"",   "caf\xc3\xa9",
    "in\"side"};
static const char *const targets[] = {"0",   "1",  "red",    "\"green\"",
                                      "1.0", "-0", " blue ", "\"re\"\"d\""};
static const char *const faults[] = {
    "1,x,1\n",        "1,x,1,0,5\n", "\n",       "1,\"x,2,3\n", "1,x,two,0\n",
    "1,x,1e99,0\n",   " \t\n",       "1,x,,0\n", "1,x,1,\n",    "1,\"x\"y,2,0\n",
    "1,x,2,3\r4,5\n", "1,x,nan,0\n", ",,,\n",    "1 2,x,3,0\n", "1,x,1e999,0\n"};

static size_t add_row(char *text, uint64_t *draw, bool only_numbers) {
  const char *end = below(draw, 4) ? "\n" : "\r\n";
  return (size_t)sprintf(text, "%s,%s,%s,%s%s", numbers[below(draw, N(numbers))],
                         notes[below(draw, N(notes))], numbers[below(draw, N(numbers))],
                         targets[below(draw, only_numbers ? 2 : N(targets))], end);
}

/* Mostly good rows, up to two faults, and an end that may be missing or several. */
static size_t make_text(char *text, uint64_t *draw, size_t rows) {
  size_t n = (size_t)sprintf(text, "a,n,b,t\n1,x,2,0\n");
  size_t wrong = below(draw, 3), at[2] = {below(draw, (uint32_t)rows), below(draw, (uint32_t)rows)};
  bool only_numbers = below(draw, 2);
  for (size_t r = 0; r < rows; r++) {
    n += add_row(text + n, draw, only_numbers);
    for (size_t w = 0; w < wrong; w++) {
      if (at[w] == r) n += (size_t)sprintf(text + n, "%s", faults[below(draw, N(faults))]);
    }
  }
  if (below(draw, 3) == 0) n--;
  for (uint32_t empty = below(draw, 3); empty > 0; empty--) text[n++] = '\n';
  return n;
}

static numann_config *config_for(const char *more) {
  return make_config(2, "train: {path: unused, target: t}, drop: [n]%s", more);
}

/* Loop index: a text. A NUL byte goes where no string constant has one. */
START_TEST(any_text_is_read_as_record_by_record) {
  static char text[100000];
  uint64_t draw = (uint64_t)_i << 32;
  size_t n = make_text(text, &draw, 1 + below(&draw, 30));
  if (_i % 16 == 0) text[below(&draw, (uint32_t)n)] = '\0';
  numann_config *config = config_for(_i % 2 ? "" : ", blank: drop_row");
  check_all_ways(put_bytes("t.csv", text, n), config, 0, N(readings));
  numann_config_destroy(config);
}
END_TEST

/* Longer than the first window: blocks change places, and damage of the stream comes in its turn.
 */
START_TEST(long_texts_are_read_as_record_by_record) {
  static char text[2000000];
  uint64_t draw = (uint64_t)(1000 + _i) << 32;
  size_t n = make_text(text, &draw, 14000), bytes;
  numann_config *config = config_for(", blank: drop_row");
  check_all_ways(put_bytes("t.csv", text, n), config, 8, 4);
  unsigned char *packed = malloc(n);
  FILE *file = fopen(put_gz("t.csv.gz", text, n), "rb");
  ck_assert(packed && file);
  bytes = fread(packed, 1, n, file);
  fclose(file);
  check_all_ways(temp_path("t.csv.gz"), config, 8, 4);
  check_all_ways(put_bytes("t.csv.gz", packed, bytes - 1 - below(&draw, (uint32_t)bytes / 2)),
                 config, 8, 4);
  free(packed);
  numann_config_destroy(config);
}
END_TEST

START_TEST(any_beginning_of_a_text_is_read_as_record_by_record) {
  static const char text[] =
      "a,n,b,t\n1,x,2,0\n3,\"y\n\nz\",4,1\r\n\"5\",,6,red\n 7 ,\"a,\"\"b\",-8e1,0\n\n\n";
  numann_config *config = config_for("");
  for (size_t n = 1; n < sizeof text; n++) {
    check_all_ways(put_bytes("t.csv", text, n), config, 0, 9);
    check_all_ways(put_gz("t.csv.gz", text, n), config, 2, 3);
  }
  numann_config_destroy(config);
}
END_TEST

/* Other separators, of which blanks are the odd ones, and limits of what a line may be. */
START_TEST(separators_and_limits_hold_in_blocks) {
  static const char *const texts[] = {"1 2  3\n 4\t5 6 \n7 8\t\t9\r\n1 2 3",
                                      "1 2 3\n4 5  6\n1 2 3 4\n",
                                      "1 2 3\n\"4\" 5 6\n7 \"8\"x 9\n",
                                      "1\t2\t3\n 4\t 5 \t6 \n7\t8\t9\n",
                                      "1;2;3\n4 ;5; 6\n7;8,5;9\n",
                                      "1\t2\t3\n4\t\t6\n",
                                      "1,2,3\n4,5,6\n1,2,3e\n",
                                      "1,2,3\n4,5,6\n1,2,3.\n.5,+.5e1,-0\n"};
  numann_config *config = make_config(1, "train: {path: unused, target: -1}");
  for (size_t i = 0; i < N(texts); i++) check_all_ways(put_text("t.csv", texts[i]), config, 0, 9);
  static char text[20000];
  for (size_t length = 4095; length <= 4098; length++) {
    for (int kind = 0; kind < 3; kind++) { /* a long number, blanks behind one, blanks before one */
      size_t n = (size_t)sprintf(text, "1,2,3\n4,5,6\n");
      memset(text + n, kind == 0 ? '0' : ' ', length);
      if (kind == 1) text[n] = '7';
      n += length;
      n += (size_t)sprintf(text + n, kind == 2 ? "7,8,9\n" : ",8,9\n");
      check_all_ways(put_bytes("t.csv", text, n), config, 8, 4);
    }
  }
  numann_config_destroy(config);
}
END_TEST

/* More values than classes may be: from there on they are not counted, and texts are refused. */
START_TEST(too_many_labels_are_noticed_in_blocks) {
  static char text[2000000];
  size_t n = (size_t)sprintf(text, "a,n,b,t\n");
  for (int i = 0; i < 90000; i++) {
    n += (size_t)sprintf(text + n, "1,x,2,%s%d\n", i == 7 ? "text" : "", i % 80000);
  }
  numann_config *config = config_for("");
  check_all_ways(put_bytes("t.csv", text, n), config, 8, 4);
  n += (size_t)sprintf(text + n, "1,x,2,red\n1,x,2,3\n");
  check_all_ways(put_bytes("t.csv", text, n), config, 8, 4);
  numann_config_destroy(config);
}
END_TEST

/* ---- arrays: 3000 rows of 300 floats, labels of float */

enum { ROWS = 3000, WIDTH = 300 };

static float big_endian(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits = __builtin_bswap32(bits);
  memcpy(&x, &bits, sizeof bits);
  return x;
}

static const char *put_floats(const char *name, size_t rank, const float *values, size_t rows) {
  static unsigned char file[ROWS * WIDTH * 4 + 100];
  size_t n = make_idx(file, 0x0D, rank, (uint32_t[]){ROWS, WIDTH}, values,
                      rows * (rank == 2 ? WIDTH : 1) * 4);
  return strstr(name, ".gz") ? put_gz(name, file, n) : put_bytes(name, file, n);
}

static void check_arrays(const float *inputs, const float *labels, size_t rows, const char *name,
                         const char *expected) {
  numann_config *config =
      make_config(1, "train: {images: \"%s\", labels: \"%s\"}", put_floats(name, 2, inputs, rows),
                  put_floats("l", 1, labels, ROWS));
  numann_data *data = NULL;
  numann_error err = {0};
  numann_status status = numann_data_load(&data, config, &err);
  if (expected)
    ck_assert_msg(strstr(err.message, expected) != NULL, "'%s' is not in '%s'", expected,
                  err.message);
  else ck_assert_msg(status == NUMANN_OK, "%s", err.message);
  for (size_t i = 0; !expected && i < (size_t)ROWS * WIDTH; i++) {
    ck_assert_float_eq(data->train.inputs[i], big_endian(inputs[i]));
    if (i < ROWS) ck_assert_float_eq(data->train.targets[i], big_endian(labels[i]));
  }
  numann_data_destroy(data);
  numann_config_destroy(config);
}

START_TEST(arrays_are_read_in_blocks) {
  static float inputs[ROWS * WIDTH], labels[ROWS];
  const float nan = big_endian(NAN);
  char expected[64];
  for (size_t i = 0; i < N(inputs); i++) inputs[i] = big_endian((float)i / 7.0f);
  for (size_t i = 0; i < N(labels); i++) labels[i] = big_endian((float)i / 3.0f);
  for (int gz = 0; gz < 2; gz++) {
    const char *name = gz ? "i.gz" : "i";
    check_arrays(inputs, labels, ROWS, name, NULL);
    inputs[2500 * WIDTH + 7] = inputs[2600 * WIDTH] = nan;
    snprintf(expected, sizeof expected, "%s@%d: the value is not finite", name,
             12 + (2500 * WIDTH + 7) * 4);
    check_arrays(inputs, labels, ROWS, name, expected);
    labels[2501] = nan; /* behind the first fault of the inputs */
    check_arrays(inputs, labels, ROWS, name, expected);
    labels[2499] = nan; /* before it */
    check_arrays(inputs, labels, ROWS, name, "l@10004: the value is not finite");
    inputs[2500 * WIDTH + 7] = inputs[2600 * WIDTH] = labels[2501] = labels[2499] = 0.0f;
  }
  snprintf(expected, sizeof expected, "i.gz@%d: the data end early", 12 + 2000 * WIDTH * 4);
  check_arrays(inputs, labels, 2000, "i.gz", expected);
}
END_TEST

/* ---- all of it, on the threads that there are */

static numann_data *load_with(const char *path, int threads, const char *scale) {
  char text[2048];
  numann_config *config;
  snprintf(text, sizeof text,
           "data: {train: {path: \"%s\", target: -1}, validation: {fraction: 0.3}, scale: %s}\n"
           "network: {layers: [{neurons: 1, activation: identity}]}\n"
           "train: {loss: squared_error, seed: 1}\nparallel: {threads: %d}\n",
           path, scale, threads);
  ck_assert_int_eq(numann_config_parse(&config, text, "test.yaml", NULL), NUMANN_OK);
  numann_data *data = load(config);
  numann_config_destroy(config);
  return data;
}

START_TEST(threads_change_no_bit) {
  static const char *const scales[] = {"standardize", "min_max", "3"};
  static char text[10000000];
  uint64_t draw = 0;
  size_t n = 0;
  for (int r = 0; r < 40000; r++) {
    for (int c = 0; c < 21; c++) {
      n += (size_t)sprintf(text + n, "%.6f%c", (double)below(&draw, 1u << 31) / 3e7,
                           c == 20 ? '\n' : ',');
    }
  }
  const char *path = put_bytes("t.csv", text, n);
  for (size_t s = 0; s < N(scales); s++) {
    numann_data *one = load_with(path, 1, scales[s]), *many = load_with(path, 4, scales[s]);
    const nu_rows *const a[] = {&one->train, &one->validation}, *const b[] = {&many->train,
                                                                              &many->validation};
    for (int p = 0; p < 2; p++) {
      ck_assert_uint_eq(a[p]->rows, b[p]->rows);
      ck_assert_mem_eq(a[p]->inputs, b[p]->inputs, a[p]->rows * 20 * sizeof(float));
      ck_assert_mem_eq(a[p]->targets, b[p]->targets, a[p]->rows * sizeof(float));
    }
    numann_data_destroy(one);
    numann_data_destroy(many);
  }
}
END_TEST

static Suite *blocks_suite(void) {
  Suite *suite = suite_create("data blocks");
  TCase *tcase = tcase_create("blocks");
  tcase_set_timeout(tcase, 120);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  tcase_add_loop_test(tcase, any_text_is_read_as_record_by_record, 0, 400);
  tcase_add_loop_test(tcase, long_texts_are_read_as_record_by_record, 0, 12);
  tcase_add_test(tcase, any_beginning_of_a_text_is_read_as_record_by_record);
  tcase_add_test(tcase, separators_and_limits_hold_in_blocks);
  tcase_add_test(tcase, too_many_labels_are_noticed_in_blocks);
  tcase_add_test(tcase, arrays_are_read_in_blocks);
  tcase_add_test(tcase, threads_change_no_bit);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(blocks_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
