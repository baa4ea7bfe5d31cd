/* What a step costs: one function per cost, one table of measured rates.
 * SPDX-License-Identifier: MIT */
#include "plan/cost.h"

#include <string.h>

/* ---- measured constants */

/* On one core of a Zen 4 server (3.7 GHz; 32 KiB, 1 MiB and 32 MiB of cache). Measured as
 * calibrate.c does, or by `numann bench kernels`: the rates of avx512bf16, CHAIN_RATE, UPDATE_S,
 * MOMENT_S; barrier and shared_bytes lie between those of two cores with a common cache and
 * without. Adjusted to whole steps of `bench step` (docs/plan.md): the other constants. Assumed:
 * NODE_THREADS, REMOTE, TURN_S, SIBLINGS. Other machines differ by factors that mostly cancel: what
 * is decided is which of two plans is faster, not how fast. */
static const nu_rates isa_rates[] = {
    {"avx512bf16", .flops = 116e9, .pairs = 2.0, .activation = 0.22e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"avx512", .flops = 116e9, .pairs = 0.9, .activation = 0.22e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"avx2", .flops = 116e9, .pairs = 0.7, .activation = 0.28e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"base", .flops = 0.9e9, .pairs = 1.0, .activation = 26e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"neon", .flops = 48e9, .pairs = 0.7, .activation = 0.5e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 80e9, .l3_bytes = 50e9, .memory_bytes = 20e9,
     .shared_bytes = 5e9}, /* assumed */
};
#define ISA_RATES (sizeof isa_rates / sizeof *isa_rates)

const nu_rates *nu_rates_of(const char *isa) {
  for (size_t i = 0; i < ISA_RATES; i++) {
    if (isa && strcmp(isa_rates[i].isa, isa) == 0) return &isa_rates[i];
  }
  return &isa_rates[0];
}

static const double CHAIN_RATE = 0.97;  /* of the peak, inside a long chain of a full tile */
static const double CHAIN_START = 3.5;  /* links that starting and ending a tile costs */
static const double TILE_ROWS = 12.0;   /* of the largest tile */
static const double REGION_S = 60e-9;   /* calls for a region of the gradient, and its update */
static const double ROW_S = 40e-9;      /* to find a row, and again to judge it */
static const double FLOAT_S = 0.1e-9;   /* copying, transposing, adding a float */
static const double UPDATE_S = 0.12e-9; /* a parameter by sgd, */
static const double MOMENT_S = 0.13e-9; /* and for each moment of another rule */
static const double EXP_OUTPUT = 20.0;  /* exponential and logarithm of an output, in activations */
static const double WAITING = 0.06;     /* of the time between barriers: for the slowest thread, */
static const double MOST_WAITING = 30e-6; /* but no longer at each: what disturbs them is short */
static const double NODE_THREADS = 6.0;   /* threads that use up the memory rate of a NUMA node */
static const double REMOTE = 2.0;   /* a barrier across NUMA nodes takes so many times longer */
static const double TURN_S = 20e-6; /* more threads than cores: a barrier costs time slices */
static const double SIBLINGS = 1.2; /* how much faster a core is whose hardware threads all run */

/* How much of nu_rates.activation one element costs. */
static const double activation_share[NU_ACTIVATIONS] = {
    [NU_STEP] = 0.2, [NU_IDENTITY] = 0.1,   [NU_SIGMOID] = 1.0, [NU_TANH] = 0.95,
    [NU_RELU] = 0.2, [NU_LEAKY_RELU] = 0.2, [NU_SOFTMAX] = 2.0};

const char *nu_rates_isa(size_t i) { return i < ISA_RATES ? isa_rates[i].isa : NULL; }

/* ---- what the busiest thread works on */

typedef struct work {
  const numann_plan *plan;
  const numann_network *network;
  const nu_machine *machine;
  const nu_rates *rates;
  size_t members;              /* of the smallest group, whose members have most panels each */
  double rows, grains, chunks; /* of the first group, which has most, in a batch */
  double bytes_s;              /* rate at which it streams parameters */
} work;

static double ratio(size_t a, size_t b) { return (double)a / (double)b; }
static double larger(double a, double b) { return a > b ? a : b; }

