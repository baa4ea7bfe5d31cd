/* What is around this process: launchers, variables, neighbours. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "machine/launch.h"
#include "machine/limits.h"

#define PATH_SIZE 512
#define TEXT_SIZE 4096

static size_t count_of(const char *text) {
  uint64_t count = 0;
  if (!text) return 0;
  size_t n = strspn(text, "0123456789");
  return nu_parse_count(text, n, &count) && count <= SIZE_MAX ? (size_t)count : 0;
}

/* ---- launchers */

/* The item of a node in Slurm's lists: "2(x3),1" is 2 for nodes 0 to 2 and 1 for node 3. */
static size_t slurm_item(const char *list, size_t node) {
  while (list && *list != '\0') {
    size_t item = strcspn(list, ",");
    const char *times = memchr(list, 'x', item);
    size_t nodes = times ? count_of(times + 1) : 1;
    if (node < nodes) return count_of(list);
    node -= nodes;
    list += item + (list[item] == ',');
  }
  return 0;
}

static size_t slurm_here(const char *name) {
  return slurm_item(getenv(name), count_of(getenv("SLURM_NODEID")));
}

/* Open MPI, then MPICH and its kin; srun last, as mpirun may itself have been started by it. */
static const nu_launcher launchers[] = {
    {"OMPI_COMM_WORLD_LOCAL_SIZE", "mpirun --map-by slot:PE=", " --bind-to core", true},
    {"MPI_LOCALNRANKS", "mpiexec -bind-to core:", "", false},
    {"SLURM_STEP_TASKS_PER_NODE", "srun --cpus-per-task=", " --cpu-bind=cores", false},
};

static void read_launcher(nu_launch *launch) {
  for (size_t i = 0; i < sizeof launchers / sizeof launchers[0]; i++) {
    bool slurm = i + 1 == sizeof launchers / sizeof launchers[0];
    const char *text = getenv(launchers[i].variable);
    size_t ranks = slurm ? slurm_here(launchers[i].variable) : count_of(text);
    if (ranks == 0) continue;
    launch->launcher = &launchers[i];
    launch->local_ranks = ranks;
    return;
  }
}

bool nu_launch_line(size_t cores, char line[NU_LAUNCH_LINE]) {
  nu_launch launch = {0};
  read_launcher(&launch);
  if (!launch.launcher) return false;
  snprintf(line, NU_LAUNCH_LINE, "%s%zu%s numann ...", launch.launcher->start, cores,
           launch.launcher->end);
  return true;
}

/* Inside a step SLURM_CPUS_ON_NODE is the step's, SLURM_JOB_CPUS_PER_NODE still the job's. Both are
 * one process's only where the node has one task. */
static void read_slurm(nu_launch *launch, const char *root) {
  nu_limits limits = nu_limits_read(root);
  launch->slurm_cpus = limits.slurm;
  launch->slurm_name = limits.slurm_name;
  if (limits.slurm == 0 || strcmp(limits.slurm_name, "SLURM_CPUS_ON_NODE") != 0) return;
  size_t job = slurm_here("SLURM_JOB_CPUS_PER_NODE");
  if (job <= limits.slurm) return;
  launch->slurm_cpus = job;
  launch->slurm_name = "SLURM_JOB_CPUS_PER_NODE";
}

/* ---- neighbours */

/* What is read of /proc/PID: the ends of names and numbers that a process may have given itself. */
static bool read_proc(const char *root, const char *name, char text[TEXT_SIZE]) {
  char path[PATH_SIZE];
  int length = snprintf(path, sizeof path, "%s/proc/%s", root, name);
  return length > 0 && (size_t)length < sizeof path && nu_file_peek(path, text, TEXT_SIZE);
}

typedef struct process {
  char state;
  long parent;
  uint64_t ticks; /* of CPU time */
  size_t threads;
} process;

/* Field `wanted` of /proc/PID/stat from the state on, which is field 3. */
static const char *stat_field(const char *text, int wanted) {
  for (int field = 3; field < wanted && text; field++) {
    text = strchr(text, ' ');
    if (text) text++;
  }
  return text;
}

