/* SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "cli/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/memory.h"
#include "kernels/kernels.h"
#include "machine/launch.h"

/* ---- what a rank says of itself */

/* Processors stand core by core. */
static uint64_t hash_of_cores(const nu_machine *machine) {
  uint64_t hash = NU_HASH_START;
  for (size_t i = 0; i < machine->processing_units; i++) {
    const nu_processor *p = &machine->processors[i];
    if (i == 0 || p->core != p[-1].core) hash = nu_hash_number(hash, p->core);
  }
  return hash;
}

static nu_host own_host(const nu_machine *machine, size_t threads) {
  nu_host own = {.core_set = hash_of_cores(machine),
                 .host_cores = (uint32_t)machine->host_cores,
                 .cores = (uint32_t)machine->cores,
                 .threads = (uint32_t)threads};
  const nu_kernels *kernels = nu_kernels_select();
  if (gethostname(own.name, sizeof own.name - 1) != 0) own.name[0] = '?';
  snprintf(own.isa, sizeof own.isa, "%s", kernels ? kernels->isa : "?");
  return own;
}

numann_status nu_hosts_gather(nu_host **hosts, nu_comm *comm, const nu_machine *machine,
                              size_t threads, numann_error *err) {
  *hosts = NULL;
  if (comm->size == 1) return NUMANN_OK;
  nu_host own = own_host(machine, threads), *all = nu_alloc(comm->size, sizeof *all);
  numann_status status =
      all ? NUMANN_OK : nu_fail_memory(err, comm->size * sizeof *all, "the list of hosts");
  status = nu_comm_agree(comm, status, err);
  if (status == NUMANN_OK) nu_comm_gather(comm, &own, all, sizeof *all);
  if (status == NUMANN_OK && !machine->foreign) *hosts = all;
  else free(all);
  return status;
}

/* ---- the ranks that are alike */

static bool are_alike(const nu_host *a, const nu_host *b) {
  return strcmp(a->name, b->name) == 0 && strcmp(a->isa, b->isa) == 0 &&
         a->host_cores == b->host_cores && a->cores == b->cores && a->threads == b->threads;
}

/* The first rank from `from` on that is like rank r; `ranks`: none is. */
static size_t next_alike(const nu_host *hosts, size_t ranks, size_t r, size_t from) {
  while (from < ranks && !are_alike(&hosts[r], &hosts[from])) from++;
  return from;
}

static bool is_first(const nu_host *hosts, size_t r) { return next_alike(hosts, r, r, 0) == r; }

/* "ranks 0 to 2, 6", of all that are like rank r. Returns how many. */
static size_t add_ranks(const nu_host *hosts, size_t ranks, size_t r, nu_text *lines) {
  size_t n = 0;
  nu_text list = {0};
  for (size_t first = r, end; first < ranks; first = next_alike(hosts, ranks, r, end)) {
    for (end = first + 1; next_alike(hosts, ranks, r, end) == end && end < ranks;) end++;
    nu_text_addf(&list, "%s%zu", n > 0 ? ", " : "", first);
    n += end - first;
    if (end - first > 1) nu_text_addf(&list, end - first > 2 ? " to %zu" : ", %zu", end - 1);
  }
  nu_text_addf(lines, "rank%s %s", n > 1 ? "s" : "", nu_text_view(&list));
  lines->failed |= list.failed;
  nu_text_clear(&list);
  return n;
}

static void add_line(const nu_host *hosts, size_t ranks, size_t r, nu_text *lines) {
  const nu_host *host = &hosts[r];
  size_t n = add_ranks(hosts, ranks, r, lines);
  nu_text_add(lines, " on ");
  nu_text_add_shown(lines, host->name);
  nu_text_addf(lines, ": %u thread%s%s, ", host->threads, host->threads == 1 ? "" : "s",
               n > 1 ? " each" : "");
  if (host->cores < host->host_cores) nu_text_addf(lines, "%u of ", host->cores);
  nu_text_addf(lines, "%u core%s, %s\n", host->host_cores, host->host_cores == 1 ? "" : "s",
               host->isa);
}

/* ---- what is slow */

/* The ranks on one host, or on one core set of it. */
typedef struct crowd {
  size_t ranks, threads;
} crowd;

static crowd crowd_of(const nu_host *hosts, size_t ranks, size_t r, bool of_cores) {
  crowd all = {0, 0};
  for (size_t i = 0; i < ranks; i++) {
    if (strcmp(hosts[i].name, hosts[r].name) != 0) continue;
    if (of_cores && hosts[i].core_set != hosts[r].core_set) continue;
    all.ranks++;
    all.threads += hosts[i].threads;
  }
  return all;
}

static crowd on_host(const nu_host *hosts, size_t ranks, size_t r) {
  return crowd_of(hosts, ranks, r, false);
}

static crowd on_cores(const nu_host *hosts, size_t ranks, size_t r) {
  return crowd_of(hosts, ranks, r, true);
}

/* Where ranks share cores and there are enough for each, the launcher can part them. */
static void add_remedy(const nu_host *host, crowd all, bool shared, const char *else_do,
                       nu_text *doubts) {
  char line[NU_LAUNCH_LINE];
  size_t cores = host->host_cores / all.ranks;
  if (shared && cores > 0 && nu_launch_line(cores, line)) nu_text_addf(doubts, "use: %s", line);
  else nu_text_add(doubts, else_do);
  nu_text_add(doubts, "\n");
}

