/* The values of a config, by concrete path. SPDX-License-Identifier: MIT */
#ifndef NU_CONFIG_STORE_H
#define NU_CONFIG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "config/keys.h"

typedef struct nu_entry {
  char *path;    /* "network.layers.2.neurons"; owned */
  char *place;   /* "digits.yaml:12:20" or "--set train.epochs=5"; owned */
  char **values; /* [n]: one scalar, or the items of a list; owned */
  bool *quoted;  /* [n]: written in quotes; owned */
  size_t n, capacity, quoted_capacity;
} nu_entry;

struct numann_config {
  char *name;        /* as given to load or parse; owned */
  char *folder;      /* of the file, absolute; owned */
  nu_entry *entries; /* [n_entries], owned */
  size_t n_entries, capacity;
};
typedef struct numann_config nu_store;

/* NULL when the path has no entry. */
const nu_entry *nu_store_find(const nu_store *store, const char *path);
/* The first entry of path or below it, NULL when there is none. */
const nu_entry *nu_store_first(const nu_store *store, const char *path);
/* A new entry without values; NULL when memory is refused. */
nu_entry *nu_store_add(nu_store *store, const char *path, const char *place);
bool nu_entry_add(nu_entry *entry, const char *value, size_t length, bool quoted);
/* Remove the entry of path and all below it. */
void nu_store_remove(nu_store *store, const char *path);
/* Move all entries of `from` to `to`, replacing those of the same path. False: memory refused. */
bool nu_store_merge(nu_store *to, nu_store *from);
void nu_store_clear(nu_store *store);
/* Items of the list of mappings at path: one more than the largest index in use. */
size_t nu_store_items(const nu_store *store, const char *path);

/* One scalar against its row of the table; `plain`: written without quotes. */
numann_status nu_check_value(const nu_key *key, const char *place, const char *path,
                             const char *value, size_t length, bool plain, numann_error *err);

/* Read YAML into the store below `prefix` ("" for a whole file). place: the file's name, or the
 * whole "--set key=value" when `fixed_place`. */
typedef struct nu_source_text {
  const char *text;
  size_t length;
  const char *prefix;
  const char *place;
  bool fixed_place;
  bool expands; /* a user's, with variables; not a text that numann itself has written */
} nu_source_text;
numann_status nu_parse_yaml(nu_store *store, const nu_source_text *source, numann_error *err);

/* "unknown key train.epoch; did you mean train.epochs?" */
numann_status nu_fail_unknown_key(const char *place, const char *path, numann_error *err);

/* "10 s" into exactly one of the three, the others 0; false when malformed. */
bool nu_parse_every(const char *text, double *seconds, uint64_t *epochs, uint64_t *steps);

#endif
