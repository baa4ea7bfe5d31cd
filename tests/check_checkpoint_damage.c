/* Damaged and hostile files: all refused, each by the rule that is meant to.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/random.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"
#include "checkpoint_sample.h"
#include "numann/version.h"

static const size_t small[] = {2, 2, 1};
static const size_t large[] = {20, 30, 7, 4};

static char *folder, *path;
static unsigned char *bytes; /* a valid file */
static size_t size;

/* A valid file at `path` and in `bytes`. */
static void make_file(sample_kind kind, size_t n_layers, const size_t *sizes) {
  numann_error err;
  nu_saved saved = sample_create(kind, n_layers, sizes, 5);
  ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_OK);
  nu_saved_clear(&saved);
  free(bytes);
  bytes = sample_read(path, &size);
  ck_assert_ptr_nonnull(bytes);
}

static void set_up(void) {
  folder = sample_folder();
  path = sample_path(folder, "model.safetensors");
  bytes = NULL;
}

static void tear_down(void) {
  free(bytes);
  free(path);
  sample_remove(folder);
}

/* Reading must fail as an invalid model, with a message that names place and reason. */
static void expect_refusal(const char *what, const char *reason) {
  nu_saved saved;
  numann_error err = {NUMANN_OK, ""};
  numann_status status = nu_saved_read(&saved, path, &err);
  ck_assert_msg(status == NUMANN_ERR_MODEL, "%s: status %d: %s", what, (int)status, err.message);
  ck_assert_msg(strncmp(err.message, path, strlen(path)) == 0, "%s: %s", what, err.message);
  ck_assert_msg(strstr(err.message, reason) != NULL, "%s: '%s' is not in: %s", what, reason,
                err.message);
  ck_assert_msg(!strchr(err.message, '\n'), "%s: more than a line: %s", what, err.message);
  ck_assert_ptr_null(saved.network);
}

static void expect_valid(void) {
  nu_saved saved;
  numann_error err;
  ck_assert_msg(nu_saved_read(&saved, path, &err) == NUMANN_OK, "%s", err.message);
  nu_saved_clear(&saved);
}

START_TEST(every_truncation_is_refused) {
  make_file(SAMPLE_CHECKPOINT, 1, large + 2);
  for (size_t n = size; n-- > 0;) {
    ck_assert_int_eq(truncate(path, (off_t)n), 0);
    expect_refusal("truncated", "");
  }
}
END_TEST

static void flip(FILE *file, size_t bit) {
  ck_assert_int_eq(fseek(file, (long)(bit / 8), SEEK_SET), 0);
  ck_assert_int_ne(fputc(bytes[bit / 8] ^ (1 << bit % 8), file), EOF);
  ck_assert_int_eq(fflush(file), 0);
}

static void restore(FILE *file, size_t bit) {
  ck_assert_int_eq(fseek(file, (long)(bit / 8), SEEK_SET), 0);
  ck_assert_int_ne(fputc(bytes[bit / 8], file), EOF);
  ck_assert_int_eq(fflush(file), 0);
}

START_TEST(every_flipped_bit_is_refused) {
  make_file(SAMPLE_MODEL, 2, small);
  ck_assert_uint_le(size, 4096);
  FILE *file = fopen(path, "r+b");
  for (size_t bit = 0; bit < 8 * size; bit++) {
    flip(file, bit);
    expect_refusal("flipped", "");
    restore(file, bit);
  }
  fclose(file);
  expect_valid();
}
END_TEST

START_TEST(random_flipped_bits_are_refused) {
  make_file(SAMPLE_CHECKPOINT, 3, large);
  ck_assert_uint_ge(size, 10000);
  FILE *file = fopen(path, "r+b");
  const nu_stream stream = {3, NU_PURPOSE_GENERATE, 0};
  for (size_t i = 0; i < 2000; i++) {
    size_t bit = nu_random_bits(stream, i) % (8 * size);
    flip(file, bit);
    expect_refusal("flipped", "");
    restore(file, bit);
  }
  fclose(file);
  expect_valid();
}
END_TEST

/* A file of a header text, its checksum made right, and the data of the valid file with `tail` more
 * bytes (or fewer). */
