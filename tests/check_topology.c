/* The machine model against machines of known build: hwloc's words, and files of lstopo in
 * tests/topologies. hwloc takes another machine where it cannot make what it was told, so that every
 * one is counted. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_root.h"
#include "machine/limits.h"
#include "machine/machine.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))
#define MOST 512 /* hardware threads of a machine here */

/* ---- what the machines are */

typedef struct build {
  const char *topology; /* words, or a name in tests/topologies */
  size_t packages, all_cores, cores, units, gib; /* the last four: allowed ones; rounded down */
  const char *nodes;    /* "node=processors that it serves", those without cores last */
  const char *groups;   /* cores of each last-level cache, "4x3": three times 4 */
  const char *siblings; /* hardware threads of each core, likewise */
} build;

static const build builds[] = {
    {"pu:1", 1, 1, 1, 1, 1, "0=0", "1", "1"},
    {"core:2 pu:1", 1, 2, 2, 2, 1, "0=0-1", "2", "1x2"},
    {"core:4 pu:2", 1, 4, 4, 8, 1, "0=0-7", "4", "2x4"},
    {"core:1 pu:8", 1, 1, 1, 8, 1, "0=0-7", "1", "8"},
    {"pack:2 core:8 pu:1", 2, 16, 16, 16, 1, "0=0-15", "8x2", "1x16"},
    {"node:2 core:2 pu:1", 1, 4, 4, 4, 2, "0=0-1 1=2-3", "4", "1x4"},
    {"node:4 core:1 pu:1", 1, 4, 4, 4, 4, "0=0 1=1 2=2 3=3", "4", "1x4"},
    {"node:3 pack:1 core:5 pu:1", 3, 15, 15, 15, 3, "0=0-4 1=5-9 2=10-14", "5x3", "1x15"},
    {"node:2(indexes=1,0) core:2 pu:1", 1, 4, 4, 4, 2, "1=0-1 0=2-3", "4", "1x4"},
    {"pack:2 [numa(memory=17179869184)] l3:1(size=33554432) core:12 pu:2", 2, 24, 24, 48, 32, "0=0-23 1=24-47", "12x2", "2x24"},
    {"pack:1 [numa(memory=4294967296)] [numa(memory=17179869184)] core:8 pu:4", 1, 8, 8, 32, 20, "0=0-31 1=", "8", "4x8"},
    {"pack:2 [numa(memory=1073741824)] group:4 [numa(memory=2147483648)] core:3 pu:1", 2, 24, 24, 24, 18,
     "0=0-2 1=3-5 2=6-8 3=9-11 5=12-14 6=15-17 7=18-20 8=21-23 4= 9=", "12x2", "1x24"},
    {"pack:2 die:2 l3:2(size=1048576) l2:2 core:1 pu:2", 2, 16, 16, 32, 1, "0=0-31", "2x8", "2x16"},
    {"pack:2 node:2(memory=8589934592) l2:4 core:4 pu:1", 2, 64, 64, 64, 32, "0=0-15 1=16-31 2=32-47 3=48-63", "4x16", "1x64"},
    {"l2:8 core:1 pu:2", 1, 8, 8, 16, 1, "0=0-15", "8", "2x8"},
    {"node:2 pu:4", 1, 8, 8, 8, 2, "0=0-3 1=4-7", "8", "1x8"},
    {"pack:1 l3:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", 1, 4, 4, 8, 1, "0=0-7", "2x2", "2x4"},
    {"pack:4 node:1 l3:2 core:8 pu:1", 4, 64, 64, 64, 4, "0=0-15 1=16-31 2=32-47 3=48-63", "8x8", "1x64"},
    {"pack:2 node:4 l3:4 core:8 pu:2", 2, 256, 256, 512, 8,
     "0=0-63 1=64-127 2=128-191 3=192-255 4=256-319 5=320-383 6=384-447 7=448-511", "8x32", "2x256"},
    {"four-nodes", 1, 16, 16, 32, 32, "0=0-3,16-19 1=4-7,20-23 2=8-11,24-27 3=12-15,28-31", "2x8", "2x16"},
    {"core-missing", 2, 11, 11, 11, 32, "0=0-5 1=6-10", "6 5", "1x11"},
    {"fast-memory", 2, 8, 8, 16, 80, "0=0-3,8-11 1=4-7,12-15 2= 3=", "4x2", "2x8"},
    {"far-memory", 2, 6, 6, 6, 96, "0=0-2 1=3-5 2=", "3x2", "1x6"},
    {"no-memory", 3, 6, 6, 6, 32, "0=0-1 2=2-5", "2x3", "1x6"},
    {"no-node", 2, 6, 6, 6, 4, "0=0-5", "2 4", "1x6"},
    {"big-and-little", 1, 12, 12, 16, 32, "0=0-15", "12", "2x4 1x8"},
    {"cpuset", 2, 8, 4, 4, 16, "0=2-3 1=4-5", "2x2", "1x4"},
    {"node-forbidden", 4, 8, 8, 8, 24, "0=0-1 1=2-3 3=4-7", "2x4", "1x8"},
    {"offline", 2, 6, 6, 8, 16, "0=0-3,8-9 1=12-13", "4 2", "2x2 1x4"},
    {"no-cores", 1, 6, 6, 6, 4, "0=0-5", "6", "1x6"},
    {"sparse-nodes", 2, 6, 6, 24, 160, "0=0-11 8=16-27 252= 253=", "3x2", "4x6"},
    {"uneven-groups", 1, 13, 13, 13, 32, "0=0-12", "3 4x2 2", "1x13"},
};

