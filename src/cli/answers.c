/* Answers of a model as a CSV or NPY file. SPDX-License-Identifier: MIT */
#include "cli/answers.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/model.h"

/* ---- CSV (RFC 4180) */

static void add_field(nu_text *out, const char *prefix, const char *name) {
  bool quoted = strpbrk(name, ",\"\r\n");
  nu_text_add(out, quoted ? "\"" : "");
  nu_text_add(out, prefix);
  for (const char *c = name; *c != '\0'; c++) {
    if (*c == '"') nu_text_add(out, "\"");
    nu_text_append(out, c, 1);
  }
  nu_text_add(out, quoted ? "\"" : "");
}

static void add_class_header(const numann_model *model, nu_text *out) {
  nu_text_add(out, "prediction");
  for (size_t c = 0; c < numann_model_classes(model); c++) {
    nu_text_add(out, ",");
    add_field(out, "probability_", numann_model_class_name(model, c));
  }
  nu_text_add(out, "\n");
}

static void add_target_header(const numann_model *model, nu_text *out) {
  for (size_t c = 0; c < numann_model_outputs(model); c++) {
    const char *name = numann_model_target_name(model, c);
    char numbered[32];
    snprintf(numbered, sizeof numbered, "target_%zu", c + 1);
    nu_text_add(out, c > 0 ? "," : "");
    add_field(out, "", name ? name : numbered);
  }
  nu_text_add(out, "\n");
}

/* Nine digits are all that a float has; a target whose place is large against its width has some
 * before those. */
static int digits_of(const numann_model *model, size_t c) {
  const nu_scaling *outputs = &model->saved.schema.outputs;
  if (numann_model_classes(model) > 0) return 9;
  int digits = 9;
  for (double rest = fabs(outputs->shift[c]) * outputs->scale[c]; rest >= 100.0; rest /= 10.0) {
    if (digits == 17) break;
    digits++;
  }
  return digits;
}

static void add_row(const numann_model *model, const double *row, nu_text *out) {
  bool classes = numann_model_classes(model) > 0;
  if (classes) add_field(out, "", numann_model_class_name(model, numann_model_answer(model, row)));
  for (size_t c = 0; c < numann_model_outputs(model); c++) {
    nu_text_addf(out, c > 0 || classes ? ",%.*g" : "%.*g", digits_of(model, c), row[c]);
  }
  nu_text_add(out, "\n");
}

void nu_answers_csv(const nu_answers *answers, nu_text *out) {
  const numann_model *model = answers->model;
  if (numann_model_classes(model) > 0) add_class_header(model, out);
  else add_target_header(model, out);
  for (size_t i = 0; i < answers->rows; i++)
    add_row(model, answers->outputs + i * numann_model_outputs(model), out);
}

/* ---- NPY version 1.0 */

#define NPY_PREAMBLE 10 /* magic, version, length of the header */
#define NPY_ALIGNMENT 64

static void add_npy_header(const nu_answers *answers, nu_text *out) {
  char header[256];
  int length = snprintf(header, sizeof header,
                        "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu, %zu), }",
                        answers->rows, numann_model_outputs(answers->model));
  size_t used = NPY_PREAMBLE + (size_t)length + 1;
  size_t padding = (NPY_ALIGNMENT - used % NPY_ALIGNMENT) % NPY_ALIGNMENT;
  size_t size = (size_t)length + padding + 1;
  const char preamble[NPY_PREAMBLE] = {
      '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(size & 0xff), (char)(size >> 8)};
  nu_text_append(out, preamble, sizeof preamble);
  nu_text_addf(out, "%s%*s\n", header, (int)padding, "");
}

static void add_little_endian(nu_text *out, double value) {
  uint64_t bits;
  char bytes[8];
  memcpy(&bits, &value, sizeof bits);
  for (size_t b = 0; b < sizeof bytes; b++) bytes[b] = (char)((bits >> (8 * b)) & 0xff);
  nu_text_append(out, bytes, sizeof bytes);
}

void nu_answers_npy(const nu_answers *answers, nu_text *out) {
  add_npy_header(answers, out);
  size_t n = answers->rows * numann_model_outputs(answers->model);
  for (size_t i = 0; i < n; i++) add_little_endian(out, answers->outputs[i]);
}
