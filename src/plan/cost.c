/* SPDX-License-Identifier: MIT */
#include "plan/cost.h"

#include "base/least.h"
#include "plan/ledger.h"

/* ---- measured constants */

/* Measured by `numann bench kernels` on one core of a Zen 4 server: CHAIN_RATE, UPDATE_S, MOMENT_S.
 * Adjusted to whole steps of `bench step` (docs/plan.md): the others, but for those assumed:
 * NODE_THREADS, REMOTE, TURN_S, SIBLINGS. */
static const double CHAIN_RATE = 0.97;  /* of the peak, inside a long chain of a full tile */
static const double CHAIN_START = 3.5;  /* links that starting and ending a tile costs */
static const double TILE_ROWS = 12.0;   /* of the largest tile */
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

/* ---- what the busiest thread works on */

static double ratio(size_t a, size_t b) { return (double)a / (double)b; }

bool nu_work_is_thin(const nu_work *w, size_t l) {
  return nu_panels(w->network->layers[l].neurons) < w->members;
}

double nu_work_columns(const nu_work *w, size_t l) {
  size_t neurons = w->network->layers[l].neurons, panels = nu_panels(neurons);
  size_t mine = nu_work_is_thin(w, l) ? panels : nu_share(panels, w->members, 0).end;
  return (double)(mine < panels ? mine * NU_PANEL : nu_padded(neurons));
}
double nu_work_rows(const nu_work *w, size_t l) {
  return nu_work_is_thin(w, l) ? nu_larger_real(1.0, w->rows / (double)w->members) : w->rows;
}

double nu_work_parameters(const nu_work *w, size_t l) {
  return nu_work_columns(w, l) * (double)nu_layer_rows(&w->network->layers[l]);
}

/* Sums that a group leaves for the next chunk, or for the other groups or ranks. */
static bool leaves_roots(const nu_work *w) {
  return w->plan->groups > 1 || w->chunks > 1.0 || nu_plan_ranks(w->plan) > 1;
}

/* What this rank owns of a layer. */
static double own_share(const nu_work *w, size_t l) {
  const nu_layer *layer = &w->network->layers[l];
  if (nu_plan_ranks(w->plan) == 1) return 1.0;
  nu_plan all = *w->plan;
  all.ranks = 1;
  size_t floats = nu_part_floats(layer, nu_plan_rank_part(&all, layer, 0));
  size_t own = nu_part_floats(layer, nu_plan_rank_part(w->plan, layer, w->plan->rank));
  return floats ? ratio(own, floats) : 1.0;
}

/* The rate follows from the nearest cache that holds all parameters which the thread comes back to
 * in every step: weights, moments, and sums that wait. Threads of a node share its third level and
 * its memory. */
static double streaming_rate(const nu_work *w) {
  double bytes = 0.0, arrays = 1.0 + (double)w->plan->arrays + (leaves_roots(w) ? 1.0 : 0.0);
  for (size_t l = 0; l < w->network->n_layers; l++)
    bytes += arrays * sizeof(float) * nu_work_parameters(w, l);
  const nu_machine *m = w->machine;
  double l2 = m->l2_bytes ? (double)m->l2_bytes : 1e6;
  double l3 = m->l3_bytes ? (double)m->l3_bytes : 8e6;
  double on_node = nu_larger_real(1.0, ratio(w->plan->threads, m->numa_nodes));
  if (bytes <= l2) return w->rates->l2_bytes;
  if (bytes * on_node <= l3) return w->rates->l3_bytes;
  return w->rates->memory_bytes / nu_larger_real(1.0, on_node / NODE_THREADS);
}

/* ---- one function per cost */

double nu_cost_chains(const nu_work *w, double m, double k, double columns) {
  double tiles = (double)(size_t)(m / TILE_ROWS), rest = m - tiles * TILE_ROWS;
  double rows = tiles * TILE_ROWS + (rest > 0.0 ? 0.8 * rest + 0.2 * TILE_ROWS : 0.0);
  if (w->plan->problem.precision == NU_BF16) k /= w->rates->pairs;
  return 2.0 * rows * (k + CHAIN_START) * columns / (w->rates->flops * CHAIN_RATE);
}

double nu_cost_activation(const nu_work *w, nu_activation f, double elements) {
  return nu_activation_row_of(f)->share * w->rates->activation * elements;
}

/* Floats that members of a group, or threads of all groups, have just written in equal shares:
 * those of the others. However few, the first line goes to and fro, as in a barrier of two. */
