/* Loading: the config's files, split, scaled, ready. SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/notes.h"
#include "data/scaling.h"
#include "data/schema.h"
#include "data/split.h"
#include "machine/float_env.h"

static const char *const part_keys[NU_PARTS] = {"data.train", "data.validation", "data.test"};

/* The files of one part as the config names them; resolved, owned. All NULL: none. */
typedef struct files {
  char *path, *images, *labels;
} files;

static void clear_files(files *f) {
  free(f->path);
  free(f->images);
  free(f->labels);
  *f = (files){0};
}

/* data.<part>.<name>, such as data.test.path */
#define KEY_TEXT 64
static const char *part_key(size_t part, const char *name, char key[KEY_TEXT]) {
  snprintf(key, KEY_TEXT, "%s.%s", part_keys[part], name);
  return key;
}

static numann_status get_path(char **out, size_t part, const char *name,
                              const numann_config *config, numann_error *err) {
  char key[KEY_TEXT];
  part_key(part, name, key);
  *out = NULL;
  if (!nu_config_given(config, key)) return NUMANN_OK;
  *out = nu_config_path(config, key);
  return *out ? NUMANN_OK : nu_fail_memory(err, KEY_TEXT, key);
}

static numann_status get_files(files *out, size_t part, const numann_config *config,
                               numann_error *err) {
  char key[KEY_TEXT];
  const char *place = part_keys[part];
  NU_TRY(get_path(&out->path, part, "path", config, err));
  NU_TRY(get_path(&out->images, part, "images", config, err));
  NU_TRY(get_path(&out->labels, part, "labels", config, err));
  bool fraction = part != NU_TRAIN && nu_config_given(config, part_key(part, "fraction", key));
  if (fraction + !!out->path + !!out->images > 1) {
    return nu_config_fail(config, place, err,
                          "one source is expected: %spath, or images with labels",
                          part == NU_TRAIN ? "" : "fraction, or ");
  }
  if (!out->images != !out->labels) {
    return nu_config_fail(config, place, err, "%s is missing; images and labels belong together",
                          out->images ? "labels" : "images");
  }
  if (part != NU_TRAIN || out->path || out->images) return NUMANN_OK;
  return nu_config_fail(config, place, err,
                        "no data; give path and target of a table, or images and labels");
}

/* What loading works with: the files of each part, the result and the training table. */
typedef struct loading {
  const numann_config *config;
  files files[NU_PARTS];
  nu_table table;     /* of the training file */
  int32_t *class_of;  /* of the table's labels; NULL for regression */
  nu_scaling anchors; /* [slots of the table] of its columns; NULL arrays: it needs none */
  numann_data *data;
  nu_crew crew;
} loading;

static nu_request make_request(loading *l, size_t part) {
  const files *f = &l->files[part];
  nu_source source = {f->path ? f->path : f->images, f->labels, true};
  const nu_schema *schema = part == NU_TRAIN ? NULL : &l->data->schema;
  return (nu_request){.source = source, .config = l->config, .schema = schema, .crew = &l->crew};
}

/* *needed: does a column that will be scaled need an anchor? Classes need none. */
static numann_status make_anchors(loading *l, bool *needed, numann_error *err) {
  const nu_table *table = &l->table;
  size_t slots = table->features + (l->class_of ? 0 : table->targets);
  *needed = false;
  if (!table->extents) return NUMANN_OK;
  NU_TRY(nu_scaling_identity(&l->anchors, table->features + table->targets, err));
  for (size_t i = 0; i < slots; i++) {
    if (!table->large[i >= table->features]) continue;
    *needed |= nu_extent_anchor(&table->extents[i], &l->anchors.shift[i], &l->anchors.scale[i]);
  }
  return NUMANN_OK;
}

/* What came through a pipe cannot be read again. */
static numann_status check_again(const char *path, numann_error *err) {
  if (nu_is_plain_file(path)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: a column is narrow against the size of its values, or too large for floats, "
                 "and must be read twice to be scaled; give a plain file",
                 path);
}

static numann_status read_again(loading *l, nu_request *request, numann_error *err) {
  NU_TRY(check_again(request->source.path, err));
  if (request->source.labels_path) NU_TRY(check_again(request->source.labels_path, err));
  request->by = &l->anchors;
  nu_table_clear(&l->table);
  return nu_table_read(&l->table, request, err);
}

static numann_status read_training(loading *l, numann_error *err) {
  bool again = false;
  nu_request request = make_request(l, NU_TRAIN);
  NU_TRY(nu_table_read(&l->table, &request, err));
  NU_TRY(nu_schema_make(&l->data->schema, &l->table, l->config, err));
  NU_TRY(nu_schema_match(&l->data->schema, &l->table, &l->class_of, err));
  l->data->notes = l->table.notes;
  l->table.notes = (nu_text){0};
  nu_note_first_class(&l->data->notes, &l->table, &l->data->schema, l->class_of);
  NU_TRY(make_anchors(l, &again, err));
  if (again) return read_again(l, &request, err);
  nu_scaling_clear(&l->anchors);
  return NUMANN_OK;
}