/* ---- what is seen of them */

static nu_machine detect(const char *topology, const char *root) {
  char path[1024];
  const char *folder = getenv("srcdir");
  if (strcspn(topology, ":") == strlen(topology)) {
    snprintf(path, sizeof path, "%s/tests/topologies/%s.xml", folder != NULL ? folder : ".", topology);
    topology = path;
  }
  nu_machine_source source = {.topology = topology, .root = root};
  nu_machine machine;
  numann_error err = {0};
  numann_status status = nu_machine_detect_from(&machine, &source, &err);
  ck_assert_msg(status == NUMANN_OK, "%s: %s", topology, err.message);
  ck_assert(machine.foreign || topology == NULL);
  return machine;
}

/* Lists are compared as texts: ascending numbers as ranges. */
static void add_ranges(nu_text *out, const bool has[MOST]) {
  const char *comma = "";
  for (unsigned i = 0, end; i < MOST; i = end + 1) {
    for (end = i; end < MOST && has[end];) end++;
    if (end == i) continue;
    nu_text_addf(out, end == i + 1 ? "%s%u" : "%s%u-%u", comma, i, end - 1);
    comma = ",";
  }
}

static void list_nodes(const nu_machine *m, nu_text *out) {
  for (size_t node = 0; node < m->n_nodes; node++) {
    bool has[MOST] = {false};
    for (size_t i = 0; i < m->processing_units; i++)
      if (m->processors[i].node == node) has[m->processors[i].os] = true;
    nu_text_addf(out, "%s%u=", node > 0 ? " " : "", m->nodes[node].os);
    add_ranges(out, has);
  }
}

/* "4x2 3" for 4, 4, 3. */
static void add_runs(nu_text *out, const size_t *counts, size_t n) {
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i; end < n && counts[end] == counts[i];) end++;
    nu_text_addf(out, end == i + 1 ? "%s%zu" : "%s%zux%zu", i > 0 ? " " : "", counts[i], end - i);
  }
}

static bool starts_core(const nu_machine *m, size_t i) {
  return i == 0 || m->processors[i].core != m->processors[i - 1].core;
}

