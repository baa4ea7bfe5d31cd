/* The machine stage: team, topology and limits. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_root.h"
#include "machine/limits.h"
#include "machine/machine.h"
#include "machine/team.h"

#define MAX_THREADS 33
#define ROUNDS 300

static const size_t team_sizes[] = {1, 2, 3, 8, 33};
#define TEAM_SIZES ((int)(sizeof team_sizes / sizeof team_sizes[0]))

/* ---- team */

/* Plain members on purpose: only the barrier orders the threads' accesses to them. */
typedef struct ring {
  size_t threads;
  size_t counter[MAX_THREADS];
  size_t wrong[MAX_THREADS];
  int entered[MAX_THREADS];
} ring;

/* Each thread counts its own rounds; after each barrier all must stand at the same count. */
static void count_rounds(nu_team *team, size_t thread, void *arg) {
  ring *r = arg;
  r->entered[thread]++;
  for (size_t round = 1; round <= ROUNDS; round++) {
    r->counter[thread] = round;
    nu_team_barrier(team);
    for (size_t i = 0; i < r->threads; i++) r->wrong[thread] += r->counter[i] != round;
    nu_team_barrier(team);
  }
}

static void run_ring(ring *r, size_t threads) {
  memset(r, 0, sizeof *r);
  r->threads = threads;
  numann_error err;
  ck_assert_int_eq(nu_team_run(threads, count_rounds, r, &err), NUMANN_OK);
}

static size_t ring_faults(const ring *r) {
  size_t faults = 0;
  for (size_t i = 0; i < r->threads; i++) faults += r->wrong[i] + (r->entered[i] != 1);
  return faults;
}

START_TEST(barrier_holds_every_thread) {
  ring r;
  run_ring(&r, team_sizes[_i]);
  ck_assert_uint_eq(ring_faults(&r), 0);
}
END_TEST

/* The oracle above must see a barrier that does not hold: here a thread skips it now and then. */
static void skip_barriers(nu_team *team, size_t thread, void *arg) {
  ring *r = arg;
  for (size_t round = 1; round <= ROUNDS; round++) {
    r->counter[thread] = round + (thread == 1);
    nu_team_barrier(team);
    for (size_t i = 0; i < r->threads; i++) r->wrong[thread] += r->counter[i] != round;
    nu_team_barrier(team);
  }
}

START_TEST(barrier_oracle_sees_a_stray_thread) {
  ring r = {.threads = 2, .entered = {1, 1}};
  ck_assert_int_eq(nu_team_run(2, skip_barriers, &r, NULL), NUMANN_OK);
  ck_assert_uint_gt(ring_faults(&r), 0);
}
END_TEST

START_TEST(regions_grow_and_shrink) {
  static const size_t sizes[] = {3, 1, 8, 2, 33, 2, 3};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    ring r;
    run_ring(&r, sizes[i]);
    ck_assert_uint_eq(ring_faults(&r), 0);
  }
}
END_TEST

static void *run_many_rings(void *arg) {
  size_t *faults = arg;
  for (size_t i = 0; i < 20; i++) {
    ring r;
    run_ring(&r, 2 + i % 3);
    *faults += ring_faults(&r);
  }
  return NULL;
}

START_TEST(two_callers_run_their_own_teams) {
  pthread_t callers[2];
  size_t faults[2] = {0, 0};
  for (size_t i = 0; i < 2; i++)
    ck_assert_int_eq(pthread_create(&callers[i], NULL, run_many_rings, &faults[i]), 0);
  for (size_t i = 0; i < 2; i++) pthread_join(callers[i], NULL);
  ck_assert_uint_eq(faults[0] + faults[1], 0);
}
END_TEST

static void count_calls(nu_team *team, size_t thread, void *arg) {
  (void)team;
  (void)thread;
  atomic_fetch_add((atomic_size_t *)arg, 1);
}

START_TEST(idle_threads_do_no_work) {
  atomic_size_t calls = 0;
  ck_assert_int_eq(nu_team_run_some(8, 3, count_calls, &calls, NULL), NUMANN_OK);
  ck_assert_uint_eq(calls, 3);
  ring r = {.threads = 3};
  ck_assert_int_eq(nu_team_run_some(33, 3, count_rounds, &r, NULL), NUMANN_OK);
  for (size_t i = 0; i < 33; i++) ck_assert_int_eq(r.entered[i], i < 3);
  for (size_t i = 0; i < 3; i++) ck_assert_uint_eq(r.wrong[i], 0);
}
END_TEST

/* Stacks larger than any address space: refused by the system, with a message. */
START_TEST(refused_threads_are_an_error) {
  pthread_attr_t huge;
  pthread_attr_init(&huge);
  ck_assert_int_eq(pthread_attr_setstacksize(&huge, (size_t)1 << 50), 0);
  ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
  atomic_size_t calls = 0;
  numann_error err = {0};
  ck_assert_int_eq(nu_team_run(64, count_calls, &calls, &err), NUMANN_ERR_MEMORY);
  ck_assert_uint_eq(calls, 0);
  ck_assert_ptr_nonnull(strstr(err.message, "of 64 threads"));
  ck_assert_ptr_nonnull(strstr(err.message, "--threads"));
}
END_TEST

