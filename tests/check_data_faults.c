/* Bad data files and options: a message always names the place. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_support.h"

/* Load with this `data:` mapping; it must fail with the status, and a line with the fragment. */
static void check_refused(const char *data_text, numann_status expected, const char *fragment) {
  numann_config *config = make_config(1, "%s", data_text);
  numann_error err = {0};
  numann_data *data;
  numann_status status = numann_data_load(&data, config, &err);
  ck_assert_msg(status == expected, "%s: status %d, message '%s'", data_text, (int)status,
                err.message);
  ck_assert_msg(strstr(err.message, fragment) != NULL, "'%s' is not in '%s'", fragment,
                err.message);
  ck_assert_ptr_null(strchr(err.message, '\n'));
  ck_assert_ptr_null(data);
  ck_assert_int_eq(err.status, status);
  ck_assert_int_eq(numann_data_load(&data, config, NULL), status);
  numann_config_destroy(config);
}

static void check_file_refused(const char *path, const char *more, const char *fragment) {
  char text[2048];
  snprintf(text, sizeof text, "train: {path: \"%s\", target: -1}%s", path, more);
  check_refused(text, NUMANN_ERR_DATA, fragment);
}

/* ---- text files; the last column is the target */

#define BYTES(text) text, sizeof text - 1
static const struct {
  const char *text;
  size_t bytes;
  const char *more, *fragment;
} texts[] = {
    {BYTES(""), "", "bad: empty; a file with data"},
    {BYTES("\n\n \n"), "", "bad: only empty lines"},
    {BYTES("a,b,t\n"), "", "bad: no rows after the header"},
    {BYTES("a,b,t\n1,2,3\n4,5\n"), "", "bad:3:1: 2 fields, but the first line has 3"},
    {BYTES("a,b,t\n1,2,3\n4,5,6,7\n"), "", "bad:3:1: 4 fields"},
    {BYTES("a,b,t\n1,2,3\n4,5,6,\n"), "", "bad:3:1: 4 fields"},
    {BYTES("a,b,t\n1,2,3,\n4,5,6,\n"), "", "line has 3: a separator ends the line; remove"},
    {BYTES("a,b,t\n1,2,3,\n4,5,6,\n"), "", "sed 's/,[[:space:]]*$//' FILE"},
    {BYTES("1,2,\n3,4,\n"), "", "data.drop: [2] and name another target"},
    {BYTES("a,,t\n1,,3\n"), "", "or leave the column out with data.drop: [1]"},
    {BYTES("a,b c,t\n1,x,3\n"), "", "data.drop: [1]"},
    {BYTES("a,2019,t\n1,x,3\n"), "", "data.drop: [1]"},
    {BYTES("1,2,\n3,4,\n"), ", blank: drop_row", "data.drop, such as [2], the last, where"},
    {BYTES("# a comment\na,b,t\n1,2,3\n"), "", "bad:1: a comment, it seems"},
    {BYTES("# a comment\n1,2,3\n"), "", "bad:1: a comment, it seems"},
    {BYTES("# a\n# b\n1,2,3\n"), "", "bad:2: a comment, it seems"},
    {BYTES("a,b,t\n1,2,3\n# a comment, too\n"), "", "bad:3: a comment, it seems"},
    {BYTES("a,b,t\n1,2,3\n% x, y, 3\n"), "", "sed '/^%/d' FILE"},
    {BYTES("a,b,t\n1,2,3\n#4,5,6\n"), "", "bad:3:1: column 'a': '#4' is not a finite number"},
    {BYTES("a,b,t\n1,2,3\n\n4,5,6\n"), "", "sed '/^[[:space:]]*$/d' FILE"},
    {BYTES("a;b;t\n1;2;3\n4,5,6\n"), "", "data.separator, which is ';'"},
    {BYTES("a,b,t\n1,2,3\n1,\0,3\n"), "", "bad:3:3: a NUL byte"},
    {BYTES("a,b,t\n1,2,3\n1,2\r,3\n"), "", "bad:3:4: a carriage return"},
    {BYTES("a,b,t\r1,2,3\r"), "", "bad:1:6: a carriage return"},
    {BYTES("a,b,t\n1,2,3\n1,\"2,3\n"), "", "bad:3:3: the quote that begins here"},
    {BYTES("a,b,t\n1,\"2\"x,3\n"), "", "bad:2:6: text after a closing quote"},
    {BYTES("a b t\n1 \"2\"x 3\n"), "", "bad:2:6: text after a closing quote"},
    {BYTES("a,b,t\n1,2,3\n\n4,5,6\n"), "", "bad:3: an empty line before a row"},
    {BYTES("a,b,t\n1,,3\n"), "", "bad:2:3: column 'b' is blank"},
    {BYTES("a,b,t\n1,,3\n"), "", "data.blank: drop_row"},
    {BYTES("a,b,t\n1,  ,3\n"), "", "bad:2:5: column 'b' is blank"},
    {BYTES("a,b,t\n1,\"\",3\n"), "", "bad:2:3: column 'b' is blank"},
    {BYTES("a,b,t\n1,2,\n"), "", "bad:2:5: column 't' is blank"},
    {BYTES("a,b,t\n1,,3\n,2,3\n"), ", blank: drop_row", "bad: no rows without blanks"},
    {BYTES("a,b,t\n1,x,3\n"), "", "bad:2:3: column 'b': 'x' is not a finite number"},
    {BYTES("a,b,t\n1,x,3\n"), "", "data.drop: [b]"},
    {BYTES("1,2,3\n4,x,6\n"), "", "bad:2:3: column 1 (counted from 0): 'x'"},
    {BYTES("1,2,3\n4,x,6\n"), "", "data.drop: [1]"},
    {BYTES("a,b,t\n\"1\n2\",2,3\n4,5,6\n"), "", "bad:2:1: column 'a': '1\\x0a2' is not"},
    {BYTES("a,b,t\n1,\"x\n\",3\n"), "", "bad:2:3: column 'b': 'x\\x0a'"},
    {BYTES("a,b,t\n1,nan,3\n"), "", "'nan' is not a finite number"},
    {BYTES("a,b,t\n1,-inf,3\n"), "", "'-inf' is not a finite number"},
    {BYTES("nan,2,3\n4,5,6\n"), "", "bad:1:1: column 0"},
    {BYTES("?,2,3\n4,5,6\n"), "", "bad:1:1: column 0"},
    {BYTES("a,b,t\n1,1e999,3\n"), "", "'1e999' is not a finite number"},
    {BYTES("a,b,t\n1,1e39,3\n"), "", "'1e39' is too large"},
    {BYTES("a,b,t\n1,0x10,3\n"), "", "'0x10' is not"},
    {BYTES("a,b,t\n1,2 3,3\n"), "", "'2 3' is not"},
    {BYTES("a,b,t\n1,1_000,3\n"), "", "'1_000' is not"},
    {BYTES("a;b;t\n1;2,5;3\n"), "", "'2,5' is not"},
    {BYTES("a,b,t\n1,--2,3\n"), "", "'--2' is not"},
    {BYTES("a,b,t\n1,e5,3\n"), "", "'e5' is not"},
    {BYTES("t\n1\n2\n"), "", "bad: no column is left as input"},
    {BYTES("a,k\xe9y,t\n1,2,3\n4,5,6\n"), "", "bad: the column name \"k\\xe9y\" is not UTF-8"},
    {BYTES("a,b,t\n1,2,x\xe9\n4,5,y\n"), "", "bad: the class name \"x\\xe9\" is not UTF-8"},
    {BYTES("a,b,t\n1,2,x\n3,4,y\n"), ", targets: values", "bad:2: the target is 'x'"},
    {BYTES("a,b,t\n1,2,x\n3,4,x\n"), "", "bad: all 2 rows are of one class"},
    {BYTES("a,b,t\n1,2,1\n3,4,0.5\n"), ", targets: classes", "bad:3: the target is 0.5"},
    {BYTES("PK\x03\x04zzzz"), "", "a zip archive"},
    {BYTES("\x89HDF\r\n\x1a\n"), "", "an HDF5 file"},
    {BYTES("\xFF\xFE"
           "1\0,\0"),
     "", "UTF-16 text"},
    {BYTES("\x1f"), "", "the gz file ends early"},
    {BYTES("\x1fxyz"), "", "damaged gz data"},
};

