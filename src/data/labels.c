/* Labels: the distinct values of a target column. SPDX-License-Identifier: MIT */
#include "data/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"

/* FNV-1a of Fowler, Noll and Vo. */
static uint32_t hash_bytes(const void *bytes, size_t n) {
  uint32_t hash = UINT32_C(2166136261);
  const unsigned char *p = bytes;
  for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * UINT32_C(16777619);
  return hash;
}

/* A value that is looked for; text [n] is not ended by NUL. */
typedef struct value {
  const char *text;
  size_t n;
  bool is_number;
  double number;
} value;

static value value_of(const nu_label *label) {
  size_t n = label->text ? strlen(label->text) : 0;
  return (value){label->text, n, label->is_number, label->number};
}

static uint32_t hash_value(const value *v) {
  return v->text ? hash_bytes(v->text, v->n) : hash_bytes(&v->number, sizeof v->number);
}

static bool grow_slots(nu_labels *labels) {
  size_t n_slots = labels->n_slots ? labels->n_slots * 2 : 64;
  uint32_t *slots = calloc(n_slots, sizeof *slots);
  if (!slots) return false;
  for (size_t i = 0; i < labels->n; i++) {
    const value v = value_of(&labels->list[i]);
    size_t at = hash_value(&v) & (n_slots - 1);
    while (slots[at]) at = (at + 1) & (n_slots - 1);
    slots[at] = (uint32_t)i + 1;
  }
  free(labels->slots);
  labels->slots = slots;
  labels->n_slots = n_slots;
  return true;
}

static bool equal(const nu_label *label, const value *v) {
  if (!v->text) return !label->text && memcmp(&label->number, &v->number, sizeof v->number) == 0;
  return label->text && strlen(label->text) == v->n && memcmp(label->text, v->text, v->n) == 0;
}

static numann_status add(nu_labels *labels, const value *v, uint64_t place, numann_error *err) {
  if (!nu_grow(&labels->list, &labels->capacity, labels->n + 1, sizeof *labels->list)) {
    return nu_fail_memory(err, labels->n * sizeof *labels->list, "class labels");
  }
  nu_label label = {.is_number = v->is_number, .number = v->number, .place = place};
  if (v->text && !(label.text = nu_copy_text(v->text, v->n))) {
    return nu_fail_memory(err, v->n, "class labels");
  }
  labels->list[labels->n++] = label;
  return NUMANN_OK;
}

static numann_status find_or_add(nu_labels *labels, const value *v, uint64_t place, uint32_t *id,
                                 numann_error *err) {
  *id = 0;
  if (labels->overflow) return NUMANN_OK;
  if (labels->n * 2 >= labels->n_slots && !grow_slots(labels)) {
    return nu_fail_memory(err, labels->n_slots * 2 * sizeof *labels->slots, "class labels");
  }
  size_t at = hash_value(v) & (labels->n_slots - 1);
  for (; labels->slots[at]; at = (at + 1) & (labels->n_slots - 1)) {
    *id = labels->slots[at] - 1;
    if (equal(&labels->list[*id], v)) return NUMANN_OK;
  }
  if (labels->n == NU_CLASSES_MAX) {
    labels->overflow = true;
    *id = 0;
    return NUMANN_OK;
  }
  *id = (uint32_t)labels->n;
  NU_TRY(add(labels, v, place, err));
  labels->slots[at] = *id + 1;
  return NUMANN_OK;
}

