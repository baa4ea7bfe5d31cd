/* CSV: rows that need no second look, straight from text to floats. SPDX-License-Identifier: MIT
 *
 * A row is plain when every column in use holds a number (the label: any text), no number is
 * quoted, nothing is blank, and no limit is near. Everything else - faults, blanks, empty lines,
 * text with quotes or line ends inside - is left to nu_csv_next and nu_csv_take, which this file
 * must agree with on the rows that it takes. */
#include <math.h>

#include "base/number.h"
#include "data/csv_rows.h"

typedef struct plain {
  const nu_csv_rows *rows;
  nu_table *table;
  const char *end; /* of the text, behind a line feed */
  char separator;
} plain;

static bool is_blank(const plain *p, char c) {
  return c == ' ' || (c == '\t' && p->separator != '\t');
}

static const char *skip_blanks(const plain *p, const char *at) {
  while (is_blank(p, *at)) at++;
  return at;
}

typedef struct span {
  const char *begin, *end;
} span;

/* Behind a field of any text, which is *found; NULL: it has line ends or quotes inside. */
static const char *skip_text(const plain *p, const char *at, span *found) {
  bool quoted = *at == '"';
  char last = quoted ? '"' : p->separator;
  at += quoted;
  *found = (span){at, at};
  while ((unsigned char)*at > '\r' && *at != last) at++;
  found->end = at;
  if (quoted) return *at == '"' && at[1] != '"' ? at + 1 : NULL;
  while (found->end > found->begin && is_blank(p, found->end[-1])) found->end--;
  return at;
}

/* From behind a field to the next one, or behind the line after the last; NULL: neither. */
static const char *end_field(const plain *p, const char *field, const char *at, bool last) {
  const char *content = at;
  at = skip_blanks(p, at);
  if (at - field > NU_FIELD_MAX) return NULL;
  if (last) {
    at += *at == '\r';
    return *at == '\n' ? at + 1 : NULL;
  }
  if (p->separator == ' ') return at > content && *at != '\n' && *at != '\r' ? at : NULL;
  return *at == p->separator ? at + 1 : NULL;
}

static bool take_label(const plain *p, const span *found, uint64_t line, float *row,
                       uint32_t *label) {
  double value;
  nu_labels *labels = &p->table->labels;
  size_t n = (size_t)(found->end - found->begin);
  if (n == 0) return false;
  size_t slot = p->table->features;
  if (nu_parse_real(found->begin, n, &value) && nu_table_put(p->table, row, slot, value)) {
    return nu_labels_field(labels, found->begin, n, &value, line, label, NULL) == NUMANN_OK;
  }
  row[slot] = NAN;
  return !labels->overflow &&
         nu_labels_field(labels, found->begin, n, NULL, line, label, NULL) == NUMANN_OK;
}

/* Behind the line, whose row is now in the table; NULL: it is not plain, and nothing has changed.
 * The label comes last, because one of a row that is not taken must not be remembered. */
static const char *take_line(const plain *p, const char *at, uint64_t line) {
  const char *begin = at;
  span found, label_text = {NULL, NULL};
  const size_t *slots = p->rows->layout.slot;
  size_t columns = p->rows->columns.n, features = p->table->features;
  size_t label_slot = p->table->targets == 1 ? features : NU_LEFT_OUT;
  uint32_t label = 0;
  float *row;
  if (nu_table_room(p->table, &row, NULL) != NUMANN_OK) return NULL;
  for (size_t c = 0; c < columns; c++) {
    const char *field = at = skip_blanks(p, at);
    double value;
    if (slots[c] == NU_LEFT_OUT) {
      at = skip_text(p, at, &found);
    } else if (slots[c] == label_slot) {
      at = skip_text(p, at, &label_text);
    } else {
      at = nu_scan_real(at, p->end, &value);
      if (at && !nu_table_put(p->table, row, slots[c], value)) return NULL;
    }
    if (!at || !(at = end_field(p, field, at, c + 1 == columns))) return NULL;
  }
  if (at - begin > NU_LINE_MAX) return NULL;
  if (label_text.begin && !take_label(p, &label_text, line, row, &label)) return NULL;
  return nu_table_keep(p->table, label, NULL) == NUMANN_OK ? at : NULL;
}

void nu_csv_take_plain(const nu_csv_rows *r, nu_table *table, nu_csv *csv) {
  nu_input *in = csv->in;
  const char *text = (const char *)in->window;
  plain p = {r, table, text + in->end, csv->separator};
  while (in->begin < in->end) {
    const char *behind = take_line(&p, text + in->begin, csv->line);
    if (!behind) return;
    in->begin = (size_t)(behind - text);
    csv->line++;
  }
}
