/* numann eval: a model on data with known answers. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/model.h"
#include "cli/result.h"
#include "report/report.h"

/* ---- rows */

static void take_rows(nu_rows *out, nu_rows *from) {
  *out = *from;
  *from = (nu_rows){0};
}

/* The test rows that the run's config names; they must be of the rows that the model knows. */
static numann_status read_test_rows(nu_rows *out, const nu_asked *asked, const nu_arguments *args,
                                    const char *path, numann_error *err) {
  const nu_schema *known = asked->schema;
  uint64_t sum = asked->model->saved.data_sum;
  numann_config *config = NULL;
  numann_data *data = NULL;
  NU_TRY(numann_config_load(&config, path, err));
  numann_status status = nu_apply_sets(args, config, err);
  if (status == NUMANN_OK) status = numann_data_load(&data, config, err);
  numann_config_destroy(config);
  if (status != NUMANN_OK) return status;
  if (sum != 0 && sum != nu_data_sum(data))
    nu_warn("%s: its training rows are not those of the model; the test rows may differ too", path);
  if (data->schema.features != known->features)
    status = nu_fail(err, NUMANN_ERR_DATA, "%s: %zu features, but the model has %zu inputs", path,
                     data->schema.features, known->features);
  else if (data->schema.classes != known->classes || data->schema.targets != known->targets)
    status =
        nu_fail(err, NUMANN_ERR_DATA,
                "%s: %zu classes and %zu target columns, but the model knows %zu and %zu", path,
                data->schema.classes, data->schema.targets, known->classes, known->targets);
  else if (data->test.rows == 0)
    status = nu_fail(err, NUMANN_ERR_CONFIG,
                     "%s: the run has no test rows; give a file: numann eval %s DATA [LABELS]",
                     path, args->operands[0]);
  else take_rows(out, &data->test);
  numann_data_destroy(data);
  return status;
}

static numann_status read_run_rows(nu_rows *out, const nu_asked *asked, const nu_arguments *args,
                                   numann_error *err) {
  char *path = nu_asked_run_config(asked);
  if (!path)
    return nu_fail(
        err, NUMANN_ERR_CONFIG,
        "%s: no config.yaml beside it, so its test rows are unknown; give a file: numann "
        "eval %s DATA [LABELS]",
        asked->model->path, args->operands[0]);
  numann_status status = read_test_rows(out, asked, args, path, err);
  free(path);
  return status;
}

static numann_status read_rows(nu_rows *out, const nu_asked *asked, const nu_arguments *args,
                               numann_error *err) {
  if (args->n_operands == 1) return read_run_rows(out, asked, args, err);
  nu_source source = {
      .path = args->operands[1], .labels_path = args->operands[2], .with_targets = true};
  return nu_data_read(out, &source, asked->schema, asked->config, err);
}

/* ---- results */

static void write_classes(nu_json *json, const nu_evaluation *e, const nu_schema *schema) {
  nu_json_open(json, "classes", '[');
  for (size_t c = 0; c < e->classes; c++) {
    nu_json_open(json, NULL, '{');
    nu_json_string(json, "name", schema->class_names[c]);
    nu_json_real(json, "precision", nu_class_precision(e, c));
    nu_json_real(json, "recall", nu_class_recall(e, c));
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

static void write_confusion(nu_json *json, const nu_evaluation *e) {
  nu_json_open(json, "confusion", '[');
  for (size_t truth = 0; truth < e->classes; truth++) {
    nu_json_open(json, NULL, '[');
    for (size_t c = 0; c < e->classes; c++)
      nu_json_count(json, NULL, e->confusion[truth * e->classes + c]);
    nu_json_close(json, ']');
  }
  nu_json_close(json, ']');
}

static void write_json(const numann_model *model, const nu_evaluation *e, nu_text *out) {
  char hex[65];
  nu_json json = {0};
  nu_network_sha256(model->saved.network, hex);
  nu_json_open(&json, NULL, '{');
  nu_json_string(&json, "model", model->path);
  nu_json_string(&json, "weights_sha256", hex);
  nu_json_count(&json, "rows", e->rows);
  nu_json_evaluation(&json, "", e, e->classes > 0);
  if (e->classes > 0) {
    write_classes(&json, e, &model->saved.schema);
    write_confusion(&json, e);
  }
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  *out = json.text;
}

static void write_table(const numann_model *model, const nu_evaluation *e, nu_text *out) {
  nu_text network = {0};
  char hex[65];
  nu_network_sha256(model->saved.network, hex);
  nu_network_describe(model->saved.network, &network);
  nu_result result = {.title = model->path,
                      .config_text = model->saved.config_text,
                      .machine_text = "",
                      .network_text = nu_text_view(&network),
                      .weights_sha256 = hex,
                      .schema = &model->saved.schema,
                      .test = e};
  nu_result_table(&result, nu_colour_wanted(), out);
  out->failed |= network.failed;
  nu_text_clear(&network);
}

/* ---- the flow */

static numann_status evaluate(nu_evaluation *out, const nu_asked *asked, const nu_arguments *args,
                              numann_error *err) {
  nu_rows rows = {0};
  size_t threads = 1;
  NU_TRY(nu_choose_threads(&threads, args, err));
  NU_TRY(read_rows(&rows, asked, args, err));
  numann_status status =
      nu_evaluate(out, numann_model_network_view(asked->model), &rows, asked->schema, threads, err);
  nu_rows_clear(&rows);
  return status;
}

/* Of answers that are no numbers no class is the largest, so that the accuracy means nothing. */
static numann_status check_loss(const nu_evaluation *evaluation, const char *path,
                                numann_error *err) {
  if (!isnan(evaluation->loss)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DIVERGED,
                 "%s: the loss is not a number; weights of the model, or numbers of the data, are "
                 "too large for a float",
                 path);
}

static numann_status print_result(const numann_model *model, const nu_evaluation *evaluation,
                                  const nu_arguments *args, numann_error *err) {
  nu_text out = {0};
  nu_result judged = {.test = evaluation};
  nu_warn_if_trivial(&judged);
  if (nu_given(args, NU_OPTION_JSON)) write_json(model, evaluation, &out);
  else write_table(model, evaluation, &out);
  return nu_print_text(&out, err);
}

numann_status nu_command_eval(const nu_arguments *args, numann_error *err) {
  nu_asked asked;
  nu_evaluation evaluation = {0};
  numann_status status = nu_asked_open(&asked, args, args->operands[0], err);
  if (status == NUMANN_OK) status = evaluate(&evaluation, &asked, args, err);
  if (status == NUMANN_OK) status = check_loss(&evaluation, asked.model->path, err);
  if (status == NUMANN_OK) status = print_result(asked.model, &evaluation, args, err);
  nu_evaluation_clear(&evaluation);
  nu_asked_close(&asked);
  return status;
}
