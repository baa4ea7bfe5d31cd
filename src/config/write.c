/* The effective config as YAML, the comparison for a resume, and the reference of all keys.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/least.h"
#include "base/number.h"
#include "config/config.h"
#include "config/store.h"

static const char layers_prefix[] = "network.layers.";

static bool is_layer_key(const nu_key *key) {
  return strncmp(key->path, layers_prefix, sizeof layers_prefix - 1) == 0;
}

/* ---- values */

/* As \uXXXX: characters that YAML refuses as they stand or takes for the end of a line, and others
 * that no terminal should see. Returns their bytes, 0 for all others. */
static size_t write_escaped(const char *c, nu_text *out) {
  uint32_t code;
  size_t n = nu_utf8_code(c, &code);
  if (n == 0 || nu_is_shown(code)) return 0;
  nu_text_addf(out, code <= 0xffff ? "\\u%04" PRIx32 : "\\U%08" PRIx32, code);
  return n;
}

static void write_quoted(const char *value, nu_text *out) {
  nu_text_add(out, "\"");
  for (const char *c = value; *c;) {
    size_t escaped = write_escaped(c, out);
    if (!escaped && (*c == '"' || *c == '\\')) nu_text_add(out, "\\");
    if (!escaped) nu_text_append(out, c, 1);
    c += escaped ? escaped : 1;
  }
  nu_text_add(out, "\"");
}

/* Plain where YAML and our own reader take it as it stands; else in double quotes, which a number
 * keeps that the user wrote so: it is a name. */
static void write_scalar(const char *value, bool quoted, nu_text *out) {
  static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+ ";
  size_t n = strlen(value);
  bool plain =
      n && strspn(value, safe) == n && value[0] != '-' && value[0] != ' ' && value[n - 1] != ' ';
  double ignored;
  bool number = nu_parse_real(value, n, &ignored);
  if (number ? !quoted : plain) nu_text_add(out, value);
  else write_quoted(value, out);
}

static void write_list(const nu_entry *entry, nu_text *out) {
  nu_text_add(out, "[");
  for (size_t i = 0; entry && i < entry->n; i++) {
    if (i) nu_text_add(out, ", ");
    write_scalar(entry->values[i], entry->quoted[i], out);
  }
  nu_text_add(out, "]");
}

static void write_value(const numann_config *config, const nu_key *key, const char *path,
                        nu_config_form form, nu_text *out) {
  const nu_entry *entry = nu_store_find(config, path);
  const char *value = entry && entry->n ? entry->values[0] : key->fallback;
  if (key->kind == NU_KEY_LIST) {
    write_list(entry, out);
  } else if (key->kind == NU_KEY_PATH && form == NU_CONFIG_RUN) {
    char *absolute = nu_path_join(config->folder, value);
    if (absolute) write_scalar(absolute, false, out);
    else out->failed = true;
    free(absolute);
  } else {
    write_scalar(value, false, out);
  }
}

/* ---- the whole config */

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
  const char *at = path + same;
  for (const char *dot = strchr(at, '.'); dot; dot = strchr(at, '.')) {
    nu_text_addf(out, "%*s%.*s:\n", (int)(2 * depth++), "", (int)(dot - at), at);
    at = dot + 1;
  }
}

/* How a training runs, not what is trained. */
static bool is_of_machine(const char *path) {
  static const char *const beginnings[] = {"parallel.", "checkpoint.", "train.max_time"};
  size_t i = 0, n = sizeof beginnings / sizeof *beginnings;
  while (i < n && strncmp(path, beginnings[i], strlen(beginnings[i])) != 0) i++;
  return i < n;
}

static bool left_out(const numann_config *config, const nu_key *key, nu_config_form form) {
  if (is_of_machine(key->path) && form == NU_CONFIG_MODEL) return true;
  if (!nu_config_counts(config, key->path)) return true;
  return !key->fallback && !nu_store_find(config, key->path);
}

static void write_pair(const numann_config *config, const nu_key *key, nu_config_form form,
                       nu_text *out) {
  size_t depth = 0;
  for (const char *c = key->path; *c; c++) depth += *c == '.';
  nu_text_addf(out, "%*s%s: ", (int)(2 * depth), "", strrchr(key->path, '.') + 1);
  write_value(config, key, key->path, form, out);
  nu_text_add(out, "\n");
}