static bool read_process(const char *root, long pid, process *p) {
  char name[32], text[TEXT_SIZE];
  snprintf(name, sizeof name, "%ld/stat", pid);
  if (!read_proc(root, name, text)) return false;
  const char *state = strrchr(text, ')'); /* the command before it may hold anything */
  if (!state || state[1] == '\0' || state[2] == '\0') return false;
  state += 2;
  *p = (process){.state = *state,
                 .parent = (long)count_of(stat_field(state, 4)),
                 .ticks = count_of(stat_field(state, 14)) + count_of(stat_field(state, 15)),
                 .threads = count_of(stat_field(state, 20))};
  return true;
}

/* A command that starts another may have its name. */
static bool is_ancestor(const char *root, long pid) {
  process p = {.parent = 0};
  long at = (long)getpid();
  for (int depth = 0; depth < 64 && at > 1 && at != pid; depth++)
    at = read_process(root, at, &p) ? p.parent : 0;
  return at == pid;
}

/* A look (numann topo) and what waits to be continued disturb nobody. */
static bool is_at_work(const char *root, long pid, const process *p) {
  long second = sysconf(_SC_CLK_TCK);
  return strchr("RSD", p->state) && second > 0 && p->ticks >= (uint64_t)second &&
         !is_ancestor(root, pid);
}

/* Is processor `os` in a list such as "0-3,8"? */
static bool is_listed(const char *list, unsigned os) {
  while (isdigit((unsigned char)*list)) {
    char *end = NULL;
    unsigned long first = strtoul(list, &end, 10), last = first;
    if (*end == '-') last = strtoul(end + 1, &end, 10);
    if (first <= os && os <= last) return true;
    list = *end == ',' ? end + 1 : end;
  }
  return false;
}

/* The processors that a thread may run on, as the kernel lists them. False: no more threads. */
typedef bool mask_fn(const char *list, void *arg);

/* More threads than these are not looked at. */
enum { MOST_TASKS = 1024 };

static void for_each_mask(const char *root, long pid, mask_fn *fn, void *arg) {
  static const char name[] = "\nCpus_allowed_list:";
  char path[PATH_SIZE], text[TEXT_SIZE];
  snprintf(path, sizeof path, "%s/proc/%ld/task", root, pid);
  DIR *folder = opendir(path);
  struct dirent *entry;
  if (!folder) return;
  for (size_t tasks = 0; tasks < MOST_TASKS && (entry = readdir(folder)); tasks++) {
    if (!isdigit((unsigned char)entry->d_name[0]) || strlen(entry->d_name) > 20) continue;
    snprintf(path, sizeof path, "%ld/task/%.20s/status", pid, entry->d_name);
    const char *value = read_proc(root, path, text) ? strstr(text, name) : NULL;
    if (!value) continue;
    value += sizeof name - 1;
    if (!fn(value + strspn(value, " \t"), arg)) break;
  }
  closedir(folder);
}

typedef struct shared_job {
  const nu_machine *machine;
  bool *marks; /* [processing_units]: processors of ours in the masks so far */
  size_t n;    /* of them */
} shared_job;

static bool mark_mask(const char *list, void *arg) {
  shared_job *job = arg;
  for (size_t i = 0; i < job->machine->processing_units; i++) {
    if (job->marks[i] || !is_listed(list, job->machine->processors[i].os)) continue;
    job->marks[i] = true;
    job->n++;
  }
  return job->n < job->machine->processing_units;
}

/* A process that binds its threads has its own mask no more: the threads' masks together are it. */
static size_t count_shared(const nu_machine *machine, const char *root, long pid) {
  shared_job job = {machine, nu_alloc(machine->processing_units, sizeof *job.marks), 0};
  if (job.marks) for_each_mask(root, pid, mark_mask, &job);
  free(job.marks);
  return job.n;
}

static bool is_numann(const char *root, const char *pid) {
  char name[64], text[TEXT_SIZE];
  snprintf(name, sizeof name, "%.20s/comm", pid);
  return read_proc(root, name, text) && strcmp(text, "numann\n") == 0;
}

