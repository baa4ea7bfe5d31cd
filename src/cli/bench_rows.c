/* The named networks of `numann bench`, also those of bench/README.md. SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/bench.h"

const nu_bench_row nu_bench_rows[] = {
    {"tiny", "4,16,3", "sigmoid", "squared_error", "sgd", "16", "0.1"},
    {"online", "784,300,10", "sigmoid", "squared_error", "sgd", "1", "0.01"},
    {"classic", "784,300,10", "sigmoid", "squared_error", "sgd", "20", "0.1"},
    {"mnist", "784,512,512,10", "relu", "cross_entropy", "momentum", "128", "0.001"},
    {"mnist-adam", "784,512,512,10", "relu", "cross_entropy", "adam", "128", "0.0001"},
    {"tabular", "28,300,300,300,300,2", "tanh", "cross_entropy", "sgd", "1000", "0.01"},
    {"deep", "784,256,256,256,256,256,256,256,256,256,256,10", "relu", "cross_entropy", "sgd", "256",
     "0.001"},
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
  numann_status status = nu_fail(err, NUMANN_ERR_CONFIG,
                                 "command line: --row %s: no such row; there are %s", name,
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
