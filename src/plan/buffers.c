/* Every buffer that a training allocates, and its size. SPDX-License-Identifier: MIT
 *
 * What the engine allocates stands in trainer/engine.c, pack.c and narrow.c; a change there is a
 * change here: tests/check_placement.c holds the sizes against a trainer's. */
#include "base/memory.h"
#include "kernels/kernels.h"
#include "plan/memory.h"
#include "plan/placement.h"

#define P NU_PANEL

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

typedef struct walk {
  const numann_plan *plan;
  const numann_network *network;
  size_t rows; /* that are held */
  nu_buffer_fn *fn;
  void *arg;
} walk;

static void give(const walk *w, nu_buffer_kind kind, size_t layer, size_t of, size_t floats) {
  nu_buffer buffer = {kind, layer, of, floats * sizeof(float)};
  if (floats) w->fn(&buffer, w->arg);
}

/* ---- parameters */

static size_t layer_floats(const walk *w, size_t l) {
  const nu_layer *layer = &w->network->layers[l];
  return nu_plan_layer_floats(w->plan, layer->inputs, layer->neurons);
}

static void give_parameters(const walk *w) {
  const numann_plan *plan = w->plan;
  for (size_t l = 0; l < w->network->n_layers; l++) {
    const nu_layer *layer = &w->network->layers[l];
    size_t floats = layer_floats(w, l);
    size_t words = nu_panels(layer->neurons) * nu_plan_pair_panel_words(plan, layer->inputs);
    for (size_t r = 0; r < nu_plan_replicas(plan); r++) {
      give(w, NU_BUFFER_WEIGHTS, l, r, floats);
      if (plan->precision == NU_BF16) give(w, NU_BUFFER_WEIGHT_PAIRS, l, r, words);
    }
    if (plan->moments > 0) give(w, NU_BUFFER_MOMENT1, l, 0, floats);
    if (plan->moments > 1) give(w, NU_BUFFER_MOMENT2, l, 0, floats);
  }
}

static bool leaves_roots(const numann_plan *plan) {
  return plan->groups > 1 || nu_plan_chunks(plan, plan->batch) > 1;
}

size_t nu_plan_roots_of_group(const numann_plan *plan) {
  if (!leaves_roots(plan)) return 0;
  return larger(1, larger(nu_plan_roots(plan, plan->batch), nu_plan_roots(plan, plan->last_batch)));
}

/* The gradient is where the first group's first root is; where nothing is left over and every
 * region is updated at once, there is none. */
static void give_gradients(const walk *w) {
  size_t floats = 0, roots = w->plan->groups * nu_plan_roots_of_group(w->plan);
  for (size_t l = 0; l < w->network->n_layers; l++) floats += layer_floats(w, l);
  if (!roots && !w->plan->fuse) give(w, NU_BUFFER_GRADIENT, 0, 0, floats);
  for (size_t r = 0; r < roots; r++) give(w, NU_BUFFER_ROOT, 0, r, floats);
}

/* ---- rows */

static void give_rows(const walk *w) {
  const numann_network *network = w->network;
  size_t last = network->n_layers - 1, inputs = nu_stride(network->layers[0].inputs);
  bool pairs = w->plan->precision == NU_BF16;
  give(w, NU_BUFFER_INPUTS, 0, 0, w->rows * inputs);
  give(w, NU_BUFFER_TARGETS, 0, 0, w->rows * nu_padded(network->layers[last].neurons));
  if (pairs) give(w, NU_BUFFER_INPUT_PAIRS, 0, 0, w->rows * inputs / 2);
  for (size_t l = 0; l <= last; l++) {
    size_t floats = w->rows * nu_stride(network->layers[l].neurons);
    give(w, NU_BUFFER_ACTIVATIONS, l, 0, floats);
    give(w, NU_BUFFER_DELTAS, l, 0, floats);
    if (pairs && l < last) give(w, NU_BUFFER_ACTIVATION_PAIRS, l, 0, floats / 2);
    if (pairs && l > 0) give(w, NU_BUFFER_DELTA_PAIRS, l, 0, floats / 2);
  }
}

/* ---- threads */

static size_t bit_length(size_t n) {
  size_t bits = 0;
  for (; n; n >>= 1) bits++;
  return bits;
}

/* Equal blocks of a chain's links (trainer/product.c). */
static size_t links_in_block(const numann_plan *plan, size_t links) {
  size_t blocks = (links + plan->blocks.k - 1) / plan->blocks.k;
  return ((links + blocks - 1) / blocks + P - 1) / P * P;
}

