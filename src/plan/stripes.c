/* Bytes to nodes: whose page is whose. SPDX-License-Identifier: MIT
 *
 * parts.h says who computes which part of a buffer; the node of that thread is where the part
 * should lie. A page is its first byte's. */
#include "base/least.h"
#include "base/memory.h"
#include "kernels/kernels.h"
#include "plan/ledger.h"
#include "plan/placement.h"

/* ---- stripes as they grow */

typedef struct striping {
  const nu_plan *plan;
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
  end = nu_smaller(nu_round_up(end, NU_PAGE), s->buffer->bytes);
  if (end <= s->last.end) return;
  if (s->last.begin == s->last.end) s->last.node = node;
  if (node != s->last.node) {
    put_last(s);
    s->last = (nu_stripe){s->last.end, s->last.end, node};
  }
  s->last.end = end;
}

/* ---- parameters among threads */

/* An array of one number per parameter of a layer, or of pairs, that begins at `base`. */
typedef struct array_of {
  const nu_layer *layer;
  size_t base, panel_bytes;
  bool pairs;
} array_of;

/* Where the thread's inputs of a panel end; those of nobody are the last one's. */
static void split_inputs(striping *s, const array_of *a, size_t panel, nu_level level,
                         nu_range threads) {
  size_t width = nu_panel_width(a->layer->neurons, panel) * sizeof(float), last = threads.begin;
  size_t base = a->base + panel * a->panel_bytes;
  for (size_t t = threads.begin; t < threads.end; t++) {
    nu_range mine = nu_plan_part(s->plan, a->layer, level, t).inputs;
    if (mine.begin >= mine.end) continue;
    extend(s, base + (a->pairs ? (mine.end + 1) / 2 : mine.end) * width, t);
    last = t;
  }
  extend(s, base + a->panel_bytes, last);
}

static void split_layer(striping *s, const array_of *a, nu_level level, size_t thread) {
  nu_range threads = nu_plan_sharers(s->plan, level, thread);
  bool thin = nu_plan_is_thin(s->plan, a->layer, level, thread);
  for (size_t p = 0; thin && p < nu_panels(a->layer->neurons); p++)
    split_inputs(s, a, p, level, threads);
  for (size_t t = threads.begin; !thin && t < threads.end; t++)
    extend(s, a->base + nu_plan_part(s->plan, a->layer, level, t).panels.end * a->panel_bytes, t);
}

static array_of array_at(const striping *s, size_t l, size_t base) {
  const nu_layer *layer = &s->network->layers[l];
  return (array_of){layer, base, nu_plan_panel_floats(s->plan, layer) * sizeof(float), false};
}

static void add_array(striping *s) {
  array_of a = array_at(s, s->buffer->layer, 0);
  split_layer(s, &a, NU_LEVEL_HOST, 0);
}

/* A replica is all its node's. */
static bool is_replica(striping *s) {
  if (nu_plan_replicas(s->plan) == 1) return false;
  extend(s, s->buffer->bytes, nu_plan_node_threads(s->plan, s->buffer->of).begin);
  return true;
}

static void add_weights(striping *s) {
  if (!is_replica(s)) add_array(s);
}

static void add_weight_pairs(striping *s) {
  if (is_replica(s)) return;
  array_of a = array_at(s, s->buffer->layer, 0);
  a.panel_bytes = nu_plan_pair_panel_words(s->plan, a.layer) * sizeof(float);
  a.pairs = true;
  split_layer(s, &a, NU_LEVEL_HOST, 0);
}

/* All layers, one after the other. */
static void add_layers(striping *s, nu_level level, size_t thread) {
  for (size_t l = 0, base = 0; l < s->network->n_layers; l++) {
    array_of a = array_at(s, l, base);
    split_layer(s, &a, level, thread);
    base += nu_plan_layer_floats(s->plan, a.layer) * sizeof(float);
  }
}

static void add_gradient(striping *s) { add_layers(s, NU_LEVEL_HOST, 0); }

static void add_root(striping *s) {
  size_t group = s->buffer->of / nu_plan_roots_of_group(s->plan);
  add_layers(s, NU_LEVEL_GROUP, nu_plan_members(s->plan, group).begin);
}

/* ---- rows, threads, data */

/* Held rows of each group by the member that gathers them; those that are never filled are the last
 * one's. */
