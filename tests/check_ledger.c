/* The ledger's bytes, counted by hand: every buffer of a table of networks and plans against a plain
 * formula of its kind, and what an engine then allocates. SPDX-License-Identifier: MIT
 *
 * The formulas follow from the layouts in kernels/kernels.h and from what each phase keeps, and use
 * nothing of src/plan. How many sums a group leaves stands in the table, counted on paper. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plan/ledger.h"
#include "plan/placement.h"
#include "trainer/step.h"

enum { ALL = 1000, MOST_THREADS = 40, F = sizeof(float) };

typedef struct ledger_case {
  const char *name;
  size_t n_layers, sizes[5];
  size_t threads, groups, batch, last_batch, grain, chunk;
  size_t roots; /* sums that a group has room for */
  size_t arrays, nodes, copies;
  nu_precision precision;
  bool fuse;
  nu_blocks blocks; /* k 0: the usual ones */
} ledger_case;

static const ledger_case cases[] = {
    {"one thread", 2, {4, 16, 3}, 1, 1, 8, 8, 4, ALL, 0, 2, 1, 1, NU_FP32, false, {0}},
    {"fused", 2, {4, 16, 3}, 1, 1, 16, 16, 64, ALL, 0, 0, 1, 1, NU_FP32, true, {0}},
    {"bf16", 3, {37, 45, 33, 5}, 3, 1, 97, 9, 8, ALL, 0, 1, 1, 1, NU_BF16, true, {0}},
    {"bf16 with a gradient",
     2,
     {784, 300, 10},
     2,
     1,
     20,
     5,
     7,
     ALL,
     0,
     2,
     1,
     1,
     NU_BF16,
     false,
     {0}},
    {"two groups", 2, {28, 70, 2}, 4, 2, 100, 100, 8, 1, 3, 1, 1, 1, NU_FP32, true, {0}},
    {"five groups", 3, {37, 45, 33, 5}, 5, 5, 97, 9, 8, ALL, 2, 2, 1, 1, NU_BF16, true, {0}},
    {"more groups than grains",
     2,
     {9, 8, 7},
     6,
     6,
     10,
     10,
     4,
     ALL,
     1,
     0,
     1,
     1,
     NU_FP32,
     false,
     {0}},
    {"the last batch leaves more",
     2,
     {9, 40, 7},
     5,
     2,
     64,
     56,
     8,
     ALL,
     2,
     1,
     1,
     1,
     NU_FP32,
     true,
     {0}},
    {"chunks", 2, {64, 100, 10}, 2, 1, 200, 8, 8, 3, 4, 2, 1, 1, NU_FP32, true, {0}},
    {"far rows", 2, {1040, 1024, 40}, 2, 1, 64, 64, 32, ALL, 0, 1, 1, 1, NU_FP32, true, {0}},
    {"far by one", 2, {3, 992, 7}, 3, 2, 64, 64, 32, ALL, 1, 0, 1, 1, NU_FP32, true, {0}},
    {"near by one", 2, {3, 991, 7}, 3, 2, 64, 64, 32, ALL, 1, 0, 1, 1, NU_FP32, true, {0}},
    {"far in chunks", 2, {50, 2000, 1100}, 5, 2, 100, 100, 8, 1, 3, 2, 1, 1, NU_FP32, false, {0}},
    {"far and thin", 2, {40, 1000, 3}, 33, 1, 64, 64, 16, ALL, 0, 0, 1, 1, NU_FP32, true, {0}},
    {"bf16 and thin", 2, {200, 5, 100}, 4, 1, 30, 30, 5, ALL, 0, 2, 1, 1, NU_BF16, true, {0}},
    {"one row", 1, {10, 1}, 1, 1, 1, 1, 64, ALL, 0, 1, 1, 1, NU_FP32, true, {0}},
    {"one row in bf16", 2, {10, 17, 1}, 2, 1, 1, 1, 1, ALL, 0, 1, 1, 1, NU_BF16, false, {0}},
    {"odd blocks",
     3,
     {70, 300, 33, 65},
     4,
     4,
     300,
     37,
     4,
     ALL,
     6,
     2,
     1,
     1,
     NU_FP32,
     true,
     {32, 2, 7, 9, 1 << 16}},
    {"odd blocks in bf16",
     2,
     {70, 300, 33},
     3,
     1,
     50,
     7,
     7,
     3,
     2,
     1,
     1,
     1,
     NU_BF16,
     true,
     {64, 3, 50, 33, 1 << 20}},
    {"two nodes", 2, {784, 100, 10}, 4, 1, 64, 64, 16, ALL, 0, 2, 2, 1, NU_FP32, true, {0}},
    {"two nodes in bf16",
     2,
     {33, 1100, 10},
     4,
     1,
     64,
     64,
     16,
     ALL,
     0,
     1,
     2,
     1,
     NU_BF16,
     false,
     {0}},
    {"three nodes with copies",
     3,
     {37, 45, 33, 5},
     6,
     6,
     97,
     9,
     8,
     ALL,
     2,
     2,
     3,
     3,
     NU_FP32,
     true,
     {0}},
    {"two nodes with copies in bf16",
     2,
     {30, 31, 32},
     4,
     2,
     40,
     40,
     8,
     2,
     2,
     1,
     2,
     2,
     NU_BF16,
     true,
     {0}},
};
enum { CASES = sizeof cases / sizeof *cases };