static size_t region_inputs(const numann_plan *plan) {
  return plan->blocks.inputs + plan->blocks.inputs / 4;
}

/* Blocks of output rows, stripes of weights above, or the tree's slots of a region. */
static size_t scratch_floats(const walk *w) {
  const numann_plan *plan = w->plan;
  const numann_network *network = w->network;
  size_t links = 0, grains = nu_plan_grains(plan, plan->batch);
  for (size_t l = 1; l < network->n_layers; l++)
    links = larger(links, links_in_block(plan, network->layers[l].neurons));
  size_t roots = grains < 2 ? grains : 2 * bit_length(grains),
         slots = roots + bit_length(grains) + 1;
  size_t outputs = nu_output_scratch(network->layers[network->n_layers - 1].neurons);
  return larger(outputs, larger(plan->blocks.panels * links * P, slots * region_inputs(plan) * P));
}

/* The inputs of a few regions, and the thread's deltas (trainer/pack.c). */
static size_t packed_floats(const walk *w) {
  const numann_plan *plan = w->plan;
  size_t panels = 0, rows = smaller(plan->grain, plan->batch);
  for (size_t l = 0; l < w->network->n_layers; l++)
    panels = larger(panels, nu_plan_packed_panels(plan, w->network->layers[l].neurons));
  if (!panels) return 0;
  size_t words = plan->precision == NU_BF16 ? (rows + 1) / 2 : rows;
  size_t grains = smaller(plan->chunk, nu_plan_grains(plan, plan->batch));
  size_t columns =
      (region_inputs(plan) + NU_HALF_PANEL - 1) / NU_HALF_PANEL * NU_HALF_PANEL + NU_HALF_PANEL;
  return grains * words * (NU_REGIONS_TOGETHER * columns + panels * P);
}

static void give_threads(const walk *w) {
  size_t scratch = scratch_floats(w), packed = packed_floats(w);
  for (size_t t = 0; t < w->plan->threads; t++) {
    give(w, NU_BUFFER_SCRATCH, 0, t, scratch);
    give(w, NU_BUFFER_PACKED, 0, t, packed);
  }
}

/* ---- all of them */

void nu_plan_each_buffer(const numann_plan *plan, const numann_network *network, size_t data_bytes,
                         nu_buffer_fn *fn, void *arg) {
  walk w = {plan, network, nu_plan_held(plan, plan->batch), fn, arg};
  give_parameters(&w);
  give_gradients(&w);
  give_rows(&w);
  give_threads(&w);
  nu_buffer data = {.kind = NU_BUFFER_DATA, .bytes = data_bytes};
  if (data_bytes) fn(&data, arg);
}

typedef struct list {
  nu_buffer *buffers;
  size_t capacity, n;
} list;

static void put(const nu_buffer *buffer, void *arg) {
  list *all = arg;
  if (all->n < all->capacity) all->buffers[all->n] = *buffer;
  all->n++;
}

size_t nu_plan_buffers(const numann_plan *plan, const numann_network *network, size_t data_bytes,
                       nu_buffer *buffers, size_t capacity) {
  list all = {buffers, capacity, 0};
  nu_plan_each_buffer(plan, network, data_bytes, put, &all);
  return all.n;
}

typedef struct sum {
  nu_buffer_kind kind;
  size_t bytes;
} sum;

static void add(const nu_buffer *buffer, void *arg) {
  sum *s = arg;
  if (buffer->kind == s->kind) s->bytes += buffer->bytes;
}

size_t nu_plan_buffer_bytes(const numann_plan *plan, const numann_network *network,
                            nu_buffer_kind kind) {
  sum s = {kind, 0};
  nu_plan_each_buffer(plan, network, 0, add, &s);
  return s.bytes;
}

typedef struct by_node {
  const numann_plan *plan;
  const numann_network *network;
  size_t *bytes;
} by_node;

static void add_on_nodes(const nu_buffer *buffer, void *arg) {
  by_node *all = arg;
  nu_plan_add_by_node(all->plan, all->network, buffer,
                      all->bytes + buffer->kind * nu_plan_nodes(all->plan));
}

size_t *nu_plan_bytes_by_node(const numann_plan *plan, const numann_network *network,
                              size_t data_bytes) {
  by_node all = {plan, network, nu_alloc(NU_BUFFER_KINDS * nu_plan_nodes(plan), sizeof *all.bytes)};
  if (all.bytes) nu_plan_each_buffer(plan, network, data_bytes, add_on_nodes, &all);
  return all.bytes;
}
