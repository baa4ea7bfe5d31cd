/* The step: gather, forward, delta, gradient, tree, update - run by every thread of the team.
 * SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_STEP_H
#define NU_TRAINER_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/data.h"
#include "kernels/kernels.h"
#include "machine/team.h"
#include "network/network.h"
#include "plan/plan.h"
#include "trainer/tree.h"

/* The gradient is formed in regions of so many inputs of one panel: 8 KiB a slot of the tree, so that
 * the slots in use stay in the first-level cache. */
#define NU_REGION_INPUTS 64

/* What a layer has one number a parameter of. */
typedef enum nu_array { NU_WEIGHTS, NU_GRADIENT, NU_MOMENT1, NU_MOMENT2, NU_ARRAYS } nu_array;

/* The engine form of one layer. All arrays aligned to 64, owned by the engine. */
typedef struct nu_engine_layer {
  size_t inputs, neurons;
  size_t panels;        /* ceil(neurons / P) */
  size_t panel_size;    /* (inputs + 1) * P floats */
  nu_activation activation;
  float *array[NU_ARRAYS]; /* [panels][inputs + 1][P] each; gradient: sum over the batch's rows of
                              delta x, inside the engine's one block; moments NULL without need */
  float *activations;   /* [rows][stride]: f(z), 1, zeros */
  float *deltas;        /* [rows][stride]; NULL where only predicting */
  size_t stride;        /* nu_stride(neurons) */
  double *panel_norms;  /* [panels]: sum of squared gradients, for clipping */
} nu_engine_layer;

/* What belongs to one thread. */
typedef struct nu_engine_thread {
  float *scratch; /* tiles of the tree, a stripe of weights, or an output row; owned */
  float **roots;  /* [n_roots][gradient_size]: subtree roots of its grains; owned, but for the first
                     one of thread 0, which is the engine's gradient: there the tree ends */
  size_t n_roots; /* roots allocated; 0 under neurons and for prediction */
  bool not_finite; /* an update gave a weight that is not finite */
} nu_engine_thread;

/* Everything a team needs to run steps. One engine serves one team at a time. */
typedef struct nu_engine {
  const numann_plan *plan;
  const nu_kernels *kernels;
  nu_loss loss;
  size_t n_layers;
  nu_engine_layer *layers; /* [n_layers], owned */
  float *gradient;         /* [gradient_size]: all layers' gradients, in order; owned */
  size_t gradient_size;
  size_t rows;             /* rows of the largest batch */
  size_t features, outputs;
  float *inputs;           /* [rows][input_stride]: features, 1, zeros */
  size_t input_stride;
  float *targets;          /* [rows][outputs]; NULL where only predicting */
  double *row_loss;        /* [rows] */
  nu_engine_thread *threads; /* [plan->threads], owned */
} nu_engine;

/* An engine for batches of at most `rows` rows. training false: no deltas, gradients, moments. */
numann_status nu_engine_create(nu_engine *engine, const numann_network *network,
                               const numann_plan *plan, size_t rows, bool training,
                               numann_error *err);
void nu_engine_clear(nu_engine *engine);

/* Between a flat logical block of n_parameters floats (W(1), b(1), W(2) ...) and one array of every
 * layer. */
void nu_engine_load(nu_engine *engine, nu_array array, const float *block);
void nu_engine_store(const nu_engine *engine, nu_array array, float *block);
/* Allocate an optimiser array in every layer, zero. */
numann_status nu_engine_add(nu_engine *engine, nu_array array, numann_error *err);

/* The phases of a step; every thread of the team calls each with the same arguments, in this order.
 * Barriers are inside, where the plan needs them. */

/* The batch's rows into inputs and targets (one-hot for classes): order[first + i] for i < rows, or
 * first + i where order is NULL. */
void nu_engine_gather(nu_engine *engine, nu_team *team, size_t thread, const nu_rows *data,
                      const uint32_t *order, size_t first, size_t rows);
/* (3.8) through all layers, but for the last activation: z of the output layer. */
void nu_engine_forward(nu_engine *engine, nu_team *team, size_t thread, size_t rows);
/* The last activation; with `targets` the losses, and when training the output deltas (4.1). */
void nu_engine_output(nu_engine *engine, size_t thread, size_t rows, bool targets);
/* (4.3) and (4.12) down to the first layer, the tree included: the gradient. A barrier first (the
 * output deltas) and last. */
void nu_engine_backward(nu_engine *engine, nu_team *team, size_t thread, size_t rows);
/* The norm of the summed gradient, the same on every thread; a barrier inside. */
double nu_engine_norm(nu_engine *engine, nu_team *team, size_t thread);
/* The optimiser on this thread's panels; decay is left off the bias row. No barrier. */
void nu_engine_update(nu_engine *engine, size_t thread, const nu_update *update);
/* After a barrier: did any thread's update give a weight that is not finite? */
bool nu_engine_not_finite(const nu_engine *engine);

/* The engine's float gradient of a batch for gradcheck and tests: flat logical layout, summed over
 * the rows, G = -dE/dw = sum of delta x. inputs [rows][n_0], targets [rows][n_L]. */
numann_status nu_engine_gradient(const numann_network *network, const numann_plan *plan,
                                 size_t rows, const float *inputs, const float *targets,
                                 float *gradient, numann_error *err);

#endif