static void list_groups(const nu_machine *m, nu_text *out) {
  size_t counts[MOST] = {0}, n = 0;
  for (size_t i = 0; i < m->processing_units; i++) {
    n += i == 0 || m->processors[i].l3 != m->processors[i - 1].l3;
    counts[n - 1] += starts_core(m, i);
  }
  add_runs(out, counts, n);
}

static void list_siblings(const nu_machine *m, nu_text *out) {
  size_t counts[MOST] = {0}, n = 0;
  for (size_t i = 0; i < m->processing_units; i++) {
    n += starts_core(m, i);
    ck_assert_uint_eq(m->processors[i].sibling, counts[n - 1]++);
  }
  add_runs(out, counts, n);
}

static void assert_list(const build *b, const nu_machine *m, void (*list)(const nu_machine *, nu_text *),
                        const char *expected) {
  nu_text found = {0};
  list(m, &found);
  ck_assert_msg(strcmp(nu_text_view(&found), expected) == 0, "%s: found '%s', expected '%s'", b->topology,
                nu_text_view(&found), expected);
  nu_text_clear(&found);
}

static void assert_count(const build *b, const char *what, size_t found, size_t expected) {
  ck_assert_msg(found == expected, "%s: %zu %s, expected %zu", b->topology, found, what, expected);
}

/* Of nodes with cores, and of all: what the expected list says of them. */
static size_t count_nodes(const char *nodes, bool with_cores) {
  size_t n = 0;
  for (const char *at = nodes; (at = strchr(at, '=')) != NULL; at++) n += !with_cores || (at[1] != '\0' && at[1] != ' ');
  return n;
}

START_TEST(machine_is_as_it_was_built) {
  const build *b = &builds[_i];
  unsetenv("OMP_NUM_THREADS");
  nu_machine m = detect(b->topology, NULL);
  assert_count(b, "packages", m.packages, b->packages);
  assert_count(b, "cores of the whole machine", m.all_cores, b->all_cores);
  assert_count(b, "allowed cores", m.host_cores, b->cores);
  assert_count(b, "cores", m.cores, b->cores);
  assert_count(b, "hardware threads", m.processing_units, b->units);
  assert_count(b, "nodes", m.n_nodes, count_nodes(b->nodes, false));
  assert_count(b, "nodes with cores", m.numa_nodes, count_nodes(b->nodes, true));
  assert_count(b, "GiB of memory", m.memory_bytes >> 30, b->gib);
  assert_list(b, &m, list_nodes, b->nodes);
  assert_list(b, &m, list_groups, b->groups);
  assert_list(b, &m, list_siblings, b->siblings);
  assert_count(b, "threads", m.threads_limit, b->cores);
  ck_assert_str_eq(m.limited_by, NU_BY_CORES);
  nu_machine_clear(&m);
}
END_TEST

/* The plan counts cores by node: the sums are the machine's. */
START_TEST(nodes_share_the_cores) {
  const build *b = &builds[_i];
  nu_machine m = detect(b->topology, NULL);
  size_t cores = 0, bytes = 0;
  for (size_t node = 0; node < m.n_nodes; node++) {
    size_t own = 0;
    for (size_t i = 0; i < m.processing_units; i++) own += m.processors[i].node == node && starts_core(&m, i);
    assert_count(b, "cores of a node", m.nodes[node].cores, own);
    ck_assert_msg((own > 0) == (node < m.numa_nodes), "%s: node %zu of %zu", b->topology, node, m.numa_nodes);
    cores += own;
    bytes += m.nodes[node].bytes;
  }
  assert_count(b, "cores of the nodes", cores, m.cores);
  assert_count(b, "bytes of the nodes", bytes, m.memory_bytes);
  nu_machine_clear(&m);
}
END_TEST

START_TEST(siblings_may_be_slots) {
  const build *b = &builds[_i];
  unsetenv("OMP_NUM_THREADS");
  nu_machine m = detect(b->topology, NULL);
  nu_machine_use_siblings(&m);
  assert_count(b, "slots", m.slots, b->units);
  assert_count(b, "threads", m.threads_limit, b->units);
  ck_assert_str_eq(m.limited_by, NU_BY_SIBLINGS);
  nu_machine_clear(&m);
}
END_TEST

