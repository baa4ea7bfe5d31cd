/* Keys that count only beside a value of another key. SPDX-License-Identifier: MIT
 *
 * A setting that does nothing is a mistake about what is trained, so it is refused where the user
 * wrote it. A --set of the other key is no such mistake: it takes what depended on that key out of
 * the file's config with it. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/store.h"

/* `key` counts where `other` has one of the words in `values`; "!": any but these; NULL: where it
 * is given. Of several rows for one key each is enough, and `other` must count itself. */
typedef struct condition {
  const char *key, *other, *values;
} condition;

static const char optimizer[] = "train.optimizer.name";
static const char schedule[] = "train.schedule.name";

static const condition conditions[] = {
    {"data.train.target", "data.train.path", NULL},
    {"data.header", "data.train.path", NULL},
    {"data.header", "data.validation.path", NULL},
    {"data.header", "data.test.path", NULL},
    {"data.separator", "data.train.path", NULL},
    {"data.separator", "data.validation.path", NULL},
    {"data.separator", "data.test.path", NULL},
    {"data.blank", "data.train.path", NULL},
    {"data.blank", "data.validation.path", NULL},
    {"data.blank", "data.test.path", NULL},
    {"data.drop", "data.train.path", NULL},
    {"data.stratify", "data.validation.fraction", NULL},
    {"data.stratify", "data.test.fraction", NULL},
    {"network.initializer_value", "network.initializer", "constant"},
    {"network.initializer_value", "network.layers.*.initializer", "constant"},
    {"train.optimizer.learning_rate", optimizer, "!lbfgs"},
    {"train.optimizer.momentum", optimizer, "momentum|nesterov"},
    {"train.optimizer.beta1", optimizer, "adam|adamw|amsgrad"},
    {"train.optimizer.beta2", optimizer, "adam|adamw|amsgrad"},
    {"train.optimizer.smoothing", optimizer, "rmsprop"},
    {"train.optimizer.epsilon", optimizer, "rmsprop|adam|adamw|amsgrad"},
    {schedule, optimizer, "!lbfgs"},
    {"train.schedule.every", schedule, "step"},
    {"train.schedule.factor", schedule, "step|exponential"},
    {"train.schedule.final", schedule, "cosine"},
    {"train.schedule.epochs", schedule, "cosine"},
    {"train.schedule.warmup", optimizer, "!lbfgs"},
    {"train.early_stopping.min_improvement", "train.early_stopping.patience", "!0"},
    {"parallel.groups", "parallel.strategy", "auto|hybrid"},
};
enum { CONDITIONS = sizeof conditions / sizeof *conditions };

/* ---- does a key count? */

static bool is_one_of(const char *words, const char *value) {
  bool other_than = words[0] == '!', found = false;
  for (const char *w = words + other_than; *w && !found;) {
    size_t n = strcspn(w, "|");
    found = strlen(value) == n && memcmp(w, value, n) == 0;
    w += n + (w[n] == '|');
  }
  return found != other_than;
}

static bool holds_for_a_layer(const numann_config *config, const condition *c) {
  const char *last = strrchr(c->other, '.') + 1;
  size_t n = nu_store_items(config, "network.layers");
  for (size_t l = 0; l < n; l++) {
    char path[64];
    snprintf(path, sizeof path, "network.layers.%zu.%s", l, last);
    const nu_entry *entry = nu_store_find(config, path);
    if (entry && entry->n && is_one_of(c->values, entry->values[0])) return true;
  }
  return false;
}

static bool holds(const numann_config *config, const condition *c) {
  if (strchr(c->other, '*')) return holds_for_a_layer(config, c);
  if (!nu_config_counts(config, c->other)) return false;
  const char *value = nu_config_string(config, c->other);
  return c->values ? value && is_one_of(c->values, value) : value != NULL;
}

bool nu_config_counts(const numann_config *config, const char *key) {
  bool conditional = false;
  for (size_t i = 0; i < CONDITIONS; i++) {
    if (strcmp(conditions[i].key, key) != 0) continue;
    if (holds(config, &conditions[i])) return true;
    conditional = true;
  }
  return !conditional;
}

/* ---- the check */

static bool was_set(const nu_entry *entry) { return strncmp(entry->place, "--set ", 6) == 0; }

/* Did a --set take away what the key depends on? */
static bool was_overruled(const numann_config *config, const char *key) {
  for (size_t i = 0; i < CONDITIONS; i++) {
    if (strcmp(conditions[i].key, key) != 0) continue;
    const nu_entry *other = nu_store_find(config, conditions[i].other);
    if (other && was_set(other)) return true;
    if (was_overruled(config, conditions[i].other)) return true;
  }
  return false;
}

/* No optimiser has all three of these: who gives them is numann 0.1.0, which wrote every key into
 * the config of a run. */
static bool is_complete_record(const numann_config *config) {
  static const char *const keys[] = {"train.optimizer.momentum", "train.optimizer.beta1",
                                     "train.optimizer.smoothing"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const nu_entry *entry = nu_store_find(config, keys[i]);
    if (!entry || was_set(entry)) return false;
  }
  return true;
}

/* "a or b", of "a|b". */
static void add_words(const char *words, nu_text *out) {
  for (const char *w = words; *w;) {
    size_t n = strcspn(w, "|");
    nu_text_addf(out, "%s%.*s", w == words ? "" : " or ", (int)n, w);
    w += n + (w[n] == '|');
  }
}

static void add_condition(const condition *c, bool first, nu_text *out) {
  nu_text_addf(out, "%s%s", first ? "" : ", or with ", c->other);
  if (!c->values) return;
  nu_text_add(out, c->values[0] == '!' ? " other than " : ": ");
  add_words(c->values + (c->values[0] == '!'), out);
}

static numann_status fail_idle(const numann_config *config, const char *key, numann_error *err) {
  nu_text wanted = {0};
  for (size_t i = 0; i < CONDITIONS; i++) {
    if (strcmp(conditions[i].key, key) == 0)
      add_condition(&conditions[i], wanted.length == 0, &wanted);
  }
  numann_status status =
      nu_config_fail(config, key, err,
                     "does nothing here: it counts only with %s; set that, or leave this key out",
                     nu_text_view(&wanted));
  nu_text_clear(&wanted);
  return status;
}

numann_status nu_config_check(const numann_config *config, numann_error *err) {
  bool record = is_complete_record(config);
  for (size_t i = 0; i < config->n_entries; i++) {
    const nu_entry *entry = &config->entries[i];
    if (nu_config_counts(config, entry->path)) continue;
    if (!was_set(entry) && (record || was_overruled(config, entry->path))) continue;
    return fail_idle(config, entry->path, err);
  }
  return NUMANN_OK;
}
