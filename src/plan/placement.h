/* Placement: which thread runs on which core, and which byte lies on which NUMA node.
 * SPDX-License-Identifier: MIT
 *
 * Pure functions of machine, plan and network: nothing here binds a thread or touches a page. The
 * trainer applies them (trainer/engine.c, machine/team.h, machine/pages.h). Placement never changes
 * a number.
 *
 * Threads are numbered node by node, so that the panels of a node's threads, which are consecutive,
 * are one stripe. A buffer is cut into stripes, of one node each, at page boundaries; where panels
 * of different nodes would meet inside a page, panels are a multiple of pages apart
 * (nu_plan_panel_floats). */
#ifndef NU_PLAN_PLACEMENT_H
#define NU_PLAN_PLACEMENT_H

#include "base/text.h"
#include "plan/plan.h"

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
  bool memory;    /* pages have a node: threads are bound, and use several nodes in their order */
  bool replicas;  /* every node has a copy of the weights */
  char why[320];  /* one sentence */
  char note[256]; /* a warning for the user, or "" */
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
                                  const numann_plan *plan, const numann_network *network,
                                  const nu_machine *machine, numann_error *err);
void nu_placement_destroy(nu_placement *placement); /* NULL is allowed */
/* The same as the config (parallel.placement) and the environment (OMP_PROC_BIND, OMP_PLACES) want
 * it: the plan gets its placement. */
numann_status nu_plan_place(numann_plan *plan, const numann_config *config,
                            const numann_network *network, const nu_machine *machine,
                            numann_error *err);

/* Is memory placed? Only where threads are bound and use several nodes, node by node; a plan
 * without placement never. */
bool nu_plan_places_memory(const numann_plan *plan);
/* Nodes in use (1 where nothing is placed), and that of a working thread. */
size_t nu_plan_nodes(const numann_plan *plan);
size_t nu_plan_node(const numann_plan *plan, size_t thread);
/* The working threads of a node. */
nu_range nu_plan_node_threads(const numann_plan *plan, size_t node);
/* Have nodes several groups of threads? Then their sums meet on the node before they cross nodes.
 */
bool nu_plan_joins_on_nodes(const numann_plan *plan);
/* Copies of the weights: one, or one a node. */
size_t nu_plan_replicas(const numann_plan *plan);
/* Floats from one panel of a layer to the next: (inputs + 1) * P, where memory is placed rounded up
 * to pages. And of a whole layer in engine form. */
size_t nu_plan_panel_floats(const numann_plan *plan, size_t inputs);
size_t nu_plan_layer_floats(const numann_plan *plan, size_t inputs, size_t neurons);
/* The same of pairs of bf16 (trainer/narrow.c), in words of two: ceil((inputs + 1) / 2) * P a
 * panel. */
size_t nu_plan_pair_panel_words(const numann_plan *plan, size_t inputs);

/* ---- buffers */

typedef enum nu_buffer_kind {
  NU_BUFFER_WEIGHTS, /* a layer's, engine form; of: replica, 0 being the one that is updated */
  NU_BUFFER_MOMENT1, /* a layer's */
  NU_BUFFER_MOMENT2,
  NU_BUFFER_WEIGHT_PAIRS, /* bf16; of: replica */
  NU_BUFFER_GRADIENT,     /* of all layers, where there are no groups' roots */
  NU_BUFFER_ROOT, /* of all layers; of: group * roots of one + root. Group 0's first is the gradient
                   */
  NU_BUFFER_INPUTS, /* rows that are held */
  NU_BUFFER_TARGETS,
  NU_BUFFER_ACTIVATIONS, /* a layer's */
  NU_BUFFER_DELTAS,      /* a layer's */
  NU_BUFFER_INPUT_PAIRS,
  NU_BUFFER_ACTIVATION_PAIRS, /* a layer's */
  NU_BUFFER_DELTA_PAIRS,      /* a layer's */
  NU_BUFFER_SCRATCH,          /* of: thread */
  NU_BUFFER_PACKED,           /* of: thread */
  NU_BUFFER_DATA,             /* an array of the training rows */
  NU_BUFFER_KINDS
} nu_buffer_kind;
const char *nu_buffer_name(nu_buffer_kind kind);

typedef struct nu_buffer {
  nu_buffer_kind kind;
  size_t layer; /* 0 where the kind has none */
  size_t of;    /* 0 where the kind has none */
  size_t bytes; /* as allocated */
} nu_buffer;

/* Bytes [begin, end) on one node: index in nu_placement.nodes. */
typedef struct nu_stripe {
  size_t begin, end;
  size_t node;
} nu_stripe;

/* The stripes of a buffer: in order, without gaps, from 0 to its bytes, cut at pages, neighbours on
 * different nodes. Writes the first `capacity`; returns how many there are. A plan that places no
 * memory: one stripe. */
size_t nu_plan_stripes(const numann_plan *plan, const numann_network *network,
                       const nu_buffer *buffer, nu_stripe *stripes, size_t capacity);

/* Adds the buffer's bytes on each node to bytes[nu_plan_nodes]. */
void nu_plan_add_by_node(const numann_plan *plan, const numann_network *network,
                         const nu_buffer *buffer, size_t *bytes);

/* Bytes by kind and node, [NU_BUFFER_KINDS][nu_plan_nodes], to be freed; NULL when memory is
 * refused. */
size_t *nu_plan_bytes_by_node(const numann_plan *plan, const numann_network *network,
                              size_t data_bytes);

/* Every buffer that a training allocates under the plan, data included. Writes the first
 * `capacity`, returns how many there are. */
size_t nu_plan_buffers(const numann_plan *plan, const numann_network *network, size_t data_bytes,
                       nu_buffer *buffers, size_t capacity);

/* The same one by one, and all bytes of a kind. */
typedef void nu_buffer_fn(const nu_buffer *buffer, void *arg);
void nu_plan_each_buffer(const numann_plan *plan, const numann_network *network, size_t data_bytes,
                         nu_buffer_fn *fn, void *arg);
size_t nu_plan_buffer_bytes(const numann_plan *plan, const numann_network *network,
                            nu_buffer_kind kind);
/* Roots that each group has room for, over all batches; 0: none are left. */
size_t nu_plan_roots_of_group(const numann_plan *plan);

/* ---- for people: which thread, panels, replica and stripe of data live where */

/* The numbers of the processors that a node's seats have, and of its threads; node SIZE_MAX: of all
 * seats. */
void nu_add_seats(nu_text *out, const nu_placement *placement, size_t node);
void nu_add_threads(nu_text *out, const nu_placement *placement, size_t node);
/* data_bytes: of the training rows; fewer than NU_LEAST_DATA are not placed. */
void nu_placement_draw(const numann_plan *plan, const numann_network *network, size_t data_bytes,
                       nu_text *out);

#endif
