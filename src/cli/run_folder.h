/* The folder of a run: who may write it, what it holds, and how a run continues from it.
 * SPDX-License-Identifier: MIT
 *
 *   config.yaml metrics.csv metrics.jsonl checkpoints/ck-*.safetensors
 *   model.safetensors report.html */
#ifndef NU_CLI_RUN_FOLDER_H
#define NU_CLI_RUN_FOLDER_H

#include <stdbool.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "cli/arguments.h"
#include "numann/config.h"

typedef struct nu_run_folder {
  char *path;        /* owned */
  char *checkpoints; /* path/checkpoints; owned */
  nu_run_lock lock;
  bool locked;
} nu_run_folder;

/* --out, or runs/<name of the config>. Refuses a folder that holds a run, unless --resume or
 * --overwrite says what to do with it. Changes nothing on the disk. */
numann_status nu_run_folder_choose(nu_run_folder *folder, const nu_arguments *args,
                                   const numann_config *config, numann_error *err);

/* Make the folder, take its lock, and look again. With --resume=auto a lock that another has is
 * waited for. */
numann_status nu_run_folder_claim(nu_run_folder *folder, const nu_arguments *args,
                                  numann_error *err);

/* With --overwrite: remove the files of the earlier run, and no other file. */
numann_status nu_run_folder_empty(const nu_run_folder *folder, numann_error *err);

/* With --resume: the newest valid checkpoint; *found false when the run has none yet. The rejected
 * ones are listed on stderr. */
numann_status nu_run_folder_newest(nu_saved *saved, bool *found, const nu_run_folder *folder,
                                   numann_error *err);

/* path/name, malloc'ed; NULL when refused. */
char *nu_run_folder_file(const nu_run_folder *folder, const char *name);
/* Write a text as path/name, durably. */
numann_status nu_run_folder_write(const nu_run_folder *folder, const char *name,
                                  const nu_text *text, numann_error *err);

void nu_run_folder_close(nu_run_folder *folder);

#endif