static void craft(const nu_text *json, long tail) {
  static const char key[] = "\"" NU_HEADER_CRC "\":\"";
  size_t old = 8 + bytes[0] + 256u * bytes[1];
  size_t data = (size_t)((long)(size - old) + tail), total = 8 + json->length + data;
  unsigned char *file = calloc(total, 1);
  for (size_t i = 0; i < 4; i++) file[i] = (unsigned char)(json->length >> (8 * i));
  memcpy(file + 8, json->data, json->length);
  unsigned char *place = memmem(file + 8, json->length, key, sizeof key - 1);
  if (place) {
    char digits[16];
    memcpy(place + sizeof key - 1, "00000000", 8);
    snprintf(digits, sizeof digits, "%08lx", crc32(0, file + 8, (unsigned)json->length));
    memcpy(place + sizeof key - 1, digits, 8);
  }
  size_t copied = data < size - old ? data : size - old;
  memcpy(file + 8 + json->length, bytes + old, copied);
  sample_write(path, file, total);
  free(file);
}

/* The valid header with the first `from` replaced by `to`. */
static void craft_replaced(const char *from, const char *to, long tail) {
  size_t length = bytes[0] + 256u * bytes[1];
  const char *json = (const char *)bytes + 8, *place = memmem(json, length, from, strlen(from));
  ck_assert_msg(place != NULL, "'%s' is not in the header", from);
  size_t before = (size_t)(place - json), after = before + strlen(from);
  nu_text text = {0};
  nu_text_append(&text, json, before);
  nu_text_add(&text, to);
  nu_text_append(&text, json + after, length - after);
  craft(&text, tail);
  nu_text_clear(&text);
}

