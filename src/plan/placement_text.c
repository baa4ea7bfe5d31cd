/* The placement as text: a block a node, ranges instead of lines a thread.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/least.h"
#include "base/memory.h"
#include "kernels/kernels.h"
#include "plan/ledger.h"
#include "plan/placement.h"

/* ---- numbers as ranges */

static int by_number(const void *a, const void *b) {
  unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
  return x < y ? -1 : x > y;
}

/* "0-3,8"; sorts them. */
static void add_ranges(nu_text *out, unsigned *numbers, size_t n) {
  qsort(numbers, n, sizeof *numbers, by_number);
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i + 1; end < n && numbers[end] - numbers[end - 1] <= 1;) end++;
    const char *comma = i ? "," : "";
    if (numbers[end - 1] == numbers[i]) nu_text_addf(out, "%s%u", comma, numbers[i]);
    else nu_text_addf(out, "%s%u-%u", comma, numbers[i], numbers[end - 1]);
  }
}

static unsigned processor_of(const nu_placement *p, size_t t) { return p->seats[t].processor.os; }
static unsigned thread_of(const nu_placement *p, size_t t) {
  (void)p;
  return (unsigned)t;
}

/* One number of every seat on the node. */
static void add_of_seats(nu_text *out, const nu_placement *p, size_t node,
                         unsigned (*number)(const nu_placement *, size_t)) {
  unsigned *numbers = nu_alloc(p->n_threads, sizeof *numbers);
  size_t n = 0;
  out->failed |= !numbers;
  for (size_t t = 0; numbers && t < p->n_threads; t++) {
    if (node == SIZE_MAX || p->seats[t].node == node) numbers[n++] = number(p, t);
  }
  if (numbers) add_ranges(out, numbers, n);
  free(numbers);
}

void nu_add_seats(nu_text *out, const nu_placement *placement, size_t node) {
  add_of_seats(out, placement, node, processor_of);
}

void nu_add_threads(nu_text *out, const nu_placement *placement, size_t node) {
  add_of_seats(out, placement, node, thread_of);
}

/* ---- words */

static void add_count(nu_text *out, size_t n, const char *thing) {
  nu_text_addf(out, "%zu %s%s", n, thing, n == 1 ? "" : "s");
}

/* [begin, end) as people count: "7", "0-7", "none". */
static void add_range(nu_text *out, nu_range r) {
  if (r.begin >= r.end) nu_text_add(out, "none");
  else if (r.begin + 1 == r.end) nu_text_addf(out, "%zu", r.begin);
  else nu_text_addf(out, "%zu-%zu", r.begin, r.end - 1);
}

/* ---- bytes of a node by kind */

typedef struct sums {
  const nu_plan *plan;
  const numann_network *network;
  size_t n;      /* nodes */
  size_t *bytes; /* [NU_BUFFER_KINDS][n], owned */
} sums;

static size_t bytes_on(const sums *s, size_t node, nu_buffer_kind first, nu_buffer_kind last) {
  size_t bytes = 0;
  for (size_t kind = first; kind <= last; kind++) bytes += s->bytes[kind * s->n + node];
  return bytes;
}

/* ---- layers */

/* What a node's threads change of a layer: panels or, of a thin layer, inputs. */
static void add_part(nu_text *out, const nu_plan *plan, const nu_layer *layer, nu_range threads) {
  nu_part first = nu_plan_part(plan, layer, NU_LEVEL_HOST, threads.begin);
  nu_part last = nu_plan_part(plan, layer, NU_LEVEL_HOST, threads.end - 1);
  size_t begin = first.thin ? first.inputs.begin : first.panels.begin;
  size_t end = first.thin ? nu_smaller(last.inputs.end, layer->links) : last.panels.end;
  nu_text_add(out, first.thin ? "inputs " : "panels ");
  add_range(out, (nu_range){begin, end});
  nu_text_addf(out, " of %zu", first.thin ? layer->links : nu_panels(layer->neurons));
}

static bool same_shape(const nu_layer *a, const nu_layer *b) {
  return a->inputs == b->inputs && a->neurons == b->neurons;
}

