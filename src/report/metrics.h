/* The columns of metrics.csv and metrics.jsonl: one table for writing and reading both.
 * SPDX-License-Identifier: MIT */
#ifndef NU_REPORT_METRICS_H
#define NU_REPORT_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "numann/trainer.h"

typedef enum nu_column_kind {
  NU_COLUMN_COUNT, /* uint64_t */
  NU_COLUMN_REAL,  /* double; not finite: empty in CSV, null in JSON, NaN when read */
  NU_COLUMN_FLAG   /* bool: 0 and 1 in CSV, false and true in JSON */
} nu_column_kind;

typedef struct nu_column {
  const char *name;
  nu_column_kind kind;
  size_t offset; /* in numann_epoch */
} nu_column;

#define NU_COLUMNS 10
extern const nu_column nu_columns[NU_COLUMNS];

/* Append the CSV header, a CSV row, a JSON row; each with its line end. */
void nu_metrics_header(nu_text *out);
void nu_metrics_csv_row(nu_text *out, const numann_epoch *row);
void nu_metrics_json_row(nu_text *out, const numann_epoch *row);

/* Rows read back; `epochs` of a row is not stored and reads as 0. */
typedef struct nu_epochs {
  numann_epoch *rows; /* [n], owned */
  size_t n, capacity;
} nu_epochs;

typedef enum nu_metrics_form { NU_METRICS_CSV, NU_METRICS_JSON } nu_metrics_form;

/* The rows of epochs 1 .. keep. No file, and a last line without its end (the process was killed
 * while it wrote), are no error; anything else that we would not have written is NUMANN_ERR_DATA
 * with file:line. */
numann_status nu_metrics_read(nu_epochs *out, const char *path, nu_metrics_form form, uint64_t keep,
                              numann_error *err);

#endif
