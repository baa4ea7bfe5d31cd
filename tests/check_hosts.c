/* The hosts of a job: made-up ranks, the lines and the doubts that rank 0 tells of them, and both as JSON.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/hosts.h"
#include "meeting.h"

enum { MOST = 8 };
#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

/* A rank of t threads on cores of the set s, `of` cores of which the mask has `mine`. */
#define RANK(host, set, t, mine, of) \
  {.name = host, .isa = "avx2", .core_set = set, .threads = t, .cores = mine, .host_cores = of}
#define OTHER_ISA(host, t, of) {.name = host, .isa = "base", .core_set = 1, .threads = t, .cores = of, .host_cores = of}

static const char *const open_mpi = "OMPI_COMM_WORLD_LOCAL_SIZE=2";
static const char *const mpich = "MPI_LOCALNRANKS=2";

typedef struct scene {
  const char *what, *launcher; /* its variable; NULL: none */
  size_t ranks;
  nu_host hosts[MOST];
  const char *lines, *doubts;
} scene;

static const scene scenes[] = {
    {"a rank a host", NULL, 2, {RANK("a", 1, 4, 4, 4), RANK("b", 1, 4, 4, 4)},
     "rank 0 on a: 4 threads, 4 cores, avx2\nrank 1 on b: 4 threads, 4 cores, avx2\n", ""},
    {"hosts in turn are a line each", NULL, 5,
     {RANK("a", 1, 1, 1, 4), RANK("b", 1, 1, 1, 4), RANK("a", 2, 1, 1, 4), RANK("b", 2, 1, 1, 4), RANK("a", 3, 1, 1, 4)},
     "ranks 0, 2, 4 on a: 1 thread each, 1 of 4 cores, avx2\nranks 1, 3 on b: 1 thread each, 1 of 4 cores, avx2\n", ""},
    {"runs of ranks", NULL, 7,
     {RANK("a", 1, 1, 9, 9), RANK("a", 1, 1, 9, 9), RANK("a", 1, 1, 9, 9), RANK("b", 1, 1, 9, 9), RANK("a", 1, 1, 9, 9),
      RANK("b", 1, 1, 9, 9), RANK("b", 1, 1, 9, 9)},
     "ranks 0 to 2, 4 on a: 1 thread each, 9 cores, avx2\nranks 3, 5, 6 on b: 1 thread each, 9 cores, avx2\n", ""},
    {"one host, other threads", NULL, 2, {RANK("a", 1, 1, 4, 4), RANK("a", 1, 2, 4, 4)},
     "rank 0 on a: 1 thread, 4 cores, avx2\nrank 1 on a: 2 threads, 4 cores, avx2\n",
     "rank 1 on a has 2 threads on 4 cores with avx2, rank 0 1 on 4 with avx2: a step takes as long as on the slowest; "
     "the weights are the same\n"},
    {"another instruction set", NULL, 2, {RANK("a", 1, 4, 4, 4), OTHER_ISA("b", 4, 4)},
     "rank 0 on a: 4 threads, 4 cores, avx2\nrank 1 on b: 4 threads, 4 cores, base\n",
     "rank 1 on b has 4 threads on 4 cores with base, rank 0 4 on 4 with avx2: a step takes as long as on the slowest; "
     "the weights are the same\n"},

    /* one core set */
    {"bound to one set", open_mpi, 2, {RANK("a", 7, 2, 2, 8), RANK("a", 7, 2, 2, 8)},
     "ranks 0, 1 on a: 2 threads each, 2 of 8 cores, avx2\n",
     "2 ranks on a, of which rank 0 is the first, are bound to the same 2 of its 8 cores, with 4 threads: they take "
     "turns there; use: mpirun --map-by slot:PE=4 --bind-to core numann ...\n"},
    {"of the second host", mpich, 4,
     {RANK("a", 1, 1, 1, 8), RANK("a", 2, 1, 1, 8), RANK("b", 3, 1, 1, 8), RANK("b", 3, 1, 1, 8)},
     "ranks 0, 1 on a: 1 thread each, 1 of 8 cores, avx2\nranks 2, 3 on b: 1 thread each, 1 of 8 cores, avx2\n",
     "2 ranks on b, of which rank 2 is the first, are bound to the same 1 of its 8 cores, with 2 threads: they take "
     "turns there; use: mpiexec -bind-to core:4 numann ...\n"},
    {"no launcher to name", NULL, 2, {RANK("a", 7, 2, 2, 8), RANK("a", 7, 2, 2, 8)},
     "ranks 0, 1 on a: 2 threads each, 2 of 8 cores, avx2\n",
     "2 ranks on a, of which rank 0 is the first, are bound to the same 2 of its 8 cores, with 4 threads: they take "
     "turns there; bind each rank to cores of its own\n"},
    {"a set that has room", open_mpi, 2, {RANK("a", 7, 1, 2, 8), RANK("a", 7, 1, 2, 8)},
     "ranks 0, 1 on a: 1 thread each, 2 of 8 cores, avx2\n", ""},
    {"sets of their own", open_mpi, 2, {RANK("a", 7, 4, 4, 8), RANK("a", 8, 4, 4, 8)},
     "ranks 0, 1 on a: 4 threads each, 4 of 8 cores, avx2\n", ""},
    {"the same numbers on two hosts", open_mpi, 2, {RANK("a", 7, 4, 4, 8), RANK("b", 7, 4, 4, 8)},
     "rank 0 on a: 4 threads, 4 of 8 cores, avx2\nrank 1 on b: 4 threads, 4 of 8 cores, avx2\n", ""},

    /* more threads than cores */
    {"bound to none", mpich, 2, {RANK("a", 1, 8, 8, 8), RANK("a", 1, 8, 8, 8)},
     "ranks 0, 1 on a: 8 threads each, 8 cores, avx2\n",
     "16 threads of the ranks on a, which has 8 cores: they take turns; use: mpiexec -bind-to core:4 numann ...\n"},
    {"more ranks than cores", mpich, 3, {RANK("a", 1, 1, 2, 2), RANK("a", 1, 1, 2, 2), RANK("a", 1, 1, 2, 2)},
     "ranks 0 to 2 on a: 1 thread each, 2 cores, avx2\n",
     "3 threads of the ranks on a, which has 2 cores: they take turns; start fewer ranks there, or give each fewer "
     "--threads\n"},
    {"each on its half", mpich, 2, {RANK("a", 1, 8, 4, 8), RANK("a", 2, 8, 4, 8)},
     "ranks 0, 1 on a: 8 threads each, 4 of 8 cores, avx2\n",
     "16 threads of the ranks on a, which has 8 cores: they take turns; start fewer ranks there, or give each fewer "
     "--threads\n"},
    {"the first host stands for all", NULL, 2, {RANK("a", 1, 8, 4, 4), RANK("b", 1, 8, 4, 4)},
     "rank 0 on a: 8 threads, 4 cores, avx2\nrank 1 on b: 8 threads, 4 cores, avx2\n",
     "8 threads of the ranks on a, which has 4 cores: they take turns; start fewer ranks there, or give each fewer "
     "--threads\n"},
    {"a name that forges a line", NULL, 2, {RANK("a\nrank 9", 1, 1, 1, 1), RANK("b", 1, 1, 1, 1)},
     "rank 0 on a\\x0arank 9: 1 thread, 1 core, avx2\nrank 1 on b: 1 thread, 1 core, avx2\n", ""},
};

