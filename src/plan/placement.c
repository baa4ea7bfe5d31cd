/* Threads to cores: which processor each thread has, and what it may run on.
 * SPDX-License-Identifier: MIT
 *
 * Placing counts how many threads sit on each processor; the machine lists processors node by node,
 * cache by cache and core by core, so that seats taken in that order are sorted as the shares of
 * the plan need them. */
#include "plan/placement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/kernels.h"

static const char *const placing_names[NU_PLACINGS] = {[NU_PLACE_AUTO] = "auto",
                                                       [NU_PLACE_COMPACT] = "compact",
                                                       [NU_PLACE_SCATTER] = "scatter",
                                                       [NU_PLACE_NONE] = "none"};

const char *nu_placing_name(nu_placing placing) { return placing_names[placing]; }

/* ---- dealing threads over processors */

/* Neighbours that have something in common: a node, or a cache of one. */
typedef struct run {
  nu_range all; /* processors */
  size_t room;  /* of these, that are dealt now */
  size_t share; /* that get a thread */
} run;

typedef enum level { OF_NODE, OF_CACHE, LEVELS } level;

typedef struct dealing {
  const nu_machine *machine;
  unsigned sibling;  /* the processors that are dealt now: which of their cores' hardware threads */
  run *runs[LEVELS]; /* [processing_units] each, owned */
  size_t *count;     /* [processing_units]: threads of each processor, owned */
} dealing;

static bool is_dealt(const dealing *d, size_t p) {
  return d->machine->processors[p].sibling == d->sibling;
}

static size_t room_of(const dealing *d, nu_range all) {
  size_t room = 0;
  for (size_t p = all.begin; p < all.end; p++) room += is_dealt(d, p);
  return room;
}

static bool same_run(const dealing *d, level by, size_t p, size_t q) {
  const nu_processor *a = &d->machine->processors[p], *b = &d->machine->processors[q];
  return by == OF_NODE ? a->node == b->node : a->l3 == b->l3;
}

static size_t find_runs(const dealing *d, level by, nu_range all) {
  size_t n = 0;
  for (size_t p = all.begin, end; p < all.end; p = end) {
    for (end = p + 1; end < all.end && same_run(d, by, p, end);) end++;
    d->runs[by][n++] = (run){.all = {p, end}, .room = room_of(d, (nu_range){p, end})};
  }
  return n;
}

/* Shares in proportion to the room, each less than one from the exact one: what is left after
 * rounding down goes to the largest remainders, the first of equal ones. */
static void share_out(run *runs, size_t n, size_t threads, size_t room) {
  size_t rest = threads;
  for (size_t i = 0; i < n; i++) rest -= runs[i].share = threads * runs[i].room / room;
  for (; rest > 0; rest--) {
    size_t best = n, most = 0;
    for (size_t i = 0; i < n; i++) {
      size_t exact = threads * runs[i].room, given = runs[i].share * room;
      if (exact > given && exact - given > most) best = i, most = exact - given;
    }
    runs[best].share++;
  }
}

static void take_first(const dealing *d, nu_range all, size_t threads) {
  for (size_t p = all.begin; p < all.end && threads; p++) {
    if (!is_dealt(d, p)) continue;
    d->count[p]++;
    threads--;
  }
}

static size_t free_cores(const nu_numa_node *node) {
  return node->cores > node->busy ? node->cores - node->busy : 0;
}

/* Of two nodes with room for the threads: one that other trainings leave free, then that on which
 * the data was read, then the one that they use least. */
static bool suits_better(const nu_machine *m, size_t a, size_t b, size_t threads) {
  size_t free_a = free_cores(&m->nodes[a]), free_b = free_cores(&m->nodes[b]);
  if ((free_a >= threads) != (free_b >= threads)) return free_a >= threads;
  if (free_a >= threads) return a == m->here && b != m->here;
  return free_a > free_b;
}

/* Where compact threads are taken from: one node, or all of them from the first on. */
static nu_range compact_among(const dealing *d, nu_range all, size_t threads) {
  const nu_processor *processors = d->machine->processors;
  size_t n = find_runs(d, OF_NODE, all);
  const run *runs = d->runs[OF_NODE], *best = NULL;
  for (size_t i = 0; i < n; i++) {
    if (runs[i].room < threads) continue;
    if (!best || suits_better(d->machine, processors[runs[i].all.begin].node,
                              processors[best->all.begin].node, threads))
      best = &runs[i];
  }
  return best ? best->all : all;
}

