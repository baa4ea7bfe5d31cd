/* A model: made, loaded, saved, described. Its answers are in answer.c.
 * SPDX-License-Identifier: MIT */
#include "checkpoint/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "config/config.h"
#include "numann/version.h"

#define NAMES_SHOWN 12

/* ---- made from memory */

static numann_status copy_config(numann_model *model, const numann_config *config,
                                 numann_error *err) {
  nu_text text = {0};
  nu_config_write(config, NU_CONFIG_MODEL, &text);
  if (!text.failed) model->saved.config_text = nu_copy_text(nu_text_view(&text), text.length);
  numann_status status =
      model->saved.config_text ? NUMANN_OK : nu_fail_memory(err, text.length, "the config");
  nu_text_clear(&text);
  return status;
}

static numann_status copy_all(numann_model *model, const numann_network *network,
                              const numann_data *data, const numann_config *config,
                              numann_error *err) {
  model->path = nu_copy_text("", 0);
  if (!model->path) return nu_fail_memory(err, 1, "a path");
  NU_TRY(nu_network_copy(&model->saved.network, network, err));
  NU_TRY(nu_schema_copy(&model->saved.schema, &data->schema, err));
  model->saved.data_sum = nu_data_sum(data);
  return copy_config(model, config, err);
}

/* An empty model that `status` may still spoil: destroyed then. */
static numann_status finish(numann_model **out, numann_model *model, numann_status status) {
  if (status == NUMANN_OK) *out = model;
  else numann_model_destroy(model);
  return status;
}

numann_status numann_model_create(numann_model **out, const numann_network *network,
                                  const numann_data *data, const numann_config *config,
                                  numann_error *err) {
  assert(out && data->schema.features == numann_network_inputs(network));
  *out = NULL;
  numann_model *model = calloc(1, sizeof *model);
  if (!model) return nu_fail_memory(err, sizeof *model, "a model");
  return finish(out, model, copy_all(model, network, data, config, err));
}

/* ---- loaded */

/* A run that has not ended has no model yet: its newest checkpoint stands in. */
static numann_status read_newest(numann_model *model, const char *run, bool *found,
                                 numann_error *err) {
  free(model->path);
  model->path = nu_path_join(run, "checkpoints");
  if (!model->path) return nu_fail_memory(err, strlen(run), "a path");
  NU_TRY(nu_checkpoint_newest(&model->saved, found, model->path, NU_FOR_ANSWERS, NULL, err));
  if (*found) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_MODEL,
                 "%s: the folder holds neither model.safetensors nor a checkpoint; give a model or "
                 "the folder of a run",
                 run);
}

/* stands_in: a checkpoint was read for the model that a run does not have yet. */
static numann_status read_path(numann_model *model, const char *path, bool *stands_in,
                               numann_error *err) {
  bool folder = nu_is_folder(path);
  model->path = folder ? nu_path_join(path, "model.safetensors") : nu_copy_text(path, strlen(path));
  if (!model->path) return nu_fail_memory(err, strlen(path), "a path");
  if (folder && !nu_is_there(model->path)) return read_newest(model, path, stands_in, err);
  return nu_saved_read(&model->saved, model->path, err);
}

/* Why a run's folder has no model, or one that is older than its last training. */
static void add_stand_in(const nu_saved *saved, const char *diverged, nu_text *note) {
  if (diverged) nu_text_addf(note, "the training diverged (%s); using ", diverged);
  else nu_text_add(note, "the run has not ended; using ");
  if (saved->has_state)
    nu_text_addf(note, "its checkpoint of step %llu", (unsigned long long)saved->state.step);
  else nu_text_add(note, "the model of a training that ended before");
}

static numann_status add_note(numann_model *model, const char *path, bool stands_in,
                              numann_error *err) {
  const nu_saved *saved = &model->saved;
  char *diverged = nu_is_folder(path) ? nu_diverged_read(path) : NULL;
  bool other = saved->numerics != NUMANN_NUMERICS_VERSION, tells = stands_in || diverged;
  nu_text note = {0};
  if (tells || other) nu_text_addf(&note, "%s: ", path);
  if (tells) add_stand_in(saved, diverged, &note);
  if (other)
    nu_text_addf(&note,
                 "%swritten by numann %s with numerics version %llu, this is %s with %d: answers "
                 "may differ from its own in their last digits",
                 tells ? "; " : "", saved->version, (unsigned long long)saved->numerics,
                 numann_version(), NUMANN_NUMERICS_VERSION);
  free(diverged);
  model->note = note.data;
  return note.failed ? nu_fail_memory(err, strlen(path), "a note") : NUMANN_OK;
}

