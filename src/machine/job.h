/* The time of the batch job that this process is part of. SPDX-License-Identifier: MIT */
#ifndef NU_MACHINE_JOB_H
#define NU_MACHINE_JOB_H

#include <stdbool.h>

#include "base/text.h"

typedef struct nu_job_time {
  double left;   /* seconds to its end; below 0: it is over */
  double length; /* of the whole job */
} nu_job_time;

/* What Slurm says: the environment (SLURM_JOB_END_TIME, of newer ones), else squeue, else scontrol,
 * each for some seconds at most. False: there is no job, it has no end, or nobody tells; `why` is a
 * line about that. */
bool nu_job_time_read(nu_job_time *out, nu_text *why);

#endif
