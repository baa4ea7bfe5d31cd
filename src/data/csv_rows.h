/* CSV: how records become rows, one by one or in blocks. SPDX-License-Identifier: MIT */
#ifndef NU_DATA_CSV_ROWS_H
#define NU_DATA_CSV_ROWS_H

#include <stdbool.h>

#include "data/columns.h"
#include "data/csv.h"

typedef struct nu_csv_rows {
  nu_csv csv;
  nu_record first, record; /* the first line, and the one being read */
  nu_columns columns;
  char **names; /* [columns.n] of the header, or NULL; owned */
  nu_column_layout layout;
  bool drop_blank, must_keep_rows;
  bool counted; /* the header counts the columns */
  nu_table *table;
  const nu_request *request;
} nu_csv_rows;

/* Messages: a field that is no number, a blank, a wrong number of fields, a comment. */
numann_status nu_csv_fail_field(const nu_csv_rows *r, const nu_record *record, size_t c,
                                const char *problem, numann_error *err);
numann_status nu_csv_fail_blank(const nu_csv_rows *r, const nu_record *record, size_t c,
                                numann_error *err);
numann_status nu_csv_fail_count(const nu_csv_rows *r, const nu_record *record, numann_error *err);
numann_status nu_csv_fail_comment(const nu_csv_rows *r, const nu_record *record, numann_error *err);
bool nu_csv_is_comment(const nu_record *record);

/* Put a record into r->table or into one like it. */
numann_status nu_csv_take(const nu_csv_rows *r, nu_table *table, const nu_record *record,
                          numann_error *err);

/* The same into r->table, which may be full. */
numann_status nu_csv_take_record(nu_csv_rows *r, const nu_record *record, numann_error *err);

/* Read the next record into r->table; *more = false when there was none. */
numann_status nu_csv_take_next(nu_csv_rows *r, bool *more, numann_error *err);

/* Rows that need no second look, into a table like r->table: csv stops before the first other one,
 * or at the end of its input, which is all in the window and ends with a line. */
void nu_csv_take_plain(const nu_csv_rows *r, nu_table *table, nu_csv *csv);

/* All records that are left, in blocks, by a team of threads: the same rows and the same first
 * error as by nu_csv_take_next alone. */
numann_status nu_csv_take_all(nu_csv_rows *r, numann_error *err);

#endif
