/* YAML events to entries: every mapping, list and scalar is checked against the table while it is
 * read, so that every message has its line and column. SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/text.h"
#include "config/expand.h"
#include "config/store.h"

#define MAX_DEPTH 32
#define PLACE 512
#define IN_QUOTES "within {} and [] a variable stands in quotes: \"${NAME}\""

typedef struct reader {
  yaml_parser_t parser;
  const nu_source_text *source;
  nu_store *store;
  nu_text seen; /* "\n<mapping or key path>\n" of every key so far: duplicates */
  numann_error *err;
} reader;

/* ---- messages */

/* Of a very long file name the end is kept: line and column must have room. */
static const char *place_of(const reader *r, yaml_mark_t mark, char place[PLACE]) {
  const char *name = r->source->place;
  size_t length = strlen(name), most = PLACE - 64;
  if (length > most) name += length - most;
  while (((unsigned char)*name & 0xc0) == 0x80) name++; /* no half of a character */
  if (r->source->fixed_place) snprintf(place, PLACE, "%s", name);
  else snprintf(place, PLACE, "%s:%zu:%zu", name, mark.line + 1, mark.column + 1);
  return place;
}

static numann_status fail_at(const reader *r, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static numann_status fail_at(const reader *r, yaml_mark_t mark, const char *format, ...) {
  char place[PLACE], what[480];
  va_list args;
  va_start(args, format);
  nu_show_vformat(what, sizeof what, format, args);
  va_end(args);
  return nu_fail(r->err, NUMANN_ERR_CONFIG, "%s: %s", place_of(r, mark, place), what);
}

/* libyaml names a byte where a text is not UTF-8, and a mark for every other fault. */
static yaml_mark_t problem_mark(const reader *r) {
  yaml_mark_t mark = r->parser.problem_mark;
  if (r->parser.error != YAML_READER_ERROR) return mark;
  mark = (yaml_mark_t){0};
  for (size_t i = 0; i < r->parser.problem_offset && i < r->source->length; i++) {
    unsigned char c = (unsigned char)r->source->text[i];
    bool continuation = (c & 0xc0) == 0x80;
    mark.line += c == '\n';
    mark.column = c == '\n' ? 0 : mark.column + !continuation;
  }
  return mark;
}

static const char *find_line(const nu_source_text *source, size_t line) {
  const char *c = source->text, *end = source->text + source->length;
  for (; line && c < end; c++) line -= *c == '\n';
  return c;
}

static bool has_variable(const nu_source_text *source, size_t line) {
  const char *c = find_line(source, line), *end = source->text + source->length;
  const char *after = memchr(c, '\n', (size_t)(end - c));
  return source->expands && nu_has_variable(c, (size_t)((after ? after : end) - c));
}

/* Does the line, counted from 0, begin with white space that holds a tab? */
static bool has_tab_in_front(const nu_source_text *source, size_t line) {
  const char *c = find_line(source, line), *end = source->text + source->length;
  for (; c < end && (*c == ' ' || *c == '\t'); c++) {
    if (*c == '\t') return true;
  }
  return false;
}

static const char *advice(const reader *r, yaml_mark_t mark) {
  if (r->parser.error == YAML_READER_ERROR)
    return "save the file as UTF-8 text, without control characters";
  if (has_tab_in_front(r->source, mark.line))
    return "the line begins with a tab: indent with spaces";
  if (has_variable(r->source, mark.line)) return IN_QUOTES;
  return "check indentation, colons, brackets and quotes";
}

static numann_status not_yaml(const reader *r) {
  if (r->parser.error == YAML_MEMORY_ERROR) {
    return nu_fail_memory(r->err, r->source->length, "the config");
  }
  yaml_mark_t mark = problem_mark(r);
  return fail_at(r, mark, "not valid YAML: %s; %s",
                 r->parser.problem ? r->parser.problem : "unreadable", advice(r, mark));
}

static numann_status wrong_shape(const reader *r, const yaml_event_t *event, const char *path,
                                 const char *expected) {
  static const char *const found[] = {[YAML_SCALAR_EVENT] = "a plain value",
                                      [YAML_SEQUENCE_START_EVENT] = "a list",
                                      [YAML_MAPPING_START_EVENT] = "a mapping"};
  return fail_at(r, event->start_mark, "%s: found %s, expected %s", *path ? path : "config",
                 found[event->type], expected);
}

/* ", as in optimizer: {name: adam}": the value below the first key of the mapping, where that takes
 * such a value. */
static void add_example(const char *path, const char *value, nu_text *out) {
  size_t n_keys, n = strlen(path);
  const nu_key *keys = nu_keys(&n_keys);
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; i < n_keys; i++) {
    const char *key = keys[i].path;
    if (strncmp(key, path, n) != 0 || key[n] != '.' || strchr(key + n + 1, '.')) continue;
    bool some_word = keys[i].kind == NU_KEY_TEXT && !keys[i].fallback;
    if (!some_word &&
        nu_check_value(&keys[i], "", "", value, strlen(value), true, NULL) == NUMANN_OK)
      nu_text_addf(out, ", as in %s: {%s: %s}", dot ? dot + 1 : path, key + n + 1, value);
    return;
  }
}

