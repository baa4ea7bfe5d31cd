/* The readers: what they accept, and every truncation. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comma.h"
#include "data/array.h"
#include "data_support.h"

/* ---- CSV: dialects. Each text holds the rows (1, 2 -> 3) and (-4, 0.5 -> 6). */

static const struct {
  const char *text, *target, *options;
} dialects[] = {
    {"a,b,t\n1,2,3\n-4,0.5,6\n", "t", ""},
    {"a,b,t\n1,2,3\n-4,0.5,6", "t", ""},
    {"a,b,t\r\n1,2,3\r\n-4,0.5,6\r\n", "t", ""},
    {"\xEF\xBB\xBF"
     "a,b,t\n1,2,3\n-4,0.5,6\n",
     "t", ""},
    {"a;b;t\n1;2;3\n-4;0.5;6\n", "-1", ""},
    {"a\tb\tt\n1\t2\t3\n-4\t0.5\t6\n", "2", ""},
    {"a b t\n1 2 3\n-4 0.5 6\n", "t", ""},
    {"  a  b t \n 1  2\t3\n-4 0.5   6 \n", "t", ""},
    {"a|b|t\n1|2|3\n-4|0.5|6\n", "t", ", separator: \"|\""},
    {"a\tb\tt\n1\t2\t3\n-4\t0.5\t6\n", "t", ", separator: tab"},
    {"a b t\n1 2 3\n-4 0.5 6\n", "t", ", separator: space"},
    {"1,2,3\n-4,0.5,6\n", "2", ""},
    {"1,2,3\n-4,0.5,6\n", "-1", ", header: false"},
    {"3,1,2\n6,-4,0.5\n", "0", ""},
    {"7,8,9\n1,2,3\n-4,0.5,6\n", "2", ", header: true"},
    {"\"a\",\"b\",\"t\"\n\"1\",\"2\",3\n-4, \"0.5\" ,6\n", "t", ""},
    {"\"a,\"\"x\"\"\",\"b\nc\",t\n1,2,3\n-4,0.5,6\n", "t", ""},
    {"a , b , t\n 1, 2, 3\n-4 ,\t0.5, 6 \n", "t", ""},
    {"a,b,t\n1,2,3\n-4,0.5,6\n\n\r\n\n", "t", ""},
    {"a,b,t\n+1,2.,3e0\n-40E-1,.5,6.000\n", "t", ""},
    {"a,name,b,t\n1,x,2,3\n-4,\"y, z\",0.5,6\n", "t", ", drop: [name]"},
    {"x,1,y,2,3\nx,-4,y,0.5,6\n", "-1", ", drop: [0, -3]"},
    {"t,a,b\n3,1,2\n,9,9\n6,-4,0.5\n9,,9\n", "t", ", blank: drop_row"},
    {",a,b,t\n0,1,2,3\n1,-4,0.5,6\n", "t", ", drop: [0]"},
    {"a,b,t\n1,2,3\n-4,0.5,6\n", "[t]", ", targets: values"},
};

static void check_dialect(const char *path, const char *target, const char *options) {
  static const float inputs[] = {1.0f, 2.0f, -4.0f, 0.5f}, targets[] = {3.0f, 6.0f};
  numann_data *data = load_table(path, target, options);
  ck_assert_uint_eq(data->train.rows, 2);
  ck_assert_uint_eq(data->schema.features, 2);
  ck_assert_uint_eq(data->schema.classes, 0);
  ck_assert_uint_eq(data->schema.targets, 1);
  check_inputs(&data->train, data->schema.features, inputs);
  ck_assert_mem_eq(data->train.targets, targets, sizeof targets);
  ck_assert_uint_eq((uintptr_t)data->train.inputs % 64, 0);
  numann_data_destroy(data);
}

START_TEST(test_dialects) {
  check_dialect(put_text("d.csv", dialects[_i].text), dialects[_i].target, dialects[_i].options);
}
END_TEST

START_TEST(test_dialects_gz) {
  const char *text = dialects[_i].text;
  check_dialect(put_gz("d", text, strlen(text)), dialects[_i].target, dialects[_i].options);
}
END_TEST

START_TEST(test_names) {
  const char *path = put_text("n.csv", "\"a,\"\"x\"\"\",t,\"b\nc\",u\n1,2,3,4\n5,6,7,8\n");
  numann_data *data = load_table(path, "[u, t]", "");
  static const float targets[] = {4.0f, 2.0f, 8.0f, 6.0f};
  ck_assert_str_eq(data->schema.feature_names[0], "a,\"x\"");
  ck_assert_str_eq(data->schema.feature_names[1], "b\nc");
  ck_assert_str_eq(data->schema.target_names[0], "u");
  ck_assert_str_eq(data->schema.target_names[1], "t");
  ck_assert_mem_eq(data->train.targets, targets, sizeof targets);
  numann_data_destroy(data);
}
END_TEST

