/* Placement: which thread runs on which core, and which byte lies on which NUMA node.
 * SPDX-License-Identifier: MIT
 *
 * Pure functions of machine, plan and network: nothing here binds a thread or touches a page. The
 * trainer applies them (trainer/memory.c, machine/team.h, machine/pages.h). Placement never changes
 * a number.
 *
 * Threads are numbered node by node, so that the panels of a node's threads, which are consecutive,
 * are one stripe. A buffer is cut into stripes, of one node each, at page boundaries; where panels
 * of different nodes would meet inside a page, panels are a multiple of pages apart
 * (nu_plan_panel_floats). */
#ifndef NU_PLAN_PLACEMENT_H
#define NU_PLAN_PLACEMENT_H

#include "base/text.h"
#include "plan/parts.h"

#define NU_PAGE \
  4096u /* bytes; stripes are cut at multiples of this; with other pages no memory is placed */
/* Smaller arrays of training rows stay where they are: their pages are of the heap, and belong to
 * others as well. */
#define NU_LEAST_DATA (64u * NU_PAGE)
enum { NU_MOST_REPLICAS = 64 };

/* How cores are taken where there are more of them than threads. */
typedef enum nu_placing {
  NU_PLACE_AUTO,    /* compact where the network fits one node's last-level cache, else scatter */
  NU_PLACE_COMPACT, /* fill one node, one cache after the other */
  NU_PLACE_SCATTER, /* the same number of threads on every node, and on every cache of it */
  NU_PLACE_NONE,    /* the system's business */
  NU_PLACINGS
} nu_placing;
const char *nu_placing_name(nu_placing placing);

/* What a thread may run on. */
typedef enum nu_width {
  NU_BIND_NOT,  /* as the process may */
  NU_BIND_NODE, /* any usable core of its node */
  NU_BIND_CORE, /* its own core */
  NU_BIND_OMP,  /* where the OpenMP runtime has bound it */
} nu_width;

typedef struct nu_seat {
  nu_processor processor; /* the thread's own */
  size_t node;            /* index in nu_placement.nodes */
} nu_seat;

struct nu_placement {
  nu_placing placing; /* never NU_PLACE_AUTO */
  nu_width width;
  size_t n_threads;
  nu_seat *seats; /* [n_threads], working threads, node by node; owned */
  nu_processor
      *processors; /* [n_processors], of the used nodes, seat or no seat, node by node; owned */
  size_t n_processors;
  size_t n_nodes;      /* that the threads use: at least 1 */
  nu_numa_node *nodes; /* [n_nodes]; owned */
  size_t of_nodes;     /* that have cores of the machine: of one alone, pages have no choice */
  bool memory;         /* pages have a node: there are several, threads are bound, in their order */
  bool replicas;       /* every node has a copy of the weights */
  char why[320];       /* one sentence */
  char note[256];      /* a warning for the user, or "" */
};

typedef struct nu_placement_request {
  nu_placing placing;
  bool ordered;          /* the user's word, which goes before OMP_PROC_BIND and OMP_PLACES */
  bool omp_unbound;      /* OMP_PROC_BIND=false: AUTO then binds nothing */
  const unsigned *given; /* [plan->threads] OS numbers of processors where the OpenMP runtime has
                            bound the threads; NULL: it binds none */
} nu_placement_request;

/* Which of the placement's processors are the node's: what NU_BIND_NODE allows. */
nu_range nu_placement_processors(const nu_placement *placement, size_t node);

/* For the plan's threads, strategy and groups. NUMANN_ERR_MEMORY. */
numann_status nu_placement_create(nu_placement **out, const nu_placement_request *request,
                                  const nu_plan *plan, const numann_network *network,
                                  const nu_machine *machine, numann_error *err);
void nu_placement_destroy(nu_placement *placement); /* NULL is allowed */
/* Is memory placed? Only where threads are bound, node by node, and the machine has several nodes,
 * even if the plan uses one of them; a plan without placement never. */
bool nu_plan_places_memory(const nu_plan *plan);
/* Nodes in use (1 where nothing is placed), and that of a working thread. */
size_t nu_plan_nodes(const nu_plan *plan);
size_t nu_plan_node(const nu_plan *plan, size_t thread);
/* The working threads of a node. */
nu_range nu_plan_node_threads(const nu_plan *plan, size_t node);
/* Copies of the weights: one, or one a node. */
size_t nu_plan_replicas(const nu_plan *plan);
/* ---- for people: which thread, panels, replica and stripe of data live where */

/* The numbers of the processors that a node's seats have, and of its threads; node SIZE_MAX: of all
 * seats. */
void nu_add_seats(nu_text *out, const nu_placement *placement, size_t node);
void nu_add_threads(nu_text *out, const nu_placement *placement, size_t node);
/* data_bytes: of the training rows; fewer than NU_LEAST_DATA are not placed. */
void nu_placement_draw(const nu_plan *plan, const numann_network *network, size_t data_bytes,
                       nu_text *out);

#endif
