/* From metadata strings to a model or checkpoint. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "checkpoint/layout.h"
#include "checkpoint/metadata.h"

/* The start of the header, where metadata stands. */
#define AT 8

static numann_status bad(const nu_tensor_file *file, const char *key, const char *expected,
                         numann_error *err) {
  const char *text = nu_tensor_file_text(file, key);
  char shown[NU_EXCERPT];
  if (!text) text = "missing";
  return nu_tensor_file_fail(file, AT, err, "metadata %s is '%s', %s was expected", key,
                             nu_excerpt(text, strlen(text), shown), expected);
}

static numann_status get_count(const nu_tensor_file *file, const char *key, uint64_t *out,
                               numann_error *err) {
  const char *text = nu_tensor_file_text(file, key);
  if (text && nu_parse_count(text, strlen(text), out)) return NUMANN_OK;
  return bad(file, key, "a count", err);
}

/* A double from the 16 digits of its bits; false: they are others. */
static bool parse_bits(const char *text, double *out) {
  static const char digits[] = "0123456789abcdef";
  uint64_t bits = 0;
  for (size_t i = 0; i < 16; i++) {
    const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
    if (!digit) return false;
    bits = bits << 4 | (uint64_t)(digit - digits);
  }
  memcpy(out, &bits, sizeof bits);
  return true;
}

static numann_status get_bits(const nu_tensor_file *file, const char *key, double *out,
                              numann_error *err) {
  const char *text = nu_tensor_file_text(file, key);
  if (text && strlen(text) == 16 && parse_bits(text, out)) return NUMANN_OK;
  return bad(file, key, "16 hexadecimal digits", err);
}

/* One of two words. */
static numann_status get_word(const nu_tensor_file *file, const char *key, const char *no,
                              const char *yes, bool *out, numann_error *err) {
  const char *text = nu_tensor_file_text(file, key);
  *out = text && strcmp(text, yes) == 0;
  return *out || (text && strcmp(text, no) == 0) ? NUMANN_OK : bad(file, key, yes, err);
}

static numann_status get_json(const nu_tensor_file *file, const char *key, json_t **out,
                              numann_error *err) {
  const char *text = nu_tensor_file_text(file, key);
  size_t offset;
  char reason[160] = "missing";
  *out = text ? nu_json_parse(text, strlen(text), &offset, reason) : NULL;
  if (json_is_object(*out)) return NUMANN_OK;
  if (!*out && !reason[0]) return nu_fail_memory(err, strlen(text), key);
  json_decref(*out);
  *out = NULL;
  return bad(file, key, "a JSON object", err);
}

/* Any numerics version is read: only a resume needs its own (resume.c). */
static numann_status read_versions(nu_saved *out, const nu_tensor_file *file, numann_error *err) {
  uint64_t format;
  NU_TRY(get_count(file, "numann_format", &format, err));
  if (format < NU_FORMAT_OLDEST || format > NU_FORMAT_VERSION)
    return bad(file, "numann_format", "1 or 2", err);
  const char *text = nu_tensor_file_text(file, "numann_version");
  if (!text) text = "?";
  nu_show(out->version, sizeof out->version, text, strlen(text));
  return get_count(file, "numerics_version", &out->numerics, err);
}

/* Layers as the file tells them. */
typedef struct shape {
  size_t n_layers;
  nu_layer *layers; /* [n_layers], owned */
  nu_loss loss;
} shape;

static bool find_name(const json_t *value, const char *const *names, size_t n, size_t *index) {
  const char *name = json_string_value(value);
  for (*index = 0; name && *index < n; ++*index) {
    if (strcmp(name, names[*index]) == 0) return true;
  }
  return false;
}

static bool get_size(const json_t *value, size_t least, size_t *out) {
  json_int_t n = json_integer_value(value);
  if (!json_is_integer(value) || n < (json_int_t)least || (uint64_t)n > SIZE_MAX / 16) return false;
  *out = (size_t)n;
  return true;
}

static bool get_rate(const json_t *value, double *out) {
  const char *text = json_string_value(value);
  if (!value || json_is_null(value)) return true;
  return text && nu_parse_real(text, strlen(text), out) && *out > 0.0 && *out < 1.0;
}

