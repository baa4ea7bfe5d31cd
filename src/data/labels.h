/* Labels: the distinct values of a target column, as classes. SPDX-License-Identifier: MIT */
#ifndef NU_DATA_LABELS_H
#define NU_DATA_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define NU_CLASSES_MAX 65536

/* A value: a number, or a text that is not one. "1", "1.0" and the IDX byte 1 are the same number.
 * A number whose spelling says more than its value keeps it: "01", and whole numbers from 2^53 on,
 * of which a double does not hold all. */
typedef struct nu_label {
  char *text; /* of a text, or the spelling; owned; NULL for other numbers */
  bool is_number;
  double number;
  uint64_t place; /* where it was first seen: line, or byte offset */
} nu_label;

typedef struct nu_labels {
  size_t n;
  nu_label *list; /* [n] in order of appearance; owned */
  size_t capacity;
  uint32_t *slots; /* [n_slots] open-addressing hash table of index + 1, 0 = free; owned */
  size_t n_slots;
  bool overflow; /* more than NU_CLASSES_MAX: no classes, and no longer counted */
} nu_labels;

/* *id = the index of the value in the list, where it is added when new; 0 after overflow. A field
 * of text is a number when its value is given, else (NULL) a text. */
numann_status nu_labels_number(nu_labels *labels, double number, uint64_t place, uint32_t *id,
                               numann_error *err);
numann_status nu_labels_field(nu_labels *labels, const char *text, size_t n, const double *number,
                              uint64_t place, uint32_t *id, numann_error *err);
/* The same value as in another list. */
numann_status nu_labels_join(nu_labels *labels, const nu_label *from, uint64_t place, uint32_t *id,
                             numann_error *err);
void nu_labels_clear(nu_labels *labels);

/* The first text in the list, or NULL when all are numbers. */
const nu_label *nu_labels_first_text(const nu_labels *labels);
/* A whole number, and told apart from every other? */
bool nu_label_is_whole(const nu_label *label);

/* The class names of the labels, sorted: all numbers by value, else all bytewise. *names: [n],
 * owned by the caller. */
numann_status nu_labels_names(const nu_labels *labels, char ***names, numann_error *err);

/* class_of [n]: each label's index among names [classes]; the id of the first that is not among
 * them in *unknown, else n. */
numann_status nu_labels_match(const nu_labels *labels, char *const *names, size_t classes,
                              int32_t *class_of, size_t *unknown, numann_error *err);

#endif
