/* Configs: loading, setting, reading values and speaking of them. SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "config/store.h"
#include "machine/float_env.h"

#define MAX_FILE (1024 * 1024)
#define LAYERS "network.layers"

/* ---- load, parse, set */

/* Of a kind other than dense, whose stage knows what it needs. */
static bool has_kind(const nu_store *fresh, const nu_store *base, const char *layer) {
  char path[128];
  snprintf(path, sizeof path, "%s.kind", layer);
  const nu_entry *entry = nu_store_find(fresh, path);
  if (!entry && base) entry = nu_store_find(base, path);
  return entry && entry->n && strcmp(entry->values[0], "dense") != 0;
}

/* Every dense layer needs its two keys. `base` (or NULL) holds what `fresh` adds to. place: of the
 * file, or of --set. */
static numann_status check_layers(const nu_store *fresh, const nu_store *base, const char *place,
                                  numann_error *err) {
  static const char *const needed[] = {"neurons", "activation"};
  size_t n = nu_store_items(fresh, LAYERS);
  for (size_t i = 0; i < 2 * n; i++) {
    char layer[64], path[128];
    snprintf(layer, sizeof layer, LAYERS ".%zu", i / 2);
    snprintf(path, sizeof path, "%s.%s", layer, needed[i % 2]);
    if (nu_store_find(fresh, path) || (base && nu_store_find(base, path))) continue;
    if (has_kind(fresh, base, layer)) continue;
    const nu_entry *first = nu_store_first(fresh, layer);
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "%s: %s is missing; give each layer both, as in {neurons: 64, activation: relu}",
                   first ? first->place : place, path);
  }
  return NUMANN_OK;
}

/* folder is made absolute, so that paths hold wherever the program goes. */
static bool set_names(nu_store *store, const char *name, const char *folder) {
  char *absolute = realpath(*folder ? folder : ".", NULL);
  bool refused = !absolute && errno == ENOMEM;
  store->name = nu_copy_text(name, strlen(name));
  if (absolute || refused) store->folder = absolute;
  else store->folder = nu_copy_text(folder, strlen(folder));
  return store->name && store->folder;
}

static numann_status parse(numann_config **out, const nu_source_text *source, const char *folder,
                           numann_error *err) {
  const char *name = source->place;
  *out = NULL;
  nu_store *store = nu_alloc(1, sizeof *store);
  if (!store || !set_names(store, name, folder)) {
    numann_config_destroy(store);
    return nu_fail_memory(err, sizeof *store, "the config");
  }
  numann_status status = nu_parse_yaml(store, source, err);
  if (status == NUMANN_OK) status = check_layers(store, NULL, name, err);
  if (status == NUMANN_OK) *out = store;
  else numann_config_destroy(store);
  return status;
}

numann_status numann_config_parse(numann_config **out, const char *text, const char *name,
                                  numann_error *err) {
  nu_source_text source = {.text = text, .length = strlen(text), .prefix = "", .place = name};
  return parse(out, &source, "", err);
}

numann_status numann_config_load(numann_config **out, const char *path, numann_error *err) {
  char *text;
  size_t length;
  *out = NULL;
  NU_TRY(nu_file_read(path, MAX_FILE, NUMANN_ERR_CONFIG, &text, &length, err));
  char *folder = nu_path_folder(path);
  nu_source_text source = {
      .text = text, .length = length, .prefix = "", .place = path, .expands = true};
  numann_status status =
      folder ? parse(out, &source, folder, err) : nu_fail_memory(err, strlen(path), "a path");
  free(folder);
  free(text);
  return status;
}

/* A layer can be changed, or added after the last. */
static numann_status check_layer_index(const nu_store *store, const char *key, const char *place,
                                       numann_error *err) {
  static const char list[] = LAYERS ".";
  size_t n = nu_store_items(store, LAYERS);
  size_t last = n < NU_MAX_LAYERS ? n : NU_MAX_LAYERS - 1;
  uint64_t index;
  if (strncmp(key, list, sizeof list - 1) != 0) return NUMANN_OK;
  const char *digits = key + sizeof list - 1;
  if (nu_parse_count(digits, strcspn(digits, "."), &index) && index <= last) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "%s: there are %zu layers, counted from 0; use an index up to %zu", place, n,
                 last);
}

/* Check what was read against the config as it would become; nothing is changed yet. */
static numann_status check_fresh(const nu_store *store, const nu_store *fresh, bool whole_list,
                                 const char *place, numann_error *err) {
  if (fresh->n_entries == 0) {
    return nu_fail(err, NUMANN_ERR_CONFIG, "%s: found no value, expected key=value", place);
  }
  return check_layers(fresh, whole_list ? NULL : store, place, err);
}

/* Into a store of its own first, so that a refused value leaves the config as it was. */
static numann_status set(nu_store *store, const char *key, const char *value, const char *place,
                         numann_error *err) {
  if (!nu_key_find(key) && !nu_key_is_mapping(key)) return nu_fail_unknown_key(place, key, err);
  NU_TRY(check_layer_index(store, key, place, err));
  nu_store fresh = {0};
  nu_source_text source = {value, strlen(value), key, place, true, true};
  bool whole_list = strlen(key) <= strlen(LAYERS);
  numann_status status = nu_parse_yaml(&fresh, &source, err);
  if (status == NUMANN_OK) status = check_fresh(store, &fresh, whole_list, place, err);
  if (status == NUMANN_OK) {
    if (whole_list && nu_store_items(&fresh, LAYERS)) nu_store_remove(store, LAYERS);
    if (!nu_store_merge(store, &fresh)) status = nu_fail_memory(err, sizeof fresh, "the config");
  }
  nu_store_clear(&fresh);
  return status;
}

