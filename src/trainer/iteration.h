/* Iterations: how a method takes a step. SPDX-License-Identifier: MIT
 *
 * Descent (descent.c) is one pass over a batch and one element-wise rule. A method that needs more,
 * such as the loss at trial weights, has an iteration of its own: a file beside this one and a row
 * in iteration.c. */
#ifndef NU_TRAINER_ITERATION_H
#define NU_TRAINER_ITERATION_H

#include "trainer/optimizer.h"
#include "trainer/step.h"

/* What an iteration works with; every thread of the team sees the same one. */
typedef struct nu_training {
  nu_engine engine;
  nu_optimizer optimizer;
  const nu_rows *rows; /* to train on; borrowed */
  uint32_t *order;     /* [rows]: the rows of the running epoch in order; owned */
  double *numbers;     /* [method->n_numbers]: of the state; written by thread 0 alone */
  bool fused;          /* the optimiser runs where the gradient is formed */
} nu_training;

/* One step, the same on every thread. */
typedef struct nu_step {
  uint64_t number; /* updates done before it */
  size_t first;    /* of the batch, in the order of the epoch */
  size_t rows;     /* of the batch */
} nu_step;

typedef struct nu_outcome {
  double loss;          /* sum of the row losses before the update */
  double learning_rate; /* of the step */
} nu_outcome;

typedef struct nu_iteration {
  /* Called by every thread of the team: takes a step and adds its losses to outcome->loss. No
   * decision may depend on the thread. False: the losses of the batch are not finite, and the
   * weights untouched. */
  bool (*step)(nu_training *training, nu_team *team, size_t thread, const nu_step *step,
               nu_outcome *outcome);
  /* The learning rate of the last step; NULL: the schedule's. */
  double (*rate)(const nu_training *training);
} nu_iteration;

const nu_iteration *nu_iteration_of(const nu_method *method);

/* ---- for iterations */

/* Continue the sum of row losses in the order of the rows: the same on every thread. */
double nu_add_losses(const nu_engine *engine, size_t rows, double sum);

/* ---- the rows of the table */

extern const nu_iteration nu_descent, nu_lbfgs;

#endif
