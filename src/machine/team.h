/* The thread team: the only OpenMP in numann. SPDX-License-Identifier: MIT
 *
 * nu_team_run opens one parallel region and calls fn(team, thread, arg) once on each of `threads`
 * threads, thread 0 being the caller. Every thread runs with nu_float_env_enter in force. */
#ifndef NU_MACHINE_TEAM_H
#define NU_MACHINE_TEAM_H

#include <stddef.h>

#include "base/status.h"

typedef struct nu_team nu_team;
typedef void nu_team_fn(nu_team *team, size_t thread, void *arg);

/* NUMANN_ERR_MEMORY when the system or the OpenMP runtime gives fewer threads; fn then ran on none. */
numann_status nu_team_run(size_t threads, nu_team_fn *fn, void *arg, numann_error *err);

/* The same with a call on `working` of the threads only, as threads 0 to working - 1; the others run, and
 * wait for the end. */
numann_status nu_team_run_some(size_t threads, size_t working, nu_team_fn *fn, void *arg, numann_error *err);

/* All working threads of the team arrive before any leaves; what was written before is seen after. Spins
 * briefly, then sleeps; sleeps at once when the team has more threads than cores may run. */
void nu_team_barrier(nu_team *team);

/* OS numbers of the processors in the OpenMP runtime's places, the first `capacity` of them into ids.
 * Returns how many there are; 0 where the runtime has no places. With OMP_PROC_BIND or OMP_PLACES
 * set, the runtime pins the first thread before main, and only this tells what the process may use. */
size_t nu_team_places(int *ids, size_t capacity);

/* "OpenMP 4.5 (201511)". Static storage. */
const char *nu_team_library(void);

#endif
