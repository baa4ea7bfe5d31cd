/* The step: gather, forward, delta, gradient, tree, update, each run by every thread of the team.
 * SPDX-License-Identifier: MIT
 *
 * For whoever runs passes: the methods, evaluation, gradcheck, the benchmarks. What a pass works on
 * is the engine (layers/engine.h), made in engine.c. */
#ifndef NU_TRAINER_STEP_H
#define NU_TRAINER_STEP_H

#include "layers/engine.h"

/* ---- the engine (engine.c) */

/* An engine for the plan's batches, with the network's weights; the optimiser's arrays are zero. */
numann_status nu_engine_create(nu_engine *engine, const numann_network *network,
                               const nu_plan *plan, nu_use use, numann_error *err);
/* Let `to`, made for NU_USE_BORROW, compute with the weights of an engine of the same network (so
 * that evaluation needs no copy); NULL detaches them, which it must before `to` is cleared. */
void nu_engine_lend(nu_engine *to, const nu_engine *from);
void nu_engine_clear(nu_engine *engine);
/* fn on the team of the plan, its threads bound where the plan says. */
numann_status nu_engine_run(nu_engine *engine, nu_team_fn *fn, void *arg, numann_error *err);

/* Between a flat logical block of n_parameters floats (W(1), b(1), W(2) ...) and one array of every
 * layer: NU_WEIGHTS, NU_GRADIENT, NU_FIRST_ARRAY + i. */
void nu_engine_load(nu_engine *engine, size_t array, const float *block);
void nu_engine_store(const nu_engine *engine, size_t array, float *block);

/* ---- the phases (step.c)
 *
 * Every thread of the team calls each, in this order, for each chunk of its group (nu_plan_chunk).
 * Barriers are inside, where the plan needs them. */

/* The rows of a batch: order[first + i] of data, or first + i where order is NULL. What a layer
 * draws for a row, it draws for the row's sample: samples[row], or the row where that is NULL. */
typedef struct nu_batch {
  const nu_rows *data;
  const uint32_t *order;
  size_t first;
  const uint32_t *samples;
} nu_batch;

/* The chunk's rows into inputs and targets (one-hot for classes). */
void nu_engine_gather(nu_engine *engine, nu_team *team, size_t thread, const nu_batch *batch,
                      const nu_pass *pass);
/* (3.8) through all layers, but for the last activation: z of the output layer. */
void nu_engine_forward(nu_engine *engine, nu_team *team, size_t thread, const nu_pass *pass);
/* The last activation; with `targets` the losses, and when training the output deltas (4.1), which
 * the group sees after it. After the last chunk's, a barrier: all threads see the losses of the
 * batch. */
void nu_engine_output(nu_engine *engine, nu_team *team, size_t thread, const nu_pass *pass,
                      bool targets);
/* (4.3) and (4.12) down to the first layer, the tree included. In the last chunk, with `update`,
 * the optimiser as well; without it the engine's gradient is complete after the barrier that comes
 * last. */
void nu_engine_backward(nu_engine *engine, nu_team *team, size_t thread, const nu_pass *pass,
                        const nu_update *update);
/* All of these over a batch of `rows` rows, for its losses and its gradient: no weight moves. */
void nu_engine_pass(nu_engine *engine, nu_team *team, size_t thread, const nu_batch *batch,
                    size_t rows, uint64_t step);
/* The inner product of two arrays, or of their rows that decay: in double, panel by panel, the same
 * on every thread, for any number of them. Barriers inside: before it, too. */
double nu_engine_dot(nu_engine *engine, nu_team *team, size_t thread, size_t a, size_t b,
                     bool decayed);
/* The norm of the engine's gradient. */
double nu_engine_norm(nu_engine *engine, nu_team *team, size_t thread);
/* The optimiser on this thread's part with the engine's gradient; decay is left off where it does
 * not belong. No barrier. */
void nu_engine_update(nu_engine *engine, size_t thread, const nu_update *update);
/* After a barrier: did any thread's update give a weight that is not finite? */
bool nu_engine_not_finite(const nu_engine *engine);

/* The engine's float gradient of a batch for gradcheck and tests: flat logical layout, summed over
 * the rows, G = -dE/dw = sum of delta x. */
numann_status nu_engine_gradient_of(const numann_network *network, const nu_plan *plan,
                                    const nu_batch *batch, float *gradient, numann_error *err);
/* The same of inputs [rows][n_0] and targets [rows][n_L]. */
numann_status nu_engine_gradient(const numann_network *network, const nu_plan *plan, size_t rows,
                                 const float *inputs, const float *targets, float *gradient,
                                 numann_error *err);

/* ---- their parts without barriers; `numann bench phases` times these one by one */

void nu_gather_rows(const nu_engine *engine, size_t thread, const nu_batch *batch,
                    const nu_chunk *chunk);
void nu_output_rows(const nu_engine *engine, size_t thread, const nu_chunk *chunk, bool targets);
/* A barrier of the threads that share rows; none where each has its own. */
void nu_meet_on_rows(const nu_engine *engine, nu_team *team);

#endif