/* Kinds without neurons of their own give as many numbers as they take. */
static bool fill_layer(nu_layer *layer, const json_t *layers, size_t l) {
  const json_t *kinds = json_object_get(layers, "kinds");
  const char *kind = kinds ? json_string_value(json_array_get(kinds, l)) : nu_kinds[0]->name;
  const json_t *sizes = json_object_get(layers, "sizes");
  const char *names[NU_ACTIVATIONS];
  size_t index;
  nu_activation_names(names);
  layer->kind = kind ? nu_kind_named(kind) : NULL;
  if (!layer->kind || !get_size(json_array_get(sizes, l), 1, &layer->inputs) ||
      !get_size(json_array_get(sizes, l + 1), 1, &layer->neurons) ||
      !find_name(json_array_get(json_object_get(layers, "activations"), l), names, NU_ACTIVATIONS,
                 &index) ||
      !get_rate(json_array_get(json_object_get(layers, "rates"), l), &layer->rate))
    return false;
  layer->activation = (nu_activation)index;
  if (layer->kind->shape) layer->kind->shape(layer);
  bool plain = layer->neurons == layer->inputs && layer->activation == NU_IDENTITY;
  return (layer->kind->product || plain) && (layer->rate > 0.0) == layer->kind->draws;
}

static bool fill_shape(shape *out, const json_t *layers) {
  size_t index;
  for (size_t l = 0; l < out->n_layers; l++) {
    if (!fill_layer(&out->layers[l], layers, l)) return false;
  }
  if (!find_name(json_object_get(layers, "loss"), nu_loss_names(), NU_LOSSES, &index)) return false;
  out->loss = (nu_loss)index;
  return out->layers[out->n_layers - 1].kind->product;
}

/* A list of another length belongs to other layers. Format 1 has neither kinds nor rates. */
static bool are_lists(const json_t *layers, size_t n_layers) {
  static const char *const keys[] = {"kinds", "rates"};
  for (size_t i = 0; i < 2; i++) {
    const json_t *list = json_object_get(layers, keys[i]);
    if (list && (!json_is_array(list) || json_array_size(list) != n_layers)) return false;
  }
  return json_array_size(json_object_get(layers, "sizes")) == n_layers + 1;
}

static numann_status read_shape(shape *out, const nu_tensor_file *file, numann_error *err) {
  json_t *layers;
  NU_TRY(get_json(file, "layers", &layers, err));
  out->n_layers = json_array_size(json_object_get(layers, "activations"));
  out->layers = nu_alloc(out->n_layers, sizeof *out->layers);
  numann_status status = NUMANN_OK;
  if (!out->layers) {
    status = nu_fail_memory(err, out->n_layers * sizeof *out->layers, "the layers");
  } else if (out->n_layers == 0 || !are_lists(layers, out->n_layers) || !fill_shape(out, layers)) {
    status = bad(file, "layers", "kinds, sizes, activations and a loss that numann knows", err);
  }
  json_decref(layers);
  return status;
}

/* Is it a list of exactly n names, or null? */
static bool are_names(const json_t *list, size_t n) {
  if (json_is_null(list)) return true;
  if (!json_is_array(list) || json_array_size(list) != n) return false;
  for (size_t i = 0; i < n; i++) {
    if (!json_is_string(json_array_get(list, i))) return false;
  }
  return true;
}

/* The array is handed over with what is filled so far: the schema's owner frees it. */
static numann_status copy_names(char ***out, const json_t *list, numann_error *err) {
  size_t n = json_array_size(list);
  if (json_is_null(list)) return NUMANN_OK;
  *out = nu_alloc(n, sizeof **out);
  for (size_t i = 0; i < n && *out; i++) {
    const char *name = json_string_value(json_array_get(list, i));
    (*out)[i] = nu_copy_text(name, strlen(name));
    if (!(*out)[i]) return nu_fail_memory(err, strlen(name), "names");
  }
  return *out ? NUMANN_OK : nu_fail_memory(err, n * sizeof **out, "names");
}