double nu_cost_from_others(const nu_work *w, double floats, size_t writers) {
  if (writers == 1) return 0.0;
  double latency = w->rates->barrier + 2.0 * w->rates->barrier_thread;
  return latency + floats * sizeof(float) * (1.0 - 1.0 / (double)writers) / w->rates->shared_bytes;
}

double nu_cost_stream(const nu_work *w, double floats) {
  return floats * sizeof(float) / w->bytes_s;
}

double nu_cost_floats(double floats) { return FLOAT_S * floats; }

double nu_cost_left(const nu_work *w, double floats) {
  return leaves_roots(w) ? nu_cost_stream(w, 2.0 * w->chunks * floats) : 0.0;
}

/* Caches are read ahead while the chains run, so that the longer of the two counts. */
static double seconds_of(const nu_seconds *p) {
  return nu_larger_real(p->arithmetic, p->memory) + p->activation + p->shared;
}

/* Weights and moments are read and written, the gradient read; all threads share it, whatever their
 * groups; of several ranks each has its own part, unless the update needs the whole gradient. */
nu_seconds nu_cost_update(const nu_work *w, size_t l) {
  double arrays = 1.0 + 2.0 * (double)w->plan->arrays;
  double floats = nu_work_parameters(w, l) * ratio(w->members, w->plan->threads);
  if (nu_work_is_thin(w, l)) floats /= (double)w->members;
  if (w->plan->fuse) floats *= own_share(w, l);
  double each = UPDATE_S + MOMENT_S * (double)w->plan->arrays;
  return (nu_seconds){.arithmetic = each * floats,
                      .memory = nu_cost_stream(w, (1.0 + arrays) * floats)};
}

static double rows_seconds(const nu_work *w) {
  const nu_layer *last = &w->network->layers[w->network->n_layers - 1];
  double mine = nu_larger_real(1.0, w->rows / (double)w->members);
  double exponential = last->activation == NU_IDENTITY ? 0.2 : EXP_OUTPUT;
  return mine * (2.0 * ROW_S + FLOAT_S * (double)w->network->layers[0].inputs +
                 exponential * w->rates->activation * (double)last->neurons);
}

/* Additions read what other groups have written. */
static double join_seconds(const nu_work *w) {
  if (w->plan->groups == 1) return 0.0;
  double mine = 0.0;
  for (size_t l = 0; l < w->network->n_layers; l++) {
    const nu_layer *layer = &w->network->layers[l];
    size_t all = nu_panels(layer->neurons), panels = nu_share(all, w->plan->threads, 0).end;
    mine += ratio(panels, all) * (double)(nu_padded(layer->neurons) * nu_layer_rows(layer));
  }
  double groups = (double)w->plan->groups;
  return nu_larger_real(nu_cost_from_others(w, groups * mine, w->plan->groups),
                        nu_cost_stream(w, 3.0 * groups * mine));
}

/* Copies of roots and results into messages and out of them, and the additions of the own part. */
static double ranks_seconds(const nu_work *w) {
  const nu_plan *plan = w->plan;
  size_t ranks = nu_plan_ranks(plan), own_roots = 0, all_roots = 0, all = 0;
  const nu_range layers = {0, w->network->n_layers};
  if (ranks == 1) return 0.0;
  for (size_t r = 0; r < ranks; r++) {
    size_t roots = nu_plan_rank_roots(plan, plan->problem.batch, r);
    if (r == plan->rank) own_roots = roots;
    all_roots += roots;
    all += nu_plan_rank_floats(plan, w->network, r, layers);
  }
  size_t mine = nu_plan_rank_floats(plan, w->network, plan->rank, layers);
  double copied = 2.0 * (double)(own_roots * (all - mine)) + 2.0 * (double)all;
  double added = 3.0 * (double)(all_roots - 1) * (double)mine;
  return nu_cost_stream(w, (copied + added) / (double)plan->threads);
}

/* Of the threads of a group in one chunk: after the gather, the layers' activations, and their
 * deltas. */
static size_t barriers_between_layers(const nu_plan *plan, const numann_network *network) {
  size_t n = 1, last = network->n_layers - 1;
  for (size_t l = 0; l <= last; l++) {
    n += nu_plan_meets_after_forward(plan, network, l);
    if (l < last) n += nu_plan_meets_after_delta(plan, network, l);
  }
  return n;
}

