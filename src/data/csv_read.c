/* CSV: a file to a table - separator, header, what each column is for, then the rows.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "config/config.h"
#include "data/csv_rows.h"
#include "data/notes.h"

static numann_status find_option(const numann_config *config, char *separator, numann_error *err) {
  const char *text = nu_config_string(config, "data.separator");
  *separator = '\0';
  if (strcmp(text, "auto") == 0) return NUMANN_OK;
  *separator = text[0];
  if (strcmp(text, "tab") == 0) *separator = '\t';
  else if (strcmp(text, "space") == 0) *separator = ' ';
  else if (strlen(text) != 1 || !strchr("\t ,;|:!~^#&/", text[0])) {
    return nu_config_fail(config, "data.separator", err,
                          "'%s' cannot part fields; auto, tab, space or one of , ; | : is expected",
                          text);
  }
  return NUMANN_OK;
}

/* Marks of a missing value: in a first line they do not speak for a header. */
static bool is_missing_mark(const char *text, size_t n) {
  static const char *const marks[] = {"?", "-", "na", "n/a", "nan", "inf", "-inf", "null", "none"};
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
    if (strlen(marks[i]) == n && strncasecmp(marks[i], text, n) == 0) return true;
  }
  return false;
}

typedef enum look { LOOK_BLANK, LOOK_NUMBER, LOOK_MARK, LOOK_TEXT } look;

static look look_at(const nu_record *record, size_t i) {
  double ignored;
  const char *text = nu_field_text(record, i);
  size_t n = record->fields[i].length;
  if (n == 0) return LOOK_BLANK;
  if (nu_parse_real(text, n, &ignored)) return LOOK_NUMBER;
  return is_missing_mark(text, n) ? LOOK_MARK : LOOK_TEXT;
}

static bool has_known_name(const nu_csv_rows *r) {
  const nu_request *request = r->request;
  for (size_t i = 0; i < r->first.n; i++) {
    const char *text = nu_field_text(&r->first, i);
    size_t n = r->first.fields[i].length;
    look found = look_at(&r->first, i);
    if (found == LOOK_TEXT && nu_column_known(text, n, request->config, request->schema)) {
      return true;
    }
    if (found == LOOK_NUMBER && !request->schema && nu_column_known(text, n, request->config, NULL))
      return true;
  }
  return false;
}

static bool has_field(const nu_record *record, const char *name) {
  size_t n = strlen(name), i = 0;
  while (i < record->n &&
         (record->fields[i].length != n || memcmp(nu_field_text(record, i), name, n) != 0)) {
    i++;
  }
  return i < record->n;
}

/* Names that are numbers may stand in a row as well; not all of them, each in a column. */
static bool has_all_names(const nu_csv_rows *r) {
  const nu_schema *schema = r->request->schema;
  if (!schema || !schema->feature_names || schema->features > r->first.n) return false;
  size_t i = 0;
  while (i < schema->features && has_field(&r->first, schema->feature_names[i])) i++;
  return i == schema->features;
}

/* Of three columns or fewer, 0, 1, 2 may be a row. */
#define COUNTED_MIN 4

/* Does the first line number its columns 0, 1, 2 ..., perhaps with names between, as programs write
 * tables whose columns have no names? Text below a number says that it is no row. */
static bool counts_columns(const nu_csv_rows *r) {
  uint64_t number, expected = 0;
  bool text_below = false;
  for (size_t i = 0; i < r->first.n; i++) {
    const nu_field *field = &r->first.fields[i];
    if (look_at(&r->first, i) != LOOK_NUMBER) continue;
    text_below |= i < r->record.n && look_at(&r->record, i) == LOOK_TEXT;
    if (!nu_parse_count(nu_field_text(&r->first, i), field->length, &number)) return false;
    if (number != expected++) return false;
  }
  return r->record.n > 0 && expected > 1 && (text_below || expected >= COUNTED_MIN);
}

/* The first line is a header when it holds a name that config or model know; or when of the columns
 * that hold numbers in the second line at least half hold text in the first. Not one text alone is
 * enough: it may be a fault in a row of numbers. A single line: when all of it is text. */
static bool guess_header(const nu_csv_rows *r) {
  if (has_known_name(r) || has_all_names(r)) return true;
  size_t text = 0, numbers = 0;
  for (size_t i = 0; i < r->first.n; i++) {
    look here = look_at(&r->first, i);
    bool below_number = i < r->record.n && look_at(&r->record, i) == LOOK_NUMBER;
    if (r->record.n > 0 && !below_number) continue;
    text += here == LOOK_TEXT;
    numbers += here != LOOK_TEXT && here != LOOK_BLANK;
  }
  return r->record.n > 0 ? text > 0 && text >= numbers : numbers == 0 && text == r->first.n;
}

static bool has_header(nu_csv_rows *r) {
  const char *option = nu_config_string(r->request->config, "data.header");
  if (strcmp(option, "auto") != 0) return strcmp(option, "true") == 0;
  if (guess_header(r)) return true;
  r->counted = !r->request->schema && counts_columns(r);
  r->table->header_refuted = !r->counted;
  return r->counted;
}

