/* The list of entries behind a config. SPDX-License-Identifier: MIT */
#include "config/store.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

static void clear_entry(nu_entry *entry) {
  for (size_t i = 0; i < entry->n; i++) free(entry->values[i]);
  free(entry->values);
  free(entry->quoted);
  free(entry->path);
  free(entry->place);
}

const nu_entry *nu_store_find(const nu_store *store, const char *path) {
  for (size_t i = 0; i < store->n_entries; i++) {
    if (strcmp(store->entries[i].path, path) == 0) return &store->entries[i];
  }
  return NULL;
}

nu_entry *nu_store_add(nu_store *store, const char *path, const char *place) {
  if (!nu_grow(&store->entries, &store->capacity, store->n_entries + 1, sizeof *store->entries)) {
    return NULL;
  }
  nu_entry entry = {.path = nu_copy_text(path, strlen(path)),
                    .place = nu_copy_text(place, strlen(place))};
  if (!entry.path || !entry.place) {
    clear_entry(&entry);
    return NULL;
  }
  store->entries[store->n_entries] = entry;
  return &store->entries[store->n_entries++];
}

bool nu_entry_add(nu_entry *entry, const char *value, size_t length, bool quoted) {
  size_t need = entry->n + 1;
  if (!nu_grow(&entry->values, &entry->capacity, need, sizeof *entry->values)) return false;
  if (!nu_grow(&entry->quoted, &entry->quoted_capacity, need, sizeof *entry->quoted)) return false;
  entry->values[entry->n] = nu_copy_text(value, length);
  if (!entry->values[entry->n]) return false;
  entry->quoted[entry->n++] = quoted;
  return true;
}

static bool at_or_below(const char *path, const char *top) {
  size_t n = strlen(top);
  return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '.');
}

const nu_entry *nu_store_first(const nu_store *store, const char *path) {
  for (size_t i = 0; i < store->n_entries; i++) {
    if (at_or_below(store->entries[i].path, path)) return &store->entries[i];
  }
  return NULL;
}

void nu_store_remove(nu_store *store, const char *path) {
  size_t kept = 0;
  for (size_t i = 0; i < store->n_entries; i++) {
    if (at_or_below(store->entries[i].path, path)) clear_entry(&store->entries[i]);
    else store->entries[kept++] = store->entries[i];
  }
  store->n_entries = kept;
}

bool nu_store_merge(nu_store *to, nu_store *from) {
  size_t need = to->n_entries + from->n_entries;
  if (!nu_grow(&to->entries, &to->capacity, need, sizeof *to->entries)) return false;
  for (size_t i = 0; i < from->n_entries; i++) {
    nu_store_remove(to, from->entries[i].path);
    to->entries[to->n_entries++] = from->entries[i];
  }
  from->n_entries = 0;
  return true;
}

void nu_store_clear(nu_store *store) {
  for (size_t i = 0; i < store->n_entries; i++) clear_entry(&store->entries[i]);
  free(store->entries);
  free(store->name);
  free(store->folder);
  *store = (nu_store){0};
}

size_t nu_store_items(const nu_store *store, const char *path) {
  size_t n = strlen(path), items = 0;
  for (size_t i = 0; i < store->n_entries; i++) {
    const char *rest = store->entries[i].path;
    if (!at_or_below(rest, path) || rest[n] == '\0') continue;
    const char *index = rest + n + 1;
    uint64_t at;
    if (nu_parse_count(index, strcspn(index, "."), &at) && at + 1 > items) items = (size_t)at + 1;
  }
  return items;
}