static numann_status fill_schema(nu_schema *out, const json_t *data, const nu_tensor_file *file,
                                 numann_error *err) {
  const json_t *features = json_object_get(data, "feature_names");
  const json_t *classes = json_object_get(data, "class_names");
  const json_t *targets = json_object_get(data, "target_names");
  bool good = get_size(json_object_get(data, "features"), 1, &out->features) &&
              get_size(json_object_get(data, "classes"), 0, &out->classes) &&
              get_size(json_object_get(data, "targets"), 0, &out->targets) &&
              are_names(features, out->features) && are_names(classes, out->classes) &&
              are_names(targets, nu_schema_target_columns(out));
  if (!good) return bad(file, "data", "counts and as many names", err);
  NU_TRY(copy_names(&out->feature_names, features, err));
  NU_TRY(copy_names(&out->class_names, classes, err));
  return copy_names(&out->target_names, targets, err);
}

/* As nu_network_shape: one output a class, two classes may share one; or one output a target. */
static bool fits(const nu_schema *schema, const shape *layers) {
  size_t outputs = layers->layers[layers->n_layers - 1].neurons;
  if (schema->features != layers->layers[0].inputs) return false;
  if (schema->classes == 0) return schema->targets == outputs;
  return schema->targets == 0 &&
         (schema->classes == outputs || (schema->classes == 2 && outputs == 1));
}

static numann_status read_schema(nu_schema *out, const shape *layers, const nu_tensor_file *file,
                                 numann_error *err) {
  json_t *data;
  NU_TRY(get_json(file, "data", &data, err));
  numann_status status = fill_schema(out, data, file, err);
  json_decref(data);
  if (status != NUMANN_OK) return status;
  return fits(out, layers) ? NUMANN_OK : bad(file, "data", "what the layers can take", err);
}

/* The method of a checkpoint: as named, or of the old format by the arrays that are there. */
static const nu_method *method_of(const nu_tensor_file *file, const shape *layers) {
  const char *name = nu_tensor_file_text(file, "optimizer");
  bool first = nu_layout_has(file, "optimizer.moment1.", layers->layers, layers->n_layers);
  bool second = nu_layout_has(file, "optimizer.moment2.", layers->layers, layers->n_layers);
  return nu_method_named(name ? name : second ? "adam" : first ? "momentum" : "sgd");
}

static bool has_best(const nu_tensor_file *file, const shape *layers) {
  return nu_layout_has(file, "best.", layers->layers, layers->n_layers);
}

/* The bytes of all arrays of these shapes; false on overflow. */
static bool data_bytes(const shape *layers, const nu_schema *schema, const nu_method *method,
                       const nu_tensor_file *file, size_t *parameters, size_t *bytes) {
  size_t blocks = 1u + (method ? method->n_arrays : 0) + has_best(file, layers);
  *parameters = 0;
  for (size_t l = 0; l < layers->n_layers; l++) {
    size_t block;
    if (!nu_size_mul(nu_layer_rows(&layers->layers[l]), layers->layers[l].neurons, &block) ||
        !nu_size_add(*parameters, block, parameters))
      return false;
  }
  size_t scaled = (nu_tensor_file_has(file, NU_FIRST_INPUTS) ? schema->features : 0) +
                  (nu_tensor_file_has(file, NU_FIRST_OUTPUTS) ? schema->targets : 0);
  size_t scaling;
  return nu_size_mul(*parameters, blocks * sizeof(float), bytes) &&
         nu_size_mul(scaled, 2 * sizeof(double), &scaling) && nu_size_add(*bytes, scaling, bytes);
}

static numann_status allocate_scaling(nu_scaling *out, bool there, size_t n, numann_error *err) {
  if (!there) return NUMANN_OK;
  out->shift = nu_alloc(n, sizeof(double));
  out->scale = nu_alloc(n, sizeof(double));
  if (out->shift && out->scale) return NUMANN_OK;
  return nu_fail_memory(err, n * sizeof(double), "the scaling");
}

