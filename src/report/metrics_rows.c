/* metrics.csv and metrics.jsonl: the columns, and rows as text. SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "report/metrics.h"

const nu_column nu_columns[NU_COLUMNS] = {
    {"epoch", NU_COLUMN_COUNT, offsetof(numann_epoch, epoch)},
    {"step", NU_COLUMN_COUNT, offsetof(numann_epoch, step)},
    {"train_loss", NU_COLUMN_REAL, offsetof(numann_epoch, train_loss)},
    {"learning_rate", NU_COLUMN_REAL, offsetof(numann_epoch, learning_rate)},
    {"validation_loss", NU_COLUMN_REAL, offsetof(numann_epoch, validation_loss)},
    {"validation_accuracy", NU_COLUMN_REAL, offsetof(numann_epoch, validation_accuracy)},
    {"validation_rmse", NU_COLUMN_REAL, offsetof(numann_epoch, validation_rmse)},
    {"seconds", NU_COLUMN_REAL, offsetof(numann_epoch, seconds)},
    {"samples_per_s", NU_COLUMN_REAL, offsetof(numann_epoch, samples_per_s)},
    {"best", NU_COLUMN_FLAG, offsetof(numann_epoch, best)}};

static void add_count(nu_text *out, const char *field) {
  uint64_t count;
  memcpy(&count, field, sizeof count);
  nu_text_addf(out, "%" PRIu64, count);
}

static void add_real(nu_text *out, const char *field, const char *absent) {
  char number[NU_REAL_TEXT];
  double value;
  memcpy(&value, field, sizeof value);
  nu_text_add(out, isfinite(value) ? nu_format_real(value, number) : absent);
}

static void add_field(nu_text *out, const nu_column *column, const numann_epoch *row, bool json) {
  const char *field = (const char *)row + column->offset;
  bool flag;
  switch (column->kind) {
    case NU_COLUMN_COUNT: add_count(out, field); break;
    case NU_COLUMN_REAL: add_real(out, field, json ? "null" : ""); break;
    case NU_COLUMN_FLAG:
      memcpy(&flag, field, sizeof flag);
      nu_text_add(out, json ? (flag ? "true" : "false") : (flag ? "1" : "0"));
  }
}

void nu_metrics_header(nu_text *out) {
  for (size_t i = 0; i < NU_COLUMNS; i++)
    nu_text_addf(out, "%s%s", i ? "," : "", nu_columns[i].name);
  nu_text_add(out, "\n");
}

void nu_metrics_csv_row(nu_text *out, const numann_epoch *row) {
  for (size_t i = 0; i < NU_COLUMNS; i++) {
    if (i) nu_text_add(out, ",");
    add_field(out, &nu_columns[i], row, false);
  }
  nu_text_add(out, "\n");
}

void nu_metrics_json_row(nu_text *out, const numann_epoch *row) {
  for (size_t i = 0; i < NU_COLUMNS; i++) {
    nu_text_addf(out, "%s\"%s\": ", i ? ", " : "{", nu_columns[i].name);
    add_field(out, &nu_columns[i], row, true);
  }
  nu_text_add(out, "}\n");
}
