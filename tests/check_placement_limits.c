/* Where placement stops: many nodes, large pages, cores to spare. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"

/* Where the process is, and the threads of others by node. */
typedef struct around {
  size_t here, busy[3];
} around;

/* Threads that split the samples, on a described machine. */
static void plan_in(fake_subject *s, const char *words, size_t threads, size_t page_bytes,
                    size_t all_cores, const around *others) {
  dice d = dice_of(1);
  nu_machine_source source = {.topology = words};
  nu_placement_request request = {.placing = NU_PLACE_AUTO};
  *s = (fake_subject){.network = fake_network_of(&d)};
  ck_assert_int_eq(nu_machine_detect_from(&s->fake.machine, &source, NULL), NUMANN_OK);
  s->fake.machine.page_bytes = page_bytes;
  if (all_cores) s->fake.machine.all_cores = all_cores;
  s->fake.machine.here = others->here;
  for (size_t n = 0; n < 3 && n < s->fake.machine.n_nodes; n++)
    s->fake.machine.nodes[n].busy = others->busy[n];
  s->plan = nu_plan_of(threads, NU_SAMPLES, threads, 64 * threads, 64);
  ck_assert_int_eq(
      nu_placement_create(&s->placement, &request, &s->plan, s->network, &s->fake.machine, NULL),
      NUMANN_OK);
  s->plan.placement = s->placement;
}

static void plan_on(fake_subject *s, const char *words, size_t threads, size_t page_bytes,
                    size_t all_cores) {
  plan_in(s, words, threads, page_bytes, all_cores, &(around){.here = 0});
}

static void clear(fake_subject *s) {
  nu_placement_destroy(s->placement);
  numann_network_destroy(s->network);
  nu_machine_clear(&s->fake.machine);
}

START_TEST(copies_have_a_limit) {
  static const struct {
    const char *words;
    size_t threads, copies;
  } of[] = {{"pack:64 [numa(memory=64GiB)] core:2 pu:1", 128, 64},
            {"pack:65 [numa(memory=64GiB)] core:2 pu:1", 130, 1}};
  fake_subject s;
  plan_on(&s, of[_i].words, of[_i].threads, 0, 0);
  ck_assert_uint_eq(nu_plan_nodes(&s.plan), of[_i].threads / 2);
  ck_assert_uint_eq(nu_plan_replicas(&s.plan), of[_i].copies);
  clear(&s);
}
END_TEST

START_TEST(large_pages_are_not_placed) {
  static const size_t page_bytes[] = {0, 4096, 65536};
  fake_subject s;
  plan_on(&s, "numa:2 core:2 pu:1", 4, page_bytes[_i], 0);
  ck_assert_int_eq(nu_plan_places_memory(&s.plan), _i < 2);
  ck_assert_int_eq(s.plan.placement->width, NU_BIND_CORE);
  ck_assert_int_eq(strstr(s.plan.placement->why, "larger than 4 KiB") != NULL, _i == 2);
  clear(&s);
}
END_TEST

/* Few threads are together on the node where the process is; beside others, where these leave cores
 * free. */
static const struct {
  around others;
  size_t threads, node;
} beside[] = {
    {{0, {0}}, 2, 0},       {{1, {0}}, 2, 1},       {{2, {0}}, 4, 2},       {{1, {0, 2}}, 2, 1},
    {{1, {0, 3}}, 2, 0},    {{0, {4}}, 2, 1},       {{2, {4, 0, 4}}, 3, 1}, {{2, {1, 1, 1}}, 3, 2},
    {{2, {4, 3, 4}}, 2, 1}, {{0, {4, 4, 4}}, 2, 0}, {{0, {9, 9, 8}}, 4, 0},
};

START_TEST(few_threads_are_where_there_is_room) {
  fake_subject s;
  plan_in(&s, "pack:3 [numa(memory=64GiB)] l3:1(size=1GiB) core:4 pu:2", beside[_i].threads, 0, 0,
          &beside[_i].others);
  ck_assert_uint_eq(s.placement->placing, NU_PLACE_COMPACT);
  ck_assert_uint_eq(s.placement->n_nodes, 1);
  ck_assert_uint_eq(s.placement->nodes[0].os, beside[_i].node);
  for (size_t t = 0; t < beside[_i].threads; t++)
    ck_assert_uint_eq(s.placement->seats[t].processor.node, beside[_i].node);
  clear(&s);
}
END_TEST

/* Of two trainings in one job, none is bound to cores that the other would choose, too. */
START_TEST(cores_to_spare_bind_no_thread_to_one) {
  fake_subject s;
  plan_on(&s, _i ? "numa:2 core:4 pu:1" : "core:8 pu:1", 4, 0, 64);
  ck_assert_int_eq(s.plan.placement->width, _i ? NU_BIND_NODE : NU_BIND_NOT);
  ck_assert_int_eq(nu_plan_places_memory(&s.plan), _i);
  clear(&s);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("placement limits");
  TCase *tests = tcase_create("limits");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, copies_have_a_limit, 0, 2);
  tcase_add_loop_test(tests, large_pages_are_not_placed, 0, 3);
  tcase_add_loop_test(tests, cores_to_spare_bind_no_thread_to_one, 0, 2);
  tcase_add_loop_test(tests, few_threads_are_where_there_is_room, 0,
                      (int)(sizeof beside / sizeof *beside));
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
