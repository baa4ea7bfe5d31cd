/* Table: the rows of one source as read, before splitting and scaling. SPDX-License-Identifier: MIT
 *
 * A row holds its features, then its targets, as floats; where the features are bytes, four of them
 * stand in the place of a float.
 *
 * Rows are kept in segments, so that memory grows with the bytes really read and is given back
 * segment by segment while the rows move to their places: the peak is the data once and one
 * segment. */
#ifndef NU_DATA_TABLE_H
#define NU_DATA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "data/crew.h"
#include "data/data.h"
#include "data/extent.h"
#include "data/labels.h"
#include "data/scaling.h"

typedef struct nu_segment {
  float *rows; /* [capacity][stride]; owned */
  size_t used, capacity;
} nu_segment;

typedef struct nu_table {
  char *name;          /* of the file that holds the targets, for messages; owned */
  bool by_line;        /* places are lines (CSV), else byte offsets */
  bool header_refuted; /* nobody said that the first line is a row, but it looks like one */
  size_t features, targets;
  bool bytes;           /* the features are whole numbers of 0 to 255, and stored as such */
  char **feature_names; /* [features], or NULL without header; owned */
  char **target_names;  /* [targets], or NULL without header; owned */
  size_t rows, dropped;
  nu_segment *segments; /* [n_segments], rows in file order; owned */
  size_t n_segments, segment_capacity;
  nu_labels labels;    /* targets == 1: the distinct values of the target */
  uint32_t *label_ids; /* targets == 1: [rows], index in labels; owned */
  size_t label_capacity;
  nu_text notes; /* lines, of the training file; owned */
  const nu_scaling
      *by;       /* [slots] what is done to values before they become floats, or NULL; borrowed */
  bool large[2]; /* features, targets: scaling will make floats of larger values */
  nu_extent *extents; /* [slots] of the columns, or NULL where nobody asks; owned */
  double *values;     /* [slots] of the row being read, for extents; owned */
} nu_table;

/* How to read large CSV files; for tests. */
typedef struct nu_reading {
  size_t threads;
  size_t part_bytes; /* text that a thread reads at a time; 0: record by record, without parts */
  size_t parts;      /* in a block, which is what lies in memory */
} nu_reading;

/* What to read: a file by the config's options, laid out like the schema unless that is NULL. */
typedef struct nu_request {
  nu_source source;
  const numann_config *config;
  const nu_schema *schema; /* NULL: the training file, which makes the schema */
  nu_crew *crew;
  const nu_scaling *by;      /* [slots] as in nu_table, or NULL; borrowed */
  const nu_reading *reading; /* NULL: as suits the machine, the config and the file */
} nu_request;
/* Without targets the rows are to be answered: none get no answers. */
static inline bool nu_may_be_empty(const nu_request *request) {
  return request->schema && !request->source.with_targets;
}
numann_status nu_table_read(nu_table *out, const nu_request *request, numann_error *err);
void nu_table_clear(nu_table *table);

/* Floats that the features of a row take, and the whole row. */
static inline size_t nu_table_features(const nu_table *table) {
  return table->bytes ? (table->features + 3) / 4 : table->features;
}
static inline size_t nu_table_stride(const nu_table *table) {
  return nu_table_features(table) + table->targets;
}
/* The float that stands for a value, which is no byte. False: it has none. */
static inline bool nu_table_float(const nu_table *table, size_t slot, double value, float *to) {
  const nu_scaling *by = table->by;
  *to = by ? nu_scale_number(value, by->shift[slot], by->scale[slot]) : (float)value;
  if (*to - *to == 0.0f) return true;
  bool fits = value >= -NU_VALUE_MAX && value <= NU_VALUE_MAX;
  return fits && table->large[slot >= table->features];
}
/* Set a slot of a row: they count the features, then the targets. False: no float stands for it. */
static inline bool nu_table_set(const nu_table *table, float *row, size_t slot, double value) {
  if (!table->bytes || slot >= table->features) {
    return nu_table_float(table, slot, value,
                          row + nu_table_features(table) + slot - table->features);
  }
  ((unsigned char *)row)[slot] = (unsigned char)value;
  return true;
}
/* The same for the row that nu_table_keep will count, which notes the values. */
static inline bool nu_table_put(const nu_table *table, float *row, size_t slot, double value) {
  if (table->values) table->values[slot] = value;
  return nu_table_set(table, row, slot, value);
}
/* Why nu_table_put said no, for messages. */
static inline const char *nu_table_refusal(const nu_table *table) {
  return table->by ? "is taken out of the range of a float by the scaling"
                   : "is too large for a float";
}

/* For the readers: the columns in use, and what the request says of their values. */
numann_status nu_table_shape(nu_table *table, size_t features, size_t targets,
                             const nu_request *request, numann_error *err);
/* Note the values of n slots of the row being read. */
void nu_table_note(nu_table *table, size_t first, size_t n);
/* For the readers: room for one more row; it counts once it is kept. */
numann_status nu_table_room(nu_table *table, float **row, numann_error *err);
/* Count the row; `label` is its index in labels (targets == 1). */
numann_status nu_table_keep(nu_table *table, uint32_t label, numann_error *err);

/* For readers that fill several tables at once and join them in the order of the file. */
/* Make it an empty table of the shape of `like`, which counts labels only if that still does. Keeps
 * its memory. False: more was refused. */
bool nu_table_restart(nu_table *table, const nu_table *like);
/* Count `rows` more rows, to be filled; *at is the first. */
numann_status nu_table_extend(nu_table *table, size_t rows, size_t *at, numann_error *err);
/* Where row i is. */
float *nu_table_row(nu_table *table, size_t i);
/* Fill the rows from `at` with those of another table; label_of [from->labels.n] are its labels'
 * places in `table`. Threads may fill different rows at the same time. */
void nu_table_fill(nu_table *table, size_t at, const nu_table *from, const uint32_t *label_of);

/* "file:line" or "file@offset" */
const char *nu_table_place(const nu_table *table, uint64_t place, char *text, size_t size);

/* The parts that a table may be split into. */
enum { NU_TRAIN, NU_VALIDATION, NU_TEST, NU_PARTS };

/* Move the rows to their parts and empty the table's segments. part: [rows], index of each in parts
 * [n_parts], n_parts <= NU_PARTS; NULL: all go to parts[0]. class_of: [labels.n], the class of each
 * label; NULL: the targets are values. */
numann_status nu_table_distribute(nu_table *table, const uint8_t *part, nu_rows *const *parts,
                                  size_t n_parts, const int32_t *class_of, nu_crew *crew,
                                  numann_error *err);

/* Which arrays a nu_rows has. */
typedef struct nu_row_shape {
  size_t features, targets; /* targets 0: none */
  bool bytes, labels;
} nu_row_shape;
/* Arrays of n rows, not cleared. */
numann_status nu_rows_allocate(nu_rows *rows, size_t n, const nu_row_shape *shape,
                               numann_error *err);

#endif
