/* SPDX-License-Identifier: MIT */
#include "fake_machine.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

#define MOST_UNITS 512

/* ---- chance */

dice dice_of(uint64_t seed) { return (dice){seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du}; }

static uint64_t next(dice *d) {
  d->state ^= d->state << 13;
  d->state ^= d->state >> 7;
  d->state ^= d->state << 17;
  return d->state * 0x2545f4914f6cdd1du;
}

size_t roll(dice *d, size_t least, size_t most) {
  return least + (size_t)(next(d) >> 33) % (most - least + 1);
}
bool one_in(dice *d, size_t n) { return roll(d, 1, n) == 1; }

/* ---- machines */

/* How many of what, and where the builder is. */
typedef struct builder {
  dice *d;
  nu_machine *m;
  size_t packages, nodes, caches, cores, siblings; /* of one of the level above, at most */
  bool irregular, forbids;
  size_t all_cores, domain;
} builder;

static size_t some(const builder *b, size_t n) { return b->irregular ? roll(b->d, 1, n) : n; }

static void add_core(builder *b, unsigned package, size_t node) {
  unsigned core = (unsigned)b->all_cores++, sibling = 0;
  for (size_t s = 0; s < b->siblings; s++) {
    if (b->forbids && one_in(b->d, 3)) continue;
    b->m->processors[b->m->processing_units++] = (nu_processor){.os = (unsigned)s,
                                                                .core = core,
                                                                .l3 = (unsigned)b->domain,
                                                                .package = package,
                                                                .sibling = sibling++,
                                                                .node = node};
  }
  b->m->cores += sibling > 0;
  b->m->nodes[node].cores += sibling > 0;
}

static void add_node(builder *b, unsigned package, size_t node) {
  b->m->nodes[node].os = (unsigned)(2 * node);
  b->m->nodes[node].bytes = roll(b->d, 1, 64) << (one_in(b->d, 8) ? 20 : 30);
  bool none = b->forbids && one_in(b->d, 4);
  for (size_t c = some(b, b->caches); c; c--, b->domain++) {
    for (size_t n = some(b, b->cores); n; n--) {
      if (none) b->all_cores++;
      else add_core(b, package, node);
    }
  }
}

/* Siblings stand side by side, or far apart as Linux numbers them, or the other way round. */
static void number(builder *b) {
  size_t way = roll(b->d, 0, 2);
  for (size_t p = 0; p < b->m->processing_units; p++) {
    nu_processor *at = &b->m->processors[p];
    unsigned s = at->os, n = (unsigned)b->siblings, all = (unsigned)b->all_cores;
    at->os = way == 0   ? at->core * n + s
             : way == 1 ? s * all + at->core
                        : all * n - 1 - at->core * n - s;
  }
}

/* Nodes with allowed cores come first. */
static void sort_nodes(nu_machine *m) {
  size_t *index = nu_alloc(m->n_nodes, sizeof *index), n = 0;
  nu_numa_node *nodes = nu_alloc(m->n_nodes, sizeof *nodes);
  ck_assert(index && nodes);
  for (int with = 1; with >= 0; with--) {
    for (size_t i = 0; i < m->n_nodes; i++) {
      if ((m->nodes[i].cores > 0) != with) continue;
      index[i] = n;
      nodes[n++] = m->nodes[i];
    }
    if (with) m->numa_nodes = n;
  }
  for (size_t p = 0; p < m->processing_units; p++)
    m->processors[p].node = index[m->processors[p].node];
  free(m->nodes);
  free(index);
  m->nodes = nodes;
}

static void choose_counts(builder *b) {
  dice *d = b->d;
  size_t room;
  do {
    b->packages = roll(d, 1, 4);
    b->nodes = roll(d, 1, one_in(d, 6) ? 12 : 4);
    b->caches = roll(d, 1, 4);
    b->cores = roll(d, 1, 16);
    b->siblings = one_in(d, 2) ? 1 : one_in(d, 4) ? 4 : 2;
    room = b->packages * b->nodes * b->caches * b->cores * b->siblings;
  } while (room > MOST_UNITS);
  b->irregular = one_in(d, 3);
  b->forbids = one_in(d, 3);
}

static void build(builder *b) {
  nu_machine *m = b->m;
  size_t memories = one_in(b->d, 4) ? roll(b->d, 1, 3) : 0, n = b->packages * b->nodes;
  m->processors = nu_alloc(MOST_UNITS, sizeof *m->processors);
  m->nodes = nu_alloc(n + memories, sizeof *m->nodes);
  ck_assert(m->processors && m->nodes);
  m->n_nodes = n + memories;
  for (size_t i = 0; i < n; i++) add_node(b, (unsigned)(i / b->nodes), i);
  for (size_t i = n; i < n + memories; i++)
    m->nodes[i] = (nu_numa_node){.os = (unsigned)(2 * i), .bytes = 1u << 30};
}

fake_machine fake_machine_of(dice *d) {
  fake_machine fake = {.nodes = 0};
  nu_machine *m = &fake.machine;
  do {
    nu_machine_clear(m);
    *m = (nu_machine){.foreign = true, .packages = 1};
    builder b = {.d = d, .m = m};
    choose_counts(&b);
    build(&b);
    number(&b);
    sort_nodes(m);
    m->all_cores = b.all_cores;
  } while (m->cores == 0);
  if (!one_in(d, 4)) m->l3_bytes = roll(d, 1, 64) << 20;
  m->slots = m->threads_limit = m->cores;
  fake.nodes = m->numa_nodes;
  fake.cores = m->cores;
  fake.units = m->processing_units;
  return fake;
}

