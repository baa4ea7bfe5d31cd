/* numann bench nodes: what the cores of each NUMA node get from the memory of each.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/least.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "machine/machine.h"
#include "machine/pages.h"
#include "machine/team.h"

typedef struct nodes {
  nu_machine machine;
  const nu_kernels *kernels;
  double seconds;         /* of a pair of nodes */
  unsigned *os;           /* [cores] processors of the node that is measured; owned */
  nu_cpus *cpus;          /* [cores] one processor each; owned */
  double *rates;          /* [cores] of the threads; owned */
  double *bytes_a_second; /* [numa_nodes][n_nodes]; owned */
  float *memory;          /* [threads][2][n] on one node, borrowed */
  size_t n;
  int refusal; /* errno of a binding or of a choice of node that the system refused */
} nodes;

static void measure_thread(nu_team *team, size_t thread, void *arg) {
  nodes *b = arg;
  float *left = b->memory + 2 * thread * b->n, *right = left + b->n;
  for (size_t i = 0; i < b->n; i++) left[i] = right[i] = 1.0f;
  double bytes = 0.0, passed;
  nu_team_barrier(team);
  double start = nu_clock_seconds();
  do {
    b->kernels->add(b->n, left, right);
    bytes += 3.0 * sizeof(float) * (double)b->n;
    passed = nu_clock_seconds() - start;
  } while (passed < b->seconds);
  b->rates[thread] = bytes / passed;
}

/* The first hardware thread of every core of the node. */
static size_t take_cores(nodes *b, size_t node) {
  size_t n = 0;
  for (size_t i = 0; i < b->machine.processing_units; i++) {
    const nu_processor *p = &b->machine.processors[i];
    if (p->node != node || p->sibling > 0) continue;
    b->os[n] = p->os;
    b->cpus[n] = (nu_cpus){&b->os[n], 1};
    n++;
  }
  return n;
}

/* Arrays larger than the caches, but within a quarter of a small node. */
static size_t floats_of_a_thread(const nodes *b, size_t threads, size_t to) {
  size_t least = 4u << 20, caches = 4 * b->machine.l3_bytes / sizeof(float) / threads;
  size_t n = nu_larger(caches, least),
         most = b->machine.nodes[to].bytes / 4 / (2 * threads * sizeof(float));
  return nu_round_up(most > 0 ? nu_smaller(n, most) : n, 1024);
}

static numann_status measure_pair(nodes *b, size_t from, size_t to, numann_error *err) {
  size_t threads = take_cores(b, from), bytes;
  b->n = floats_of_a_thread(b, threads, to);
  if (!nu_size_mul(2 * threads * b->n, sizeof(float), &bytes) ||
      !(b->memory = nu_pages_alloc(bytes)))
    return nu_fail_memory(err, 2 * threads * b->n * sizeof(float), "the arrays");
  nu_binding binding = {.cpus = b->cpus};
  int refusal = nu_pages_prefer(b->memory, bytes, b->machine.nodes[to].os, false);
  numann_status status = nu_team_run_bound(threads, threads, &binding, measure_thread, b, err);
  nu_pages_free(b->memory, bytes);
  if (!refusal) refusal = atomic_load(&binding.refusal);
  if (refusal) b->refusal = refusal;
  double *sum = &b->bytes_a_second[from * b->machine.n_nodes + to];
  for (size_t t = 0; t < threads && status == NUMANN_OK; t++) *sum += b->rates[t];
  return status;
}

static numann_status measure(nodes *b, const nu_arguments *args, numann_error *err) {
  const nu_machine *m = &b->machine;
  size_t pairs = m->numa_nodes * m->n_nodes;
  NU_TRY(nu_bench_seconds(&b->seconds, args, err));
  b->seconds /= (double)pairs;
  b->kernels = nu_kernels_select();
  if (!b->kernels) b->kernels = nu_kernels_named("base");
  b->os = nu_alloc(m->cores, sizeof *b->os);
  b->cpus = nu_alloc(m->cores, sizeof *b->cpus);
  b->rates = nu_alloc(m->cores, sizeof *b->rates);
  b->bytes_a_second = nu_alloc(pairs, sizeof *b->bytes_a_second);
  if (!b->os || !b->cpus || !b->rates || !b->bytes_a_second)
    return nu_fail_memory(err, pairs * sizeof *b->bytes_a_second, "the rates");
  for (size_t i = 0; i < pairs; i++) NU_TRY(measure_pair(b, i / m->n_nodes, i % m->n_nodes, err));
  return NUMANN_OK;
}

static void write_json(const nodes *b, nu_json *json) {
  const nu_machine *m = &b->machine;
  nu_json_open(json, NULL, '{');
  nu_json_flag(json, "bound", !b->refusal);
  nu_json_open(json, "pairs", '[');
  for (size_t i = 0; i < m->numa_nodes * m->n_nodes; i++) {
    nu_json_open(json, NULL, '{');
    nu_json_count(json, "cores_of", m->nodes[i / m->n_nodes].os);
    nu_json_count(json, "memory_of", m->nodes[i % m->n_nodes].os);
    nu_json_real(json, "gb_per_s", b->bytes_a_second[i] / 1e9);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

static void write_text(const nodes *b, nu_text *out) {
  const nu_machine *m = &b->machine;
  nu_text_add(out, "GB/s, two streams read and one written by all cores of a node\nmemory of   ");
  for (size_t to = 0; to < m->n_nodes; to++) nu_text_addf(out, "  node %3u", m->nodes[to].os);
  for (size_t from = 0; from < m->numa_nodes; from++) {
    nu_text_addf(out, "\ncores of %-4u", m->nodes[from].os);
    for (size_t to = 0; to < m->n_nodes; to++)
      nu_text_addf(out, "  %8.1f", b->bytes_a_second[from * m->n_nodes + to] / 1e9);
  }
  nu_text_add(out, "\n");
  if (b->refusal)
    nu_text_addf(
        out, "the system refuses to bind threads or memory (%s): these are not rates of nodes\n",
        strerror(b->refusal));
}

numann_status nu_bench_nodes(const nu_arguments *args, numann_error *err) {
  nodes b = {0};
  nu_json json = {0};
  NU_TRY(nu_machine_detect(&b.machine, err));
  numann_status status = measure(&b, args, err);
  if (status == NUMANN_OK && nu_given(args, NU_OPTION_JSON)) write_json(&b, &json);
  else if (status == NUMANN_OK) write_text(&b, &json.text);
  if (status == NUMANN_OK) status = nu_print_text(&json.text, err);
  else nu_text_clear(&json.text);
  nu_machine_clear(&b.machine);
  free(b.os);
  free(b.cpus);
  free(b.rates);
  free(b.bytes_a_second);
  return status;
}