START_TEST(test_text) {
  check_file_refused(put_bytes("bad", texts[_i].text, texts[_i].bytes), texts[_i].more,
                     texts[_i].fragment);
}
END_TEST

/* The same content packed gives the same message. */
START_TEST(test_text_gz) {
  bool packed_already = texts[_i].bytes > 0 && texts[_i].text[0] == '\x1f';
  if (packed_already) return;
  check_file_refused(put_gz("bad", texts[_i].text, texts[_i].bytes), texts[_i].more,
                     texts[_i].fragment);
}
END_TEST

/* ---- IDX */

static const struct {
  const char *bytes;
  size_t n;
  const char *fragment;
} idx_files[] = {
    {BYTES("\0\0\x08\x02\0\0\0\2\0\0\0\2\1\2\3"), "of 1 bytes, 4 bytes in all, but 3"},
    {BYTES("\0\0\x08\x02\0\0\0\2\0\0\0\2\1\2\3\4\5"), "but 5 follow"},
    {BYTES("\0\0\x07\x02\0\0\0\2\0\0\0\2\1\2\3\4"), "bad@0: begins with the bytes 00 00 07"},
    {BYTES("\0\1\x08\x02\0\0\0\2\0\0\0\2\1\2\3\4"), "bad@0: begins with the bytes 00 01 08"},
    {BYTES("\0\0\x08\x00\1\2\3\4"), "bad@3: 0 dimensions"},
    {BYTES("\0\0\x08\x05\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\1"), "bad@3: 5 dimensions"},
    {BYTES("\0\0\x08\x02\0\0\0\0\0\0\0\2"), "declares 0x2 values, that is none"},
    {BYTES("\0\0\x08\x02\0\0\0\2\0\0\0\0"), "declares 2x0 values, that is none"},
    {BYTES("\0\0\x08\x02\0\0\0\2\xff\xff\xff\xff\1"), "at most"},
    {BYTES("\0\0\x0e\x02\xff\xff\xff\xff\0\x10\0\0\1"), "at most"},
    {BYTES("\0\0\x0e\x02\xff\xff\xff\xfe\0\x10\0\0\1"), "declares 4294967294x1048576"},
    {BYTES("\0\0\x08\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     "at most"},
    {BYTES("\0\0\x0d\x02\0\0\0\1\0\0\0\2\x7f\xc0\0\0\0\0\0\0"), "bad@12: the value is not finite"},
    {BYTES("\0\0\x0d\x02\0\0\0\1\0\0\0\2\0\0\0\0\xff\x80\0\0"), "bad@16: the value is not finite"},
    {BYTES("\0\0\x0e\x02\0\0\0\1\0\0\0\2\x7f\xe0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
     "bad@12: the value is too large"},
    {BYTES("\0\0\x08\x01\0\0\0\2\1\2"), "no column is left as input"},
};

START_TEST(test_idx) {
  check_file_refused(put_bytes("bad", idx_files[_i].bytes, idx_files[_i].n), "",
                     idx_files[_i].fragment);
}
END_TEST

/* A stream cannot be measured: the declared size must cost nothing, the data just end early. */
START_TEST(test_idx_gz_huge) {
  check_file_refused(put_gz("bad", BYTES("\0\0\x0e\x02\xff\xff\xff\xfe\0\x10\0\0\1")), "",
                     "bad@12: the data end early");
  check_file_refused(put_gz("bad", BYTES("\0\0\x08\x02\0\0\0\2\0\0\0\2\1\2\3\4\5")), "",
                     "bad@16: bytes follow the declared data");
}
END_TEST

/* ---- NPY */

static const struct {
  const char *dictionary;
  size_t bytes; /* of data */
  const char *fragment;
} npy_files[] = {
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)}", 3, "in all, but 3 follow"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)}", 5, "but 5 follow"},
    {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2)}", 3, "but 3 follow"},
    {"{'descr': '<f2', 'fortran_order': True, 'shape': (2, 3)}", 12,
     "bad@74: the value is not fin"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 2)}", 4, "values of type '|O'"},
    {"{'descr': '<U7', 'fortran_order': False, 'shape': (2, 2)}", 4, "values of type '<U7'"},
    {"{'descr': '<\nf4', 'fortran_order': False, 'shape': (2, 2)}", 16,
     "values of type '<\\x0af4'"},
    {"{'descr': '=f4', 'fortran_order': False, 'shape': (2, 2)}", 16, "values of type '=f4'"},
    {"{'descr': '<c8', 'fortran_order': False, 'shape': (2, 2)}", 32, "values of type '<c8'"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8, "such as '<f4'"},
    {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2, 2)}", 4, "True or False is expected"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (-2, 2)}", 4, "a size is expected"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2.0, 2)}", 4, "')' is expected"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': ()}", 4, "1 to 4 dimensions"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,2,2)}", 4, "1 to 4 dimensions"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': [2, 2]}", 4, "a tuple of sizes"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 2)}", 0, "that is none"},
    {"{'descr': '|u1', 'fortran_order': False}", 4, "descr, fortran_order and shape"},
    {"{'descr': '|u1', 'descr': '|u1', 'shape': (2, 2)}", 4, "each once"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), 'x': 1}", 4, "each once"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)} x", 4, "nothing more"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)", 4, "'}' is expected"},
    {"'descr': '|u1', 'fortran_order': False, 'shape': (2, 2)", 4, "bad@10: damaged NPY header"},
    {"{descr: '|u1', 'fortran_order': False, 'shape': (2, 2)}", 4, "bad@11: damaged NPY header"},
    {"", 4, "'{' is expected"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 99999999999)}", 4, "at most"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967294, 1048576)}", 8, "but 8 follow"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,18446744073709551616)}", 4, "a size is"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,9223372036854775808,2)}", 4, "at most"},
};

