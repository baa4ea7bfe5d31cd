/* SPDX-License-Identifier: MIT */
#include "report/scores.h"

#include <math.h>

static uint64_t count_of(const nu_evaluation *e, size_t truth, size_t answer) {
  return e->confusion[truth * e->classes + answer];
}

nu_score nu_score_class(const nu_evaluation *evaluation, size_t c) {
  uint64_t support = 0, answered = 0, right = count_of(evaluation, c, c);
  for (size_t k = 0; k < evaluation->classes; k++) {
    support += count_of(evaluation, c, k);
    answered += count_of(evaluation, k, c);
  }
  bool seen = support + answered > 0;
  return (nu_score){.precision = nu_class_precision(evaluation, c),
                    .recall = nu_class_recall(evaluation, c),
                    .f1 = seen ? 2.0 * (double)right / (double)(support + answered) : NAN,
                    .support = support};
}

/* A sum over defined numbers. */
typedef struct mean {
  double sum;
  size_t n;
} mean;

static void add(mean *m, double value) {
  if (isnan(value)) return;
  m->sum += value;
  m->n++;
}

static double value_of(mean m) { return m.n ? m.sum / (double)m.n : NAN; }

nu_score nu_score_mean(const nu_evaluation *evaluation) {
  mean precision = {0}, recall = {0}, f1 = {0};
  uint64_t support = 0;
  for (size_t c = 0; c < evaluation->classes; c++) {
    nu_score score = nu_score_class(evaluation, c);
    add(&precision, score.precision);
    add(&recall, score.recall);
    add(&f1, score.f1);
    support += score.support;
  }
  return (nu_score){value_of(precision), value_of(recall), value_of(f1), support};
}

/* Insert into the list sorted by count, stable; the last one falls out when it is full. */
static size_t insert(nu_confused *most, size_t n, size_t limit, nu_confused item) {
  if (n == limit && item.count <= most[n - 1].count) return n;
  size_t i = n < limit ? n : n - 1;
  for (; i > 0 && most[i - 1].count < item.count; i--) most[i] = most[i - 1];
  most[i] = item;
  return n < limit ? n + 1 : n;
}

size_t nu_confused_most(const nu_evaluation *evaluation, nu_confused *most, size_t limit) {
  size_t n = 0, classes = evaluation->classes;
  for (size_t i = 0; i < classes * classes && limit; i++) {
    nu_confused item = {i / classes, i % classes, evaluation->confusion[i]};
    if (item.count && item.truth != item.answer) n = insert(most, n, limit, item);
  }
  return n;
}

const nu_evaluation *nu_result_judge(const nu_result *result, const char **name) {
  const nu_evaluation *all[] = {result->test, result->validation, result->train};
  static const char *const names[] = {"test", "validation", "training"};
  for (size_t i = 0; i < 3; i++) {
    *name = names[i];
    if (all[i] && all[i]->rows) return all[i];
  }
  return NULL;
}

const char *nu_constant_name(const nu_evaluation *evaluation) {
  return evaluation->classes ? "one class" : "mean alone";
}

const char *nu_class_name(const nu_schema *schema, size_t c) {
  bool named = schema && schema->class_names && c < schema->classes && schema->class_names[c];
  return named ? schema->class_names[c] : "?";
}

const numann_epoch *nu_best_epoch(const numann_epoch *epochs, size_t n, bool *kept) {
  const numann_epoch *lowest = NULL;
  *kept = false;
  for (size_t i = n; i-- > 0;) {
    if (epochs[i].best) {
      *kept = true;
      return &epochs[i];
    }
  }
  for (size_t i = 0; i < n; i++) {
    bool counts = epochs[i].validated && isfinite(epochs[i].validation_loss);
    if (counts && (!lowest || epochs[i].validation_loss < lowest->validation_loss))
      lowest = &epochs[i];
  }
  return lowest;
}
