/* The engine: what a team of threads computes with. SPDX-License-Identifier: MIT
 *
 * One struct for all that a pass reads and writes, made by trainer/engine.c from the ledger and the
 * only thing that the kinds of layers see of the trainer. trainer/memory.h says where its arrays
 * lie. One engine serves one team at a time. */
#ifndef NU_LAYERS_ENGINE_H
#define NU_LAYERS_ENGINE_H

#include "data/data.h"
#include "kernels/kernels.h"
#include "machine/comm.h"
#include "machine/team.h"
#include "network/methods.h"
#include "plan/ledger.h"
#include "plan/placement.h"
#include "plan/tree.h"

/* The arrays of a layer that have a number for each of its parameters, in engine form. */
enum { NU_WEIGHTS, NU_GRADIENT, NU_FIRST_ARRAY, NU_ARRAYS = NU_FIRST_ARRAY + NU_METHOD_ARRAYS };

/* One layer. All arrays are aligned to 64 and owned by the engine. */
typedef struct nu_engine_layer {
  const nu_layer *shape; /* borrowed from the network */
  size_t inputs, neurons, links;
  size_t rows;       /* of parameters in a panel: nu_layer_rows */
  size_t panels;     /* ceil(neurons / P) */
  size_t panel_size; /* floats from one panel to the next: nu_plan_panel_floats */
  nu_activation activation;
  /* The weights; the gradient, sum over the batch's rows of delta x, inside the engine's one block,
   * NULL where the update is fused; the optimiser's, NULL without. */
  float *array[NU_ARRAYS];
  float *replicas[NU_MOST_REPLICAS]; /* the weights of each node; the first is array[NU_WEIGHTS] */
  float *activations;                /* [rows held][stride]: f(z), 1, zeros */
  float *nets;         /* [rows held][stride]: z; the activations where no derivative needs it */
  const float *slopes; /* which of the two f' is formed from */
  float *deltas;       /* [rows held][stride]; NULL where only predicting */
  size_t stride;       /* nu_stride(neurons) */
  size_t together;     /* regions of the gradient that pass together */
  bool packed;         /* reads packed operands there */
  double *panel_norms; /* [panels]: sum of squared gradients, for clipping */
  /* The same rounded to bf16, two to a word, for products (layers/dense/operands.c); else NULL. */
  float *weight_pairs[NU_MOST_REPLICAS]; /* [panels][ceil(rows / 2)][P or P/2]: pairs of inputs */
  float *activation_pairs;               /* [rows held][stride / 2]: pairs of features */
  float *delta_pairs;                    /* [rows held][stride / 2] */
} nu_engine_layer;

/* What belongs to one thread. */
typedef struct nu_engine_thread {
  float *scratch; /* slots of the tree, transposed weights, or blocks of output rows */
  float *packed;  /* operands of the gradient (layers/dense/pack.c); NULL without need */
  nu_merge
      *merges;     /* [levels][groups * roots of one + 1]: what joins groups; NULL without groups */
  bool not_finite; /* an update gave a weight that is not finite */
} nu_engine_thread;

/* What belongs to one group of threads, where sums wait for other groups or for the next chunk. */
typedef struct nu_engine_group {
  float **roots; /* [n_roots][gradient_size]: subtree roots of its grains; the first one of group 0
                     is the engine's gradient: there the tree ends. The list is owned */
  size_t n_roots;
} nu_engine_group;

/* An exchange with the other ranks that is under way. */
typedef struct nu_rank_lane {
  nu_mail mail;
  nu_message *list; /* [2 ranks]: to send, to receive; owned */
  void **from;      /* [ranks]: what each has sent here; owned */
  uint64_t posts;   /* of each rank, when it has sent */
} nu_rank_lane;

/* The other ranks of the job (trainer/ranks.h). The lists are owned. */
typedef struct nu_engine_ranks {
  nu_comm *comm;       /* borrowed; NULL: this process is alone */
  void **areas;        /* [ranks]: NU_BUFFER_SENT of each on this host; else NULL */
  nu_rank_area *spots; /* [ranks]: where their messages stand there */
  float *received;     /* NU_BUFFER_RECEIVED: from other hosts */
  nu_rank_area inbox;  /* where messages stand there */
  nu_range *bundles;   /* [n_bundles]: layers whose messages go together, the last ones first */
  size_t n_bundles;
  size_t *bundle_of; /* [layers]: its place in that list */
  size_t *before;    /* [ranks + 1][layers + 1]: parameters of earlier layers of earlier ranks */
  nu_rank_lane lanes[NU_LANES];
  uint64_t posts;          /* exchanges begun so far */
  unsigned wanted, agreed; /* action of this rank; of all, by the last step */
  bool not_finite;         /* another rank's update gave a weight that is not finite */
  uint64_t messages_before, bytes_before; /* sent before the running pass */
} nu_engine_ranks;

