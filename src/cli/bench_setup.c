/* A row of `numann bench` made ready: its generated data, network and plan.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/random.h"
#include "cli/bench.h"
#include "config/config.h"
#include "numann.h"
#include "plan/plan.h"

/* ---- the data */

static void fill_uniform(float *out, size_t n, uint32_t what) {
  nu_stream stream = {.seed = 1, .purpose = NU_PURPOSE_GENERATE, .counter = what};
  for (size_t i = 0; i < n; i++) out[i] = (float)nu_random_uniform(stream, i);
}

static numann_status make_data(nu_bench_setup *s, numann_error *err) {
  size_t features = s->sizes[0], outputs = s->sizes[s->n_layers];
  bool classes = strcmp(s->row.loss, "squared_error") != 0;
  size_t n_classes = outputs > 1 ? outputs : 2, n_targets = classes ? 0 : s->rows * outputs;
  float *inputs = nu_alloc(s->rows * features, sizeof *inputs);
  float *targets = nu_alloc(n_targets, sizeof *targets);
  int32_t *labels = nu_alloc(s->rows, sizeof *labels);
  numann_status status = NUMANN_OK;
  if (inputs && targets && labels) {
    fill_uniform(inputs, s->rows * features, 1);
    fill_uniform(targets, n_targets, 2);
    nu_stream stream = {.seed = 1, .purpose = NU_PURPOSE_GENERATE, .counter = 3};
    for (size_t i = 0; i < s->rows; i++) {
      labels[i] = (int32_t)(nu_random_bits(stream, i) % (uint32_t)n_classes);
    }
    status = numann_data_create(&s->data, s->rows, features, inputs, classes ? n_classes : outputs,
                                classes ? NULL : targets, classes ? labels : NULL, err);
  } else {
    status = nu_fail_memory(err, sizeof(float) * (s->rows * features + n_targets), "the data");
  }
  free(inputs);
  free(targets);
  free(labels);
  return status;
}

/* ---- all of it */

numann_status nu_bench_prepare(nu_bench_setup *s, const nu_arguments *args, numann_error *err) {
  NU_TRY(nu_bench_choose_row(&s->row, args, err));
  NU_TRY(nu_bench_sizes(s->sizes, &s->n_layers, &s->row, err));
  NU_TRY(nu_bench_config(&s->config, &s->row, s->sizes, s->n_layers, args, err));
  NU_TRY(nu_bench_data_rows(&s->rows, s->config, &s->row, s->sizes, s->n_layers, err));
  NU_TRY(make_data(s, err));
  NU_TRY(numann_network_create(&s->network, s->config, s->data, err));
  return numann_plan_create(&s->plan, s->config, s->network, s->data, err);
}

void nu_bench_clear(nu_bench_setup *s) {
  numann_plan_destroy(s->plan);
  numann_network_destroy(s->network);
  numann_data_destroy(s->data);
  numann_config_destroy(s->config);
}

double nu_bench_flops_a_row(const nu_bench_setup *s) {
  double sum = 0.0;
  for (size_t l = 0; l < s->n_layers; l++) {
    sum += (l ? 6.0 : 4.0) * (double)s->sizes[l] * (double)s->sizes[l + 1];
  }
  return sum;
}

/* ---- for how long */

numann_status nu_bench_seconds(double *seconds, const nu_arguments *args, numann_error *err) {
  const char *text = args->value[NU_OPTION_SECONDS];
  *seconds = 4.0;
  if (!text || (nu_parse_real(text, strlen(text), seconds) && *seconds > 0.0 && *seconds <= 3600.0))
    return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "command line: --seconds %s: expected a number above 0 and up to 3600", text);
}

/* ---- what it is, in words */

void nu_bench_describe_json(const nu_bench_setup *s, nu_json *json) {
  nu_json_string(json, "row", s->row.name);
  nu_json_string(json, "layers", s->row.layers);
  nu_json_string(json, "activation", s->row.activation);
  nu_json_string(json, "loss", s->row.loss);
  nu_json_string(json, "optimizer", s->row.optimizer);
  nu_json_count(json, "batch", s->plan->plan.problem.batch);
  nu_json_count(json, "grain", s->plan->plan.problem.grain);
  nu_json_count(json, "threads", numann_plan_threads(s->plan));
  nu_json_count(json, "threads_working", s->plan->plan.threads);
  nu_json_count(json, "threads_limit", s->plan->threads_limit);
  nu_json_string(json, "strategy", numann_plan_strategy(s->plan));
  nu_json_count(json, "groups", s->plan->plan.groups);
  nu_json_string(json, "isa", nu_kernels_select()->isa);
  nu_json_string(json, "precision", nu_config_string(s->config, "train.precision"));
  nu_json_count(json, "numerics_version", NUMANN_NUMERICS_VERSION);
}

void nu_bench_describe(const nu_bench_setup *s, nu_text *out) {
  nu_text_addf(out, "%s: %s, %s, %s, %s, batch %zu, %s\n", s->row.name, s->row.layers,
               s->row.activation, s->row.loss, s->row.optimizer, s->plan->plan.problem.batch,
               nu_config_string(s->config, "train.precision"));
  nu_text_addf(out, "%zu thread%s, %s, %s; %zu generated rows\n", s->plan->plan.threads,
               s->plan->plan.threads == 1 ? "" : "s", numann_plan_strategy(s->plan),
               nu_kernels_select()->isa, s->rows);
}