/* The same number for every node, and there for every cache. */
static void scatter(const dealing *d, level by, nu_range all, size_t threads) {
  if (threads == 0) return; /* there may be no room */
  size_t n = find_runs(d, by, all);
  share_out(d->runs[by], n, threads, room_of(d, all));
  for (size_t i = 0; i < n; i++) {
    const run *r = &d->runs[by][i];
    if (by == OF_NODE) scatter(d, OF_CACHE, r->all, r->share);
    else take_first(d, r->all, r->share);
  }
}

/* A core each; then, for those that are left, the cores' second hardware threads, and so on; then
 * everything once more. */
static void deal(dealing *d, nu_placing placing, size_t threads) {
  size_t units = d->machine->processing_units;
  nu_range all = {0, units};
  for (size_t p = 0; p < units; p++) d->count[p] = threads / units;
  size_t rest = threads % units;
  for (d->sibling = 0; rest > 0 && d->sibling < units; d->sibling++) {
    size_t room = room_of(d, all), now = rest < room ? rest : room;
    if (now == room) take_first(d, all, now);
    else if (placing == NU_PLACE_COMPACT) take_first(d, compact_among(d, all, now), now);
    else scatter(d, OF_NODE, all, now);
    rest -= now;
  }
}

static bool open_dealing(dealing *d, const nu_machine *machine) {
  size_t units = machine->processing_units;
  *d = (dealing){.machine = machine, .count = nu_alloc(units, sizeof *d->count)};
  for (size_t i = 0; i < LEVELS; i++) d->runs[i] = nu_alloc(units, sizeof *d->runs[i]);
  return d->count && d->runs[OF_NODE] && d->runs[OF_CACHE];
}

static void close_dealing(dealing *d) {
  free(d->count);
  for (size_t i = 0; i < LEVELS; i++) free(d->runs[i]);
}

/* ---- compact or scatter */

static size_t weight_bytes(const numann_network *network) {
  size_t floats = 0;
  for (size_t l = 0; l < network->n_layers; l++)
    floats += nu_padded(network->layers[l].neurons) * nu_layer_rows(&network->layers[l]);
  return floats * sizeof(float);
}

/* Nodes and last-level caches that have threads. */
typedef struct usage {
  size_t nodes, caches;
} usage;

static usage usage_of(const dealing *d) {
  usage used = {0, 0};
  const nu_processor *last = NULL;
  for (size_t p = 0; p < d->machine->processing_units; p++) {
    const nu_processor *now = &d->machine->processors[p];
    if (!d->count[p]) continue;
    used.nodes += !last || last->node != now->node;
    used.caches += !last || last->node != now->node || last->l3 != now->l3;
    last = now;
  }
  return used;
}

/* What the choice is made from. */
typedef struct job {
  const nu_placement_request *request;
  const nu_plan *plan;
  const numann_network *network;
  const nu_machine *machine;
  nu_placement *placement;
  dealing dealing;
} job;

static void add_reason(nu_text *why, const job *j, size_t bytes, size_t caches) {
  size_t threads = j->plan->threads;
  nu_text_add(why, ", as weights and moments (");
  nu_text_add_bytes(why, bytes);
  nu_text_addf(why, ") %s the last-level caches (", bytes <= caches ? "fit" : "exceed");
  nu_text_add_bytes(why, caches);
  nu_text_addf(why, ") of %zu thread%s", threads, threads == 1 ? "" : "s");
}

static nu_placing choose_by_size(job *j, nu_text *why) {
  size_t threads = j->plan->threads, bytes = weight_bytes(j->network) * (1 + j->plan->arrays);
  deal(&j->dealing, NU_PLACE_COMPACT, threads);
  usage used = usage_of(&j->dealing);
  size_t caches = j->machine->l3_bytes * used.caches;
  bool fits = used.nodes == 1 && bytes <= caches;
  if (!fits) deal(&j->dealing, NU_PLACE_SCATTER, threads);
  nu_text_add(why, nu_placing_name(fits ? NU_PLACE_COMPACT : NU_PLACE_SCATTER));
  if (used.nodes > 1) nu_text_addf(why, ", as one node has too few cores for %zu threads", threads);
  else if (!caches) nu_text_add(why, ", as no last-level cache is known");
  else add_reason(why, j, bytes, caches);
  return fits ? NU_PLACE_COMPACT : NU_PLACE_SCATTER;
}

