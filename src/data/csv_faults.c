/* CSV: what is wrong with a record, and advice that works. SPDX-License-Identifier: MIT
 *
 * A column can be left out only where the config says what the columns are for: of the training
 * file. Other files must have the columns of the network. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "data/csv_rows.h"

/* How data.drop speaks of a column: by name where that is a plain word of its own, else by
 * position. */
static void drop_item(const nu_columns *columns, size_t c, char item[NU_EXCERPT]) {
  const char *name = columns->names ? columns->names[c] : "";
  size_t n = strlen(name), same = 0;
  bool word = isalpha((unsigned char)name[0]) && n < NU_EXCERPT;
  for (size_t i = 0; word && i < n; i++) word = isalnum((unsigned char)name[i]) || name[i] == '_';
  for (size_t i = 0; word && i < columns->n; i++) same += strcmp(columns->names[i], name) == 0;
  if (same == 1) snprintf(item, NU_EXCERPT, "%s", name);
  else snprintf(item, NU_EXCERPT, "%zu", c);
}

/* ", or leave the column out with data.drop: [b]", where that can be done. */
#define DROP_TEXT (NU_EXCERPT + 64)
static const char *drop_advice(const nu_csv_rows *r, size_t c, char text[DROP_TEXT]) {
  char item[NU_EXCERPT];
  text[0] = '\0';
  if (r->request->schema || r->layout.slot[c] >= r->layout.features) return text;
  drop_item(&r->columns, c, item);
  snprintf(text, DROP_TEXT, ", or leave the column out with data.drop: [%s]", item);
  return text;
}

bool nu_csv_is_comment(const nu_record *record) {
  if (record->n == 0 || record->fields[0].quoted || record->fields[0].length == 0) return false;
  const char *text = nu_field_text(record, 0);
  bool number = record->fields[0].length > 1 && isdigit((unsigned char)text[1]);
  return (text[0] == '#' || text[0] == '%') && !number;
}

numann_status nu_csv_fail_comment(const nu_csv_rows *r, const nu_record *record,
                                  numann_error *err) {
  char mark = nu_field_text(record, 0)[0];
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s:%" PRIu64
                 ": a comment, it seems, which CSV does not have; remove lines that begin with "
                 "'%c', for example with sed '/^%c/d' FILE",
                 r->csv.in->name, record->fields[0].line, mark, mark);
}

numann_status nu_csv_fail_field(const nu_csv_rows *r, const nu_record *record, size_t c,
                                const char *problem, numann_error *err) {
  char column[NU_COLUMN_TEXT], text[NU_EXCERPT], advice[DROP_TEXT];
  const nu_field *field = &record->fields[c];
  if (c == 0 && nu_csv_is_comment(record)) return nu_csv_fail_comment(r, record, err);
  return nu_fail(err, NUMANN_ERR_DATA, "%s:%" PRIu64 ":%" PRIu64 ": %s: '%s' %s; correct it%s",
                 r->csv.in->name, field->line, field->column,
                 nu_column_text(&r->columns, c, column),
                 nu_excerpt(nu_field_text(record, c), field->length, text), problem,
                 drop_advice(r, c, advice));
}

/* ", for example with sed 's/,[[:space:]]*$//' FILE": where no separator has a meaning for sed. */
#define SED_TEXT 64
static const char *sed_advice(const nu_csv_rows *r, char text[SED_TEXT]) {
  text[0] = '\0';
  if (strchr(",;|", r->csv.separator)) {
    snprintf(text, SED_TEXT, ", for example with sed 's/%c[[:space:]]*$//' FILE", r->csv.separator);
  }
  return text;
}

/* Is the last field nothing but what follows a separator at the line's end? */
static bool ends_with_separator(const nu_record *record) {
  const nu_field *last = &record->fields[record->n - 1];
  return record->n > 1 && last->length == 0 && !last->quoted;
}

static numann_status fail_trailing(const nu_csv_rows *r, const nu_record *record,
                                   numann_error *err) {
  char sed[SED_TEXT], other[96] = "";
  size_t last = record->n - 1;
  const nu_field *field = &record->fields[last];
  if (!r->request->schema) {
    snprintf(other, sizeof other, ", or leave that out with data.drop: [%zu]%s", last,
             r->layout.slot[last] < r->layout.features ? "" : " and name another target");
  }
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s:%" PRIu64 ":%" PRIu64
                 ": a separator ends the line, and a blank column without name follows it; remove "
                 "it from all lines%s%s",
                 r->csv.in->name, field->line, field->column, sed_advice(r, sed), other);
}

numann_status nu_csv_fail_blank(const nu_csv_rows *r, const nu_record *record, size_t c,
                                numann_error *err) {
  char column[NU_COLUMN_TEXT], advice[DROP_TEXT];
  const nu_field *field = &record->fields[c];
  bool nameless = !r->names || r->names[c][0] == '\0';
  if (c + 1 == record->n && nameless && ends_with_separator(record)) {
    return fail_trailing(r, record, err);
  }
  return nu_fail(err, NUMANN_ERR_DATA, "%s:%" PRIu64 ":%" PRIu64 ": %s is blank; fill it in%s%s",
                 r->csv.in->name, field->line, field->column,
                 nu_column_text(&r->columns, c, column),
                 r->must_keep_rows ? "" : ", or leave such rows out with data.blank: drop_row",
                 drop_advice(r, c, advice));
}

numann_status nu_csv_fail_count(const nu_csv_rows *r, const nu_record *record, numann_error *err) {
  char separator[] = {r->csv.separator, '\0'}, sed[SED_TEXT];
  bool tab = r->csv.separator == '\t', space = r->csv.separator == ' ';
  uint64_t line = record->fields[0].line;
  if (nu_csv_is_comment(record)) return nu_csv_fail_comment(r, record, err);
  if (record->n == r->columns.n + 1 && ends_with_separator(record)) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s:%" PRIu64
                   ":1: %zu fields, but the first line has %zu: a separator ends the line; remove "
                   "it from all lines that end so%s",
                   r->csv.in->name, line, record->n, r->columns.n, sed_advice(r, sed));
  }
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s:%" PRIu64
                 ":1: %zu fields, but the first line has %zu; correct the line, or "
                 "set data.separator, which is '%s'",
                 r->csv.in->name, line, record->n, r->columns.n,
                 tab     ? "tab"
                 : space ? "space"
                         : separator);
}
