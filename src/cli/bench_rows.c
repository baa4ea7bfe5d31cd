/* The named networks of `numann bench`, also those of bench/README.md. SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/number.h"
#include "cli/bench.h"
#include "config/config.h"
#include "machine/machine.h"

const nu_bench_row nu_bench_rows[] = {
    {"tiny", "4,16,3", "sigmoid", "squared_error", "sgd", "16", "0.1"},
    {"online", "784,300,10", "sigmoid", "squared_error", "sgd", "1", "0.01"},
    {"classic", "784,300,10", "sigmoid", "squared_error", "sgd", "20", "0.1"},
    {"mnist", "784,512,512,10", "relu", "cross_entropy", "momentum", "128", "0.001"},
    {"mnist-adam", "784,512,512,10", "relu", "cross_entropy", "adam", "128", "0.0001"},
    {"tabular", "28,300,300,300,300,2", "tanh", "cross_entropy", "sgd", "1000", "0.01"},
    {"deep", "784,256,256,256,256,256,256,256,256,256,256,10", "relu", "cross_entropy", "sgd",
     "256", "0.001"},
    {"fullbatch", "64,128,10", "tanh", "cross_entropy", "sgd", "8192", "0.1"},
    {"wide", "1024,4096,4096,1024", "relu", "squared_error", "sgd", "1024", "0.00001"},
};
const size_t nu_n_bench_rows = sizeof nu_bench_rows / sizeof *nu_bench_rows;

static numann_status find_row(const nu_bench_row **row, const char *name, numann_error *err) {
  nu_text names = {0};
  for (size_t i = 0; i < nu_n_bench_rows; i++) {
    *row = &nu_bench_rows[i];
    if (strcmp((*row)->name, name) == 0) {
      nu_text_clear(&names);
      return NUMANN_OK;
    }
    nu_text_addf(&names, "%s%s", i ? ", " : "", (*row)->name);
  }
  numann_status status =
      nu_fail(err, NUMANN_ERR_CONFIG, "command line: --row %s: no such row; there are %s", name,
              nu_text_view(&names));
  nu_text_clear(&names);
  return status;
}

numann_status nu_bench_choose_row(nu_bench_row *row, const nu_arguments *args, numann_error *err) {
  const char *name = args->value[NU_OPTION_ROW];
  const nu_bench_row *named;
  NU_TRY(find_row(&named, name ? name : "mnist", err));
  *row = *named;
  const struct {
    nu_option_id option;
    const char **field;
  } over[] = {{NU_OPTION_LAYERS, &row->layers},
              {NU_OPTION_BATCH, &row->batch},
              {NU_OPTION_ACTIVATION, &row->activation},
              {NU_OPTION_LOSS, &row->loss},
              {NU_OPTION_OPTIMIZER, &row->optimizer}};
  for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
    if (!nu_given(args, over[i].option)) continue;
    *over[i].field = args->value[over[i].option];
    row->name = "custom";
  }
  return NUMANN_OK;
}

/* ---- the network and its config */

numann_status nu_bench_sizes(size_t *sizes, size_t *n_layers, const nu_bench_row *row,
                             numann_error *err) {
  const char *text = row->layers;
  size_t n = 0;
  for (const char *at = text; n <= NU_BENCH_LAYERS; at++) {
    uint64_t size;
    size_t length = strcspn(at, ",");
    if (!nu_parse_count(at, length, &size) || size < 1 || size > 1000000) break;
    sizes[n++] = (size_t)size;
    at += length;
    if (*at) continue;
    *n_layers = n - 1;
    if (n >= 2) return NUMANN_OK;
    break;
  }
  return nu_fail(
      err, NUMANN_ERR_CONFIG,
      "command line: --layers %s: expected the inputs and the neurons of 1 to %d layers, "
      "such as 784,300,10",
      text, NU_BENCH_LAYERS);
}

/* The output's activation that the loss asks for; with squared error as the hidden layers, but for
 * the ReLU family, whose outputs would be cut off at 0. */
static const char *output_activation(const nu_bench_row *row) {
  if (strcmp(row->loss, "cross_entropy") == 0) return "softmax";
  if (strcmp(row->loss, "binary_cross_entropy") == 0) return "sigmoid";
  return strstr(row->activation, "relu") ? "identity" : row->activation;
}

numann_status nu_bench_config(numann_config **out, const nu_bench_row *row, const size_t *sizes,
                              size_t n_layers, const nu_arguments *args, numann_error *err) {
  nu_text text = {0};
  nu_text_add(&text, "data: {train: {path: generated}}\nnetwork:\n  layers:\n");
  for (size_t l = 1; l <= n_layers; l++) {
    nu_text_addf(&text, "    - {neurons: %zu, activation: %s}\n", sizes[l],
                 l == n_layers ? output_activation(row) : row->activation);
  }
  nu_text_addf(&text,
               "train:\n  loss: %s\n  optimizer: {name: %s, learning_rate: %s}\n  batch: %s\n"
               "  epochs: 1000000\n",
               row->loss, row->optimizer, row->learning_rate, row->batch);
  numann_status status = text.failed ? nu_fail_memory(err, text.length, "the config")
                                     : numann_config_parse(out, nu_text_view(&text), "bench", err);
  nu_text_clear(&text);
  if (status == NUMANN_OK) status = nu_apply_sets(args, *out, err);
  return status == NUMANN_OK ? nu_config_check(*out, err) : status;
}

/* Whole batches, at least eight, together twice as large as the last-level cache. */
numann_status nu_bench_data_rows(size_t *rows, const numann_config *config, const nu_bench_row *row,
                                 const size_t *sizes, size_t n_layers, numann_error *err) {
  nu_machine machine;
  NU_TRY(nu_machine_detect(&machine, err));
  nu_machine_clear(&machine); /* sizes are all that is wanted */
  size_t batch = nu_config_count(config, "train.batch");
  if (!batch) return nu_config_fail(config, "train.batch", err, "bench needs a number of rows");
  bool classes = strcmp(row->loss, "squared_error") != 0;
  size_t row_bytes = sizeof(float) * (sizes[0] + (classes ? 1 : sizes[n_layers]));
  size_t cache = machine.l3_bytes ? machine.l3_bytes : 32u << 20;
  size_t batches = 2 * cache / row_bytes / batch + 1;
  *rows = batch * (batches > 8 ? batches : 8);
  return NUMANN_OK;
}