/* Of a state only the counts: its arrays are several times the network. */
static void forget_state(numann_model *model) {
  const nu_state *state = &model->saved.state;
  model->checkpoint = model->saved.has_state;
  model->step = state->step;
  model->epoch = state->epoch;
  model->batch = state->batch;
  nu_state_clear(&model->saved.state);
  model->saved.has_state = false;
}

numann_status numann_model_load(numann_model **out, const char *path, numann_error *err) {
  assert(out && path);
  *out = NULL;
  numann_model *model = calloc(1, sizeof *model);
  if (!model) return nu_fail_memory(err, sizeof *model, "a model");
  bool stands_in = false;
  numann_status status = read_path(model, path, &stands_in, err);
  if (status == NUMANN_OK) status = add_note(model, path, stands_in, err);
  forget_state(model);
  return finish(out, model, status);
}

/* ---- saved, destroyed */

numann_status numann_model_save(const numann_model *model, const char *path, numann_error *err) {
  return nu_saved_write(path, &model->saved, err);
}

void numann_model_destroy(numann_model *model) {
  if (!model) return;
  nu_saved_clear(&model->saved);
  free(model->path);
  free(model->note);
  free(model);
}

/* ---- described */

/* ": a, b, c ... (20)"; nothing where there are no names. */
static void add_names(char *const *names, size_t n, nu_text *out) {
  for (size_t i = 0; names && i < n && i < NAMES_SHOWN; i++) {
    char name[NU_EXCERPT];
    nu_text_addf(out, "%s%s", i ? ", " : ": ", nu_excerpt(names[i], strlen(names[i]), name));
  }
  if (names && n > NAMES_SHOWN) nu_text_addf(out, " ... (%zu)", n);
  nu_text_add(out, "\n");
}

size_t numann_model_describe(const numann_model *model, char *text, size_t size) {
  const nu_schema *schema = &model->saved.schema;
  nu_text out = {0};
  nu_text_add(&out, "network: ");
  nu_network_describe(model->saved.network, &out);
  nu_text_addf(&out, "\ninputs: %zu", schema->features);
  add_names(schema->feature_names, schema->features, &out);
  if (schema->classes) {
    nu_text_addf(&out, "answers: one of %zu classes", schema->classes);
    add_names(schema->class_names, schema->classes, &out);
  } else {
    nu_text_addf(&out, "answers: %zu number%s", schema->targets, schema->targets == 1 ? "" : "s");
    add_names(schema->target_names, schema->targets, &out);
  }
  size_t length = out.failed ? 0 : out.length;
  if (size) {
    size_t n = length < size ? length : size - 1;
    while (n < length && n > 0 && ((unsigned char)out.data[n] & 0xc0) == 0x80) n--;
    memcpy(text, nu_text_view(&out), n);
    text[n] = '\0';
  }
  nu_text_clear(&out);
  return length;
}

const char *numann_model_note(const numann_model *model) { return model->note; }
uint64_t numann_model_step(const numann_model *model) { return model->step; }
size_t numann_model_inputs(const numann_model *model) { return model->saved.schema.features; }
size_t numann_model_classes(const numann_model *model) { return model->saved.schema.classes; }
size_t numann_model_outputs(const numann_model *model) {
  const nu_schema *schema = &model->saved.schema;
  return schema->classes ? schema->classes : schema->targets;
}

static const char *name_of(char *const *names, size_t n, size_t i) {
  assert(i < n);
  return names ? names[i] : NULL;
}

const char *numann_model_input_name(const numann_model *model, size_t i) {
  return name_of(model->saved.schema.feature_names, model->saved.schema.features, i);
}

const char *numann_model_class_name(const numann_model *model, size_t i) {
  return name_of(model->saved.schema.class_names, model->saved.schema.classes, i);
}

const char *numann_model_target_name(const numann_model *model, size_t i) {
  const nu_schema *schema = &model->saved.schema;
  return name_of(schema->target_names, nu_schema_target_columns(schema), i);
}

const numann_network *numann_model_network_view(const numann_model *model) {
  return model->saved.network;
}

const char *numann_model_config_view(const numann_model *model) { return model->saved.config_text; }