/* The first host with more threads than cores stands for all. */
static bool doubt_threads(const nu_host *hosts, size_t ranks, nu_text *doubts) {
  for (size_t r = 0; r < ranks; r++) {
    const nu_host *host = &hosts[r];
    crowd all = on_host(hosts, ranks, r);
    if (all.threads <= host->host_cores) continue;
    nu_text_addf(doubts, "%zu threads of the ranks on ", all.threads);
    nu_text_add_shown(doubts, host->name);
    nu_text_addf(doubts, ", which has %u core%s: they take turns; ", host->host_cores,
                 host->host_cores == 1 ? "" : "s");
    add_remedy(host, all, on_cores(hosts, ranks, r).ranks > 1,
               "start fewer ranks there, or give each fewer --threads", doubts);
    return true;
  }
  return false;
}

/* So does the first core set that several ranks are bound to, while their host has other cores. */
static void doubt_cores(const nu_host *hosts, size_t ranks, nu_text *doubts) {
  for (size_t r = 0; r < ranks; r++) {
    const nu_host *host = &hosts[r];
    crowd all = on_cores(hosts, ranks, r);
    if (all.ranks < 2 || all.threads <= host->cores || host->cores == host->host_cores) continue;
    nu_text_addf(doubts, "%zu ranks on ", all.ranks);
    nu_text_add_shown(doubts, host->name);
    nu_text_addf(doubts,
                 ", of which rank %zu is the first, are bound to the same %u of its %u cores, with "
                 "%zu threads: they take turns there; ",
                 r, host->cores, host->host_cores, all.threads);
    add_remedy(host, on_host(hosts, ranks, r), true, "bind each rank to cores of its own", doubts);
    return;
  }
}

/* The first rank that differs from rank 0 stands for all. */
static void doubt_hosts(const nu_host *hosts, size_t ranks, nu_text *doubts) {
  for (size_t r = 1; r < ranks; r++) {
    bool isa = strcmp(hosts[r].isa, hosts[0].isa) != 0;
    if (!isa && hosts[r].host_cores == hosts[0].host_cores && hosts[r].threads == hosts[0].threads)
      continue;
    nu_text_addf(doubts, "rank %zu on ", r);
    nu_text_add_shown(doubts, hosts[r].name);
    nu_text_addf(doubts,
                 " has %u threads on %u cores with %s, rank 0 %u on %u with %s: a step takes as "
                 "long as on the slowest; the weights are the same\n",
                 hosts[r].threads, hosts[r].host_cores, hosts[r].isa, hosts[0].threads,
                 hosts[0].host_cores, hosts[0].isa);
    return;
  }
}

static void add_doubts(const nu_host *hosts, size_t ranks, nu_text *doubts) {
  doubt_hosts(hosts, ranks, doubts);
  if (!doubt_threads(hosts, ranks, doubts)) doubt_cores(hosts, ranks, doubts);
}

/* ---- as text and as JSON */

void nu_hosts_describe(const nu_host *hosts, size_t ranks, const char *before, nu_text *lines,
                       nu_text *doubts) {
  for (size_t r = 0; r < ranks; r++) {
    if (!is_first(hosts, r)) continue;
    nu_text_add(lines, before);
    add_line(hosts, ranks, r, lines);
  }
  add_doubts(hosts, ranks, doubts);
}

void nu_hosts_draw(const nu_host *hosts, size_t ranks, nu_text *out, nu_text *doubts) {
  nu_text_addf(out, "\njob      %zu ranks (%s)\n", ranks, nu_comm_library());
  nu_hosts_describe(hosts, ranks, "         ", out, doubts);
}

static void write_group(const nu_host *hosts, size_t ranks, size_t r, nu_json *json) {
  const nu_host *host = &hosts[r];
  nu_json_open(json, NULL, '{');
  nu_json_string(json, "name", host->name);
  nu_json_string(json, "isa", host->isa);
  nu_json_open(json, "ranks", '[');
  for (size_t i = r; i < ranks; i = next_alike(hosts, ranks, r, i + 1))
    nu_json_count(json, NULL, i);
  nu_json_close(json, ']');
  nu_json_count(json, "threads", host->threads);
  nu_json_count(json, "cores", host->cores);
  nu_json_count(json, "host_cores", host->host_cores);
  nu_json_close(json, '}');
}

static void write_doubts(const nu_host *hosts, size_t ranks, nu_json *json) {
  nu_text doubts = {0};
  add_doubts(hosts, ranks, &doubts);
  json->text.failed |= doubts.failed;
  nu_json_open(json, "doubts", '[');
  const char *text = nu_text_view(&doubts), *line;
  for (int n = 0; (line = nu_text_line(&text, &n)) != NULL;) {
    char one[NU_LINE];
    snprintf(one, sizeof one, "%.*s", n, line);
    nu_json_string(json, NULL, one);
  }
  nu_json_close(json, ']');
  nu_text_clear(&doubts);
}

void nu_hosts_json(const nu_host *hosts, size_t ranks, nu_json *json) {
  if (!hosts) {
    nu_json_string(json, "job", NULL);
    return;
  }
  nu_json_open(json, "job", '{');
  nu_json_string(json, "library", nu_comm_library());
  nu_json_open(json, "hosts", '[');
  for (size_t r = 0; r < ranks; r++)
    if (is_first(hosts, r)) write_group(hosts, ranks, r, json);
  nu_json_close(json, ']');
  write_doubts(hosts, ranks, json);
  nu_json_count(json, "ranks", ranks);
  nu_json_close(json, '}');
}
