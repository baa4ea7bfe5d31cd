/* The arithmetic under a plan: shares cover everything once, on every level; the tree's roots; what
 * makes two problems equal. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plan/ledger.h"
#include "plan/placement.h"
#include "plan/tree.h"

START_TEST(shares_are_consecutive_and_even) {
  for (size_t n = 0; n < 70; n++) {
    for (size_t parts = 1; parts < 20; parts++) {
      size_t next = 0, smallest = n, largest = 0;
      for (size_t part = 0; part < parts; part++) {
        nu_range range = nu_share(n, parts, part);
        ck_assert_uint_eq(range.begin, next);
        next = range.end;
        size_t size = range.end - range.begin;
        smallest = size < smallest ? size : smallest;
        largest = size > largest ? size : largest;
      }
      ck_assert_uint_eq(next, n);
      ck_assert_uint_le(largest - smallest, 1);
      if (n) ck_assert_uint_gt(nu_share(n, parts, 0).end, 0); /* thread 0 holds the tree's root */
    }
  }
}
END_TEST

/* Of fewer items than parts, each half of the parts gets half, as a half may be a NUMA node. */
START_TEST(spread_shares_leave_no_half_idle) {
  for (size_t n = 0; n < 70; n++) {
    for (size_t parts = 1; parts < 20; parts++) {
      size_t next = 0, half = 0;
      for (size_t part = 0; part < parts; part++) {
        nu_range range = nu_spread(n, parts, part), share = nu_share(n, parts, part);
        ck_assert_uint_eq(range.begin, next);
        next = range.end;
        if (part < parts / 2) half = next;
        if (n >= parts) ck_assert(range.begin == share.begin && range.end == share.end);
        else ck_assert_uint_le(range.end - range.begin, 1);
      }
      ck_assert_uint_eq(next, n);
      if (n < parts && parts % 2 == 0) ck_assert_uint_eq(half, n / 2);
    }
  }
}
END_TEST

/* Of one chunk of every thread: rows times panels, rows alone; the engine's places of the rows. */
typedef struct coverage {
  size_t cells, alone;
  bool held[16 * 130];
} coverage;

static void cover_chunk(coverage *c, const nu_plan *plan, size_t rows, size_t thread, size_t i) {
  nu_chunk chunk = nu_plan_chunk(plan, rows, thread, i);
  const nu_layer layer = {.neurons = 7 * NU_PANEL};
  nu_range panels = nu_plan_delta_panels(plan, &layer, thread),
           own = nu_plan_my_own(plan, chunk.rows, thread);
  nu_range held = nu_plan_my_own(plan, chunk.held, thread);
  c->cells += (chunk.rows.end - chunk.rows.begin) * (panels.end - panels.begin);
  c->alone += own.end - own.begin;
  ck_assert_uint_eq(held.end - held.begin, own.end - own.begin);
  ck_assert(held.begin == held.end || held.end <= nu_plan_held(plan, plan->problem.batch));
  for (size_t r = held.begin; r < held.end; r++) {
    ck_assert(!c->held[r]);
    c->held[r] = true;
  }
  ck_assert(chunk.last == (i + 1 == nu_plan_chunks(plan, rows)));
}

START_TEST(strategies_cover_every_row_and_panel_once) {
  for (int strategy = 0; strategy < NU_STRATEGIES; strategy++) {
    for (size_t threads = 1; threads <= 16; threads++) {
      for (size_t rows = 1; rows <= 130; rows += 43) {
        nu_plan plan = nu_plan_of(threads, (nu_strategy)strategy, 3, 130, 32);
        plan.chunk = 1 + threads % 5;
        size_t cells = 0, alone = 0;
        for (size_t i = 0; i < nu_plan_chunks(&plan, rows); i++) {
          coverage c = {0};
          for (size_t t = 0; t < threads; t++) cover_chunk(&c, &plan, rows, t, i);
          cells += c.cells;
          alone += c.alone;
        }
        ck_assert_uint_eq(cells, rows * 7);
        ck_assert_uint_eq(alone, rows);
      }
    }
  }
}
END_TEST

/* ---- parts of a layer's parameters */

enum { MOST_THREADS = 11, MOST_NODES = 4 };

/* What a made-up machine would give: threads in equal shares on the nodes. */
typedef struct nodes {
  nu_placement placement;
  nu_seat seats[MOST_THREADS];
} nodes;

static void place(nodes *n, nu_plan *plan, size_t n_nodes) {
  n->placement = (nu_placement){
      .n_threads = plan->threads, .seats = n->seats, .n_nodes = n_nodes, .memory = n_nodes > 1};
  for (size_t node = 0; node < n_nodes; node++) {
    nu_range mine = nu_share(plan->threads, n_nodes, node);
    for (size_t t = mine.begin; t < mine.end; t++) n->seats[t].node = node;
  }
  plan->placement = &n->placement;
}

