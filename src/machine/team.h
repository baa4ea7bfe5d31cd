/* The thread team: the only OpenMP in numann. SPDX-License-Identifier: MIT
 *
 * nu_team_run opens one parallel region and calls fn(team, thread, arg) once on each of `threads`
 * threads, thread 0 being the caller. Every thread runs with nu_float_env_enter in force. In a
 * process that was forked by a thread which had a team, the threads are plain ones: OpenMP's have
 * stayed with the parent. */
#ifndef NU_MACHINE_TEAM_H
#define NU_MACHINE_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct nu_team nu_team;
typedef void nu_team_fn(nu_team *team, size_t thread, void *arg);

/* NUMANN_ERR_MEMORY when the system or the OpenMP runtime gives fewer threads; fn then ran on none.
 */
numann_status nu_team_run(size_t threads, nu_team_fn *fn, void *arg, numann_error *err);

/* The same, but fn is called only on `working` of the threads, numbered 0 to working - 1; the
 * others wait for the end. */
numann_status nu_team_run_some(size_t threads, size_t working, nu_team_fn *fn, void *arg,
                               numann_error *err);

/* Processors by their OS numbers: what one thread may run on. */
typedef struct nu_cpus {
  const unsigned *os; /* [n], borrowed */
  size_t n;
} nu_cpus;

/* Where working threads run, for the length of a region: each gets its own mask back at the end. */
typedef struct nu_binding {
  const nu_cpus *cpus; /* [working], borrowed; NULL: binds nothing */
  atomic_int refusal;  /* errno of a binding that the system refused: that thread stays unbound */
} nu_binding;

/* nu_team_run_some with the working threads bound; binding NULL: unbound. */
numann_status nu_team_run_bound(size_t threads, size_t working, nu_binding *binding, nu_team_fn *fn,
                                void *arg, numann_error *err);

/* Whether the calling thread is bound to these processors, and now runs on one of them. */
bool nu_team_is_on(const nu_cpus *cpus);

/* The processor on which the calling thread runs, by the system's number; -1: unknown. */
int nu_team_processor(void);

/* Call at the start of a program, before any use of OpenMP. LLVM's runtime ends a program that is
 * not allowed to bind its threads; where that is so, this tells it not to try (KMP_AFFINITY). GNU's
 * tries only under OMP_PROC_BIND. */
void nu_team_expect_refusal(void);

/* Does the OpenMP runtime bind threads (OMP_PROC_BIND, OMP_PLACES)? Then os[w] becomes a processor
 * of the place where it has put worker w of a team; workers in one place divide its processors
 * among them. */
bool nu_team_binds(void);
numann_status nu_team_seats(size_t threads, size_t working, unsigned *os, numann_error *err);

/* All working threads of the team arrive before any leaves; what was written before is seen after.
 * Spins briefly, then sleeps; sleeps at once when the team has more threads than can run at once.
 */
void nu_team_barrier(nu_team *team);

/* OS numbers of the processors in the OpenMP runtime's places, the first `capacity` of them into
 * ids. Returns how many there are; 0 where the runtime has no places. With OMP_PROC_BIND or
 * OMP_PLACES set, the runtime pins the first thread before main, and only this tells what the
 * process may use. */
size_t nu_team_places(int *ids, size_t capacity);
/* How many processors those are; those of the calling thread's mask where there are no places, and
 * all that are online where the system refuses to tell the mask. At least 1. */
size_t nu_team_processors(void);
/* Does the system tell the calling thread's mask? A strict filter of system calls may refuse. */
bool nu_team_knows_mask(void);

/* Threads that the OpenMP runtime gives at most (OMP_THREAD_LIMIT, or its own names of that); 0: it
 * has no limit. */
size_t nu_team_limit(void);

/* "OpenMP 4.5 (201511)". Static storage. */
const char *nu_team_library(void);

#endif
