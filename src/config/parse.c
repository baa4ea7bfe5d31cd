/* YAML events to entries: every mapping, list and scalar is checked against the table while it is
 * read, so that every message has its line and column. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"
#include "base/text.h"
#include "config/store.h"

#define MAX_DEPTH 32
#define MAX_PATH_TEXT 256

typedef struct reader {
  yaml_parser_t parser;
  const nu_source_text *source;
  nu_store *store;
  nu_text seen; /* "\n<mapping or key path>\n" of every key so far: duplicates */
  numann_error *err;
} reader;

static const char *place_of(const reader *r, yaml_mark_t mark, char place[512]) {
  if (r->source->fixed_place) snprintf(place, 512, "%s", r->source->place);
  else snprintf(place, 512, "%s:%zu:%zu", r->source->place, mark.line + 1, mark.column + 1);
  return place;
}

static numann_status fail_at(const reader *r, yaml_mark_t mark, const char *what) {
  char place[512];
  return nu_fail(r->err, NUMANN_ERR_CONFIG, "%s: %s", place_of(r, mark, place), what);
}

/* The next event; what this format does not use is refused here. */
static numann_status next(reader *r, yaml_event_t *event) {
  if (!yaml_parser_parse(&r->parser, event)) {
    char what[256];
    snprintf(what, sizeof what, "not valid YAML: %s; check indentation, colons and quotes",
             r->parser.problem ? r->parser.problem : "unreadable");
    return fail_at(r, r->parser.problem_mark, what);
  }
  const char *refused = NULL;
  if (event->type == YAML_ALIAS_EVENT) refused = "an alias (*name); write the value out";
  if (event->type == YAML_SCALAR_EVENT && (event->data.scalar.anchor || event->data.scalar.tag)) {
    refused = "an anchor (&name) or tag (!name); write the plain value";
  }
  if (event->type == YAML_MAPPING_START_EVENT &&
      (event->data.mapping_start.anchor || event->data.mapping_start.tag)) {
    refused = "an anchor (&name) or tag (!name); write the plain mapping";
  }
  if (event->type == YAML_SEQUENCE_START_EVENT &&
      (event->data.sequence_start.anchor || event->data.sequence_start.tag)) {
    refused = "an anchor (&name) or tag (!name); write the plain list";
  }
  if (!refused) return NUMANN_OK;
  numann_status status = fail_at(r, event->start_mark, refused);
  yaml_event_delete(event);
  return status;
}

static numann_status unknown_key(const reader *r, yaml_mark_t mark, const char *path) {
  char what[MAX_PATH_TEXT * 3];
  snprintf(what, sizeof what, "unknown key %s; did you mean %s? (`numann help config` lists all)",
           path, nu_key_nearest(path));
  return fail_at(r, mark, what);
}

static numann_status note_seen(reader *r, yaml_mark_t mark, const char *path) {
  char line[MAX_PATH_TEXT + 3], what[MAX_PATH_TEXT + 64];
  snprintf(line, sizeof line, "\n%s\n", path);
  if (strstr(nu_text_view(&r->seen), line)) {
    snprintf(what, sizeof what, "%s stands twice; keep one", path);
    return fail_at(r, mark, what);
  }
  nu_text_add(&r->seen, line);
  return r->seen.failed ? nu_fail_memory(r->err, r->seen.length, "the config") : NUMANN_OK;
}

static numann_status add_value(reader *r, const nu_key *key, nu_entry *entry,
                               const yaml_event_t *event) {
  char place[512];
  const char *value = (const char *)event->data.scalar.value;
  size_t length = event->data.scalar.length;
  bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  NU_TRY(nu_check_value(key, place_of(r, event->start_mark, place), entry->path, value, length,
                        plain, r->err));
  return nu_entry_add(entry, value, length) ? NUMANN_OK
                                            : nu_fail_memory(r->err, length, "the config");
}

static numann_status new_entry(reader *r, yaml_mark_t mark, const char *path, nu_entry **entry) {
  char place[512];
  *entry = nu_store_add(r->store, path, place_of(r, mark, place));
  return *entry ? NUMANN_OK : nu_fail_memory(r->err, sizeof **entry, "the config");
}

/* The items of a list of scalars. */
static numann_status read_list(reader *r, const nu_key *key, const char *path, yaml_mark_t mark) {
  nu_entry *entry;
  NU_TRY(new_entry(r, mark, path, &entry));
  for (;;) {
    yaml_event_t event;
    NU_TRY(next(r, &event));
    numann_status status = NUMANN_OK;
    bool end = event.type == YAML_SEQUENCE_END_EVENT;
    if (event.type == YAML_SCALAR_EVENT) status = add_value(r, key, entry, &event);
    else if (!end) status = fail_at(r, event.start_mark, "found a list or mapping inside a list, expected plain values");
    yaml_event_delete(&event);
    if (end || status != NUMANN_OK) return status;
  }
}

static numann_status read_node(reader *r, const char *path, const yaml_event_t *event, int depth);

/* The mappings of a list such as network.layers. */
static numann_status read_mappings(reader *r, const char *path, int depth) {
  for (size_t i = 0;; i++) {
    yaml_event_t event;
    char item[MAX_PATH_TEXT];
    NU_TRY(next(r, &event));
    if (event.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&event);
      return NUMANN_OK;
    }
    snprintf(item, sizeof item, "%s.%zu", path, i);
    numann_status status =
        event.type == YAML_MAPPING_START_EVENT
            ? read_node(r, item, &event, depth)
            : fail_at(r, event.start_mark, "found a plain value, expected a mapping like {neurons: 64, activation: relu}");
    yaml_event_delete(&event);
    NU_TRY(status);
  }
}

