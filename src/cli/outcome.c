/* What a training leaves: model, measures, report, the table or JSON on stdout.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/placement_json.h"
#include "cli/run.h"
#include "kernels/kernels.h"
#include "numann/model.h"
#include "plan/plan.h"

nu_rescue nu_run_rescue(const nu_run *r) {
  return (nu_rescue){&r->folder, r->config, r->data, r->plan->plan.threads};
}

size_t nu_run_training_bytes(const nu_run *r) {
  const numann_data *data = r->data;
  size_t inputs = data->schema.features * (data->train.bytes ? 1 : sizeof *data->train.inputs);
  size_t targets = data->train.labels ? sizeof *data->train.labels
                                      : data->schema.targets * sizeof *data->train.targets;
  return data->train.rows * (inputs + targets);
}

static numann_status save_model(const nu_run *r, numann_error *err) {
  char *path = nu_run_folder_file(&r->folder, "model.safetensors");
  if (!path) return nu_fail_memory(err, 256, "a file name");
  numann_model *model = NULL;
  numann_status status = numann_model_create(&model, r->network, r->data, r->config, err);
  if (status == NUMANN_OK) status = numann_model_save(model, path, err);
  numann_model_destroy(model);
  free(path);
  return status;
}

static numann_status evaluate(nu_run *r, numann_error *err) {
  nu_network_sha256(r->network, r->sha256);
  return nu_parts_evaluate(&r->parts, r->network, r->data, r->plan->plan.threads, err);
}

/* Of all epochs of the run. */
static double lowest_loss(const nu_run *r) {
  size_t n;
  const numann_epoch *epochs = nu_metrics_view(r->watch.metrics, &n);
  double lowest = INFINITY;
  for (size_t i = 0; i < n; i++) lowest = fmin(lowest, epochs[i].train_loss);
  return lowest;
}

/* Texts that a result borrows. */
typedef struct texts {
  nu_text config, machine, network, placement;
} texts;

static void write_texts(const nu_run *r, texts *t) {
  nu_config_write(r->config, NU_CONFIG_RUN, &t->config);
  nu_network_describe(r->network, &t->network);
  nu_describe_machine(&r->plan->machine, &t->machine);
  nu_text_addf(&t->machine, "run: %zu thread%s, %s, %s\n", r->plan->plan.threads,
               r->plan->plan.threads == 1 ? "" : "s", numann_plan_strategy(r->plan), r->plan->why);
  if (r->placed.threads || r->placed.pages) nu_add_place_report(&t->placement, &r->placed);
}

static const char *last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash && slash[1] != '\0' ? slash + 1 : path;
}

static const nu_evaluation *if_any(const nu_evaluation *evaluation) {
  return evaluation->rows > 0 ? evaluation : NULL;
}

static nu_result collect(const nu_run *r, const texts *t) {
  nu_result result = {.title = last_part(r->folder.path),
                      .config_text = nu_text_view(&t->config),
                      .machine_text = nu_text_view(&t->machine),
                      .network_text = nu_text_view(&t->network),
                      .weights_sha256 = r->sha256,
                      .schema = &r->data->schema,
                      .train = if_any(&r->parts.train),
                      .validation = if_any(&r->parts.validation),
                      .test = if_any(&r->parts.test),
                      .seconds = nu_clock_seconds() - r->started,
                      .network = r->network,
                      .plan = &r->plan->plan,
                      .data_bytes = nu_run_training_bytes(r),
                      .placement_text = nu_text_view(&t->placement)};
  result.epochs = nu_metrics_view(r->watch.metrics, &result.n_epochs);
  return result;
}

