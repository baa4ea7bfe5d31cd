/* numann train --virtual-ranks: a job of many ranks, rehearsed in one process.
 * SPDX-License-Identifier: MIT */
#ifndef NU_CLI_REHEARSE_H
#define NU_CLI_REHEARSE_H

#include "cli/arguments.h"

/* Is a rehearsal wanted? NUMANN_ERR_CONFIG for options that do not go together. */
numann_status nu_rehearsal_asked(bool *asked, const nu_arguments *args, numann_error *err);
numann_status nu_rehearse(const nu_arguments *args, numann_error *err);

#endif