static const struct {
  const char *what, *from, *to;
  long tail;
  const char *reason;
} crafted[] = {
    {"overlap", "[16,24]", "[8,16]", 0, "gap or overlap"},
    {"hole", "[16,24]", "[20,28]", 0, "gap or overlap"},
    {"late start", "[0,16]", "[4,20]", 0, "gap or overlap"},
    {"reversed offsets", "[16,24]", "[24,16]", 0, "increasing"},
    {"three offsets", "[16,24]", "[16,20,24]", 0, "increasing"},
    {"offset as text", "[16,24]", "[\"16\",24]", 0, "increasing"},
    {"offset as real", "[16,24]", "[16.0,24]", 0, "increasing"},
    {"offset beyond int64", "[16,24]", "[16,18446744073709551615]", 0, "too big"},
    {"offset with zeros", "[16,24]", "[016,24]", 0, "header"},
    {"product overflow", "[2,2]", "[4194305,4194305,211106198978564]", 0, "overflows"},
    {"size overflow", "[2,2]", "[4611686018427387904,2]", 0, "overflows"},
    {"wrong size", "[2,2]", "[2,3]", 0, "do not fit"},
    {"rank nine", "[2,2]", "[2,2,1,1,1,1,1,1,1]", 0, "up to 8"},
    {"negative shape", "[2,2]", "[-2,-2]", 0, "negative"},
    {"real shape", "[2,2]", "[2.0,2]", 0, "up to 8 counts"},
    {"exponent", "[2,2]", "[2e0,2]", 0, "up to 8 counts"},
    {"shape as object", "[2,2]", "{}", 0, "up to 8 counts"},
    {"transposed rank", "[2,2]", "[4]", 0, "another dtype or shape"},
    {"unknown dtype", "\"F32\"", "\"BF16\"", 0, "dtype is not"},
    {"dtype as number", "\"F32\"", "32", 0, "dtype is not"},
    {"wider dtype", "\"F32\",\"shape\":[2,2]", "\"F64\",\"shape\":[2,1]", 0, "another dtype"},
    {"extra member", "\"shape\":[2,2]", "\"shape\":[2,2],\"x\":1", 0, "not an object of"},
    {"missing member", "\"shape\":[2,2],", "", 0, "not an object of"},
    {"tensor as list", "\"layers.1.bias\":{", "\"x\":[],\"layers.1.bias\":{", 0, "not an object"},
    {"duplicate tensor", "\"layers.0.bias\":{", "\"layers.0.weight\":{", 0, "uplicate"},
    {"duplicate by escape", "\"layers.0.bias\":{", "\"layers.0.w\\u0065ight\":{", 0, "uplicate"},
    {"duplicate metadata", "\"kind\":", "\"kind\":\"model\",\"kind\":", 0, "uplicate"},
    {"other tensor", "\"layers.0.bias\":{", "\"layers.9.bias\":{", 0, "was expected here"},
    {"trailing bytes", "model", "model", 4, "the header describes"},
    {"missing bytes", "model", "model", -4, "the header describes"},
    {"deep", "[2,2]", "[[[[[[2]]]]]]", 0, "deeper"},
    {"NUL in a string", "\"kind\":\"model", "\"kind\":\"model\\u0000", 0, "header"},
    {"not UTF-8", "\"kind\":\"model", "\"kind\":\"\xff", 0, "decode"},
    {"metadata not a string", "\"kind\":\"model\"", "\"kind\":7", 0, "kind is not a string"},
    {"no metadata", "__metadata__", "__metadato__", 0, "not a file of numann"},
    {"no format", "numann_format", "others_format", 0, "numann_format"},
    {"newer format", "\"numann_format\":\"2\"", "\"numann_format\":\"3\"", 0, "format is '3'"},
    {"no format ever", "\"numann_format\":\"2\"", "\"numann_format\":\"0\"", 0, "format is '0'"},
    {"count with zeros", "\"numann_format\":\"2\"", "\"numann_format\":\"02\"", 0, "a count"},
    {"numerics no count", "\"numerics_version\":\"", "\"numerics_version\":\"v", 0, "a count"},
    {"unknown kind", "\"kind\":\"model\"", "\"kind\":\"muddle\"", 0, "kind is 'muddle'"},
    {"control characters", "\"kind\":\"model\"", "\"kind\":\"a\\nb\\u001b\"", 0,
     "kind is 'a\\x0ab\\x1b'"},
    {"model as checkpoint", "\"kind\":\"model\"", "\"kind\":\"checkpoint\"", 0, "step is 'miss"},
    {"no config", "\"config\"", "\"cunfig\"", 0, "config is 'missing'"},
    {"no layers", "\"layers\"", "\"leyers\"", 0, "layers is 'missing'"},
    {"layers not JSON", "\"layers\":\"{", "\"layers\":\"{{", 0, "layers is"},
    {"layers a list", "\"layers\":\"{", "\"layers\":\"[]\",\"x\":\"{", 0, "layers is"},
    {"wider layer", "[2,2,1]", "[2,3,1]", 0, "fill the file"},
    {"huge layer", "[2,2,1]", "[2,1000000000000,1]", 0, "fill the file"},
    {"overflowing layers", "[2,2,1]", "[2,1000000000000000000,1]", 0, "fill the file"},
    {"no neurons", "[2,2,1]", "[2,0,1]", 0, "that numann knows"},
    {"fewer layers", "[2,2,1]", "[2,1]", 0, "that numann knows"},
    {"sizes as text", "[2,2,1]", "[2,null,1]", 0, "that numann knows"},
    {"unknown layer", "\\\"dense\\\"", "\\\"dance\\\"", 0, "that numann knows"},
    {"layers without kinds", "\\\"kinds\\\":[", "\\\"kinds\\\":[],\\\"x\\\":[", 0,
     "that numann knows"},
    {"kinds no list", "\\\"kinds\\\":[", "\\\"kinds\\\":{},\\\"x\\\":[", 0, "that numann knows"},
    {"dense with a rate", "[null,", "[\\\"0.5\\\",", 0, "that numann knows"},
    {"more kinds than layers", "\\\"kinds\\\":[", "\\\"kinds\\\":[\\\"dense\\\",", 0,
     "that numann knows"},
    {"fewer rates", "[null,null]", "[null]", 0, "that numann knows"},
    {"rates no list", "[null,null]", "null", 0, "that numann knows"},
    {"rate as a number", "[null,", "[5,", 0, "that numann knows"},
    {"unknown activation", "tanh", "tang", 0, "that numann knows"},
    {"unknown loss", "squared_error", "cubed_error", 0, "that numann knows"},
    {"no layers at all", "[2,2,1],\\\"activations\\\":[\\\"tanh\\\",\\\"tanh\\\"]",
     "[2],\\\"activations\\\":[]", 0, "that numann knows"},
    {"other inputs", "\\\"features\\\":2", "\\\"features\\\":3", 0, "the layers can take"},
    {"other outputs", "\\\"targets\\\":1", "\\\"targets\\\":2", 0, "the layers can take"},
    {"few names", "\\\"feature_names\\\":null", "\\\"feature_names\\\":[\\\"a\\\"]", 0, "names"},
    {"names as numbers", "\\\"feature_names\\\":null", "\\\"feature_names\\\":[1,2]", 0, "names"},
    {"other hash", "\"weights_sha256\":\"", "\"weights_sha256\":\"0", 0, "weights_sha256 is"},
    {"no header checksum", NU_HEADER_CRC, "header_sum32", 0, "no checksum"},
    {"no checksums", "\"tensor_crc32\"", "\"tensor_sums\"", 0, "no metadata tensor_crc32"},
    {"checksum lost", "\\\"layers.1.bias\\\":", "\\\"layers.7.bias\\\":", 0, "none was written"},
};