/* What the node has of a layer's weights and of the optimiser's arrays. */
static size_t layer_bytes(const nu_plan *plan, const numann_network *network, size_t l, size_t node,
                          size_t *nodes) {
  size_t bytes = nu_plan_layer_floats(plan, &network->layers[l]) * sizeof(float);
  nu_buffer array = {NU_BUFFER_ARRAY, l, 0, bytes};
  size_t arrays = plan->arrays + (nu_plan_replicas(plan) == 1);
  memset(nodes, 0, nu_plan_nodes(plan) * sizeof *nodes);
  nu_plan_add_by_node(plan, network, &array, nodes);
  return arrays * nodes[node];
}

static void add_label(nu_text *out, const char *label) { nu_text_addf(out, "  %-12s", label); }

/* Layers of the same shape that follow one another share a line. */
static void add_layers(nu_text *out, const nu_plan *plan, const numann_network *network,
                       size_t node, size_t *nodes) {
  for (size_t l = 0, end; l < network->n_layers; l = end) {
    char label[64];
    for (end = l + 1;
         end < network->n_layers && same_shape(&network->layers[l], &network->layers[end]);)
      end++;
    if (end == l + 1) snprintf(label, sizeof label, "layer %zu", end);
    else snprintf(label, sizeof label, "layers %zu-%zu", l + 1, end);
    add_label(out, label);
    add_part(out, plan, &network->layers[l], nu_plan_node_threads(plan, node));
    size_t bytes = layer_bytes(plan, network, l, node, nodes);
    if (bytes) nu_text_add(out, ", ");
    if (bytes) nu_text_add_bytes(out, bytes);
    nu_text_add(out, bytes && end > l + 1 ? " each\n" : "\n");
  }
}

/* ---- a node */

static void add_bytes(nu_text *out, const char *label, size_t bytes) {
  if (!bytes) return;
  add_label(out, label);
  nu_text_add_bytes(out, bytes);
  nu_text_add(out, "\n");
}

/* Of the rows that are held, those that the node's threads gather. */
static void add_rows(nu_text *out, const nu_plan *plan, nu_range threads, size_t bytes) {
  nu_chunk first = nu_plan_chunk(plan, plan->problem.batch, threads.begin, 0);
  nu_chunk last = nu_plan_chunk(plan, plan->problem.batch, threads.end - 1, 0);
  nu_range rows = {nu_plan_my_own(plan, first.held, threads.begin).begin,
                   nu_plan_my_own(plan, last.held, threads.end - 1).end};
  add_label(out, "rows");
  add_range(out, rows);
  nu_text_addf(out, " of %zu%s", nu_plan_held(plan, plan->problem.batch), bytes ? ", " : "");
  if (bytes) nu_text_add_bytes(out, bytes);
  nu_text_add(out, "\n");
}

static void add_groups(nu_text *out, const nu_plan *plan, nu_range threads, size_t bytes) {
  if (!bytes) return;
  add_label(out, "gradients");
  if (plan->groups > 1) {
    nu_range groups = {nu_plan_group(plan, threads.begin),
                       nu_plan_group(plan, threads.end - 1) + 1};
    nu_text_addf(out, "of group%s ", groups.end - groups.begin == 1 ? "" : "s");
    add_range(out, groups);
    nu_text_add(out, ", ");
  }
  nu_text_add_bytes(out, bytes);
  nu_text_add(out, "\n");
}

static void add_data(nu_text *out, const nu_plan *plan, nu_range threads) {
  double all = (double)plan->threads;
  add_label(out, "data");
  nu_text_addf(out, "%.0f to %.0f %% of the training rows\n", 100.0 * (double)threads.begin / all,
               100.0 * (double)threads.end / all);
}

static size_t cores_of(const nu_placement *p, nu_range threads) {
  size_t n = 0;
  for (size_t t = threads.begin; t < threads.end; t++)
    n += t == threads.begin || p->seats[t].processor.core != p->seats[t - 1].processor.core;
  return n;
}

