/* What ranks send each other in a step: how many messages, of how many bytes.
 * SPDX-License-Identifier: MIT
 *
 * Pure arithmetic, the only place that says so: the trainer sends by it, the ledger makes room by
 * it, forecasts count with it. A step has three kinds of exchanges (trainer/ranks.h), two of them
 * for each bundle of layers; of lbfgs, so has each trial of its line search. In an exchange each
 * rank has a message for each other, unless it would be of 0 bytes. */
#ifndef NU_PLAN_EXCHANGE_H
#define NU_PLAN_EXCHANGE_H

#include "plan/parts.h"

typedef enum nu_exchange {
  NU_EXCHANGE_LOSSES,  /* a number, and the losses of the sender's rows: the same to all */
  NU_EXCHANGE_ROOTS,   /* of a bundle: the sender's subtree roots of what the receiver owns */
  NU_EXCHANGE_RESULTS, /* of a bundle: a header, and what the sender owns: the same to all */
  NU_EXCHANGES
} nu_exchange;
const char *nu_exchange_name(nu_exchange exchange);

/* Floats before what a rank says of itself with its results: a cache line. */
enum { NU_RANK_HEADER = 16 };

/* Layers whose messages go together, so that small ones do not send many: the bundle that ends with
 * layer end - 1. Begin with n_layers, go on with the last bundle's begin. Each has plan->bundle
 * parameters or more for every NU_BUNDLE_RANKS ranks begun, unless the network has fewer. */
nu_range nu_plan_bundle(const nu_plan *plan, const numann_network *network, size_t end);

/* What a rank has of a step. */
typedef struct nu_rank_share {
  size_t grains, rows; /* of the batch */
  size_t roots;        /* that its grains leave */
  size_t floats;       /* parameters that it owns, of all layers or of a bundle's */
} nu_rank_share;
nu_rank_share nu_plan_rank_share(const nu_plan *plan, const numann_network *network, size_t rows,
                                 size_t rank, nu_range layers);

/* Of the message from a rank to another: losses ask for rows, roots for roots and floats, results
 * for floats alone. */
size_t nu_exchange_bytes(nu_exchange exchange, const nu_rank_share *from, const nu_rank_share *to);

/* Messages that have bytes. */
typedef struct nu_traffic {
  uint64_t messages, bytes;
} nu_traffic;

/* A rank's share, and what it sends and gets in each exchange of a step. */
typedef struct nu_rank_step {
  nu_rank_share share;
  nu_traffic sent[NU_EXCHANGES], received[NU_EXCHANGES];
} nu_rank_step;
/* Of all ranks in a batch of `rows` rows, into steps[nu_plan_ranks]. */
void nu_plan_rank_steps(const nu_plan *plan, const numann_network *network, size_t rows,
                        nu_rank_step *steps);
/* Sent in all exchanges. */
nu_traffic nu_rank_step_sent(const nu_rank_step *step);

#endif