static numann_status take_names(nu_csv_rows *r, numann_error *err) {
  r->names = calloc(r->first.n + 1, sizeof *r->names);
  bool held = r->names;
  for (size_t i = 0; held && i < r->first.n; i++) {
    r->names[i] = nu_copy_text(nu_field_text(&r->first, i), r->first.fields[i].length);
    held = r->names[i];
  }
  return held ? NUMANN_OK : nu_fail_memory(err, r->first.length, "column names");
}

static numann_status copy_name(char **names, size_t i, const char *name, numann_error *err) {
  names[i] = nu_copy_text(name, strlen(name));
  return names[i] ? NUMANN_OK : nu_fail_memory(err, strlen(name), "column names");
}

/* Give the table its shape, and the names of its columns when a header tells them apart: else other
 * files must be read by position. */
static numann_status shape_table(nu_csv_rows *r, numann_error *err) {
  nu_table *table = r->table;
  table->by_line = true;
  NU_TRY(nu_table_shape(table, r->layout.features, r->layout.targets, r->request, err));
  bool distinct = false;
  if (r->names) NU_TRY(nu_columns_distinct(&distinct, &r->columns, &r->layout, err));
  if (!distinct) return NUMANN_OK;
  table->feature_names = calloc(table->features + 1, sizeof(char *));
  table->target_names = calloc(table->targets + 1, sizeof(char *));
  if (!table->feature_names || !table->target_names) {
    return nu_fail_memory(err, r->columns.n * sizeof(char *), "column names");
  }
  for (size_t c = 0; c < r->columns.n; c++) {
    size_t slot = r->layout.slot[c];
    if (slot == NU_LEFT_OUT) continue;
    bool input = slot < table->features;
    NU_TRY(copy_name(input ? table->feature_names : table->target_names,
                     input ? slot : slot - table->features, r->names[c], err));
  }
  return NUMANN_OK;
}

/* From the first two lines: is there a header, and what is each column for? */
static numann_status begin(nu_csv_rows *r, numann_error *err) {
  const nu_request *request = r->request;
  NU_TRY(nu_csv_next(&r->csv, &r->first, err));
  NU_TRY(nu_csv_next(&r->csv, &r->record, err));
  if (r->first.n == 0 && nu_may_be_empty(request)) return NUMANN_OK;
  if (r->first.n == 0) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s: only empty lines; rows of data are expected",
                   r->csv.in->name);
  }
  if (nu_csv_is_comment(&r->record)) return nu_csv_fail_comment(r, &r->record, err);
  if (nu_csv_is_comment(&r->first) && r->record.n > 0 && r->record.n != r->first.n) {
    return nu_csv_fail_comment(r, &r->first, err);
  }
  if (has_header(r)) NU_TRY(take_names(r, err));
  r->columns = (nu_columns){r->csv.in->name, r->first.n, r->names};
  if (request->schema) {
    NU_TRY(nu_column_layout_like(&r->layout, &r->columns, request->schema, request->config,
                                 request->source.with_targets, err));
  } else {
    NU_TRY(nu_column_layout_train(&r->layout, &r->columns, request->config, err));
  }
  if (!request->schema) nu_note_nameless(&r->table->notes, &r->columns, &r->layout);
  if (r->counted) nu_note_counted(&r->table->notes, &r->columns);
  return shape_table(r, err);
}

/* A column that is blank in every row leaves none; often it is the last, of lines that end with a
 * separator. */
static numann_status fail_no_rows(const nu_csv_rows *r, numann_error *err) {
  const char *name = r->csv.in->name;
  if (r->table->dropped == 0) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s: no rows after the header; data are expected", name);
  }
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: no rows without blanks; leave blank columns out with data.drop, such as "
                 "[%zu], the last, where the lines end with a separator",
                 name, r->columns.n - 1);
}

static numann_status read_all(nu_csv_rows *r, numann_error *err) {
  NU_TRY(begin(r, err));
  if (!r->names && r->first.n > 0) NU_TRY(nu_csv_take_record(r, &r->first, err));
  if (r->record.n > 0) {
    NU_TRY(nu_csv_take_record(r, &r->record, err));
    NU_TRY(nu_csv_take_all(r, err));
  }
  bool enough = r->table->rows > 0 || nu_may_be_empty(r->request);
  return enough ? NUMANN_OK : fail_no_rows(r, err);
}

numann_status nu_csv_read(nu_table *table, nu_input *in, const nu_request *request,
                          numann_error *err) {
  const numann_config *config = request->config;
  nu_csv_rows r = {.table = table, .request = request};
  char separator;
  NU_TRY(find_option(config, &separator, err));
  /* answers must come one for each row */
  r.must_keep_rows = nu_may_be_empty(request);
  const char *blank = nu_config_string(config, "data.blank");
  r.drop_blank = !r.must_keep_rows && strcmp(blank, "drop_row") == 0;
  numann_status status = nu_csv_open(&r.csv, in, separator, err);
  if (status == NUMANN_OK) status = read_all(&r, err);
  for (size_t i = 0; r.names && i < r.first.n; i++) free(r.names[i]);
  free(r.names);
  nu_column_layout_clear(&r.layout);
  nu_record_clear(&r.first);
  nu_record_clear(&r.record);
  return status;
}
