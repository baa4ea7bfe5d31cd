/* The step: gather, forward, delta, gradient, tree, update - run by every thread of the team.
 * SPDX-License-Identifier: MIT
 *
 * step.c has what goes by rows and the order of the phases, product.c the blocked matrix products
 * of forward and delta, gradient.c the gradient with its tree and the update, narrow.c what these
 * read in fp32 or bf16, pack.c what the gradient reads, engine.c the memory and place.c where it
 * lies. */
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
#include "trainer/place.h"
#include "trainer/tree.h"

/* What a layer has one number a parameter of. */
typedef enum nu_array { NU_WEIGHTS, NU_GRADIENT, NU_MOMENT1, NU_MOMENT2, NU_ARRAYS } nu_array;

/* Most NUMA nodes with weights of their own. */

/* The engine form of one layer. All arrays aligned to 64, owned by the engine (place.h), which says
 * where they lie. */
typedef struct nu_engine_layer {
  size_t inputs, neurons;
  size_t panels;     /* ceil(neurons / P) */
  size_t panel_size; /* floats from one panel to the next: nu_plan_panel_floats */
  nu_activation activation;
  float *array[NU_ARRAYS]; /* engine form each; gradient: sum over the batch's rows of delta x,
                              inside the engine's one block, NULL where the update is fused; moments
                              NULL without need */
  float *replicas[NU_MOST_REPLICAS]; /* the weights of each node; the first is array[NU_WEIGHTS] */
  float *activations;                /* [rows][stride]: f(z), 1, zeros */
  float *deltas;                     /* [rows][stride]; NULL where only predicting */
  size_t stride;                     /* nu_stride(neurons) */
  double *panel_norms;               /* [panels]: sum of squared gradients, for clipping */
  /* The same rounded to bf16, two to a word, for the products (narrow.c); NULL without need. */
  float *weight_pairs[NU_MOST_REPLICAS]; /* [panels][ceil((inputs + 1) / 2)][P or P/2]: pairs of
                                            inputs */
  float *activation_pairs;               /* [rows][stride / 2]: pairs of features */
  float *delta_pairs;                    /* [rows][stride / 2] */
} nu_engine_layer;

/* What belongs to one thread. */
typedef struct nu_engine_thread {
  float *scratch;   /* slots of the tree, stripes of weights, or blocks of output rows */
  float *packed;    /* operands of the gradient (pack.c); NULL without need */
  nu_merge *merges; /* [2][groups * roots of one + 1]: what joins groups of the thread's node, and
                       then all; NULL without groups */
  bool not_finite;  /* an update gave a weight that is not finite */
} nu_engine_thread;

/* What belongs to one group of threads, where sums wait for other groups or for the next chunk. */
typedef struct nu_engine_group {
  float **roots; /* [n_roots][gradient_size]: subtree roots of its grains; the first one of group 0
                    is the engine's gradient: there the tree ends. The array is owned */
  size_t n_roots;
} nu_engine_group;

/* Everything a team needs to run steps. One engine serves one team at a time. */
struct nu_engine {
  const numann_plan *plan;       /* borrowed */
  const numann_network *network; /* borrowed: its shape */
  const nu_kernels *kernels;
  nu_memory_list memory; /* all arrays that threads compute with */
  nu_cpus *cpus;         /* [plan->threads]: processors of each thread; owned; NULL: not bound */
  unsigned *cpu_numbers; /* of all threads; owned */
  nu_binding binding;    /* of them */
  size_t replicas;       /* of the weights */
  nu_loss loss;
  size_t n_layers;
  nu_engine_layer *layers; /* [n_layers], owned */
  float *gradient; /* [gradient_size]: all layers' gradients, in order; NULL where no gradient
                      leaves its region */
  size_t gradient_size;
  size_t rows; /* that are held at a time: nu_plan_held */
  size_t features, outputs;
  float *inputs; /* [rows][input_stride]: features, 1, zeros */
  size_t input_stride;
  bool pairs;                /* products read pairs of bf16 */
  float *input_pairs;        /* [rows][input_stride / 2]: inputs as pairs; NULL in fp32 */
  float *targets;            /* [rows][nu_padded(outputs)]; NULL where only predicting */
  double *row_loss;          /* [rows of the largest batch] */
  nu_engine_thread *threads; /* [plan->threads], owned */
  size_t most_merges;        /* of a thread's list */
  nu_engine_group
      *groups; /* [plan->groups], owned; NULL where each batch is one chunk of one group */
};

