/* Limits that the system and the user put on this process. SPDX-License-Identifier: MIT */
#ifndef NU_MACHINE_LIMITS_H
#define NU_MACHINE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/machine.h"

typedef struct nu_limits {
  double quota;           /* cgroup CPU quota in cores; 0 = none */
  size_t memory;          /* cgroup memory limit in bytes; 0 = none */
  size_t omp;             /* the first number of OMP_NUM_THREADS; 0 = not set */
  size_t omp_most;        /* threads that the OpenMP runtime gives at most; 0 = no limit */
  size_t slurm;           /* CPUs that Slurm gave this task; 0 = no job, or unknown */
  const char *slurm_name; /* the variable that says so; static, NULL where slurm is 0 */
} nu_limits;

/* cgroups of version 1, 2 and both mixed: the smallest of the process's group and all groups above
 * it. root: folder that stands for "/", "" being the real one; NULL is a machine without limits,
 * whatever the environment says of this one. What cannot be read is no limit.
 *
 * Slurm's variables count where SLURM_JOB_ID is set: SLURM_CPUS_PER_TASK, else SLURM_CPUS_ON_NODE
 * where the job, or the step, has one task on every node; with several, only
 * the affinity mask tells what belongs to this one. */
nu_limits nu_limits_read(const char *root);

/* Reads them into the machine, and sets its thread limit. */
void nu_limits_apply(nu_machine *machine, const char *root);

/* The thread limit with this many processors, guessed at one thread per processor. For callers that
 * need no better: counting the cores takes a tenth of a second on a machine with 256. */
size_t nu_limits_threads(size_t processors, const char *root);

/* The names of what may set the thread limit; machine->limited_by is one of them, or the name of
 * Slurm's variable. */
#define NU_BY_CORES "cores of the affinity mask"
#define NU_BY_SIBLINGS "hardware threads of the affinity mask"
#define NU_BY_QUOTA "cgroup CPU quota"
#define NU_BY_OMP "OMP_NUM_THREADS"
#define NU_BY_OMP_MOST "OMP_THREAD_LIMIT"

/* The NUMA nodes that the kernel allows this process, as it lists them ("0-1,3"). False: unknown.
 */
#define NU_NODE_LIST 256
bool nu_limits_nodes(const char *root, char list[NU_NODE_LIST]);

#endif
