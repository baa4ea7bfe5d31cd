/* gradcheck's result as a table for the terminal. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "trainer/gradcheck.h"

static void write_differences(const nu_gradcheck *check, nu_text *out) {
  nu_text_addf(out,
               "\n(i) naive gradient against central differences, in double, on %zu rows\n"
               "layer                        checked  skipped  small  worst error     bound\n",
               check->difference_rows);
  for (size_t l = 0; l < check->n_layers; l++) {
    const nu_gradcheck_layer *layer = &check->layers[l];
    nu_text_addf(out, "%2zu %-10s %5zu -> %-5zu %8zu %8zu %6zu  %11.2e  %8.0e\n", l + 1,
                 layer->name, layer->inputs, layer->neurons, layer->checked, layer->skipped,
                 layer->checked - layer->alive, layer->difference, check->difference_bound);
  }
}

static void write_engine(const nu_gradcheck *check, nu_text *out) {
  nu_text_addf(out,
               "\n(ii) engine's gradient against naive, %zu rows in grains of %zu, %zu plans, %s\n"
               "layer                        worst/bound  bound: c      K  norm off     bound\n",
               check->rows, check->grain, check->plans,
               check->same_bits ? "all the same bits" : "BITS DIFFER");
  for (size_t l = 0; l < check->n_layers; l++) {
    const nu_gradcheck_layer *layer = &check->layers[l];
    nu_text_addf(out, "%2zu %-10s %5zu -> %-5zu %11.2e %9.3g %6zu  %8.2e  %8.0e\n", l + 1,
                 layer->name, layer->inputs, layer->neurons, layer->share, layer->factor,
                 check->depth, layer->norm, NU_GRADCHECK_NORM);
  }
  nu_text_add(out, "each |engine - naive| <= c u K sum |delta x|, u = 2^-24 (docs/numerics.md)\n");
}

void nu_gradcheck_write(const nu_gradcheck *check, nu_text *out) {
  nu_text_addf(out, "%zu layers, %zu parameters, %zu rows", check->n_layers, check->parameters,
               check->rows);
  if (check->rows_left_out) {
    nu_text_addf(out, " (%zu left out, at a kink of a ReLU unit)", check->rows_left_out);
  }
  nu_text_add(out, "; weights as drawn, biases drawn too\n");
  write_differences(check, out);
  write_engine(check, out);
  if (check->passed) {
    nu_text_add(out, "\ngradients are right\n");
  } else {
    nu_text_addf(out, "\nFAILED: %s\n", check->complaint);
  }
}