static numann_status allocate(nu_saved *out, const shape *layers, const nu_tensor_file *file,
                              numann_error *err) {
  size_t parameters, bytes;
  const nu_method *method = out->has_state ? method_of(file, layers) : NULL;
  if (out->has_state && !method) return bad(file, "optimizer", "one that numann knows", err);
  if (!data_bytes(layers, &out->schema, method, file, &parameters, &bytes) ||
      bytes != file->size - file->data) {
    return bad(file, "layers", "shapes that fill the file exactly", err);
  }
  nu_schema *schema = &out->schema;
  NU_TRY(allocate_scaling(&schema->inputs, nu_tensor_file_has(file, NU_FIRST_INPUTS),
                          schema->features, err));
  NU_TRY(allocate_scaling(&schema->outputs, nu_tensor_file_has(file, NU_FIRST_OUTPUTS),
                          schema->targets, err));
  NU_TRY(nu_network_build(&out->network, layers->n_layers, layers->layers, layers->loss, err));
  if (!out->has_state) return NUMANN_OK;
  return nu_state_create(&out->state, NULL, parameters, method, has_best(file, layers), err);
}

bool nu_losses_finite(const nu_state *state) {
  return isfinite(state->epoch_loss) && (state->best_epoch == 0 || isfinite(state->best_loss));
}

static bool is_count(double number) {
  return number >= 0.0 && number < 0x1p53 && number == (double)(uint64_t)number;
}

static numann_status read_numbers(nu_state *out, const nu_tensor_file *file, numann_error *err) {
  const char *text = nu_tensor_file_text(file, "optimizer_numbers");
  size_t n = out->method->n_numbers;
  bool good = text ? strlen(text) == 16 * n : n == 0;
  for (size_t i = 0; good && i < n; i++)
    good = parse_bits(text + 16 * i, &out->numbers[i]) && isfinite(out->numbers[i]) &&
           (i >= out->method->n_counts || is_count(out->numbers[i]));
  return good ? NUMANN_OK : bad(file, "optimizer_numbers", "16 hexadecimal digits each", err);
}

static numann_status read_state(nu_state *out, const nu_tensor_file *file, numann_error *err) {
  NU_TRY(get_count(file, "step", &out->step, err));
  NU_TRY(get_count(file, "epoch", &out->epoch, err));
  NU_TRY(get_count(file, "batch", &out->batch, err));
  NU_TRY(get_bits(file, "epoch_loss", &out->epoch_loss, err));
  NU_TRY(get_count(file, "best_epoch", &out->best_epoch, err));
  NU_TRY(get_bits(file, "best_loss", &out->best_loss, err));
  NU_TRY(get_word(file, "finished", "false", "true", &out->finished, err));
  NU_TRY(read_numbers(out, file, err));
  return nu_losses_finite(out) ? NUMANN_OK : bad(file, "epoch_loss", "a finite number", err);
}

static numann_status read_config(nu_saved *out, const nu_tensor_file *file, numann_error *err) {
  const char *text = nu_tensor_file_text(file, "config");
  if (!text) return bad(file, "config", "a YAML text", err);
  out->config_text = nu_copy_text(text, strlen(text));
  return out->config_text ? NUMANN_OK : nu_fail_memory(err, strlen(text), "the config");
}

numann_status nu_metadata_read(nu_saved *out, const nu_tensor_file *file, numann_error *err) {
  NU_TRY(read_versions(out, file, err));
  NU_TRY(get_word(file, "kind", "model", "checkpoint", &out->has_state, err));
  NU_TRY(get_count(file, "data_sum", &out->data_sum, err));
  NU_TRY(read_config(out, file, err));
  shape layers = {0};
  numann_status status = read_shape(&layers, file, err);
  if (status == NUMANN_OK) status = read_schema(&out->schema, &layers, file, err);
  if (status == NUMANN_OK) status = allocate(out, &layers, file, err);
  free(layers.layers);
  if (status == NUMANN_OK && out->has_state) status = read_state(&out->state, file, err);
  return status;
}

numann_status nu_metadata_check_weights(const nu_saved *saved, const nu_tensor_file *file,
                                        numann_error *err) {
  char weights[65];
  nu_network_sha256(saved->network, weights);
  const char *stored = nu_tensor_file_text(file, "weights_sha256");
  if (stored && strcmp(stored, weights) == 0) return NUMANN_OK;
  return bad(file, "weights_sha256", weights, err);
}