/* Systems number second hardware threads behind all the first ones. */
START_TEST(siblings_are_found_by_core_not_by_number) {
  static const unsigned expected[] = {0, 4, 1, 5, 2, 6, 3, 7};
  nu_machine m = detect("pack:1 l3:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", NULL);
  ck_assert_uint_eq(m.processing_units, COUNT(expected));
  for (size_t i = 0; i < m.processing_units; i++) {
    ck_assert_uint_eq(m.processors[i].os, expected[i]);
    ck_assert_uint_eq(m.processors[i].core, i / 2);
    ck_assert_uint_eq(m.processors[i].l3, i / 4);
  }
  nu_machine_clear(&m);
}
END_TEST

START_TEST(caches_have_their_sizes) {
  nu_machine m = detect("pack:2 l3:2(size=33554432) l2:4(size=524288) l1d:1(size=49152) core:1 pu:1", NULL);
  ck_assert_uint_eq(m.l1d_bytes, 48 << 10);
  ck_assert_uint_eq(m.l2_bytes, 512 << 10);
  ck_assert_uint_eq(m.l3_bytes, 32 << 20);
  nu_machine_clear(&m);
  m = detect("core:4 pu:1", NULL);
  ck_assert_uint_eq(m.l1d_bytes + m.l2_bytes + m.l3_bytes, 0);
  nu_machine_clear(&m);
}
END_TEST

/* ---- what the process may use */

/* A described machine has no mask of ours; this one, even where hwloc was told what it is, has. */
static size_t bind_to_first(void) {
  cpu_set_t mask;
  ck_assert_int_eq(sched_getaffinity(0, sizeof mask, &mask), 0);
  size_t first = 0;
  while (!CPU_ISSET(first, &mask)) first++;
  CPU_ZERO(&mask);
  CPU_SET(first, &mask);
  ck_assert_int_eq(sched_setaffinity(0, sizeof mask, &mask), 0);
  return first;
}

START_TEST(mask_is_of_this_machine_only) {
  bind_to_first();
  nu_machine m = detect("node:2 core:4 pu:1", NULL);
  ck_assert_uint_eq(m.cores, 8);
  nu_machine_clear(&m);
}
END_TEST

START_TEST(mask_restricts_this_machine) {
  size_t first = bind_to_first();
  if (first >= 256) return; /* the machine below has no such processor */
  setenv("HWLOC_SYNTHETIC", "node:2 core:128 pu:1", 1);
  setenv("HWLOC_THISSYSTEM", "1", 1);
  nu_machine m;
  ck_assert_int_eq(nu_machine_detect(&m, NULL), NUMANN_OK);
  ck_assert(!m.foreign);
  ck_assert_uint_eq(m.all_cores, 256);
  ck_assert_uint_eq(m.host_cores, 256);
  ck_assert_uint_eq(m.cores, 1);
  ck_assert_uint_eq(m.processing_units, 1);
  ck_assert_uint_eq(m.processors[0].os, first);
  ck_assert_uint_eq(m.numa_nodes, 1);
  ck_assert_uint_eq(m.nodes[m.processors[0].node].os, first / 128);
  ck_assert_uint_eq(m.threads_limit, 1);
  ck_assert_str_eq(m.limited_by, NU_BY_CORES);
  nu_machine_clear(&m);
}
END_TEST

/* The kernel's list of nodes, and who serves the cores of the others: a neighbour in the package first. */
static const struct {
  const char *topology, *allowed, *nodes;
} node_lists[] = {
    {"node:4 core:2 pu:1", "0-3", "0=0-1 1=2-3 2=4-5 3=6-7"},
    {"node:4 core:2 pu:1", "0,2", "0=0-3,6-7 2=4-5"},
    {"pack:2 node:2 core:2 pu:1", "0,2", "0=0-3 2=4-7"},
    {"pack:2 node:2 core:2 pu:1", "1,3", "1=0-3 3=4-7"},
    {"pack:2 node:2 core:2 pu:1", "3", "3=0-7"},
    {"no-memory", "0,2", "0=0-1 2=2-5"},
    {"no-memory", "0", "0=0-5"},
    {"node-forbidden", "0-1", "0=0-1,4-5 1=2-3,6-7"},
    {"fast-memory", "1-3", "1=0-15 2= 3="},
    {"fast-memory", "2", "2=0-15"},
};

