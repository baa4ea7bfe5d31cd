/* CPU quota and memory limit of the cgroup, OpenMP's limits and Slurm.
 * SPDX-License-Identifier: MIT */
#include "machine/limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "machine/team.h"

#define FOLDER_SIZE 4096
#define FILE_SIZE 16384

/* Version 1 says "no limit" with the largest page multiple of a long; no machine has 2^60 bytes. */
#define NO_MEMORY_LIMIT (UINT64_C(1) << 60)

/* Where a controller's tree is mounted, as systemd, Docker, Slurm and Kubernetes do it. */
static const struct mount {
  const char *controller; /* as in /proc/self/cgroup; "" is version 2 */
  const char *folder;
} mounts[] = {
    {"", "sys/fs/cgroup"},
    {"", "sys/fs/cgroup/unified"},
    {"cpu", "sys/fs/cgroup/cpu"},
    {"cpu", "sys/fs/cgroup/cpu,cpuacct"},
    {"cpu", "sys/fs/cgroup/cpuacct,cpu"},
    {"memory", "sys/fs/cgroup/memory"},
};

static bool read_text(const char *folder, const char *name, char text[FILE_SIZE]) {
  char path[FOLDER_SIZE + 64];
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  if (length < 0 || (size_t)length >= sizeof path) return false;
  return nu_file_peek(path, text, FILE_SIZE);
}

/* The count at *cursor, which moves behind it and a blank. "max" and "-1" are no counts. */
static bool next_count(const char **cursor, uint64_t *count) {
  size_t n = strcspn(*cursor, " \n");
  if (!nu_parse_count(*cursor, n, count)) return false;
  *cursor += n + ((*cursor)[n] != '\0');
  return true;
}

static bool read_count(const char *folder, const char *name, uint64_t *count) {
  char text[FILE_SIZE];
  const char *cursor = text;
  return read_text(folder, name, text) && next_count(&cursor, count);
}

static bool read_quota_v2(const char *folder, uint64_t *quota, uint64_t *period) {
  char text[FILE_SIZE];
  const char *cursor = text;
  return read_text(folder, "cpu.max", text) && next_count(&cursor, quota) &&
         next_count(&cursor, period);
}

static bool read_quota_v1(const char *folder, uint64_t *quota, uint64_t *period) {
  return read_count(folder, "cpu.cfs_quota_us", quota) &&
         read_count(folder, "cpu.cfs_period_us", period);
}

static void apply_quota(nu_limits *limits, const char *folder) {
  uint64_t quota = 0, period = 0;
  if (!read_quota_v2(folder, &quota, &period) && !read_quota_v1(folder, &quota, &period)) return;
  if (quota == 0 || period == 0) return;
  double cores = (double)quota / (double)period;
  if (limits->quota == 0 || cores < limits->quota) limits->quota = cores;
}

static void apply_memory(nu_limits *limits, const char *folder) {
  uint64_t bytes = 0;
  if (!read_count(folder, "memory.max", &bytes) &&
      !read_count(folder, "memory.limit_in_bytes", &bytes))
    return;
  if (bytes == 0 || bytes >= NO_MEMORY_LIMIT) return;
  if (limits->memory == 0 || bytes < limits->memory) limits->memory = (size_t)bytes;
}

/* A group's limits hold for all groups below it: visit `path` and everything above. Where a
 * container shows its host's path under its own mount, the missing folders are passed over. */
static void walk_up(nu_limits *limits, const char *mount, const char *path) {
  char folder[FOLDER_SIZE];
  size_t floor = strlen(mount);
  int length = snprintf(folder, sizeof folder, "%s%s", mount, path);
  if (length < 0 || (size_t)length >= sizeof folder) return;
  if (strstr(path, "..")) folder[floor] = '\0';
  for (;;) {
    apply_quota(limits, folder);
    apply_memory(limits, folder);
    char *slash = strrchr(folder + floor, '/');
    if (!slash) return;
    *slash = '\0';
  }
}

/* Is `name` an item of the comma-separated list[0..n)? The empty list has the one item "". */
static bool is_listed(const char *list, size_t n, const char *name) {
  size_t length = strlen(name);
  for (size_t at = 0; at <= n;) {
    const char *comma = memchr(list + at, ',', n - at);
    size_t item = (comma ? (size_t)(comma - list) : n) - at;
    if (item == length && memcmp(list + at, name, length) == 0) return true;
    at += item + 1;
  }
  return false;
}

/* One line of /proc/self/cgroup: "4:cpu,cpuacct:/job/7" or, version 2, "0::/job/7". */
static void apply_line(nu_limits *limits, const char *root, const char *line) {
  const char *controllers = strchr(line, ':');
  const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!path) return;
  controllers++;
  for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
    if (!is_listed(controllers, (size_t)(path - controllers), mounts[i].controller)) continue;
    char mount[FOLDER_SIZE];
    int length = snprintf(mount, sizeof mount, "%s/%s", root, mounts[i].folder);
    if (length > 0 && (size_t)length < sizeof mount) walk_up(limits, mount, path + 1);
  }
}

