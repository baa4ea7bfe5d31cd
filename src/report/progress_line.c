/* SPDX-License-Identifier: MIT */
#include "report/progress_line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/format.h"

#define GAP 2       /* columns between fields */
#define BAR_LEAST 8 /* a shorter bar says nothing */
#define BAR_MOST 30
#define MEASURED 0.3 /* seconds of work before a remaining time is worth showing */

enum { EPOCH, BAR, LOSS, VALIDATION, SCORE, RATE, TIME, FIELDS };

/* All but the bar are ASCII: bytes are columns. An empty field is not shown. */
typedef struct fields {
  char text[FIELDS][48];
  size_t bar; /* columns of the bar */
} fields;

double nu_line_remaining(double elapsed, double from, double at, double to) {
  if (!(elapsed >= MEASURED) || !(at > from)) return NAN;
  return to > at ? elapsed / (at - from) * (to - at) : 0.0;
}

static void put_epoch(const nu_line *line, char text[48]) {
  int digits = snprintf(NULL, 0, "%" PRIu64, line->epochs);
  snprintf(text, 48, "epoch %*" PRIu64 "/%" PRIu64, digits, line->epoch, line->epochs);
}

static void put_value(double value, const char *name, char text[48]) {
  char number[NU_REAL_TEXT];
  if (!isnan(value)) snprintf(text, 48, "%s %s", name, nu_format_value(value, number));
}

static void put_score(const nu_line *line, char text[48]) {
  char number[NU_REAL_TEXT];
  put_value(line->rmse, "rmse", text);
  if (!isnan(line->accuracy))
    snprintf(text, 48, "acc %s", nu_format_share(line->accuracy, 1, number));
}

static void put_rate(const nu_line *line, bool plain, char text[48]) {
  char number[NU_REAL_TEXT];
  if (isnan(line->rate)) return;
  snprintf(text, 48, "%s%s", nu_format_rate(line->rate, number), plain ? " samples/s" : "/s");
}

static void put_time(const nu_line *line, char text[48]) {
  char number[NU_REAL_TEXT];
  snprintf(text, 48, "%s %s", line->ended ? "time" : "ETA", nu_format_clock(line->seconds, number));
}

static fields make_fields(const nu_line *line, bool plain) {
  fields f;
  memset(&f, 0, sizeof f);
  put_epoch(line, f.text[EPOCH]);
  put_value(line->loss, "loss", f.text[LOSS]);
  put_value(line->validation_loss, "val", f.text[VALIDATION]);
  put_score(line, f.text[SCORE]);
  put_rate(line, plain, f.text[RATE]);
  put_time(line, f.text[TIME]);
  f.bar = plain ? 0 : BAR_LEAST;
  return f;
}

static size_t width_of(const fields *f) {
  size_t width = f->bar ? f->bar + GAP : 0;
  for (int i = 0; i < FIELDS; i++) {
    size_t n = strlen(f->text[i]);
    width += n ? n + GAP : 0;
  }
  return width ? width - GAP : 0;
}

static void drop(fields *f, int field) {
  f->text[field][0] = '\0';
  if (field == BAR) f->bar = 0;
}

/* Make the fields fit, then give what is left to the bar. */
static void fit(fields *f, size_t columns) {
  static const int least_important[] = {RATE, VALIDATION, BAR, TIME, SCORE, LOSS};
  size_t n = sizeof least_important / sizeof least_important[0];
  for (size_t i = 0; i < n && width_of(f) > columns; i++) drop(f, least_important[i]);
  size_t width = width_of(f);
  if (width > columns) f->text[EPOCH][columns] = '\0';
  if (!f->bar || width >= columns) return;
  f->bar += columns - width;
  if (f->bar > BAR_MOST) f->bar = BAR_MOST;
}

static void draw_bar(double done, size_t columns, nu_line_style style, nu_text *out) {
  size_t inner = style.utf8 ? columns : columns - 2;
  double share = done >= 1.0 ? 1.0 : done > 0.0 ? done : 0.0;
  size_t full = (size_t)(share * (double)inner + 1e-9);
  if (!style.utf8) nu_text_add(out, "[");
  if (style.colour) nu_text_add(out, "\x1b[36m");
  nu_text_repeat(out, style.utf8 ? "━" : "=", full);
  if (style.colour) nu_text_add(out, "\x1b[0;2m");
  nu_text_repeat(out, style.utf8 ? "─" : ".", inner - full);
  if (style.colour) nu_text_add(out, "\x1b[0m");
  if (!style.utf8) nu_text_add(out, "]");
}

void nu_line_draw(const nu_line *line, nu_line_style style, nu_text *out) {
  fields f = make_fields(line, style.plain);
  if (!style.plain) fit(&f, style.columns);
  bool first = true;
  for (int i = 0; i < FIELDS; i++) {
    bool bar = i == BAR && f.bar;
    if (!bar && !f.text[i][0]) continue;
    if (!first) nu_text_repeat(out, " ", GAP);
    first = false;
    if (bar) draw_bar(line->done, f.bar, style, out);
    else nu_text_add(out, f.text[i]);
  }
}
