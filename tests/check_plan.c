/* The plan: shares cover everything once, the grain ignores the machine, the choice is sane.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"

static nu_machine machine_of(size_t cores) {
  return (nu_machine){.cores = cores, .processing_units = cores, .numa_nodes = 1,
                      .threads_limit = cores, .limited_by = "cores of the affinity mask"};
}

static numann_network *network_of(size_t n_layers, const size_t *sizes) {
  nu_activation activations[8] = {NU_RELU, NU_RELU, NU_RELU, NU_RELU};
  numann_network *network;
  ck_assert_int_eq(nu_network_allocate(&network, n_layers, sizes, activations, NU_SQUARED_ERROR, NULL),
                   NUMANN_OK);
  return network;
}

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

/* Of one chunk of every thread: rows times panels, rows alone; the engine's places of the rows. */
typedef struct coverage {
  size_t cells, alone;
  bool held[16 * 130];
} coverage;

static void cover(coverage *c, const numann_plan *plan, size_t rows, size_t thread, size_t i) {
  nu_chunk chunk = nu_plan_chunk(plan, rows, thread, i);
  nu_range panels = nu_plan_my_panels(plan, 7, thread), own = nu_plan_my_own(plan, chunk.rows, thread);
  nu_range held = nu_plan_my_own(plan, chunk.held, thread);
  c->cells += (chunk.rows.end - chunk.rows.begin) * (panels.end - panels.begin);
  c->alone += own.end - own.begin;
  ck_assert_uint_eq(held.end - held.begin, own.end - own.begin);
  ck_assert(held.begin == held.end || held.end <= nu_plan_held(plan, plan->batch));
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
        numann_plan plan = nu_plan_of(threads, (nu_strategy)strategy, 3, 130, 32);
        plan.chunk = 1 + threads % 5;
        size_t cells = 0, alone = 0;
        for (size_t i = 0; i < nu_plan_chunks(&plan, rows); i++) {
          coverage c = {0};
          for (size_t t = 0; t < threads; t++) cover(&c, &plan, rows, t, i);
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

START_TEST(grain_depends_on_the_batch_alone) {
  numann_network *network = network_of(1, (size_t[]){8, 8});
  for (size_t cores = 1; cores <= 64; cores *= 4) {
    nu_machine machine = machine_of(cores);
    for (size_t threads = 0; threads <= 9; threads += 3) {
      nu_plan_request request = {.threads = threads, .strategy = NU_STRATEGIES, .batch = 1024};
      ck_assert_uint_eq(nu_plan_make(&request, network, &machine).grain, 64);
      request.batch = 1025;
      ck_assert_uint_eq(nu_plan_make(&request, network, &machine).grain, 128);
      request.grain = 5;
      ck_assert_uint_eq(nu_plan_make(&request, network, &machine).grain, 5);
    }
  }
  numann_network_destroy(network);
}
END_TEST

START_TEST(small_networks_take_one_thread_and_large_ones_all) {
  nu_machine machine = machine_of(16);
  nu_plan_request small = {.strategy = NU_STRATEGIES, .batch = 16}, large = {.strategy = NU_STRATEGIES, .batch = 1024};
  numann_network *tiny = network_of(2, (size_t[]){4, 16, 3});
  numann_network *wide = network_of(3, (size_t[]){1024, 4096, 4096, 1024});
  ck_assert_uint_eq(nu_plan_make(&small, tiny, &machine).threads, 1);
  ck_assert_uint_eq(nu_plan_make(&large, wide, &machine).threads, 16);
  numann_network_destroy(tiny);
  numann_network_destroy(wide);
}
END_TEST

START_TEST(an_ordered_thread_count_is_obeyed_with_one_warning) {
  nu_machine machine = machine_of(2);
  numann_network *network = network_of(1, (size_t[]){8, 8});
  nu_plan_request request = {.threads = 33, .strategy = NU_SAMPLES, .batch = 64};
  numann_plan plan = nu_plan_make(&request, network, &machine);
  ck_assert_uint_eq(plan.threads, 33);
  ck_assert_int_eq(plan.strategy, NU_SAMPLES);
  ck_assert_ptr_nonnull(strstr(plan.note, "33 threads on 2 cores"));
  request.threads = 2;
  ck_assert_str_eq(nu_plan_make(&request, network, &machine).note, "");
  numann_network_destroy(network);
}
END_TEST

static Suite *plan_suite(void) {
  Suite *suite = suite_create("plan");
  TCase *tests = tcase_create("plan");
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, shares_are_consecutive_and_even);
  tcase_add_test(tests, strategies_cover_every_row_and_panel_once);
  tcase_add_test(tests, grain_depends_on_the_batch_alone);
  tcase_add_test(tests, small_networks_take_one_thread_and_large_ones_all);
  tcase_add_test(tests, an_ordered_thread_count_is_obeyed_with_one_warning);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(plan_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
