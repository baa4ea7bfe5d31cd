/* Evaluation of a network on rows with known targets. SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_EVALUATE_H
#define NU_TRAINER_EVALUATE_H

#include <stddef.h>
#include <stdint.h>

#include "data/data.h"
#include "network/network.h"

typedef struct nu_evaluation {
  size_t rows;
  double loss;     /* mean over rows, in the units of training */
  size_t classes;  /* 0 for regression */
  double accuracy; /* share of rows whose answer is right; NaN for regression */
  double rmse;     /* root mean square error in the target's own unit; NaN for classes */
  uint64_t
      *confusion; /* [classes][classes], row = truth, column = answer; owned; NULL: regression */
} nu_evaluation;

/* numann_predict for rows of any kind. */
numann_status nu_predict(const numann_network *network, size_t threads, const nu_rows *rows,
                         float *outputs, numann_error *err);

/* On up to `threads` threads; same bits for any. */
numann_status nu_evaluate(nu_evaluation *out, const numann_network *network, const nu_rows *rows,
                          const nu_schema *schema, size_t threads, numann_error *err);
/* The same with an engine that has the network's weights already. */
struct nu_engine;
numann_status nu_evaluate_engine(nu_evaluation *out, const struct nu_engine *engine,
                                 const numann_network *network, const nu_rows *rows,
                                 const nu_schema *schema, size_t threads, numann_error *err);
void nu_evaluation_clear(nu_evaluation *evaluation);

/* Of class c; NaN where nothing was answered c, or nothing is c. */
double nu_class_precision(const nu_evaluation *evaluation, size_t c);
double nu_class_recall(const nu_evaluation *evaluation, size_t c);

/* The class that outputs [n_L] name: the largest (the first of equals), or y > 1/2 for one output.
 */
size_t nu_answer(const float *outputs, size_t n_outputs);

#endif
