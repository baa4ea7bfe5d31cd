/* Data inside numann. SPDX-License-Identifier: MIT
 *
 * file -> table (reader by format) -> schema (names, classes) -> split -> scale -> numann_data
 *
 * Classes or values: data.targets decides; `auto` means classes when there is one target column and
 *   - it holds text, or
 *   - train.loss is cross_entropy or binary_cross_entropy, or
 *   - the last layer has more than one neuron, or a step activation;
 * values otherwise. Classes are named by their text or whole number and sorted, numbers by value
 * and texts bytewise; the list comes from the whole training file, before any split. A network with
 * one output gets class 0 as 0 and class 1 as 1; the trainer does that, here they are labels.
 *
 * Rows keep the order of their file in every part (split.h). Values become float as they are read,
 * or stay the bytes that they are, and are scaled from there: every format gives the same bits.
 * Columns of which floats would lose what matters are scaled from doubles (extent.h). */
#ifndef NU_DATA_DATA_H
#define NU_DATA_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "machine/comm.h"
#include "numann/data.h"

/* x -> (x - shift) * scale, in double, rounded to float once. */
typedef struct nu_scaling {
  double *shift; /* [n], owned */
  double *scale; /* [n], owned */
} nu_scaling;

/* The rows of one part. Either inputs or bytes is NULL, and either targets or labels. All arrays:
 * on the heap, aligned to 64, owned by the nu_rows. Data read as bytes stay bytes, a quarter of the
 * memory: they are scaled whenever a row is used, with the same bits as if scaled when read. */
typedef struct nu_rows {
  size_t rows;
  float *inputs;      /* [rows][features], scaled */
  uint8_t *bytes;     /* [rows][features], to be scaled by: */
  nu_scaling scaling; /* of bytes, [features]; else NULL arrays */
  float *targets;     /* [rows][targets], scaled; regression */
  int32_t *labels;    /* [rows] in [0, classes); classification */
  bool shared;        /* the arrays, but not the scaling, are other processes', too (share.h): they
                         are not freed, not moved and not written */
} nu_rows;

/* Rows of the caller's own arrays, for functions that take const nu_rows *: inputs [rows][features]
 * and targets [rows][targets], scaled; NULL where there are none. Borrowed until the last use and
 * never written; not for nu_rows_clear. */
nu_rows nu_rows_view(size_t rows, const float *inputs, const float *targets);

/* Inputs `first` to first + n of a row, scaled. When they are bytes, call it only in the
 * floating-point state of machine/float_env.h. The trainer has a kernel for it. */
void nu_rows_inputs(const nu_rows *rows, size_t features, size_t row, size_t first, size_t n,
                    float *to);

/* What a model must remember of its data, to read other files in the same way and to name its
 * answers. */
typedef struct nu_schema {
  size_t features;
  char **feature_names; /* [features], or NULL when the source had no names; owned */
  size_t classes;       /* 0 for regression */
  char **class_names;   /* [classes], owned; NULL for regression */
  size_t targets;       /* regression: numbers per row; classification: 0 */
  char **target_names;  /* [targets or, for classes, 1], or NULL; owned */
  nu_scaling inputs;    /* [features] */
  nu_scaling outputs;   /* [targets]; regression only, else NULL arrays */
} nu_schema;

/* Columns that hold targets. */
static inline size_t nu_schema_target_columns(const nu_schema *schema) {
  return schema->classes ? 1 : schema->targets;
}

struct numann_data {
  nu_schema schema;
  nu_rows train, validation, test; /* rows = 0 where there is none */
  size_t rows_dropped;             /* by data.blank: drop_row */
  nu_text notes;                   /* lines, for the user who trains; owned */
  nu_comm *comm; /* that its rows are shared by, borrowed; NULL: they are not (share.h) */
  void **areas;  /* [comm->size]: where their memory is; owned */
};

void nu_rows_clear(nu_rows *rows);
void nu_schema_clear(nu_schema *schema);
numann_status nu_schema_copy(nu_schema *out, const nu_schema *schema, numann_error *err);
/* What a schema of these counts has nothing to say about: classes without names are called "0", "1"
 * ..., inputs and outputs without scaling stay as they are. */
numann_status nu_schema_complete(nu_schema *schema, numann_error *err);

/* Read another file of the schema's shape, for eval (with targets) and predict (without; target
 * columns are passed over when present). path "-" is standard input. Columns are found by name when
 * the file has a header and the schema has names, else by position. `config` gives the file options
 * (separator, drop, blank ...). The schema's scaling is applied, to targets too. Without targets
 * every row must be complete, whatever data.blank says, so that answer i is always that of row i.
 */
typedef struct nu_source {
  const char *path;        /* CSV, NPY table, or the array of inputs (IDX, NPY) */
  const char *labels_path; /* NULL, or the array of labels or targets (IDX, NPY) */
  bool with_targets;
} nu_source;
numann_status nu_data_read(nu_rows *out, const nu_source *source, const nu_schema *schema,
                           const numann_config *config, numann_error *err);

/* Row order of an epoch: a permutation of 0..rows-1, a pure function of seed and epoch.
 * order: [rows], owned by the caller. shuffle false: 0, 1, 2 ... */
void nu_data_order(uint32_t *order, size_t rows, uint64_t seed, uint64_t epoch, bool shuffle);

/* Back to the user's unit: y / scale + shift, for target column j. */
double nu_unscale(const nu_scaling *scaling, size_t j, double y);

#endif