static numann_status read_pair(reader *r, const char *path, const yaml_event_t *name, int depth) {
  char child[MAX_PATH_TEXT];
  if (name->type != YAML_SCALAR_EVENT) {
    return fail_at(r, name->start_mark, "found a list or mapping as a key, expected a name");
  }
  int n = snprintf(child, sizeof child, "%s%s%s", path, *path ? "." : "",
                   (const char *)name->data.scalar.value);
  if (n < 0 || (size_t)n >= sizeof child || strlen((const char *)name->data.scalar.value) != name->data.scalar.length) {
    return fail_at(r, name->start_mark, "a key longer than any known one, or with a NUL byte; check the spelling");
  }
  if (!nu_key_find(child) && !nu_key_is_mapping(child)) return unknown_key(r, name->start_mark, child);
  NU_TRY(note_seen(r, name->start_mark, child));
  yaml_event_t value;
  NU_TRY(next(r, &value));
  numann_status status = read_node(r, child, &value, depth);
  yaml_event_delete(&value);
  return status;
}

static numann_status read_mapping(reader *r, const char *path, int depth) {
  for (;;) {
    yaml_event_t name;
    NU_TRY(next(r, &name));
    bool end = name.type == YAML_MAPPING_END_EVENT;
    numann_status status = end ? NUMANN_OK : read_pair(r, path, &name, depth);
    yaml_event_delete(&name);
    if (end || status != NUMANN_OK) return status;
  }
}

static numann_status wrong_shape(const reader *r, const yaml_event_t *event, const char *path,
                                 const char *expected) {
  static const char *const found[] = {[YAML_SCALAR_EVENT] = "a plain value",
                                      [YAML_SEQUENCE_START_EVENT] = "a list",
                                      [YAML_MAPPING_START_EVENT] = "a mapping"};
  char what[MAX_PATH_TEXT + 128];
  snprintf(what, sizeof what, "%s: found %s, expected %s", *path ? path : "config", found[event->type], expected);
  return fail_at(r, event->start_mark, what);
}

/* A value of the table: one scalar, or a list of them. */
static numann_status read_key(reader *r, const nu_key *key, const char *path,
                              const yaml_event_t *event) {
  if (event->type == YAML_SEQUENCE_START_EVENT && key->kind == NU_KEY_LIST) {
    return read_list(r, key, path, event->start_mark);
  }
  if (event->type != YAML_SCALAR_EVENT) {
    return wrong_shape(r, event, path, key->kind == NU_KEY_LIST ? "a list of plain values" : "a plain value");
  }
  nu_entry *entry;
  NU_TRY(new_entry(r, event->start_mark, path, &entry));
  return add_value(r, key, entry, event);
}

static numann_status read_node(reader *r, const char *path, const yaml_event_t *event, int depth) {
  char first[MAX_PATH_TEXT + 3];
  if (depth > MAX_DEPTH) return fail_at(r, event->start_mark, "nested too deeply; at most 32 levels");
  const nu_key *key = nu_key_find(path);
  if (key) return read_key(r, key, path, event);
  snprintf(first, sizeof first, "%s.0", path);
  if (*path && nu_key_is_mapping(first)) {
    return event->type == YAML_SEQUENCE_START_EVENT
               ? read_mappings(r, path, depth + 1)
               : wrong_shape(r, event, path, "a list of mappings, one for each layer");
  }
  return event->type == YAML_MAPPING_START_EVENT ? read_mapping(r, path, depth + 1)
                                                 : wrong_shape(r, event, path, "a mapping of keys");
}

/* Read and drop one event that must be of this type. */
static numann_status expect(reader *r, yaml_event_type_t type, const char *otherwise) {
  yaml_event_t event;
  NU_TRY(next(r, &event));
  numann_status status = event.type == type ? NUMANN_OK : fail_at(r, event.start_mark, otherwise);
  yaml_event_delete(&event);
  return status;
}

static numann_status read_document(reader *r) {
  NU_TRY(expect(r, YAML_STREAM_START_EVENT, "not a YAML stream"));
  NU_TRY(expect(r, YAML_DOCUMENT_START_EVENT,
                r->source->fixed_place ? "found no value, expected key=value"
                                       : "the file is empty; `numann help config` lists the keys"));
  yaml_event_t event;
  NU_TRY(next(r, &event));
  numann_status status = read_node(r, r->source->prefix, &event, 0);
  yaml_event_delete(&event);
  NU_TRY(status);
  NU_TRY(expect(r, YAML_DOCUMENT_END_EVENT, "more than one value; keep one"));
  return expect(r, YAML_STREAM_END_EVENT, "a second document (---); keep one");
}

numann_status nu_parse_yaml(nu_store *store, const nu_source_text *source, numann_error *err) {
  reader r = {.source = source, .store = store, .err = err};
  if (!yaml_parser_initialize(&r.parser)) return nu_fail_memory(err, sizeof r, "the YAML parser");
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)source->text, source->length);
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  numann_status status = read_document(&r);
  yaml_parser_delete(&r.parser);
  nu_text_clear(&r.seen);
  return status;
}