START_TEST(crafted_headers_are_refused) {
  make_file(SAMPLE_MODEL, 2, small);
  craft_replaced("model", "model", 0);
  expect_valid(); /* the crafting itself does no harm */
  craft_replaced(crafted[_i].from, crafted[_i].to, crafted[_i].tail);
  expect_refusal(crafted[_i].what, crafted[_i].reason);
}
END_TEST

static const struct {
  const char *from, *to, *reason;
} progress[] = {
    {"\"step\":\"5\"", "\"step\":\"-5\"", "step is '-5'"},
    {"\"step\":\"5\"", "\"step\":\"18446744073709551616\"", "a count"},
    {"\"batch\":\"5\"", "\"batch\":\"5.0\"", "batch is"},
    {"\"epoch_loss\":\"40", "\"epoch_loss\":\"7ff0000000000000\",\"x\":\"", "finite"},
    {"\"epoch_loss\":\"40", "\"epoch_loss\":\"0x", "16 hexadecimal"},
    {"\"epoch_loss\":\"40", "\"epoch_loss\":\"4", "16 hexadecimal"},
    {"\"epoch\":\"0\"", "\"epoch\":\"18446744073709551615\"", "no training stands there"},
    {"\"epoch\":\"0\"", "\"epoch\":\"1\"", "no training stands there"},
    {"\"batch\":\"5\"", "\"batch\":\"9223372036854775808\"", "no training stands there"},
    {"\"batch\":\"5\"", "\"batch\":\"4\"", "no training stands there"},
    {"\"step\":\"5\"", "\"step\":\"6\"", "no training stands there"},
    {"\"step\":\"5\",\"epoch\":\"0\",\"batch\":\"5\"",
     "\"step\":\"8\",\"epoch\":\"0\",\"batch\":\"8\"", "no training stands there"},
    {"\"step\":\"5\",\"epoch\":\"0\",\"batch\":\"5\"",
     "\"step\":\"7\",\"epoch\":\"1\",\"batch\":\"0\"", "epoch_loss is not 0"},
    {"\"step\":\"5\",\"epoch\":\"0\"", "\"step\":\"12\",\"epoch\":\"1\"",
     "best_epoch is 0 after 1"},
    {"\"best_epoch\":\"0\"", "\"best_epoch\":\"1\"", "no training stands there"},
    {"\"finished\":\"false\"", "\"finished\":\"true\"", "not better"},
    {"\"config\":\"train:", "\"config\":\"trein:", "config:1:1: unknown key trein"},
    {"\"config\":\"", "\"config\":\"}{", "config:1:1: not valid YAML"},
    {"\"finished\":\"false\"", "\"finished\":\"yes\"", "finished is 'yes'"},
    {"optimizer.moment2.layers.0.weight\":{", "optimizer.moment3.layers.0.weight\":{",
     "was expected here"},
    {"\"optimizer\":\"adam\"", "\"optimizer\":\"adem\"", "optimizer is 'adem'"},
    {"\"optimizer\":\"adam\"", "\"optimizer\":\"momentum\"", "fill"},
    {"\"optimizer_numbers\":\"", "\"optimizer_numbers\":\"0123456789abcdef", "16 hexadecimal"},
};

