/* Crew: how many threads share the work on data, and how. SPDX-License-Identifier: MIT */
#ifndef NU_DATA_CREW_H
#define NU_DATA_CREW_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "machine/team.h"

/* Start with the config alone. */
typedef struct nu_crew {
  const numann_config *config;
  size_t limit; /* of threads; 0: not asked yet */
} nu_crew;

/* How many threads are worth their start for this many bytes: at most parallel.threads, and what
 * the machine allows. */
size_t nu_crew_size(nu_crew *crew, uint64_t bytes);

/* nu_team_run, but on one thread when more are refused: reading data needs no more. */
numann_status nu_crew_run(size_t threads, nu_team_fn *fn, void *arg, numann_error *err);

/* fn(0, arg) ... fn(n - 1, arg) in any order on any of the threads; errors are fn's own matter. */
typedef void nu_crew_fn(size_t i, void *arg);
void nu_crew_each(size_t threads, size_t n, nu_crew_fn *fn, void *arg);

#endif