/* The members of a group split the rows of a thin layer, and its inputs in (4.12): nu_plan_is_thin.
 */
static bool is_thin(const work *w, size_t l) {
  return nu_panels(w->network->layers[l].neurons) < w->members;
}

/* Most neurons of a layer that one thread computes, padding included; for so many rows. */
static double my_columns(const work *w, size_t l) {
  size_t neurons = w->network->layers[l].neurons, panels = nu_panels(neurons);
  size_t mine = is_thin(w, l) ? panels : nu_share(panels, w->members, 0).end;
  return (double)(mine < panels ? mine * NU_PANEL : nu_padded(neurons));
}
static double my_rows(const work *w, size_t l) {
  return is_thin(w, l) ? larger(1.0, w->rows / (double)w->members) : w->rows;
}

static double my_parameters(const work *w, size_t l) {
  return my_columns(w, l) * (double)(w->network->layers[l].inputs + 1);
}

/* Sums that a group leaves for the next chunk or for the other groups. */
static bool leaves_roots(const work *w) { return w->plan->groups > 1 || w->chunks > 1.0; }

/* The rate follows from the nearest cache that holds all parameters which the thread comes back to
 * in every step: weights, moments, and sums that wait. Threads of a node share its third level and
 * its memory. */
static double streaming_rate(const work *w) {
  double bytes = 0.0, arrays = 1.0 + (double)w->plan->moments + (leaves_roots(w) ? 1.0 : 0.0);
  for (size_t l = 0; l < w->network->n_layers; l++)
    bytes += arrays * sizeof(float) * my_parameters(w, l);
  const nu_machine *m = w->machine;
  double l2 = m->l2_bytes ? (double)m->l2_bytes : 1e6;
  double l3 = m->l3_bytes ? (double)m->l3_bytes : 8e6;
  double on_node = larger(1.0, ratio(w->plan->threads, m->numa_nodes));
  if (bytes <= l2) return w->rates->l2_bytes;
  if (bytes * on_node <= l3) return w->rates->l3_bytes;
  return w->rates->memory_bytes / larger(1.0, on_node / NODE_THREADS);
}

/* ---- one function per cost */

/* m rows x columns of chains of k links: whole tiles; a last one with fewer rows gains little. */
static double chain_seconds(const work *w, double m, double k, double columns) {
  double tiles = (double)(size_t)(m / TILE_ROWS), rest = m - tiles * TILE_ROWS;
  double rows = tiles * TILE_ROWS + (rest > 0.0 ? 0.8 * rest + 0.2 * TILE_ROWS : 0.0);
  if (w->plan->precision == NU_BF16) k /= w->rates->pairs;
  return 2.0 * rows * (k + CHAIN_START) * columns / (w->rates->flops * CHAIN_RATE);
}

static double activation_seconds(const work *w, nu_activation f, double elements) {
  return activation_share[f] * w->rates->activation * elements;
}

/* Floats that members of a group, or threads of all groups, have just written in equal shares:
 * those of the others. However few, the first line goes to and fro, as in a barrier of two. */
static double from_others(const work *w, double floats, size_t writers) {
  if (writers == 1) return 0.0;
  double latency = w->rates->barrier + 2.0 * w->rates->barrier_thread;
  return latency + floats * sizeof(float) * (1.0 - 1.0 / (double)writers) / w->rates->shared_bytes;
}

static double stream_seconds(const work *w, double floats) {
  return floats * sizeof(float) / w->bytes_s;
}

typedef struct parts {
  double arithmetic, activation, memory, shared;
} parts;

/* Caches are read ahead while the chains run, so that the longer of the two counts. */
static double seconds_of(const parts *p) {
  return larger(p->arithmetic, p->memory) + p->activation + p->shared;
}

/* A(l-1), which other members have formed, unless both layers go by rows; and the weights, which
 * threads of all groups have updated, or, in a thin layer, the members. */