numann_status nu_labels_number(nu_labels *labels, double number, uint64_t place, uint32_t *id,
                               numann_error *err) {
  /* + 0.0 makes -0 the same label as 0 */
  const value v = {.is_number = true, .number = number + 0.0};
  return find_or_add(labels, &v, place, id, err);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* From here on a double does not hold every whole number. */
#define ALL_WHOLE 0x1p53
static bool is_large(double number) { return number >= ALL_WHOLE || number <= -ALL_WHOLE; }

/* Does the spelling of a number say more than its value? */
static bool is_spelled(const char *text, size_t n, double number) {
  size_t sign = text[0] == '-', digits = sign;
  if (n > sign + 1 && text[sign] == '0' && is_digit(text[sign + 1])) return true;
  while (digits < n && is_digit(text[digits])) digits++;
  return digits == n && is_large(number);
}

numann_status nu_labels_field(nu_labels *labels, const char *text, size_t n, const double *number,
                              uint64_t place, uint32_t *id, numann_error *err) {
  size_t plus = number && text[0] == '+';
  value v = {text + plus, n - plus, number != NULL, number ? *number : 0.0};
  if (number && !is_spelled(v.text, v.n, *number)) {
    return nu_labels_number(labels, *number, place, id, err);
  }
  return find_or_add(labels, &v, place, id, err);
}

numann_status nu_labels_join(nu_labels *labels, const nu_label *from, uint64_t place, uint32_t *id,
                             numann_error *err) {
  const value v = value_of(from);
  return find_or_add(labels, &v, place, id, err);
}

void nu_labels_clear(nu_labels *labels) {
  for (size_t i = 0; i < labels->n; i++) free(labels->list[i].text);
  free(labels->list);
  free(labels->slots);
  *labels = (nu_labels){0};
}

const nu_label *nu_labels_first_text(const nu_labels *labels) {
  for (size_t i = 0; i < labels->n; i++) {
    if (!labels->list[i].is_number) return &labels->list[i];
  }
  return NULL;
}

bool nu_label_is_whole(const nu_label *label) {
  double x = label->number;
  if (!label->is_number) return false;
  return is_large(x) ? label->text != NULL : (double)(int64_t)x == x;
}

/* Digits of the same sign without leading zeros, of which a longer text is the larger number. */
static int by_digits(const char *a, const char *b) {
  size_t m = strlen(a), n = strlen(b);
  return m != n ? (m > n) - (m < n) : strcmp(a, b);
}

static int by_number(const void *a, const void *b) {
  const nu_label *p = a, *q = b;
  if (p->number != q->number) return p->number > q->number ? 1 : -1;
  if (!p->text || !q->text) return (p->text != NULL) - (q->text != NULL);
  int order = by_digits(p->text, q->text);
  return p->number < 0.0 ? -order : order;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *name_of(const nu_label *label) {
  char buffer[NU_REAL_TEXT];
  const char *name = label->text ? label->text : nu_format_real(label->number, buffer);
  return nu_copy_text(name, strlen(name));
}

static void free_names(char **names, size_t n) {
  for (size_t i = 0; i < n; i++) free(names[i]);
  free(names);
}

numann_status nu_labels_names(const nu_labels *labels, char ***names, numann_error *err) {
  size_t bytes = labels->n * sizeof(nu_label);
  nu_label *sorted = malloc(bytes ? bytes : 1);
  *names = calloc(labels->n + 1, sizeof **names);
  bool held = sorted && *names;
  if (held && labels->n) memcpy(sorted, labels->list, bytes);
  if (held && !nu_labels_first_text(labels)) qsort(sorted, labels->n, sizeof *sorted, by_number);
  for (size_t i = 0; held && i < labels->n; i++) held = ((*names)[i] = name_of(&sorted[i]));
  free(sorted);
  if (held) {
    if (nu_labels_first_text(labels)) qsort(*names, labels->n, sizeof **names, by_name);
    return NUMANN_OK;
  }
  if (*names) free_names(*names, labels->n);
  *names = NULL;
  return nu_fail_memory(err, bytes, "class names");
}

/* A name with its class, to search by name: names are sorted by value, not bytewise. */
typedef struct entry {
  char *name;
  int32_t class;
} entry;

static int by_entry(const void *a, const void *b) {
  return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

numann_status nu_labels_match(const nu_labels *labels, char *const *names, size_t classes,
                              int32_t *class_of, size_t *unknown, numann_error *err) {
  *unknown = labels->n;
  entry *entries = calloc(classes + 1, sizeof *entries);
  if (!entries) return nu_fail_memory(err, classes * sizeof *entries, "class names");
  for (size_t c = 0; c < classes; c++) entries[c] = (entry){names[c], (int32_t)c};
  qsort(entries, classes, sizeof *entries, by_entry);
  numann_status status = NUMANN_OK;
  for (size_t i = 0; i < labels->n && *unknown == labels->n; i++) {
    entry wanted = {name_of(&labels->list[i]), 0};
    if (!wanted.name) {
      status = nu_fail_memory(err, NU_REAL_TEXT, "class names");
      break;
    }
    const entry *found = bsearch(&wanted, entries, classes, sizeof *entries, by_entry);
    if (found) class_of[i] = found->class;
    else *unknown = i;
    free(wanted.name);
  }
  free(entries);
  return status;
}