START_TEST(test_npy) {
  unsigned char file[512];
  /* as halves: numbers, but for the fifth, which is nan */
  static const unsigned char data[64] = {1, 2, 3, 4, 0, 0, 0, 0, 0, 0x7e};
  size_t n = make_npy(file, npy_files[_i].dictionary, data, npy_files[_i].bytes);
  check_file_refused(put_bytes("bad", file, n), "", npy_files[_i].fragment);
}
END_TEST

START_TEST(test_npy_preamble) {
  check_file_refused(put_bytes("bad", BYTES("\x93NUMPX\1\0\1\0{")), "", "bad@0: begins like");
  check_file_refused(put_bytes("bad", BYTES("\x93NUMPY\4\0\1\0{")), "", "bad@6: NPY version 4");
  check_file_refused(put_bytes("bad", BYTES("\x93NUMPY\2\0\xff\xff\xff\xff{")), "",
                     "bad@8: an NPY header of 4294967295 bytes");
  check_file_refused(put_bytes("bad", BYTES("\x93NUMPY\1\0\x11\x27{")), "", "of 10001 bytes");
}
END_TEST

/* ---- limits of CSV, one step inside and one step outside */

static char *repeat(const char *unit, size_t times, const char *tail, size_t *n) {
  size_t length = strlen(unit);
  char *text = malloc(times * length + strlen(tail) + 1);
  ck_assert_ptr_nonnull(text);
  for (size_t i = 0; i < times; i++) memcpy(text + i * length, unit, length);
  memcpy(text + times * length, tail, strlen(tail) + 1);
  *n = strlen(text);
  return text;
}

