/* Bytes to nodes: whose page is whose. SPDX-License-Identifier: MIT
 *
 * Who computes which part of a buffer stands in trainer/gradient.c (part_in_group, part_among_all)
 * and in nu_plan_my_own; the node of that thread is where the part should lie. A page is its first
 * byte's. */
#include "base/memory.h"
#include "kernels/kernels.h"
#include "plan/memory.h"
#include "plan/placement.h"

#define P NU_PANEL
#define PAGE_FLOATS (NU_PAGE / sizeof(float))

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- panels */

static size_t whole_pages(const numann_plan *plan, size_t floats) {
  return nu_plan_places_memory(plan) ? nu_round_up(floats, PAGE_FLOATS) : floats;
}

size_t nu_plan_panel_floats(const numann_plan *plan, size_t inputs) {
  return whole_pages(plan, (inputs + 1) * P);
}

size_t nu_plan_pair_panel_words(const numann_plan *plan, size_t inputs) {
  return whole_pages(plan, (inputs + 2) / 2 * P);
}

size_t nu_plan_layer_floats(const numann_plan *plan, size_t inputs, size_t neurons) {
  if (!nu_plan_places_memory(plan)) return nu_engine_size(inputs, neurons);
  return nu_panels(neurons) * nu_plan_panel_floats(plan, inputs);
}

/* ---- stripes as they grow */

typedef struct striping {
  const numann_plan *plan;
  const numann_network *network;
  const nu_buffer *buffer;
  nu_stripe *out;
  size_t capacity, n;
  size_t *by_node; /* [nodes] sums of bytes, or NULL */
  nu_stripe last;  /* still growing; empty at the start */
} striping;

static void put_last(striping *s) {
  if (s->last.begin == s->last.end) return;
  if (s->n < s->capacity) s->out[s->n] = s->last;
  if (s->by_node) s->by_node[s->last.node] += s->last.end - s->last.begin;
  s->n++;
}

/* Everything from where the last stripe ends up to `end` is a thread's. */
static void extend(striping *s, size_t end, size_t thread) {
  size_t node = nu_plan_node(s->plan, thread);
  end = least(nu_round_up(end, NU_PAGE), s->buffer->bytes);
  if (end <= s->last.end) return;
  if (s->last.begin == s->last.end) s->last.node = node;
  if (node != s->last.node) {
    put_last(s);
    s->last = (nu_stripe){s->last.end, s->last.end, node};
  }
  s->last.end = end;
}

/* ---- panels among threads */

/* An array of one number a parameter, or of pairs, of one layer, shared by some threads. */
typedef struct share_of {
  const nu_layer *layer;
  size_t base;       /* bytes before it */
  size_t panel_size; /* bytes */
  bool pairs;
  bool thin; /* threads split the inputs */
  nu_range threads;
} share_of;

static size_t row_of(const share_of *a, size_t input) { return a->pairs ? (input + 1) / 2 : input; }

static void split_inputs(striping *s, const share_of *a, size_t panel) {
  size_t n = a->threads.end - a->threads.begin, units = nu_panels(a->layer->inputs), last = 0;
  size_t base = a->base + panel * a->panel_size,
         width = nu_panel_width(a->layer->neurons, panel) * sizeof(float);
  for (size_t t = 0; t < n; t++) {
    nu_range mine = nu_spread(units, n, t);
    if (mine.begin == mine.end) continue;
    size_t end = mine.end * P < a->layer->inputs ? mine.end * P : a->layer->inputs + 1;
    extend(s, base + row_of(a, end) * width, a->threads.begin + t);
    last = t;
  }
  extend(s, base + a->panel_size, a->threads.begin + last);
}

static void split_layer(striping *s, const share_of *a) {
  size_t n = a->threads.end - a->threads.begin, panels = nu_panels(a->layer->neurons);
  for (size_t p = 0; a->thin && p < panels; p++) split_inputs(s, a, p);
  for (size_t t = 0; !a->thin && t < n; t++)
    extend(s, a->base + nu_share(panels, n, t).end * a->panel_size, a->threads.begin + t);
}

/* As trainer/gradient.c shares the layer out: among all threads, or those of a group. */
static share_of among(const striping *s, size_t l, nu_range threads, bool thin) {
  const nu_layer *layer = &s->network->layers[l];
  size_t floats = nu_plan_panel_floats(s->plan, layer->inputs);
  return (share_of){
      .layer = layer, .panel_size = floats * sizeof(float), .thin = thin, .threads = threads};
}

static share_of among_all(const striping *s, size_t l) {
  size_t threads = s->plan->threads;
  return among(s, l, (nu_range){0, threads}, nu_panels(s->network->layers[l].neurons) < threads);
}

static share_of in_group(const striping *s, size_t l, size_t group) {
  bool thin = nu_plan_is_thin(s->plan, nu_panels(s->network->layers[l].neurons));
  return among(s, l, nu_plan_members(s->plan, group), thin);
}

static void add_array(striping *s) {
  share_of a = among_all(s, s->buffer->layer);
  split_layer(s, &a);
}

