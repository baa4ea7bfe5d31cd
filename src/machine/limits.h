/* Limits that the system and the user put on this process. SPDX-License-Identifier: MIT */
#ifndef NU_MACHINE_LIMITS_H
#define NU_MACHINE_LIMITS_H

#include <stddef.h>

typedef struct nu_limits {
  double quota;  /* cgroup CPU quota in cores; 0 = none */
  size_t memory; /* cgroup memory limit in bytes; 0 = none */
  size_t omp;    /* the first number of OMP_NUM_THREADS; 0 = not set */
} nu_limits;

/* cgroups of version 1, 2 and both mixed: the least of the process's group and all groups above it.
 * root: folder that stands for "/", "" being the real one; NULL reads no cgroup. What cannot be read
 * is no limit. */
nu_limits nu_limits_read(const char *root);

#endif