/* ---- the plan and the network of a case */

typedef struct subject {
  const ledger_case *c;
  numann_network *network;
  nu_plan plan;
  nu_placement placement;
  nu_seat seats[MOST_THREADS];
  nu_numa_node nodes[4];
} subject;

/* Threads run anywhere, all nodes are node 0: nothing here binds, but memory is placed. */
static void place(subject *s) {
  const ledger_case *c = s->c;
  s->placement = (nu_placement){.n_threads = c->threads,
                                .seats = s->seats,
                                .n_nodes = c->nodes,
                                .nodes = s->nodes,
                                .memory = c->nodes > 1,
                                .replicas = c->copies > 1};
  for (size_t t = 0; t < c->threads; t++) s->seats[t].node = t * c->nodes / c->threads;
  s->plan.placement = &s->placement;
}

static void create(subject *s, const ledger_case *c) {
  static const nu_activation activations[] = {NU_TANH, NU_RELU, NU_TANH, NU_RELU};
  *s = (subject){.c = c};
  s->plan = nu_plan_of(c->threads, NU_HYBRID, c->groups, c->batch, c->grain);
  s->plan.problem.last_batch = c->last_batch;
  s->plan.problem.precision = c->precision;
  s->plan.chunk = c->chunk;
  s->plan.arrays = c->arrays;
  s->plan.fuse = c->fuse;
  if (c->blocks.k) s->plan.blocks = c->blocks;
  place(s);
  ck_assert_int_eq(
      nu_network_allocate(&s->network, c->n_layers, c->sizes, activations, NU_SQUARED_ERROR, NULL),
      NUMANN_OK);
}

/* ---- by hand: rows and layers */

static size_t up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t most(size_t a, size_t b) { return a > b ? a : b; }

static size_t inputs(const ledger_case *c, size_t l) { return c->sizes[l]; }
static size_t neurons(const ledger_case *c, size_t l) { return c->sizes[l + 1]; }
static size_t panels(size_t n) { return up(n, 32) / 32; }
/* Numbers in a row of so many features: at least one behind them, for the 1 of the bias. */
static size_t row(size_t features) { return (features / 32 + 1) * 32; }

/* Rows of all groups that hold rows at all; of each as many as the first, which has most grains. */
static size_t grains(const ledger_case *c) { return (c->batch + c->grain - 1) / c->grain; }
static size_t held(const ledger_case *c) {
  size_t of_first = least((grains(c) + c->groups - 1) / c->groups, c->chunk);
  return least(c->groups, grains(c)) * least(of_first * c->grain, c->batch);
}

/* A layer's parameters: a row of neurons for each input and the bias; the last panel half where that
 * is enough, but whole pages for each panel where memory is placed. */
static size_t parameters(const ledger_case *c, size_t l) {
  size_t rows = inputs(c, l) + 1;
  if (c->nodes > 1) return panels(neurons(c, l)) * up(rows * 32 * F, 4096);
  return rows * up(neurons(c, l), 16) * F;
}
static size_t all_parameters(const ledger_case *c) {
  size_t bytes = 0;
  for (size_t l = 0; l < c->n_layers; l++) bytes += parameters(c, l);
  return bytes;
}
/* Two inputs in a word; all panels whole. */
static size_t weight_pairs(const ledger_case *c, size_t l) {
  size_t panel = (inputs(c, l) + 2) / 2 * 32 * F;
  return panels(neurons(c, l)) * (c->nodes > 1 ? up(panel, 4096) : panel);
}