static const nu_layer layers[] = {
    {.links = 1, .neurons = 1, .bias = true},    {.links = 33, .neurons = 20, .bias = true},
    {.links = 70, .neurons = 33, .bias = true},  {.links = 320, .neurons = 97, .bias = true},
    {.links = 64, .neurons = 416, .bias = true}, {.links = 257, .neurons = 256, .bias = true},
    {.links = 1, .neurons = 100, .bias = false},
};
enum { LAYERS = sizeof layers / sizeof *layers, MOST_PANELS = 13, MOST_ROWS = 321 };

/* Whole panels, or of a layer with fewer than (the widest group's) threads whole groups of inputs of
 * all of them, the bias with the last. */
static void expect_form(const nu_layer *layer, const nu_part *part, size_t sharers, size_t group) {
  size_t panels = nu_panels(layer->neurons), rows = nu_layer_rows(layer);
  ck_assert_int_eq(part->thin, panels < sharers);
  if (part->thin) {
    ck_assert(part->panels.begin == 0 && part->panels.end == panels);
    ck_assert(part->inputs.begin % group == 0);
    ck_assert(part->inputs.end % group == 0 || part->inputs.end == rows);
  } else {
    ck_assert(part->inputs.begin == 0 && part->inputs.end == rows);
  }
}

/* The threads of a unit have every parameter once between them. */
static void expect_all_once(const nu_plan *plan, const nu_layer *layer, nu_level level,
                            nu_range unit) {
  static unsigned char owners[MOST_PANELS][MOST_ROWS];
  size_t widest = level == NU_LEVEL_GROUP ? nu_plan_members(plan, 0).end : unit.end - unit.begin;
  memset(owners, 0, sizeof owners);
  for (size_t t = unit.begin; t < unit.end; t++) {
    nu_part part = nu_plan_part(plan, layer, level, t);
    nu_range same = nu_plan_sharers(plan, level, t);
    ck_assert(same.begin == unit.begin && same.end == unit.end);
    ck_assert_int_eq(part.thin, nu_plan_is_thin(plan, layer, level, t));
    expect_form(layer, &part, widest, level == NU_LEVEL_JOB ? 8 : NU_PANEL);
    for (size_t p = part.panels.begin; p < part.panels.end; p++) {
      for (size_t i = part.inputs.begin; i < part.inputs.end; i++) owners[p][i]++;
    }
  }
  for (size_t p = 0; p < nu_panels(layer->neurons); p++) {
    for (size_t i = 0; i < nu_layer_rows(layer); i++) {
      if (owners[p][i] == 1) continue;
      ck_abort_msg(
          "%zu threads, %zu groups, %zu nodes, level %d, %zu x %zu: "
          "parameter %zu of panel %zu has %d owners",
          plan->threads, plan->groups, nu_plan_nodes(plan), (int)level, layer->links,
          layer->neurons, i, p, owners[p][i]);
    }
  }
}

/* Of a thin layer a member updates those inputs whose deltas it has formed (nu_plan_meets_after_delta
 * stands on it). */
static void expect_deltas(const nu_plan *plan, const nu_layer *layer, size_t thread) {
  const nu_layer below = {.neurons = layer->links};
  nu_range panels = nu_plan_delta_panels(plan, &below, thread);
  nu_part part = nu_plan_part(plan, layer, NU_LEVEL_GROUP, thread);
  if (!part.thin) return;
  bool last = panels.end * NU_PANEL >= layer->links && panels.begin < panels.end;
  ck_assert_uint_eq(part.inputs.begin, panels.begin * NU_PANEL);
  ck_assert_uint_eq(part.inputs.end, last ? nu_layer_rows(layer) : panels.end * NU_PANEL);
}

static void look_at_parts(const nu_plan *plan) {
  for (size_t l = 0; l < LAYERS; l++) {
    for (int level = 0; level < NU_LEVELS; level++) {
      for (size_t t = 0; t < plan->threads;) {
        nu_range unit = nu_plan_sharers(plan, (nu_level)level, t);
        ck_assert_uint_eq(unit.begin, t);
        expect_all_once(plan, &layers[l], (nu_level)level, unit);
        t = unit.end;
      }
    }
    for (size_t t = 0; t < plan->threads; t++) expect_deltas(plan, &layers[l], t);
  }
}