START_TEST(crafted_progress_is_refused) {
  make_file(SAMPLE_CHECKPOINT, 3, large);
  craft_replaced(progress[_i].from, progress[_i].to, 0);
  expect_refusal(progress[_i].from, progress[_i].reason);
}
END_TEST

/* A file of format 1, which numann 0.1 wrote: layers without kinds and rates, all of them dense, and
 * an optimiser without a name, known by its arrays. */
static void make_older(sample_kind kind) {
  static const char *const newer[][2] = {
      {"\"numann_format\":\"2\"", "\"numann_format\":\"1\""},
      {"\\\"kinds\\\":[\\\"dense\\\",\\\"dense\\\",\\\"dense\\\"],", ""},
      {"\\\"rates\\\":[null,null,null],", ""},
      {"\"optimizer\":\"adam\",", ""},
      {"\"optimizer_numbers\":\"\",", ""}};
  make_file(kind, 3, large);
  size_t changes = kind == SAMPLE_CHECKPOINT ? 5 : 3;
  for (size_t i = 0; i < changes; i++) {
    craft_replaced(newer[i][0], newer[i][1], 0);
    free(bytes);
    bytes = sample_read(path, &size);
  }
}

START_TEST(older_files_are_read) {
  static const sample_kind kinds[] = {SAMPLE_MODEL, SAMPLE_CHECKPOINT};
  nu_saved want = sample_create(kinds[_i], 3, large, 5), got;
  numann_error err;
  make_older(kinds[_i]);
  ck_assert_msg(nu_saved_read(&got, path, &err) == NUMANN_OK, "%s", err.message);
  ck_assert(sample_equal(&want, &got));
  nu_saved_clear(&got);
  nu_saved_clear(&want);
}
END_TEST

/* Answers need no numerics version of their own. */
START_TEST(any_numerics_version_is_read) {
  nu_saved got;
  numann_error err;
  make_file(SAMPLE_MODEL, 2, small);
  craft_replaced("\"numerics_version\":\"3\"", "\"numerics_version\":\"1\"", 0);
  ck_assert_msg(nu_saved_read(&got, path, &err) == NUMANN_OK, "%s", err.message);
  ck_assert_uint_eq(got.numerics, 1);
  ck_assert_str_eq(got.version, numann_version());
  nu_saved_clear(&got);
}
END_TEST

static const struct {
  const char *what;
  size_t length;
  char start[28];
  const char *reason;
} raw[] = {
    {"empty file", 0, "", "too few"},
    {"seven bytes", 7, "\2\0\0\0\0\0\0", "too few"},
    {"header of 2^64 - 1", 100, "\xff\xff\xff\xff\xff\xff\xff\xff{}", "at most 92"},
    {"header of 2^63", 100, "\0\0\0\0\0\0\0\x80{}", "at most 92"},
    {"header beyond the end", 100, "\x5d\0\0\0\0\0\0\0{}", "at most 92"},
    {"no header", 100, "\0\0\0\0\0\0\0\0{}", "not JSON"},
    {"a space first", 100, "\3\0\0\0\0\0\0\0 {}", "not JSON"},
    {"a list", 100, "\2\0\0\0\0\0\0\0[]", "not JSON"},
    {"no end", 100, "\1\0\0\0\0\0\0\0{", "header"},
    {"text after the end", 100, "\4\0\0\0\0\0\0\0{}{}", "header"},
    {"an empty object", 10, "\2\0\0\0\0\0\0\0{}", "not a file of numann"},
    {"metadata alone", 27, "\x13\0\0\0\0\0\0\0{\"__metadata__\":{}}", "no checksum"},
};

START_TEST(raw_files_are_refused) {
  char file[128] = {0};
  memcpy(file, raw[_i].start, sizeof raw[_i].start);
  sample_write(path, file, raw[_i].length);
  expect_refusal(raw[_i].what, raw[_i].reason);
}
END_TEST

/* A sparse file of the size that the header claims: the limit itself must hold. */
START_TEST(header_limit_holds) {
  unsigned char start[9] = {0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, '{'}; /* 100,000,001 */
  sample_write(path, start, sizeof start);
  ck_assert_int_eq(truncate(path, 200000000), 0);
  expect_refusal("header of 100,000,001 bytes", "at most 100000000");
}
END_TEST

