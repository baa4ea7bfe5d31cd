/* Virtual ranks: the threads of one process in the place of a job's processes, for rehearsals and
 * tests. SPDX-License-Identifier: MIT
 *
 * Each thread takes one communicator of the list and does what a process of the job would do; what
 * they exchange is copied by the receiver, without a library. */
#ifndef NU_MACHINE_COMM_VIRTUAL_H
#define NU_MACHINE_COMM_VIRTUAL_H

#include "machine/comm.h"

/* `size` communicators, at least one; NULL when memory is refused. The list is freed as a whole,
 * when no rank uses it any more. */
nu_comm *nu_comm_virtual_create(size_t size);
void nu_comm_virtual_destroy(nu_comm *ranks);

#endif