size_t nu_plan_barriers(const nu_plan *plan, const numann_network *network) {
  if (plan->threads == 1) return 0;
  size_t chunks = nu_plan_chunks(plan, plan->problem.batch), always = 2;
  always += (plan->groups > 1) + (plan->fuse ? 0u : 1u);
  if (!nu_plan_shares_rows(plan)) return always;
  /* all chunks but the last end with two more */
  return always + chunks * barriers_between_layers(plan, network) + (chunks - 1) * 2;
}

static double barriers_seconds(const nu_work *w, double between) {
  const nu_plan *plan = w->plan;
  double each = w->rates->barrier + w->rates->barrier_thread * (double)plan->threads;
  if (plan->threads * w->machine->numa_nodes > w->machine->cores && w->machine->numa_nodes > 1)
    each *= REMOTE;
  if (plan->threads > nu_machine_slots(w->machine))
    each += TURN_S * ratio(plan->threads, w->machine->cores);
  double n = (double)nu_plan_barriers(plan, w->network), wait = WAITING * between;
  return n * each + (wait < n * MOST_WAITING ? wait : n * MOST_WAITING);
}

/* ---- the whole */

static const char *bound_of(const nu_work *w, size_t l, const nu_seconds *p) {
  size_t neurons = w->network->layers[l].neurons;
  double fair = (double)nu_padded(neurons) / (double)w->members;
  if (!nu_work_is_thin(w, l) && nu_work_columns(w, l) > 1.5 * fair) return "few panels";
  if (p->shared > p->arithmetic) return "other threads";
  if (p->memory > p->arithmetic) return w->bytes_s >= w->rates->l3_bytes ? "cache" : "memory";
  return p->activation > p->arithmetic ? "activation" : "arithmetic";
}

/* The deltas of a layer are formed by the one above it. */
static nu_layer_cost layer_cost(const nu_work *w, size_t l, const nu_parts_cost *own,
                                const nu_parts_cost *above) {
  const nu_seconds *f = &own->forward, *d = &above->delta, *g = &own->gradient, *u = &own->update;
  nu_seconds all = {f->arithmetic + d->arithmetic + g->arithmetic + u->arithmetic,
                    f->activation + d->activation, f->memory + d->memory + g->memory + u->memory,
                    f->shared + d->shared + g->shared};
  return (nu_layer_cost){seconds_of(f), seconds_of(d), seconds_of(g) + seconds_of(u),
                         bound_of(w, l, &all)};
}

static void cost_of(const nu_work *w, size_t l, nu_parts_cost *out) {
  *out = (nu_parts_cost){.update = {0}};
  if (l < w->network->n_layers) w->network->layers[l].kind->cost(w, l, out);
}

static double layers_seconds(const nu_work *w, nu_layer_cost *each) {
  nu_parts_cost own, above;
  double seconds = 0.0;
  cost_of(w, 0, &own);
  for (size_t l = 0; l < w->network->n_layers; l++, own = above) {
    cost_of(w, l + 1, &above);
    nu_layer_cost layer = layer_cost(w, l, &own, &above);
    seconds += layer.forward + layer.delta + layer.gradient;
    if (each) each[l] = layer;
  }
  return seconds;
}

nu_step_cost nu_plan_cost(const nu_plan *plan, const numann_network *network,
                          const nu_machine *machine, const nu_rates *rates, nu_layer_cost *each) {
  nu_range grains = nu_plan_group_grains(plan, plan->problem.batch, 0),
           rows = nu_plan_grain_rows(plan, plan->problem.batch, grains);
  nu_work w = {.plan = plan,
               .network = network,
               .machine = machine,
               .rates = rates,
               .members = plan->threads / plan->groups,
               .rows = (double)(rows.end - rows.begin),
               .grains = (double)(grains.end - grains.begin),
               .chunks = (double)nu_plan_chunks(plan, plan->problem.batch)};
  w.bytes_s = streaming_rate(&w);
  nu_step_cost cost = {.layers = layers_seconds(&w, each),
                       .rows = rows_seconds(&w),
                       .join = join_seconds(&w),
                       .ranks = ranks_seconds(&w)};
  /* more threads than cores take turns, or share a core */
  double turns = ratio(plan->threads, machine->cores);
  if (plan->threads <= nu_machine_slots(machine)) turns /= SIBLINGS;
  turns = nu_larger_real(1.0, turns);
  cost.layers *= turns;
  cost.rows *= turns;
  cost.join *= turns;
  cost.ranks *= turns;
  cost.barriers = barriers_seconds(&w, cost.layers);
  cost.seconds = cost.layers + cost.rows + cost.join + cost.ranks + cost.barriers;
  return cost;
}