START_TEST(forbidden_nodes_are_served_by_others) {
  char root[FAKE_ROOT], status[128];
  fake_root_make(root);
  snprintf(status, sizeof status, "Name:\tnumann\nMems_allowed_list:\t%s\nThreads:\t1\n", node_lists[_i].allowed);
  fake_root_write(root, "proc/self/status", status);
  build b = {.topology = node_lists[_i].topology};
  nu_machine m = detect(b.topology, root);
  fake_root_remove(root);
  assert_list(&b, &m, list_nodes, node_lists[_i].nodes);
  nu_machine_clear(&m);
}
END_TEST

/* ---- which limit it is */

typedef struct limit {
  const char *what;
  const char *cpu_max;      /* of the cgroup, NULL: none */
  const char *variables[6]; /* "NAME=VALUE" */
  size_t threads;
  const char *by;
  size_t with_siblings;     /* where a thread may sit on every hardware thread */
  const char *by_then;
} limit;

/* All of 16 cores with 2 hardware threads each. */
static const limit limits[] = {
    {"none", NULL, {NULL}, 16, NU_BY_CORES, 32, NU_BY_SIBLINGS},
    {"a quota, rounded up", "350000 100000", {NULL}, 4, NU_BY_QUOTA, 4, NU_BY_QUOTA},
    {"less than a core", "50000 100000", {NULL}, 1, NU_BY_QUOTA, 1, NU_BY_QUOTA},
    {"a quota above the cores", "2000000 100000", {NULL}, 16, NU_BY_CORES, 20, NU_BY_QUOTA},
    {"as many as there are cores", "1600000 100000", {NULL}, 16, NU_BY_CORES, 16, NU_BY_QUOTA},
    {"OpenMP", NULL, {"OMP_NUM_THREADS=12"}, 12, NU_BY_OMP, 12, NU_BY_OMP},
    {"OpenMP above the cores", NULL, {"OMP_NUM_THREADS=64"}, 16, NU_BY_CORES, 32, NU_BY_SIBLINGS},
    {"OpenMP between", NULL, {"OMP_NUM_THREADS=24"}, 16, NU_BY_CORES, 24, NU_BY_OMP},
    {"OpenMP above the quota", "800000 100000", {"OMP_NUM_THREADS=12"}, 8, NU_BY_QUOTA, 8, NU_BY_QUOTA},
    {"OpenMP below the quota", "800000 100000", {"OMP_NUM_THREADS=4,2"}, 4, NU_BY_OMP, 4, NU_BY_OMP},
    {"OpenMP as the quota", "800000 100000", {"OMP_NUM_THREADS=8"}, 8, NU_BY_QUOTA, 8, NU_BY_QUOTA},
    {"a task's CPUs", NULL, {"SLURM_JOB_ID=7", "SLURM_CPUS_PER_TASK=6", "SLURM_CPUS_ON_NODE=12"},
     6, "SLURM_CPUS_PER_TASK", 6, "SLURM_CPUS_PER_TASK"},
    {"variables without a job", NULL, {"SLURM_CPUS_PER_TASK=6"}, 16, NU_BY_CORES, 32, NU_BY_SIBLINGS},
    {"one task", NULL, {"SLURM_JOB_ID=7", "SLURM_CPUS_ON_NODE=10", "SLURM_NTASKS=1"},
     10, "SLURM_CPUS_ON_NODE", 10, "SLURM_CPUS_ON_NODE"},
    {"one task on each node", NULL, {"SLURM_JOB_ID=7", "SLURM_CPUS_ON_NODE=10", "SLURM_TASKS_PER_NODE=1(x4)"},
     10, "SLURM_CPUS_ON_NODE", 10, "SLURM_CPUS_ON_NODE"},
    {"two tasks", NULL, {"SLURM_JOB_ID=7", "SLURM_CPUS_ON_NODE=10", "SLURM_TASKS_PER_NODE=2"},
     16, NU_BY_CORES, 32, NU_BY_SIBLINGS},
    {"two tasks on the last node", NULL, {"SLURM_JOB_ID=7", "SLURM_CPUS_ON_NODE=10", "SLURM_TASKS_PER_NODE=1(x3),2"},
     16, NU_BY_CORES, 32, NU_BY_SIBLINGS},
    {"a step of one task in a job of two", NULL,
     {"SLURM_JOB_ID=7", "SLURM_CPUS_ON_NODE=10", "SLURM_TASKS_PER_NODE=2", "SLURM_STEP_TASKS_PER_NODE=1"},
     10, "SLURM_CPUS_ON_NODE", 10, "SLURM_CPUS_ON_NODE"},
    {"Slurm above the cores", NULL, {"SLURM_JOB_ID=7", "SLURM_CPUS_PER_TASK=20"},
     16, NU_BY_CORES, 20, "SLURM_CPUS_PER_TASK"},
    {"all, the quota least", "400000 100000", {"SLURM_JOB_ID=7", "SLURM_CPUS_PER_TASK=6", "OMP_NUM_THREADS=5"},
     4, NU_BY_QUOTA, 4, NU_BY_QUOTA},
    {"all, Slurm least", "800000 100000", {"SLURM_JOB_ID=7", "SLURM_CPUS_PER_TASK=6", "OMP_NUM_THREADS=7"},
     6, "SLURM_CPUS_PER_TASK", 6, "SLURM_CPUS_PER_TASK"},
    {"all, OpenMP least", "800000 100000", {"SLURM_JOB_ID=7", "SLURM_CPUS_PER_TASK=6", "OMP_NUM_THREADS=5"},
     5, NU_BY_OMP, 5, NU_BY_OMP},
};

