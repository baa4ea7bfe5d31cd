/* A model that a command works with. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_MODEL_H
#define NU_CLI_MODEL_H

#include "base/status.h"
#include "checkpoint/model.h"
#include "cli/arguments.h"
#include "numann/config.h"

typedef struct nu_asked {
  numann_model *model;     /* owned */
  const nu_schema *schema; /* inside model */
  numann_config *config;   /* of the file, with --set applied; owned */
} nu_asked;

/* numann_model_load, its note as a warning, and the config. */
numann_status nu_asked_open(nu_asked *asked, const nu_arguments *args, const char *path,
                            numann_error *err);
void nu_asked_close(nu_asked *asked);

/* The config.yaml of the run that the file lies in, malloc'ed; NULL when there is none. */
char *nu_asked_run_config(const nu_asked *asked);

#endif