static parts forward_parts(const work *w, size_t l) {
  const nu_layer *layer = &w->network->layers[l];
  double columns = my_columns(w, l), rows = my_rows(w, l);
  bool last = l + 1 == w->network->n_layers,
       by_rows = is_thin(w, l) && (l == 0 || is_thin(w, l - 1));
  size_t updaters = w->plan->groups > 1 ? w->plan->threads : is_thin(w, l) ? w->members : 1;
  return (parts){
      .arithmetic = chain_seconds(w, rows, (double)layer->inputs + 1.0, columns),
      .activation = last ? 0.0 : activation_seconds(w, layer->activation, rows * columns),
      .memory = stream_seconds(w, w->chunks * my_parameters(w, l)),
      .shared = (by_rows ? 0.0 : from_others(w, rows * (double)layer->inputs, w->members)) +
                from_others(w, my_parameters(w, l), updaters)};
}

/* D(l) from the weights of layer l + 1, which are transposed for every chunk; other members have
 * updated most of them. */
static parts delta_parts(const work *w, size_t l) {
  double columns = my_columns(w, l), rows = my_rows(w, l);
  double links = (double)w->network->layers[l + 1].neurons, floats = w->chunks * links * columns;
  bool by_rows = is_thin(w, l) && is_thin(w, l + 1);
  return (parts){
      .arithmetic = chain_seconds(w, rows, links, columns) + 2.0 * FLOAT_S * floats,
      .activation = FLOAT_S * rows * columns,
      .memory = stream_seconds(w, floats),
      .shared = (by_rows ? 0.0 : from_others(w, rows * links, w->members)) +
                (w->plan->groups > 1 ? 0.0 : from_others(w, links * columns, w->members))};
}

/* Grains of a chain each; sums that are left for later go out to memory and come back. In a thin
 * layer other members have formed most of A(l-1) and D(l). */
static parts gradient_parts(const work *w, size_t l) {
  double inputs = (double)w->network->layers[l].inputs + 1.0, columns = my_columns(w, l);
  if (is_thin(w, l)) inputs /= (double)w->members;
  double regions = inputs / (double)w->plan->blocks.inputs * columns / NU_PANEL;
  double rows = w->rows / w->grains;
  double chains = w->grains * chain_seconds(w, inputs, rows, columns);
  double left = leaves_roots(w) ? 2.0 * w->chunks * inputs * columns : 0.0;
  return (parts){
      .arithmetic = chains + REGION_S * regions * w->grains,
      .memory = stream_seconds(w, left),
      .shared = is_thin(w, l) ? from_others(w, w->rows * (inputs + columns), w->members) : 0.0};
}

/* Weights and moments are read and written, the gradient read; all threads share it, whatever their
 * groups. */
static parts update_parts(const work *w, size_t l) {
  double arrays = 1.0 + 2.0 * (double)w->plan->moments;
  double floats = my_parameters(w, l) * ratio(w->members, w->plan->threads);
  if (is_thin(w, l)) floats /= (double)w->members;
  double each = UPDATE_S + MOMENT_S * (double)w->plan->moments;
  return (parts){.arithmetic = each * floats, .memory = stream_seconds(w, (1.0 + arrays) * floats)};
}

static double rows_seconds(const work *w) {
  const nu_layer *last = &w->network->layers[w->network->n_layers - 1];
  double mine = larger(1.0, w->rows / (double)w->members);
  double exponential = last->activation == NU_IDENTITY ? 0.2 : EXP_OUTPUT;
  return mine * (2.0 * ROW_S + FLOAT_S * (double)w->network->layers[0].inputs +
                 exponential * w->rates->activation * (double)last->neurons);
}

/* Additions read what other groups have written. */
static double join_seconds(const work *w) {
  if (w->plan->groups == 1) return 0.0;
  double mine = 0.0;
  for (size_t l = 0; l < w->network->n_layers; l++) {
    const nu_layer *layer = &w->network->layers[l];
    size_t all = nu_panels(layer->neurons), panels = nu_share(all, w->plan->threads, 0).end;
    mine += ratio(panels, all) * (double)nu_engine_size(layer->inputs, layer->neurons);
  }
  double groups = (double)w->plan->groups;
  return larger(from_others(w, groups * mine, w->plan->groups),
                stream_seconds(w, 3.0 * groups * mine));
}

/* Of the threads of a group in one chunk: after the gather, the layers' activations, and their
 * deltas. */
