/* The ledger: every buffer that a training takes, booked once. SPDX-License-Identifier: MIT
 *
 * A walk tells of each buffer: what it is for, of which layer, its bytes, and with nu_plan_stripes
 * which bytes of it belong to which NUMA node. The engine allocates by the walk, the plan's memory
 * table and its drawings sum it; no size is computed anywhere else. A buffer lives as long as the
 * engine (or, of the kind DATA, as the training rows). Its stripes are the bytes that threads of
 * one node write: parts.h says which thread has which part. */
#ifndef NU_PLAN_LEDGER_H
#define NU_PLAN_LEDGER_H

#include "plan/parts.h"

typedef enum nu_buffer_kind {
  NU_BUFFER_WEIGHTS,      /* a layer's, engine form; of: replica, 0 being the one that is updated */
  NU_BUFFER_ARRAY,        /* a layer's; of: array of the optimiser */
  NU_BUFFER_WEIGHT_PAIRS, /* bf16; of: replica */
  NU_BUFFER_GRADIENT,     /* of all layers, where there are no groups' roots */
  NU_BUFFER_ROOT,   /* of all layers; of: group * roots of one + root; the first: the gradient */
  NU_BUFFER_INPUTS, /* rows that are held */
  NU_BUFFER_TARGETS,
  NU_BUFFER_ACTIVATIONS, /* a layer's: f(z) */
  NU_BUFFER_NETS,        /* a layer's: z, where its activation's derivative needs it */
  NU_BUFFER_DELTAS,      /* a layer's */
  NU_BUFFER_INPUT_PAIRS,
  NU_BUFFER_ACTIVATION_PAIRS, /* a layer's */
  NU_BUFFER_DELTA_PAIRS,      /* a layer's */
  NU_BUFFER_SCRATCH,          /* of: thread */
  NU_BUFFER_PACKED,           /* of: thread */
  NU_BUFFER_SAMPLES,          /* numbers of the rows that are held, where a kind draws for them */
  NU_BUFFER_LOSSES,           /* doubles: of each row of the batch */
  NU_BUFFER_NORMS,            /* doubles: of each panel of a layer */
  NU_BUFFER_SENT,             /* to other ranks in a step: the messages of all its exchanges */
  NU_BUFFER_RECEIVED,         /* from them */
  NU_BUFFER_DATA,             /* an array of the training rows */
  NU_BUFFER_KINDS
} nu_buffer_kind;
const char *nu_buffer_name(nu_buffer_kind kind);

typedef struct nu_buffer {
  nu_buffer_kind kind;
  size_t layer; /* 0 where the kind has none */
  size_t of;    /* 0 where the kind has none */
  size_t bytes; /* as allocated; never 0 */
} nu_buffer;

/* What an engine is for decides what it needs. */
typedef enum nu_use {
  NU_USE_BORROW,   /* as NU_USE_PREDICT, with the weights of another engine */
  NU_USE_PREDICT,  /* forward only: no deltas, gradients, optimiser */
  NU_USE_GRADIENT, /* gradients that can be read */
  NU_USE_FUSED     /* always with an update: one chunk of one group keeps no gradient */
} nu_use;
/* Of a training under the plan. */
nu_use nu_plan_use(const nu_plan *plan);

/* Calls fn for each buffer of an engine; buffers of one layer and kind follow each other. */
typedef void nu_buffer_fn(const nu_buffer *buffer, void *arg);
void nu_ledger_walk(const nu_plan *plan, const numann_network *network, nu_use use,
                    nu_buffer_fn *fn, void *arg);
/* The same of a training: its engine's, and one of `data_bytes` for the rows if there are any. */
void nu_ledger_walk_training(const nu_plan *plan, const numann_network *network, size_t data_bytes,
                             nu_buffer_fn *fn, void *arg);
/* All bytes of a kind, or (NU_BUFFER_KINDS) of all. */
size_t nu_ledger_bytes(const nu_plan *plan, const numann_network *network, nu_use use,
                       nu_buffer_kind kind);

