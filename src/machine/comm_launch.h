/* How many processes did a launcher start, and does it make one job of them?
 * SPDX-License-Identifier: MIT */
#ifndef NU_MACHINE_COMM_LAUNCH_H
#define NU_MACHINE_COMM_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* What the environment says of all processes of the launch; size 0: there was none, or
 * NUMANN_MPI=off says that each process is on its own. A batch script's SLURM_NTASKS says nothing
 * of a single process in it, only a step of srun does. */
typedef struct nu_comm_launch {
  size_t size, rank;
  const char *variable; /* that gives the size; static */
  const char *line;     /* how to start one job of so many instead; static */
  bool joins;           /* it has told the processes how to find each other (PMI) */
} nu_comm_launch;

nu_comm_launch nu_comm_read_launch(void);

/* NUMANN_ERR_CONFIG: so many processes were started, but ...; and what to do. */
numann_status nu_comm_refuse_launch(const nu_comm_launch *launch, numann_error *err,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