/* An allocation. */
typedef struct nu_placed {
  char *at;
  nu_buffer what;
} nu_placed;

typedef struct nu_memory_list {
  nu_placed *items; /* [n], owned, as is what they point to */
  size_t n, capacity;
  size_t touched; /* items that have their pages */
  int refusal;    /* errno of a node that could not be asked for; 0: none */
} nu_memory_list;

struct nu_engine {
  const nu_plan *plan;           /* borrowed */
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
  bool pairs;         /* products read pairs of bf16 */
  float *input_pairs; /* [rows][input_stride / 2]: inputs as pairs; NULL without need */
  uint32_t *samples;  /* [rows]: which row of the data each is; NULL where no kind asks */
  float *targets;     /* [rows][nu_padded(outputs)] */
  double *row_loss;   /* [rows of the largest batch] */
  nu_engine_ranks ranks;
  nu_engine_thread *threads; /* [plan->threads], owned */
  size_t most_merges;        /* of a thread's list for a level */
  nu_engine_group
      *groups; /* [plan->groups], owned; NULL where batches are one chunk of one group */
};

/* What a pass is for; the same on every thread. */
struct nu_pass {
  const nu_chunk *chunk; /* the thread's rows, and the batch's */
  uint64_t step;         /* updates done before it */
  bool trains;           /* false: an evaluation, in which nothing is dropped */
};

/* A(l-1) of layer l: the inputs for the first. */
static inline const float *nu_activations_below(const nu_engine *engine, size_t l, size_t *stride) {
  *stride = l ? engine->layers[l - 1].stride : engine->input_stride;
  return l ? engine->layers[l - 1].activations : engine->inputs;
}

/* Which copy of the weights a thread reads: that of its node. */
static inline size_t nu_replica_of(const nu_engine *engine, size_t thread) {
  return engine->replicas > 1 ? nu_plan_node(engine->plan, thread) : 0;
}

/* ---- what the gradient asks of a kind */

/* A region's part of one grain: `inputs` of one panel of parameters, the bias being the last. */
struct nu_grain {
  size_t l, panel, my_panel; /* layer; panel of it; the same among the thread's panels */
  nu_range inputs;
  bool first;      /* are these the first inputs of the thread? */
  size_t together; /* which of the regions that pass together */
  nu_range held;   /* rows of the grain, where they are held */
  size_t in_chunk; /* which grain of the chunk */
  nu_chain *chain; /* out or target, the subtrees that join, m, width; the kind adds the operands */
};

/* For kinds that have formed their sum [inputs][width] themselves: join, and store or update. */
void nu_finish_grain(const nu_engine *engine, const nu_grain *grain, const float *sum);

/* ---- what every kind's rows go through */

/* f(z) in place of, or beside, z; the layer's trailing 1, and the pairs of bf16 that a product
 * above reads. Rows are held ones, columns start at a panel. */
void nu_finish_activations(const nu_engine *engine, const nu_engine_layer *layer, nu_range rows,
                           nu_range columns);
/* What came back to a layer times f'(z) (4.3), and the pairs that products read. */
void nu_finish_deltas(const nu_engine *engine, const nu_engine_layer *layer, nu_range rows,
                      nu_range columns);
/* In bf16: the pairs of rows that have been formed. Rows are `stride` floats apart, columns start
 * at a panel; pairs `to` NULL: nobody reads them. */
void nu_narrow_rows(const nu_engine *engine, const float *from, float *to, size_t stride,
                    nu_range rows, nu_range columns);

/* Weights that have been formed go to every node, and in bf16 become pairs. Inputs of a panel must
 * come in increasing order. */
void nu_publish_weights(const nu_engine *engine, const nu_engine_layer *layer, size_t panel,
                        nu_range inputs);
void nu_publish_all_weights(const nu_engine *engine);

#endif
