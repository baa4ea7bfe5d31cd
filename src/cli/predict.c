/* numann predict: a model's answers for new rows. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "checkpoint/durable.h"
#include "cli/answers.h"
#include "cli/command.h"
#include "cli/model.h"

/* ---- what is asked */

static numann_status choose_format(bool *npy, const nu_arguments *args, numann_error *err) {
  const char *format = args->value[NU_OPTION_FORMAT];
  const char *output = args->value[NU_OPTION_OUTPUT];
  size_t n = output ? strlen(output) : 0;
  *npy = format ? strcmp(format, "npy") == 0 : n > 4 && strcmp(output + n - 4, ".npy") == 0;
  if (!format || *npy || strcmp(format, "csv") == 0) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG, "command line: --format %s: expected csv or npy", format);
}

static numann_status choose_input(const char **path, const nu_arguments *args, numann_error *err) {
  *path = args->n_operands > 1 ? args->operands[1] : "-";
  if (args->n_operands > 1 || !isatty(STDIN_FILENO)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "command line: no rows to predict; give a file, or rows on standard input");
}

/* ---- answers */

static numann_status write_answers(const nu_answers *answers, bool npy, const char *output,
                                   numann_error *err) {
  nu_text out = {0};
  if (npy) nu_answers_npy(answers, &out);
  else nu_answers_csv(answers, &out);
  if (!output || strcmp(output, "-") == 0) return nu_print_text(&out, err);
  numann_status status = out.failed ? nu_fail_memory(err, out.length, "the answers")
                                    : nu_durable_write(output, nu_text_view(&out), out.length, err);
  nu_text_clear(&out);
  return status;
}

static numann_status answer(const numann_model *model, const nu_rows *rows, size_t threads,
                            bool npy, const char *output, numann_error *err) {
  size_t n = numann_model_outputs(model), count = 0;
  double *outputs = nu_size_mul(rows->rows, n, &count) ? nu_alloc(count, sizeof *outputs) : NULL;
  if (!outputs) return nu_fail_memory(err, count * sizeof *outputs, "the answers");
  numann_status status = nu_model_answer_rows(model, threads, rows, outputs, err);
  nu_answers answers = {.model = model, .rows = rows->rows, .outputs = outputs};
  if (status == NUMANN_OK) status = write_answers(&answers, npy, output, err);
  free(outputs);
  return status;
}

/* ---- the flow */

static numann_status predict(const nu_asked *asked, const nu_arguments *args, numann_error *err) {
  nu_source source = {0};
  nu_rows rows = {0};
  bool npy = false;
  size_t threads = 1;
  NU_TRY(choose_format(&npy, args, err));
  NU_TRY(choose_input(&source.path, args, err));
  NU_TRY(nu_choose_threads(&threads, args, err));
  NU_TRY(nu_data_read(&rows, &source, asked->schema, asked->config, err));
  numann_status status =
      answer(asked->model, &rows, threads, npy, args->value[NU_OPTION_OUTPUT], err);
  nu_rows_clear(&rows);
  return status;
}

numann_status nu_command_predict(const nu_arguments *args, numann_error *err) {
  nu_asked asked;
  numann_status status = nu_asked_open(&asked, args, args->operands[0], err);
  if (status == NUMANN_OK) status = predict(&asked, args, err);
  nu_asked_close(&asked);
  return status;
}