/* Two gz members after each other are one file, as gzip defines it. */
START_TEST(test_gz_members) {
  const char *one = "a,b,t\n1,2,3\n", *two = "-4,0.5,6\n";
  unsigned char both[1024];
  size_t n = 0;
  for (int i = 0; i < 2; i++) {
    const char *text = i ? two : one;
    size_t size;
    unsigned char *part = get_bytes(put_gz("part", text, strlen(text)), &size);
    memcpy(both + n, part, size);
    n += size;
    free(part);
  }
  check_dialect(put_bytes("both.gz", both, n), "t", "");
}
END_TEST

/* A comma as decimal point of the locale must change nothing. */
START_TEST(test_locale) {
  char command[1200];
  if (!choose_comma(temp_path(""))) return;
  check_dialect(put_text("d.csv", dialects[0].text), "t", "");
  snprintf(command, sizeof command, "rm -rf '%s'", temp_path("de_DE.UTF-8"));
  ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- CSV: truncations. Length of the cut file -> rows and last target. All others: refused. */

typedef struct outcome {
  size_t length, rows;
  float last;
} outcome;

#define CUT_A "a,b,t\n1,2,3\n4,5,66\n"
static const outcome outcomes_a[] = {
    {11, 1, 3.0f}, {12, 1, 3.0f}, {17, 2, 6.0f}, {18, 2, 66.0f}, {19, 2, 66.0f}};

#define CUT_B "\"x\";t\r\n\"1\";2\r\n3;4.5\r\n"
static const outcome outcomes_b[] = {{12, 1, 2.0f}, {14, 1, 2.0f}, {17, 2, 4.0f},
                                     {18, 2, 4.0f}, {19, 2, 4.5f}, {21, 2, 4.5f}};

static const struct {
  const char *text;
  const outcome *outcomes;
  size_t n;
} cuts[] = {{CUT_A, outcomes_a, 5}, {CUT_B, outcomes_b, 6}};

static const outcome *find_outcome(int cut, size_t length) {
  for (size_t i = 0; i < cuts[cut].n; i++) {
    if (cuts[cut].outcomes[i].length == length) return &cuts[cut].outcomes[i];
  }
  return NULL;
}

START_TEST(test_csv_truncated) {
  for (size_t length = 0; length <= strlen(cuts[_i].text); length++) {
    const char *path = put_bytes("cut.csv", cuts[_i].text, length);
    numann_config *config = make_config(1, "train: {path: \"%s\", target: t}", path);
    const outcome *expected = find_outcome(_i, length);
    numann_error err = {0};
    numann_data *data;
    numann_status status = numann_data_load(&data, config, &err);
    ck_assert_msg((status == NUMANN_OK) == (expected != NULL), "length %zu: %s", length,
                  err.message);
    if (expected) {
      ck_assert_uint_eq(data->train.rows, expected->rows);
      ck_assert(data->train.targets[expected->rows - 1] == expected->last);
    }
    numann_data_destroy(data);
    numann_config_destroy(config);
  }
}
END_TEST

/* ---- IDX and NPY: every element type gives the same numbers */

/* 1 2 3 / 4 5 6 in each type, most significant byte first */
#define BYTES(text) text, sizeof text - 1
static const struct {
  unsigned char idx; /* 0: NPY only */
  const char *npy;
  const char *elements;
  size_t bytes;
} types[] = {
    {0x08, "|u1", BYTES("\1\2\3\4\5\6")},
    {0x09, "|i1", BYTES("\1\2\3\4\5\6")},
    {0x0B, ">i2", BYTES("\0\1\0\2\0\3\0\4\0\5\0\6")},
    {0x0C, ">i4", BYTES("\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6")},
    {0x0D, ">f4", BYTES("\x3f\x80\0\0\x40\0\0\0\x40\x40\0\0\x40\x80\0\0\x40\xa0\0\0\x40\xc0\0\0")},
    {0x0E, ">f8",
     BYTES("\x3f\xf0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\x40\x08\0\0\0\0\0\0"
           "\x40\x10\0\0\0\0\0\0\x40\x14\0\0\0\0\0\0\x40\x18\0\0\0\0\0\0")},
    {0, ">u2", BYTES("\0\1\0\2\0\3\0\4\0\5\0\6")},
    {0, "<i2", BYTES("\1\0\2\0\3\0\4\0\5\0\6\0")},
    {0, "<u4", BYTES("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0")},
    {0, "<i4", BYTES("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0")},
    {0, "<i8",
     BYTES("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"
           "\4\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0")},
    {0, "<u8",
     BYTES("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"
           "\4\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0")},
    {0, "<f2", BYTES("\0\x3c\0\x40\0\x42\0\x44\0\x45\0\x46")},
    {0, ">f2", BYTES("\x3c\0\x40\0\x42\0\x44\0\x45\0\x46\0")},
    {0, "<f4", BYTES("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40\0\0\xc0\x40")},
    {0, "<f8",
     BYTES("\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\x08\x40"
           "\0\0\0\0\0\0\x10\x40\0\0\0\0\0\0\x14\x40\0\0\0\0\0\0\x18\x40")},
};

static void check_six(const char *path) {
  static const float inputs[] = {1.0f, 2.0f, 4.0f, 5.0f}, targets[] = {3.0f, 6.0f};
  numann_data *data = load_table(path, "-1", "");
  ck_assert_uint_eq(data->train.rows, 2);
  check_inputs(&data->train, data->schema.features, inputs);
  ck_assert_mem_eq(data->train.targets, targets, sizeof targets);
  ck_assert_ptr_null(data->schema.feature_names);
  numann_data_destroy(data);
}

START_TEST(test_types) {
  unsigned char file[512];
  char dictionary[128];
  static const uint32_t shape[] = {2, 3};
  if (types[_i].idx) {
    size_t n = make_idx(file, types[_i].idx, 2, shape, types[_i].elements, types[_i].bytes);
    check_six(put_bytes("a.idx", file, n));
    check_six(put_gz("a.gz", file, n));
  }
  snprintf(dictionary, sizeof dictionary,
           "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3), }   \n", types[_i].npy);
  size_t n = make_npy(file, dictionary, types[_i].elements, types[_i].bytes);
  check_six(put_bytes("a.npy", file, n));
  check_six(put_gz("a.npy.gz", file, n));
}
END_TEST

START_TEST(test_negative_elements) {
  unsigned char file[128];
  static const float inputs[] = {-1.0f, -128.0f};
  size_t n = make_idx(file, 0x09, 2, (const uint32_t[]){2, 2}, "\xff\0\x80\1", 4);
  numann_data *data = load_table(put_bytes("a.idx", file, n), "1", "");
  check_inputs(&data->train, data->schema.features, inputs);
  numann_data_destroy(data);
  n = make_npy(file, "{'descr':'<i8','fortran_order':False,'shape':(2,2)}",
               "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0"
               "\x80\xff\xff\xff\xff\xff\xff\xff\1\0\0\0\0\0\0\0",
               32);
  data = load_table(put_bytes("b.npy", file, n), "1", "");
  check_inputs(&data->train, data->schema.features, inputs);
  numann_data_destroy(data);
}
END_TEST

/* A half: 5 bits of exponent, 10 of fraction; the least normal one, and those below it. */
START_TEST(test_halves) {
  static const unsigned char halves[] = {0x00, 0x04, 0xff, 0x03, 0x01, 0x00, 0x01,
                                         0x80, 0xff, 0x7b, 0x00, 0xbe, 0x00, 0x80};
  static const double expected[] = {0x1p-14, 0x1.ff8p-15, 0x1p-24, -0x1p-24, 65504.0, -1.5, 0.0};
  double values[7];
  nu_array_decode((nu_element){'f', 2, false}, halves, 7, values);
  for (int i = 0; i < 7; i++) ck_assert_double_eq(values[i], expected[i]);
  nu_array_decode((nu_element){'f', 2, true}, (const unsigned char *)"\x7c\0\x7e\0", 2, values);
  ck_assert(isinf(values[0]) && isnan(values[1]));
}
END_TEST

/* Rows 1 2 3 and 4 5 6 in Fortran order, in one file, packed, and as a cube of rows 2 x 2. */
START_TEST(test_fortran) {
  unsigned char file[256];
  const char *flat = "{'descr':'|u1','fortran_order':True,'shape':(2,3)}";
  size_t n = make_npy(file, flat, "\1\4\2\5\3\6", 6);
  check_six(put_bytes("f.npy", file, n));
  check_six(put_gz("f.npy.gz", file, n));
  n = make_npy(file, "{'descr':'>i2','fortran_order':True,'shape':(2,3)}",
               "\0\1\0\4\0\2\0\5\0\3\0\6", 12);
  check_six(put_bytes("f.npy", file, n));
  n = make_npy(file, "{'descr':'|u1','fortran_order':True,'shape':(3,2,2)}",
               "\1\5\x09\3\7\x0b\2\6\x0a\4\x08\x0c", 12);
  const char *cube = put_bytes("c.npy", file, n);
  n = make_npy(file, "{'descr':'|u1','fortran_order':True,'shape':(3,)}", "\0\1\1", 3);
  numann_config *config =
      make_config(2, "train: {images: \"%s\", labels: \"%s\"}", cube, put_bytes("l", file, n));
  numann_data *data = load(config);
  static const float inputs[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  ck_assert_uint_eq(data->train.rows, 3);
  check_inputs(&data->train, 4, inputs);
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

/* More rows than are turned at a time: a[i][j] = 1000 * j + i. */
START_TEST(test_fortran_long) {
  enum { ROWS = 200, COLUMNS = 3 };
  static unsigned char file[2 * ROWS * COLUMNS + 128], values[2 * ROWS * COLUMNS];
  for (int at = 0; at < ROWS * COLUMNS; at++) {
    int value = at / ROWS * 1000 + at % ROWS;
    values[2 * at] = (unsigned char)(value & 255);
    values[2 * at + 1] = (unsigned char)(value >> 8);
  }
  size_t n =
      make_npy(file, "{'descr':'<u2','fortran_order':True,'shape':(200,3)}", values, sizeof values);
  numann_data *data = load_table(put_bytes("f.npy", file, n), "2", "");
  for (int r = 0; r < ROWS; r++) {
    ck_assert(data->train.inputs[2 * r] == (float)r);
    ck_assert(data->train.inputs[2 * r + 1] == (float)(1000 + r));
    ck_assert(data->train.targets[r] == (float)(2000 + r));
  }
  numann_data_destroy(data);
}
END_TEST

/* Versions 2 and 3 have a header length of four bytes; keys come in any order and quotes. */
START_TEST(test_npy_versions) {
  static const char dictionary[] = "{\"shape\": (2,3), \"fortran_order\":False,\"descr\":\"|u1\"}";
  unsigned char file[128] = "\x93NUMPY\x02";
  for (unsigned char version = 2; version <= 3; version++) {
    file[6] = version;
    file[8] = sizeof dictionary - 1;
    memcpy(file + 12, dictionary, sizeof dictionary - 1);
    memcpy(file + 12 + sizeof dictionary - 1, "\1\2\3\4\5\6", 6);
    check_six(put_bytes("v.npy", file, 12 + sizeof dictionary - 1 + 6));
  }
}
END_TEST

/* ---- pairs of images and labels */

static numann_config *pair_config(const char *images, const char *labels) {
  return make_config(2, "train: {images: \"%s\", labels: \"%s\"}", images, labels);
}

START_TEST(test_pair) {
  unsigned char images[128], labels[128];
  static const float inputs[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  size_t n =
      make_idx(images, 8, 3, (const uint32_t[]){3, 2, 2}, "\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c", 12);
  size_t m = make_idx(labels, 8, 1, (const uint32_t[]){3}, "\7\2\7", 3);
  numann_config *config = pair_config(put_gz("i.gz", images, n), put_bytes("l.idx", labels, m));
  numann_data *data = load(config);
  ck_assert_uint_eq(data->schema.features, 4);
  ck_assert_uint_eq(data->schema.classes, 2);
  ck_assert_str_eq(data->schema.class_names[0], "2");
  ck_assert_str_eq(data->schema.class_names[1], "7");
  check_inputs(&data->train, data->schema.features, inputs);
  ck_assert_mem_eq(data->train.labels, ((const int32_t[]){1, 0, 1}), 12);
  ck_assert_ptr_null(data->train.targets);
  numann_data_destroy(data);
  numann_config_destroy(config);
}
END_TEST

/* Cut `bytes` at every length and put it in the place of %s; only the whole may load. */
static void check_cuts(const unsigned char *bytes, size_t n, const char *data_format,
                       const char *other) {
  for (size_t length = 0; length <= n; length++) {
    const char *path = put_bytes("cut", bytes, length);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    char text[2200];
    snprintf(text, sizeof text, data_format, path, other);
#pragma GCC diagnostic pop
    numann_config *config = make_config(2, "%s", text);
    numann_data *data;
    numann_error err = {0};
    numann_status status = numann_data_load(&data, config, &err);
    ck_assert_msg(status == (length < n ? NUMANN_ERR_DATA : NUMANN_OK), "length %zu of %zu: %d %s",
                  length, n, (int)status, err.message);
    ck_assert(length == n || strstr(err.message, path));
    numann_data_destroy(data);
    numann_config_destroy(config);
  }
}

static void check_cuts_packed(const unsigned char *bytes, size_t n, const char *data_format,
                              const char *other) {
  check_cuts(bytes, n, data_format, other);
  size_t packed_size;
  unsigned char *packed = get_bytes(put_gz("packed.gz", bytes, n), &packed_size);
  check_cuts(packed, packed_size, data_format, other);
  free(packed);
}

START_TEST(test_idx_truncated) {
  unsigned char images[64], labels[64];
  size_t n = make_idx(images, 8, 3, (const uint32_t[]){3, 2, 2}, "\1\2\3\4\5\6\7\1\2\3\4\5", 12);
  size_t m = make_idx(labels, 8, 1, (const uint32_t[]){3}, "\1\2\1", 3);
  const char *whole_images = put_bytes("i.idx", images, n);
  const char *whole_labels = put_bytes("l.idx", labels, m);
  check_cuts_packed(images, n, "train: {images: \"%s\", labels: \"%s\"}", whole_labels);
  check_cuts_packed(labels, m, "train: {labels: \"%s\", images: \"%s\"}", whole_images);
}
END_TEST

START_TEST(test_npy_truncated) {
  unsigned char file[256];
  static const float six[] = {1, 2, 3, 4, 5, 6};
  static const char *const orders[] = {"False", "True"};
  for (int i = 0; i < 2; i++) {
    char dictionary[128];
    snprintf(dictionary, sizeof dictionary,
             "{'descr': '<f4', 'fortran_order': %s, 'shape': (2, 3), }\n", orders[i]);
    size_t n = make_npy(file, dictionary, six, sizeof six);
    check_cuts_packed(file, n, "train: {path: \"%s\", target: -1}", "");
  }
}
END_TEST

START_TEST(test_csv_gz_truncated) {
  const char *text = "a,b,t\n1,2,3\n-4,0.5,6\n";
  size_t n;
  unsigned char *packed = get_bytes(put_gz("whole.gz", text, strlen(text)), &n);
  check_cuts(packed, n, "train: {path: \"%s\", target: t}", "");
  free(packed);
}
END_TEST

/* A damaged byte in the middle, and a wrong checksum. */
START_TEST(test_gz_damaged) {
  const char *text = "a,b,t\n1,2,3\n-4,0.5,6\n";
  size_t n;
  unsigned char *packed = get_bytes(put_gz("whole.gz", text, strlen(text)), &n);
  for (size_t i = n - 8; i < n; i++) {
    packed[i] ^= 1;
    numann_config *config =
        make_config(1, "train: {path: \"%s\", target: t}", put_bytes("bad.gz", packed, n));
    numann_data *data;
    numann_error err;
    ck_assert_int_eq(numann_data_load(&data, config, &err), NUMANN_ERR_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "damaged gz data"));
    numann_config_destroy(config);
    packed[i] ^= 1;
  }
  free(packed);
}
END_TEST

static Suite *readers_suite(void) {
  Suite *suite = suite_create("data readers");
  TCase *tcase = tcase_create("readers");
  tcase_set_timeout(tcase, 60);
  tcase_add_checked_fixture(tcase, make_folder, remove_folder);
  int n_dialects = (int)(sizeof dialects / sizeof dialects[0]);
  tcase_add_loop_test(tcase, test_dialects, 0, n_dialects);
  tcase_add_loop_test(tcase, test_dialects_gz, 0, n_dialects);
  tcase_add_test(tcase, test_names);
  tcase_add_test(tcase, test_gz_members);
  tcase_add_test(tcase, test_locale);
  tcase_add_loop_test(tcase, test_csv_truncated, 0, (int)(sizeof cuts / sizeof cuts[0]));
  tcase_add_loop_test(tcase, test_types, 0, (int)(sizeof types / sizeof types[0]));
  tcase_add_test(tcase, test_negative_elements);
  tcase_add_test(tcase, test_halves);
  tcase_add_test(tcase, test_fortran);
  tcase_add_test(tcase, test_fortran_long);
  tcase_add_test(tcase, test_npy_versions);
  tcase_add_test(tcase, test_pair);
  tcase_add_test(tcase, test_idx_truncated);
  tcase_add_test(tcase, test_npy_truncated);
  tcase_add_test(tcase, test_csv_gz_truncated);
  tcase_add_test(tcase, test_gz_damaged);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(readers_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