/* The ranks of a launch have one parent on a host, if no script runs them. They start together:
 * none has computed for long when another looks. */
static bool is_rank_of(const process *self, const process *p) {
  return self->parent > 0 && p->parent == self->parent;
}

static void look_at(nu_launch *launch, const nu_machine *machine, const char *root,
                    const process *self, long pid) {
  process p;
  if (!read_process(root, pid, &p)) return;
  bool rank = launch->local_ranks > 1 && is_rank_of(self, &p);
  bool neighbour = !rank && launch->neighbour == 0 && is_at_work(root, pid, &p);
  size_t shared = rank || neighbour ? count_shared(machine, root, pid) : 0;
  if (shared == 0) return;
  launch->sharing_ranks += rank;
  if (!neighbour) return;
  launch->neighbour = pid;
  launch->neighbour_threads = p.threads;
  launch->neighbour_shares = shared;
}

/* On a host with very many processes the search is given up: it must not cost what it is to save.
 * So many are looked at in any case, in about 2 ms. */
static const double PATIENCE = 0.005;
enum { LEAST_PROCESSES = 256 };

/* Another numann. False: no more of them. */
typedef bool process_fn(long pid, void *arg);

static void for_each_numann(const char *root, process_fn *fn, void *arg) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s/proc", root);
  DIR *folder = opendir(path);
  if (!folder) return;
  double end = nu_clock_seconds() + PATIENCE;
  struct dirent *entry;
  for (size_t seen = 0; (entry = readdir(folder)); seen++) {
    if (seen > LEAST_PROCESSES && nu_clock_seconds() > end) break;
    if (!isdigit((unsigned char)entry->d_name[0]) || !is_numann(root, entry->d_name)) continue;
    long pid = strtol(entry->d_name, NULL, 10);
    if (pid != (long)getpid() && !fn(pid, arg)) break;
  }
  closedir(folder);
}

typedef struct neighbour_job {
  nu_launch *launch;
  const nu_machine *machine;
  const char *root;
  process self;
} neighbour_job;

static bool look_for_neighbour(long pid, void *arg) {
  neighbour_job *job = arg;
  look_at(job->launch, job->machine, job->root, &job->self, pid);
  return job->launch->neighbour == 0 || job->launch->local_ranks > 1;
}

static void find_neighbours(nu_launch *launch, const nu_machine *machine, const char *root) {
  neighbour_job job = {launch, machine, root, {.parent = 0}};
  read_process(root, (long)getpid(), &job.self);
  for_each_numann(root, look_for_neighbour, &job);
}

/* ---- nodes that others use */

typedef struct bound_job {
  nu_machine *machine;
  const char *root;
} bound_job;

static bool count_mask(const char *list, void *arg) {
  nu_machine *machine = ((bound_job *)arg)->machine;
  size_t node = machine->n_nodes;
  for (size_t i = 0; i < machine->processing_units; i++) {
    const nu_processor *p = &machine->processors[i];
    if (!is_listed(list, p->os)) continue;
    if (node < machine->n_nodes && node != p->node) return true;
    node = p->node;
  }
  if (node < machine->n_nodes) machine->nodes[node].busy++;
  return true;
}

/* What waits to be continued computes nothing. */
static bool count_process(long pid, void *arg) {
  bound_job *job = arg;
  process p;
  if (read_process(job->root, pid, &p) && strchr("RSD", p.state))
    for_each_mask(job->root, pid, count_mask, job);
  return true;
}

void nu_launch_count_bound(nu_machine *machine, const char *root) {
  bound_job job = {machine, root};
  for_each_numann(root, count_process, &job);
}

/* ---- the whole */

nu_launch nu_launch_read(const nu_machine *machine, const char *root) {
  nu_launch launch = {.omp_places = getenv("OMP_PLACES"), .omp_bind = getenv("OMP_PROC_BIND")};
  read_slurm(&launch, root);
  read_launcher(&launch);
  find_neighbours(&launch, machine, root);
  return launch;
}