START_TEST(test_field_limit) {
  for (size_t length = 4096; length <= 4097; length++) {
    size_t n;
    char *text = repeat("0", length, ",1\n0,2\n", &n);
    const char *path = put_bytes("bad", text, n);
    if (length == 4096) numann_data_destroy(load_table(path, "-1", ""));
    else check_file_refused(path, "", "bad:1:1: the field is longer than 4 KiB");
    free(text);
  }
}
END_TEST

START_TEST(test_column_limit) {
  size_t n;
  char *text = repeat("1,", 1048575, "2\n", &n);
  numann_data_destroy(load_table(put_gz("bad", text, n), "-1", ""));
  free(text);
  text = repeat("1,", 1048576, "2\n", &n);
  check_file_refused(put_gz("bad", text, n), "", "more than 1,048,576 columns");
  free(text);
}
END_TEST

START_TEST(test_line_limit) {
  size_t n;
  char *text = repeat("00000000000000000,", 1048576 - 64000, "2\n", &n);
  check_file_refused(put_gz("bad", text, n), "", "bad:1:16777217: the line is longer than 16 MiB");
  free(text);
}
END_TEST

/* ---- options that do not fit the file; status CONFIG */

#define TABLE "train: {path: \"%s\", target: "
static const struct {
  const char *data_format, *fragment;
} options[] = {
    {TABLE "u}", "has no column 'u'; it has a, b, b, t"},
    {TABLE "4}", "position 4, but"},
    {TABLE "2019}", "quoted when it is a number: [\"2019\"]"},
    {TABLE "\"2\"}", "has no column '2'; it has a, b, b, t"},
    {TABLE "-5}", "position -5, but"},
    {TABLE "b}", "several columns 'b'"},
    {TABLE "[t, 3]}", "'3' is there twice"},
    {TABLE "t}, drop: [3]", "'t' is also in data.drop"},
    {TABLE "t}, drop: [x]", "has no column 'x'"},
    {TABLE "t}, header: false", "'t' is a name, but"},
    {TABLE "[t, a]}, targets: classes", "classes need one target column, but there are 2"},
    {TABLE "t}, stratify: true", "only classes can be stratified"},
    {TABLE "t}, targets: classes, scale_targets: min_max", "which are not scaled"},
    {TABLE "t}, separator: ab", "cannot part fields"},
    {TABLE "t}, separator: \"1\"", "cannot part fields"},
    {TABLE "t}, test: {fraction: 0.1}", "less than half a row"},
    {TABLE "t}, test: {fraction: 0.5}, validation: {fraction: 0.5}", "no row is left to train on"},
    {TABLE "t}, test: {fraction: 0.9}", "no row is left to train on"},
    {TABLE "t}, test: {fraction: 0.4, path: x.csv}", "one source is expected"},
    {TABLE "t}, test: {images: x.idx}", "labels is missing"},
    {TABLE "t}, test: {labels: x.idx}", "images is missing"},
    {"train: {images: \"%s\"}", "labels is missing"},
    {"train: {path: \"%s\"}", "target"},
    {"validation: {path: \"%s\"}", "no data"},
};

