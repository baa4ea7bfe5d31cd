/* Ask a saved model about raw rows: answer MODEL <rows.csv, numbers only, at most 1000 rows.
 * cc answer.c $(pkg-config --cflags --libs numann); SPDX-License-Identifier: MIT */
#include <numann.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1000 };

/* Numbers apart by commas or blanks. */
static size_t read_rows(double *inputs, size_t n) {
  size_t got = 0;
  while (got < MOST * n && scanf("%lf%*[, \t\r\n]", &inputs[got]) == 1) got++;
  return got / n;
}

static numann_status answer(const numann_model *model, size_t rows, const double *inputs,
                            double *outputs, numann_error *err) {
  size_t n = numann_model_outputs(model);
  numann_status status = numann_model_predict(model, 1, rows, inputs, outputs, err);
  for (size_t r = 0; !status && r < rows; r++, outputs += n) {
    if (numann_model_classes(model) > 0) {
      size_t c = numann_model_answer(model, outputs);
      printf("%s (%.1f %%)\n", numann_model_class_name(model, c), 100 * outputs[c]);
    } else {
      for (size_t j = 0; j < n; j++) printf("%.9g%c", outputs[j], j + 1 < n ? ',' : '\n');
    }
  }
  return status;
}

int main(int argc, char **argv) {
  numann_model *model = NULL;
  numann_error err = {NUMANN_ERR_CONFIG, "answer MODEL <rows.csv"};
  char text[500];
  numann_status status = argc == 2 ? numann_model_load(&model, argv[1], &err) : err.status;
  if (!status) {
    numann_model_describe(model, text, sizeof text);
    fprintf(stderr, "%s", text);
    if (numann_model_note(model)) fprintf(stderr, "note: %s\n", numann_model_note(model));
    double *inputs = calloc(MOST * numann_model_inputs(model), sizeof *inputs);
    double *outputs = calloc(MOST * numann_model_outputs(model), sizeof *outputs);
    if (inputs && outputs) {
      size_t rows = read_rows(inputs, numann_model_inputs(model));
      status = answer(model, rows, inputs, outputs, &err);
    }
    free(inputs);
    free(outputs);
  }
  if (status) fprintf(stderr, "answer: %s: %s\n", numann_status_name(status), err.message);
  numann_model_destroy(model);
  return status;
}
