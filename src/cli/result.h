/* The end of a run: evaluation, table, JSON, report.html. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_RESULT_H
#define NU_CLI_RESULT_H

#include <stdbool.h>

#include "base/status.h"
#include "base/text.h"
#include "cli/json.h"
#include "data/data.h"
#include "machine/machine.h"
#include "network/network.h"
#include "report/report.h"
#include "trainer/evaluate.h"

/* The network on each part of the data; rows = 0 where a part has none. */
typedef struct nu_parts {
  nu_evaluation train, validation, test;
} nu_parts;

numann_status nu_parts_evaluate(nu_parts *parts, const numann_network *network,
                                const numann_data *data, size_t threads, numann_error *err);
void nu_parts_clear(nu_parts *parts);

/* Cpu, cores, thread limit, instruction set and versions, a line each. */
void nu_describe_machine(const nu_machine *machine, nu_text *out);

/* Warn where the rows that judge the run are answered no better than by one answer for all. */
void nu_warn_if_trivial(const nu_result *result);

/* "<part>_loss", "<part>_accuracy" or "<part>_rmse", and "<part>_constant_accuracy" or
 * "<part>_constant_rmse" of the best answer that is the same for all; null where there are no rows.
 * With an empty part the keys are "loss", "accuracy" and so on. */
void nu_json_evaluation(nu_json *json, const char *part, const nu_evaluation *evaluation,
                        bool classes);

#endif
