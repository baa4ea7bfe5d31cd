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
/* A rank has given up without the others, who would wait for ever: from now on nobody waits, and
 * what has not been sent is received as zeros. Whoever is told so ends. From any thread. */
void nu_comm_virtual_break(nu_comm *ranks);
bool nu_comm_virtual_is_broken(nu_comm *ranks);

#endif