START_TEST(test_options) {
  char text[2048];
  const char *path = put_text("t.csv", "a,b,b,t\n1,2,3,0\n4,5,6,1\n");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(text, sizeof text, options[_i].data_format, path);
#pragma GCC diagnostic pop
  check_refused(text, NUMANN_ERR_CONFIG, options[_i].fragment);
}
END_TEST

START_TEST(test_missing_files) {
  char text[2048];
  snprintf(text, sizeof text, "train: {path: \"%s\", target: t}", temp_path("none.csv"));
  check_refused(text, NUMANN_ERR_DATA, "none.csv: cannot be opened");
  snprintf(text, sizeof text, "train: {path: \"%s\", target: t}", temp_path(""));
  check_refused(text, NUMANN_ERR_DATA, ": a folder;");
}
END_TEST

START_TEST(test_too_many_classes) {
  const char *path = temp_path("many.csv");
  FILE *file = fopen(path, "w");
  for (int i = 0; i <= 65536; i++) fprintf(file, "1,%d\n", i);
  fclose(file);
  check_file_refused(path, ", targets: classes", "more than 65536 different values");
  numann_data_destroy(load_table(path, "-1", ""));
  file = fopen(path, "a");
  fprintf(file, "1,x\n");
  fclose(file);
  check_file_refused(path, "", "many.csv:65538:3: column 1 (counted from 0): 'x'");
}
END_TEST

/* ---- pairs */

