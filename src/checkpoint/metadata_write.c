/* From a model or checkpoint to metadata strings. SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "checkpoint/metadata.h"
#include "numann/version.h"

/* Add one string; a refusal shows at the end, as a missing key would. */
static bool put(json_t *metadata, const char *key, const char *value) {
  return json_object_set_new(metadata, key, json_string(value)) == 0;
}

static bool put_count(json_t *metadata, const char *key, uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, value);
  return put(metadata, key, text);
}

/* A double by its bits: exact, and the same in every locale. */
static bool put_bits(json_t *metadata, const char *key, double value) {
  uint64_t bits;
  char text[24];
  memcpy(&bits, &value, sizeof bits);
  snprintf(text, sizeof text, "%016" PRIx64, bits);
  return put(metadata, key, text);
}

/* A JSON value as a text inside the metadata; takes the value. */
static bool put_json(json_t *metadata, const char *key, json_t *value) {
  nu_text text = {0};
  bool good = nu_json_dump(&text, value, JSON_COMPACT) && put(metadata, key, text.data);
  nu_text_clear(&text);
  json_decref(value);
  return good;
}

/* What a layer's row in the lists is; a new reference each, NULL when refused. */
static json_t *kind_json(const nu_layer *layer) { return json_string(layer->kind->name); }
static json_t *size_json(const nu_layer *layer) { return json_integer((json_int_t)layer->neurons); }
static json_t *activation_json(const nu_layer *layer) {
  return json_string(nu_activation_name(layer->activation));
}
/* As text, since a reader of ours takes no minus sign, not even an exponent's. */
static json_t *rate_json(const nu_layer *layer) {
  char text[NU_REAL_TEXT];
  return layer->rate > 0.0 ? json_string(nu_format_real(layer->rate, text)) : json_null();
}

/* With the network's inputs before the layers, or without. */
static json_t *list_json(const numann_network *network, bool inputs,
                         json_t *(*of)(const nu_layer *layer)) {
  json_t *list = json_array();
  json_int_t first = (json_int_t)numann_network_inputs(network);
  bool good = !inputs || json_array_append_new(list, json_integer(first)) == 0;
  for (size_t l = 0; l < network->n_layers && good; l++)
    good = json_array_append_new(list, of(&network->layers[l])) == 0;
  if (good) return list;
  json_decref(list);
  return NULL;
}

static json_t *layers_json(const numann_network *network) {
  return json_pack("{s:o, s:o, s:o, s:o, s:s}", "kinds", list_json(network, false, kind_json),
                   "sizes", list_json(network, true, size_json), "activations",
                   list_json(network, false, activation_json), "rates",
                   list_json(network, false, rate_json), "loss", nu_loss_name(network->loss));
}

static numann_status name_json(json_t **out, const char *name, const char *what, size_t number,
                               numann_error *err) {
  bool refused;
  *out = nu_json_text(name, &refused);
  if (*out) return NUMANN_OK;
  if (refused) return nu_fail_memory(err, strlen(name), "names");
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s %zu is not UTF-8; convert the data file, for example with iconv", what,
                 number);
}

/* A list of names, or null where there are none. */
static numann_status names_json(json_t **out, char *const *names, size_t n, const char *what,
                                numann_error *err) {
  *out = names ? json_array() : json_null();
  for (size_t i = 0; i < n && names; i++) {
    json_t *name;
    NU_TRY(name_json(&name, names[i], what, i + 1, err));
    if (json_array_append_new(*out, name) != 0) return nu_fail_memory(err, n, "names");
  }
  return NUMANN_OK;
}

static numann_status schema_json(json_t **out, const nu_schema *schema, numann_error *err) {
  const size_t n_target_names = nu_schema_target_columns(schema);
  const struct {
    const char *count_key, *names_key, *what;
    size_t count, n_names;
    char *const *names;
  } parts[] = {
      {"features", "feature_names", "column name", schema->features, schema->features,
       schema->feature_names},
      {"classes", "class_names", "class name", schema->classes, schema->classes,
       schema->class_names},
      {"targets", "target_names", "target name", schema->targets, n_target_names,
       schema->target_names},
  };
  *out = json_object();
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    json_t *names;
    numann_status status = names_json(&names, parts[i].names, parts[i].n_names, parts[i].what, err);
    bool good = json_object_set_new(*out, parts[i].count_key,
                                    json_integer((json_int_t)parts[i].count)) == 0 &&
                json_object_set(*out, parts[i].names_key, names) == 0;
    json_decref(names);
    if (status != NUMANN_OK) return status;
    if (!good) return nu_fail_memory(err, parts[i].n_names, "names");
  }
  return NUMANN_OK;
}

/* 16 digits each. */
static bool put_numbers(json_t *metadata, const nu_state *state) {
  nu_text text = {0};
  for (size_t i = 0; i < state->method->n_numbers; i++) {
    uint64_t bits;
    memcpy(&bits, &state->numbers[i], sizeof bits);
    nu_text_addf(&text, "%016" PRIx64, bits);
  }
  bool good = !text.failed && put(metadata, "optimizer_numbers", nu_text_view(&text));
  nu_text_clear(&text);
  return good;
}

static bool put_state(json_t *metadata, const nu_state *state) {
  return put(metadata, "optimizer", state->method->name) && put_numbers(metadata, state) &&
         put_count(metadata, "step", state->step) && put_count(metadata, "epoch", state->epoch) &&
         put_count(metadata, "batch", state->batch) &&
         put_bits(metadata, "epoch_loss", state->epoch_loss) &&
         put_count(metadata, "best_epoch", state->best_epoch) &&
         put_bits(metadata, "best_loss", state->best_loss) &&
         put(metadata, "finished", state->finished ? "true" : "false");
}

/* As long as any hash. */
static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

static bool put_all(json_t *metadata, const nu_saved *saved, json_t *schema) {
  return put_count(metadata, "numann_format", NU_FORMAT_VERSION) &&
         put(metadata, "numann_version", numann_version()) &&
         put_count(metadata, "numerics_version", NUMANN_NUMERICS_VERSION) &&
         put(metadata, "kind", saved->has_state ? "checkpoint" : "model") &&
         put_json(metadata, "layers", layers_json(saved->network)) &&
         put_json(metadata, "data", json_incref(schema)) &&
         put(metadata, "config", saved->config_text ? saved->config_text : "") &&
         put_count(metadata, "data_sum", saved->data_sum) &&
         put(metadata, "weights_sha256", no_hash) &&
         (!saved->has_state || put_state(metadata, &saved->state));
}

numann_status nu_metadata_write(json_t **out, const nu_saved *saved, numann_error *err) {
  json_t *schema;
  *out = json_object();
  numann_status status = schema_json(&schema, &saved->schema, err);
  if (status == NUMANN_OK && !put_all(*out, saved, schema)) {
    status = nu_fail_memory(err, sizeof *saved, "a file's metadata");
  }
  json_decref(schema);
  if (status != NUMANN_OK) {
    json_decref(*out);
    *out = NULL;
  }
  return status;
}

numann_status nu_metadata_hash(json_t *metadata, const nu_saved *saved, numann_error *err) {
  numann_network view = *saved->network;
  if (saved->has_state) view.parameters = saved->state.weights;
  char weights[sizeof no_hash];
  nu_network_sha256(&view, weights);
  return put(metadata, "weights_sha256", weights)
             ? NUMANN_OK
             : nu_fail_memory(err, sizeof weights, "a file's metadata");
}
