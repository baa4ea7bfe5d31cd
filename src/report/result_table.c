/* The table at the end of a run, for a terminal of 80 columns. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/least.h"
#include "report/format.h"
#include "report/report.h"
#include "report/scores.h"

#define COLUMNS 80
#define NAME_MOST 16 /* columns of a class name in front of its row */
#define CELL_LEAST 3 /* columns, so that a row of small numbers does not run together */
#define CONFUSIONS 10
#define CLASSES_MOST 50 /* of more classes only the weakest are listed */

typedef struct table {
  const nu_result *result;
  const nu_evaluation *judge; /* the rows that classes are judged on */
  const char *judge_name;
  bool colour, utf8;
  nu_text *out;
} table;

static void right(const table *t, const char *text, size_t columns) {
  nu_text_fit(t->out, text, columns, NU_RIGHT, t->utf8);
}

static void left(const table *t, const char *text, size_t columns) {
  nu_text_fit(t->out, text, columns, NU_LEFT, t->utf8);
}

static const char *count_text(uint64_t count, char buffer[NU_REAL_TEXT]) {
  snprintf(buffer, NU_REAL_TEXT, "%" PRIu64, count);
  return buffer;
}

/* Columns that class names need, at most `most`. */
static size_t name_columns(const table *t, size_t most) {
  size_t widest = 0;
  for (size_t c = 0; c < t->judge->classes && widest < most; c++) {
    size_t n = nu_text_columns(nu_class_name(t->result->schema, c));
    if (n > widest) widest = n;
  }
  return nu_smaller(widest, most);
}

/* ---- losses */

static void put_part(const table *t, const char *name, const nu_evaluation *e) {
  char buffer[NU_REAL_TEXT];
  if (!e || !e->rows) return;
  left(t, name, 11);
  right(t, count_text(e->rows, buffer), 9);
  right(t, nu_format_value(e->loss, buffer), 13);
  if (e->classes) right(t, nu_format_share(e->accuracy, 2, buffer), 13);
  else right(t, nu_format_value(e->rmse, buffer), 13);
  if (e->classes) right(t, nu_format_share(e->constant, 2, buffer), 13);
  else right(t, nu_format_value(e->constant, buffer), 13);
  nu_text_add(t->out, "\n");
}

static void put_best(const table *t) {
  const nu_result *r = t->result;
  bool kept;
  const numann_epoch *best = nu_best_epoch(r->epochs, r->n_epochs, &kept);
  if (best && kept) {
    nu_text_addf(t->out, "best epoch  %" PRIu64 " of %" PRIu64 ", its weights are kept\n",
                 best->epoch, r->epochs[r->n_epochs - 1].epoch);
  }
}

static void put_losses(const table *t) {
  if (!t->judge) return;
  left(t, "", 11);
  right(t, "rows", 9);
  right(t, "loss", 13);
  right(t, t->judge->classes ? "accuracy" : "rmse", 13);
  right(t, nu_constant_name(t->judge), 13);
  nu_text_add(t->out, "\n");
  put_part(t, "training", t->result->train);
  put_part(t, "validation", t->result->validation);
  put_part(t, "test", t->result->test);
  put_best(t);
}

/* ---- classes */

static void put_score(const table *t, const char *name, size_t width, nu_score score) {
  char buffer[NU_REAL_TEXT];
  left(t, name, width);
  right(t, nu_format_share(score.precision, 1, buffer), 11);
  right(t, nu_format_share(score.recall, 1, buffer), 11);
  right(t, nu_format_share(score.f1, 1, buffer), 11);
  right(t, count_text(score.support, buffer), 10);
  nu_text_add(t->out, "\n");
}

/* Is class a, of so many, among the `n` with the lowest F1? Equal ones go by their order. */
static bool is_weak(const nu_evaluation *e, size_t a, size_t n) {
  double own = nu_score_class(e, a).f1;
  size_t weaker = 0;
  if (isnan(own)) return false;
  for (size_t c = 0; c < e->classes && weaker < n; c++) {
    double other = nu_score_class(e, c).f1;
    weaker += other < own || (other == own && c < a);
  }
  return weaker < n;
}

