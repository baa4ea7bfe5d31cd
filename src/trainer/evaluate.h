/* Evaluation of a network on rows with known targets. SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_EVALUATE_H
#define NU_TRAINER_EVALUATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/data.h"
#include "layers/engine.h"
#include "network/network.h"

typedef struct nu_evaluation {
  size_t rows;
  double loss;     /* mean over rows, in the units of training */
  size_t classes;  /* 0 for regression */
  double accuracy; /* share of rows whose answer is right; NaN for regression */
  double rmse;     /* root mean square error in the target's own unit; NaN for classes */
  double constant; /* accuracy or rmse of the best answer that is the same for every row: the most
                      frequent class, or the mean of the targets */
  uint64_t
      *confusion; /* [classes][classes], row = truth, column = answer; owned; NULL: regression */
} nu_evaluation;

/* numann_predict for rows of any kind. */
numann_status nu_predict(const numann_network *network, size_t threads, const nu_rows *rows,
                         float *outputs, numann_error *err);

/* On up to `threads` threads; same bits for any. */
numann_status nu_evaluate(nu_evaluation *out, const numann_network *network, const nu_rows *rows,
                          const nu_schema *schema, size_t threads, numann_error *err);

/* What evaluates the same rows again and again: an engine, and room for its answers. Borrows rows
 * and schema. It must not move. */
typedef struct nu_evaluator {
  nu_plan plan;
  nu_engine engine;
  const nu_rows *rows;
  const nu_schema *schema;
  float *outputs;   /* [rows][n_L], owned */
  double *row_loss; /* [rows], owned */
  bool lent;        /* the weights are another engine's */
} nu_evaluator;

/* `weights`: an engine of the network that has its weights at every run, and outlives the
 * evaluator; NULL: those that the network has now. */
numann_status nu_evaluator_create(nu_evaluator *evaluator, const nu_engine *weights,
                                  const numann_network *network, const nu_rows *rows,
                                  const nu_schema *schema, size_t threads, numann_error *err);
numann_status nu_evaluator_run(nu_evaluation *out, nu_evaluator *evaluator, numann_error *err);
void nu_evaluator_clear(nu_evaluator *evaluator);

/* Is the network no better than that answer? Not where that one is always right. */
bool nu_evaluation_is_trivial(const nu_evaluation *evaluation);
void nu_evaluation_clear(nu_evaluation *evaluation);

/* Of class c; NaN where nothing was answered c, or nothing is c. */
double nu_class_precision(const nu_evaluation *evaluation, size_t c);
double nu_class_recall(const nu_evaluation *evaluation, size_t c);

/* The class that outputs [n_L] name: the largest (the first of equals), or y > 1/2 for one output.
 */
size_t nu_answer(const float *outputs, size_t n_outputs);

#endif
