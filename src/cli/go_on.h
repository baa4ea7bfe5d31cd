/* What a run that has stopped says of how it goes on. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_GO_ON_H
#define NU_CLI_GO_ON_H

#include "base/text.h"
#include "cli/arguments.h"

/* The command line that goes on with the run in `folder`, with the values that variables had. */
void nu_add_resume_command(const nu_arguments *args, const char *folder, nu_text *out);

/* Of a run that is stopped before its first step; static storage, NULL with --quiet. */
const char *nu_early_advice(const nu_arguments *args);

#endif
