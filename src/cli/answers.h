/* Answers of a model as a CSV or NPY file. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_ANSWERS_H
#define NU_CLI_ANSWERS_H

#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "numann/model.h"

/* What a model said: outputs [rows][numann_model_outputs], as numann_model_predict gives them; all
 * borrowed. */
typedef struct nu_answers {
  const numann_model *model;
  size_t rows;
  const double *outputs;
} nu_answers;

/* Classes: a column with the name, then one of probabilities for each class. Else the numbers in
 * the target's own unit, under the target's name. */
void nu_answers_csv(const nu_answers *answers, nu_text *out);

/* The same numbers, without the names of the answers, as one array <f8 [rows][columns]. */
void nu_answers_npy(const nu_answers *answers, nu_text *out);

#endif
