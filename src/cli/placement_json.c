/* The placement of a plan as JSON, for `numann plan` and `numann train`.
 * SPDX-License-Identifier: MIT */
#include "cli/placement_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const width_names[] = {[NU_BIND_NOT] = "none",
                                          [NU_BIND_NODE] = "node",
                                          [NU_BIND_CORE] = "core",
                                          [NU_BIND_OMP] = "omp"};

static void json_ranges(nu_json *json, const char *key, const nu_placement *p, size_t node,
                        void (*add)(nu_text *, const nu_placement *, size_t)) {
  nu_text text = {0};
  add(&text, p, node);
  nu_json_string(json, key, nu_text_view(&text));
  json->text.failed |= text.failed;
  nu_text_clear(&text);
}

/* Bytes of each kind; none where pages lie as the system wants. */
static void json_bytes(nu_json *json, const nu_plan *plan, const size_t *bytes_by_node,
                       size_t node) {
  size_t nodes = nu_plan_nodes(plan);
  if (!bytes_by_node || nodes != plan->placement->n_nodes) return;
  nu_json_open(json, "bytes", '{');
  for (size_t kind = 0; kind < NU_BUFFER_KINDS; kind++) {
    size_t bytes = bytes_by_node[kind * nodes + node];
    if (bytes) nu_json_count(json, nu_buffer_name((nu_buffer_kind)kind), bytes);
  }
  nu_json_close(json, '}');
}

static void json_node(nu_json *json, const nu_plan *plan, const size_t *bytes_by_node,
                      size_t node) {
  const nu_placement *p = plan->placement;
  nu_json_open(json, NULL, '{');
  nu_json_count(json, "os", p->nodes[node].os);
  nu_json_count(json, "cores", p->nodes[node].cores);
  json_ranges(json, "threads", p, node, nu_add_threads);
  json_ranges(json, "processors", p, node, nu_add_seats);
  json_bytes(json, plan, bytes_by_node, node);
  nu_json_close(json, '}');
}

static void json_report(nu_json *json, const nu_place_report *report) {
  nu_json_count(json, "threads_bound", report->threads);
  nu_json_count(json, "threads_on_their_core", report->on_their_core);
  nu_json_count(json, "pages_checked", report->pages);
  nu_json_count(json, "pages_right", report->right);
  nu_json_count(json, "pages_elsewhere", report->pages - report->right);
  nu_json_open(json, "pages", '[');
  for (size_t n = 0; n < NU_REPORTED_NODES; n++) {
    if (!report->planned[n] && !report->found[n]) continue;
    nu_json_open(json, NULL, '{');
    nu_json_count(json, "node", n);
    nu_json_count(json, "planned", report->planned[n]);
    nu_json_count(json, "found", report->found[n]);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

void nu_json_placement(nu_json *json, const nu_plan *plan, const numann_network *network,
                       size_t data_bytes, const nu_place_report *report) {
  const nu_placement *p = plan->placement;
  if (!p) {
    nu_json_string(json, "placement", NULL);
    return;
  }
  size_t *bytes_by_node = nu_plan_bytes_by_node(plan, network, data_bytes);
  json->text.failed |= !bytes_by_node;
  nu_json_open(json, "placement", '{');
  nu_json_string(json, "order", nu_placing_name(p->placing));
  nu_json_string(json, "bind", width_names[p->width]);
  nu_json_flag(json, "memory", p->memory);
  nu_json_count(json, "weight_copies", nu_plan_replicas(plan));
  nu_json_string(json, "why", p->why);
  nu_json_string(json, "note", p->note[0] ? p->note : NULL);
  nu_json_open(json, "nodes", '[');
  for (size_t n = 0; n < p->n_nodes; n++) json_node(json, plan, bytes_by_node, n);
  nu_json_close(json, ']');
  if (report) json_report(json, report);
  nu_json_close(json, '}');
  free(bytes_by_node);
}

void nu_add_place_report(nu_text *out, const nu_place_report *report) {
  if (report->threads)
    nu_text_addf(out, "%zu of %zu threads where planned", report->on_their_core, report->threads);
  else nu_text_add(out, "threads are not bound");
  if (report->ask_refusal)
    nu_text_addf(out, "; the system does not tell where pages are (%s)",
                 strerror(report->ask_refusal));
  else if (report->pages)
    nu_text_addf(out, "; %zu pages asked about, %.1f %% where planned", report->pages,
                 100.0 * (double)report->right / (double)report->pages);
}

bool nu_add_refusal(nu_text *out, const nu_place_report *report) {
  int refusal = report->bind_refusal ? report->bind_refusal : report->memory_refusal;
  const char *what =
      report->bind_refusal ? "to bind threads to cores" : "to choose a node for memory";
  if (!refusal) return false;
  nu_text_addf(
      out,
      "the system refuses %s (%s): training goes on without, as fast as it may be, with the same "
      "weights; allow sched_setaffinity and mbind, or set parallel.placement=none",
      what, strerror(refusal));
  return true;
}