static void add_head(nu_text *out, const nu_placement *p, size_t node, nu_range threads) {
  nu_text_addf(out, "\nnode %-7u thread%s ", p->nodes[node].os,
               threads.end - threads.begin == 1 ? "" : "s");
  add_range(out, threads);
  nu_text_add(out, p->width == NU_BIND_NODE ? " on any of its " : " on ");
  add_count(out, p->width == NU_BIND_NODE ? p->nodes[node].cores : cores_of(p, threads), "core");
  if (p->width != NU_BIND_NODE) {
    nu_text_addf(out, " of %zu, processor%s ", p->nodes[node].cores,
                 threads.end - threads.begin == 1 ? "" : "s");
    nu_add_seats(out, p, node);
  }
  nu_text_add(out, "\n");
}

static void add_node(nu_text *out, const sums *s, size_t node, size_t *nodes) {
  const nu_plan *plan = s->plan;
  nu_range threads = nu_plan_node_threads(plan, node);
  add_head(out, plan->placement, node, threads);
  add_layers(out, plan, s->network, node, nodes);
  if (nu_plan_replicas(plan) > 1)
    add_bytes(out, "own weights", bytes_on(s, node, NU_BUFFER_WEIGHTS, NU_BUFFER_WEIGHTS));
  add_bytes(out, "pairs", bytes_on(s, node, NU_BUFFER_WEIGHT_PAIRS, NU_BUFFER_WEIGHT_PAIRS));
  add_groups(out, plan, threads, bytes_on(s, node, NU_BUFFER_GRADIENT, NU_BUFFER_ROOT));
  add_rows(out, plan, threads, bytes_on(s, node, NU_BUFFER_INPUTS, NU_BUFFER_DELTA_PAIRS));
  add_bytes(out, "scratch", bytes_on(s, node, NU_BUFFER_SCRATCH, NU_BUFFER_PACKED));
  if (bytes_on(s, node, NU_BUFFER_DATA, NU_BUFFER_DATA)) add_data(out, plan, threads);
}

/* ---- the whole */

/* One node of several: which one, and all memory is there. */
static void draw_one_node(const nu_placement *p, nu_text *out) {
  nu_text_addf(out, " on node %u, ", p->nodes[0].os);
  if (p->width == NU_BIND_NODE) {
    nu_text_add(out, "any of its ");
    add_count(out, p->nodes[0].cores, "core");
  } else {
    nu_text_add(out, p->n_threads == 1 ? "processor " : "processors ");
    nu_add_seats(out, p, 0);
  }
  nu_text_add(out, "; memory is placed there\n");
}

/* One node, or nothing that numann places. */
static void draw_simple(const nu_placement *p, nu_text *out) {
  nu_text_add(out, "             ");
  add_count(out, p->n_threads, "thread");
  if (p->memory) {
    draw_one_node(p, out);
    return;
  }
  nu_text_add(out, p->width == NU_BIND_NOT ? ", such as on processor" : " on processor");
  nu_text_add(out, p->n_threads == 1 ? " " : "s ");
  nu_add_seats(out, p, SIZE_MAX);
  nu_text_add(out, " of ");
  add_count(out, p->n_nodes, "node");
  nu_text_add(out, ", memory as the system gives it\n");
}

void nu_placement_draw(const nu_plan *plan, const numann_network *network, size_t data_bytes,
                       nu_text *out) {
  const nu_placement *p = plan->placement;
  if (!p) return;
  nu_text_addf(out, "placement    %s\n", p->why);
  if (nu_plan_nodes(plan) == 1) {
    draw_simple(p, out);
    return;
  }
  bool copies = nu_plan_replicas(plan) > 1;
  nu_text_add(out, "             ");
  add_count(out, p->n_threads, "thread");
  nu_text_addf(out, " on %zu nodes; weights: %s\n", p->n_nodes,
               copies ? "a copy on every node" : "one copy, split among the threads");
  size_t *nodes = nu_alloc(p->n_nodes, sizeof *nodes);
  sums s = {plan, network, p->n_nodes, nu_plan_bytes_by_node(plan, network, data_bytes)};
  bool ready = s.bytes && nodes;
  for (size_t n = 0; ready && n < p->n_nodes; n++) add_node(out, &s, n, nodes);
  out->failed |= !ready;
  free(s.bytes);
  free(nodes);
}
