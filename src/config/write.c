/* The effective config as YAML, the comparison for a resume, and the reference of all keys.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "config/config.h"
#include "config/store.h"

static const char layers_prefix[] = "network.layers.";

static bool is_layer_key(const nu_key *key) {
  return strncmp(key->path, layers_prefix, sizeof layers_prefix - 1) == 0;
}

/* Plain where YAML and our own reader take it as it stands; else in double quotes. */
static void write_scalar(const char *value, nu_text *out) {
  static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+ ";
  size_t n = strlen(value);
  bool plain = n && strspn(value, safe) == n && value[0] != '-' && value[0] != ' ' && value[n - 1] != ' ';
  double number;
  if (plain || nu_parse_real(value, n, &number)) {
    nu_text_add(out, value);
    return;
  }
  nu_text_add(out, "\"");
  for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
    if (*c == '"' || *c == '\\') nu_text_addf(out, "\\%c", *c);
    else if (*c < 0x20 || *c == 0x7f) nu_text_addf(out, "\\x%02x", *c);
    else nu_text_append(out, (const char *)c, 1);
  }
  nu_text_add(out, "\"");
}

static void write_value(const numann_config *config, const nu_key *key, const char *path,
                        nu_config_form form, nu_text *out) {
  const nu_entry *entry = nu_store_find(config, path);
  if (key->kind == NU_KEY_LIST) {
    nu_text_add(out, "[");
    for (size_t i = 0; entry && i < entry->n; i++) {
      if (i) nu_text_add(out, ", ");
      write_scalar(entry->values[i], out);
    }
    nu_text_add(out, "]");
    return;
  }
  const char *value = entry ? entry->values[0] : key->fallback;
  char *absolute = key->kind == NU_KEY_PATH && form == NU_CONFIG_RUN
                       ? nu_path_join(config->folder, value) : NULL;
  write_scalar(absolute ? absolute : value, out);
  free(absolute);
}

/* "    - {neurons: 64, activation: relu}" for each layer. */
static void write_layers(const numann_config *config, nu_config_form form, nu_text *out) {
  size_t n_keys, n = nu_store_items(config, "network.layers");
  const nu_key *keys = nu_keys(&n_keys);
  nu_text_add(out, "  layers:\n");
  for (size_t l = 0; l < n; l++) {
    const char *lead = "    - {";
    for (size_t i = 0; i < n_keys; i++) {
      char path[64];
      if (!is_layer_key(&keys[i])) continue;
      const char *name = strrchr(keys[i].path, '.') + 1;
      snprintf(path, sizeof path, "%s%zu.%s", layers_prefix, l, name);
      if (!nu_store_find(config, path)) continue;
      nu_text_addf(out, "%s%s: ", lead, name);
      write_value(config, &keys[i], path, form, out);
      lead = ", ";
    }
    nu_text_add(out, "}\n");
  }
}

/* Open the mappings in which `path` lies and `previous` did not. */
static void open_mappings(const char *path, const char *previous, nu_text *out) {
  size_t same = 0, depth = 0;
  for (size_t i = 0; path[i] && path[i] == previous[i]; i++) {
    if (path[i] == '.') same = i + 1;
  }
  for (size_t i = 0; i < same; i++) depth += path[i] == '.';
  for (const char *at = path + same, *dot; (dot = strchr(at, '.')) != NULL; at = dot + 1, depth++) {
    nu_text_addf(out, "%*s%.*s:\n", (int)(2 * depth), "", (int)(dot - at), at);
  }
}

static bool left_out(const numann_config *config, const nu_key *key, nu_config_form form) {
  bool machine = strncmp(key->path, "parallel.", 9) == 0 || strncmp(key->path, "checkpoint.", 11) == 0;
  if (machine && form == NU_CONFIG_MODEL) return true;
  return !is_layer_key(key) && !key->fallback && !nu_store_find(config, key->path);
}

void nu_config_write(const numann_config *config, nu_config_form form, nu_text *out) {
  size_t n;
  const nu_key *keys = nu_keys(&n);
  const char *previous = "";
  bool layers_written = false;
  for (size_t i = 0; i < n; i++) {
    const nu_key *key = &keys[i];
    bool layer = is_layer_key(key);
    if (left_out(config, key, form) || (layer && (layers_written || !nu_config_given(config, "network.layers")))) continue;
    open_mappings(layer ? "network.layers" : key->path, previous, out);
    previous = layer ? "network.layers" : key->path;
    if (layer) {
      write_layers(config, form, out);
      layers_written = true;
      continue;
    }
    size_t depth = 0;
    for (const char *c = key->path; *c; c++) depth += *c == '.';
    nu_text_addf(out, "%*s%s: ", (int)(2 * depth), "", strrchr(key->path, '.') + 1);
    write_value(config, key, key->path, form, out);
    nu_text_add(out, "\n");
  }
}

