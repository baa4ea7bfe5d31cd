/* numann info: what a model, a checkpoint, a run or a config holds. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/model.h"
#include "cli/result.h"
#include "config/config.h"
#include "numann/version.h"
#include "plan/plan.h"

/* What is known, borrowed; NULL where it is not. */
typedef struct facts {
  const char *kind; /* "model", "checkpoint", "config" */
  const char *path;
  const numann_network *network;
  const nu_schema *schema;
  const char *config_text;
  uint64_t numerics;            /* version */
  const numann_model *progress; /* a checkpoint's */
  const numann_data *data;      /* a config's */
  const numann_plan *plan;      /* a config's */
  char sha256[65];              /* "" for a config: the weights are not trained */
} facts;

/* ---- JSON */

static void json_layers(const numann_network *network, nu_json *json) {
  nu_json_open(json, "layers", '[');
  for (size_t l = 0; l < network->n_layers; l++) {
    const nu_layer *layer = &network->layers[l];
    nu_json_open(json, NULL, '{');
    nu_json_count(json, "inputs", layer->inputs);
    nu_json_count(json, "neurons", layer->neurons);
    nu_json_string(json, "activation", nu_activation_name(layer->activation));
    nu_json_count(json, "parameters", nu_layer_parameters(layer));
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

static void json_schema(const nu_schema *schema, nu_json *json) {
  nu_json_count(json, "features", schema->features);
  nu_json_count(json, "targets", schema->targets);
  nu_json_open(json, "classes", '[');
  for (size_t c = 0; c < schema->classes; c++) nu_json_string(json, NULL, schema->class_names[c]);
  nu_json_close(json, ']');
}

static void json_plan(const facts *f, nu_json *json) {
  nu_json_count(json, "rows_train", f->data->train.rows);
  nu_json_count(json, "rows_validation", f->data->validation.rows);
  nu_json_count(json, "rows_test", f->data->test.rows);
  nu_json_count(json, "threads", numann_plan_threads(f->plan));
  nu_json_count(json, "threads_limit", f->plan->threads_limit);
  nu_json_string(json, "strategy", numann_plan_strategy(f->plan));
  nu_json_count(json, "batch", f->plan->plan.problem.batch);
  nu_json_count(json, "grain", f->plan->plan.problem.grain);
}

static void write_json(const facts *f, nu_text *out) {
  nu_json json = {0};
  nu_json_open(&json, NULL, '{');
  nu_json_string(&json, "kind", f->kind);
  nu_json_string(&json, "path", f->path);
  json_layers(f->network, &json);
  nu_json_count(&json, "parameters", numann_network_parameters(f->network));
  nu_json_string(&json, "loss", nu_loss_name(f->network->loss));
  json_schema(f->schema, &json);
  nu_json_string(&json, "weights_sha256", f->sha256[0] != '\0' ? f->sha256 : NULL);
  nu_json_count(&json, "numerics_version", f->numerics);
  if (f->progress) {
    nu_json_count(&json, "step", f->progress->step);
    nu_json_count(&json, "epoch", f->progress->epoch);
    nu_json_count(&json, "batch", f->progress->batch);
  }
  if (f->plan) json_plan(f, &json);
  nu_json_string(&json, "config", f->config_text);
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  *out = json.text;
}

/* ---- table */

static void add_layers(const numann_network *network, nu_text *out) {
  nu_text_add(out, "\nlayer    inputs   neurons  activation   parameters\n");
  for (size_t l = 0; l < network->n_layers; l++) {
    const nu_layer *layer = &network->layers[l];
    nu_text_addf(out, "%5zu  %8zu  %8zu  %-11s  %10zu\n", l + 1, layer->inputs, layer->neurons,
                 nu_activation_name(layer->activation), nu_layer_parameters(layer));
  }
}

/* Names that are too many for one glance are cut. */
static void add_names(const char *label, char *const *names, size_t n, nu_text *out) {
  const size_t most = 20;
  if (n == 0 || !names) return;
  nu_text_addf(out, "%-12s", label);
  for (size_t i = 0; i < n && i < most; i++) {
    char name[NU_EXCERPT];
    nu_text_addf(out, "%s%s", i > 0 ? ", " : "", nu_excerpt(names[i], strlen(names[i]), name));
  }
  if (n > most) nu_text_addf(out, " ... (%zu)", n);
  nu_text_add(out, "\n");
}

static void add_schema(const nu_schema *schema, nu_text *out) {
  add_names("features", schema->feature_names, schema->features, out);
  add_names("classes", schema->class_names, schema->classes, out);
  if (schema->classes == 0) add_names("targets", schema->target_names, schema->targets, out);
}

static void add_progress(const numann_model *model, nu_text *out) {
  nu_text_addf(out, "state       step %llu, %llu whole epochs and %llu batches of the next\n",
               (unsigned long long)model->step, (unsigned long long)model->epoch,
               (unsigned long long)model->batch);
}

static void add_plan(const facts *f, nu_text *out) {
  nu_text_addf(out, "rows        %zu training, %zu validation, %zu test\n", f->data->train.rows,
               f->data->validation.rows, f->data->test.rows);
  nu_text_addf(out, "plan        %zu thread%s, %s, batch %zu: %s\n", f->plan->plan.threads,
               f->plan->plan.threads == 1 ? "" : "s", numann_plan_strategy(f->plan),
               f->plan->plan.problem.batch, f->plan->why);
}

static void write_table(const facts *f, nu_text *out) {
  nu_text_addf(out, "%-12s", f->kind);
  nu_text_add_shown(out, f->path);
  nu_text_add(out, "\nnetwork     ");
  nu_network_describe(f->network, out);
  nu_text_addf(out, "\nloss        %s\n", nu_loss_name(f->network->loss));
  if (f->sha256[0] != '\0') nu_text_addf(out, "sha256      %s\n", f->sha256);
  add_schema(f->schema, out);
  if (f->progress) add_progress(f->progress, out);
  if (f->plan) add_plan(f, out);
  add_layers(f->network, out);
  nu_text_add(out, "\n");
  nu_text_add_shown_lines(out, f->config_text);
}

static numann_status print_facts(const facts *f, const nu_arguments *args, numann_error *err) {
  nu_text out = {0};
  if (nu_given(args, NU_OPTION_JSON)) write_json(f, &out);
  else write_table(f, &out);
  return nu_print_text(&out, err);
}

/* ---- a model, a checkpoint, a run */

static numann_status info_model(const nu_arguments *args, numann_error *err) {
  nu_asked asked;
  numann_status status = nu_asked_open(&asked, args, args->operands[0], err);
  if (status == NUMANN_OK) {
    const numann_model *model = asked.model;
    facts f = {.kind = model->checkpoint ? "checkpoint" : "model",
               .path = model->path,
               .network = numann_model_network_view(model),
               .schema = asked.schema,
               .config_text = numann_model_config_view(model),
               .numerics = model->saved.numerics,
               .progress = model->checkpoint ? model : NULL};
    nu_network_sha256(f.network, f.sha256);
    status = print_facts(&f, args, err);
  }
  nu_asked_close(&asked);
  return status;
}

/* ---- a config */

/* What a config leads to. */
typedef struct outlook {
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
} outlook;

static numann_status print_outlook(outlook *o, const nu_arguments *args, numann_error *err) {
  NU_TRY(nu_load_config(&o->config, args, args->operands[0], err));
  NU_TRY(numann_data_load(&o->data, o->config, err));
  NU_TRY(numann_network_create(&o->network, o->config, o->data, err));
  NU_TRY(numann_plan_create(&o->plan, o->config, o->network, o->data, err));
  nu_text config_text = {0};
  nu_config_write(o->config, NU_CONFIG_RUN, &config_text);
  facts f = {.kind = "config",
             .path = args->operands[0],
             .network = o->network,
             .schema = &o->data->schema,
             .config_text = nu_text_view(&config_text),
             .numerics = NUMANN_NUMERICS_VERSION,
             .data = o->data,
             .plan = o->plan};
  numann_status status = config_text.failed ? nu_fail_memory(err, config_text.length, "the config")
                                            : print_facts(&f, args, err);
  nu_text_clear(&config_text);
  return status;
}

static numann_status info_config(const nu_arguments *args, numann_error *err) {
  outlook o = {0};
  numann_status status = print_outlook(&o, args, err);
  numann_plan_destroy(o.plan);
  numann_network_destroy(o.network);
  numann_data_destroy(o.data);
  numann_config_destroy(o.config);
  return status;
}

static bool is_model(const char *path) {
  static const char end[] = ".safetensors";
  size_t n = strlen(path), tail = sizeof end - 1;
  return nu_is_folder(path) || (n > tail && strcmp(path + n - tail, end) == 0);
}

numann_status nu_command_info(const nu_arguments *args, numann_error *err) {
  return is_model(args->operands[0]) ? info_model(args, err) : info_config(args, err);
}
