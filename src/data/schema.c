/* Schema: classes or values, and the names. SPDX-License-Identifier: MIT */
#include "data/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "data/scaling.h"

#define PLACE_TEXT 512
#define NAMES_SHOWN 12

static void free_names(char **names, size_t n) {
  for (size_t i = 0; names && i < n; i++) free(names[i]);
  free(names);
}

void nu_schema_clear(nu_schema *schema) {
  free_names(schema->feature_names, schema->features);
  free_names(schema->class_names, schema->classes);
  free_names(schema->target_names, nu_schema_target_columns(schema));
  nu_scaling_clear(&schema->inputs);
  nu_scaling_clear(&schema->outputs);
  *schema = (nu_schema){0};
}

static numann_status copy_names(char ***out, char *const *names, size_t n, numann_error *err) {
  *out = NULL;
  if (!names) return NUMANN_OK;
  char **copy = calloc(n + 1, sizeof *copy);
  bool held = copy;
  for (size_t i = 0; held && i < n; i++) {
    copy[i] = nu_copy_text(names[i], strlen(names[i]));
    held = copy[i];
  }
  if (!held) {
    if (copy) free_names(copy, n);
    return nu_fail_memory(err, n * sizeof *copy, "names");
  }
  *out = copy;
  return NUMANN_OK;
}

static numann_status copy_parts(nu_schema *out, const nu_schema *schema, numann_error *err) {
  size_t columns = nu_schema_target_columns(schema);
  NU_TRY(copy_names(&out->feature_names, schema->feature_names, schema->features, err));
  NU_TRY(copy_names(&out->class_names, schema->class_names, schema->classes, err));
  NU_TRY(copy_names(&out->target_names, schema->target_names, columns, err));
  NU_TRY(nu_scaling_copy(&out->inputs, &schema->inputs, schema->features, err));
  return nu_scaling_copy(&out->outputs, &schema->outputs, schema->targets, err);
}

numann_status nu_schema_copy(nu_schema *out, const nu_schema *schema, numann_error *err) {
  *out = (nu_schema){
      .features = schema->features, .classes = schema->classes, .targets = schema->targets};
  numann_status status = copy_parts(out, schema, err);
  if (status != NUMANN_OK) nu_schema_clear(out);
  return status;
}

double nu_unscale(const nu_scaling *scaling, size_t j, double y) {
  return y / scaling->scale[j] + scaling->shift[j];
}

static numann_status fail_text(const nu_table *table, const nu_label *label, numann_error *err) {
  char place[PLACE_TEXT], text[NU_EXCERPT];
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: the target is '%s', a number is expected; correct it, or set data.targets: "
                 "classes",
                 nu_table_place(table, label->place, place, sizeof place),
                 nu_excerpt(label->text, strlen(label->text), text));
}

static bool last_layer_answers_classes(const numann_config *config) {
  char key[64];
  size_t layers = nu_config_items(config, "network.layers");
  if (layers == 0) return false;
  snprintf(key, sizeof key, "network.layers.%zu.neurons", layers - 1);
  if (nu_config_count(config, key) > 1) return true;
  snprintf(key, sizeof key, "network.layers.%zu.activation", layers - 1);
  const char *activation = nu_config_string(config, key);
  return activation && strcmp(activation, "step") == 0;
}

/* The rule of data.targets: auto, as data.h tells it. */
static bool guess_classes(const nu_table *table, const numann_config *config) {
  const char *loss = nu_config_string(config, "train.loss");
  if (table->targets != 1) return false;
  if (nu_labels_first_text(&table->labels)) return true;
  if (loss && (strcmp(loss, "cross_entropy") == 0 || strcmp(loss, "binary_cross_entropy") == 0)) {
    return true;
  }
  return last_layer_answers_classes(config);
}

static numann_status decide(bool *classes, const nu_table *table, const numann_config *config,
                            numann_error *err) {
  const char *mode = nu_config_string(config, "data.targets");
  *classes = strcmp(mode, "classes") == 0;
  if (*classes && table->targets != 1) {
    return nu_config_fail(config, "data.targets", err,
                          "classes need one target column, but there are %zu", table->targets);
  }
  if (strcmp(mode, "auto") == 0) *classes = guess_classes(table, config);
  return NUMANN_OK;
}

static numann_status check_classes(const nu_table *table, numann_error *err) {
  const nu_labels *labels = &table->labels;
  char place[PLACE_TEXT], number[NU_REAL_TEXT];
  if (labels->overflow) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: the target has more than %d different values, too many for classes; set "
                   "data.targets: values, or name another target",
                   table->name, NU_CLASSES_MAX);
  }
  bool text = nu_labels_first_text(labels);
  for (size_t i = 0; i < labels->n && !text; i++) {
    if (nu_label_is_whole(&labels->list[i])) continue;
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: the target is %s, a whole number is expected for a class%s; set "
                   "data.targets: values to learn numbers",
                   nu_table_place(table, labels->list[i].place, place, sizeof place),
                   nu_format_real(labels->list[i].number, number),
                   table->by_line ? "" : ", below 2^53 in an array");
  }
  if (labels->n >= 2) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: all %zu rows are of one class; two or more are needed to learn from",
                 table->name, table->rows);
}

