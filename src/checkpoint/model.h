/* A model inside numann, for the command: what numann/model.h keeps to itself.
 * SPDX-License-Identifier: MIT */
#ifndef NU_CHECKPOINT_MODEL_H
#define NU_CHECKPOINT_MODEL_H

#include "checkpoint/checkpoint.h"
#include "numann/model.h"

struct numann_model {
  nu_saved saved;  /* without a state: a model keeps nothing that only a resume needs */
  char *path;      /* of the file, or the folder of the checkpoints; "" from memory; owned */
  char *note;      /* numann_model_note, or NULL; owned */
  bool checkpoint; /* was it read from one? Then the progress of the training: */
  uint64_t step;   /* updates done */
  uint64_t epoch;  /* whole epochs done */
  uint64_t batch;  /* batches done in the running epoch */
};

/* numann_model_predict for rows that are scaled already, as the readers of files give them. */
numann_status nu_model_answer_rows(const numann_model *model, size_t threads, const nu_rows *rows,
                                   double *outputs, numann_error *err);

#endif
