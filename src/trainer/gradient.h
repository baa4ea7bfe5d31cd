/* The gradient (4.12), its tree, the joins of groups, and the update (4.5), (4.8).
 * SPDX-License-Identifier: MIT
 *
 * gradient.c forms the gradient of a layer over the grains of a chunk; join.c adds up, level by
 * level, what several groups have left.
 *
 * Between two barriers a thread reads all activations and deltas, and writes nothing but: its part
 * (nu_plan_part) of the layer's gradient, or of its group's roots; where the update is fused, the
 * same part of the weights, their copies (nu_publish_weights) and the optimiser's arrays; its own
 * scratch and packed operands; and its own flag of what is not finite. */
#ifndef NU_TRAINER_GRADIENT_H
#define NU_TRAINER_GRADIENT_H

#include "layers/engine.h"

/* (4.12) for the thread's part of layer l over the grains of the chunk, and what earlier chunks
 * left. In the last chunk of one group the sum over the batch and, with `update`, the optimiser;
 * else the roots that the next chunk or nu_join_groups goes on from. */
void nu_gradient_layer(const nu_engine *engine, size_t l, size_t thread, const nu_chunk *chunk,
                       const nu_update *update);

/* Several groups, after a barrier: the thread's share of the sum over all of them, and of the
 * update. Levels of joins are climbed one by one, with a barrier between. */
void nu_join_groups(nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                    const nu_update *update);
/* Several ranks, when the gradient of layer l is formed, from the last layer down: what is whole by
 * then is sent, joined and updated; after the first layer all is. */
void nu_join_ranks(nu_engine *engine, nu_team *team, size_t thread, size_t rows, size_t l,
                   const nu_update *update);

/* ---- between the two files */

/* A block of a layer's parameters: rows [begin, end) of one panel, the bias being the last row. */
typedef struct nu_region {
  const nu_engine_layer *layer;
  size_t panel, width;
  nu_range inputs;
  size_t together; /* which of the regions that pass together */
} nu_region;

/* Floats of a region, and where it starts in the layer's arrays. */
static inline size_t nu_region_size(const nu_region *at) {
  return (at->inputs.end - at->inputs.begin) * at->width;
}
static inline size_t nu_region_offset(const nu_region *at) {
  return at->panel * at->layer->panel_size + at->inputs.begin * at->width;
}
/* And in the gradient of all layers. */
static inline size_t nu_region_in_gradient(const nu_engine *engine, const nu_region *at) {
  return (size_t)(at->layer->array[NU_GRADIENT] - engine->gradient) + nu_region_offset(at);
}

/* A root of a group of this process, at a region; slot: group * NU_TREE_DEPTH + root. */
static inline float *nu_group_root(const nu_engine *engine, const nu_region *at, size_t slot) {
  return engine->groups[slot / NU_TREE_DEPTH].roots[slot % NU_TREE_DEPTH] +
         nu_region_in_gradient(engine, at);
}

/* Calls fn for each region of a part of layer l, `step` rows each. With weight decay, rows that do
 * not decay have regions of their own. */
typedef void nu_region_fn(const nu_engine *engine, size_t thread, const nu_region *at,
                          const void *arg);
void nu_for_each_region(const nu_engine *engine, size_t l, size_t thread, nu_part part, size_t step,
                        const nu_update *update, nu_region_fn *fn, const void *arg);
/* The optimiser on a region with its gradient G. */
void nu_update_region(const nu_engine *engine, size_t thread, const nu_region *at, const float *G,
                      const nu_update *update);

#endif