/* Models and reports are UTF-8: found out now, not when the trained model is saved. */
static numann_status check_names(const nu_table *table, char *const *names, size_t n,
                                 const char *what, numann_error *err) {
  char excerpt[NU_EXCERPT];
  for (size_t i = 0; names && i < n; i++) {
    if (!names[i] || nu_is_utf8(names[i])) continue;
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: the %s name \"%s\" is not UTF-8; convert the file, for example with iconv",
                   table->name, what, nu_excerpt(names[i], strlen(names[i]), excerpt));
  }
  return NUMANN_OK;
}

static numann_status fill(nu_schema *out, nu_table *table, bool classes, numann_error *err) {
  NU_TRY(check_names(table, table->feature_names, table->features, "column", err));
  NU_TRY(check_names(table, table->target_names, table->targets, "column", err));
  NU_TRY(nu_scaling_identity(&out->inputs, out->features, err));
  if (classes) {
    NU_TRY(check_classes(table, err));
    NU_TRY(nu_labels_names(&table->labels, &out->class_names, err));
    out->classes = table->labels.n;
    NU_TRY(check_names(table, out->class_names, out->classes, "class", err));
  } else {
    NU_TRY(nu_scaling_identity(&out->outputs, table->targets, err));
    out->targets = table->targets;
  }
  out->feature_names = table->feature_names;
  out->target_names = table->target_names;
  table->feature_names = NULL;
  table->target_names = NULL;
  return NUMANN_OK;
}

numann_status nu_schema_make(nu_schema *out, nu_table *table, const numann_config *config,
                             numann_error *err) {
  bool classes = false;
  *out = (nu_schema){.features = table->features};
  NU_TRY(decide(&classes, table, config, err));
  numann_status status = fill(out, table, classes, err);
  if (status != NUMANN_OK) nu_schema_clear(out);
  return status;
}

static numann_status name_classes(nu_schema *schema, numann_error *err) {
  schema->class_names = calloc(schema->classes + 1, sizeof *schema->class_names);
  bool held = schema->class_names;
  for (size_t c = 0; held && c < schema->classes; c++) {
    char name[32];
    int n = snprintf(name, sizeof name, "%zu", c);
    schema->class_names[c] = nu_copy_text(name, (size_t)n);
    held = schema->class_names[c];
  }
  return held ? NUMANN_OK : nu_fail_memory(err, schema->classes * sizeof(char *), "class names");
}

numann_status nu_schema_complete(nu_schema *schema, numann_error *err) {
  if (!schema->inputs.shift) {
    NU_TRY(nu_scaling_identity(&schema->inputs, schema->features, err));
  }
  if (schema->targets && !schema->outputs.shift) {
    NU_TRY(nu_scaling_identity(&schema->outputs, schema->targets, err));
  }
  return schema->classes && !schema->class_names ? name_classes(schema, err) : NUMANN_OK;
}

numann_status nu_schema_plain(nu_schema *out, size_t features, size_t classes, size_t targets,
                              numann_error *err) {
  *out = (nu_schema){.features = features, .classes = classes, .targets = targets};
  numann_status status = nu_schema_complete(out, err);
  if (status != NUMANN_OK) nu_schema_clear(out);
  return status;
}

static numann_status fail_unknown(const nu_schema *schema, const nu_table *table,
                                  const nu_label *label, numann_error *err) {
  char place[PLACE_TEXT], text[NU_EXCERPT], number[NU_REAL_TEXT];
  const char *shown = label->text ? label->text : nu_format_real(label->number, number);
  size_t n = schema->classes < NAMES_SHOWN ? schema->classes : NAMES_SHOWN;
  nu_text known = {0};
  for (size_t c = 0; c < n; c++) {
    char name[NU_EXCERPT];
    nu_text_add(&known, c ? ", " : "");
    nu_text_add(&known, nu_excerpt(schema->class_names[c], strlen(schema->class_names[c]), name));
  }
  if (n < schema->classes) nu_text_add(&known, ", ...");
  numann_status status = nu_fail(
      err, NUMANN_ERR_DATA, "%s: the label '%s' is no class of the training data; known are %s",
      nu_table_place(table, label->place, place, sizeof place),
      nu_excerpt(shown, strlen(shown), text), nu_text_view(&known));
  nu_text_clear(&known);
  return status;
}

numann_status nu_schema_match(const nu_schema *schema, const nu_table *table, int32_t **class_of,
                              numann_error *err) {
  const nu_labels *labels = &table->labels;
  *class_of = NULL;
  if (table->targets == 0) return NUMANN_OK;
  if (schema->classes == 0) {
    const nu_label *text = nu_labels_first_text(labels);
    return text ? fail_text(table, text, err) : NUMANN_OK;
  }
  size_t unknown;
  int32_t *classes = calloc(labels->n + 1, sizeof *classes);
  if (!classes) return nu_fail_memory(err, labels->n * sizeof *classes, "classes");
  numann_status status =
      nu_labels_match(labels, schema->class_names, schema->classes, classes, &unknown, err);
  if (status == NUMANN_OK && unknown < labels->n) {
    status = fail_unknown(schema, table, &labels->list[unknown], err);
  } else if (status == NUMANN_OK && labels->overflow) {
    status = check_classes(table, err);
  }
  if (status == NUMANN_OK) *class_of = classes;
  else free(classes);
  return status;
}
