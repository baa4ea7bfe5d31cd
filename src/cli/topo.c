/* numann topo: the machine, and what may be used of it. SPDX-License-Identifier: MIT */
#include "cli/command.h"
#include "cli/json.h"
#include "machine/machine.h"

static void write_json(const nu_machine *machine, nu_json *json) {
  nu_json_open(json, NULL, '{');
  nu_json_string(json, "model", machine->model);
  nu_json_count(json, "packages", machine->packages);
  nu_json_count(json, "numa_nodes", machine->numa_nodes);
  nu_json_count(json, "cores", machine->cores);
  nu_json_count(json, "processing_units", machine->processing_units);
  nu_json_count(json, "l1d_bytes", machine->l1d_bytes);
  nu_json_count(json, "l2_bytes", machine->l2_bytes);
  nu_json_count(json, "l3_bytes", machine->l3_bytes);
  nu_json_count(json, "memory_bytes", machine->memory_bytes);
  nu_json_count(json, "memory_limit", machine->memory_limit);
  nu_json_real(json, "cpu_quota", machine->quota);
  nu_json_count(json, "omp_num_threads", machine->omp_limit);
  nu_json_count(json, "threads_limit", machine->threads_limit);
  nu_json_string(json, "limited_by", machine->limited_by);
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

numann_status nu_command_topo(const nu_arguments *args, numann_error *err) {
  nu_machine machine;
  nu_machine_source source = nu_machine_wanted(args);
  NU_TRY(nu_machine_detect_from(&machine, &source, err));
  nu_json json = {0};
  numann_status status = NUMANN_OK;
  if (nu_given(args, NU_OPTION_JSON))
    write_json(&machine, &json);
  else
    status = nu_machine_draw_from(&machine, &source, &json.text, err);
  nu_machine_clear(&machine);
  if (status == NUMANN_OK) return nu_print_text(&json.text, err);
  nu_text_clear(&json.text);
  return status;
}