static void set_launcher(const scene *s) {
  char name[64];
  unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  unsetenv("MPI_LOCALNRANKS");
  unsetenv("SLURM_STEP_TASKS_PER_NODE");
  if (!s->launcher) return;
  size_t n = strcspn(s->launcher, "=");
  memcpy(name, s->launcher, n);
  name[n] = '\0';
  setenv(name, s->launcher + n + 1, 1);
}

START_TEST(hosts_are_described) {
  const scene *s = &scenes[_i];
  nu_text lines = {0}, doubts = {0};
  set_launcher(s);
  nu_hosts_describe(s->hosts, s->ranks, "", &lines, &doubts);
  ck_assert_msg(strcmp(nu_text_view(&lines), s->lines) == 0, "%s: %s", s->what, nu_text_view(&lines));
  ck_assert_msg(strcmp(nu_text_view(&doubts), s->doubts) == 0, "%s: %s", s->what, nu_text_view(&doubts));
  nu_text_clear(&lines);
  nu_text_clear(&doubts);
}
END_TEST

/* What each of three ranks sees: two have the same cores, by other hardware threads. */
static nu_processor seen[3][3] = {{{.core = 3}, {.core = 3, .sibling = 1}, {.core = 4}}, {{.core = 3}, {.core = 4}},
                                  {{.core = 3}, {.core = 5}}};
