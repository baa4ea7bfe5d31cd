/* Trainer: runs the epochs, and asks its observer after every step and epoch.
 * SPDX-License-Identifier: MIT */
#ifndef NUMANN_TRAINER_H
#define NUMANN_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numann/config.h>
#include <numann/data.h>
#include <numann/network.h>
#include <numann/plan.h>
#include <numann/status.h>

typedef struct numann_trainer numann_trainer;

/* What an observer asks for. */
typedef enum numann_action {
  NUMANN_CONTINUE,
  NUMANN_SAVE, /* call on_save at this boundary, then go on */
  NUMANN_STOP  /* call on_save at this boundary, then return NUMANN_STOPPED */
} numann_action;

/* How far training has come, at the end of a step. */
typedef struct numann_progress {
  uint64_t step;        /* updates done since the start of training */
  uint64_t epoch;       /* the running epoch, counted from 1 */
  uint64_t epochs;      /* epochs to train */
  uint64_t batch;       /* batches done in this epoch */
  uint64_t batches;     /* batches in an epoch */
  uint64_t rows;        /* rows done in this epoch */
  double train_loss;    /* mean loss per row, over the rows of this epoch so far */
  double learning_rate; /* of the last step */
} numann_progress;

/* After an epoch. Means are over rows; loss as train.loss defines it. */
typedef struct numann_epoch {
  uint64_t epoch; /* counted from 1 */
  uint64_t epochs;
  uint64_t step;
  double train_loss;    /* mean over the epoch's rows, each before its step's update */
  double learning_rate; /* of the last step */
  bool validated;       /* are there validation rows? */
  double validation_loss;
  double validation_accuracy; /* classification: share of right answers; else NaN */
  double validation_rmse;     /* regression: in the target's own unit; else NaN */
  bool best;                  /* early stopping: the best epoch so far */
  double seconds;             /* wall time of the epoch, evaluation included */
  double samples_per_s;       /* training rows over training time */
} numann_epoch;

/* Any entry may be NULL. on_step is called by one thread while the others wait: return quickly,
 * call no numann function in it, and start no thread in it, which would inherit that thread's
 * binding to its core. on_epoch and on_save are called between parallel regions. */
typedef struct numann_observer {
  void *arg;
  numann_action (*on_step)(void *arg, const numann_progress *progress);
  numann_action (*on_epoch)(void *arg, const numann_epoch *epoch);
  numann_status (*on_save)(void *arg, numann_trainer *trainer, numann_error *err);
} numann_observer;

/* Borrows network, plan and data: all three must outlive the trainer. Training starts from the
 * network's weights. Two trainers may run at the same time in two threads, on networks of their
 * own. */
NUMANN_API numann_status numann_trainer_create(numann_trainer **out, const numann_config *config,
                                               numann_network *network, const numann_plan *plan,
                                               const numann_data *data, numann_error *err);

/* Train until train.epochs, early stopping, or the observer's NUMANN_STOP; then the network holds
 * the trained weights (the best ones under early stopping). observer may be NULL.
 * NUMANN_ERR_DIVERGED when a loss or weight is not finite; the message names the layer. The network
 * then holds finite weights: the best ones under early stopping; else those of the epoch with the
 * lowest loss (of validation rows, if any) or of the last save, whichever came later; before both,
 * those it began with.
 * NUMANN_STOPPED after a stop: calling it again continues.
 *
 * After a fork, the child may use numann as its parent may, in as many threads and to the same
 * bits, unless the fork was made while another thread was inside a numann function, or the forking
 * thread has run OpenMP regions of its own and none of numann's: GNU's runtime then waits for ever
 * for threads that stayed with the parent. Let such a child call exec first, or fork before. */
NUMANN_API numann_status numann_trainer_run(numann_trainer *trainer,
                                            const numann_observer *observer, numann_error *err);

NUMANN_API void numann_trainer_destroy(numann_trainer *trainer); /* NULL is allowed */

/* outputs [rows][n_L] = the network's answers to inputs [rows][n_0], on up to `threads` threads
 * (0: one). Inputs must be scaled as in training; nothing is scaled back. */
NUMANN_API numann_status numann_predict(const numann_network *network, size_t threads, size_t rows,
                                        const float *inputs, float *outputs, numann_error *err);

#endif
