/* Columns: from names and positions to places in a row. SPDX-License-Identifier: MIT */
#include "data/columns.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "data/table.h"

#define TARGET_KEY "data.train.target"
#define DROP_KEY "data.drop"
#define NAMES_SHOWN 12

/* Marks while a layout is made; slots are numbered last, when all targets are known. */
#define INPUT ((size_t)-2)

const char *nu_column_text(const nu_columns *columns, size_t c, char text[NU_COLUMN_TEXT]) {
  char name[NU_EXCERPT];
  if (columns->names) {
    const char *full = columns->names[c];
    snprintf(text, NU_COLUMN_TEXT, "column '%s'", nu_excerpt(full, strlen(full), name));
  } else {
    snprintf(text, NU_COLUMN_TEXT, "column %zu (counted from 0)", c);
  }
  return text;
}

void nu_column_layout_clear(nu_column_layout *layout) {
  free(layout->slot);
  *layout = (nu_column_layout){0};
}

static numann_status begin(nu_column_layout *out, size_t columns, size_t mark, numann_error *err) {
  *out = (nu_column_layout){.columns = columns};
  out->slot = calloc(columns + 1, sizeof *out->slot);
  if (!out->slot) return nu_fail_memory(err, columns * sizeof *out->slot, "columns");
  for (size_t c = 0; c < columns; c++) out->slot[c] = mark;
  return NUMANN_OK;
}

/* A whole number, perhaps negative, is a position: *index then, or n when it lies outside. */
static bool parse_position(const char *text, size_t n, size_t *index) {
  bool from_end = text[0] == '-';
  uint64_t value;
  if (!nu_parse_count(text + from_end, strlen(text) - from_end, &value)) return false;
  *index = n;
  if (!from_end && value < n) *index = (size_t)value;
  if (from_end && value >= 1 && value <= n) *index = n - (size_t)value;
  return true;
}

/* The first column of this name from `from` on; n when there is none. */
static size_t find_name(const nu_columns *columns, const char *name, size_t from) {
  size_t c = from;
  while (c < columns->n && strcmp(columns->names[c], name) != 0) c++;
  return c;
}

/* "a, b, c ..." */
static void list_names(const nu_columns *columns, nu_text *out) {
  size_t n = columns->n < NAMES_SHOWN ? columns->n : NAMES_SHOWN;
  for (size_t c = 0; c < n; c++) {
    char name[NU_EXCERPT];
    nu_text_add(out, c ? ", " : "");
    nu_text_add(out, nu_excerpt(columns->names[c], strlen(columns->names[c]), name));
  }
  if (n < columns->n) nu_text_add(out, ", ...");
}

static numann_status fail_unknown(const nu_columns *columns, const numann_config *config,
                                  const char *key, const char *item, numann_error *err) {
  if (!columns->names) {
    return nu_config_fail(config, key, err,
                          "'%s' is a name, but %s has no header; give the position (0 to %zu, or "
                          "negative from the end), or set data.header: true",
                          item, columns->path, columns->n - 1);
  }
  nu_text names = {0};
  list_names(columns, &names);
  numann_status status = nu_config_fail(config, key, err, "%s has no column '%s'; it has %s",
                                        columns->path, item, nu_text_view(&names));
  nu_text_clear(&names);
  return status;
}

static bool is_position(const numann_config *config, const char *key, size_t i, size_t n,
                        size_t *index) {
  return !nu_config_item_quoted(config, key, i) &&
         parse_position(nu_config_item(config, key, i), n, index);
}

/* The column that item i of the list `key` speaks of. */
static numann_status resolve(const nu_columns *columns, const numann_config *config,
                             const char *key, size_t i, size_t *index, numann_error *err) {
  const char *item = nu_config_item(config, key, i);
  if (is_position(config, key, i, columns->n, index)) {
    if (*index < columns->n) return NUMANN_OK;
    return nu_config_fail(config, key, err,
                          "position %s, but %s has %zu columns; 0 to %zu or -1 to -%zu is "
                          "expected, or a name, which is quoted when it is a number: [\"%s\"]",
                          item, columns->path, columns->n, columns->n - 1, columns->n, item);
  }
  *index = columns->names ? find_name(columns, item, 0) : columns->n;
  if (*index == columns->n) return fail_unknown(columns, config, key, item, err);
  if (find_name(columns, item, *index + 1) == columns->n) return NUMANN_OK;
  return nu_config_fail(config, key, err,
                        "%s has several columns '%s'; give the position of one, counted from 0",
                        columns->path, item);
}

static numann_status mark_dropped(nu_column_layout *out, const nu_columns *columns,
                                  const numann_config *config, numann_error *err) {
  size_t n = nu_config_items(config, DROP_KEY);
  for (size_t i = 0; i < n; i++) {
    size_t c = 0;
    NU_TRY(resolve(columns, config, DROP_KEY, i, &c, err));
    out->slot[c] = NU_LEFT_OUT;
  }
  return NUMANN_OK;
}