/* ---- by hand: threads */

static size_t bits(size_t n) { return n ? 1 + bits(n / 2) : 0; }

/* Inputs of a region: the last one takes a rest of less than a quarter. */
static size_t region(const subject *s) { return s->plan.blocks.inputs + s->plan.blocks.inputs / 4; }

/* The tree's slots of a region; or transposed weights of a block of the chain of (4.3); or three
 * blocks of output rows, one for each lane of a vector. */
static size_t scratch(const subject *s, bool trains) {
  const ledger_case *c = s->c;
  size_t floats = 3 * 16 * up(neurons(c, c->n_layers - 1), 16), g = grains(c);
  size_t slots = (g == 1 ? 1 : 2 * bits(g)) + bits(g) + 1;
  if (!trains) return floats * F;
  floats = most(floats, slots * region(s) * 32);
  for (size_t l = 1; l < c->n_layers; l++) {
    size_t n = neurons(c, l), blocks = (n + s->plan.blocks.k - 1) / s->plan.blocks.k;
    size_t block = up((n + blocks - 1) / blocks, 32);
    floats = most(floats, s->plan.blocks.panels * block * 32);
  }
  return floats * F;
}

/* Where rows lie a page apart, or are rounded: the inputs of three regions, half a panel more on
 * either side, and the deltas of the panels that a thread has, over the rows of a chunk. */
static size_t packed(const subject *s) {
  const ledger_case *c = s->c;
  size_t rows = least(c->grain, c->batch), largest = 0;
  if (c->precision == NU_BF16) rows = (rows + 1) / 2;
  rows *= least(c->chunk, grains(c));
  size_t widest = (c->threads + c->groups - 1) / c->groups, narrowest = c->threads / c->groups;
  for (size_t l = 0; l < c->n_layers; l++) {
    size_t n = panels(neurons(c, l));
    bool thin = n < widest, far = row(neurons(c, l)) * F >= 4096 && !thin;
    if (c->precision == NU_FP32 && !far) continue;
    size_t mine = thin ? n : (n + narrowest - 1) / narrowest;
    largest = most(largest, rows * (3 * (up(region(s), 16) + 16) + mine * 32));
  }
  return largest * F;
}

/* ---- by hand: how many buffers of a kind, and how large each */

typedef struct hand {
  size_t n, bytes;
} hand;

/* Of layer l, or of those that belong to none: in layer 0. */
static hand by_hand(const subject *s, nu_use use, nu_buffer_kind kind, size_t l) {
  const ledger_case *c = s->c;
  bool trains = use == NU_USE_GRADIENT || use == NU_USE_FUSED, bf16 = c->precision == NU_BF16;
  bool last = l + 1 == c->n_layers, first = l == 0;
  size_t rows = held(c) * row(neurons(c, l)) * F;
  size_t input_rows = held(c) * row(c->sizes[0]) * F;
  switch (kind) {
    case NU_BUFFER_WEIGHTS: return (hand){use == NU_USE_BORROW ? 0 : c->copies, parameters(c, l)};
    case NU_BUFFER_ARRAY: return (hand){trains ? c->arrays : 0, parameters(c, l)};
    case NU_BUFFER_WEIGHT_PAIRS: return (hand){bf16 ? c->copies : 0, weight_pairs(c, l)};
    case NU_BUFFER_GRADIENT:
      return (hand){first && use == NU_USE_GRADIENT && !c->roots, all_parameters(c)};
    case NU_BUFFER_ROOT:
      return (hand){first && trains ? c->groups * c->roots : 0, all_parameters(c)};
    case NU_BUFFER_INPUTS: return (hand){first, input_rows};
    case NU_BUFFER_TARGETS: return (hand){first, held(c) * up(neurons(c, c->n_layers - 1), 16) * F};
    case NU_BUFFER_ACTIVATIONS: return (hand){1, rows};
    case NU_BUFFER_NETS:
      return (hand){trains && !last && nu_keeps_z(s->network->layers[l].activation), rows};
    case NU_BUFFER_DELTAS: return (hand){trains, rows};
    case NU_BUFFER_INPUT_PAIRS: return (hand){first && bf16, input_rows / 2};
    case NU_BUFFER_ACTIVATION_PAIRS: return (hand){bf16 && !last, rows / 2};
    case NU_BUFFER_DELTA_PAIRS: return (hand){trains && bf16 && !first, rows / 2};
    case NU_BUFFER_SCRATCH: return (hand){first ? c->threads : 0, scratch(s, trains)};
    case NU_BUFFER_PACKED: return (hand){first && trains && packed(s) ? c->threads : 0, packed(s)};
    case NU_BUFFER_LOSSES: return (hand){first, c->batch * sizeof(double)};
    case NU_BUFFER_NORMS: return (hand){trains, panels(neurons(c, l)) * sizeof(double)};
    case NU_BUFFER_SAMPLES: /* of dropout: check_kinds.c */
    case NU_BUFFER_SENT:    /* of ranks: check_ranks.c */
    case NU_BUFFER_RECEIVED:
    case NU_BUFFER_DATA:
    case NU_BUFFER_KINDS: break;
  }
  return (hand){0, 0};
}

