/* SPDX-License-Identifier: MIT */
#include "trainer/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "machine/float_env.h"
#include "numann/trainer.h"
#include "plan/memory.h"
#include "trainer/step.h"

/* Rows in, answers out: the part of the job that all threads see. */
typedef struct forward_job {
  nu_engine *engine;
  const nu_rows *data;
  bool targets;     /* compute losses against the data's targets */
  float *outputs;   /* [rows][n_L] */
  double *row_loss; /* [rows]; only when targets */
} forward_job;

static void keep_answers(const forward_job *job, size_t thread, size_t first,
                         const nu_chunk *chunk) {
  const nu_engine *engine = job->engine;
  const nu_engine_layer *last = &engine->layers[engine->n_layers - 1];
  nu_range mine = nu_plan_my_own(engine->plan, chunk->held, thread);
  for (size_t i = mine.begin; i < mine.end; i++) {
    size_t row = chunk->rows.begin + i - chunk->held.begin;
    memcpy(job->outputs + (first + row) * engine->outputs, last->activations + i * last->stride,
           engine->outputs * sizeof(float));
    if (job->targets) job->row_loss[first + row] = engine->row_loss[row];
  }
}

/* Under samples each thread works on its own rows of a batch: no thread waits for another. */
static void forward_worker(nu_team *team, size_t thread, void *arg) {
  forward_job *job = arg;
  nu_engine *engine = job->engine;
  nu_batch batch = {.data = job->data};
  for (; batch.first < job->data->rows; batch.first += engine->plan->problem.batch) {
    size_t rest = job->data->rows - batch.first;
    size_t rows = rest < engine->plan->problem.batch ? rest : engine->plan->problem.batch;
    nu_chunk chunk = nu_plan_chunk(engine->plan, rows, thread, 0);
    nu_pass pass = {.chunk = &chunk};
    nu_engine_gather(engine, team, thread, &batch, &pass);
    nu_engine_forward(engine, team, thread, &pass);
    nu_engine_output(engine, team, thread, &pass, job->targets);
    keep_answers(job, thread, batch.first, &chunk);
  }
}

numann_status nu_predict(const numann_network *network, size_t threads, const nu_rows *rows,
                         float *outputs, numann_error *err) {
  nu_plan plan = nu_plan_for_evaluation(threads, rows->rows);
  nu_engine engine;
  NU_TRY(nu_engine_create(&engine, network, &plan, NU_USE_PREDICT, err));
  forward_job job = {.engine = &engine, .data = rows, .outputs = outputs};
  numann_status status = nu_engine_run(&engine, forward_worker, &job, err);
  nu_engine_clear(&engine);
  return status;
}

numann_status numann_predict(const numann_network *network, size_t threads, size_t rows,
                             const float *inputs, float *outputs, numann_error *err) {
  nu_rows data = nu_rows_view(rows, inputs, NULL);
  return nu_predict(network, threads, &data, outputs, err);
}

/* ---- evaluation */

size_t nu_answer(const float *outputs, size_t n_outputs) {
  if (n_outputs == 1) return outputs[0] > 0.5f;
  size_t best = 0;
  for (size_t j = 1; j < n_outputs; j++) {
    if (outputs[j] > outputs[best]) best = j;
  }
  return best;
}

/* All sums run over the rows in their order: the same for any number of threads. */
static double mean(const double *values, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += values[i];
  return n ? sum / (double)n : NAN;
}

static void judge_classes(nu_evaluation *out, const nu_rows *rows, const float *outputs, size_t n) {
  size_t right = 0;
  for (size_t i = 0; i < rows->rows; i++) {
    size_t answer = nu_answer(outputs + i * n, n), truth = (size_t)rows->labels[i];
    out->confusion[truth * out->classes + answer]++;
    right += answer == truth;
  }
  out->accuracy = (double)right / (double)rows->rows;
  out->constant = 0.0;
  for (size_t c = 0; c < out->classes; c++) {
    uint64_t rows_of_class = 0;
    for (size_t k = 0; k < out->classes; k++) rows_of_class += out->confusion[c * out->classes + k];
    double share = (double)rows_of_class / (double)rows->rows;
    if (share > out->constant) out->constant = share;
  }
}

/* Sum of the squared deviations of target column j from its mean, in the target's own unit. */
static double squares_about_mean(const nu_rows *rows, const nu_schema *schema, size_t n, size_t j) {
  double sum = 0.0, squares = 0.0;
  for (size_t i = 0; i < rows->rows; i++) sum += (double)rows->targets[i * n + j];
  for (size_t i = 0; i < rows->rows; i++) {
    double d =
        ((double)rows->targets[i * n + j] - sum / (double)rows->rows) / schema->outputs.scale[j];
    squares += d * d;
  }
  return squares;
}

static void judge_values(nu_evaluation *out, const nu_rows *rows, const nu_schema *schema,
                         const float *outputs, size_t n) {
  double sum = 0.0, about_mean = 0.0;
  for (size_t i = 0; i < rows->rows * n; i++) {
    double error = ((double)rows->targets[i] - outputs[i]) / schema->outputs.scale[i % n];
    sum += error * error;
  }
  for (size_t j = 0; j < n; j++) about_mean += squares_about_mean(rows, schema, n, j);
  out->rmse = sqrt(sum / (double)(rows->rows * n));
  out->constant = sqrt(about_mean / (double)(rows->rows * n));
}

