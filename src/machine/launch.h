/* Is this process launched so that it can be fast? SPDX-License-Identifier: MIT
 *
 * What is wrong with a launch line shows in masks, variables and neighbours before anything is
 * slow. At most one message: the worst of the checks in launch.c. */
#ifndef NU_MACHINE_LAUNCH_H
#define NU_MACHINE_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/machine.h"

#define NU_LAUNCH_MESSAGE 2048

/* How a launcher tells the processes that it starts on a host, and gives each `cores` cores:
 * "<start><cores><end> numann ...". */
typedef struct nu_launcher {
  const char *variable;
  const char *start, *end;
  bool binds; /* every process to one core, where it is told nothing else */
} nu_launcher;

/* What is around the process. Texts are the environment's, or static. */
typedef struct nu_launch {
  size_t slurm_cpus; /* that Slurm promises this task; 0: no job, or several tasks share them */
  const char *slurm_name;      /* the variable that says so */
  const nu_launcher *launcher; /* of several processes; NULL: none */
  size_t local_ranks;          /* that it started on this host; 0 without a launcher */
  const char *omp_places;      /* OMP_PLACES and OMP_PROC_BIND; NULL: not set */
  const char *omp_bind;
  long neighbour; /* another numann that has computed for a second; 0: none */
  size_t neighbour_threads;
  size_t neighbour_shares; /* processors of ours that it may run on */
  size_t sharing_ranks;    /* others of this launch, however young, that may run on some of them */
} nu_launch;

/* Of this process. */
typedef struct nu_launch_threads {
  size_t ordered; /* 0: auto */
  size_t running; /* as planned; 0: no plan yet, so the order, or as many as may run */
  bool bound;     /* by numann, whatever OMP_PROC_BIND says */
} nu_launch_threads;

typedef enum nu_launch_finding {
  NU_LAUNCH_NOTHING,
  NU_LAUNCH_CROWDED, /* this process's threads are too many for its cores, which nobody needs to say
                        again */
  NU_LAUNCH_OTHER,
} nu_launch_finding;

/* root: folder that stands for "/", as for nu_limits_read. */
nu_launch nu_launch_read(const nu_machine *machine, const char *root);

/* The message says what was found, what it does, and the line to use. A mere excess of threads over
 * slots is not told here: the plan's note says it. */
nu_launch_finding nu_launch_check(const nu_machine *machine, nu_launch_threads threads,
                                  const nu_launch *launch, char message[NU_LAUNCH_MESSAGE]);

/* Both for this process. Nothing also for a machine that is not this one, and with
 * NUMANN_DIAGNOSIS=off. */
nu_launch_finding nu_launch_diagnose(const nu_machine *machine, nu_launch_threads threads,
                                     char message[NU_LAUNCH_MESSAGE]);

#endif
