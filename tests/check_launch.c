/* The diagnosis of a launch line: made-up surroundings, one message with the line to use, or none.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_root.h"
#include "machine/launch.h"
#include "machine/limits.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))
#define MOST 512

/* ---- surroundings */

/* A process with `units` hardware threads, `smt` a core, of a host with `host` cores. */
typedef struct mask {
  size_t host, units, smt;
} mask;

static nu_machine machine_of(mask m, nu_processor processors[MOST]) {
  nu_machine machine = {.processors = processors, .n_nodes = 1, .host_cores = m.host, .all_cores = m.host,
                        .cores = m.units / m.smt, .processing_units = m.units, .numa_nodes = 1};
  ck_assert_uint_le(m.units, MOST);
  for (size_t i = 0; i < m.units; i++)
    processors[i] = (nu_processor){.os = (unsigned)i, .core = (unsigned)(i / m.smt), .sibling = (unsigned)(i % m.smt)};
  return machine;
}

typedef struct scene {
  const char *what;
  mask mask;
  size_t ordered;           /* threads, 0: auto */
  const char *cpu_max;      /* of the cgroup; NULL: none */
  const char *variables[7]; /* "NAME=VALUE" */
  const fake_file *neighbour;
  const char *parts[4];     /* of the message; none: nothing is to be said */
} scene;

/* Process 77 is another numann: CPU time in hundredths of a second, then its threads in the 20th field. */
#define STAT(state, ticks) "77 (numann) " state " 70 77 77 0 -1 0 0 0 0 0 " ticks " 0 0 0 20 0 4 0 1 1\n"
#define TASK(list) "Name:\tnumann\nCpus_allowed_list:\t" list "\nMems_allowed_list:\t0\n"
#define NEIGHBOUR(name, state, ticks, one, two)                                                        \
  static const fake_file name[] = {{"proc/77/comm", "numann\n"}, {"proc/77/stat", STAT(state, ticks)}, \
                                   {"proc/77/task/77/status", TASK(one)}, {"proc/77/task/78/status", TASK(two)}, \
                                   {NULL, NULL}}

NEIGHBOUR(busy, "R", "900000", "0-7", "0-7");
NEIGHBOUR(bound_elsewhere, "R", "900000", "8", "9-15");
NEIGHBOUR(bound_to_two, "S", "900000", "0", "2");
NEIGHBOUR(bound_to_both, "R", "1", "0-3", "6");
NEIGHBOUR(stopped_on_one, "T", "900000", "0", "1");
NEIGHBOUR(just_started, "R", "1", "0-7", "0-7");
NEIGHBOUR(stopped, "T", "900000", "0-7", "0-7");
/* Process 78 of another parent. */
static const fake_file not_of_the_launch[] = {{"proc/78/comm", "numann\n"}, {"proc/78/stat", "78 (numann) R 71 78\n"},
                                              {"proc/78/task/78/status", TASK("0-7")}, {NULL, NULL}};
static const fake_file other_program[] = {{"proc/77/comm", "emacs\n"}, {"proc/77/stat", STAT("R", "900000")},
                                          {"proc/77/task/77/status", TASK("0-7")}, {NULL, NULL}};

static const fake_file other_program_on_one[] = {{"proc/77/comm", "emacs\n"}, {"proc/77/stat", STAT("R", "900000")},
                                                 {"proc/77/task/77/status", TASK("0-3")}, {NULL, NULL}};

static const char *const job = "SLURM_JOB_ID=7";

/* ---- what must be said */