/* ---- for the kinds of layers that book */

struct nu_books {
  const nu_plan *plan;
  const numann_network *network;
  nu_use use;
  size_t rows; /* that are held */
  nu_buffer_fn *fn;
  void *arg;
};
/* A buffer of so many items; none where that is 0. */
void nu_book(const nu_books *books, nu_buffer_kind kind, size_t layer, size_t of, size_t items,
             size_t item_bytes);

/* ---- sizes of arrays in the engine's form */

/* Floats from one panel of a layer to the next: nu_layer_rows * P, where memory is placed rounded
 * up to pages. And of a whole layer, and of all layers. */
size_t nu_plan_panel_floats(const nu_plan *plan, const nu_layer *layer);
size_t nu_plan_layer_floats(const nu_plan *plan, const nu_layer *layer);
size_t nu_plan_network_floats(const nu_plan *plan, const numann_network *network);
/* The first of pairs of bf16, in words of two. */
size_t nu_plan_pair_panel_words(const nu_plan *plan, const nu_layer *layer);
/* Are sums left over, for other groups or for the next chunk? And how many a group has room for. */
bool nu_plan_leaves_roots(const nu_plan *plan);
size_t nu_plan_roots_of_group(const nu_plan *plan);
/* Subtree roots that a rank's grains of a batch leave. */
size_t nu_plan_rank_roots(const nu_plan *plan, size_t rows, size_t rank);
/* Parameters of these layers that a rank owns. */
size_t nu_plan_rank_floats(const nu_plan *plan, const numann_network *network, size_t rank,
                           nu_range layers);
/* Where the messages of each kind stand in a rank's NU_BUFFER_SENT, in floats, and their end;
 * before them a cache line for a counter. They do not overlap: others may still read earlier ones
 * when the next is written. Roots go by layers, then receivers; results by layers, with a header
 * for each layer, of which a bundle uses the first. */
typedef struct nu_rank_area {
  size_t losses, roots, results, end;
} nu_rank_area;
nu_rank_area nu_plan_rank_area(const nu_plan *plan, const numann_network *network, size_t rank);
/* The same in this rank's NU_BUFFER_RECEIVED, by layers, then senders. From ranks on this host,
 * too, as the plan does not know who they are. */
nu_rank_area nu_plan_received_area(const nu_plan *plan, const numann_network *network);
/* Inputs of the largest region of the gradient. */
size_t nu_plan_region_inputs(const nu_plan *plan);
/* Links of equal blocks of a chain of so many, multiples of P. */
size_t nu_plan_block_links(const nu_plan *plan, size_t links);

/* What a thread needs for a layer beside the buffers. */
nu_per_thread nu_plan_per_thread(const nu_plan *plan, const nu_layer *layer);

/* ---- stripes (stripes.c) */

/* Bytes [begin, end) on one node: index in nu_placement.nodes. */
typedef struct nu_stripe {
  size_t begin, end;
  size_t node;
} nu_stripe;

/* The stripes of a buffer: in order, without gaps, from 0 to its bytes, cut at pages, neighbours on
 * different nodes. Writes the first `capacity`; returns how many there are. A plan that places no
 * memory: one stripe. */
size_t nu_plan_stripes(const nu_plan *plan, const numann_network *network, const nu_buffer *buffer,
                       nu_stripe *stripes, size_t capacity);
/* Adds the buffer's bytes on each node to bytes[nu_plan_nodes]. */
void nu_plan_add_by_node(const nu_plan *plan, const numann_network *network,
                         const nu_buffer *buffer, size_t *bytes);
/* Bytes of a training by kind and node, [NU_BUFFER_KINDS][nu_plan_nodes], to be freed; NULL when
 * memory is refused. */
size_t *nu_plan_bytes_by_node(const nu_plan *plan, const numann_network *network,
                              size_t data_bytes);

#endif