numann_status numann_config_set(numann_config *config, const char *assignment, numann_error *err) {
  char shown[NU_EXCERPT], place[NU_EXCERPT + 8];
  const char *equals = strchr(assignment, '=');
  snprintf(place, sizeof place, "--set %s", nu_excerpt(assignment, strlen(assignment), shown));
  if (!equals || equals == assignment) {
    return nu_fail(err, NUMANN_ERR_CONFIG, "%s: expected key=value, as in train.epochs=5", place);
  }
  char *key = nu_copy_text(assignment, (size_t)(equals - assignment));
  if (!key) return nu_fail_memory(err, strlen(assignment), "a key");
  numann_status status = set(config, key, equals + 1, place, err);
  free(key);
  return status;
}

void numann_config_destroy(numann_config *config) {
  if (!config) return;
  nu_store_clear(config);
  free(config);
}

/* ---- getters */

bool nu_config_given(const numann_config *config, const char *key) {
  return nu_store_first(config, key);
}

const char *nu_config_string(const numann_config *config, const char *key) {
  const nu_key *row = nu_key_find(key);
  assert(row);
  const nu_entry *entry = nu_store_find(config, key);
  return entry && entry->n ? entry->values[0] : row->fallback;
}

double nu_config_real(const numann_config *config, const char *key) {
  const char *text = nu_config_string(config, key);
  double value = 0.0;
  nu_float_env env = nu_float_env_enter(); /* the number may reach a weight */
  if (text) nu_parse_real(text, strlen(text), &value);
  nu_float_env_leave(&env);
  return value;
}

size_t nu_config_count(const numann_config *config, const char *key) {
  const char *text = nu_config_string(config, key);
  uint64_t value;
  return text && nu_parse_count(text, strlen(text), &value) ? (size_t)value : 0;
}

bool nu_config_flag(const numann_config *config, const char *key) {
  const char *text = nu_config_string(config, key);
  return text && strcmp(text, "true") == 0;
}

double nu_config_seconds(const numann_config *config, const char *key) {
  double seconds;
  nu_parse_duration(nu_config_string(config, key), false, &seconds);
  return seconds;
}

void nu_config_every(const numann_config *config, double *seconds, uint64_t *epochs,
                     uint64_t *steps) {
  nu_parse_every(nu_config_string(config, "checkpoint.every"), seconds, epochs, steps);
}

size_t nu_config_items(const numann_config *config, const char *key) {
  const nu_entry *entry = nu_store_find(config, key);
  return entry ? entry->n : nu_store_items(config, key);
}

const char *nu_config_item(const numann_config *config, const char *key, size_t i) {
  const nu_entry *entry = nu_store_find(config, key);
  assert(entry && i < entry->n);
  return entry->values[i];
}

bool nu_config_item_quoted(const numann_config *config, const char *key, size_t i) {
  const nu_entry *entry = nu_store_find(config, key);
  assert(entry && i < entry->n);
  return entry->quoted[i];
}

char *nu_config_path(const numann_config *config, const char *key) {
  const char *path = nu_config_string(config, key);
  return path ? nu_path_join(config->folder, path) : NULL;
}

const char *nu_config_name(const numann_config *config) { return config->name; }

/* ---- messages */

numann_status nu_config_fail(const numann_config *config, const char *key, numann_error *err,
                             const char *format, ...) {
  char what[768];
  va_list args;
  va_start(args, format);
  nu_show_vformat(what, sizeof what, format, args);
  va_end(args);
  const nu_entry *entry = nu_store_first(config, key);
  return nu_fail(err, NUMANN_ERR_CONFIG, "%s: %s: %s", entry ? entry->place : config->name, key,
                 what);
}

/* Fail with all names, and the one that was perhaps meant. */
static numann_status fail_choice(const numann_config *config, const char *key, const char *value,
                                 const char *const *names, size_t n, numann_error *err) {
  nu_text list = {0};
  char shown[NU_EXCERPT];
  size_t nearest = 0;
  for (size_t i = 0; i < n; i++) {
    nu_text_addf(&list, "%s%s", i ? ", " : "", names[i]);
    if (nu_edit_distance(value, names[i]) < nu_edit_distance(value, names[nearest])) nearest = i;
  }
  numann_status status =
      *value ? nu_config_fail(
                   config, key, err, "found \"%s\", expected one of %s; did you mean %s?",
                   nu_excerpt(value, strlen(value), shown), nu_text_view(&list), names[nearest])
             : nu_config_fail(config, key, err, "missing; expected one of %s", nu_text_view(&list));
  nu_text_clear(&list);
  return status;
}

numann_status nu_config_choice(const numann_config *config, const char *key,
                               const char *const *names, size_t n, size_t *index,
                               numann_error *err) {
  const char *value = nu_config_string(config, key);
  for (size_t i = 0; value && i < n; i++) {
    if (strcmp(value, names[i]) == 0) {
      *index = i;
      return NUMANN_OK;
    }
  }
  return fail_choice(config, key, value ? value : "", names, n, err);
}