static const scene scenes[] = {
    /* all is right */
    {"alone on all cores", {8, 8, 1}, 0, NULL, {NULL}, NULL, {NULL}},
    {"as many threads as cores", {8, 8, 1}, 8, NULL, {NULL}, NULL, {NULL}},
    {"taskset to one core, auto", {8, 1, 1}, 0, NULL, {NULL}, NULL, {NULL}},
    {"taskset to one core, one thread", {8, 1, 1}, 1, NULL, {"OMP_NUM_THREADS=8"}, NULL, {NULL}},
    {"a machine of one core", {1, 1, 1}, 0, NULL, {"OMP_NUM_THREADS=8"}, NULL, {NULL}},
    {"more threads than cores", {8, 8, 1}, 64, NULL, {NULL}, NULL, {NULL}}, /* the plan says it */
    {"a quota that auto keeps", {8, 8, 1}, 0, "150000 100000", {NULL}, NULL, {NULL}},
    {"a quota above the order", {8, 8, 1}, 2, "150000 100000", {NULL}, NULL, {NULL}},

    /* threads on one core */
    {"OpenMP on one core", {8, 1, 1}, 0, NULL, {"OMP_NUM_THREADS=8"}, NULL,
     {"OMP_NUM_THREADS asks for 8 threads", "the affinity mask", "1 of 8 cores",
      "use: numann ... without the mask (of taskset, or of a launcher), or with a mask of 8 cores"}},
    {"ordered on one core", {8, 2, 2}, 4, NULL, {NULL}, NULL,
     {"the order asks for 4 threads", "1 of 8 cores", "a mask of 4 cores"}},
    {"more than the machine has", {4, 1, 1}, 64, NULL, {NULL}, NULL, {"64 threads", "a mask of 4 cores"}},
    {"places of one core", {8, 1, 1}, 4, NULL, {"OMP_PLACES={0}"}, NULL,
     {"OMP_PLACES leaves this process 1 of 8", "use: OMP_PLACES=cores numann"}},

    /* threads on one place */
    {"the primary thread's place", {8, 8, 1}, 0, NULL, {"OMP_PROC_BIND=primary"}, NULL,
     {"OMP_PROC_BIND=primary puts all 8 threads on one core", "use: OMP_PROC_BIND=close numann"}},
    {"by its old name, in a list", {8, 8, 1}, 4, NULL, {"OMP_PROC_BIND= Master,close", "OMP_PLACES=cores"}, NULL,
     {"puts all 4 threads"}},
    {"one hardware thread", {4, 8, 2}, 0, NULL, {"OMP_PROC_BIND=MASTER", "OMP_PLACES=threads(8)"}, NULL, {"all 4 thr"}},
    {"one thread there", {8, 8, 1}, 1, NULL, {"OMP_PROC_BIND=master"}, NULL, {NULL}},
    {"a place of many cores", {8, 8, 1}, 0, NULL, {"OMP_PROC_BIND=master", "OMP_PLACES=sockets"}, NULL, {NULL}},
    {"bound one a core", {8, 8, 1}, 0, NULL, {"OMP_PROC_BIND=close"}, NULL, {NULL}},
    {"spread, and inside of that master", {8, 8, 1}, 0, NULL, {"OMP_PROC_BIND=spread,master"}, NULL, {NULL}},

    /* ranks */
    {"Open MPI binds to one core", {8, 1, 1}, 0, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=2"}, NULL,
     {"the launcher has bound", "one of 2", "1 of 8 cores", "use: mpirun --map-by slot:PE=4 --bind-to core numann"}},
    {"Open MPI, as many ranks as cores", {8, 1, 1}, 0, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=8"}, NULL, {NULL}},
    {"Open MPI, one thread ordered", {8, 1, 1}, 1, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=2"}, NULL, {NULL}},
    {"MPICH binds nothing", {8, 8, 1}, 0, NULL, {"MPI_LOCALNRANKS=2"}, NULL,
     {"each of 2 processes", "may run 8 threads on the same 8 cores", "use: mpiexec -bind-to core:4 numann"}},
    {"Slurm's step binds nothing", {8, 8, 1}, 0, NULL, {job, "SLURM_STEP_TASKS_PER_NODE=4"}, NULL,
     {"each of 4 processes", "use: srun --cpus-per-task=2 --cpu-bind=cores numann"}},
    {"the second node's ranks", {8, 8, 1}, 0, NULL, {job, "SLURM_STEP_TASKS_PER_NODE=1(x2),2", "SLURM_NODEID=2"}, NULL,
     {"each of 2 processes"}},
    {"a rank alone on its node", {8, 8, 1}, 0, NULL, {job, "SLURM_STEP_TASKS_PER_NODE=1(x2),2", "SLURM_NODEID=1"}, NULL,
     {NULL}},
    {"ranks that share", {8, 8, 1}, 4, NULL, {"MPI_LOCALNRANKS=2"}, NULL, {NULL}},
    {"ranks that OpenMP limits", {8, 8, 1}, 0, NULL, {"MPI_LOCALNRANKS=2", "OMP_NUM_THREADS=4"}, NULL, {NULL}},
    {"bound ranks", {8, 4, 1}, 0, NULL, {"MPI_LOCALNRANKS=2"}, NULL, {NULL}},
    {"in one mask", {8, 4, 1}, 0, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=2"}, just_started,
     {"each of 2 processes", "may run 4 threads on the same 4 cores", "slot:PE=2 --bind-to core numann"}},
    {"in one mask that has room", {8, 4, 1}, 2, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=2"}, just_started, {NULL}},
    {"in masks of their own", {8, 4, 1}, 0, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=2"}, bound_elsewhere, {NULL}},
    {"alone, beside a start", {8, 4, 1}, 0, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=1"}, just_started, {NULL}},
    {"bound, beside the start of another launch", {8, 4, 1}, 0, NULL, {"OMPI_COMM_WORLD_LOCAL_SIZE=2"},
     not_of_the_launch, {NULL}},
    {"more ranks than cores", {2, 2, 1}, 0, NULL, {"MPI_LOCALNRANKS=4"}, NULL, {"use: mpiexec -bind-to core:1 numann"}},

    /* Slurm 22.05 */
    {"the step has one CPU", {8, 1, 1}, 0, NULL, {job, "SLURM_CPUS_PER_TASK=8"}, NULL,
     {"SLURM_CPUS_PER_TASK promises 8 CPUs, this process may use 1", "since Slurm 22.05, or taskset leaves no more",
      "srun --cpus-per-task=8 numann ... without taskset", "SRUN_CPUS_PER_TASK=8"}},
    {"the node's CPUs", {8, 1, 1}, 0, NULL, {job, "SLURM_CPUS_ON_NODE=1", "SLURM_JOB_CPUS_PER_NODE=6(x2)"}, NULL,
     {"SLURM_JOB_CPUS_PER_NODE promises 6 CPUs", "srun --cpus-per-task=6 numann"}},
    {"all is given", {8, 8, 1}, 0, NULL, {job, "SLURM_CPUS_PER_TASK=8"}, NULL, {NULL}},
    {"hardware threads are CPUs", {4, 8, 2}, 0, NULL, {job, "SLURM_CPUS_PER_TASK=8"}, NULL, {NULL}},
    {"no job", {8, 1, 1}, 0, NULL, {"SLURM_CPUS_PER_TASK=8"}, NULL, {NULL}},
    {"the order fits", {8, 1, 1}, 1, NULL, {job, "SLURM_CPUS_PER_TASK=8"}, NULL, {NULL}},
    {"several tasks share the node's CPUs", {8, 4, 1}, 0, NULL,
     {job, "SLURM_CPUS_ON_NODE=8", "SLURM_TASKS_PER_NODE=2", "SLURM_JOB_CPUS_PER_NODE=8"}, NULL, {NULL}},

    /* a quota */
    {"ordered above the quota", {8, 8, 1}, 8, "150000 100000", {NULL}, NULL,
     {"8 threads are ordered", "pays for 1.5 cores", "use: numann ... --threads 2"}},

    /* a neighbour */
    {"two on the same cores", {8, 8, 1}, 0, NULL, {NULL}, busy,
     {"process 77 is a numann with 4 threads", "4 may run on the 8 cores",
      "use: taskset -c 0-3 numann ... for one, taskset -c 4-7 numann"}},
    {"on the same one core", {8, 1, 1}, 0, NULL, {NULL}, busy, {"process 77", "of which 1 may", "one after the other"}},
    {"halves keep siblings together", {3, 6, 2}, 0, NULL, {NULL}, busy, {"taskset -c 0-1 numann", "taskset -c 2-5 numann"}},
    {"bound to two of ours", {8, 8, 1}, 0, NULL, {NULL}, bound_to_two, {"of which 2 may run"}},
    {"there is room for both", {8, 8, 1}, 4, NULL, {NULL}, busy, {NULL}},
    {"room beside two bound threads", {8, 8, 1}, 6, NULL, {NULL}, bound_to_two, {NULL}},
    {"on other cores", {8, 8, 1}, 0, NULL, {NULL}, bound_elsewhere, {NULL}},
    {"it has not computed yet", {8, 8, 1}, 0, NULL, {NULL}, just_started, {NULL}},
    {"it is stopped", {8, 8, 1}, 0, NULL, {NULL}, stopped, {NULL}},
    {"another program", {8, 8, 1}, 0, NULL, {NULL}, other_program, {NULL}},

    /* the worst first */
    {"Slurm's trap before the neighbour", {8, 1, 1}, 0, NULL, {job, "SLURM_CPUS_PER_TASK=8"}, busy,
     {"SLURM_CPUS_PER_TASK promises"}},
    {"a neighbour before the quota", {8, 8, 1}, 8, "150000 100000", {NULL}, busy, {"process 77"}},
};

/* ---- the tests */

/* This process as a child of 70. */
static void write_self(const char *root) {
  char name[64], text[64];
  snprintf(name, sizeof name, "proc/%ld/stat", (long)getpid());
  snprintf(text, sizeof text, "%ld (numann) R 70 77\n", (long)getpid());
  fake_root_write(root, name, text);
}

static bool diagnose(const scene *s, char message[NU_LAUNCH_MESSAGE]) {
  char root[FAKE_ROOT];
  nu_processor processors[MOST];
  nu_machine machine = machine_of(s->mask, processors);
  fake_root_make(root);
  fake_root_write(root, "proc/self/cgroup", "0::/job\n");
  write_self(root);
  if (s->cpu_max != NULL) fake_root_write(root, "sys/fs/cgroup/job/cpu.max", s->cpu_max);
  if (s->neighbour != NULL) fake_root_write_all(root, s->neighbour, 8);
  fake_launch(s->variables, COUNT(s->variables));
  nu_limits_apply(&machine, root);
  nu_launch launch = nu_launch_read(&machine, root);
  fake_root_remove(root);
  return nu_launch_check(&machine, (nu_launch_threads){.ordered = s->ordered}, &launch, message) != NU_LAUNCH_NOTHING;
}

START_TEST(launch_is_diagnosed) {
  const scene *s = &scenes[_i];
  char message[NU_LAUNCH_MESSAGE];
  bool said = diagnose(s, message);
  ck_assert_msg(said == (s->parts[0] != NULL), "%s: '%s'", s->what, message);
  ck_assert_msg(said == (message[0] != '\0'), "%s: '%s'", s->what, message);
  for (int i = 0; i < COUNT(s->parts) && s->parts[i] != NULL; i++)
    ck_assert_msg(strstr(message, s->parts[i]) != NULL, "%s: '%s' lacks '%s'", s->what, message, s->parts[i]);
}
END_TEST

/* One line, begun by what it is about, which ends with the line to use, uncut. */
START_TEST(message_is_one_sentence) {
  const scene *s = &scenes[_i];
  char message[NU_LAUNCH_MESSAGE];
  if (!diagnose(s, message)) return;
  ck_assert_msg(strncmp(message, "launch: ", 8) == 0, "%s", message);
  ck_assert_msg(strstr(message, "; use: ") != NULL, "%s", message);
  ck_assert_msg(strchr(message, '\n') == NULL, "%s", message);
  ck_assert_uint_lt(strlen(message), NU_LAUNCH_MESSAGE - 1);
}
END_TEST

/* With siblings used, an order is more than the mask holds only above its hardware threads. */
START_TEST(siblings_are_slots_where_wanted) {
  nu_processor processors[MOST];
  char message[NU_LAUNCH_MESSAGE];
  nu_machine machine = machine_of((mask){4, 8, 2}, processors);
  nu_launch launch = {.neighbour = 77, .neighbour_threads = 4, .neighbour_shares = 8};
  fake_launch(NULL, 0);
  nu_limits_apply(&machine, NULL);
  nu_launch_threads four = {.ordered = 4};
  ck_assert_int_eq(nu_launch_check(&machine, four, &launch, message), NU_LAUNCH_OTHER);
  nu_machine_use_siblings(&machine);
  ck_assert_msg(nu_launch_check(&machine, four, &launch, message) == NU_LAUNCH_NOTHING, "%s", message);
}
END_TEST

/* A half of the cores in the words of taskset, however the system numbers its processors. */
static unsigned far_siblings(size_t i) { return (unsigned)(i / 2 + i % 2 * 64); }
static unsigned near_siblings(size_t i) { return (unsigned)i; }
static unsigned sockets_in_turn(size_t i) { return (unsigned)(i % 32 * 2 + i / 32); }
static unsigned from_eight(size_t i) { return (unsigned)(8 + i); }
static unsigned from_five_backwards(size_t i) { return (unsigned)(8 - i); }
static unsigned pairs(size_t i) { return (unsigned)(i / 2 * 10 + i % 2); }
static unsigned squares(size_t i) { return (unsigned)(i * i); }

START_TEST(halves_are_named) {
  static const struct {
    unsigned (*number)(size_t);
    size_t units, smt;
    const char *use;
  } rows[] = {
      {far_siblings, 128, 2, "use: taskset -c 0-31,64-95 numann ... for one, taskset -c 32-63,96-127 numann ... for"},
      {near_siblings, 256, 2, "use: taskset -c 0-127 numann ... for one, taskset -c 128-255 numann ... for the"},
      {sockets_in_turn, 64, 1, "use: taskset -c 0-62:2 numann ... for one, taskset -c 1-63:2 numann ... for the"},
      {from_eight, 8, 1, "use: taskset -c 8-11 numann ... for one, taskset -c 12-15 numann ... for the other"},
      {from_five_backwards, 4, 1, "use: taskset -c 7-8 numann ... for one, taskset -c 5-6 numann ... for the other"},
      {pairs, 8, 1, "use: taskset -c 0-1,10-11 numann ... for one, taskset -c 20-21,30-31 numann ... for the other"},
      {squares, 6, 1, "use: taskset -c 0-1,4 numann ... for one, taskset -c 9,16,25 numann ... for the other"},
      {squares, 512, 1, "use: taskset -c with one half of the cores for one, with the other half for the other"},
  };
  char message[NU_LAUNCH_MESSAGE];
  nu_processor processors[MOST];
  nu_machine machine = machine_of((mask){512, rows[_i].units, rows[_i].smt}, processors);
  nu_launch launch = {.neighbour = 77, .neighbour_threads = 4, .neighbour_shares = 4};
  for (size_t i = 0; i < rows[_i].units; i++) processors[i].os = rows[_i].number(i);
  fake_launch(NULL, 0);
  nu_limits_apply(&machine, NULL);
  ck_assert_int_eq(nu_launch_check(&machine, (nu_launch_threads){0}, &launch, message), NU_LAUNCH_OTHER);
  ck_assert_msg(strstr(message, rows[_i].use) != NULL, "'%s' lacks '%s'", message, rows[_i].use);
}
END_TEST

START_TEST(own_binding_overrules) {
  nu_processor processors[MOST];
  char message[NU_LAUNCH_MESSAGE];
  nu_machine machine = machine_of((mask){8, 8, 1}, processors);
  nu_launch launch = {.omp_bind = "master"};
  fake_launch(NULL, 0);
  nu_limits_apply(&machine, NULL);
  nu_launch_threads threads = {.running = 2};
  ck_assert_int_eq(nu_launch_check(&machine, threads, &launch, message), NU_LAUNCH_CROWDED);
  threads.bound = true;
  ck_assert_int_eq(nu_launch_check(&machine, threads, &launch, message), NU_LAUNCH_NOTHING);
}
END_TEST

/* The ranks of one job are told of by all of them: not by one, and not as neighbours. */
START_TEST(job_tells_of_its_ranks) {
  static const fake_file rank[] = {{"proc/77/comm", "numann\n"}, {"proc/77/stat", STAT("R", "900000")},
                                   {"proc/77/task/77/status", TASK("0-7")}, {NULL, NULL}};
  static const char *const variables[] = {"MPI_LOCALNRANKS=2"};
  char root[FAKE_ROOT], message[NU_LAUNCH_MESSAGE];
  nu_processor processors[MOST];
  nu_machine machine = machine_of((mask){8, 8, 1}, processors);
  fake_root_make(root);
  write_self(root);
  fake_root_write_all(root, rank, 8);
  fake_launch(variables, COUNT(variables));
  nu_limits_apply(&machine, NULL);
  nu_launch launch = nu_launch_read(&machine, root);
  fake_root_remove(root);
  ck_assert_uint_eq(launch.sharing_ranks, 1);
  ck_assert_int_eq(launch.neighbour, 0);
  ck_assert_int_eq(nu_launch_check(&machine, (nu_launch_threads){0}, &launch, message), NU_LAUNCH_CROWDED);
  launch.joined = true;
  ck_assert_int_eq(nu_launch_check(&machine, (nu_launch_threads){0}, &launch, message), NU_LAUNCH_NOTHING);
}
END_TEST

/* Each thread of a neighbour on its own core, more of them than most machines have. */
START_TEST(wide_neighbour_is_seen_whole) {
  enum { THREADS = 130 };
  char root[FAKE_ROOT], name[64], text[128];
  nu_processor processors[MOST];
  nu_machine machine = machine_of((mask){THREADS + 8, THREADS + 8, 1}, processors);
  fake_launch(NULL, 0);
  fake_root_make(root);
  fake_root_write(root, "proc/77/comm", "numann\n");
  fake_root_write(root, "proc/77/stat", STAT("R", "900000"));
  for (int i = 0; i < THREADS; i++) {
    snprintf(name, sizeof name, "proc/77/task/%d/status", 77 + i);
    snprintf(text, sizeof text, TASK("%d"), i);
    fake_root_write(root, name, text);
  }
  nu_launch launch = nu_launch_read(&machine, root);
  fake_root_remove(root);
  ck_assert_int_eq(launch.neighbour, 77);
  ck_assert_uint_eq(launch.neighbour_shares, THREADS);
}
END_TEST

/* Threads that may run on one node alone are bound to it: by numann, or by a mask. */
START_TEST(bound_threads_are_counted_by_node) {
  static const struct {
    const fake_file *files;
    size_t busy[2];
  } rows[] = {{busy, {0, 0}}, {bound_elsewhere, {0, 0}}, {bound_to_two, {2, 0}}, {just_started, {0, 0}},
              {bound_to_both, {1, 1}}, {stopped_on_one, {0, 0}}, {other_program_on_one, {0, 0}}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char root[FAKE_ROOT];
    nu_processor processors[MOST];
    nu_numa_node nodes[2] = {{.cores = 4}, {.cores = 4}};
    nu_machine machine = machine_of((mask){8, 8, 1}, processors);
    for (size_t p = 4; p < 8; p++) processors[p].node = 1;
    machine.nodes = nodes;
    machine.n_nodes = machine.numa_nodes = 2;
    fake_root_make(root);
    fake_root_write_all(root, rows[i].files, 8);
    nu_launch_count_bound(&machine, root);
    fake_root_remove(root);
    ck_assert_msg(nodes[0].busy == rows[i].busy[0] && nodes[1].busy == rows[i].busy[1], "row %zu: %zu and %zu", i,
                  nodes[0].busy, nodes[1].busy);
  }
}
END_TEST

/* A plan of few threads leaves room beside a neighbour or another rank, though more might run. */
START_TEST(planned_threads_count) {
  static const struct {
    const char *variable;
    nu_launch launch;
    nu_launch_threads threads;
    nu_launch_finding finding;
  } rows[] = {
      {NULL, {.neighbour = 77, .neighbour_threads = 4, .neighbour_shares = 8}, {0, 0, false}, NU_LAUNCH_OTHER},
      {NULL, {.neighbour = 77, .neighbour_threads = 4, .neighbour_shares = 8}, {0, 5, false}, NU_LAUNCH_OTHER},
      {NULL, {.neighbour = 77, .neighbour_threads = 4, .neighbour_shares = 8}, {0, 4, false}, NU_LAUNCH_NOTHING},
      {NULL, {.neighbour = 77, .neighbour_threads = 4, .neighbour_shares = 8}, {2, 5, false}, NU_LAUNCH_OTHER},
      {"MPI_LOCALNRANKS=2", {.neighbour = 0}, {0, 0, false}, NU_LAUNCH_CROWDED},
      {"MPI_LOCALNRANKS=2", {.neighbour = 0}, {0, 5, false}, NU_LAUNCH_CROWDED},
      {"MPI_LOCALNRANKS=2", {.neighbour = 0}, {0, 4, false}, NU_LAUNCH_NOTHING},
  };
  char message[NU_LAUNCH_MESSAGE];
  nu_processor processors[MOST];
  nu_machine machine = machine_of((mask){8, 8, 1}, processors);
  for (int i = 0; i < COUNT(rows); i++) {
    fake_launch(&rows[i].variable, 1);
    nu_limits_apply(&machine, NULL);
    nu_launch around = nu_launch_read(&machine, "/nowhere"), launch = rows[i].launch;
    launch.launcher = around.launcher;
    launch.local_ranks = around.local_ranks;
    nu_launch_finding finding = nu_launch_check(&machine, rows[i].threads, &launch, message);
    ck_assert_msg(finding == rows[i].finding, "row %d: %d '%s'", i, (int)finding, message);
  }
}
END_TEST

/* The parent of this process, and the parent's parent, may be called numann: they started it, and wait. */
START_TEST(ancestors_are_no_neighbours) {
  char root[FAKE_ROOT], name[64], text[128];
  nu_processor processors[MOST];
  nu_machine machine = machine_of((mask){8, 8, 1}, processors);
  fake_launch(NULL, 0);
  fake_root_make(root);
  fake_root_write_all(root, busy, 8);
  nu_launch launch = nu_launch_read(&machine, root);
  ck_assert_int_eq(launch.neighbour, 77);
  ck_assert_uint_eq(launch.neighbour_threads, 4);
  ck_assert_uint_eq(launch.neighbour_shares, 8);
  snprintf(name, sizeof name, "proc/%ld/stat", (long)getpid());
  snprintf(text, sizeof text, "%ld (a (b) c) S 76 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0\n", (long)getpid());
  fake_root_write(root, name, text);
  fake_root_write(root, "proc/76/stat", "76 (sh) S 77 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0\n");
  launch = nu_launch_read(&machine, root);
  fake_root_remove(root);
  ck_assert_int_eq(launch.neighbour, 0);
}
END_TEST

START_TEST(process_is_diagnosed_only_as_itself) {
  nu_processor processors[MOST];
  char message[NU_LAUNCH_MESSAGE];
  nu_machine machine = machine_of((mask){8, 1, 1}, processors);
  nu_launch_threads any = {0};
  fake_launch(NULL, 0);
  setenv("SLURM_JOB_ID", "7", 1);
  setenv("SLURM_CPUS_PER_TASK", "8", 1);
  nu_limits_apply(&machine, NULL);
  unsetenv("NUMANN_DIAGNOSIS");
  ck_assert_int_eq(nu_launch_diagnose(&machine, any, message), NU_LAUNCH_CROWDED);
  setenv("NUMANN_DIAGNOSIS", "on", 1);
  ck_assert_int_eq(nu_launch_diagnose(&machine, any, message), NU_LAUNCH_CROWDED);
  setenv("NUMANN_DIAGNOSIS", "off", 1);
  ck_assert(nu_launch_diagnose(&machine, any, message) == NU_LAUNCH_NOTHING);
  ck_assert_str_eq(message, "");
  unsetenv("NUMANN_DIAGNOSIS");
  machine.foreign = true;
  ck_assert(nu_launch_diagnose(&machine, any, message) == NU_LAUNCH_NOTHING);
}
END_TEST

/* ---- suites */

static Suite *launch_suite(void) {
  Suite *suite = suite_create("launch");
  TCase *tests = tcase_create("diagnosis");
  tcase_set_timeout(tests, 120);
  suite_add_tcase(suite, tests);
  tcase_add_loop_test(tests, launch_is_diagnosed, 0, COUNT(scenes));
  tcase_add_loop_test(tests, message_is_one_sentence, 0, COUNT(scenes));
  tcase_add_test(tests, siblings_are_slots_where_wanted);
  tcase_add_loop_test(tests, halves_are_named, 0, 8);
  tcase_add_test(tests, own_binding_overrules);
  tcase_add_test(tests, job_tells_of_its_ranks);
  tcase_add_test(tests, wide_neighbour_is_seen_whole);
  tcase_add_test(tests, bound_threads_are_counted_by_node);
  tcase_add_test(tests, planned_threads_count);
  tcase_add_test(tests, ancestors_are_no_neighbours);
  tcase_add_test(tests, process_is_diagnosed_only_as_itself);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(launch_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
