/* The machine: what there is and what this process may use of it. SPDX-License-Identifier: MIT
 * Only view, topology and draw use hwloc. */
#ifndef NU_MACHINE_MACHINE_H
#define NU_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

/* A hardware thread that this process may use. */
typedef struct nu_processor {
  unsigned os;   /* the system's number */
  unsigned core; /* logical numbers, over the whole machine */
  unsigned l3;   /* of the last-level cache that the core shares with its neighbours */
  unsigned package;
  unsigned sibling; /* which of its core's usable hardware threads, from 0 */
  size_t node; /* index in nodes: its own, or the nearest one that has memory for this process */
} nu_processor;

/* A NUMA node whose memory this process may use. */
typedef struct nu_numa_node {
  unsigned os;  /* the system's number */
  size_t bytes; /* of memory; 0 where the machine names no sizes */
  size_t cores; /* usable cores nearest to it; 0: memory alone (HBM, CXL), or no core allowed */
  size_t busy;  /* threads of other trainings that are bound to it */
} nu_numa_node;

typedef struct nu_machine {
  /* [processing_units], in the order of nodes, caches, cores, siblings; owned */
  nu_processor *processors;
  nu_numa_node *nodes; /* [n_nodes]: numa_nodes with cores, then those without; owned */
  size_t n_nodes;
  bool foreign;      /* described by a synthetic string or a file: nothing of it can be bound */
  size_t host_cores; /* physical cores that the cpuset allows, whatever the affinity mask */
  size_t cores;      /* physical cores in the affinity mask */
  size_t all_cores;  /* of the whole machine, allowed or not */
  size_t processing_units; /* hardware threads in the affinity mask */
  size_t here;             /* the node on which this process was asked, by its index; else 0 */
  size_t numa_nodes;       /* NUMA nodes with cores of the mask (1 where none is reported) */
  size_t packages;         /* sockets in the mask */
  double quota;            /* cgroup CPU quota in cores; 0 = none */
  size_t page_bytes;       /* of an ordinary page; 0 = unknown */
  size_t memory_bytes;     /* memory of the nodes */
  size_t memory_limit;     /* cgroup limit in bytes; 0 = none */
  size_t l1d_bytes, l2_bytes, l3_bytes; /* of one cache; 0 = unknown */
  size_t omp_limit;                     /* OMP_NUM_THREADS, 0 = not set */
  size_t omp_most;                      /* threads that the OpenMP runtime gives, 0 = no limit */
  size_t slurm_limit;                   /* CPUs of this task by Slurm's variables, 0 = unknown */
  const char *slurm_name;               /* the variable that says so; static */
  size_t slots;         /* threads that can run at once: cores, or processing_units after
                           nu_machine_use_siblings */
  size_t threads_limit; /* smallest of slots, ceil(quota), slurm_limit, omp_limit, omp_most; >= 1 */
  char limited_by[64];  /* one of NU_BY_... of machine/limits.h, or the name of a Slurm variable */
  char model[96];       /* CPU model, "" = unknown */
} nu_machine;

/* Frees the arrays. */
void nu_machine_clear(nu_machine *machine);

/* Threads that run without taking turns; fake machines may leave slots out. */
static inline size_t nu_machine_slots(const nu_machine *machine) {
  return machine->slots ? machine->slots : machine->cores;
}

/* Let threads use every hardware thread, not just one per core (parallel.smt): more slots, and
 * perhaps a higher thread limit. */
void nu_machine_use_siblings(nu_machine *machine);

/* NUMANN_ERR_MEMORY when hwloc cannot load a topology: there is then nothing to clear. */
numann_status nu_machine_detect(nu_machine *machine, numann_error *err);

/* Where to look: for tests, and for machines that are not at hand. */
typedef struct nu_machine_source {
  const char *topology; /* hwloc synthetic description such as "node:2 core:4 pu:2", or the
                           path of a .xml file that lstopo wrote; NULL: this machine and this
                           process's affinity mask */
  const char *root; /* folder that stands for "/" where limits are read: "" is the real one; NULL: a
                       machine without limits, OMP_NUM_THREADS and Slurm's included */
} nu_machine_source;

/* nu_machine_detect from a source. NUMANN_ERR_CONFIG when hwloc cannot make a machine of
 * the description, which is read in a process of its own: others' files crash hwloc, or take its
 * time and memory. */
numann_status nu_machine_detect_from(nu_machine *machine, const nu_machine_source *source,
                                     numann_error *err);

/* The same, and the machine as a tree of text lines (packages, NUMA nodes, caches, cores), the
 * usable parts marked, then the limits and which of them set the thread count. For `numann topo`.
 */
numann_status nu_machine_draw_from(nu_machine *machine, const nu_machine_source *source,
                                   nu_text *out, numann_error *err);

/* Versions for --version: "hwloc 2.9.0". Static storage. */
const char *nu_machine_library(void);

#endif