void nu_config_write(const numann_config *config, nu_config_form form, nu_text *out) {
  size_t n;
  const nu_key *keys = nu_keys(&n);
  const char *previous = "";
  bool layers_left = nu_config_given(config, "network.layers");
  for (size_t i = 0; i < n; i++) {
    bool layer = is_layer_key(&keys[i]);
    if (layer ? !layers_left : left_out(config, &keys[i], form)) continue;
    const char *path = layer ? "network.layers" : keys[i].path;
    open_mappings(path, previous, out);
    previous = path;
    if (layer) write_layers(config, form, out);
    else write_pair(config, &keys[i], form, out);
    layers_left = layers_left && !layer;
  }
}

/* ---- resume */

/* Numbers that are written differently but equal are the same value. Whole ones are compared as
 * such: a double does not hold every seed. */
static bool same_value(const char *a, const char *b) {
  size_t m = strlen(a), n = strlen(b);
  uint64_t i, j;
  double x, y;
  if (nu_parse_count(a, m, &i) && nu_parse_count(b, n, &j)) return i == j;
  if (nu_parse_real(a, m, &x) && nu_parse_real(b, n, &y)) return x == y;
  return strcmp(a, b) == 0;
}

/* As in the written config; nothing for a key without a value. The end of a schedule that follows
 * train.epochs is told as that number: it must not move when the training is made longer. */
static void add_value(const numann_config *config, const nu_key *key, const char *path,
                      nu_text *out) {
  const nu_entry *entry = nu_store_find(config, path);
  if (strcmp(path, "train.schedule.epochs") == 0 && !nu_config_count(config, path)) {
    nu_text_add(out, nu_config_string(config, "train.epochs"));
    return;
  }
  if (key->fallback || (entry && entry->n)) write_value(config, key, path, NU_CONFIG_MODEL, out);
}

static void compare(const numann_config *now, const numann_config *saved, const nu_key *key,
                    const char *path, nu_text *differences) {
  nu_text a = {0}, b = {0};
  add_value(now, key, path, &a);
  add_value(saved, key, path, &b);
  if (!same_value(nu_text_view(&a), nu_text_view(&b))) {
    nu_text_addf(differences, "%s%s is %s, was %s", differences->length ? ", " : "", path,
                 a.length ? a.data : "not given", b.length ? b.data : "not given");
  }
  differences->failed |= a.failed || b.failed;
  nu_text_clear(&a);
  nu_text_clear(&b);
}

static void compare_layers(const numann_config *now, const numann_config *saved, const nu_key *key,
                           nu_text *differences) {
  char path[64];
  size_t a = nu_store_items(now, "network.layers");
  size_t b = nu_store_items(saved, "network.layers");
  for (size_t l = 0; l < nu_larger(a, b); l++) {
    snprintf(path, sizeof path, "%s%zu.%s", layers_prefix, l, strrchr(key->path, '.') + 1);
    compare(now, saved, key, path, differences);
  }
}

/* What a divergence calls for; none of them changes the shape of a state. */
static bool tames(const nu_key *key) {
  static const char *const paths[] = {"train.optimizer.learning_rate", "train.clip_norm",
                                      "train.schedule.warmup"};
  size_t i = 0, n = sizeof paths / sizeof *paths;
  while (i < n && strcmp(key->path, paths[i]) != 0) i++;
  return i < n;
}

static numann_status match(const numann_config *now, const numann_config *saved, bool diverged,
                           numann_error *err) {
  size_t n;
  const nu_key *keys = nu_keys(&n);
  nu_text differences = {0};
  for (size_t i = 0; i < n; i++) {
    const char *path = keys[i].path;
    if (keys[i].may_change || (diverged && tames(&keys[i]))) continue;
    if (!nu_config_counts(now, path) && !nu_config_counts(saved, path)) continue;
    if (is_layer_key(&keys[i])) compare_layers(now, saved, &keys[i], &differences);
    else compare(now, saved, &keys[i], path, &differences);
  }
  numann_status status = NUMANN_OK;
  if (differences.failed)
    status = nu_fail_memory(err, differences.length, "comparing the config with the run's");
  else if (differences.length)
    status = nu_fail(
        err, NUMANN_ERR_CONFIG,
        "%s: this run was started with another config: %s; restore these keys, or start anew "
        "with --overwrite",
        now->name, nu_text_view(&differences));
  nu_text_clear(&differences);
  return status;
}