typedef struct gathering {
  bool foreign;
  nu_host *hosts[3];
} gathering;

static void gather(nu_comm *comm, void *arg) {
  gathering *g = arg;
  nu_machine machine = {.processors = seen[comm->rank], .processing_units = comm->rank ? 2 : 3, .cores = 2,
                        .host_cores = 8, .foreign = g->foreign};
  numann_error err;
  ck_assert_int_eq(nu_hosts_gather(&g->hosts[comm->rank], comm, &machine, comm->rank + 1, &err), NUMANN_OK);
}

START_TEST(hosts_are_gathered) {
  gathering g = {.foreign = false};
  meet(3, gather, &g);
  for (size_t r = 0; r < 3; r++) {
    const nu_host *hosts = g.hosts[r];
    ck_assert_ptr_nonnull(hosts);
    for (size_t i = 0; i < 3; i++) ck_assert_uint_eq(hosts[i].threads, i + 1);
    ck_assert_str_eq(hosts[0].name, hosts[2].name);
    ck_assert(hosts[0].core_set == hosts[1].core_set && hosts[0].core_set != hosts[2].core_set);
    ck_assert(hosts[2].cores == 2 && hosts[2].host_cores == 8);
  }
  for (size_t r = 0; r < 3; r++) free(g.hosts[r]);
}
END_TEST

START_TEST(nothing_is_told_of_one_rank_or_another_machine) {
  gathering g = {.foreign = true};
  meet(3, gather, &g);
  for (size_t r = 0; r < 3; r++) ck_assert_ptr_null(g.hosts[r]);
  g.foreign = false;
  gather(nu_comm_alone(), &g);
  ck_assert_ptr_null(g.hosts[0]);
}
END_TEST

START_TEST(hosts_are_json) {
  static const nu_host hosts[] = {RANK("a", 7, 2, 2, 8), RANK("b", 7, 2, 2, 8), RANK("a", 7, 2, 2, 8)};
  nu_json json = {0}, none = {0};
  set_launcher(&(scene){.launcher = open_mpi});
  nu_json_open(&json, NULL, '{');
  nu_hosts_json(hosts, 3, &json);
  nu_json_close(&json, '}');
  const char *text = nu_text_view(&json.text);
  ck_assert_msg(strstr(text, "{\"name\": \"a\", \"isa\": \"avx2\", \"ranks\": [0, 2], \"threads\": 2, \"cores\": 2, "
                             "\"host_cores\": 8}, {\"name\": \"b\"") != NULL, "%s", text);
  ck_assert_msg(strstr(text, "\"doubts\": [\"2 ranks on a, ") != NULL, "%s", text);
  ck_assert_msg(strstr(text, "\"ranks\": 3}}") != NULL, "%s", text);
  nu_json_open(&none, NULL, '{');
  nu_hosts_json(NULL, 1, &none);
  nu_json_close(&none, '}');
  ck_assert_str_eq(nu_text_view(&none.text), "{\"job\": null}");
  nu_text_clear(&json.text);
  nu_text_clear(&none.text);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("hosts");
  TCase *tests = tcase_create("hosts");
  tcase_add_loop_test(tests, hosts_are_described, 0, COUNT(scenes));
  tcase_add_test(tests, hosts_are_gathered);
  tcase_add_test(tests, nothing_is_told_of_one_rank_or_another_machine);
  tcase_add_test(tests, hosts_are_json);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