static size_t barriers_between_layers(const numann_plan *plan, const numann_network *network) {
  size_t n = 1, last = network->n_layers - 1;
  for (size_t l = 0; l <= last; l++) {
    size_t panels = nu_panels(network->layers[l].neurons);
    n += nu_plan_meets_after_forward(plan, panels, l == last);
    if (l < last)
      n += nu_plan_meets_after_delta(plan, panels, nu_panels(network->layers[l + 1].neurons),
                                     l == 0);
  }
  return n;
}

size_t nu_plan_barriers(const numann_plan *plan, const numann_network *network) {
  if (plan->threads == 1) return 0;
  size_t chunks = nu_plan_chunks(plan, plan->batch), always = 2;
  always += (plan->groups > 1) + (plan->fuse ? 0u : 1u);
  if (!nu_plan_shares_rows(plan)) return always;
  /* all chunks but the last end with two more */
  return always + chunks * barriers_between_layers(plan, network) + (chunks - 1) * 2;
}

static double barriers_seconds(const work *w, double between) {
  const numann_plan *plan = w->plan;
  double each = w->rates->barrier + w->rates->barrier_thread * (double)plan->threads;
  if (plan->threads * w->machine->numa_nodes > w->machine->cores && w->machine->numa_nodes > 1)
    each *= REMOTE;
  if (plan->threads > nu_plan_slots(w->machine))
    each += TURN_S * ratio(plan->threads, w->machine->cores);
  double n = (double)nu_plan_barriers(plan, w->network), wait = WAITING * between;
  return n * each + (wait < n * MOST_WAITING ? wait : n * MOST_WAITING);
}

/* ---- the whole */

static const char *bound_of(const work *w, size_t l, const parts *p) {
  size_t neurons = w->network->layers[l].neurons;
  double fair = (double)nu_padded(neurons) / (double)w->members;
  if (!is_thin(w, l) && my_columns(w, l) > 1.5 * fair) return "few panels";
  if (p->shared > p->arithmetic) return "other threads";
  if (p->memory > p->arithmetic) return w->bytes_s >= w->rates->l3_bytes ? "cache" : "memory";
  return p->activation > p->arithmetic ? "activation" : "arithmetic";
}

static nu_layer_cost layer_cost(const work *w, size_t l) {
  bool last = l + 1 == w->network->n_layers;
  parts forward = forward_parts(w, l), delta = last ? (parts){0} : delta_parts(w, l);
  parts gradient = gradient_parts(w, l), update = update_parts(w, l);
  parts all = {forward.arithmetic + delta.arithmetic + gradient.arithmetic + update.arithmetic,
               forward.activation + delta.activation,
               forward.memory + delta.memory + gradient.memory + update.memory,
               forward.shared + delta.shared + gradient.shared};
  return (nu_layer_cost){seconds_of(&forward), seconds_of(&delta),
                         seconds_of(&gradient) + seconds_of(&update), bound_of(w, l, &all)};
}

nu_step_cost nu_plan_cost(const numann_plan *plan, const numann_network *network,
                          const nu_machine *machine, const nu_rates *rates, nu_layer_cost *each) {
  nu_range grains = nu_plan_group_grains(plan, plan->batch, 0);
  work w = {.plan = plan,
            .network = network,
            .machine = machine,
            .rates = rates,
            .members = plan->threads / plan->groups,
            .rows = (double)nu_plan_grain_rows(plan, plan->batch, grains).end,
            .grains = (double)grains.end,
            .chunks = (double)nu_plan_chunks(plan, plan->batch)};
  w.bytes_s = streaming_rate(&w);
  nu_step_cost cost = {.rows = rows_seconds(&w), .join = join_seconds(&w)};
  for (size_t l = 0; l < network->n_layers; l++) {
    nu_layer_cost layer = layer_cost(&w, l);
    cost.layers += layer.forward + layer.delta + layer.gradient;
    if (each) each[l] = layer;
  }
  /* more threads than cores take turns, or share a core */
  double turns = ratio(plan->threads, machine->cores);
  if (plan->threads <= nu_plan_slots(machine)) turns /= SIBLINGS;
  turns = larger(1.0, turns);
  cost.layers *= turns;
  cost.rows *= turns;
  cost.join *= turns;
  cost.barriers = barriers_seconds(&w, cost.layers);
  cost.seconds = cost.layers + cost.rows + cost.join + cost.barriers;
  return cost;
}
