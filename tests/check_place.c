/* The engine under a placement: the same bits, pages and threads where they should be.
 * SPDX-License-Identifier: MIT
 *
 * The machine is made up of several nodes, each of which stands for node 0 of this one, and of
 * processors that are those of this process over and over: so everything that an engine does for
 * several nodes happens for real on a machine that has one. What only several real nodes show,
 * tests/numa_guest.sh shows. */
#include "build_config.h"

#include <check.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "machine/team.h"
#include "plan/placement.h"
#include "trainer/inside.h"
#include "trainer/memory.h"
#include "trainer/trainer.h"
#include "training.h"

#define PROCESSORS 12

/* Those that this process may use, again from the start when there are no more. */
static void list_processors(nu_processor *processors, size_t n_nodes) {
  cpu_set_t mask;
  ck_assert_int_eq(sched_getaffinity(0, sizeof mask, &mask), 0);
  unsigned os = 0;
  for (unsigned p = 0; p < PROCESSORS; p++, os++) {
    while (!CPU_ISSET(os % CPU_SETSIZE, &mask)) os++;
    processors[p] =
        (nu_processor){.os = os % CPU_SETSIZE, .core = p, .node = p * n_nodes / PROCESSORS};
  }
}

/* node_os: the system's number of every node. */
static nu_placement *place_on(const nu_plan *plan, const numann_network *network, size_t n_nodes,
                              unsigned node_os) {
  nu_processor processors[PROCESSORS];
  nu_numa_node nodes[PROCESSORS];
  list_processors(processors, n_nodes);
  for (size_t n = 0; n < n_nodes; n++)
    nodes[n] =
        (nu_numa_node){.os = node_os, .bytes = (size_t)8 << 30, .cores = PROCESSORS / n_nodes};
  nu_machine machine = {.processors = processors,
                        .nodes = nodes,
                        .n_nodes = n_nodes,
                        .cores = PROCESSORS,
                        .all_cores = PROCESSORS,
                        .slots = PROCESSORS,
                        .processing_units = PROCESSORS,
                        .numa_nodes = n_nodes};
  nu_placement_request request = {.placing = NU_PLACE_SCATTER, .ordered = true};
  nu_placement *placement;
  training_must(
      nu_placement_create(&placement, &request, plan, network, &machine, &training_error));
  return placement;
}

typedef struct way {
  const char *settings;
  size_t threads;
  nu_strategy strategy;
  size_t groups, chunk, nodes;
} way;

static training_job start_on(const way *w, unsigned node_os) {
  training_job shape = training_start(w->settings, 1, NU_NEURONS);
  const nu_problem *problem = &shape.plan->plan.problem;
  nu_plan plan = nu_plan_of(w->threads, w->strategy, w->groups, problem->batch, problem->grain);
  if (w->chunk) plan.chunk = w->chunk;
  plan.fuse = shape.plan->plan.fuse;
  nu_placement *placement = place_on(&plan, shape.network, w->nodes, node_os);
  training_end(&shape);
  return training_start_planned(w->settings, &plan, placement);
}

#define ADAM "train.optimizer.name=adam train.optimizer.learning_rate=0.01"
static const way ways[] = {
    {"train.epochs=2", 1, NU_NEURONS, 1, 0, 2},
    {"train.epochs=2", 2, NU_NEURONS, 1, 0, 2},
    {"train.epochs=2", 5, NU_NEURONS, 1, 0, 2},
    {ADAM, 4, NU_NEURONS, 1, 2, 2},
    {"train.clip_norm=0.5", 3, NU_NEURONS, 1, 0, 3},
    {"train.epochs=2", 2, NU_SAMPLES, 2, 0, 2},
    {ADAM, 4, NU_SAMPLES, 4, 0, 2},
    {ADAM, 5, NU_SAMPLES, 5, 0, 2},
    {"train.clip_norm=0.5", 6, NU_SAMPLES, 6, 1, 3},
    {"train.epochs=2 parallel.fuse_update=false", 12, NU_SAMPLES, 12, 0, 4},
    {ADAM, 4, NU_HYBRID, 2, 0, 2},
    {ADAM, 7, NU_HYBRID, 3, 0, 2},
    {"train.epochs=2", 8, NU_HYBRID, 4, 1, 2},
    {ADAM " train.precision=bf16", 4, NU_NEURONS, 1, 0, 2},
    {ADAM " train.precision=bf16", 5, NU_SAMPLES, 5, 0, 2},
    {ADAM " train.precision=bf16", 8, NU_HYBRID, 4, 2, 2},
};
#define WAYS ((int)(sizeof ways / sizeof *ways))

/* Threads are scattered. */
static size_t used_nodes(const way *w) { return w->threads < w->nodes ? w->threads : w->nodes; }

START_TEST(weights_do_not_depend_on_where_they_lie) {
  char want[65], got[65];
  training_hash(ways[_i].settings, 1, NU_NEURONS, want);
  training_job j = start_on(&ways[_i], 0);
  ck_assert(nu_plan_places_memory(&j.plan->plan));
  ck_assert_uint_eq(nu_plan_nodes(&j.plan->plan), used_nodes(&ways[_i]));
  ck_assert_uint_eq(nu_plan_replicas(&j.plan->plan), j.plan->plan.groups > 1 ? ways[_i].nodes : 1);
  training_must(numann_trainer_run(j.trainer, NULL, &training_error));
  nu_network_sha256(j.network, got);
  ck_assert_str_eq(want, got);
  training_end(&j);
}
END_TEST

/* To be freed. */
static nu_place_report *report_of(const training_job *j) {
  nu_place_report *report = nu_alloc(1, sizeof *report);
  ck_assert_ptr_nonnull(report);
  training_must(nu_trainer_report_placement(j->trainer, true, report, &training_error));
  return report;
}

