/* What the parts of `numann bench` share. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_BENCH_H
#define NU_CLI_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/command.h"
#include "cli/json.h"
#include "kernels/kernels.h"
#include "numann.h"

/* A network with its setting, as the options or a named row give it. */
typedef struct nu_bench_row {
  const char *name;
  const char *layers; /* "784,512,512,10": inputs, then neurons */
  const char *activation, *loss, *optimizer;
  const char *batch;
  const char *learning_rate; /* small enough for targets that are noise */
} nu_bench_row;

extern const nu_bench_row nu_bench_rows[];
extern const size_t nu_n_bench_rows;
/* The row that --row names, overridden by the other options. */
numann_status nu_bench_choose_row(nu_bench_row *row, const nu_arguments *args, numann_error *err);

/* Its inputs and neurons, [NU_BENCH_LAYERS + 1]; a config for it, with --set applied; and how many
 * rows are generated for it. */
enum { NU_BENCH_LAYERS = 64 };
numann_status nu_bench_sizes(size_t *sizes, size_t *n_layers, const nu_bench_row *row,
                             numann_error *err);
numann_status nu_bench_config(numann_config **out, const nu_bench_row *row, const size_t *sizes,
                              size_t n_layers, const nu_arguments *args, numann_error *err);
numann_status nu_bench_data_rows(size_t *rows, const numann_config *config, const nu_bench_row *row,
                                 const size_t *sizes, size_t n_layers, numann_error *err);

/* A row made ready to be trained: generated data, network, plan. Start with {0}; nu_bench_clear in
 * any case. */
typedef struct nu_bench_setup {
  nu_bench_row row;
  size_t sizes[NU_BENCH_LAYERS + 1]; /* neurons of layer l, the inputs first */
  size_t n_layers;
  size_t rows; /* of the generated data */
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
} nu_bench_setup;
numann_status nu_bench_prepare(nu_bench_setup *setup, const nu_arguments *args, numann_error *err);
void nu_bench_clear(nu_bench_setup *setup);
/* Useful flops of a step for one row: 2 (3 sum K N - K1 N1); padding and biases do not count. */
double nu_bench_flops_a_row(const nu_bench_setup *setup);
/* What has been measured and on what: the first keys of the JSON object, or two lines. */
void nu_bench_describe_json(const nu_bench_setup *setup, nu_json *json);
void nu_bench_describe(const nu_bench_setup *setup, nu_text *out);

/* Flops per second that `threads` threads reach together in registers for about `seconds`, by the
 * fastest instruction set that runs here, and that one's name. */
typedef struct nu_bench_peak {
  bool pairs; /* of products of bf16; set before */
  double flops;
  const char *isa;
} nu_bench_peak;
numann_status nu_bench_measure_peak(nu_bench_peak *peak, size_t threads, double seconds,
                                    numann_error *err);
/* Bytes per second of a sum over arrays larger than the caches: two read, one written. */
numann_status nu_bench_measure_bandwidth(double *bandwidth, size_t threads, double seconds,
                                         numann_error *err);

/* --seconds, or 4. */
numann_status nu_bench_seconds(double *seconds, const nu_arguments *args, numann_error *err);

/* More between the slices of the peak makes a run invalid: the machine was not quiet. */
#define NU_BENCH_PEAK_SPREAD 0.05

numann_status nu_bench_step(const nu_arguments *args, numann_error *err);
numann_status nu_bench_phases(const nu_arguments *args, numann_error *err);
numann_status nu_bench_read(const nu_arguments *args, numann_error *err);
numann_status nu_bench_nodes(const nu_arguments *args, numann_error *err);
numann_status nu_bench_kernels(const nu_arguments *args, numann_error *err);

#endif
