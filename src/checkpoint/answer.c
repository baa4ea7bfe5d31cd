/* The answers of a model: raw numbers in, the user's units out. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/number.h"
#include "checkpoint/model.h"
#include "data/scaling.h"
#include "machine/float_env.h"
#include "trainer/evaluate.h"

/* Where a call's numbers stand: one of the two is NULL. */
typedef struct input_numbers {
  const double *wide;
  const float *narrow;
} input_numbers;
typedef struct output_numbers {
  double *wide;
  float *narrow;
} output_numbers;

/* ---- outputs */

/* Number c of a row that the network gave. One output for two classes is the probability of the
 * second. */
static double number_of(const numann_model *model, const float *row, size_t c) {
  const nu_schema *schema = &model->saved.schema;
  if (!schema->classes) return nu_unscale(&schema->outputs, c, (double)row[c]);
  if (schema->classes != 2 || numann_network_outputs(model->saved.network) != 1) {
    return (double)row[c];
  }
  return c == 1 ? (double)row[0] : 1.0 - (double)row[0];
}

/* What is not finite is no answer: the weights, or the row's numbers, are too large. */
static numann_status put_numbers(const numann_model *model, size_t rows, const float *answers,
                                 output_numbers to, numann_error *err) {
  size_t n = numann_model_outputs(model), n_last = numann_network_outputs(model->saved.network);
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = 0; c < n; c++) {
      double number = number_of(model, answers + r * n_last, c);
      if (!isfinite(number))
        return nu_fail(
            err, NUMANN_ERR_DIVERGED,
            "answers: row %zu, number %zu (counted from 0) is not finite; numbers of that "
            "row, or weights of the model, are too large for a float",
            r, c);
      if (to.wide) to.wide[r * n + c] = number;
      else to.narrow[r * n + c] = (float)number;
    }
  }
  return NUMANN_OK;
}

static numann_status answer_rows(const numann_model *model, size_t threads, const nu_rows *rows,
                                 output_numbers outputs, numann_error *err) {
  size_t n = numann_network_outputs(model->saved.network), count = 0;
  if (rows->rows == 0) return NUMANN_OK;
  float *answers = nu_size_mul(rows->rows, n, &count) ? nu_alloc(count, sizeof *answers) : NULL;
  if (!answers) return nu_fail_memory(err, count * sizeof *answers, "the answers");
  numann_status status = nu_predict(model->saved.network, threads, rows, answers, err);
  if (status == NUMANN_OK) status = put_numbers(model, rows->rows, answers, outputs, err);
  free(answers);
  return status;
}

numann_status nu_model_answer_rows(const numann_model *model, size_t threads, const nu_rows *rows,
                                   double *outputs, numann_error *err) {
  nu_float_env env = nu_float_env_enter();
  numann_status status = answer_rows(model, threads, rows, (output_numbers){.wide = outputs}, err);
  nu_float_env_leave(&env);
  return status;
}

/* ---- inputs */

static numann_status fail_input(const numann_model *model, size_t i, const char *what,
                                numann_error *err) {
  size_t n = numann_model_inputs(model);
  return nu_fail(err, NUMANN_ERR_DATA, "inputs: row %zu, column %zu (counted from 0) is %s", i / n,
                 i % n, what);
}

/* As the readers of files do it. */
static numann_status scale_inputs(const numann_model *model, size_t count, input_numbers inputs,
                                  float *scaled, numann_error *err) {
  const nu_scaling *scaling = &model->saved.schema.inputs;
  size_t n = numann_model_inputs(model);
  for (size_t i = 0; i < count; i++) {
    double raw = inputs.wide ? inputs.wide[i] : (double)inputs.narrow[i];
    if (!isfinite(raw)) return fail_input(model, i, "not finite", err);
    scaled[i] = nu_scale_number(raw, scaling->shift[i % n], scaling->scale[i % n]);
    if (isfinite(scaled[i])) continue;
    return fail_input(model, i, "taken out of the range of a float by the model's scaling", err);
  }
  return NUMANN_OK;
}

static numann_status predict(const numann_model *model, size_t threads, size_t rows,
                             input_numbers inputs, output_numbers outputs, numann_error *err) {
  size_t count = 0;
  float *scaled = nu_size_mul(rows, numann_model_inputs(model), &count)
                      ? nu_alloc(count, sizeof *scaled)
                      : NULL;
  if (!scaled) return nu_fail_memory(err, count * sizeof *scaled, "the scaled inputs");
  nu_float_env env = nu_float_env_enter();
  numann_status status = scale_inputs(model, count, inputs, scaled, err);
  if (status == NUMANN_OK) {
    const nu_rows view = nu_rows_view(rows, scaled, NULL);
    status = answer_rows(model, threads, &view, outputs, err);
  }
  nu_float_env_leave(&env);
  free(scaled);
  return status;
}

numann_status numann_model_predict(const numann_model *model, size_t threads, size_t rows,
                                   const double *inputs, double *outputs, numann_error *err) {
  return predict(model, threads, rows, (input_numbers){.wide = inputs},
                 (output_numbers){.wide = outputs}, err);
}

numann_status numann_model_predict_float(const numann_model *model, size_t threads, size_t rows,
                                         const float *inputs, float *outputs, numann_error *err) {
  return predict(model, threads, rows, (input_numbers){.narrow = inputs},
                 (output_numbers){.narrow = outputs}, err);
}

/* For two classes of one output y this is y > 1/2, as nu_answer has it: 1 - y is exact for y in
 * (1/2, 1], and rounding is monotonic elsewhere. */
size_t numann_model_answer(const numann_model *model, const double *outputs) {
  size_t best = 0;
  assert(numann_model_classes(model) > 0);
  for (size_t c = 1; c < numann_model_classes(model); c++) {
    if (outputs[c] > outputs[best]) best = c;
  }
  return best;
}