static numann_status not_a_mapping(const reader *r, const yaml_event_t *event, const char *path) {
  nu_text expected = {0};
  char shown[NU_EXCERPT];
  nu_text_add(&expected, "a mapping of keys");
  if (event->type == YAML_SCALAR_EVENT && event->data.scalar.length > 0 && *path)
    add_example(
        path, nu_excerpt((const char *)event->data.scalar.value, event->data.scalar.length, shown),
        &expected);
  numann_status status = wrong_shape(r, event, path, nu_text_view(&expected));
  nu_text_clear(&expected);
  return status;
}

/* ---- events */

/* What of YAML a config does not use; NULL for what it does. */
static const char *refused(const yaml_event_t *event) {
  bool marked = false;
  if (event->type == YAML_ALIAS_EVENT) return "an alias (*name)";
  if (event->type == YAML_SCALAR_EVENT) {
    marked = event->data.scalar.anchor || event->data.scalar.tag;
  } else if (event->type == YAML_MAPPING_START_EVENT) {
    marked = event->data.mapping_start.anchor || event->data.mapping_start.tag;
  } else if (event->type == YAML_SEQUENCE_START_EVENT) {
    marked = event->data.sequence_start.anchor || event->data.sequence_start.tag;
  }
  return marked ? "an anchor (&name) or a tag (!name)" : NULL;
}

static numann_status next(reader *r, yaml_event_t *event) {
  if (!yaml_parser_parse(&r->parser, event)) return not_yaml(r);
  const char *found = refused(event);
  if (!found) return NUMANN_OK;
  numann_status status =
      fail_at(r, event->start_mark, "found %s, expected a value; write the value out", found);
  yaml_event_delete(event);
  return status;
}

/* ---- values */

/* A value as it is checked and kept. */
typedef struct scalar {
  const char *text;
  size_t length;
  bool plain;  /* may it be a number? */
  bool quoted; /* as it was written */
} scalar;

static numann_status keep_value(reader *r, const nu_key *key, nu_entry *entry, const char *place,
                                const scalar *value) {
  NU_TRY(nu_check_value(key, place, entry->path, value->text, value->length, value->plain, r->err));
  return nu_entry_add(entry, value->text, value->length, value->quoted)
             ? NUMANN_OK
             : nu_fail_memory(r->err, value->length, "the config");
}

/* Within {} and [] YAML wants a variable in quotes: they do not make a name of a number then. */
static numann_status keep_expanded(reader *r, const nu_key *key, nu_entry *entry, const char *place,
                                   const scalar *written) {
  char where[PLACE + NU_PATH_TEXT];
  nu_text text = {0};
  snprintf(where, sizeof where, "%s: %s", place, entry->path);
  numann_status status = nu_expand(where, written->text, written->length, &text, r->err);
  scalar value = {nu_text_view(&text), text.length, true, written->quoted};
  if (status == NUMANN_OK) status = keep_value(r, key, entry, place, &value);
  nu_text_clear(&text);
  return status;
}