numann_status nu_config_match(const numann_config *now, const numann_config *saved,
                              numann_error *err) {
  return match(now, saved, false, err);
}

numann_status nu_config_match_diverged(const numann_config *now, const numann_config *saved,
                                       numann_error *err) {
  return match(now, saved, true, err);
}

/* ---- reference */

static const char markdown_head[] =
    "# Config keys\n\n"
    "Written by `numann help config markdown`.\n\n"
    "A config is one YAML file of at most 1 MiB, in UTF-8. A key written `a.b` is `b` in the "
    "mapping\n"
    "`a`; `*` is the index of a list item, counted from 0. `--set a.b=value` sets a key from the "
    "command\n"
    "line; the value is YAML too: `--set data.drop='[a, b]'`. Paths are relative to the config's "
    "folder.\n"
    "`${NAME}` in a value is a variable of the environment, such as `${SLURM_ARRAY_TASK_ID}`; one "
    "that is not\n"
    "set is an error, `${NAME:-word}` is the word then. `$${` stands for `${`. Within braces and "
    "brackets "
    "YAML wants\n"
    "it in quotes. What a run records is the value; see [cluster.md](cluster.md) for more.\n"
    "Numbers are decimal, flags are `true` or `false`, every key stands at most once, and unknown "
    "keys\n"
    "are refused, as are anchors, aliases and tags. A number \"above 0\" is at least 1e-30.\n\n"
    "A key that does nothing beside the others (`momentum` under adam, `factor` under a constant\n"
    "rate) is refused with the key that would make it count. Where `--set` changes that other "
    "key,\n"
    "what depended on it in the file is left out instead.\n\n"
    "`train --resume` refuses a config in which a key marked *must match* differs from the "
    "run's,\n"
    "and fewer epochs than are trained.\n"
    "When the run has diverged, train.optimizer.learning_rate, train.clip_norm and "
    "train.schedule.warmup may differ.\n";

/* "## data" and the head of its table. */
static void add_section(const char *path, nu_text *out) {
  nu_text_addf(out,
               "\n## %.*s\n\n| key | takes | default | resume | meaning |\n"
               "|---|---|---|---|---|\n",
               (int)strcspn(path, "."), path);
}

static void add_row(const nu_key *key, const char *takes, nu_text *out) {
  const char *mark = key->fallback ? "`" : "";
  nu_text_addf(out, "| `%s` | %s | %s%s%s | %s | %s |\n", key->path, takes, mark,
               key->fallback ? key->fallback : "", mark,
               key->may_change ? "may change" : "must match", key->help);
}

static void add_paragraph(const nu_key *key, const char *takes, nu_text *out) {
  nu_text_addf(out, "%s\n    %s\n    %s; ", key->path, key->help, takes);
  if (key->fallback) nu_text_addf(out, "default %s; ", key->fallback);
  nu_text_addf(out, "%s on resume\n", key->may_change ? "may change" : "must match");
}

void nu_config_reference(bool markdown, nu_text *out) {
  size_t n;
  const nu_key *keys = nu_keys(&n);
  if (markdown) nu_text_add(out, markdown_head);
  for (size_t i = 0; i < n; i++) {
    nu_text takes = {0};
    size_t section = strcspn(keys[i].path, ".") + 1;
    bool starts = i == 0 || strncmp(keys[i].path, keys[i - 1].path, section) != 0;
    nu_key_describe(&keys[i], &takes);
    if (markdown && starts) add_section(keys[i].path, out);
    if (markdown) add_row(&keys[i], nu_text_view(&takes), out);
    else add_paragraph(&keys[i], nu_text_view(&takes), out);
    out->failed |= takes.failed;
    nu_text_clear(&takes);
  }
}