static void judge(nu_evaluation *out, const nu_rows *rows, const nu_schema *schema,
                  const float *outputs, size_t n) {
  if (out->classes) judge_classes(out, rows, outputs, n);
  else judge_values(out, rows, schema, outputs, n);
}

/* ---- the evaluator */

/* A team of the size of the trainer's: one of another size would start or end threads each time. */
static void plan_evaluation(nu_evaluator *evaluator, const nu_engine *weights, size_t threads) {
  nu_plan *plan = &evaluator->plan;
  *plan = nu_plan_for_evaluation(threads, evaluator->rows->rows);
  if (!weights || weights->plan->threads != plan->threads) return;
  plan->placement = weights->plan->placement;
  plan->idle = weights->plan->idle;
}

static numann_status allocate_answers(nu_evaluator *evaluator, numann_error *err) {
  size_t rows = evaluator->rows->rows, n = evaluator->engine.outputs;
  evaluator->outputs = nu_alloc(rows * n, sizeof *evaluator->outputs);
  evaluator->row_loss = nu_alloc(rows, sizeof *evaluator->row_loss);
  if (evaluator->outputs && evaluator->row_loss) return NUMANN_OK;
  return nu_fail_memory(err, rows * n * sizeof *evaluator->outputs, "the network's answers");
}

numann_status nu_evaluator_create(nu_evaluator *evaluator, const nu_engine *weights,
                                  const numann_network *network, const nu_rows *rows,
                                  const nu_schema *schema, size_t threads, numann_error *err) {
  *evaluator = (nu_evaluator){.rows = rows, .schema = schema};
  if (rows->rows == 0) return NUMANN_OK;
  plan_evaluation(evaluator, weights, threads);
  nu_use use = weights ? NU_USE_BORROW : NU_USE_PREDICT;
  numann_status status = nu_engine_create(&evaluator->engine, network, &evaluator->plan, use, err);
  if (status == NUMANN_OK && weights) nu_engine_lend(&evaluator->engine, weights);
  evaluator->lent = status == NUMANN_OK && weights;
  if (status == NUMANN_OK) status = allocate_answers(evaluator, err);
  if (status != NUMANN_OK) nu_evaluator_clear(evaluator);
  return status;
}

void nu_evaluator_clear(nu_evaluator *evaluator) {
  if (evaluator->lent) nu_engine_lend(&evaluator->engine, NULL);
  if (evaluator->engine.plan) nu_engine_clear(&evaluator->engine);
  free(evaluator->outputs);
  free(evaluator->row_loss);
  *evaluator = (nu_evaluator){0};
}

numann_status nu_evaluator_run(nu_evaluation *out, nu_evaluator *evaluator, numann_error *err) {
  const nu_rows *rows = evaluator->rows;
  size_t classes = rows->labels ? evaluator->schema->classes : 0;
  *out = (nu_evaluation){.rows = rows->rows,
                         .loss = NAN,
                         .classes = classes,
                         .accuracy = NAN,
                         .rmse = NAN,
                         .constant = NAN};
  if (rows->rows == 0) return NUMANN_OK;
  out->confusion = classes ? nu_alloc(classes * classes, sizeof *out->confusion) : NULL;
  if (classes && !out->confusion)
    return nu_fail_memory(err, classes * classes * sizeof *out->confusion, "the confusion matrix");
  forward_job job = {.engine = &evaluator->engine,
                     .data = rows,
                     .targets = true,
                     .outputs = evaluator->outputs,
                     .row_loss = evaluator->row_loss};
  numann_status status = nu_engine_run(&evaluator->engine, forward_worker, &job, err);
  if (status == NUMANN_OK) {
    nu_float_env env = nu_float_env_enter();
    out->loss = mean(job.row_loss, rows->rows);
    judge(out, rows, evaluator->schema, job.outputs, evaluator->engine.outputs);
    nu_float_env_leave(&env);
  } else {
    nu_evaluation_clear(out);
  }
  return status;
}

numann_status nu_evaluate(nu_evaluation *out, const numann_network *network, const nu_rows *rows,
                          const nu_schema *schema, size_t threads, numann_error *err) {
  nu_evaluator evaluator;
  *out = (nu_evaluation){.loss = NAN};
  NU_TRY(nu_evaluator_create(&evaluator, NULL, network, rows, schema, threads, err));
  numann_status status = nu_evaluator_run(out, &evaluator, err);
  nu_evaluator_clear(&evaluator);
  return status;
}

bool nu_evaluation_is_trivial(const nu_evaluation *e) {
  if (e->rows == 0) return false;
  return e->classes ? e->constant < 1.0 && e->accuracy <= e->constant
                    : e->constant > 0.0 && e->rmse >= e->constant;
}

void nu_evaluation_clear(nu_evaluation *evaluation) {
  free(evaluation->confusion);
  evaluation->confusion = NULL;
}

double nu_class_precision(const nu_evaluation *evaluation, size_t c) {
  uint64_t answered = 0;
  for (size_t k = 0; k < evaluation->classes; k++)
    answered += evaluation->confusion[k * evaluation->classes + c];
  return answered ? (double)evaluation->confusion[c * evaluation->classes + c] / (double)answered
                  : NAN;
}

double nu_class_recall(const nu_evaluation *evaluation, size_t c) {
  uint64_t there = 0;
  for (size_t k = 0; k < evaluation->classes; k++)
    there += evaluation->confusion[c * evaluation->classes + k];
  return there ? (double)evaluation->confusion[c * evaluation->classes + c] / (double)there : NAN;
}