fake_words fake_words_of(dice *d) {
  size_t packages = roll(d, 1, 3), nodes = roll(d, 1, 3), caches = roll(d, 1, 3),
         cores = roll(d, 1, 5);
  size_t units = roll(d, 1, 2), memory = roll(d, 1, 32);
  fake_words w = {.nodes = packages * nodes, .cores = packages * nodes * caches * cores};
  w.units = w.cores * units;
  snprintf(w.text, sizeof w.text,
           "pack:%zu numa:%zu(memory=%zuGB) l3:%zu(size=%zuMB) core:%zu pu:%zu", packages, nodes,
           memory, caches, roll(d, 1, 64), cores, units);
  return w;
}

/* ---- networks and plans */

numann_network *fake_network_of(dice *d) {
  static const size_t usual[] = {1, 10, 32, 33, 64, 100, 300, 784, 1000, 2048};
  size_t sizes[6], n = roll(d, 1, 5);
  nu_activation activations[5] = {NU_RELU, NU_RELU, NU_RELU, NU_RELU, NU_RELU};
  numann_network *network;
  for (size_t l = 0; l <= n; l++) sizes[l] = one_in(d, 2) ? usual[roll(d, 0, 9)] : roll(d, 1, 80);
  ck_assert_int_eq(nu_network_allocate(&network, n, sizes, activations, NU_SQUARED_ERROR, NULL),
                   NUMANN_OK);
  return network;
}

/* Often as many threads as cores, often fewer, sometimes more than hardware threads. */
static size_t threads_of(dice *d, const nu_machine *m) {
  switch (roll(d, 0, 4)) {
    case 0: return m->cores;
    case 1: return m->processing_units;
    case 2:
      return one_in(d, 3) ? roll(d, 1, 2 * m->processing_units) : roll(d, 1, m->processing_units);
    default: return roll(d, 1, m->cores);
  }
}

nu_plan fake_plan_of(dice *d, const nu_machine *machine) {
  size_t threads = threads_of(d, machine), batch = roll(d, 1, one_in(d, 2) ? 40 : 3000),
         grain = roll(d, 1, 64);
  nu_strategy strategy = (nu_strategy)roll(d, 0, NU_STRATEGIES - 1);
  size_t groups = one_in(d, 2) ? machine->numa_nodes : roll(d, 1, threads);
  nu_plan plan = nu_plan_of(threads, strategy, groups, batch, grain);
  plan.problem.last_batch = roll(d, 1, batch);
  if (one_in(d, 2)) plan.chunk = roll(d, 1, plan.chunk);
  plan.arrays = roll(d, 0, 2);
  plan.fuse = one_in(d, 2);
  plan.problem.precision = one_in(d, 3) ? NU_BF16 : NU_FP32;
  return plan;
}

/* ---- subjects */

nu_placement *fake_placement_of(const fake_subject *s) {
  nu_placement *placement;
  numann_error err;
  numann_status status =
      nu_placement_create(&placement, &s->request, &s->plan, s->network, s->machine, &err);
  ck_assert_msg(status == NUMANN_OK, "seed %zu: %s", s->seed, err.message);
  return placement;
}

/* Where an OpenMP runtime has put the threads: in the order of the machine, or anywhere. */
static unsigned *draw_given(dice *d, const fake_subject *s) {
  size_t units = s->machine->processing_units, threads = s->plan.threads;
  unsigned *given = nu_alloc(threads, sizeof *given);
  bool sorted = one_in(d, 2);
  ck_assert_ptr_nonnull(given);
  for (size_t t = 0; t < threads; t++)
    given[t] = s->machine->processors[sorted ? t * units / threads : roll(d, 0, units - 1)].os;
  return given;
}

static fake_subject draw(size_t seed) {
  dice d = dice_of(seed);
  fake_subject s = {.seed = seed, .fake = fake_machine_of(&d)};
  s.network = fake_network_of(&d);
  s.plan = fake_plan_of(&d, &s.fake.machine);
  s.request = (nu_placement_request){.placing = (nu_placing)roll(&d, 0, NU_PLACINGS - 1),
                                     .omp_unbound = one_in(&d, 8)};
  s.request.ordered = s.request.placing != NU_PLACE_AUTO;
  return s;
}

void for_each_fake(int part, void (*look)(const fake_subject *)) {
  for (size_t seed = (size_t)part + 1; seed <= FAKE_SUBJECTS; seed += FAKE_PARTS) {
    dice d = dice_of(seed + 1000000);
    fake_subject s = draw(seed);
    s.machine = &s.fake.machine;
    if (one_in(&d, 6)) s.request.given = s.given = draw_given(&d, &s);
    s.plan.placement = s.placement = fake_placement_of(&s);
    look(&s);
    free(s.given);
    nu_placement_destroy(s.placement);
    numann_network_destroy(s.network);
    nu_machine_clear(&s.fake.machine);
  }
}
