/* Data files: read in blocks by two threads they are what they are row by row, faults included.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/crew.h"
#include "data/data.h"
#include "data/table.h"
#include "numann/config.h"
#include "targets.h"

/* The bytes up to the first NUL are a mapping for `data`, the rest is the file. */
static const char form[] =
    "data: {%s}\nnetwork: {layers: [{neurons: %d, activation: %s}]}\ntrain: {loss: %s}\n";

typedef struct outcome {
  numann_status status;
  numann_error err;
  nu_table table;
} outcome;

static outcome read_with(const char *path, const numann_config *config, nu_reading reading) {
  nu_crew crew = {.config = config};
  outcome o = {0};
  nu_request request = {
      .source = {path, NULL, true}, .config = config, .crew = &crew, .reading = &reading};
  o.status = nu_table_read(&o.table, &request, &o.err);
  return o;
}

static void compare_labels(const nu_table *a, const nu_table *b) {
  MUST(a->labels.overflow == b->labels.overflow && a->labels.n == b->labels.n);
  for (size_t i = 0; i < a->labels.n; i++) {
    const nu_label *x = &a->labels.list[i], *y = &b->labels.list[i];
    MUST(!x->text == !y->text && (!x->text || strcmp(x->text, y->text) == 0));
    MUST(memcmp(&x->number, &y->number, sizeof x->number) == 0 && x->place == y->place);
  }
  if (a->targets != 1 || a->labels.overflow) return;
  for (size_t r = 0; r < a->rows; r++) MUST(a->label_ids[r] == b->label_ids[r]);
}

static void compare(outcome *a, outcome *b) {
  MUST(a->status == b->status && strcmp(a->err.message, b->err.message) == 0);
  if (a->status != NUMANN_OK) return;
  MUST(a->table.rows == b->table.rows && a->table.dropped == b->table.dropped);
  MUST(a->table.features == b->table.features && a->table.targets == b->table.targets);
  MUST(a->table.bytes == b->table.bytes);
  size_t size = a->table.features * (a->table.bytes ? 1 : sizeof(float));
  size_t targets = nu_table_features(&a->table);
  for (size_t r = 0; r < a->table.rows; r++) {
    const float *x = nu_table_row(&a->table, r), *y = nu_table_row(&b->table, r);
    MUST(memcmp(x, y, size) == 0);
    MUST(memcmp(x + targets, y + targets, a->table.targets * sizeof(float)) == 0);
  }
  compare_labels(&a->table, &b->table);
}

static numann_config *config_of(const char *settings) {
  char text[2048];
  numann_config *config = NULL;
  bool classes = strstr(settings, "classes");
  snprintf(text, sizeof text, form, settings, classes ? 3 : 1, classes ? "softmax" : "identity",
           classes ? "cross_entropy" : "squared_error");
  return numann_config_parse(&config, text, "fuzz.yaml", NULL) == NUMANN_OK ? config : NULL;
}

void fuzz_table(const uint8_t *bytes, size_t n) {
  const uint8_t *end = memchr(bytes, '\0', n);
  if (!end || end - bytes > 1000) return;
  numann_config *config = config_of((const char *)bytes);
  if (!config) return;
  size_t before = (size_t)(end - bytes) + 1;
  const char *path = fuzz_file("table", bytes + before, n - before);
  outcome one = read_with(path, config, (nu_reading){1, 0, 1});
  outcome many = read_with(path, config, (nu_reading){2, 11, 50});
  fuzz_check(one.status, one.status == NUMANN_ERR_CONFIG ? one.status : NUMANN_ERR_DATA, &one.err);
  compare(&one, &many);
  nu_table_clear(&one.table);
  nu_table_clear(&many.table);
  numann_config_destroy(config);
}
