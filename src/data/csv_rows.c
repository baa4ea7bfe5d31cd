/* CSV: a record to a row - numbers, labels, blanks. SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/number.h"
#include "data/array.h"
#include "data/csv_rows.h"

/* The single target may be a class: remember its value, number or text. */
static numann_status take_label(const nu_csv_rows *r, nu_table *table, const nu_record *record,
                                size_t c, float *row, uint32_t *label, numann_error *err) {
  double value;
  nu_labels *labels = &table->labels;
  size_t slot = table->features;
  const char *text = nu_field_text(record, c);
  size_t n = record->fields[c].length;
  uint64_t line = record->fields[c].line;
  if (nu_parse_real(text, n, &value) && nu_table_put(table, row, slot, value)) {
    return nu_labels_field(labels, text, n, &value, line, label, err);
  }
  row[slot] = NAN;
  if (labels->overflow) return nu_csv_fail_field(r, record, c, "is not a finite number", err);
  return nu_labels_field(labels, text, n, NULL, line, label, err);
}

static numann_status take_number(const nu_csv_rows *r, const nu_table *table,
                                 const nu_record *record, size_t c, float *row, numann_error *err) {
  double value;
  if (!nu_parse_real(nu_field_text(record, c), record->fields[c].length, &value)) {
    return nu_csv_fail_field(r, record, c, "is not a finite number", err);
  }
  if (nu_table_put(table, row, r->layout.slot[c], value)) return NUMANN_OK;
  return nu_csv_fail_field(r, record, c, nu_table_refusal(table), err);
}

/* The first column in use whose field is blank; columns.n when there is none. */
static size_t find_blank(const nu_csv_rows *r, const nu_record *record) {
  size_t c = 0;
  while (c < record->n && (r->layout.slot[c] == NU_LEFT_OUT || record->fields[c].length > 0)) c++;
  return c;
}

numann_status nu_csv_take(const nu_csv_rows *r, nu_table *table, const nu_record *record,
                          numann_error *err) {
  uint32_t label = 0;
  float *row = NULL;
  if (record->n != r->columns.n) return nu_csv_fail_count(r, record, err);
  size_t blank = find_blank(r, record);
  if (blank < record->n) {
    table->dropped++;
    return r->drop_blank ? NUMANN_OK : nu_csv_fail_blank(r, record, blank, err);
  }
  NU_TRY(nu_table_room(table, &row, err));
  for (size_t c = 0; c < record->n; c++) {
    size_t slot = r->layout.slot[c];
    if (slot == NU_LEFT_OUT) continue;
    bool label_column = slot == table->features && table->targets == 1;
    if (label_column) NU_TRY(take_label(r, table, record, c, row, &label, err));
    else NU_TRY(take_number(r, table, record, c, row, err));
  }
  return nu_table_keep(table, label, err);
}

numann_status nu_csv_take_record(nu_csv_rows *r, const nu_record *record, numann_error *err) {
  if (r->table->rows < NU_ROWS_MAX) return nu_csv_take(r, r->table, record, err);
  return nu_fail(err, NUMANN_ERR_DATA, "%s: more than %u rows", r->csv.in->name, NU_ROWS_MAX);
}

numann_status nu_csv_take_next(nu_csv_rows *r, bool *more, numann_error *err) {
  NU_TRY(nu_csv_next(&r->csv, &r->record, err));
  *more = r->record.n > 0;
  return *more ? nu_csv_take_record(r, &r->record, err) : NUMANN_OK;
}
