/* metrics.csv and metrics.jsonl: reading what an interrupted run left.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/number.h"
#include "report/metrics.h"

#define LARGEST_FILE ((size_t)1 << 28) /* a million epochs */

/* Where the reader stands. */
typedef struct place {
  const char *path;
  size_t line; /* counted from 1 */
  numann_error *err;
} place;

#define REMEDY "repair the file or remove it: the training can go on without it"

static numann_status fail_value(const place *at, const nu_column *column, const char *text,
                                size_t n) {
  static const char *const expected[] = {"a count", "a number or nothing", "a flag"};
  char shown[NU_EXCERPT];
  return nu_fail(at->err, NUMANN_ERR_DATA, "%s:%zu: %s is '%s', %s is expected; " REMEDY, at->path,
                 at->line, column->name, nu_excerpt(text, n, shown), expected[column->kind]);
}

static void set_field(numann_epoch *row, const nu_column *column, const void *value, size_t size) {
  memcpy((char *)row + column->offset, value, size);
}

/* ---- CSV */

static bool parse_field(numann_epoch *row, const nu_column *column, const char *text, size_t n) {
  uint64_t count = 0;
  double real = NAN;
  bool flag = n == 1 && text[0] == '1';
  switch (column->kind) {
    case NU_COLUMN_COUNT:
      if (!nu_parse_count(text, n, &count)) return false;
      set_field(row, column, &count, sizeof count);
      return true;
    case NU_COLUMN_REAL:
      if (n && !nu_parse_real(text, n, &real)) return false;
      set_field(row, column, &real, sizeof real);
      return true;
    case NU_COLUMN_FLAG:
      set_field(row, column, &flag, sizeof flag);
      return n == 1 && (text[0] == '0' || text[0] == '1');
  }
  return false;
}

static numann_status parse_csv(const place *at, const char *line, size_t n, numann_epoch *row) {
  const char *p = line, *end = line + n;
  for (size_t i = 0; i < NU_COLUMNS; i++) {
    const char *comma = memchr(p, ',', (size_t)(end - p));
    bool last = i + 1 == NU_COLUMNS;
    if (last != !comma) {
      return nu_fail(at->err, NUMANN_ERR_DATA,
                     "%s:%zu: %s columns than the %d of the header; " REMEDY, at->path, at->line,
                     last ? "more" : "fewer", NU_COLUMNS);
    }
    const char *stop = comma ? comma : end;
    if (!parse_field(row, &nu_columns[i], p, (size_t)(stop - p))) {
      return fail_value(at, &nu_columns[i], p, (size_t)(stop - p));
    }
    p = stop + 1;
  }
  return NUMANN_OK;
}

static numann_status check_header(const place *at, const char *line, size_t n) {
  nu_text header = {0};
  char shown[NU_EXCERPT];
  nu_metrics_header(&header);
  bool failed = header.failed;
  bool same = !failed && n + 1 == header.length && memcmp(line, header.data, n) == 0;
  nu_text_clear(&header);
  if (failed) return nu_fail_memory(at->err, n, at->path);
  if (same) return NUMANN_OK;
  return nu_fail(at->err, NUMANN_ERR_DATA,
                 "%s:1: '%s' is not the header of numann's metrics; " REMEDY, at->path,
                 nu_excerpt(line, n, shown));
}

/* ---- JSON */

static bool take_json(numann_epoch *row, const nu_column *column, const json_t *value) {
  uint64_t count = (uint64_t)json_integer_value(value);
  double real = json_is_number(value) ? json_number_value(value) : NAN;
  bool flag = json_is_true(value);
  switch (column->kind) {
    case NU_COLUMN_COUNT:
      set_field(row, column, &count, sizeof count);
      return json_is_integer(value) && json_integer_value(value) >= 0;
    case NU_COLUMN_REAL:
      set_field(row, column, &real, sizeof real);
      return json_is_number(value) || json_is_null(value);
    case NU_COLUMN_FLAG: set_field(row, column, &flag, sizeof flag); return json_is_boolean(value);
  }
  return false;
}

static numann_status fail_json(const place *at, const nu_column *column, const json_t *value) {
  nu_text text = {0};
  if (value) nu_json_dump(&text, value, JSON_ENCODE_ANY);
  else nu_text_add(&text, "missing");
  numann_status status = text.failed ? nu_fail_memory(at->err, text.length, at->path)
                                     : fail_value(at, column, nu_text_view(&text), text.length);
  nu_text_clear(&text);
  return status;
}

static numann_status parse_json(const place *at, const char *line, size_t n, numann_epoch *row) {
  json_error_t error;
  json_t *object = nu_json_load(line, n, &error);
  if (!object && !error.text[0]) return nu_fail_memory(at->err, n, at->path);
  if (!object) {
    return nu_fail(at->err, NUMANN_ERR_DATA, "%s:%zu:%d: not JSON: %s; " REMEDY, at->path, at->line,
                   error.column, error.text);
  }
  numann_status status = NUMANN_OK;
  for (size_t i = 0; i < NU_COLUMNS && status == NUMANN_OK; i++) {
    const json_t *value = json_object_get(object, nu_columns[i].name);
    if (!take_json(row, &nu_columns[i], value)) status = fail_json(at, &nu_columns[i], value);
  }
  json_decref(object);
  return status;
}

/* ---- lines */

static numann_status keep_row(nu_epochs *out, const place *at, numann_epoch *row) {
  uint64_t before = out->n ? out->rows[out->n - 1].epoch : 0;
  if (row->epoch <= before) {
    return nu_fail(at->err, NUMANN_ERR_DATA,
                   "%s:%zu: epoch %" PRIu64 " stands after epoch %" PRIu64 "; " REMEDY, at->path,
                   at->line, row->epoch, before);
  }
  row->validated = !isnan(row->validation_loss) || !isnan(row->validation_accuracy) ||
                   !isnan(row->validation_rmse);
  if (!nu_grow(&out->rows, &out->capacity, out->n + 1, sizeof *row)) {
    return nu_fail_memory(at->err, sizeof *row, at->path);
  }
  out->rows[out->n++] = *row;
  return NUMANN_OK;
}

/* Whole lines until the first epoch beyond `keep`: from there on the resumed run writes anew. */
static numann_status read_lines(nu_epochs *out, place *at, nu_metrics_form form, uint64_t keep,
                                const char *p, const char *end) {
  for (const char *stop; (stop = memchr(p, '\n', (size_t)(end - p))); p = stop + 1) {
    numann_epoch row = {0};
    size_t n = (size_t)(stop - p);
    at->line++;
    if (form == NU_METRICS_CSV && at->line == 1) {
      NU_TRY(check_header(at, p, n));
      continue;
    }
    NU_TRY(form == NU_METRICS_CSV ? parse_csv(at, p, n, &row) : parse_json(at, p, n, &row));
    if (row.epoch > keep) return NUMANN_OK;
    NU_TRY(keep_row(out, at, &row));
  }
  return NUMANN_OK;
}

numann_status nu_metrics_read(nu_epochs *out, const char *path, nu_metrics_form form, uint64_t keep,
                              numann_error *err) {
  *out = (nu_epochs){0};
  if (access(path, F_OK) != 0 && errno == ENOENT) return NUMANN_OK;
  char *data;
  size_t size;
  NU_TRY(nu_file_read(path, LARGEST_FILE, NUMANN_ERR_DATA, &data, &size, err));
  place at = {.path = path, .err = err};
  numann_status status = read_lines(out, &at, form, keep, data, data + size);
  free(data);
  if (status != NUMANN_OK) {
    free(out->rows);
    *out = (nu_epochs){0};
  }
  return status;
}