void nu_run_write_json(const nu_run *r, nu_text *out) {
  const nu_kernels *kernels = nu_kernels_select();
  bool classes = r->data->schema.classes > 0;
  uint64_t jobs = r->stop ? nu_time_limit_jobs(&r->watch.limit) : 0;
  nu_json json = {0};
  nu_json_open(&json, NULL, '{');
  nu_json_count(&json, "epochs", r->epochs);
  nu_json_count(&json, "steps", r->steps);
  nu_json_evaluation(&json, "train", &r->parts.train, classes);
  nu_json_evaluation(&json, "validation", &r->parts.validation, classes);
  nu_json_evaluation(&json, "test", &r->parts.test, classes);
  nu_json_real(&json, "samples_per_s", nu_watch_rate(&r->watch));
  nu_json_string(&json, "weights_sha256", r->sha256[0] != '\0' ? r->sha256 : NULL);
  nu_json_count(&json, "ranks", r->comm->size);
  nu_sent_json(&r->sent, &json);
  nu_json_count(&json, "threads", numann_plan_threads(r->plan));
  nu_json_count(&json, "threads_working", r->plan->plan.threads);
  nu_json_count(&json, "threads_limit", r->plan->threads_limit);
  nu_json_string(&json, "strategy", numann_plan_strategy(r->plan));
  nu_json_count(&json, "groups", r->plan->plan.groups);
  nu_json_flag(&json, "fuse_update", r->plan->plan.fuse);
  nu_json_string(&json, "isa", kernels ? kernels->isa : NULL);
  if (nu_run_explains(r))
    nu_json_placement(&json, &r->plan->plan, r->network, nu_run_training_bytes(r), &r->placed);
  nu_json_real(&json, "seconds", nu_clock_seconds() - r->started);
  char *model = nu_run_folder_file(&r->folder, "model.safetensors");
  nu_json_string(&json, "model", r->stop ? NULL : model);
  json.text.failed |= !model;
  free(model);
  nu_json_flag(&json, "stopped", r->stop);
  nu_json_string(&json, "stopped_by", r->stop);
  nu_json_real(&json, "done", r->stop ? nu_time_limit_done(&r->watch.limit) : 1.0);
  nu_json_real(&json, "jobs_left", jobs ? (double)jobs : NAN);
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  *out = json.text;
}

/* A table that nobody reads any more is no reason to call a finished training failed. */
static numann_status print_result(const nu_run *r, const nu_result *result, numann_error *err) {
  nu_text out = {0};
  if (nu_given(r->args, NU_OPTION_JSON)) nu_run_write_json(r, &out);
  else nu_result_table(result, nu_colour_wanted(), &out);
  numann_status status = nu_print_text(&out, err);
  if (status != NUMANN_ERR_IO || nu_given(r->args, NU_OPTION_JSON)) return status;
  nu_warn("%s; it is in %s/report.html, too", err->message, r->folder.path);
  return NUMANN_OK;
}

static numann_status write_report(const nu_run *r, const nu_result *result, numann_error *err) {
  char *path = nu_run_folder_file(&r->folder, "report.html");
  if (!path) return nu_fail_memory(err, 256, "a file name");
  numann_status status = nu_report_write(path, result, err);
  free(path);
  return status;
}

static numann_status show(nu_run *r, numann_error *err) {
  texts t = {0};
  write_texts(r, &t);
  bool whole = !t.config.failed && !t.machine.failed && !t.network.failed && !t.placement.failed;
  nu_result result = collect(r, &t);
  nu_warn_if_trivial(&result);
  numann_status status =
      whole ? write_report(r, &result, err) : nu_fail_memory(err, t.config.length, "the report");
  if (status == NUMANN_OK) status = print_result(r, &result, err);
  nu_text_clear(&t.config);
  nu_text_clear(&t.machine);
  nu_text_clear(&t.network);
  nu_text_clear(&t.placement);
  if (status == NUMANN_OK)
    nu_note(r->args, "model, curves and report: %s/model.safetensors, metrics.csv, report.html",
            r->folder.path);
  return status;
}

numann_status nu_run_finish(nu_run *r, numann_error *err) {
  numann_trainer_destroy(r->trainer);
  r->trainer = NULL;
  NU_TRY(save_model(r, err));
  NU_TRY(evaluate(r, err));
  nu_rescue rescue = nu_run_rescue(r);
  nu_rescue_warn(&rescue, r->parts.train.loss, lowest_loss(r));
  return show(r, err);
}