static void assert_limit(const limit *l, const nu_machine *m, size_t threads, const char *by) {
  ck_assert_msg(m->threads_limit == threads && strcmp(m->limited_by, by) == 0, "%s: %zu threads by %s, expected %zu by %s",
                l->what, m->threads_limit, m->limited_by, threads, by);
}

START_TEST(least_limit_is_remembered) {
  const limit *l = &limits[_i];
  char root[FAKE_ROOT];
  fake_root_make(root);
  fake_root_write(root, "proc/self/cgroup", "0::/job\n");
  if (l->cpu_max != NULL) fake_root_write(root, "sys/fs/cgroup/job/cpu.max", l->cpu_max);
  fake_launch(l->variables, COUNT(l->variables));
  nu_machine m = detect("core:16 pu:2", root);
  fake_root_remove(root);
  assert_limit(l, &m, l->threads, l->by);
  nu_machine_use_siblings(&m);
  assert_limit(l, &m, l->with_siblings, l->by_then);
  nu_machine_clear(&m);
}
END_TEST

/* ---- descriptions that are none */

static const struct {
  const char *topology, *part; /* of the message */
} refused[] = {
    {"tests/topologies/nowhere.xml", "No such file"},
    {"core", "hwloc understands"},
    {"core:0", "hwloc understands"},
    {"core:2 core:2 pu:x", "hwloc understands"},
    {"core:9999 pu:1", "more than"},
    {"[numa] core:2", "hwloc understands"},
    {"node:x", "hwloc understands"},
    {"", "hwloc understands"},
};