typedef enum nu_engine_use {
  NU_ENGINE_BORROW,  /* as NU_ENGINE_PREDICT, with the weights of another engine (nu_engine_lend) */
  NU_ENGINE_PREDICT, /* forward only: no deltas, gradients, moments */
  NU_ENGINE_GRADIENT, /* gradients that can be read */
  NU_ENGINE_FUSED /* nu_engine_backward always with an update: one chunk of one group keeps none */
} nu_engine_use;

/* An engine for the plan's batches. */
numann_status nu_engine_create(nu_engine *engine, const numann_network *network,
                               const numann_plan *plan, nu_engine_use use, numann_error *err);
/* Let `to`, made for NU_ENGINE_BORROW, compute with the weights of an engine of the same network;
 * NULL takes them away, as must be before it is cleared. */
void nu_engine_lend(nu_engine *to, const nu_engine *from);
void nu_engine_clear(nu_engine *engine);
/* fn on the team of the plan, its threads bound where the plan says. */
numann_status nu_engine_run(nu_engine *engine, nu_team_fn *fn, void *arg, numann_error *err);

/* Between a flat logical block of n_parameters floats (W(1), b(1), W(2) ...) and one array of every
 * layer. */
void nu_engine_load(nu_engine *engine, nu_array array, const float *block);
void nu_engine_store(const nu_engine *engine, nu_array array, float *block);
/* Allocate an optimiser array in every layer, zero. */
numann_status nu_engine_add(nu_engine *engine, nu_array array, numann_error *err);

/* The phases of a step; every thread of the team calls each, in this order, for each chunk of its
 * group (nu_plan_chunk). Barriers are inside, where the plan needs them. */

/* The rows of a batch: order[first + i] of data, or first + i where order is NULL. */
typedef struct nu_batch {
  const nu_rows *data;
  const uint32_t *order;
  size_t first;
} nu_batch;

/* The chunk's rows into inputs and targets (one-hot for classes). */
void nu_engine_gather(nu_engine *engine, nu_team *team, size_t thread, const nu_batch *batch,
                      const nu_chunk *chunk);
/* (3.8) through all layers, but for the last activation: z of the output layer. */
void nu_engine_forward(nu_engine *engine, nu_team *team, size_t thread, const nu_chunk *chunk);
/* The last activation; with `targets` the losses, and when training the output deltas (4.1), which
 * the group sees after it. After the last chunk's, a barrier: all threads see the losses of the
 * batch. */
void nu_engine_output(nu_engine *engine, nu_team *team, size_t thread, const nu_chunk *chunk,
                      bool targets);
/* (4.3) and (4.12) down to the first layer, the tree included. In the last chunk, with `update`,
 * the optimiser as well; without it the engine's gradient is complete after the barrier that comes
 * last. */
void nu_engine_backward(nu_engine *engine, nu_team *team, size_t thread, const nu_chunk *chunk,
                        const nu_update *update);
/* The norm of the engine's gradient, the same on every thread; a barrier inside. */
double nu_engine_norm(nu_engine *engine, nu_team *team, size_t thread);
/* The optimiser on this thread's panels with the engine's gradient; decay is left off the bias row.
 * No barrier. */
void nu_engine_update(nu_engine *engine, size_t thread, const nu_update *update);
/* After a barrier: did any thread's update give a weight that is not finite? */
bool nu_engine_not_finite(const nu_engine *engine);

/* ---- between step.c, product.c and gradient.c; `numann bench phases` times these one by one */

/* What nu_engine_gather and nu_engine_output do before their barriers. */
void nu_gather_rows(const nu_engine *engine, size_t thread, const nu_batch *batch,
                    const nu_chunk *chunk);
void nu_output_rows(const nu_engine *engine, size_t thread, const nu_chunk *chunk, bool targets);

/* A barrier of the threads that share rows; none where each has its own. */
void nu_meet_on_rows(const nu_engine *engine, nu_team *team);
/* A(l-1) of layer l: the inputs for the first. */
const float *nu_activations_below(const nu_engine *engine, size_t l, size_t *stride);
/* What a product reads, in words: floats or pairs of bf16; for weights `stride` is that of the
 * panels. */