START_TEST(every_parameter_has_one_owner_on_every_level) {
  nodes n;
  for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
    for (size_t groups = 1; groups <= threads; groups++) {
      for (size_t n_nodes = 1; n_nodes <= MOST_NODES && n_nodes <= threads; n_nodes++) {
        nu_plan plan = nu_plan_of(threads, NU_HYBRID, groups, 100, 3);
        place(&n, &plan, n_nodes);
        look_at_parts(&plan);
      }
    }
  }
}
END_TEST

/* ---- the tree */

/* Grains [begin, end) one by one. */
static nu_tree pushed(size_t begin, size_t end) {
  nu_tree tree = {.depth = 0};
  size_t left[NU_TREE_DEPTH];
  for (size_t g = begin; g < end; g++) nu_tree_push_grain(&tree, g, false, left);
  return tree;
}

START_TEST(roots_of_an_interval_are_those_that_pushing_leaves) {
  for (size_t end = 0; end <= 40; end++) {
    for (size_t begin = 0; begin <= end; begin++) {
      nu_tree tree, want = pushed(begin, end);
      memset(&tree, 0xff, sizeof tree);
      nu_tree_of(&tree, begin, end);
      ck_assert_uint_eq(tree.depth, want.depth);
      for (size_t i = 0; i < want.depth; i++) {
        ck_assert_uint_eq(tree.nodes[i].level, want.nodes[i].level);
        ck_assert_uint_eq(tree.nodes[i].index, want.nodes[i].index);
        ck_assert_uint_eq(tree.nodes[i].slot, i);
        ck_assert_uint_eq(want.nodes[i].slot, i);
      }
    }
  }
}
END_TEST

/* The most that any group has at the end of any chunk of a batch. */
static size_t most_roots(const nu_plan *plan, size_t rows) {
  size_t most = 1, grains = (rows + plan->problem.grain - 1) / plan->problem.grain;
  for (size_t g = 0; g < plan->groups; g++) {
    nu_range mine = nu_share(grains, plan->groups, g);
    for (size_t end = mine.begin; end < mine.end;) {
      end = end + plan->chunk < mine.end ? end + plan->chunk : mine.end;
      size_t depth = pushed(mine.begin, end).depth;
      most = depth > most ? depth : most;
    }
  }
  return most;
}

START_TEST(roots_are_counted_as_the_tree_leaves_them) {
  for (size_t threads = 1; threads <= 9; threads++) {
    for (size_t batch = 1; batch <= 40; batch++) {
      for (size_t chunk = 1; chunk <= 5; chunk++) {
        nu_plan plan = nu_plan_of(threads, NU_HYBRID, 1 + threads / 2, batch, 1 + chunk % 2);
        plan.chunk = chunk;
        plan.problem.last_batch = 1 + (batch * 7 + chunk) % batch;
        size_t want = most_roots(&plan, batch), last = most_roots(&plan, plan.problem.last_batch);
        bool one = plan.groups == 1 && nu_problem_grains(&plan.problem, batch) <= chunk;
        ck_assert_int_eq(nu_plan_leaves_roots(&plan), !one);
        ck_assert_uint_eq(nu_plan_roots_of_group(&plan), one ? 0 : last > want ? last : want);
      }
    }
  }
}
END_TEST

/* ---- the problem */