START_TEST(wrong_description_makes_no_machine) {
  nu_machine_source source = {.topology = refused[_i].topology};
  nu_machine m;
  numann_error err = {0};
  ck_assert_int_eq(nu_machine_detect_from(&m, &source, &err), NUMANN_ERR_CONFIG);
  ck_assert_msg(strstr(err.message, refused[_i].part) != NULL, "%s: %s", refused[_i].topology, err.message);
  ck_assert_ptr_null(m.processors);
}
END_TEST

/* ---- damaged files */

typedef struct text {
  char bytes[16384];
  size_t n;
} text;

static void read_machine(text *t, const char *name) {
  char path[1024];
  const char *folder = getenv("srcdir");
  snprintf(path, sizeof path, "%s/tests/topologies/%s.xml", folder != NULL ? folder : ".", name);
  FILE *file = fopen(path, "r");
  ck_assert_ptr_nonnull(file);
  t->n = fread(t->bytes, 1, sizeof t->bytes - 1, file);
  fclose(file);
  ck_assert(t->n > 0 && t->n < sizeof t->bytes - 1);
  t->bytes[t->n] = '\0';
}

static void assert_refused(const text *t, const char *what) {
  char root[FAKE_ROOT], path[FAKE_ROOT + 32];
  nu_machine m;
  numann_error err = {0};
  fake_root_make(root);
  fake_root_write(root, "machine.xml", t->bytes);
  snprintf(path, sizeof path, "%s/machine.xml", root);
  nu_machine_source source = {.topology = path};
  numann_status status = nu_machine_detect_from(&m, &source, &err);
  fake_root_remove(root);
  ck_assert_msg(status == NUMANN_ERR_CONFIG, "%s: accepted", what);
  ck_assert_ptr_null(m.processors);
}

START_TEST(cut_file_makes_no_machine) {
  text t;
  char what[32];
  read_machine(&t, "cpuset");
  for (size_t n = t.n - 16; n > 0; n -= n < 317 ? n : 317) {
    t.bytes[n] = '\0';
    snprintf(what, sizeof what, "cut at %zu", n);
    assert_refused(&t, what);
  }
}
END_TEST

/* hwloc loads these: two objects with one number. */
START_TEST(file_with_a_number_twice_makes_no_machine) {
  static const char *const marks[] = {"type=\"PU\" os_index=\"1", "type=\"NUMANode\" os_index=\"1"};
  text t;
  read_machine(&t, "cpuset");
  char *mark = strstr(t.bytes, marks[_i]);
  ck_assert_ptr_nonnull(mark);
  mark[strlen(marks[_i]) - 1] = '0';
  assert_refused(&t, marks[_i]);
}
END_TEST

/* ---- suites */

static TCase *add_case(Suite *suite, const char *name) {
  TCase *tests = tcase_create(name);
  tcase_set_timeout(tests, 120);
  suite_add_tcase(suite, tests);
  return tests;
}

static Suite *topology_suite(void) {
  Suite *suite = suite_create("topology");
  TCase *model = add_case(suite, "model");
  tcase_add_loop_test(model, machine_is_as_it_was_built, 0, COUNT(builds));
  tcase_add_loop_test(model, nodes_share_the_cores, 0, COUNT(builds));
  tcase_add_loop_test(model, siblings_may_be_slots, 0, COUNT(builds));
  tcase_add_test(model, siblings_are_found_by_core_not_by_number);
  tcase_add_test(model, caches_have_their_sizes);
  tcase_add_loop_test(model, wrong_description_makes_no_machine, 0, COUNT(refused));
  tcase_add_test(model, cut_file_makes_no_machine);
  tcase_add_loop_test(model, file_with_a_number_twice_makes_no_machine, 0, 2);
  TCase *use = add_case(suite, "use");
  tcase_add_test(use, mask_is_of_this_machine_only);
  tcase_add_test(use, mask_restricts_this_machine);
  tcase_add_loop_test(use, forbidden_nodes_are_served_by_others, 0, COUNT(node_lists));
  tcase_add_loop_test(use, least_limit_is_remembered, 0, COUNT(limits));
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(topology_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