static numann_status make_split_request(nu_split_request *out, const loading *l,
                                        numann_error *err) {
  char key[KEY_TEXT];
  size_t rows = l->table.rows;
  *out = (nu_split_request){.rows = rows, .seed = nu_config_count(l->config, "train.seed")};
  NU_TRY(nu_split_count(&out->validation, l->config, part_key(NU_VALIDATION, "fraction", key), rows,
                        err));
  NU_TRY(nu_split_count(&out->test, l->config, part_key(NU_TEST, "fraction", key), rows, err));
  if (out->validation + out->test < rows) return NUMANN_OK;
  return nu_config_fail(l->config, "data", err,
                        "of %zu rows validation takes %zu and test %zu: no row is left to train "
                        "on; use smaller fractions",
                        rows, out->validation, out->test);
}

/* Class of each row, where the split shall be stratified. *classes is owned by the caller. */
static numann_status make_classes(int32_t **classes, const loading *l, numann_error *err) {
  *classes = NULL;
  if (!nu_config_flag(l->config, "data.stratify")) return NUMANN_OK;
  if (!l->class_of) {
    return nu_config_fail(l->config, "data.stratify", err,
                          "the targets are numbers; only classes can be stratified");
  }
  *classes = calloc(l->table.rows, sizeof **classes);
  if (!*classes) return nu_fail_memory(err, l->table.rows * sizeof **classes, "splitting the rows");
  for (size_t r = 0; r < l->table.rows; r++) (*classes)[r] = l->class_of[l->table.label_ids[r]];
  return NUMANN_OK;
}

static numann_status distribute(loading *l, const uint8_t *part, numann_error *err) {
  nu_rows *parts[NU_PARTS] = {&l->data->train, &l->data->validation, &l->data->test};
  return nu_table_distribute(&l->table, part, parts, NU_PARTS, l->class_of, &l->crew, err);
}

static numann_status split_training(loading *l, numann_error *err) {
  nu_split_request request;
  int32_t *classes = NULL;
  NU_TRY(make_split_request(&request, l, err));
  NU_TRY(make_classes(&classes, l, err));
  request.classes = classes;
  request.n_classes = l->data->schema.classes;
  uint8_t *part = calloc(l->table.rows, sizeof *part);
  numann_status status = part ? nu_split(part, &request, err)
                              : nu_fail_memory(err, l->table.rows, "splitting the rows");
  if (status == NUMANN_OK) status = distribute(l, part, err);
  free(part);
  free(classes);
  return status;
}

static nu_numbers inputs_of(const nu_rows *rows, const nu_schema *schema) {
  return (nu_numbers){rows->inputs, rows->bytes, rows->rows, schema->features};
}

static nu_numbers targets_of(const nu_rows *rows, const nu_schema *schema) {
  return (nu_numbers){rows->targets, NULL, rows->rows, schema->targets};
}

/* Bytes stay what they are, and carry their scaling. */
static numann_status scale_bytes(const nu_schema *schema, nu_rows *rows, const char *name,
                                 nu_crew *crew, numann_error *err) {
  const nu_numbers inputs = inputs_of(rows, schema);
  if (!rows->bytes) return NUMANN_OK;
  NU_TRY(nu_scaling_apply(&schema->inputs, &inputs, name, crew, err));
  return nu_scaling_copy(&rows->scaling, &schema->inputs, schema->features, err);
}

/* What the schema does to a row's slots, features and targets, as one; NULL arrays: nothing. */
static numann_status join_scaling(nu_scaling *out, const nu_schema *schema, numann_error *err) {
  size_t n = schema->features, targets = schema->targets;
  *out = (nu_scaling){0};
  if (nu_scaling_is_identity(&schema->inputs, n) &&
      nu_scaling_is_identity(&schema->outputs, targets)) {
    return NUMANN_OK;
  }
  NU_TRY(nu_scaling_identity(out, n + targets + 1, err)); /* + 1: of classes */
  memcpy(out->shift, schema->inputs.shift, n * sizeof *out->shift);
  memcpy(out->scale, schema->inputs.scale, n * sizeof *out->scale);
  if (targets == 0) return NUMANN_OK;
  memcpy(out->shift + n, schema->outputs.shift, targets * sizeof *out->shift);
  memcpy(out->scale + n, schema->outputs.scale, targets * sizeof *out->scale);
  return NUMANN_OK;
}

static numann_status take_rows(nu_rows *out, nu_table *table, const nu_request *request,
                               numann_error *err) {
  const nu_schema *schema = request->schema;
  int32_t *class_of = NULL;
  NU_TRY(nu_schema_match(schema, table, &class_of, err));
  numann_status status = nu_table_distribute(table, NULL, &out, 1, class_of, request->crew, err);
  free(class_of);
  return status == NUMANN_OK ? scale_bytes(schema, out, request->source.path, request->crew, err)
                             : status;
}

