/* Kinds of layers: a row of functions each. SPDX-License-Identifier: MIT
 *
 * A kind says all that there is to know of its layers: their shape and parameters, the buffers that
 * they take, what they cost, how a pass goes through them, and how that is proved. The rows stand
 * in src/layers, a folder or file for each kind; every stage calls them through its layers, so that
 * a new kind changes no stage. A function marked with [] may be NULL. docs/extending.md tells how
 * to add a kind. */
#ifndef NU_NETWORK_KIND_H
#define NU_NETWORK_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "numann/config.h"

typedef struct nu_layer nu_layer;               /* network.h */
typedef struct nu_plan nu_plan;                 /* plan/plan.h */
typedef struct nu_books nu_books;               /* plan/ledger.h */
typedef struct nu_work nu_work;                 /* plan/cost.h */
typedef struct nu_parts_cost nu_parts_cost;     /* plan/cost.h */
typedef struct nu_engine nu_engine;             /* layers/engine.h */
typedef struct nu_pass nu_pass;                 /* layers/engine.h */
typedef struct nu_grain nu_grain;               /* layers/engine.h */
typedef struct nu_naive nu_naive;               /* layers/naive.h */
typedef struct nu_rounding nu_rounding;         /* layers/rounding.h */
typedef struct nu_rounding_sum nu_rounding_sum; /* layers/rounding.h */

/* Floats of one thread: what is forgotten at the end of a phase, and operands of the gradient; and
 * how many regions of the gradient pass together, so that these serve them all. */
typedef struct nu_per_thread {
  size_t scratch, packed, together;
} nu_per_thread;

typedef struct nu_kind {
  const char *name; /* in configs and files */

  /* ---- the problem (network) */

  const char *keys; /* of a layer of this kind in a config, apart by spaces, beside `kind` */
  /* [] Read them, below `key` ("network.layers.2"): neurons, activation, rate. Before the
   * call they are as many as inputs, the identity, 0. NUMANN_ERR_CONFIG with the place. */
  numann_status (*read)(nu_layer *layer, const numann_config *config, const char *key,
                        numann_error *err);
  /* [] Set links and bias from the rest; else there are none. */
  void (*shape)(nu_layer *layer);
  const char *weights; /* name of the weights in files; NULL: a kind without parameters */
  bool vector;         /* they are [neurons] in files, not [neurons][links] */
  bool undecayed;      /* weight decay leaves them alone */
  float initial;       /* every weight at the start; 0: as network.initializer says */

  /* ---- the plan */

  /* Threads split rows and not panels in forward and delta. */
  bool by_rows;
  /* Draws random numbers for each row of a pass that trains: the engine keeps the rows' numbers. */
  bool draws;
  /* A product of matrices: reads pairs of bf16 where the plan has them. */
  bool product;
  /* [] Book the buffers of layer l that are the kind's own (ledger.h has those of all kinds). */
  void (*book)(const nu_books *books, size_t l);
  /* [] What each thread needs for such a layer beside them. */
  nu_per_thread (*per_thread)(const nu_plan *plan, const nu_layer *layer);
  /* What the busiest thread spends on layer l; of delta: on the deltas of the layer below. */
  void (*cost)(const nu_work *work, size_t l, nu_parts_cost *cost);

  /* ---- a pass (layers, called by every thread of the team) */

  /* The activations of layer l for the thread's part of the rows held. */
  void (*forward)(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass);
  /* The deltas of layer l - 1 from those of layer l (4.3), times f'(z) of layer l - 1. */
  void (*delta)(const nu_engine *engine, size_t l, size_t thread, const nu_pass *pass);
  /* [no parameters] The sum of a region of the gradient over one grain (4.12), joined with what the
   * tree has. */
  void (*grain)(const nu_engine *engine, size_t thread, const nu_grain *grain);

  /* ---- the proof (gradcheck): one row in double, and how far the engine may be off */

  void (*naive_forward)(nu_naive *naive, size_t l);
  void (*naive_delta)(nu_naive *naive, size_t l);
  void (*naive_gradient)(const nu_naive *naive, size_t l, double *gradient); /* [no parameters] */
  void (*bound_forward)(nu_rounding *bound, size_t l);
  void (*bound_delta)(nu_rounding *bound, size_t l);
  /* [no parameters] */
  void (*bound_gradient)(const nu_rounding *bound, size_t l, nu_rounding_sum *sum);
} nu_kind;

enum { NU_KINDS_MOST = 16 };
/* All kinds, dense first, NULL behind the last; defined in layers/kinds.c. */
extern const nu_kind *const nu_kinds[];
/* By name; NULL: unknown. */
const nu_kind *nu_kind_named(const char *name);

#endif
