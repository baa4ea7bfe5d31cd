/* The hosts of a job: what rank 0 tells of them. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_HOSTS_H
#define NU_CLI_HOSTS_H

#include "base/text.h"
#include "cli/json.h"
#include "machine/comm.h"
#include "machine/machine.h"

/* What a rank says of itself. */
typedef struct nu_host {
  char name[64];       /* of the machine */
  char isa[16];        /* instruction set of the kernels */
  uint64_t core_set;   /* hash of the cores in its affinity mask: one set has one */
  uint32_t host_cores; /* that the host's cpuset allows */
  uint32_t cores;      /* of them in its affinity mask */
  uint32_t threads;
} nu_host;

/* Every rank's, [comm->size], to be freed; each gives the machine as it sees it, and its threads.
 * NULL for one rank, and of a machine that is not this one. Collective; an error is all ranks'. */
numann_status nu_hosts_gather(nu_host **hosts, nu_comm *comm, const nu_machine *machine,
                              size_t threads, numann_error *err);

/* A line for all ranks that are alike, thus one a host as a rule, with `before` before it; and in
 * `doubts` what makes such a job slow: hosts that differ, more threads than cores, ranks on one
 * core set. Neither changes a number. */
void nu_hosts_describe(const nu_host *hosts, size_t ranks, const char *before, nu_text *lines,
                       nu_text *doubts);

/* The lines below a heading with the number of ranks and the MPI; "job" of a JSON object, which is
 * null for one rank (hosts is NULL). */
void nu_hosts_draw(const nu_host *hosts, size_t ranks, nu_text *out, nu_text *doubts);
void nu_hosts_json(const nu_host *hosts, size_t ranks, nu_json *json);

#endif