static numann_status add_value(reader *r, const nu_key *key, nu_entry *entry,
                               const yaml_event_t *event) {
  char place[PLACE];
  bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  scalar value = {(const char *)event->data.scalar.value, event->data.scalar.length, plain, !plain};
  place_of(r, event->start_mark, place);
  /* YAML ends a plain value within {} and [] before a brace. */
  if (plain && value.length > 0 && value.text[value.length - 1] == '$' &&
      has_variable(r->source, event->start_mark.line))
    return fail_at(r, event->start_mark, "%s: " IN_QUOTES, entry->path);
  return r->source->expands && nu_has_variable(value.text, value.length)
             ? keep_expanded(r, key, entry, place, &value)
             : keep_value(r, key, entry, place, &value);
}

static numann_status new_entry(reader *r, yaml_mark_t mark, const char *path, nu_entry **entry) {
  char place[PLACE];
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
    bool end = event.type == YAML_SEQUENCE_END_EVENT;
    numann_status status = NUMANN_OK;
    if (event.type == YAML_SCALAR_EVENT) status = add_value(r, key, entry, &event);
    else if (!end) status = wrong_shape(r, &event, path, "plain values in this list");
    yaml_event_delete(&event);
    if (end || status != NUMANN_OK) return status;
  }
}

/* A value of the table: one scalar, or a list of them. */
static numann_status read_key(reader *r, const nu_key *key, const char *path,
                              const yaml_event_t *event) {
  bool list = key->kind == NU_KEY_LIST;
  if (event->type == YAML_SEQUENCE_START_EVENT && list) {
    return read_list(r, key, path, event->start_mark);
  }
  if (event->type != YAML_SCALAR_EVENT) {
    return wrong_shape(r, event, path, list ? "a list of plain values" : "a plain value");
  }
  nu_entry *entry;
  NU_TRY(new_entry(r, event->start_mark, path, &entry));
  return add_value(r, key, entry, event);
}

/* ---- mappings, and lists of them */

static numann_status read_node(reader *r, const char *path, const yaml_event_t *event, int depth);

static numann_status read_item(reader *r, const char *path, const yaml_event_t *event, int depth) {
  static const char expected[] = "a mapping like {neurons: 64, activation: relu}";
  size_t before = r->store->n_entries;
  if (event->type != YAML_MAPPING_START_EVENT) return wrong_shape(r, event, path, expected);
  NU_TRY(read_node(r, path, event, depth));
  return r->store->n_entries > before
             ? NUMANN_OK
             : fail_at(r, event->start_mark, "%s: found an empty mapping, expected %s", path,
                       expected);
}

/* The mappings of a list such as network.layers. */
static numann_status read_items(reader *r, const char *path, yaml_mark_t mark, int depth) {
  for (size_t i = 0;; i++) {
    yaml_event_t event;
    char item[NU_PATH_TEXT];
    NU_TRY(next(r, &event));
    bool end = event.type == YAML_SEQUENCE_END_EVENT;
    numann_status status = NUMANN_OK;
    snprintf(item, sizeof item, "%s.%zu", path, i);
    if (end ? i == 0 : i == NU_MAX_LAYERS) {
      status = fail_at(r, end ? mark : event.start_mark, "%s: found %s, expected 1 to %d layers",
                       path, end ? "an empty list" : "more", NU_MAX_LAYERS);
    } else if (!end) {
      status = read_item(r, item, &event, depth);
    }
    yaml_event_delete(&event);
    if (end || status != NUMANN_OK) return status;
  }
}

static numann_status note_seen(reader *r, yaml_mark_t mark, const char *path) {
  char line[NU_PATH_TEXT + 3];
  snprintf(line, sizeof line, "\n%s\n", path);
  if (strstr(nu_text_view(&r->seen), line)) {
    return fail_at(r, mark, "%s: found a second time, expected once; keep one", path);
  }
  nu_text_add(&r->seen, line);
  return r->seen.failed ? nu_fail_memory(r->err, r->seen.length, "the config") : NUMANN_OK;
}