/* Targets are marked by their index, k. */
static numann_status mark_targets(nu_column_layout *out, const nu_columns *columns,
                                  const numann_config *config, numann_error *err) {
  out->targets = nu_config_items(config, TARGET_KEY);
  for (size_t k = 0; k < out->targets; k++) {
    size_t c = 0;
    NU_TRY(resolve(columns, config, TARGET_KEY, k, &c, err));
    if (out->slot[c] != INPUT) {
      return nu_config_fail(config, TARGET_KEY, err, "'%s' is %s; a column has one use",
                            nu_config_item(config, TARGET_KEY, k),
                            out->slot[c] == NU_LEFT_OUT ? "also in data.drop" : "there twice");
    }
    out->slot[c] = k;
  }
  return NUMANN_OK;
}

/* From marks to places: the inputs in file order, then the targets in their own. */
static void number_slots(nu_column_layout *out) {
  for (size_t c = 0; c < out->columns; c++) out->features += out->slot[c] == INPUT;
  for (size_t c = 0, next = 0; c < out->columns; c++) {
    if (out->slot[c] == INPUT) out->slot[c] = next++;
    else if (out->slot[c] != NU_LEFT_OUT) out->slot[c] += out->features;
  }
}

numann_status nu_column_layout_train(nu_column_layout *out, const nu_columns *columns,
                                     const numann_config *config, numann_error *err) {
  NU_TRY(begin(out, columns->n, INPUT, err));
  NU_TRY(mark_dropped(out, columns, config, err));
  NU_TRY(mark_targets(out, columns, config, err));
  if (out->targets == 0) {
    return nu_config_fail(config, TARGET_KEY, err,
                          "data.train.target is missing; give the name or position of the column "
                          "of %s that the network shall learn",
                          columns->path);
  }
  number_slots(out);
  if (out->features > 0) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: no column is left as input; is data.separator or data.drop right?",
                 columns->path);
}

typedef struct entry {
  const char *name;
  size_t column;
} entry;

static int by_name(const void *a, const void *b) {
  return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

/* The columns that the layout uses, or all without layout, sorted by name: [*n], to be freed. */
static numann_status sort_columns(entry **sorted, size_t *n, const nu_columns *columns,
                                  const nu_column_layout *layout, numann_error *err) {
  *n = 0;
  *sorted = calloc(columns->n, sizeof **sorted);
  if (!*sorted) return nu_fail_memory(err, columns->n * sizeof **sorted, "columns");
  for (size_t c = 0; c < columns->n; c++) {
    if (layout && layout->slot[c] == NU_LEFT_OUT) continue;
    (*sorted)[(*n)++] = (entry){columns->names[c], c};
  }
  qsort(*sorted, *n, sizeof **sorted, by_name);
  return NUMANN_OK;
}

numann_status nu_columns_distinct(bool *distinct, const nu_columns *columns,
                                  const nu_column_layout *layout, numann_error *err) {
  entry *sorted;
  size_t n;
  NU_TRY(sort_columns(&sorted, &n, columns, layout, err));
  *distinct = true;
  for (size_t i = 1; i < n; i++) *distinct &= by_name(&sorted[i - 1], &sorted[i]) != 0;
  free(sorted);
  return NUMANN_OK;
}

static numann_status fail_name(const nu_columns *columns, const char *name, bool several,
                               numann_error *err) {
  nu_text list = {0};
  char shown[NU_EXCERPT];
  list_names(columns, &list);
  numann_status status = nu_fail(err, NUMANN_ERR_DATA,
                                 "%s: has %s '%s', which the network was trained with; it has %s",
                                 columns->path, several ? "several columns" : "no column",
                                 nu_excerpt(name, strlen(name), shown), nu_text_view(&list));
  nu_text_clear(&list);
  return status;
}

/* Give the columns names[0..n) the slots from `first` on. sorted: all the file's columns. */
static numann_status place_names(nu_column_layout *out, const nu_columns *columns,
                                 const entry *sorted, char *const *names, size_t n, size_t first,
                                 numann_error *err) {
  const entry *end = sorted + columns->n;
  for (size_t i = 0; i < n; i++) {
    entry wanted = {names[i], 0};
    const entry *found = bsearch(&wanted, sorted, columns->n, sizeof *sorted, by_name);
    if (!found) return fail_name(columns, names[i], false, err);
    bool several = (found > sorted && by_name(found - 1, found) == 0) ||
                   (found + 1 < end && by_name(found + 1, found) == 0);
    if (several) return fail_name(columns, names[i], true, err);
    out->slot[found->column] = first + i;
  }
  return NUMANN_OK;
}

static numann_status like_by_name(nu_column_layout *out, const nu_columns *columns,
                                  const nu_schema *schema, bool with_targets, numann_error *err) {
  entry *sorted;
  size_t n;
  NU_TRY(begin(out, columns->n, NU_LEFT_OUT, err));
  NU_TRY(sort_columns(&sorted, &n, columns, NULL, err));
  out->features = schema->features;
  out->targets = with_targets ? nu_schema_target_columns(schema) : 0;
  numann_status status =
      place_names(out, columns, sorted, schema->feature_names, out->features, 0, err);
  if (status == NUMANN_OK) {
    status =
        place_names(out, columns, sorted, schema->target_names, out->targets, out->features, err);
  }
  free(sorted);
  return status;
}

/* Inputs first, targets last: where the config names no target column. */
static numann_status like_plain(nu_column_layout *out, size_t features, size_t targets,
                                numann_error *err) {
  NU_TRY(begin(out, features + targets, NU_LEFT_OUT, err));
  for (size_t c = 0; c < out->columns; c++) out->slot[c] = c;
  out->features = features;
  out->targets = targets;
  return NUMANN_OK;
}

/* Take the targets out of the layout: either their columns are passed over, or not in the file. */
static void remove_targets(nu_column_layout *out, bool present) {
  size_t kept = 0;
  for (size_t c = 0; c < out->columns; c++) {
    bool target = out->slot[c] != NU_LEFT_OUT && out->slot[c] >= out->features;
    if (target && !present) continue;
    out->slot[kept++] = target ? NU_LEFT_OUT : out->slot[c];
  }
  out->columns = kept;
  out->targets = 0;
}

static numann_status fail_count(const nu_columns *columns, const nu_schema *schema,
                                bool with_targets, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: %zu columns do not fit the %zu inputs of the network%s; give the columns "
                 "of the training file in the same order",
                 columns->path, columns->n, schema->features,
                 with_targets ? " and its targets" : "");
}

