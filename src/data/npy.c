/* NPY, the format of NumPy's save, versions 1 to 3: a magic text, the version, the length of a
 * header, the header as a Python dictionary, then the values. SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "data/array.h"
#include "data/table.h"

#define MAGIC_BYTES 8
#define HEADER_MAX 10000

static const struct {
  char name[3];
  nu_element element;
} types[] = {
    {"f2", {'f', 2, false}}, {"f4", {'f', 4, false}}, {"f8", {'f', 8, false}},
    {"u8", {'u', 8, false}}, {"u1", {'u', 1, false}}, {"u2", {'u', 2, false}},
    {"u4", {'u', 4, false}}, {"i1", {'i', 1, false}}, {"i2", {'i', 2, false}},
    {"i4", {'i', 4, false}}, {"i8", {'i', 8, false}}, {"b1", {'u', 1, false}},
};

/* The header's text while it is read; `at` runs over it. */
typedef struct cursor {
  const nu_array_file *array;
  const char *text, *end, *at;
  uint64_t offset; /* of the text in the file */
} cursor;

static numann_status fail_at(const cursor *c, const char *expected, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_DATA, "%s@%" PRIu64 ": damaged NPY header; %s is expected",
                 c->array->in->name, c->offset + (uint64_t)(c->at - c->text), expected);
}

static void skip_blanks(cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) c->at++;
}

static bool take(cursor *c, char wanted) {
  skip_blanks(c);
  if (c->at == c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

static bool take_word(cursor *c, const char *word) {
  size_t n = strlen(word);
  skip_blanks(c);
  if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return false;
  c->at += n;
  return true;
}

/* A quoted text without escapes, which no header of an array of numbers needs. */
static bool take_string(cursor *c, const char **string, size_t *n) {
  char quote = take(c, '\'') ? '\'' : take(c, '"') ? '"' : '\0';
  if (!quote) return false;
  const char *close = memchr(c->at, quote, (size_t)(c->end - c->at));
  if (!close) return false;
  *string = c->at;
  *n = (size_t)(close - c->at);
  c->at = close + 1;
  return true;
}

static numann_status read_type(nu_array_file *array, cursor *c, numann_error *err) {
  const char *text;
  size_t n;
  if (!take_string(c, &text, &n)) {
    return fail_at(c, "a type of plain numbers, such as '<f4',", err);
  }
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (n != 3 || memcmp(text + 1, types[i].name, 2) != 0) continue;
    bool order_known = text[0] == '<' || text[0] == '>' || types[i].element.bytes == 1;
    if (!order_known) continue;
    array->element = types[i].element;
    array->element.big = text[0] == '>';
    return NUMANN_OK;
  }
  char shown[NU_EXCERPT];
  return nu_fail(
      err, NUMANN_ERR_DATA,
      "%s: values of type '%s'; f2, f4, f8, u1, u2, u4, u8, i1, i2, i4, i8 or b1 are read; "
      "convert the array with astype('float32')",
      array->in->name, nu_excerpt(text, n, shown));
}

static numann_status read_order(bool *fortran, cursor *c, numann_error *err) {
  *fortran = take_word(c, "True");
  if (*fortran || take_word(c, "False")) return NUMANN_OK;
  return fail_at(c, "True or False", err);
}

static bool take_size(cursor *c, size_t *size) {
  skip_blanks(c);
  const char *begin = c->at;
  while (c->at < c->end && *c->at >= '0' && *c->at <= '9') c->at++;
  uint64_t value;
  if (!nu_parse_count(begin, (size_t)(c->at - begin), &value) || value > SIZE_MAX) return false;
  *size = (size_t)value;
  return true;
}

static numann_status read_shape(nu_array_file *array, cursor *c, numann_error *err) {
  if (!take(c, '(')) return fail_at(c, "a tuple of sizes", err);
  while (!take(c, ')')) {
    if (array->rank == NU_ARRAY_RANK) return fail_at(c, "a shape of 1 to 4 dimensions", err);
    if (!take_size(c, &array->shape[array->rank++])) return fail_at(c, "a size", err);
    if (take(c, ',')) continue;
    if (!take(c, ')')) return fail_at(c, "')'", err);
    break;
  }
  return array->rank ? NUMANN_OK : fail_at(c, "a shape of 1 to 4 dimensions", err);
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), } in any order */
static numann_status read_dictionary(nu_array_file *array, bool *fortran, cursor *c,
                                     numann_error *err) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  bool seen[3] = {false};
  if (!take(c, '{')) return fail_at(c, "'{'", err);
  while (!take(c, '}')) {
    const char *key;
    size_t n, k = 0;
    if (!take_string(c, &key, &n)) return fail_at(c, "a key", err);
    while (k < 3 && (n != strlen(keys[k]) || memcmp(key, keys[k], n) != 0)) k++;
    if (k == 3 || seen[k]) return fail_at(c, "descr, fortran_order and shape, each once,", err);
    seen[k] = true;
    if (!take(c, ':')) return fail_at(c, "':'", err);
    if (k == 0) NU_TRY(read_type(array, c, err));
    if (k == 1) NU_TRY(read_order(fortran, c, err));
    if (k == 2) NU_TRY(read_shape(array, c, err));
    if (take(c, ',')) continue;
    if (!take(c, '}')) return fail_at(c, "'}'", err);
    break;
  }
  if (!seen[0] || !seen[1] || !seen[2]) return fail_at(c, "descr, fortran_order and shape", err);
  skip_blanks(c);
  return c->at == c->end ? NUMANN_OK : fail_at(c, "nothing more", err);
}

static numann_status read_header_length(nu_input *in, size_t *length, numann_error *err) {
  unsigned char magic[MAGIC_BYTES], size[4] = {0};
  NU_TRY(nu_input_read(in, magic, sizeof magic, err));
  if (memcmp(magic, "\x93NUMPY", 6) != 0) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s@0: begins like an NPY file, but is none", in->name);
  }
  if (magic[6] < 1 || magic[6] > 3) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s@6: NPY version %d; 1 to 3 are read", in->name,
                   magic[6]);
  }
  NU_TRY(nu_input_read(in, size, magic[6] == 1 ? 2 : 4, err));
  *length = (size_t)size[3] << 24 | (size_t)size[2] << 16 | (size_t)size[1] << 8 | size[0];
  if (*length <= HEADER_MAX) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA, "%s@8: an NPY header of %zu bytes; at most %d are read",
                 in->name, *length, HEADER_MAX);
}

numann_status nu_npy_open(nu_array_file *array, nu_input *in, numann_error *err) {
  char header[HEADER_MAX];
  size_t length = 0;
  bool fortran = false;
  *array = (nu_array_file){.in = in};
  NU_TRY(read_header_length(in, &length, err));
  cursor c = {array, header, header + length, header, nu_input_offset(in)};
  NU_TRY(nu_input_read(in, header, length, err));
  NU_TRY(read_dictionary(array, &fortran, &c, err));
  NU_TRY(nu_array_check(array, err));
  return fortran && array->rank > 1 && array->rows > 0 ? nu_array_turn(array, err) : NUMANN_OK;
}
