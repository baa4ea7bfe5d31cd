/* Crew. SPDX-License-Identifier: MIT */
#include "data/crew.h"

#include <stdatomic.h>

#include "machine/limits.h"

#define BYTES_A_THREAD 1048576 /* below, starting a thread takes longer than what it saves */

static size_t find_limit(const numann_config *config) {
  size_t limit = nu_limits_threads(nu_team_processors(), ""),
         wanted = nu_config_count(config, "parallel.threads");
  return wanted > 0 && wanted < limit ? wanted : limit;
}

size_t nu_crew_size(nu_crew *crew, uint64_t bytes) {
  uint64_t worth = bytes / BYTES_A_THREAD;
  if (worth < 2) return 1;
  if (crew->limit == 0) crew->limit = find_limit(crew->config);
  return worth < crew->limit ? (size_t)worth : crew->limit;
}

numann_status nu_crew_run(size_t threads, nu_team_fn *fn, void *arg, numann_error *err) {
  if (nu_team_run(threads, fn, arg, NULL) == NUMANN_OK) return NUMANN_OK;
  return nu_team_run(1, fn, arg, err);
}

typedef struct work {
  size_t n;
  nu_crew_fn *fn;
  void *arg;
  atomic_size_t next;
} work;

static void do_work(nu_team *team, size_t thread, void *arg) {
  (void)team;
  (void)thread;
  work *w = arg;
  for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < w->n;) w->fn(i, w->arg);
}

void nu_crew_each(size_t threads, size_t n, nu_crew_fn *fn, void *arg) {
  work w = {.n = n, .fn = fn, .arg = arg};
  nu_crew_run(threads < n || n == 0 ? threads : n, do_work, &w, NULL);
}
