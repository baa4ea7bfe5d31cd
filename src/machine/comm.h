/* The communicator: the processes of one training, its ranks. SPDX-License-Identifier: MIT
 *
 * The only place that will know MPI. comm_single.c is the twin of one process, in which everybody
 * always agrees; the trainer speaks to the ranks through these functions in either case.
 * Collective: every rank calls each of them at the same point of its program. */
#ifndef NU_MACHINE_COMM_H
#define NU_MACHINE_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct nu_comm {
  size_t rank, size; /* which of how many */
} nu_comm;

/* All ranks of this program. */
nu_comm nu_comm_world(void);

/* An error on one rank is an error on all, so that none waits for another that has given up: the
 * status of the first rank that failed, its message in *err. */
numann_status nu_comm_agree(const nu_comm *comm, numann_status status, numann_error *err);

/* Have all ranks the same number? A hash of what must be alike everywhere, such as the problem. */
bool nu_comm_is_same(const nu_comm *comm, uint64_t hash);

#endif