/* ---- what is booked, and what is allocated */

typedef struct found {
  const subject *s;
  nu_use use;
  size_t n[NU_BUFFER_KINDS][5];
} found;

static void look_at(const nu_buffer *buffer, void *arg) {
  found *all = arg;
  size_t want = by_hand(all->s, all->use, buffer->kind, buffer->layer).bytes;
  ck_assert_uint_lt(buffer->layer, all->s->c->n_layers);
  ck_assert_msg(buffer->bytes == want, "%s, use %d: %s of layer %zu has %zu bytes, not %zu",
                all->s->c->name, (int)all->use, nu_buffer_name(buffer->kind), buffer->layer,
                buffer->bytes, want);
  ck_assert_uint_eq(buffer->of, all->n[buffer->kind][buffer->layer]++);
}

static void look_at_counts(const found *all) {
  for (size_t kind = 0; kind < NU_BUFFER_KINDS; kind++) {
    for (size_t l = 0; l < all->s->c->n_layers; l++) {
      size_t want = by_hand(all->s, all->use, (nu_buffer_kind)kind, l).n;
      ck_assert_msg(all->n[kind][l] == want, "%s, use %d: %zu of %s in layer %zu, not %zu",
                    all->s->c->name, (int)all->use, all->n[kind][l],
                    nu_buffer_name((nu_buffer_kind)kind), l, want);
    }
  }
}

static const nu_use uses[] = {NU_USE_BORROW, NU_USE_PREDICT, NU_USE_GRADIENT, NU_USE_FUSED};
enum { USES = sizeof uses / sizeof *uses };

START_TEST(every_buffer_has_its_bytes) {
  subject s;
  create(&s, &cases[_i]);
  for (size_t u = 0; u < USES; u++) {
    found all = {.s = &s, .use = uses[u]};
    nu_ledger_walk(&s.plan, s.network, uses[u], look_at, &all);
    look_at_counts(&all);
  }
  ck_assert_int_eq(nu_plan_use(&s.plan), s.c->fuse ? NU_USE_FUSED : NU_USE_GRADIENT);
  numann_network_destroy(s.network);
}
END_TEST

/* All of it may be written, and each field lies in a buffer of its kind. */
static void look_at_engine(const nu_engine *engine, found *all) {
  for (size_t i = 0; i < engine->memory.n; i++) {
    const nu_placed *item = &engine->memory.items[i];
    look_at(&item->what, all);
    ck_assert_uint_eq((uintptr_t)item->at % 64, 0);
    memset(item->at, 0, item->what.bytes);
  }
  look_at_counts(all);
}

static void expect_at(const nu_engine *engine, const void *at, nu_buffer_kind kind, size_t l,
                      size_t of) {
  size_t i = 0;
  while (i < engine->memory.n && engine->memory.items[i].at != (const char *)at) i++;
  ck_assert_uint_lt(i, engine->memory.n);
  const nu_buffer *what = &engine->memory.items[i].what;
  ck_assert(what->kind == kind && what->layer == l && what->of == of);
}

