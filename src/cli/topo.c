/* numann topo: the machine, and what may be used of it. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli/command.h"
#include "cli/json.h"
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

/* Lists first, so that a search for the last "cores" finds the machine's. */
static void write_json(const nu_machine *machine, const char *diagnosis, nu_json *json) {
  nu_json_open(json, NULL, '{');
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
  nu_json_string(json, "diagnosis", diagnosis[0] != '\0' ? diagnosis : NULL);
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

/* The machine, and its drawing where that is wanted. */
static numann_status look(nu_machine *machine, const nu_arguments *args, nu_text *drawing,
                          numann_error *err) {
  nu_machine_source source = nu_machine_wanted(args);
  if (nu_given(args, NU_OPTION_JSON)) return nu_machine_detect_from(machine, &source, err);
  return nu_machine_draw_from(machine, &source, drawing, err);
}

numann_status nu_command_topo(const nu_arguments *args, numann_error *err) {
  nu_machine machine;
  nu_json out = {0};
  numann_status status = look(&machine, args, &out.text, err);
  if (status != NUMANN_OK) {
    nu_text_clear(&out.text);
    return status;
  }
  nu_warn_of_unknown_mask(args);
  char diagnosis[NU_LAUNCH_MESSAGE];
  bool found = nu_launch_diagnose(&machine, (nu_launch_threads){0}, diagnosis) != NU_LAUNCH_NOTHING;
  if (nu_given(args, NU_OPTION_JSON)) write_json(&machine, diagnosis, &out);
  else if (found) nu_text_addf(&out.text, "\n%s\n", diagnosis);
  nu_machine_clear(&machine);
  return nu_print_text(&out.text, err);
}