/* A replica is all its node's. */
static void add_weights(striping *s) {
  if (nu_plan_replicas(s->plan) == 1) add_array(s);
  else extend(s, s->buffer->bytes, nu_plan_node_threads(s->plan, s->buffer->of).begin);
}

static void add_weight_pairs(striping *s) {
  if (nu_plan_replicas(s->plan) > 1) {
    add_weights(s);
    return;
  }
  share_of a = among_all(s, s->buffer->layer);
  a.panel_size = nu_plan_pair_panel_words(s->plan, a.layer->inputs) * sizeof(float);
  a.pairs = true;
  split_layer(s, &a);
}

static void add_gradient(striping *s) {
  for (size_t l = 0, base = 0; l < s->network->n_layers; l++) {
    share_of a = among_all(s, l);
    a.base = base;
    split_layer(s, &a);
    base += nu_plan_layer_floats(s->plan, a.layer->inputs, a.layer->neurons) * sizeof(float);
  }
}

static void add_root(striping *s) {
  size_t group = s->buffer->of / nu_plan_roots_of_group(s->plan);
  for (size_t l = 0, base = 0; l < s->network->n_layers; l++) {
    share_of a = in_group(s, l, group);
    a.base = base;
    split_layer(s, &a);
    base += nu_plan_layer_floats(s->plan, a.layer->inputs, a.layer->neurons) * sizeof(float);
  }
}

/* ---- rows, threads, data */

/* Held rows of each group by the member that gathers them; those that are never filled are the last
 * one's. */
static void add_rows(striping *s) {
  const numann_plan *plan = s->plan;
  size_t groups = least(plan->groups, nu_plan_grains(plan, plan->batch)),
         rows = nu_plan_held(plan, plan->batch);
  size_t bytes = s->buffer->bytes / rows, of_group = rows / groups;
  for (size_t g = 0; g < groups; g++) {
    nu_range members = nu_plan_members(plan, g),
             held = nu_plan_chunk(plan, plan->batch, members.begin, 0).held;
    for (size_t t = members.begin; t < members.end; t++) {
      nu_range mine = nu_plan_my_own(plan, held, t);
      extend(s, (t + 1 < members.end ? mine.end : (g + 1) * of_group) * bytes, t);
    }
  }
}

static void add_thread(striping *s) { extend(s, s->buffer->bytes, s->buffer->of); }

/* In proportion to the threads of a node. */
static void add_data(striping *s) {
  size_t threads = s->plan->threads, each = s->buffer->bytes / threads,
         rest = s->buffer->bytes % threads;
  for (size_t n = 0; n < nu_plan_nodes(s->plan); n++) {
    nu_range of_node = nu_plan_node_threads(s->plan, n);
    extend(s, each * of_node.end + rest * of_node.end / threads, of_node.begin);
  }
}

/* ---- the table */

static const struct {
  const char *name;
  void (*add)(striping *s);
} kinds[NU_BUFFER_KINDS] = {
    [NU_BUFFER_WEIGHTS] = {"weights", add_weights},
    [NU_BUFFER_MOMENT1] = {"first moment", add_array},
    [NU_BUFFER_MOMENT2] = {"second moment", add_array},
    [NU_BUFFER_WEIGHT_PAIRS] = {"weight pairs", add_weight_pairs},
    [NU_BUFFER_GRADIENT] = {"gradient", add_gradient},
    [NU_BUFFER_ROOT] = {"gradient of a group", add_root},
    [NU_BUFFER_INPUTS] = {"inputs", add_rows},
    [NU_BUFFER_TARGETS] = {"targets", add_rows},
    [NU_BUFFER_ACTIVATIONS] = {"activations", add_rows},
    [NU_BUFFER_DELTAS] = {"deltas", add_rows},
    [NU_BUFFER_INPUT_PAIRS] = {"input pairs", add_rows},
    [NU_BUFFER_ACTIVATION_PAIRS] = {"activation pairs", add_rows},
    [NU_BUFFER_DELTA_PAIRS] = {"delta pairs", add_rows},
    [NU_BUFFER_SCRATCH] = {"scratch", add_thread},
    [NU_BUFFER_PACKED] = {"packed operands", add_thread},
    [NU_BUFFER_DATA] = {"data", add_data},
};

const char *nu_buffer_name(nu_buffer_kind kind) { return kinds[kind].name; }

static size_t cut(striping *s) {
  if (nu_plan_places_memory(s->plan)) kinds[s->buffer->kind].add(s);
  else extend(s, s->buffer->bytes, 0);
  put_last(s);
  return s->n;
}

size_t nu_plan_stripes(const numann_plan *plan, const numann_network *network,
                       const nu_buffer *buffer, nu_stripe *stripes, size_t capacity) {
  striping s = {
      .plan = plan, .network = network, .buffer = buffer, .out = stripes, .capacity = capacity};
  return cut(&s);
}

void nu_plan_add_by_node(const numann_plan *plan, const numann_network *network,
                         const nu_buffer *buffer, size_t *bytes) {
  striping s = {.plan = plan, .network = network, .buffer = buffer, .by_node = bytes};
  cut(&s);
}