static bool has_name(const numann_config *config, const char *key) {
  size_t ignored, n = nu_config_items(config, key), i = 0;
  while (i < n && is_position(config, key, i, 0, &ignored)) i++;
  return i < n;
}

/* The config's names are of the training file's header. */
static numann_status fail_headless(const nu_columns *columns, const nu_schema *schema,
                                   bool with_targets, numann_error *err) {
  char alone[64] = "";
  if (!with_targets) snprintf(alone, sizeof alone, ", or its %zu inputs alone", schema->features);
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s: %zu columns without a header, but the network's were chosen by name; give "
                 "the header of the training file%s",
                 columns->path, columns->n, alone);
}

static numann_status like_by_position(nu_column_layout *out, const nu_columns *columns,
                                      const nu_schema *schema, const numann_config *config,
                                      bool with_targets, numann_error *err) {
  size_t targets = nu_schema_target_columns(schema), given = nu_config_items(config, TARGET_KEY);
  size_t total = schema->features + targets + nu_config_items(config, DROP_KEY);
  bool whole = columns->n == total;
  if (!with_targets && columns->n == schema->features) return like_plain(out, columns->n, 0, err);
  if (!whole && (with_targets || columns->n != total - targets)) {
    return fail_count(columns, schema, with_targets, err);
  }
  if (given == 0 && whole) {
    NU_TRY(like_plain(out, columns->n - targets, targets, err));
  } else {
    nu_columns training = {columns->path, total, whole ? columns->names : NULL};
    if (!training.names && (has_name(config, TARGET_KEY) || has_name(config, DROP_KEY))) {
      return fail_headless(columns, schema, with_targets, err);
    }
    NU_TRY(nu_column_layout_train(out, &training, config, err));
  }
  if (out->features != schema->features || out->targets != targets) {
    return fail_count(columns, schema, with_targets, err);
  }
  if (!with_targets) remove_targets(out, whole);
  return NUMANN_OK;
}

numann_status nu_column_layout_like(nu_column_layout *out, const nu_columns *columns,
                                    const nu_schema *schema, const numann_config *config,
                                    bool with_targets, numann_error *err) {
  bool named = columns->names && schema->feature_names && (!with_targets || schema->target_names);
  if (named) return like_by_name(out, columns, schema, with_targets, err);
  return like_by_position(out, columns, schema, config, with_targets, err);
}

static bool same(const char *text, size_t n, const char *name) {
  return strlen(name) == n && memcmp(text, name, n) == 0;
}

static bool among(const char *text, size_t n, char *const *names, size_t n_names) {
  for (size_t i = 0; names && i < n_names; i++) {
    if (same(text, n, names[i])) return true;
  }
  return false;
}

static bool among_items(const char *text, size_t n, const numann_config *config, const char *key) {
  size_t items = nu_config_items(config, key), ignored;
  for (size_t i = 0; i < items; i++) {
    if (is_position(config, key, i, 0, &ignored)) continue;
    if (same(text, n, nu_config_item(config, key, i))) return true;
  }
  return false;
}

bool nu_column_known(const char *text, size_t n, const numann_config *config,
                     const nu_schema *schema) {
  if (among_items(text, n, config, TARGET_KEY) || among_items(text, n, config, DROP_KEY)) {
    return true;
  }
  return schema && (among(text, n, schema->feature_names, schema->features) ||
                    among(text, n, schema->target_names, nu_schema_target_columns(schema)));
}