static void check_pair_refused(const char *images, const char *labels, const char *more,
                               const char *fragment) {
  char text[4096];
  snprintf(text, sizeof text, "train: {images: \"%s\", labels: \"%s\"}, targets: classes%s", images,
           labels, more);
  check_refused(text, NUMANN_ERR_DATA, fragment);
}

START_TEST(test_pairs) {
  const char *images = put_bytes("i", BYTES("\0\0\x08\x02\0\0\0\2\0\0\0\2\1\2\3\4"));
  const char *labels = put_bytes("l", BYTES("\0\0\x08\x01\0\0\0\2\1\2"));
  const char *three = put_bytes("l3", BYTES("\0\0\x08\x01\0\0\0\3\1\2\1"));
  const char *halves = put_bytes("h", BYTES("\0\0\x0d\x01\0\0\0\2\0\0\0\0\x3f\0\0\0"));
  const char *wide = put_bytes("w", BYTES("\0\0\x08\x02\0\0\0\2\0\0\0\3\1\2\3\4\5\6"));
  const char *strange = put_bytes("s", BYTES("\0\0\x08\x01\0\0\0\2\1\5"));
  char more[2048];
  check_pair_refused(images, three, "", "l3: 3 labels for the 2x2 images");
  check_pair_refused(images, halves, "", "h@12: the target is 0.5, a whole number");
  check_pair_refused(put_text("c.csv", "1,2\n"), labels, "", "c.csv: neither IDX nor NPY");
  check_pair_refused(images, put_text("c.csv", "1\n2\n"), "", "c.csv: neither IDX nor NPY");
  check_pair_refused(images, temp_path("none"), "", "none: cannot be opened");
  snprintf(more, sizeof more, ", test: {images: \"%s\", labels: \"%s\"}", images, strange);
  check_pair_refused(images, labels, more,
                     "s@9: the label '5' is no class of the training data; "
                     "known are 1, 2");
  snprintf(more, sizeof more, ", test: {images: \"%s\", labels: \"%s\"}", wide, labels);
  check_pair_refused(images, labels, more, "w: 2x3 values, 3 a row; the network has 2 inputs");
}
END_TEST

/* ---- other files against a training file */

static const struct {
  const char *text, *fragment;
} others[] = {
    {"a,b,t\n1,2,x\n1,2,z\n",
     "o.csv:3: the label 'z' is no class of the training data; known are x, y"},
    {"a,b,t\n1,2,1\n", "o.csv:2: the label '1' is no class"},
    {"a,t\n1,x\n", "o.csv: has no column 'b'"},
    {"a,b\n1,2\n", "o.csv: has no column 't'"},
    {"a,b,t,b\n1,2,x,3\n", "o.csv: has several columns 'b'"},
    {"1,2,3,x\n1,2,3,y\n", "o.csv: 4 columns do not fit the 2 inputs"},
};

START_TEST(test_others) {
  char text[4096];
  const char *train = put_text("train.csv", "a,b,t\n1,2,x\n3,4,y\n");
  snprintf(text, sizeof text, "train: {path: \"%s\", target: t}, test: {path: \"%s\"}", train,
           put_text("o.csv", others[_i].text));
  check_refused(text, NUMANN_ERR_DATA, others[_i].fragment);
}
END_TEST

#define LOOP(test, table) tcase_add_loop_test(tcase, test, 0, (int)(sizeof table / sizeof table[0]))

static Suite *faults_suite(void) {
  Suite *suite = suite_create("data faults");
  TCase *tcase = tcase_create("faults");
  tcase_set_timeout(tcase, 60);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  LOOP(test_text, texts);
  LOOP(test_text_gz, texts);
  LOOP(test_idx, idx_files);
  tcase_add_test(tcase, test_idx_gz_huge);
  LOOP(test_npy, npy_files);
  tcase_add_test(tcase, test_npy_preamble);
  tcase_add_test(tcase, test_field_limit);
  tcase_add_test(tcase, test_column_limit);
  tcase_add_test(tcase, test_line_limit);
  LOOP(test_options, options);
  tcase_add_test(tcase, test_missing_files);
  tcase_add_test(tcase, test_too_many_classes);
  tcase_add_test(tcase, test_pairs);
  LOOP(test_others, others);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(faults_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