/* Read a file like the training file into rows, scaled as its values come. */
static numann_status read_rows(nu_rows *out, nu_request *request, size_t *dropped,
                               numann_error *err) {
  nu_table table;
  nu_scaling by;
  NU_TRY(join_scaling(&by, request->schema, err));
  request->by = by.shift ? &by : NULL;
  numann_status status = nu_table_read(&table, request, err);
  if (status == NUMANN_OK) {
    status = take_rows(out, &table, request, err);
    *dropped += table.dropped;
    nu_table_clear(&table);
  }
  nu_scaling_clear(&by);
  return status;
}

static numann_status read_part(loading *l, size_t part, nu_rows *rows, numann_error *err) {
  const files *f = &l->files[part];
  if (!f->path && !f->images) return NUMANN_OK;
  nu_request request = make_request(l, part);
  return read_rows(rows, &request, &l->data->rows_dropped, err);
}

/* Scale rows of the training file, whose floats are as its anchors have left them. */
static numann_status apply(const nu_schema *schema, nu_rows *rows, const char *name, nu_crew *crew,
                           numann_error *err) {
  if (rows->rows == 0) return NUMANN_OK;
  const nu_numbers inputs = inputs_of(rows, schema), targets = targets_of(rows, schema);
  if (rows->bytes) NU_TRY(scale_bytes(schema, rows, name, crew, err));
  else NU_TRY(nu_scaling_apply(&schema->inputs, &inputs, name, crew, err));
  return rows->targets ? nu_scaling_apply(&schema->outputs, &targets, name, crew, err) : NUMANN_OK;
}

typedef void anchors_fn(nu_scaling *scaling, const double *shift, const double *scale, size_t n);

static void with_anchors(loading *l, anchors_fn *fn) {
  nu_schema *schema = &l->data->schema;
  const double *shift = l->anchors.shift, *scale = l->anchors.scale;
  if (!shift) return;
  fn(&schema->inputs, shift, scale, schema->features);
  fn(&schema->outputs, shift + schema->features, scale + schema->features, schema->targets);
}

static numann_status fit(loading *l, numann_error *err) {
  numann_data *data = l->data;
  nu_schema *schema = &data->schema;
  const nu_numbers inputs = inputs_of(&data->train, schema);
  const nu_numbers targets = targets_of(&data->train, schema);
  NU_TRY(nu_scaling_fit(&schema->inputs, &inputs, &l->crew, "data.scale", err));
  if (schema->targets) {
    return nu_scaling_fit(&schema->outputs, &targets, &l->crew, "data.scale_targets", err);
  }
  const char *method = nu_config_string(l->config, "data.scale_targets");
  if (strcmp(method, "none") == 0) return NUMANN_OK;
  return nu_config_fail(l->config, "data.scale_targets", err,
                        "the targets are classes, which are not scaled; leave it away");
}

static numann_status load_parts(loading *l, numann_error *err) {
  numann_data *data = l->data;
  nu_rows *parts[NU_PARTS] = {&data->train, &data->validation, &data->test};
  for (size_t p = 0; p < NU_PARTS; p++) NU_TRY(get_files(&l->files[p], p, l->config, err));
  NU_TRY(read_training(l, err));
  NU_TRY(split_training(l, err));
  nu_note_lost_classes(&data->notes, data);
  data->rows_dropped = l->table.dropped;
  NU_TRY(fit(l, err));
  with_anchors(l, nu_anchors_round);
  for (size_t p = 0; p < NU_PARTS; p++) {
    NU_TRY(apply(&data->schema, parts[p], part_keys[p], &l->crew, err));
  }
  with_anchors(l, nu_anchors_compose);
  for (size_t p = NU_VALIDATION; p < NU_PARTS; p++) NU_TRY(read_part(l, p, parts[p], err));
  return NUMANN_OK;
}

numann_status numann_data_load(numann_data **out, const numann_config *config, numann_error *err) {
  assert(out && config);
  *out = NULL;
  loading l = {.config = config, .data = calloc(1, sizeof *l.data), .crew = {.config = config}};
  if (!l.data) return nu_fail_memory(err, sizeof *l.data, "data");
  nu_float_env env = nu_float_env_enter();
  numann_status status = load_parts(&l, err);
  nu_float_env_leave(&env);
  for (size_t p = 0; p < NU_PARTS; p++) clear_files(&l.files[p]);
  nu_table_clear(&l.table);
  nu_scaling_clear(&l.anchors);
  free(l.class_of);
  if (status == NUMANN_OK && l.data->notes.failed) status = nu_fail_memory(err, 1, "notes");
  if (status == NUMANN_OK) *out = l.data;
  else numann_data_destroy(l.data);
  return status;
}

numann_status nu_data_read(nu_rows *out, const nu_source *source, const nu_schema *schema,
                           const numann_config *config, numann_error *err) {
  nu_crew crew = {.config = config};
  nu_request request = {.source = *source, .config = config, .schema = schema, .crew = &crew};
  *out = (nu_rows){0};
  nu_float_env env = nu_float_env_enter();
  size_t dropped = 0;
  numann_status status = read_rows(out, &request, &dropped, err);
  nu_float_env_leave(&env);
  if (status != NUMANN_OK) nu_rows_clear(out);
  return status;
}
