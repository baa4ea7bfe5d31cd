/* The hosts of a job: what rank 0 tells of them at the start. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_HOSTS_H
#define NU_CLI_HOSTS_H

#include "base/text.h"
#include "machine/comm.h"

/* What a rank says of itself. */
typedef struct nu_host {
  char name[64]; /* of the machine */
  char isa[16];  /* instruction set of the kernels */
  uint32_t cores, threads;
} nu_host;

/* Every rank's, into hosts[comm->size]. Collective. */
void nu_hosts_gather(nu_comm *comm, const nu_host *own, nu_host *hosts);

/* A line for each run of neighbouring ranks that are alike; and in `doubts` what makes such a job
 * slow: hosts that differ, or more threads than cores. Neither changes a number. */
void nu_hosts_describe(const nu_host *hosts, size_t ranks, nu_text *lines, nu_text *doubts);

#endif
