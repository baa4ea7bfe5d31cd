/* A model that a command works with. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_MODEL_H
#define NU_CLI_MODEL_H

#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "cli/arguments.h"
#include "numann/config.h"

typedef struct nu_model {
  char *path;            /* of the file; owned */
  nu_saved saved;        /* owned */
  numann_config *config; /* of the file, with --set applied; owned */
} nu_model;

/* `path`: a model, a checkpoint, or a run folder, whose model or else newest checkpoint is meant.
 */
numann_status nu_model_open(nu_model *model, const nu_arguments *args, const char *path,
                            numann_error *err);
void nu_model_close(nu_model *model);

/* The config.yaml of the run that the file lies in, malloc'ed; NULL when there is none. */
char *nu_model_run_config(const nu_model *model);

/* Is `path` a folder? */
bool nu_is_folder(const char *path);

#endif