static void put_classes(const table *t) {
  const nu_evaluation *e = t->judge;
  size_t width = name_columns(t, 32);
  bool all = e->classes <= CLASSES_MOST;
  if (width < 5) width = 5;
  nu_text_addf(t->out, "\n%s rows, by class", t->judge_name);
  if (!all) nu_text_addf(t->out, " (the %d weakest of %zu)", CONFUSIONS, e->classes);
  nu_text_add(t->out, "\n");
  left(t, "class", width);
  right(t, "precision", 11);
  right(t, "recall", 11);
  right(t, "F1", 11);
  right(t, "rows", 10);
  nu_text_add(t->out, "\n");
  for (size_t c = 0; c < e->classes; c++) {
    if (!all && !is_weak(e, c, CONFUSIONS)) continue;
    put_score(t, nu_class_name(t->result->schema, c), width, nu_score_class(e, c));
  }
  put_score(t, "mean", width, nu_score_mean(e));
}

/* ---- confusions */

static size_t digits_of(const nu_evaluation *e) {
  char buffer[NU_REAL_TEXT];
  uint64_t largest = 0;
  for (size_t i = 0; i < e->classes * e->classes; i++) {
    if (e->confusion[i] > largest) largest = e->confusion[i];
  }
  return strlen(count_text(largest, buffer));
}

/* Columns of a cell without the blank before it: what numbers need, more for names if it fits. */
static size_t cell_columns(const table *t, size_t label) {
  size_t need = digits_of(t->judge), names = name_columns(t, 10);
  size_t room = (COLUMNS - label) / t->judge->classes;
  size_t most = room > 1 ? room - 1 : 1;
  size_t wanted = nu_larger(names, need);
  if (wanted < CELL_LEAST) wanted = CELL_LEAST;
  if (wanted <= most) return wanted;
  return nu_larger(most, need);
}

static void put_cell(const table *t, size_t truth, size_t answer, size_t columns) {
  char buffer[NU_REAL_TEXT];
  uint64_t count = t->judge->confusion[truth * t->judge->classes + answer];
  const char *colour = truth == answer ? "\x1b[32m" : count ? "\x1b[33m" : "\x1b[2m";
  nu_text_add(t->out, " ");
  if (t->colour) nu_text_add(t->out, colour);
  right(t, count || truth == answer ? count_text(count, buffer) : ".", columns);
  if (t->colour) nu_text_add(t->out, "\x1b[0m");
}

static void put_matrix(const table *t) {
  size_t classes = t->judge->classes;
  size_t label = name_columns(t, NAME_MOST), need = digits_of(t->judge);
  while (label > 4 && label + classes * (need + 1) > COLUMNS) label--;
  size_t cell = cell_columns(t, label);
  nu_text_addf(t->out, "\n%s rows, confusion (a row: the truth; a column: the answer)\n",
               t->judge_name);
  left(t, "", label);
  for (size_t c = 0; c < classes; c++) {
    nu_text_add(t->out, " ");
    right(t, nu_class_name(t->result->schema, c), cell);
  }
  nu_text_add(t->out, "\n");
  for (size_t truth = 0; truth < classes; truth++) {
    left(t, nu_class_name(t->result->schema, truth), label);
    for (size_t answer = 0; answer < classes; answer++) put_cell(t, truth, answer, cell);
    nu_text_add(t->out, "\n");
  }
}

static void put_confusions(const table *t) {
  nu_confused most[CONFUSIONS];
  char buffer[NU_REAL_TEXT];
  size_t n = nu_confused_most(t->judge, most, CONFUSIONS), width = name_columns(t, 28);
  if (n == 0) return;
  if (width < 6) width = 6;
  nu_text_addf(t->out, "\n%s rows, most frequent confusions\n", t->judge_name);
  left(t, "truth", width + 2);
  left(t, "answer", width);
  right(t, "rows", 8);
  right(t, "of class", 11);
  nu_text_add(t->out, "\n");
  for (size_t i = 0; i < n; i++) {
    double support = (double)nu_score_class(t->judge, most[i].truth).support;
    left(t, nu_class_name(t->result->schema, most[i].truth), width);
    nu_text_add(t->out, "  ");
    left(t, nu_class_name(t->result->schema, most[i].answer), width);
    right(t, count_text(most[i].count, buffer), 8);
    right(t, nu_format_share((double)most[i].count / support, 1, buffer), 11);
    nu_text_add(t->out, "\n");
  }
}

void nu_result_table(const nu_result *result, bool colour, nu_text *out) {
  table t = {.result = result, .colour = colour, .utf8 = nu_utf8_wanted(), .out = out};
  t.judge = nu_result_judge(result, &t.judge_name);
  put_losses(&t);
  if (!t.judge || !t.judge->classes || !t.judge->confusion) return;
  put_classes(&t);
  if (t.judge->classes <= NU_MATRIX_CLASSES) put_matrix(&t);
  else put_confusions(&t);
}
