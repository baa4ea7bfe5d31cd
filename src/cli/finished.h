/* A run that has come to its end, under --resume=auto. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_FINISHED_H
#define NU_CLI_FINISHED_H

#include "base/status.h"
#include "cli/arguments.h"
#include "cli/run_folder.h"

/* The hash of the weights of a run that has nothing left to do under this command line: its model
 * and report are there, of this config and as many epochs; else "". What cannot be read is no end,
 * and is judged where the training goes on. */
numann_status nu_finished_find(char sha256[65], const nu_run_folder *folder,
                               const nu_arguments *args, numann_error *err);

/* A note, or the object of --json. */
numann_status nu_finished_tell(const char *sha256, const nu_run_folder *folder,
                               const nu_arguments *args, numann_error *err);

#endif
