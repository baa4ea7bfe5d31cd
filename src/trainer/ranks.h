/* Ranks: what the processes of one training tell each other in a step. SPDX-License-Identifier: MIT
 *
 * Every rank has the whole network and the rows of its grains. The exchanges of a step:
 *   losses   each rank's row losses to all, so that all sum them in the order of the rows
 *   roots    of every rank's subtree roots (plan/tree.h) the owner's part to each owner, who adds
 *            them up in the tree's order: a reduce-scatter
 *   results  each owner's weights, updated by it alone (fused: its optimiser's arrays are the only
 *            true ones), or its part of the gradient, to all: an allgather
 * Roots and results go bundle by bundle (nu_plan_bundle), from the last layers down, and travel
 * while the next bundle's deltas and gradients are computed (join.c). A part is a rank's share of
 * each layer (nu_plan_rank_part). In a message stand the parts of a bundle's layers behind each
 * other, panel by panel without gaps, so that ranks may lie differently in memory. Thread 0 speaks
 * for its rank; all threads pack and unpack. */
#ifndef NU_TRAINER_RANKS_H
#define NU_TRAINER_RANKS_H

#include "machine/comm.h"
#include "plan/exchange.h"
#include "trainer/gradient.h"
#include "trainer/step.h"

/* Make an engine one of the ranks of `comm`, whose rank and size its plan has; does nothing for one
 * rank. The communicator is borrowed. Collective, as is leaving: all have an engine, all fail. */
numann_status nu_ranks_join(nu_engine *engine, nu_comm *comm, numann_error *err);
void nu_ranks_leave(nu_engine *engine);

/* After a barrier: the row losses of all ranks; and what each of them wants (`wanted`) becomes what
 * all do (`agreed`): the largest. A barrier is last. */
void nu_ranks_share_losses(nu_engine *engine, nu_team *team, size_t thread, size_t rows);

/* After a barrier: the roots of a bundle that this rank's grains have left, in slots[0..n), set out
 * for their owners. A barrier is in it. */
void nu_ranks_send_roots(nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                         const size_t *slots, size_t bundle);
/* Those of this rank's part are here. A barrier is last. */
void nu_ranks_await_roots(nu_engine *engine, nu_team *team, size_t thread, size_t bundle);
/* Root `root` of another rank at a region of this rank's part: of the message to this rank, which
 * may write to it. */
float *nu_ranks_root(const nu_engine *engine, const nu_region *at, size_t rank, size_t root);

/* The same region's result into the message for all. */
void nu_ranks_pack(const nu_engine *engine, const nu_region *at, const float *result);
/* A bundle's results set out. A barrier is first; none is last. */
void nu_ranks_send_results(nu_engine *engine, nu_team *team, size_t thread, size_t bundle);
/* They are here, in array NU_WEIGHTS or NU_GRADIENT. A barrier is in it; none is last. */
void nu_ranks_await_results(nu_engine *engine, nu_team *team, size_t thread, size_t bundle,
                            size_t array);

/* What this rank has sent in the exchanges of the last pass. */
nu_traffic nu_ranks_traffic(const nu_engine *engine);

/* Between steps, on one thread: an array of the optimiser whole on every rank, from its owners. */
void nu_ranks_collect(nu_engine *engine, size_t array);

#endif