typedef struct nu_operands {
  const float *at;
  size_t stride;
} nu_operands;
/* Words of so many operands of a chain. */
size_t nu_words(const nu_engine *engine, size_t operands);
/* The rows below layer l, its deltas, its weights as the thread's node has them. */
nu_operands nu_below(const nu_engine *engine, size_t l);
nu_operands nu_deltas(const nu_engine *engine, size_t l);
nu_operands nu_weights(const nu_engine *engine, size_t l, size_t thread);
/* In bf16: make the pairs of rows that have been formed. Rows are `stride` floats apart, columns
 * start at a panel; pairs `to` NULL: nobody reads them. */
void nu_narrow_rows(const nu_engine *engine, const float *from, float *to, size_t stride,
                    nu_range rows, nu_range columns);
/* Weights that have been formed go to every node, and in bf16 become pairs. Inputs of a panel must
 * come in increasing order. */
void nu_publish_weights(const nu_engine *engine, const nu_engine_layer *layer, size_t panel,
                        nu_range inputs);
void nu_publish_all_weights(const nu_engine *engine);
/* to[j][c] = w(neuron j of the panel, input + c) for all neurons j of a panel of the layer, as
 * operands of a chain over j: words `to`, rows P apart. */
void nu_transpose_panel(const nu_engine *engine, const nu_engine_layer *layer, size_t thread,
                        size_t panel, size_t input, size_t columns, float *to);

/* A region's part of one grain. */
typedef struct nu_grain {
  size_t l, panel, my_panel; /* layer; panel of it; the same among the thread's panels */
  nu_range inputs;           /* of the region */
  bool first;                /* are these the first inputs of the thread? */
  size_t together;           /* which of the regions that pass together: nu_regions_together */
  nu_range held;             /* rows of the grain, where they are held */
  size_t in_chunk;           /* which grain of the chunk */
} nu_grain;
/* The operands of the grain's chain: k, x, xcol, y, yrow. A thread asks for its first inputs before
 * the others of a panel, and for its first panel before the others. */
void nu_grain_operands(const nu_engine *engine, size_t thread, const nu_grain *grain,
                       nu_chain *chain);
/* Most inputs of a region. */
size_t nu_region_inputs(const nu_engine *engine);
/* Regions of one panel that take their turn before the next panel's. */
size_t nu_regions_together(const nu_engine *engine, const nu_engine_layer *layer);
/* Their memory; and, once it has its pages, what never changes in it. */
bool nu_create_packed(nu_engine *engine);
bool nu_create_pairs(nu_engine *engine);
void nu_narrow_ones(const nu_engine *engine);

/* (3.8) with the activation, for the chunk's rows and the thread's panels of layer l. */
void nu_forward_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk);
/* (4.3) for the chunk's rows and the thread's panels of layer l, from the weights of layer l + 1.
 */
void nu_delta_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk);
/* (4.12) for the thread's panels of layer l over the grains of the chunk, and what earlier chunks
 * left. In the last chunk of one group the sum over the batch and, with `update`, the optimiser;
 * else the roots that the next chunk or nu_join_groups goes on from. */
void nu_gradient_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk,
                       const nu_update *update);
/* Several groups, after a barrier: the thread's share of the sum over all groups, and of the
 * update. Where nodes have several groups these come first, on the node, and then a barrier. */
void nu_join_groups(const nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                    const nu_update *update);
/* Most subtree roots that a group of the plan leaves behind any chunk of a batch of `rows` rows. */
size_t nu_gradient_roots(const numann_plan *plan, size_t rows);
/* Floats of the largest scratch that each file needs for one thread. */
size_t nu_product_scratch(const nu_engine *engine);
size_t nu_gradient_scratch(const nu_engine *engine);

/* The engine's float gradient of a batch for gradcheck and tests: flat logical layout, summed over
 * the rows, G = -dE/dw = sum of delta x. inputs [rows][n_0], targets [rows][n_L]. */
numann_status nu_engine_gradient(const numann_network *network, const numann_plan *plan,
                                 size_t rows, const float *inputs, const float *targets,
                                 float *gradient, numann_error *err);

#endif