/* Deals, too. The reason is a sentence without its end. */
static void choose_placing(job *j, nu_text *why) {
  nu_placing placing = j->request->placing;
  if (placing == NU_PLACE_AUTO) {
    placing = choose_by_size(j, why);
  } else {
    deal(&j->dealing, placing, j->plan->threads);
    nu_text_addf(why, "%s, as ordered", nu_placing_name(placing));
  }
  j->placement->placing = placing;
}

/* ---- seats */

static size_t find_processor(const nu_machine *machine, unsigned os) {
  size_t p = 0;
  while (p < machine->processing_units && machine->processors[p].os != os) p++;
  return p;
}

static void sit_down(job *j) {
  nu_seat *seat = j->placement->seats;
  for (size_t p = 0; p < j->machine->processing_units; p++) {
    for (size_t i = 0; i < j->dealing.count[p]; i++)
      *seat++ = (nu_seat){j->machine->processors[p], 0};
  }
}

/* False: the OpenMP runtime names a processor that is none of the machine's. */
static bool sit_where_given(job *j) {
  for (size_t t = 0; t < j->plan->threads; t++) {
    size_t p = find_processor(j->machine, j->request->given[t]);
    if (p == j->machine->processing_units) return false;
    j->placement->seats[t] = (nu_seat){j->machine->processors[p], 0};
  }
  return true;
}

/* The nodes that have seats, in the machine's order. */
static void list_nodes(nu_placement *placement, const nu_machine *machine) {
  for (size_t n = 0; n < machine->n_nodes; n++) {
    bool used = false;
    for (size_t t = 0; t < placement->n_threads; t++) {
      if (placement->seats[t].processor.node != n) continue;
      placement->seats[t].node = placement->n_nodes;
      used = true;
    }
    if (!used) continue;
    placement->nodes[placement->n_nodes++] = machine->nodes[n];
    for (size_t p = 0; p < machine->processing_units; p++) {
      if (machine->processors[p].node == n)
        placement->processors[placement->n_processors++] = machine->processors[p];
    }
  }
}

static bool is_node_by_node(const nu_placement *placement) {
  for (size_t t = 1; t < placement->n_threads; t++) {
    if (placement->seats[t].node < placement->seats[t - 1].node) return false;
  }
  return true;
}

/* ---- what a thread may run on */

/* The first of these that holds. Where cores are left over, no thread is bound to one: of two
 * trainings in one job, both would choose the same. */
typedef struct rule {
  bool holds;
  nu_width width;
  const char *why; /* NU_BIND_CORE: behind "each thread on its core" */
} rule;

static rule choose_width(const job *j, bool follows) {
  const nu_machine *m = j->machine;
  bool ordered = j->request->ordered;
  size_t threads = j->plan->threads;
  const rule rules[] = {
      {follows, NU_BIND_OMP, "bound by the OpenMP runtime"},
      {j->placement->placing == NU_PLACE_NONE, NU_BIND_NOT,
       "threads and memory are the system's business"},
      {threads + j->plan->idle > nu_machine_slots(m), NU_BIND_NOT,
       "not bound, as there are more threads than cores"},
      {j->request->omp_unbound && !ordered, NU_BIND_NOT, "not bound, as OMP_PROC_BIND is false"},
      {ordered, NU_BIND_CORE, ""},
      {threads >= m->cores, NU_BIND_CORE, ", as all cores are used"},
      {m->numa_nodes < 2, NU_BIND_NOT, "not bound, as one node has cores to spare"},
      {true, NU_BIND_NODE,
       "each thread on its node, any core: a run beside this one may need the others"},
  };
  const rule *r = rules;
  while (!r->holds) r++;
  return *r;
}

/* Small weights are copied, where every thread reads all of them but few updates. */
static bool wants_replicas(const job *j) {
  const nu_placement *p = j->placement;
  if (!p->memory || p->n_nodes < 2 || j->plan->groups < 2 || p->n_nodes > NU_MOST_REPLICAS)
    return false;
  size_t smallest = p->nodes[0].bytes;
  for (size_t n = 1; n < p->n_nodes; n++)
    smallest = p->nodes[n].bytes < smallest ? p->nodes[n].bytes : smallest;
  return weight_bytes(j->network) <= smallest / 16;
}

static const char *seats_name(const job *j, nu_width width) {
  if (width != NU_BIND_CORE) return "";
  return j->plan->threads > j->machine->cores ? "each thread on its hardware thread"
                                              : "each thread on its core";
}

/* Stripes are cut at NU_PAGE; a machine that does not say has such pages. */
static bool pages_fit(const nu_machine *machine) {
  return !machine->page_bytes || machine->page_bytes == NU_PAGE;
}

