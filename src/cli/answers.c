/* Answers of a model as a CSV or NPY file. SPDX-License-Identifier: MIT */
#include "cli/answers.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "trainer/evaluate.h"

static size_t columns(const nu_answers *answers) {
  size_t classes = answers->schema->classes;
  return classes > 0 ? classes : answers->n_outputs;
}

/* Column c of row i. One output for two classes is the probability of the second. */
static double value_at(const nu_answers *answers, size_t i, size_t c) {
  const float *row = answers->outputs + i * answers->n_outputs;
  if (answers->schema->classes == 0)
    return nu_unscale(&answers->schema->outputs, c, (double)row[c]);
  if (answers->n_outputs == 1) return c == 1 ? (double)row[0] : 1.0 - (double)row[0];
  return (double)row[c];
}

/* ---- CSV (RFC 4180) */

static void add_field(nu_text *out, const char *prefix, const char *name) {
  bool quoted = strpbrk(name, ",\"\r\n") != NULL;
  nu_text_add(out, quoted ? "\"" : "");
  nu_text_add(out, prefix);
  for (const char *c = name; *c != '\0'; c++) {
    if (*c == '"') nu_text_add(out, "\"");
    nu_text_append(out, c, 1);
  }
  nu_text_add(out, quoted ? "\"" : "");
}

static void add_class_header(const nu_answers *answers, nu_text *out) {
  nu_text_add(out, "prediction");
  for (size_t c = 0; c < answers->schema->classes; c++) {
    nu_text_add(out, ",");
    add_field(out, "probability_", answers->schema->class_names[c]);
  }
  nu_text_add(out, "\n");
}

static void add_target_header(const nu_answers *answers, nu_text *out) {
  for (size_t c = 0; c < answers->n_outputs; c++) {
    char numbered[32];
    snprintf(numbered, sizeof numbered, "target_%zu", c + 1);
    nu_text_add(out, c > 0 ? "," : "");
    add_field(out, "", answers->schema->target_names ? answers->schema->target_names[c] : numbered);
  }
  nu_text_add(out, "\n");
}

/* Nine digits are all that a float has. */
static void add_row(const nu_answers *answers, size_t i, nu_text *out) {
  bool classes = answers->schema->classes > 0;
  if (classes) {
    const float *row = answers->outputs + i * answers->n_outputs;
    add_field(out, "", answers->schema->class_names[nu_answer(row, answers->n_outputs)]);
  }
  for (size_t c = 0; c < columns(answers); c++)
    nu_text_addf(out, c > 0 || classes ? ",%.9g" : "%.9g", value_at(answers, i, c));
  nu_text_add(out, "\n");
}

void nu_answers_csv(const nu_answers *answers, nu_text *out) {
  if (answers->schema->classes > 0) add_class_header(answers, out);
  else add_target_header(answers, out);
  for (size_t i = 0; i < answers->rows; i++) add_row(answers, i, out);
}

/* ---- NPY version 1.0 */

#define NPY_PREAMBLE 10 /* magic, version, length of the header */
#define NPY_ALIGNMENT 64

static void add_npy_header(const nu_answers *answers, nu_text *out) {
  char header[256];
  int length = snprintf(header, sizeof header,
                        "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu, %zu), }",
                        answers->rows, columns(answers));
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
  for (size_t i = 0; i < answers->rows; i++)
    for (size_t c = 0; c < columns(answers); c++) add_little_endian(out, value_at(answers, i, c));
}