static void add_rows(striping *s) {
  const nu_plan *plan = s->plan;
  nu_range grains = nu_plan_rank_grains(plan, plan->problem.batch, plan->rank);
  size_t groups = nu_smaller(plan->groups, grains.end - grains.begin),
         rows = nu_plan_held(plan, plan->problem.batch);
  size_t bytes = s->buffer->bytes / rows, of_group = rows / groups;
  for (size_t g = 0; g < groups; g++) {
    nu_range members = nu_plan_members(plan, g),
             held = nu_plan_chunk(plan, plan->problem.batch, members.begin, 0).held;
    for (size_t t = members.begin; t < members.end; t++) {
      nu_range mine = nu_plan_my_own(plan, held, t);
      extend(s, (t + 1 < members.end ? mine.end : (g + 1) * of_group) * bytes, t);
    }
  }
}

static void add_thread(striping *s) { extend(s, s->buffer->bytes, s->buffer->of); }

/* Small, and read by all. */
static void add_shared(striping *s) { extend(s, s->buffer->bytes, 0); }

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
    [NU_BUFFER_ARRAY] = {"optimiser", add_array},
    [NU_BUFFER_WEIGHT_PAIRS] = {"weight pairs", add_weight_pairs},
    [NU_BUFFER_GRADIENT] = {"gradient", add_gradient},
    [NU_BUFFER_ROOT] = {"gradient of a group", add_root},
    [NU_BUFFER_INPUTS] = {"inputs", add_rows},
    [NU_BUFFER_TARGETS] = {"targets", add_rows},
    [NU_BUFFER_ACTIVATIONS] = {"activations", add_rows},
    [NU_BUFFER_NETS] = {"net inputs", add_rows},
    [NU_BUFFER_DELTAS] = {"deltas", add_rows},
    [NU_BUFFER_INPUT_PAIRS] = {"input pairs", add_rows},
    [NU_BUFFER_ACTIVATION_PAIRS] = {"activation pairs", add_rows},
    [NU_BUFFER_DELTA_PAIRS] = {"delta pairs", add_rows},
    [NU_BUFFER_SCRATCH] = {"scratch", add_thread},
    [NU_BUFFER_PACKED] = {"packed operands", add_thread},
    [NU_BUFFER_SAMPLES] = {"samples", add_rows},
    [NU_BUFFER_LOSSES] = {"losses", add_shared},
    [NU_BUFFER_NORMS] = {"norms", add_shared},
    [NU_BUFFER_SENT] = {"sent to ranks", add_shared},
    [NU_BUFFER_RECEIVED] = {"from ranks", add_shared},
    [NU_BUFFER_DATA] = {"data", add_data},
};

const char *nu_buffer_name(nu_buffer_kind kind) { return kinds[kind].name; }

static size_t cut(striping *s) {
  if (nu_plan_nodes(s->plan) > 1) kinds[s->buffer->kind].add(s);
  else extend(s, s->buffer->bytes, 0);
  put_last(s);
  return s->n;
}

size_t nu_plan_stripes(const nu_plan *plan, const numann_network *network, const nu_buffer *buffer,
                       nu_stripe *stripes, size_t capacity) {
  striping s = {
      .plan = plan, .network = network, .buffer = buffer, .out = stripes, .capacity = capacity};
  return cut(&s);
}

void nu_plan_add_by_node(const nu_plan *plan, const numann_network *network,
                         const nu_buffer *buffer, size_t *bytes) {
  striping s = {.plan = plan, .network = network, .buffer = buffer, .by_node = bytes};
  cut(&s);
}

typedef struct by_node {
  const nu_plan *plan;
  const numann_network *network;
  size_t *bytes;
} by_node;

static void add_on_nodes(const nu_buffer *buffer, void *arg) {
  by_node *all = arg;
  nu_plan_add_by_node(all->plan, all->network, buffer,
                      all->bytes + buffer->kind * nu_plan_nodes(all->plan));
}

size_t *nu_plan_bytes_by_node(const nu_plan *plan, const numann_network *network,
                              size_t data_bytes) {
  size_t n = NU_BUFFER_KINDS * nu_plan_nodes(plan);
  by_node all = {plan, network, nu_alloc(n, sizeof *all.bytes)};
  if (all.bytes) nu_ledger_walk_training(plan, network, data_bytes, add_on_nodes, &all);
  return all.bytes;
}
