/* SPDX-License-Identifier: MIT */
#include "cli/hosts.h"

#include <string.h>

void nu_hosts_gather(nu_comm *comm, const nu_host *own, nu_host *hosts) {
  nu_comm_gather(comm, own, hosts, sizeof *own);
}

static bool are_alike(const nu_host *a, const nu_host *b) {
  return strcmp(a->name, b->name) == 0 && strcmp(a->isa, b->isa) == 0 && a->cores == b->cores &&
         a->threads == b->threads;
}

static void add_line(const nu_host *host, size_t first, size_t last, nu_text *lines) {
  nu_text_addf(lines, "rank%s %zu", last > first ? "s" : "", first);
  if (last > first) nu_text_addf(lines, " to %zu", last);
  nu_text_add(lines, " on ");
  nu_text_add_shown(lines, host->name);
  nu_text_addf(lines, ": %u thread%s%s, %u core%s, %s\n", host->threads,
               host->threads == 1 ? "" : "s", last > first ? " each" : "", host->cores,
               host->cores == 1 ? "" : "s", host->isa);
}

/* Of all ranks on the host of rank r; 0 where an earlier rank has counted them. */
static size_t threads_on_host(const nu_host *hosts, size_t ranks, size_t r) {
  size_t threads = 0;
  for (size_t i = 0; i < ranks; i++) {
    if (strcmp(hosts[i].name, hosts[r].name) != 0) continue;
    if (i < r) return 0;
    threads += hosts[i].threads;
  }
  return threads;
}

static void doubt_threads(const nu_host *hosts, size_t ranks, nu_text *doubts) {
  for (size_t r = 0; r < ranks; r++) {
    size_t threads = threads_on_host(hosts, ranks, r);
    if (threads <= hosts[r].cores) continue;
    nu_text_addf(doubts, "%zu threads of the ranks on ", threads);
    nu_text_add_shown(doubts, hosts[r].name);
    nu_text_addf(doubts,
                 ", which has %u core%s: they take turns; start fewer ranks there, or give each "
                 "fewer --threads\n",
                 hosts[r].cores, hosts[r].cores == 1 ? "" : "s");
  }
}

/* The first rank that differs from rank 0 stands for all. */
static void doubt_hosts(const nu_host *hosts, size_t ranks, nu_text *doubts) {
  for (size_t r = 1; r < ranks; r++) {
    bool isa = strcmp(hosts[r].isa, hosts[0].isa) != 0;
    if (!isa && hosts[r].cores == hosts[0].cores && hosts[r].threads == hosts[0].threads) continue;
    nu_text_addf(doubts, "rank %zu on ", r);
    nu_text_add_shown(doubts, hosts[r].name);
    nu_text_addf(doubts,
                 " has %u threads on %u cores with %s, rank 0 %u on %u with %s: a step takes as "
                 "long as on the slowest; the weights are the same\n",
                 hosts[r].threads, hosts[r].cores, hosts[r].isa, hosts[0].threads, hosts[0].cores,
                 hosts[0].isa);
    return;
  }
}

void nu_hosts_describe(const nu_host *hosts, size_t ranks, nu_text *lines, nu_text *doubts) {
  for (size_t first = 0, next; first < ranks; first = next) {
    for (next = first + 1; next < ranks && are_alike(&hosts[first], &hosts[next]);) next++;
    add_line(&hosts[first], first, next - 1, lines);
  }
  doubt_hosts(hosts, ranks, doubts);
  doubt_threads(hosts, ranks, doubts);
}