/* The path of the key `name` of the mapping at `path`, known and new. */
static numann_status key_path(reader *r, const char *path, const yaml_event_t *name,
                              char child[NU_PATH_TEXT]) {
  if (name->type != YAML_SCALAR_EVENT) {
    return wrong_shape(r, name, path, "the name of a key before the colon");
  }
  char shown[NU_EXCERPT], place[PLACE];
  const char *text = (const char *)name->data.scalar.value;
  size_t length = name->data.scalar.length;
  int n = snprintf(child, NU_PATH_TEXT, "%s%s%s", path, *path ? "." : "", text);
  /* A dot inside a name would pass for a level, a NUL would hide what follows. */
  bool one_name = n > 0 && n < NU_PATH_TEXT && length > 0 && strcspn(text, ".") == length;
  if (!one_name) {
    return fail_at(r, name->start_mark,
                   "unknown key \"%s\"; write one name, and its keys below it, indented",
                   nu_excerpt(text, length, shown));
  }
  if (!nu_key_find(child) && !nu_key_is_mapping(child)) {
    return nu_fail_unknown_key(place_of(r, name->start_mark, place), child, r->err);
  }
  return note_seen(r, name->start_mark, child);
}

static numann_status read_pair(reader *r, const char *path, const yaml_event_t *name, int depth) {
  char child[NU_PATH_TEXT];
  yaml_event_t value;
  NU_TRY(key_path(r, path, name, child));
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

static numann_status read_node(reader *r, const char *path, const yaml_event_t *event, int depth) {
  const nu_key *key = nu_key_find(path);
  char first[NU_PATH_TEXT + 3];
  if (depth > MAX_DEPTH) {
    return fail_at(r, event->start_mark, "nested more than %d levels deep", MAX_DEPTH);
  }
  if (key) return read_key(r, key, path, event);
  snprintf(first, sizeof first, "%s.0", path);
  if (*path && nu_key_is_mapping(first)) {
    return event->type == YAML_SEQUENCE_START_EVENT
               ? read_items(r, path, event->start_mark, depth + 1)
               : wrong_shape(r, event, path, "a list of mappings, one for each layer");
  }
  return event->type == YAML_MAPPING_START_EVENT ? read_mapping(r, path, depth + 1)
                                                 : not_a_mapping(r, event, path);
}

/* ---- the whole text */

/* Read and drop one event that must be of this type. */
static numann_status expect(reader *r, yaml_event_type_t type, const char *otherwise) {
  yaml_event_t event;
  NU_TRY(next(r, &event));
  numann_status status =
      event.type == type ? NUMANN_OK : fail_at(r, event.start_mark, "%s", otherwise);
  yaml_event_delete(&event);
  return status;
}

static numann_status read_document(reader *r) {
  NU_TRY(expect(r, YAML_STREAM_START_EVENT, "found no YAML, expected a config"));
  NU_TRY(
      expect(r, YAML_DOCUMENT_START_EVENT,
             r->source->fixed_place
                 ? "found no value, expected key=value"
                 : "found an empty file, expected a config; `numann help config` lists the keys"));
  yaml_event_t event;
  NU_TRY(next(r, &event));
  numann_status status = read_node(r, r->source->prefix, &event, 0);
  yaml_event_delete(&event);
  NU_TRY(status);
  NU_TRY(expect(r, YAML_DOCUMENT_END_EVENT, "found more than one value; keep one"));
  return expect(r, YAML_STREAM_END_EVENT, "found a second document (---); keep one");
}

/* UTF-16 and UTF-32 begin with a byte order mark, or with an ASCII character that has zeros beside
 * it. */
static bool is_wide(const nu_source_text *source) {
  const char *text = source->text;
  size_t n = source->length;
  bool marked = n >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
  return marked || (n >= 4 && memchr(text, '\0', 4));
}

numann_status nu_parse_yaml(nu_store *store, const nu_source_text *whole, numann_error *err) {
  static const char utf8_mark[] = "\xef\xbb\xbf"; /* which editors put in front; it says nothing */
  size_t marked = whole->length >= 3 && memcmp(whole->text, utf8_mark, 3) == 0 ? 3 : 0;
  nu_source_text rest = *whole, *source = &rest;
  reader r = {.source = source, .store = store, .err = err};
  rest.text += marked;
  rest.length -= marked;
  if (is_wide(source))
    return fail_at(&r, (yaml_mark_t){0},
                   "found UTF-16 or UTF-32 text, expected UTF-8; save the file as UTF-8");
  if (!yaml_parser_initialize(&r.parser)) return nu_fail_memory(err, sizeof r, "the YAML parser");
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)source->text, source->length);
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  numann_status status = read_document(&r);
  yaml_parser_delete(&r.parser);
  nu_text_clear(&r.seen);
  return status;
}
