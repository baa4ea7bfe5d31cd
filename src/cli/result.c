/* The end of a run: evaluation and descriptions. SPDX-License-Identifier: MIT */
#include "cli/result.h"

#include <math.h>
#include <stdio.h>

#include "cli/command.h"
#include "kernels/kernels.h"
#include "machine/machine.h"
#include "machine/team.h"
#include "numann/version.h"
#include "report/format.h"
#include "report/scores.h"

static numann_status evaluate_part(nu_evaluation *out, const nu_rows *rows,
                                   const numann_network *network, const nu_schema *schema,
                                   size_t threads, numann_error *err) {
  return rows->rows == 0 ? NUMANN_OK : nu_evaluate(out, network, rows, schema, threads, err);
}

numann_status nu_parts_evaluate(nu_parts *parts, const numann_network *network,
                                const numann_data *data, size_t threads, numann_error *err) {
  const nu_schema *schema = &data->schema;
  NU_TRY(evaluate_part(&parts->train, &data->train, network, schema, threads, err));
  NU_TRY(evaluate_part(&parts->validation, &data->validation, network, schema, threads, err));
  return evaluate_part(&parts->test, &data->test, network, schema, threads, err);
}

void nu_parts_clear(nu_parts *parts) {
  nu_evaluation_clear(&parts->train);
  nu_evaluation_clear(&parts->validation);
  nu_evaluation_clear(&parts->test);
}

void nu_describe_machine(const nu_machine *machine, nu_text *out) {
  const nu_kernels *kernels = nu_kernels_select();
  nu_text_addf(out, "cpu: %s\n", machine->model[0] != '\0' ? machine->model : "unknown model");
  nu_text_addf(out, "cores: %zu on %zu NUMA node%s\n", machine->cores, machine->numa_nodes,
               machine->numa_nodes == 1 ? "" : "s");
  nu_text_addf(out, "thread limit: %zu (%s)\n", machine->threads_limit, machine->limited_by);
  nu_text_addf(out, "instruction set: %s\n", kernels ? kernels->isa : "none");
  nu_text_addf(out, "numann %s, numerics version %d, %s, %s\n", numann_version(),
               NUMANN_NUMERICS_VERSION, nu_machine_library(), nu_team_library());
}

static void add_number(nu_json *json, const char *part, const char *name, double value) {
  char key[64];
  snprintf(key, sizeof key, "%s%s%s", part, part[0] != '\0' ? "_" : "", name);
  nu_json_real(json, key, value);
}

void nu_json_evaluation(nu_json *json, const char *part, const nu_evaluation *evaluation,
                        bool classes) {
  bool empty = evaluation->rows == 0;
  add_number(json, part, "loss", empty ? NAN : evaluation->loss);
  if (classes) add_number(json, part, "accuracy", empty ? NAN : evaluation->accuracy);
  else add_number(json, part, "rmse", empty ? NAN : evaluation->rmse);
  add_number(json, part, classes ? "constant_accuracy" : "constant_rmse",
             empty ? NAN : evaluation->constant);
}

void nu_warn_if_trivial(const nu_result *result) {
  const char *name;
  char found[NU_REAL_TEXT], constant[NU_REAL_TEXT];
  const nu_evaluation *judge = nu_result_judge(result, &name);
  if (!judge || !nu_evaluation_is_trivial(judge)) return;
  bool classes = judge->classes > 0;
  if (classes) nu_format_share(judge->accuracy, 2, found);
  else nu_format_value(judge->rmse, found);
  if (classes) nu_format_share(judge->constant, 2, constant);
  else nu_format_value(judge->constant, constant);
  nu_warn(
      "%s rows: %s %s, where one answer for all (%s) has %s: as good as nothing was learned; in "
      "training, scale the data (data.scale%s), try another train.optimizer.learning_rate, or "
      "give more train.epochs",
      name, classes ? "accuracy" : "rmse", found,
      classes ? "the most frequent class" : "their mean", constant,
      classes ? "" : ", data.scale_targets");
}
