/* CPU quota and memory limit of the cgroup, and OMP_NUM_THREADS. SPDX-License-Identifier: MIT */
#include "machine/limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

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
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  size_t n = fread(text, 1, FILE_SIZE - 1, file);
  fclose(file);
  text[n] = '\0';
  return n > 0;
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
  if (strstr(path, "..") != NULL) folder[floor] = '\0';
  for (;;) {
    apply_quota(limits, folder);
    apply_memory(limits, folder);
    char *slash = strrchr(folder + floor, '/');
    if (slash == NULL) return;
    *slash = '\0';
  }
}

/* Is `name` an item of the comma-separated list[0..n)? The empty list has the one item "". */
static bool is_listed(const char *list, size_t n, const char *name) {
  size_t length = strlen(name);
  for (size_t at = 0; at <= n;) {
    const char *comma = memchr(list + at, ',', n - at);
    size_t item = (comma != NULL ? (size_t)(comma - list) : n) - at;
    if (item == length && memcmp(list + at, name, length) == 0) return true;
    at += item + 1;
  }
  return false;
}

/* One line of /proc/self/cgroup: "4:cpu,cpuacct:/job/7" or, version 2, "0::/job/7". */
static void apply_line(nu_limits *limits, const char *root, const char *line) {
  const char *controllers = strchr(line, ':');
  const char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
  if (path == NULL) return;
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
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
    apply_line(limits, root, line);
}

/* OMP_NUM_THREADS may be a list, one number a nesting level: "4,2". */
static size_t read_omp_limit(void) {
  const char *text = getenv("OMP_NUM_THREADS");
  if (text == NULL) return 0;
  text += strspn(text, " \t");
  uint64_t threads = 0;
  if (!nu_parse_count(text, strcspn(text, ", \t"), &threads) || threads > SIZE_MAX) return 0;
  return (size_t)threads;
}

nu_limits nu_limits_read(const char *root) {
  nu_limits limits = {.omp = read_omp_limit()};
  if (root != NULL) read_cgroups(&limits, root);
  return limits;
}
