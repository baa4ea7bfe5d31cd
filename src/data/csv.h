/* CSV: bytes to records of fields. SPDX-License-Identifier: MIT
 *
 * A record is a line; fields are divided by the separator and may be quoted, with "" for a quote
 * inside. Spaces and tabs around a field are not part of it. LF and CRLF end a line, as does the
 * end of the file. Refused with line:column: NUL bytes, a CR without LF, a quote that is never
 * closed, fields over 4 KiB, lines over 16 MiB, empty lines between rows. */
#ifndef NU_DATA_CSV_H
#define NU_DATA_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/input.h"
#include "data/table.h"

#define NU_FIELD_MAX 4096
#define NU_LINE_MAX 16777216

typedef struct nu_field {
  size_t start, length;  /* in the record's text */
  uint64_t line, column; /* of its first byte, both counted from 1 */
  bool quoted;
} nu_field;

typedef struct nu_record {
  char *text; /* the fields after each other, without quotes; owned */
  size_t length, text_capacity;
  nu_field *fields; /* [n]; owned */
  size_t n, field_capacity;
} nu_record;

typedef struct nu_csv {
  nu_input *in;
  char separator;        /* ' ' stands for runs of spaces and tabs */
  uint64_t line, column; /* of the next byte */
  uint64_t record_bytes;
  int held; /* a byte given back, if any */
} nu_csv;

/* Start on an input's first byte; separator '\0': found from the first two lines. */
numann_status nu_csv_open(nu_csv *csv, nu_input *in, char separator, numann_error *err);

/* Start on a line in the middle of an input. */
nu_csv nu_csv_at_line(nu_input *in, char separator, uint64_t line);

/* The next record; n = 0 at the end of the file. */
numann_status nu_csv_next(nu_csv *csv, nu_record *record, numann_error *err);

void nu_record_clear(nu_record *record);

static inline const char *nu_field_text(const nu_record *record, size_t i) {
  return record->text + record->fields[i].start;
}

/* Read all rows of a CSV file into the table. */
numann_status nu_csv_read(nu_table *table, nu_input *in, const nu_request *request,
                          numann_error *err);

#endif
