/* What a confusion matrix tells about each class; shared by table and page.
 * SPDX-License-Identifier: MIT */
#ifndef NU_REPORT_SCORES_H
#define NU_REPORT_SCORES_H

#include <stddef.h>
#include <stdint.h>

#include "report/report.h"

/* A matrix of more classes is shown as its most frequent confusions. */
#define NU_MATRIX_CLASSES 20

typedef struct nu_score {
  double precision, recall, f1; /* NaN where no row was given the class, or none is of it */
  uint64_t support;             /* rows that are of the class */
} nu_score;

nu_score nu_score_class(const nu_evaluation *evaluation, size_t c);
/* The plain mean over the classes where each number is defined; support: all rows. */
nu_score nu_score_mean(const nu_evaluation *evaluation);

typedef struct nu_confused {
  size_t truth, answer;
  uint64_t count;
} nu_confused;

/* The most frequent wrong answers, largest first, at most `limit`; how many there are. */
size_t nu_confused_most(const nu_evaluation *evaluation, nu_confused *most, size_t limit);

/* The rows that judge a run: test, else validation, else training; *name says which. NULL: none. */
const nu_evaluation *nu_result_judge(const nu_result *result, const char **name);

/* What nu_evaluation.constant is of, in a word or two. */
const char *nu_constant_name(const nu_evaluation *evaluation);

/* The name of class c; never NULL. */
const char *nu_class_name(const nu_schema *schema, size_t c);

/* The epoch to mark: the one that early stopping kept, else the one of the lowest validation loss.
 * NULL: there is none. *kept: its weights are the result. */
const numann_epoch *nu_best_epoch(const numann_epoch *epochs, size_t n, bool *kept);

#endif