static void look_at_fields(const nu_engine *engine, const ledger_case *c, nu_use use) {
  for (size_t l = 0; l < c->n_layers; l++) {
    const nu_engine_layer *layer = &engine->layers[l];
    for (size_t r = 0; r < c->copies; r++)
      expect_at(engine, layer->replicas[r], NU_BUFFER_WEIGHTS, l, r);
    for (size_t a = 0; a < c->arrays; a++)
      expect_at(engine, layer->array[NU_FIRST_ARRAY + a], NU_BUFFER_ARRAY, l, a);
    expect_at(engine, layer->activations, NU_BUFFER_ACTIVATIONS, l, 0);
    expect_at(engine, layer->deltas, NU_BUFFER_DELTAS, l, 0);
    expect_at(engine, layer->panel_norms, NU_BUFFER_NORMS, l, 0);
    ck_assert(layer->array[NU_WEIGHTS] == layer->replicas[0]);
  }
  for (size_t r = 0; r < c->groups * c->roots; r++)
    expect_at(engine, engine->groups[r / c->roots].roots[r % c->roots], NU_BUFFER_ROOT, 0, r);
  if (c->roots) ck_assert_ptr_eq(engine->gradient, engine->groups[0].roots[0]);
  else if (use == NU_USE_GRADIENT) expect_at(engine, engine->gradient, NU_BUFFER_GRADIENT, 0, 0);
  else ck_assert_ptr_null(engine->gradient);
  for (size_t t = 0; t < c->threads; t++)
    expect_at(engine, engine->threads[t].scratch, NU_BUFFER_SCRATCH, 0, t);
}

START_TEST(an_engine_allocates_those_bytes) {
  subject s;
  create(&s, &cases[_i]);
  for (size_t u = 1; u < USES; u++) {
    found all = {.s = &s, .use = uses[u]};
    nu_engine engine;
    ck_assert_int_eq(nu_engine_create(&engine, s.network, &s.plan, uses[u], NULL), NUMANN_OK);
    look_at_engine(&engine, &all);
    if (uses[u] > NU_USE_PREDICT) look_at_fields(&engine, s.c, uses[u]);
    nu_engine_clear(&engine);
  }
  numann_network_destroy(s.network);
}
END_TEST

/* ---- in numbers, so that no formula is believed alone */

START_TEST(the_first_case_in_numbers) {
  static const size_t want[NU_BUFFER_KINDS] = {
      [NU_BUFFER_WEIGHTS] = 5 * 16 * 4 + 17 * 16 * 4,
      [NU_BUFFER_ARRAY] = 2 * 1408,
      [NU_BUFFER_GRADIENT] = 1408,
      [NU_BUFFER_INPUTS] = 8 * 32 * 4,
      [NU_BUFFER_TARGETS] = 8 * 16 * 4,
      [NU_BUFFER_ACTIVATIONS] = 2 * 1024,
      [NU_BUFFER_DELTAS] = 2 * 1024,
      [NU_BUFFER_SCRATCH] = 7 * 60 * 32 * 4, /* 7 slots of at most 60 inputs of a panel */
      [NU_BUFFER_LOSSES] = 64,
      [NU_BUFFER_NORMS] = 16,
  };
  subject s;
  size_t all = 0;
  create(&s, &cases[0]);
  for (size_t kind = 0; kind < NU_BUFFER_KINDS; kind++) {
    size_t bytes = nu_ledger_bytes(&s.plan, s.network, NU_USE_GRADIENT, (nu_buffer_kind)kind);
    ck_assert_msg(bytes == want[kind], "%s: %zu", nu_buffer_name((nu_buffer_kind)kind), bytes);
    all += bytes;
  }
  ck_assert_uint_eq(nu_ledger_bytes(&s.plan, s.network, NU_USE_GRADIENT, NU_BUFFER_KINDS), all);
  numann_network_destroy(s.network);
}
END_TEST

/* What the cases are for, so that none loses its point. */
START_TEST(the_cases_cover_what_they_are_for) {
  size_t placed = 0, copied = 0, packing = 0, thin = 0, none = 0;
  for (size_t i = 0; i < CASES; i++) {
    subject s;
    create(&s, &cases[i]);
    placed += nu_plan_places_memory(&s.plan);
    copied += nu_plan_replicas(&s.plan) > 1;
    packing += packed(&s) > 0 && s.c->precision == NU_FP32;
    none += packed(&s) == 0;
    for (size_t l = 0; l < s.c->n_layers; l++)
      thin += nu_plan_is_thin(&s.plan, &s.network->layers[l], NU_LEVEL_GROUP, 0);
    numann_network_destroy(s.network);
  }
  ck_assert(placed >= 4 && copied >= 2 && packing >= 3 && thin >= 5 && none >= 5);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ledger");
  TCase *tests = tcase_create("ledger");
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, every_buffer_has_its_bytes, 0, CASES);
  tcase_add_loop_test(tests, an_engine_allocates_those_bytes, 0, CASES);
  tcase_add_test(tests, the_first_case_in_numbers);
  tcase_add_test(tests, the_cases_cover_what_they_are_for);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