START_TEST(a_problem_follows_from_rows_batch_and_grain) {
  static const struct {
    size_t rows, batch, grain, want_batch, want_last, want_grain;
  } cases[] = {{1000, 128, 0, 128, 1000 - 7 * 128, 64}, {1000, 0, 0, 1000, 1000, 64},
               {1000, 5000, 7, 1000, 1000, 7},          {1024, 128, 0, 128, 128, 64},
               {60000, 1024, 0, 1024, 608, 64},         {60000, 1025, 0, 1025, 550, 128},
               {60000, 0, 3, 60000, 60000, 3},          {5, 1, 1, 1, 1, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    nu_problem p = nu_problem_of(cases[i].rows, cases[i].batch, cases[i].grain, NU_BF16, 17);
    ck_assert_uint_eq(p.batch, cases[i].want_batch);
    ck_assert_uint_eq(p.last_batch, cases[i].want_last);
    ck_assert_uint_eq(p.grain, cases[i].want_grain);
    ck_assert_int_eq(p.precision, NU_BF16);
    ck_assert_uint_eq(p.seed, 17);
  }
}
END_TEST

/* Of fields and nothing else, such as padding; and the same on every machine: numbers computed once
 * elsewhere. */
START_TEST(equal_problems_have_equal_hashes) {
  static const nu_problem a = {128, 96, 64, NU_FP32, 1},
                          b = {128, 96, 64, NU_BF16, (1ull << 40) + 7};
  nu_problem again;
  memset(&again, 0xff, sizeof again);
  again.batch = 128;
  again.last_batch = 96;
  again.grain = 64;
  again.precision = NU_FP32;
  again.seed = 1;
  ck_assert_uint_eq(nu_problem_hash(&a), 0x1adf90799611ba44u);
  ck_assert_uint_eq(nu_problem_hash(&again), 0x1adf90799611ba44u);
  ck_assert_uint_eq(nu_problem_hash(&b), 0xc337ffb17e14a358u);
}
END_TEST

START_TEST(every_field_of_a_problem_is_in_its_hash) {
  const nu_problem a = {128, 96, 64, NU_FP32, 1};
  nu_problem others[] = {a, a, a, a, a, a, a, a};
  others[0].batch++;
  others[1].last_batch++;
  others[2].grain++;
  others[3].precision = NU_BF16;
  others[4].seed++;
  others[5].seed += 1ull << 63;
  others[6].batch = 96, others[6].last_batch = 128; /* which is which */
  others[7].grain = 1, others[7].seed = 64;
  size_t n = sizeof others / sizeof *others;
  for (size_t i = 0; i < n; i++) {
    ck_assert_uint_ne(nu_problem_hash(&a), nu_problem_hash(&others[i]));
    for (size_t j = 0; j < i; j++)
      ck_assert_uint_ne(nu_problem_hash(&others[i]), nu_problem_hash(&others[j]));
  }
}
END_TEST

/* Of all ranks, each with its own number of threads, one thread has a parameter. */
START_TEST(every_parameter_has_one_rank) {
  static unsigned char owners[MOST_PANELS][MOST_ROWS];
  for (size_t ranks = 1; ranks <= 9; ranks++) {
    for (size_t l = 0; l < LAYERS; l++) {
      const nu_layer *layer = &layers[l];
      memset(owners, 0, sizeof owners);
      for (size_t rank = 0; rank < ranks; rank++) {
        nu_plan plan = nu_plan_of(1 + rank % 4, NU_NEURONS, 1, 130, 8);
        plan.ranks = ranks;
        plan.rank = rank;
        size_t floats = 0;
        for (size_t t = 0; t < plan.threads; t++) {
          nu_part part = nu_plan_part(&plan, layer, NU_LEVEL_JOB, t);
          floats += nu_part_floats(layer, part);
          for (size_t p = part.panels.begin; p < part.panels.end; p++)
            for (size_t i = part.inputs.begin; i < part.inputs.end; i++) owners[p][i]++;
        }
        ck_assert_uint_eq(floats, nu_part_floats(layer, nu_plan_rank_part(&plan, layer, rank)));
      }
      for (size_t p = 0; p < nu_panels(layer->neurons); p++)
        for (size_t i = 0; i < nu_layer_rows(layer); i++)
          ck_assert_msg(owners[p][i] == 1,
                        "%zu ranks, layer %zu: parameter %zu of panel %zu has %d", ranks, l, i, p,
                        owners[p][i]);
    }
  }
}
END_TEST

/* The grains of all groups of all ranks are the batch's, in order. */
START_TEST(every_grain_has_one_rank) {
  for (size_t ranks = 1; ranks <= 9; ranks++) {
    for (size_t rows = 1; rows <= 130; rows++) {
      nu_plan plan = nu_plan_of(3, NU_SAMPLES, 3, 130, 8);
      plan.ranks = ranks;
      size_t next = 0;
      for (plan.rank = 0; plan.rank < ranks; plan.rank++) {
        for (size_t group = 0; group < plan.groups; group++) {
          nu_range grains = nu_plan_group_grains(&plan, rows, group);
          ck_assert_uint_eq(grains.begin, next);
          next = grains.end;
        }
      }
      ck_assert_uint_eq(next, nu_problem_grains(&plan.problem, rows));
    }
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("parts");
  TCase *tests = tcase_create("parts");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, shares_are_consecutive_and_even);
  tcase_add_test(tests, spread_shares_leave_no_half_idle);
  tcase_add_test(tests, strategies_cover_every_row_and_panel_once);
  tcase_add_test(tests, every_parameter_has_one_owner_on_every_level);
  tcase_add_test(tests, every_parameter_has_one_rank);
  tcase_add_test(tests, every_grain_has_one_rank);
  tcase_add_test(tests, roots_of_an_interval_are_those_that_pushing_leaves);
  tcase_add_test(tests, roots_are_counted_as_the_tree_leaves_them);
  tcase_add_test(tests, a_problem_follows_from_rows_batch_and_grain);
  tcase_add_test(tests, equal_problems_have_equal_hashes);
  tcase_add_test(tests, every_field_of_a_problem_is_in_its_hash);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