START_TEST(every_page_and_thread_is_found_where_planned) {
  training_job j = start_on(&ways[_i], 0);
  nu_place_report *report = report_of(&j);
  ck_assert_int_eq(report->ask_refusal, 0);
  ck_assert_int_eq(report->memory_refusal, 0);
  ck_assert_int_eq(report->bind_refusal, 0);
  ck_assert_uint_ge(report->pages, 30);
  ck_assert_uint_eq(report->right, report->pages);
  ck_assert_uint_eq(report->found[0], report->pages);
  ck_assert_uint_eq(report->threads, ways[_i].threads);
  ck_assert_uint_eq(report->on_their_core, ways[_i].threads);
  free(report);
  training_end(&j);
}
END_TEST

/* A node that this machine does not have: what is asked for is refused, training goes on, and the
 * report says that pages are elsewhere. */
START_TEST(a_refused_node_is_told_and_changes_no_bit) {
  char want[65], got[65];
  training_hash(ways[_i].settings, 1, NU_NEURONS, want);
  training_job j = start_on(&ways[_i], 1000);
  nu_place_report *report = report_of(&j);
  ck_assert_int_ne(report->memory_refusal, 0);
  ck_assert_uint_gt(report->pages, 0);
  ck_assert_uint_eq(report->right, 0);
  training_must(numann_trainer_run(j.trainer, NULL, &training_error));
  nu_network_sha256(j.network, got);
  ck_assert_str_eq(want, got);
  free(report);
  training_end(&j);
}
END_TEST

/* ---- binding */

typedef struct masks {
  cpu_set_t first;
  atomic_size_t others; /* threads with another mask than that */
} masks;

static void compare_mask(nu_team *team, size_t thread, void *arg) {
  (void)team;
  (void)thread;
  masks *m = arg;
  cpu_set_t mine;
  if (sched_getaffinity(0, sizeof mine, &mine) != 0 || !CPU_EQUAL(&mine, &m->first))
    atomic_fetch_add(&m->others, 1);
}

/* The caller and the runtime's threads, which serve the caller next, may go where they could
 * before. */
START_TEST(threads_get_their_masks_back) {
  masks m = {.others = 0};
  ck_assert_int_eq(sched_getaffinity(0, sizeof m.first, &m.first), 0);
  training_must(nu_team_run(ways[_i].threads, compare_mask, &m, &training_error));
  ck_assert_uint_eq(atomic_load(&m.others), 0);
  training_job j = start_on(&ways[_i], 0);
  training_must(numann_trainer_run(j.trainer, NULL, &training_error));
  compare_mask(NULL, 0, &m);
  training_must(nu_team_run(ways[_i].threads, compare_mask, &m, &training_error));
  ck_assert_uint_eq(atomic_load(&m.others), 0);
  training_end(&j);
}
END_TEST

static void look_at_place(nu_team *team, size_t thread, void *arg) {
  (void)team;
  atomic_size_t *off = arg;
  unsigned here = (unsigned)sched_getcpu();
  nu_cpus wanted = {&here, 1};
  if (!nu_team_is_on(&wanted)) atomic_fetch_add(&off[thread], 1);
}

/* A processor that is not there: the thread runs as before, and the binding says why. */
START_TEST(a_refused_binding_is_told) {
  nu_processor real[PROCESSORS];
  list_processors(real, 1);
  unsigned os[2] = {real[0].os, 8000};
  nu_cpus cpus[2] = {{&os[0], 1}, {&os[1], 1}};
  nu_binding binding = {.cpus = cpus};
  atomic_size_t off[2] = {0, 0};
  training_must(nu_team_run_bound(2, 2, &binding, look_at_place, off, &training_error));
  ck_assert_int_ne(atomic_load(&binding.refusal), 0);
  ck_assert_uint_eq(atomic_load(&off[0]), 0);
  cpu_set_t mask;
  ck_assert_int_eq(sched_getaffinity(0, sizeof mask, &mask), 0);
  ck_assert_uint_eq(atomic_load(&off[1]), CPU_COUNT(&mask) > 1);
}
END_TEST

/* Each process would else move them to where its own threads are. */
START_TEST(shared_rows_are_left_alone) {
  enum { ROWS = 4000 };
  training_job j = start_on(&ways[0], 0);
  nu_engine *engine = &j.trainer->training.engine;
  nu_rows rows = {.rows = ROWS, .inputs = nu_alloc(ROWS, TRAINING_FEATURES * sizeof(float))};
  nu_place_report *own = report_of(&j), *shared = report_of(&j);
  ck_assert_ptr_nonnull(rows.inputs);
  training_must(nu_engine_report(engine, &rows, true, own, &training_error));
  rows.shared = true;
  training_must(nu_engine_report(engine, &rows, true, shared, &training_error));
  ck_assert_uint_ge(own->pages, shared->pages + ROWS * TRAINING_FEATURES * sizeof(float) / 4096);
  free(rows.inputs);
  free(own);
  free(shared);
  training_end(&j);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("place");
  TCase *c = tcase_create("place");
  tcase_set_timeout(c, 120);
  tcase_add_loop_test(c, weights_do_not_depend_on_where_they_lie, 0, WAYS);
  tcase_add_loop_test(c, every_page_and_thread_is_found_where_planned, 0, WAYS);
  tcase_add_loop_test(c, a_refused_node_is_told_and_changes_no_bit, 0, WAYS);
  tcase_add_loop_test(c, threads_get_their_masks_back, 0, 3);
  tcase_add_test(c, a_refused_binding_is_told);
  tcase_add_test(c, shared_rows_are_left_alone);
  suite_add_tcase(suite, c);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
