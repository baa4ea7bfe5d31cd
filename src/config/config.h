/* Config inside numann: values by key, with their place in the file. SPDX-License-Identifier: MIT
 *
 * keys.c holds one row per key: path, kind, default, bounds, choices, help, whether a resume may
 * change it. The parser, --set, `numann help config`, docs/config.md and the resume check all come
 * from that table. A key given to the getters must be in the table (assert). List items are written
 * with their index: "network.layers.2.neurons". */
#ifndef NU_CONFIG_CONFIG_H
#define NU_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "numann/config.h"

/* Was the key written by the user (file or --set)? A mapping key ("data.test") counts as given when
 * any key below it is. */
bool nu_config_given(const numann_config *config, const char *key);

/* The value, or the table's default. Strings are valid until the config changes; a string key
 * without default that was not given is NULL. */
const char *nu_config_string(const numann_config *config, const char *key);
/* Counts and reals written as a word ("full", "auto", "standardize") are 0; so are those not
 * given and without default. */
double nu_config_real(const numann_config *config, const char *key);
size_t nu_config_count(const numann_config *config, const char *key);
bool nu_config_flag(const numann_config *config, const char *key);

/* Number of items of a list key ("network.layers", "data.drop", "data.train.target"); 0 when not
 * given. A scalar given where a list may stand ("target: label") is a list of one. */
size_t nu_config_items(const numann_config *config, const char *key);
/* The i-th item of a list of strings. */
const char *nu_config_item(const numann_config *config, const char *key, size_t i);
/* Was it written in quotes? Then a number is a name. */
bool nu_config_item_quoted(const numann_config *config, const char *key, size_t i);

/* Does the key count beside the other values: momentum, say, with this optimiser? */
bool nu_config_counts(const numann_config *config, const char *key);
/* Refuse what a user gave and does not count. Only for configs as users give them: those that
 * models keep may be of a numann that wrote out every key. */
numann_status nu_config_check(const numann_config *config, numann_error *err);

/* A path key resolved against the config's folder (malloc'ed), or NULL when it was not given. */
char *nu_config_path(const numann_config *config, const char *key);

/* "configs/digits.yaml": the name given to load or parse. */
const char *nu_config_name(const numann_config *config);

/* Fail with a message that begins with the place of the key's value, such as
 * "digits.yaml:12:20: network.layers.1.activation: ...". For a mapping that is the place of its
 * first value; for a key not given, the file's name alone. Returns NUMANN_ERR_CONFIG. */
numann_status nu_config_fail(const numann_config *config, const char *key, numann_error *err,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A duration; 0 for a word. */
double nu_config_seconds(const numann_config *config, const char *key);

/* checkpoint.every: exactly one of the three is not zero. */
void nu_config_every(const numann_config *config, double *seconds, uint64_t *epochs,
                     uint64_t *steps);

/* Resolve a name through a table owned by another stage: the index of the value of `key` in
 * names[0..n), or a failure that lists the names and suggests the nearest. */
numann_status nu_config_choice(const numann_config *config, const char *key,
                               const char *const *names, size_t n, size_t *index,
                               numann_error *err);

/* The effective config as YAML: every key that counts, with its value, in the table's order. */
typedef enum nu_config_form {
  NU_CONFIG_RUN,  /* for the run folder: complete, paths absolute, so that it runs from anywhere */
  NU_CONFIG_MODEL /* for models and checkpoints: without parallel.* and checkpoint.*, with paths as
                     written and without train.max_time: the same on every machine */
} nu_config_form;
void nu_config_write(const numann_config *config, nu_config_form form, nu_text *out);

/* Compare the keys that a resume must not change. NUMANN_ERR_CONFIG lists every key that differs,
 * with both values. `saved` is usually parsed from a checkpoint's NU_CONFIG_MODEL text. */
numann_status nu_config_match(const numann_config *now, const numann_config *saved,
                              numann_error *err);

/* The same for a run that has diverged: the keys that keep a training from it may differ. */
numann_status nu_config_match_diverged(const numann_config *now, const numann_config *saved,
                                       numann_error *err);

/* The reference of all keys: plain text for the terminal, or Markdown for docs/config.md. */
void nu_config_reference(bool markdown, nu_text *out);

#endif
