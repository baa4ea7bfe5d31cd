/* Was this process launched so that it can run fast? SPDX-License-Identifier: MIT
 *
 * A bad launch line shows in affinity masks, environment variables and other processes before
 * anything runs slowly. There is at most one message, for the worst finding of launch.c. */
#ifndef NU_MACHINE_LAUNCH_H
#define NU_MACHINE_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/machine.h"

#define NU_LAUNCH_MESSAGE 2048

/* How a launcher says how many processes it starts on a host, and how it is told to give each of
 * them `cores` cores: "<start><cores><end> numann ...". */
typedef struct nu_launcher {
  const char *variable;
  const char *start, *end;
  bool binds; /* every process to one core, unless told otherwise */
} nu_launcher;

/* The surroundings of the process. Strings belong to the environment, or are static. */
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
  size_t sharing_ranks;    /* other processes of this launch, however young, that may run there */
  bool joined; /* they are ranks of one job, which tell each other: what is wrong of several at once
                  is told of all of them (cli/hosts.h) */
} nu_launch;

/* The threads of this process. */
typedef struct nu_launch_threads {
  size_t ordered; /* 0: auto */
  size_t running; /* as planned; 0: no plan yet, then as ordered, or as many as may run */
  bool bound;     /* by numann, whatever OMP_PROC_BIND says */
} nu_launch_threads;

typedef enum nu_launch_finding {
  NU_LAUNCH_NOTHING,
  NU_LAUNCH_CROWDED, /* more threads than cores in this process: no one else need say so */
  NU_LAUNCH_OTHER,
} nu_launch_finding;

/* "mpirun ... numann ...": how the launcher of this process gives each rank so many cores. False:
 * there is none. */
#define NU_LAUNCH_LINE 96
bool nu_launch_line(size_t cores, char line[NU_LAUNCH_LINE]);

/* root: folder that stands for "/", as for nu_limits_read. */
nu_launch nu_launch_read(const nu_machine *machine, const char *root);

/* Counts the threads of other trainings that may run on one node alone (busy). */
void nu_launch_count_bound(nu_machine *machine, const char *root);

/* The message says what was found, what it does, and the line to use. A mere excess of threads over
 * slots is not reported here: the plan's note says so. */
nu_launch_finding nu_launch_check(const nu_machine *machine, nu_launch_threads threads,
                                  const nu_launch *launch, char message[NU_LAUNCH_MESSAGE]);

/* Read and check, for this process. NU_LAUNCH_NOTHING also for a machine other than this one, and
 * with NUMANN_DIAGNOSIS=off. */
nu_launch_finding nu_launch_diagnose(const nu_machine *machine, nu_launch_threads threads,
                                     char message[NU_LAUNCH_MESSAGE]);

#endif
