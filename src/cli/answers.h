/* Answers of a model as a CSV or NPY file. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_ANSWERS_H
#define NU_CLI_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "data/data.h"

/* What a model said: outputs [rows][n_outputs], as the network gives them; all borrowed. */
typedef struct nu_answers {
  size_t rows, n_outputs;
  const float *outputs;
  const nu_schema *schema;
} nu_answers;

/* Classes: a column with the name, then one of probabilities for each class. Else the numbers in
 * the target's own unit, under the target's name. */
void nu_answers_csv(const nu_answers *answers, nu_text *out);

/* The same numbers, without the names of the answers, as one array <f8 [rows][columns]. */
void nu_answers_npy(const nu_answers *answers, nu_text *out);

#endif