static void read_cgroups(nu_limits *limits, const char *root) {
  char text[FILE_SIZE], folder[FOLDER_SIZE];
  int length = snprintf(folder, sizeof folder, "%s/proc/self", root);
  if (length < 0 || (size_t)length >= sizeof folder || !read_text(folder, "cgroup", text)) return;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    apply_line(limits, root, line);
}

/* The count that an environment variable begins with, up to one of `ends`; 0 where there is none.
 */
static size_t read_variable(const char *name, const char *ends) {
  const char *text = getenv(name);
  if (!text) return 0;
  text += strspn(text, " \t");
  uint64_t count = 0;
  if (!nu_parse_count(text, strcspn(text, ends), &count) || count > SIZE_MAX) return 0;
  return (size_t)count;
}

/* ---- Slurm */

/* The step's tasks a node, else the job's: "1", or "1(x4)"; a list of several is "2,1" or
 * "2(x3),1". */
static bool has_one_task_a_node(void) {
  static const char *const names[] = {"SLURM_STEP_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE",
                                      "SLURM_TASKS_PER_NODE", "SLURM_NTASKS"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const char *text = getenv(names[i]);
    if (text) return !strchr(text, ',') && read_variable(names[i], "(") == 1;
  }
  return true;
}

static void read_slurm(nu_limits *limits) {
  if (!getenv("SLURM_JOB_ID")) return;
  limits->slurm_name = "SLURM_CPUS_PER_TASK";
  limits->slurm = read_variable(limits->slurm_name, " ");
  if (limits->slurm > 0) return;
  limits->slurm_name = "SLURM_CPUS_ON_NODE";
  if (has_one_task_a_node()) limits->slurm = read_variable(limits->slurm_name, " ");
  if (limits->slurm == 0) limits->slurm_name = NULL;
}

/* ---- reading */

/* OMP_NUM_THREADS may be a list, one number a nesting level: "4,2". The other limit is asked for,
 * not read: a runtime ignores what it cannot read, and has further names for it. */
nu_limits nu_limits_read(const char *root) {
  nu_limits limits = {0};
  if (!root) return limits;
  limits.omp = read_variable("OMP_NUM_THREADS", ", \t");
  limits.omp_most = nu_team_limit();
  read_slurm(&limits);
  read_cgroups(&limits, root);
  return limits;
}

bool nu_limits_nodes(const char *root, char list[NU_NODE_LIST]) {
  static const char name[] = "\nMems_allowed_list:";
  char text[FILE_SIZE], folder[FOLDER_SIZE];
  int length = snprintf(folder, sizeof folder, "%s/proc/self", root);
  if (length < 0 || (size_t)length >= sizeof folder || !read_text(folder, "status", text))
    return false;
  const char *value = strstr(text, name);
  if (!value) return false;
  value += sizeof name - 1;
  value += strspn(value, " \t");
  length = snprintf(list, NU_NODE_LIST, "%.*s", (int)strcspn(value, "\n"), value);
  return length > 0 && length < NU_NODE_LIST;
}

/* ---- the thread limit */

static size_t ceil_quota(double quota) {
  if (!(quota < 1e9)) return SIZE_MAX;
  size_t whole = (size_t)quota;
  return whole + (quota > (double)whole);
}

static void limit_threads(nu_machine *machine, size_t limit, const char *name) {
  if (limit == 0 || limit >= machine->threads_limit) return;
  machine->threads_limit = limit;
  snprintf(machine->limited_by, sizeof machine->limited_by, "%s", name);
}

static void set_slots(nu_machine *machine, size_t slots, const char *name) {
  machine->slots = slots;
  machine->threads_limit = SIZE_MAX;
  limit_threads(machine, slots, name);
  limit_threads(machine, ceil_quota(machine->quota), NU_BY_QUOTA);
  limit_threads(machine, machine->slurm_limit, machine->slurm_name);
  limit_threads(machine, machine->omp_limit, NU_BY_OMP);
  limit_threads(machine, machine->omp_most, NU_BY_OMP_MOST);
}

void nu_limits_apply(nu_machine *machine, const char *root) {
  nu_limits limits = nu_limits_read(root);
  machine->quota = limits.quota;
  machine->memory_limit = limits.memory;
  machine->omp_limit = limits.omp;
  machine->omp_most = limits.omp_most;
  machine->slurm_limit = limits.slurm;
  machine->slurm_name = limits.slurm_name;
  set_slots(machine, machine->cores, NU_BY_CORES);
}

size_t nu_limits_threads(size_t processors, const char *root) {
  nu_machine machine = {.cores = processors};
  nu_limits_apply(&machine, root);
  return machine.threads_limit;
}

void nu_machine_use_siblings(nu_machine *machine) {
  set_slots(machine, machine->processing_units, NU_BY_SIBLINGS);
}