/* Headers with a long tail: start, item repeated, end. */
static const struct {
  const char *what, *start, *item; /* NULL: ,"<number>":0 */
  size_t repeat;
  const char *end, *reason;
} grown[] = {
    {"long name", "\"", "n", 1025, "\":{\"dtype\":0,\"shape\":0,\"data_offsets\":0}}",
     "longer than 1024"},
    {"many tensors", "\"x\":0", NULL, 65536, "}", "at most 65536"},
    {"many values", "\"x\":[", "[],", 5000000, "]}", "more than"},
    {"deep nesting", "\"x\":", "[", 1000000, "}", "deeper"},
    {"members of metadata", "\"__metadata__\":{\"x\":0}", "", 0, "}", "uplicate"},
};

START_TEST(grown_headers_are_refused) {
  make_file(SAMPLE_MODEL, 2, small);
  size_t length = bytes[0] + 256u * bytes[1];
  while (bytes[8 + length - 1] != '}') length--;
  nu_text text = {0};
  nu_text_append(&text, (const char *)bytes + 8, length - 1);
  nu_text_addf(&text, ",%s", grown[_i].start);
  char item[64];
  for (size_t i = 0; i < grown[_i].repeat; i++) {
    snprintf(item, sizeof item, ",\"%zu\":0", i);
    nu_text_add(&text, grown[_i].item ? grown[_i].item : item);
  }
  nu_text_add(&text, grown[_i].end);
  craft(&text, 0);
  nu_text_clear(&text);
  expect_refusal(grown[_i].what, grown[_i].reason);
}
END_TEST

/* A number that is not finite under a right checksum: written past the check of nu_saved_write. */
START_TEST(not_finite_numbers_are_refused) {
  float parameters[9] = {1, 2, 3, 4, 5, NAN, 7, 8, 9};
  nu_tensor tensors[] = {{"layers.0.weight", NU_F32, 2, {2, 2}, parameters},
                         {"layers.0.bias", NU_F32, 1, {2, 0}, parameters + 4},
                         {"layers.1.weight", NU_F32, 2, {1, 2}, parameters + 6},
                         {"layers.1.bias", NU_F32, 1, {1, 0}, parameters + 8}};
  numann_error err;
  make_file(SAMPLE_MODEL, 2, small);
  nu_tensor_file file;
  ck_assert_int_eq(nu_tensor_file_open(&file, path, &err), NUMANN_OK);
  json_t *metadata = json_incref(file.metadata);
  nu_tensor_file_close(&file);
  ck_assert_int_eq(nu_tensors_write(path, tensors, 4, metadata, &err), NUMANN_OK);
  json_decref(metadata);
  expect_refusal("NaN", "layers.0.bias[1] is not finite");
}
END_TEST

START_TEST(other_things_are_refused) {
  expect_refusal("nothing there", "cannot be opened");
  ck_assert_int_eq(mkdir(path, 0700), 0);
  expect_refusal("a folder", "not a regular file");
  ck_assert_int_eq(rmdir(path), 0);
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  expect_refusal("a pipe", "not a regular file");
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

int main(void) {
  Suite *suite = suite_create("checkpoint_damage");
  TCase *cases = tcase_create("damage");
  tcase_set_timeout(cases, 300);
  tcase_add_checked_fixture(cases, set_up, tear_down);
  tcase_add_test(cases, every_truncation_is_refused);
  tcase_add_test(cases, every_flipped_bit_is_refused);
  tcase_add_test(cases, random_flipped_bits_are_refused);
  tcase_add_loop_test(cases, crafted_headers_are_refused, 0, ROWS(crafted));
  tcase_add_test(cases, any_numerics_version_is_read);
  tcase_add_loop_test(cases, older_files_are_read, 0, 2);
  tcase_add_loop_test(cases, crafted_progress_is_refused, 0, ROWS(progress));
  tcase_add_loop_test(cases, raw_files_are_refused, 0, ROWS(raw));
  tcase_add_test(cases, header_limit_holds);
  tcase_add_loop_test(cases, grown_headers_are_refused, 0, ROWS(grown));
  tcase_add_test(cases, not_finite_numbers_are_refused);
  tcase_add_test(cases, other_things_are_refused);
  suite_add_tcase(suite, cases);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
