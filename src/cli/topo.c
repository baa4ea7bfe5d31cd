/* numann topo: the machine, what may be used of it, and the ranks of a job.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli/command.h"
#include "cli/hosts.h"
#include "cli/json.h"
#include "machine/comm.h"
#include "machine/comm_launch.h"
#include "machine/launch.h"
#include "machine/machine.h"

static void write_nodes(const nu_machine *machine, nu_json *json) {
  nu_json_open(json, "nodes", '[');
  for (size_t i = 0; i < machine->n_nodes; i++) {
    const nu_numa_node *node = &machine->nodes[i];
    nu_json_open(json, NULL, '{');
    nu_json_count(json, "os", node->os);
    nu_json_count(json, "bytes", node->bytes);
    nu_json_count(json, "cores", node->cores);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

/* Rows of numbers, as there may be hundreds of processors. */
static void write_processors(const nu_machine *machine, nu_json *json) {
  static const char *const columns[] = {"os", "core", "sibling", "l3", "package", "node"};
  nu_json_open(json, "processor_columns", '[');
  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
    nu_json_string(json, NULL, columns[i]);
  nu_json_close(json, ']');
  nu_json_open(json, "processors", '[');
  for (size_t i = 0; i < machine->processing_units; i++) {
    const nu_processor *p = &machine->processors[i];
    const size_t row[] = {p->os, p->core, p->sibling, p->l3, p->package, p->node};
    nu_json_open(json, NULL, '[');
    for (size_t j = 0; j < sizeof row / sizeof row[0]; j++) nu_json_count(json, NULL, row[j]);
    nu_json_close(json, ']');
  }
  nu_json_close(json, ']');
}

static void write_limits(const nu_machine *machine, nu_json *json) {
  nu_json_count(json, "memory_bytes", machine->memory_bytes);
  nu_json_count(json, "memory_limit", machine->memory_limit);
  nu_json_real(json, "cpu_quota", machine->quota);
  nu_json_string(json, "slurm_variable", machine->slurm_name);
  nu_json_count(json, "slurm_cpus", machine->slurm_limit);
  nu_json_count(json, "omp_num_threads", machine->omp_limit);
  nu_json_count(json, "omp_thread_limit", machine->omp_most);
  nu_json_string(json, "omp_proc_bind", getenv("OMP_PROC_BIND"));
  nu_json_string(json, "omp_places", getenv("OMP_PLACES"));
  nu_json_count(json, "threads_limit", machine->threads_limit);
  nu_json_string(json, "limited_by", machine->limited_by);
}

/* What is shown. */
typedef struct sight {
  const nu_arguments *args;
  nu_machine machine;
  nu_text drawing;
  nu_comm *comm;
  nu_host *hosts;      /* [comm->size], owned; NULL: no job */
  const char *refused; /* why the launch makes no job; NULL: it does, or there is none */
} sight;

/* Lists first, so that a search for the last "cores" finds the machine's. */
static void write_json(const sight *s, const char *diagnosis, nu_json *json) {
  const nu_machine *machine = &s->machine;
  nu_json_open(json, NULL, '{');
  nu_hosts_json(s->hosts, s->comm->size, json);
  write_nodes(machine, json);
  write_processors(machine, json);
  nu_json_string(json, "model", machine->model);
  nu_json_flag(json, "foreign", machine->foreign);
  nu_json_count(json, "packages", machine->packages);
  nu_json_count(json, "numa_nodes", machine->numa_nodes);
  nu_json_count(json, "host_cores", machine->host_cores);
  nu_json_count(json, "cores", machine->cores);
  nu_json_count(json, "processing_units", machine->processing_units);
  nu_json_count(json, "l1d_bytes", machine->l1d_bytes);
  nu_json_count(json, "l2_bytes", machine->l2_bytes);
  nu_json_count(json, "l3_bytes", machine->l3_bytes);
  write_limits(machine, json);
  nu_json_string(json, "diagnosis", diagnosis);
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

/* The machine, and its drawing where that is wanted. */
static numann_status look(sight *s, numann_error *err) {
  nu_machine_source source = nu_machine_wanted(s->args);
  if (nu_given(s->args, NU_OPTION_JSON)) return nu_machine_detect_from(&s->machine, &source, err);
  return nu_machine_draw_from(&s->machine, &source, &s->drawing, err);
}

static void draw(const sight *s, const char *diagnosis, nu_text *out) {
  nu_text doubts = {0};
  nu_text_add(out, nu_text_view(&s->drawing));
  if (s->hosts) nu_hosts_draw(s->hosts, s->comm->size, out, &doubts);
  if (diagnosis) nu_text_addf(out, "\n%s\n", diagnosis);
  if (doubts.length > 0) nu_text_addf(out, "\n%s", nu_text_view(&doubts));
  out->failed |= doubts.failed || s->drawing.failed;
  nu_text_clear(&doubts);
}

/* A launch that makes no job is told as the error that follows, and is the diagnosis for programs.
 */
static numann_status show(const sight *s, numann_error *err) {
  char message[NU_LAUNCH_MESSAGE];
  nu_json json = {0};
  nu_warn_of_unknown_mask(s->args);
  bool found =
      nu_launch_diagnose(&s->machine, (nu_launch_threads){0}, message) != NU_LAUNCH_NOTHING;
  const char *diagnosis = found ? message : NULL;
  if (nu_given(s->args, NU_OPTION_JSON)) write_json(s, s->refused ? s->refused : diagnosis, &json);
  else draw(s, s->refused ? NULL : diagnosis, &json.text);
  return nu_print_text(&json.text, err);
}

static numann_status show_job(sight *s, numann_error *err) {
  NU_TRY(nu_comm_agree(s->comm, look(s, err), err));
  NU_TRY(nu_hosts_gather(&s->hosts, s->comm, &s->machine, s->machine.threads_limit, err));
  return nu_comm_agree(s->comm, s->comm->rank == 0 ? show(s, err) : NUMANN_OK, err);
}

/* Where the launch makes no job one of its processes still shows the machine. The others look too,
 * as launchers end all when the first one ends. */
static numann_status show_alone(sight *s, numann_error *err) {
  NU_TRY(look(s, err));
  return nu_comm_read_launch().rank > 0 ? NUMANN_OK : show(s, err);
}

numann_status nu_command_topo(const nu_arguments *args, numann_error *err) {
  numann_error refused = {0};
  numann_status joined = nu_comm_start(&refused), status;
  sight s = {.args = args, .comm = nu_comm_world()};
  if (joined == NUMANN_OK) {
    status = show_job(&s, err);
  } else {
    s.refused = refused.message;
    status = show_alone(&s, err);
    if (status == NUMANN_OK) {
      status = joined;
      *err = refused;
    }
  }
  nu_machine_clear(&s.machine);
  nu_text_clear(&s.drawing);
  free(s.hosts);
  return status;
}
