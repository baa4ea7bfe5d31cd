/* How much memory a training will take, by purpose. SPDX-License-Identifier: MIT */
#ifndef NU_PLAN_MEMORY_H
#define NU_PLAN_MEMORY_H

#include "plan/ledger.h"

/* What the plan does not know of the training. */
typedef struct nu_memory_request {
  size_t train_rows, validation_rows, test_rows;
  size_t input_bytes;   /* that the data keeps for a number: 4, or 1 where the files hold bytes */
  size_t target_floats; /* that the data keeps for a row: 1 for classes */
  bool best;            /* early stopping keeps the best weights */
  bool copied;          /* the rows come from arrays in memory and not from files */
  bool evaluated;       /* validation, or the measuring of all rows at the end */
} nu_memory_request;

typedef struct nu_memory_part {
  const char *purpose; /* static storage */
  size_t bytes;
} nu_memory_part;

enum { NU_MEMORY_PARTS = 14 };
typedef struct nu_memory {
  nu_memory_part parts[NU_MEMORY_PARTS]; /* together what there is at the fullest moment */
  size_t n_parts;
  size_t bytes; /* their sum: the process's largest resident set; of ranks that share their data
                   (data/share.h) each has all of them in it, and the host holds them once */
} nu_memory;

nu_memory nu_plan_memory(const nu_plan *plan, const numann_network *network,
                         const nu_memory_request *request);

/* The plan of an evaluation of so many rows: batches of rows, a grain for each thread. Which rows
 * meet in a batch does not enter a row's numbers. */
nu_plan nu_plan_for_evaluation(size_t threads, size_t rows);

#endif