START_TEST(affinity_mask_is_left_alone) {
  cpu_set_t before, after;
  ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
  ring r;
  run_ring(&r, 3);
  ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
  ck_assert(CPU_EQUAL(&before, &after));
}
END_TEST

/* ---- topology: more in check_topology.c */

#define MIB ((size_t)1 << 20)

static numann_status detect_fake(nu_machine *machine, const char *topology, const char *root) {
  nu_machine_source source = {.topology = topology, .root = root};
  numann_error err;
  numann_status status = nu_machine_detect_from(machine, &source, &err);
  nu_machine_clear(machine); /* counts are all that is wanted */
  return status;
}

START_TEST(drawing_shows_the_machine) {
  nu_machine_source source = {.topology = "pack:2 node:2 l3:1 core:3 pu:2", .root = "/nowhere"};
  nu_machine machine;
  nu_text text = {0};
  setenv("OMP_NUM_THREADS", "5", 1);
  ck_assert_int_eq(nu_machine_draw_from(&machine, &source, &text, NULL), NUMANN_OK);
  nu_machine_clear(&machine);
  const char *drawing = nu_text_view(&text);
  static const char *const parts[] = {"package 1", "NUMA node 3",
                                      "cores 9-11  ###  processors 18-23", "threads  up to 5"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    ck_assert_msg(strstr(drawing, parts[i]) != NULL, "no '%s' in:\n%s", parts[i], drawing);
  const char *omp = strstr(drawing, "OMP_NUM_THREADS");
  const char *mark = strstr(drawing, "<- sets");
  ck_assert_ptr_nonnull(omp);
  ck_assert(mark > omp && mark < strchr(omp, '\n'));
  nu_text_clear(&text);
}
END_TEST

START_TEST(mask_of_one_core_is_one_thread) {
  cpu_set_t mask;
  ck_assert_int_eq(sched_getaffinity(0, sizeof mask, &mask), 0);
  size_t first = 0;
  while (!CPU_ISSET(first, &mask)) first++;
  CPU_ZERO(&mask);
  CPU_SET(first, &mask);
  ck_assert_int_eq(sched_setaffinity(0, sizeof mask, &mask), 0);
  nu_machine machine;
  ck_assert_int_eq(nu_machine_detect(&machine, NULL), NUMANN_OK);
  nu_machine_clear(&machine);
  ck_assert_uint_eq(machine.cores, 1);
  ck_assert_uint_eq(machine.processing_units, 1);
  ck_assert_uint_eq(machine.threads_limit, 1);
  ck_assert_uint_eq(nu_team_processors(), 1);
}
END_TEST

/* ---- limits */

/* cgroup trees, and what must be read from them. */
typedef struct fake_tree {
  const char *what;
  fake_file files[8];
  double quota;
  size_t memory;
} fake_tree;

static const fake_tree trees[] = {
    {"nothing there", {{NULL, NULL}}, 0, 0},
    {"v2",
     {{"proc/self/cgroup", "0::/job\n"},
      {"sys/fs/cgroup/job/cpu.max", "150000 100000\n"},
      {"sys/fs/cgroup/job/memory.max", "1048576\n"}},
     1.5,
     MIB},
    {"v2 without limits",
     {{"proc/self/cgroup", "0::/job\n"},
      {"sys/fs/cgroup/job/cpu.max", "max 100000\n"},
      {"sys/fs/cgroup/job/memory.max", "max\n"}},
     0,
     0},
    {"v2, the limit is on a group above",
     {{"proc/self/cgroup", "0::/slurm/job_7/step_0\n"},
      {"sys/fs/cgroup/slurm/job_7/step_0/cpu.max", "max 100000\n"},
      {"sys/fs/cgroup/slurm/job_7/cpu.max", "400000 100000\n"},
      {"sys/fs/cgroup/slurm/cpu.max", "800000 100000\n"},
      {"sys/fs/cgroup/slurm/memory.max", "2097152\n"}},
     4,
     2 * MIB},
    {"v2, the least is below",
     {{"proc/self/cgroup", "0::/a/b\n"},
      {"sys/fs/cgroup/a/b/cpu.max", "50000 100000\n"},
      {"sys/fs/cgroup/a/cpu.max", "300000 100000\n"},
      {"sys/fs/cgroup/a/b/memory.max", "1048576\n"},
      {"sys/fs/cgroup/a/memory.max", "4194304\n"}},
     0.5,
     MIB},
    {"v2 in a container: limits at the root of the mount",
     {{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "250000 100000\n"}},
     2.5,
     0},
    {"v2 seen from a group beside ours",
     {{"proc/self/cgroup", "0::/../other\n"}, {"sys/fs/cgroup/cpu.max", "300000 100000\n"}},
     3,
     0},
    {"v1",
     {{"proc/self/cgroup", "4:memory:/job\n3:cpu,cpuacct:/job\n1:name=systemd:/\n"},
      {"sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "350000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/job/memory.limit_in_bytes", "1048576\n"}},
     3.5,
     MIB},
    {"v1 without limits",
     {{"proc/self/cgroup", "4:memory:/\n3:cpu,cpuacct:/\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}},
     0,
     0},
    {"v1 in a container that shows its host's path",
     {{"proc/self/cgroup", "4:memory:/docker/abc\n3:cpuacct,cpu:/docker/abc\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n"}},
     2,
     MIB},
    {"a cpuset is no CPU quota",
     {{"proc/self/cgroup", "3:cpuset:/job\n"},
      {"sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "200000\n"},
      {"sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"}},
     0,
     0},
    {"rubbish",
     {{"proc/self/cgroup", "0::/job\nrubbish\n::\n\n"},
      {"sys/fs/cgroup/job/cpu.max", "many of them\n"},
      {"sys/fs/cgroup/job/memory.max", "-7\n"}},
     0,
     0},
};

static void write_tree(char root[FAKE_ROOT], const fake_tree *tree) {
  fake_root_make(root);
  fake_root_write_all(root, tree->files, 8);
}

START_TEST(cgroup_limits_are_read) {
  const fake_tree *tree = &trees[_i];
  char root[FAKE_ROOT];
  write_tree(root, tree);
  nu_limits limits = nu_limits_read(root);
  fake_root_remove(root);
  ck_assert_msg(limits.quota == tree->quota, "%s: quota %g", tree->what, limits.quota);
  ck_assert_msg(limits.memory == tree->memory, "%s: memory %zu", tree->what, limits.memory);
}
END_TEST

START_TEST(quota_rounds_up_to_threads) {
  char root[FAKE_ROOT];
  nu_machine machine;
  unsetenv("OMP_NUM_THREADS");
  write_tree(root, &trees[1]);
  ck_assert_int_eq(detect_fake(&machine, "core:8 pu:1", root), NUMANN_OK);
  fake_root_remove(root);
  ck_assert_uint_eq(machine.threads_limit, 2);
  ck_assert_str_eq(machine.limited_by, "cgroup CPU quota");
  ck_assert_uint_eq(machine.memory_limit, MIB);
}
END_TEST

START_TEST(threads_are_limited_without_a_topology) {
  char root[FAKE_ROOT];
  unsetenv("OMP_NUM_THREADS");
  unsetenv("SLURM_JOB_ID");
  write_tree(root, &trees[1]);
  ck_assert_uint_eq(nu_limits_threads(8, root), 2);
  ck_assert_uint_eq(nu_limits_threads(1, root), 1);
  fake_root_remove(root);
  ck_assert_uint_eq(nu_limits_threads(8, root), 8);
  setenv("OMP_NUM_THREADS", "3", 1);
  ck_assert_uint_eq(nu_limits_threads(8, root), 3);
}
END_TEST

static const struct {
  const char *text;
  size_t limit;
} omp_values[] = {{"4", 4}, {"4,2", 4}, {" 3 ", 3}, {"64", 64}, {"", 0},
                  {"0", 0}, {"-2", 0},  {"two", 0}, {"2x", 0},  {"99999999999999999999", 0}};

START_TEST(omp_num_threads_is_read) {
  setenv("OMP_NUM_THREADS", omp_values[_i].text, 1);
  ck_assert_uint_eq(nu_limits_read("/nowhere").omp, omp_values[_i].limit);
  ck_assert_uint_eq(nu_limits_read(NULL).omp, 0);
  nu_machine machine;
  ck_assert_int_eq(detect_fake(&machine, "core:16 pu:1", "/nowhere"), NUMANN_OK);
  size_t limit = omp_values[_i].limit;
  ck_assert_uint_eq(machine.threads_limit, limit > 0 && limit < 16 ? limit : 16);
}
END_TEST

/* ---- suites */

static TCase *add_case(Suite *suite, const char *name) {
  TCase *tests = tcase_create(name);
  tcase_set_timeout(tests, 60);
  suite_add_tcase(suite, tests);
  return tests;
}

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

static Suite *machine_suite(void) {
  Suite *suite = suite_create("machine");
  TCase *team = add_case(suite, "team");
  tcase_add_loop_test(team, barrier_holds_every_thread, 0, TEAM_SIZES);
  tcase_add_test(team, barrier_oracle_sees_a_stray_thread);
  tcase_add_test(team, regions_grow_and_shrink);
  tcase_add_test(team, two_callers_run_their_own_teams);
  tcase_add_test(team, idle_threads_do_no_work);
  tcase_add_test(team, refused_threads_are_an_error);
  tcase_add_test(team, affinity_mask_is_left_alone);
  TCase *topology = add_case(suite, "topology");
  tcase_add_test(topology, drawing_shows_the_machine);
  tcase_add_test(topology, mask_of_one_core_is_one_thread);
  TCase *limits = add_case(suite, "limits");
  tcase_add_loop_test(limits, cgroup_limits_are_read, 0, COUNT(trees));
  tcase_add_test(limits, quota_rounds_up_to_threads);
  tcase_add_test(limits, threads_are_limited_without_a_topology);
  tcase_add_loop_test(limits, omp_num_threads_is_read, 0, COUNT(omp_values));
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(machine_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
