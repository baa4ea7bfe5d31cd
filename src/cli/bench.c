/* numann bench: what this machine can do, and how much of it the engine uses.
 * SPDX-License-Identifier: MIT */
#include "cli/bench.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/json.h"

/* ---- peak */

enum { PEAKS = 5 };

static numann_status bench_peak(const nu_arguments *args, numann_error *err) {
  size_t threads;
  double seconds, bandwidth;
  NU_TRY(nu_choose_threads(&threads, args, err));
  NU_TRY(nu_bench_seconds(&seconds, args, err));
  nu_bench_peak peak = {0}, one = {0};
  double peaks[PEAKS];
  for (size_t i = 0; i < PEAKS; i++) {
    NU_TRY(nu_bench_measure_peak(&peak, threads, seconds / (2 * PEAKS), err));
    peaks[i] = peak.flops;
  }
  NU_TRY(nu_bench_measure_peak(&one, 1, seconds / 4, err));
  NU_TRY(nu_bench_measure_bandwidth(&bandwidth, threads, seconds / 4, err));
  nu_median(peaks, PEAKS);
  double best = peaks[PEAKS - 1];
  nu_json json = {0};
  if (nu_given(args, NU_OPTION_JSON)) {
    nu_json_open(&json, NULL, '{');
    nu_json_count(&json, "threads", threads);
    nu_json_string(&json, "isa", peak.isa);
    nu_json_real(&json, "peak_gflops", best / 1e9);
    nu_json_real(&json, "peak_gflops_one_thread", one.flops / 1e9);
    nu_json_real(&json, "peak_spread", 1.0 - peaks[0] / best);
    nu_json_real(&json, "bandwidth_gb_per_s", bandwidth / 1e9);
    nu_json_close(&json, '}');
    nu_text_add(&json.text, "\n");
  } else {
    nu_text_addf(
        &json.text,
        "%zu thread%s, %s\n%8.1f GFLOP/s  fused multiply-adds in registers (%.1f on one thread)\n"
        "%8.1f GB/s     memory, two streams read and one written\n",
        threads, threads == 1 ? "" : "s", peak.isa, best / 1e9, one.flops / 1e9, bandwidth / 1e9);
  }
  return nu_print_text(&json.text, err);
}

/* ---- rows */

static numann_status bench_rows(const nu_arguments *args, numann_error *err) {
  nu_json json = {0};
  bool as_json = nu_given(args, NU_OPTION_JSON);
  if (as_json) nu_json_open(&json, NULL, '[');
  for (size_t i = 0; i < nu_n_bench_rows; i++) {
    const nu_bench_row *row = &nu_bench_rows[i];
    if (as_json) {
      nu_json_open(&json, NULL, '{');
      nu_json_string(&json, "row", row->name);
      nu_json_string(&json, "layers", row->layers);
      nu_json_string(&json, "activation", row->activation);
      nu_json_string(&json, "loss", row->loss);
      nu_json_string(&json, "optimizer", row->optimizer);
      nu_json_string(&json, "batch", row->batch);
      nu_json_string(&json, "learning_rate", row->learning_rate);
      nu_json_close(&json, '}');
    } else {
      nu_text_addf(&json.text, "%-11s %s, %s, %s, %s, batch %s\n", row->name, row->layers,
                   row->activation, row->loss, row->optimizer, row->batch);
    }
  }
  if (as_json) nu_json_close(&json, ']');
  if (as_json) nu_text_add(&json.text, "\n");
  return nu_print_text(&json.text, err);
}

/* ---- dispatch */

static const struct {
  const char *name;
  size_t operands; /* with the name */
  numann_status (*run)(const nu_arguments *args, numann_error *err);
} parts[] = {{"peak", 1, bench_peak},        {"step", 1, nu_bench_step},
             {"phases", 1, nu_bench_phases}, {"kernels", 1, nu_bench_kernels},
             {"nodes", 1, nu_bench_nodes},   {"read", 2, nu_bench_read},
             {"rows", 1, bench_rows}};

numann_status nu_command_bench(const nu_arguments *args, numann_error *err) {
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (strcmp(args->operands[0], parts[i].name) != 0) continue;
    if (args->n_operands == parts[i].operands) return parts[i].run(args, err);
    return nu_fail(
        err, NUMANN_ERR_CONFIG, "command line: bench %s: expected %s", parts[i].name,
        parts[i].operands == 1 ? "no further argument" : "a config, whose data are read");
  }
  return nu_fail(
      err, NUMANN_ERR_CONFIG,
      "command line: bench %s: expected peak, step, phases, kernels, nodes, read or rows",
      args->operands[0]);
}