static const char *why_no_memory(const job *j, const rule *r) {
  const nu_placement *p = j->placement;
  if (p->memory || p->of_nodes < 2 || r->width == NU_BIND_NOT) return "";
  return pages_fit(j->machine) ? "; not node by node, so that no memory is placed"
                               : "; no memory is placed, as its pages are larger than 4 KiB";
}

static void explain(const job *j, const char *placing, const rule *r) {
  nu_placement *p = j->placement;
  bool names = r->width != NU_BIND_OMP && p->placing != NU_PLACE_NONE;
  snprintf(p->why, sizeof p->why, "%s%s%s%s%s", names ? placing : "", names ? "; " : "",
           seats_name(j, r->width), r->why, why_no_memory(j, r));
  if (j->request->ordered && j->request->given && p->placing != NU_PLACE_NONE)
    snprintf(p->note, sizeof p->note, "OMP_PROC_BIND gives way to parallel.placement: %s",
             nu_placing_name(p->placing));
}

/* False: memory is refused. */
static bool place(job *j) {
  nu_placement *p = j->placement;
  nu_text why = {0};
  choose_placing(j, &why);
  bool follows = j->request->given && !j->request->ordered && sit_where_given(j);
  if (follows) p->placing = NU_PLACE_NONE;
  else sit_down(j);
  list_nodes(p, j->machine);
  rule r = choose_width(j, follows);
  p->width = r.width;
  p->of_nodes = j->machine->numa_nodes;
  p->memory =
      p->of_nodes > 1 && r.width != NU_BIND_NOT && is_node_by_node(p) && pages_fit(j->machine);
  p->replicas = wants_replicas(j);
  explain(j, nu_text_view(&why), &r);
  bool whole = !why.failed;
  nu_text_clear(&why);
  return whole;
}

/* ---- the whole */

numann_status nu_placement_create(nu_placement **out, const nu_placement_request *request,
                                  const nu_plan *plan, const numann_network *network,
                                  const nu_machine *machine, numann_error *err) {
  *out = NULL;
  if (!machine->processors) return NUMANN_OK; /* nothing is known of them */
  job j = {.request = request, .plan = plan, .network = network, .machine = machine};
  nu_placement *p = j.placement = nu_alloc(1, sizeof *p);
  bool opened = open_dealing(&j.dealing, machine);
  if (p) {
    p->n_threads = plan->threads;
    p->seats = nu_alloc(plan->threads, sizeof *p->seats);
    p->nodes = nu_alloc(machine->n_nodes, sizeof *p->nodes);
    p->processors = nu_alloc(machine->processing_units, sizeof *p->processors);
  }
  bool ready = p && p->seats && p->nodes && p->processors && opened;
  ready = ready && place(&j);
  close_dealing(&j.dealing);
  if (ready) {
    *out = p;
    return NUMANN_OK;
  }
  nu_placement_destroy(p);
  return nu_fail_memory(err, plan->threads * sizeof(nu_seat), "the placement");
}

void nu_placement_destroy(nu_placement *placement) {
  if (!placement) return;
  free(placement->seats);
  free(placement->processors);
  free(placement->nodes);
  free(placement);
}

/* ---- what a plan says of it */

/* A node's processors are neighbours, nodes in the order of the seats'. */
nu_range nu_placement_processors(const nu_placement *placement, size_t node) {
  nu_range range = {0, 0};
  for (size_t n = 0; n <= node; n++) {
    range.begin = range.end;
    while (range.end < placement->n_processors &&
           placement->processors[range.end].node == placement->processors[range.begin].node)
      range.end++;
  }
  return range;
}

bool nu_plan_places_memory(const nu_plan *plan) {
  return plan->placement && plan->placement->memory;
}

size_t nu_plan_nodes(const nu_plan *plan) {
  return nu_plan_places_memory(plan) ? plan->placement->n_nodes : 1;
}

size_t nu_plan_node(const nu_plan *plan, size_t thread) {
  return nu_plan_places_memory(plan) ? plan->placement->seats[thread].node : 0;
}

nu_range nu_plan_node_threads(const nu_plan *plan, size_t node) {
  nu_range threads = {0, 0};
  while (threads.begin < plan->threads && nu_plan_node(plan, threads.begin) < node) threads.begin++;
  threads.end = threads.begin;
  while (threads.end < plan->threads && nu_plan_node(plan, threads.end) == node) threads.end++;
  return threads;
}

size_t nu_plan_replicas(const nu_plan *plan) {
  return nu_plan_places_memory(plan) && plan->placement->replicas ? plan->placement->n_nodes : 1;
}