/* ---- resume */

/* Numbers that are written differently but equal are the same value. */
static bool same_value(const char *a, const char *b) {
  double x, y;
  if (strcmp(a, b) == 0) return true;
  return nu_parse_real(a, strlen(a), &x) && nu_parse_real(b, strlen(b), &y) && x == y;
}

static void compare(const numann_config *now, const numann_config *saved, const nu_key *key,
                    const char *path, nu_text *differences) {
  nu_text a = {0}, b = {0};
  if (nu_store_find(now, path) || key->fallback) write_value(now, key, path, NU_CONFIG_MODEL, &a);
  if (nu_store_find(saved, path) || key->fallback) write_value(saved, key, path, NU_CONFIG_MODEL, &b);
  if (!same_value(nu_text_view(&a), nu_text_view(&b))) {
    nu_text_addf(differences, "%s%s is %s, was %s", differences->length ? ", " : "", path,
                 a.length ? a.data : "not given", b.length ? b.data : "not given");
  }
  nu_text_clear(&a);
  nu_text_clear(&b);
}

static void compare_layers(const numann_config *now, const numann_config *saved, const nu_key *key,
                           nu_text *differences) {
  char path[64];
  size_t a = nu_store_items(now, "network.layers"), b = nu_store_items(saved, "network.layers");
  for (size_t l = 0; l < (a > b ? a : b); l++) {
    snprintf(path, sizeof path, "%s%zu.%s", layers_prefix, l, strrchr(key->path, '.') + 1);
    compare(now, saved, key, path, differences);
  }
}

numann_status nu_config_match(const numann_config *now, const numann_config *saved,
                              numann_error *err) {
  size_t n;
  const nu_key *keys = nu_keys(&n);
  nu_text differences = {0};
  for (size_t i = 0; i < n; i++) {
    if (keys[i].may_change) continue;
    if (is_layer_key(&keys[i])) compare_layers(now, saved, &keys[i], &differences);
    else compare(now, saved, &keys[i], keys[i].path, &differences);
  }
  numann_status status =
      differences.length
          ? nu_fail(err, NUMANN_ERR_CONFIG,
                    "%s: this run was started with another config: %s; restore these keys, or start "
                    "anew with --overwrite",
                    now->name, nu_text_view(&differences))
          : NUMANN_OK;
  nu_text_clear(&differences);
  return status;
}

/* ---- reference */

/* "one of a, b" / "default 32" and so on, as one phrase. */
static void write_default(const nu_key *key, nu_text *out) {
  if (key->words) {
    nu_text_add(out, "one of ");
    for (const char *w = key->words; *w; w++) {
      if (*w == '|') nu_text_add(out, ", ");
      else nu_text_append(out, w, 1);
    }
    bool number = key->kind == NU_KEY_REAL || key->kind == NU_KEY_COUNT;
    nu_text_add(out, number ? " or a number; " : "; ");
  }
  if (key->fallback) nu_text_addf(out, "default %s", key->fallback);
  else nu_text_add(out, "no default");
}

void nu_config_reference(bool markdown, nu_text *out) {
  static const char *const kinds[] = {[NU_KEY_TEXT] = "text",   [NU_KEY_PATH] = "file",
                                      [NU_KEY_REAL] = "number", [NU_KEY_COUNT] = "whole number",
                                      [NU_KEY_FLAG] = "flag",   [NU_KEY_LIST] = "list",
                                      [NU_KEY_EVERY] = "interval"};
  size_t n;
  const nu_key *keys = nu_keys(&n);
  if (markdown) {
    nu_text_add(out, "# Config keys\n\nMade by `numann help config markdown`. A key written `a.b` is "
                     "`b` in the mapping `a`; `--set a.b=value` sets it from the command line.\n\n"
                     "| key | kind | default | resume | meaning |\n|---|---|---|---|---|\n");
  }
  for (size_t i = 0; i < n; i++) {
    nu_text phrase = {0};
    write_default(&keys[i], &phrase);
    const char *resume = keys[i].may_change ? "may change" : "must match";
    if (markdown) {
      nu_text_addf(out, "| `%s` | %s | %s | %s | %s |\n", keys[i].path, kinds[keys[i].kind],
                   nu_text_view(&phrase), resume, keys[i].help);
    } else {
      nu_text_addf(out, "%s\n    %s\n    %s; %s; on resume it %s\n", keys[i].path, keys[i].help,
                   kinds[keys[i].kind], nu_text_view(&phrase), resume);
    }
    nu_text_clear(&phrase);
  }
}
