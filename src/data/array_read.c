/* Array files to a table: one file, or a pair of inputs and labels. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/least.h"
#include "data/array_rows.h"

#define IDX_FIRST_BYTE 0x00
#define NPY_FIRST_BYTE 0x93

bool nu_is_array(const nu_input *in) {
  unsigned char first = in->window[in->begin];
  return first == IDX_FIRST_BYTE || first == NPY_FIRST_BYTE;
}

static numann_status open_array(nu_array_file *array, nu_input *in, const nu_request *request,
                                numann_error *err) {
  unsigned char first = in->window[in->begin];
  if (!nu_is_array(in)) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: neither IDX nor NPY; read a CSV file with data.train.path and target",
                   in->name);
  }
  NU_TRY(first == NPY_FIRST_BYTE ? nu_npy_open(array, in, err) : nu_idx_open(array, in, err));
  bool enough = array->rows > 0 || nu_may_be_empty(request);
  return enough ? NUMANN_OK : nu_array_fail_empty(array, err);
}

/* A target among the inputs is a label too, whose place in the file must be known: row by row. */
static numann_status read_all(nu_array_rows *p, nu_crew *crew, numann_error *err) {
  bool label_inside = !p->has_labels && p->table->targets == 1;
  if (!label_inside && p->inputs.width * p->inputs.element.bytes <= NU_INPUT_REST) {
    NU_TRY(nu_array_rows_all(p, crew, err));
  } else {
    for (size_t r = 0; r < p->inputs.rows; r++) NU_TRY(nu_array_rows_next(p, err));
  }
  NU_TRY(nu_input_finish(p->inputs.in, err));
  return p->has_labels ? nu_input_finish(p->labels.in, err) : NUMANN_OK;
}

static numann_status read_rows(nu_table *table, nu_array_rows *p, nu_crew *crew,
                               numann_error *err) {
  size_t labels = p->has_labels ? p->labels.width : 0;
  size_t width = nu_larger(p->inputs.width, labels);
  p->table = table;
  p->values = calloc(width, sizeof *p->values);
  p->label_slots = calloc(labels + 1, sizeof *p->label_slots);
  bool held = p->values && p->label_slots;
  for (size_t i = 0; held && i < labels; i++) p->label_slots[i] = table->features + i;
  numann_status status =
      held ? read_all(p, crew, err) : nu_fail_memory(err, width * sizeof(double), "a row");
  free(p->label_slots);
  free(p->values);
  return status;
}

static numann_status check_pair(const nu_array_rows *p, const nu_schema *schema,
                                numann_error *err) {
  char inputs[NU_SHAPE_TEXT], labels[NU_SHAPE_TEXT];
  if (p->has_labels && p->labels.rows != p->inputs.rows) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: %s labels for the %s images of %s; as many of one as of the other are "
                   "expected",
                   p->labels.in->name, nu_shape_text(&p->labels, labels),
                   nu_shape_text(&p->inputs, inputs), p->inputs.in->name);
  }
  if (!schema) return NUMANN_OK;
  if (p->inputs.width != schema->features) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s: %s values, %zu a row; the network has %zu inputs",
                   p->inputs.in->name, nu_shape_text(&p->inputs, inputs), p->inputs.width,
                   schema->features);
  }
  size_t targets = nu_schema_target_columns(schema);
  if (p->has_labels && p->labels.width != targets) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s: %s values, %zu a row; the network has %zu targets",
                   p->labels.in->name, nu_shape_text(&p->labels, labels), p->labels.width, targets);
  }
  return NUMANN_OK;
}

numann_status nu_array_read_pair(nu_table *table, nu_input *inputs, nu_input *labels,
                                 const nu_request *request, numann_error *err) {
  nu_array_rows p = {.has_labels = labels};
  NU_TRY(open_array(&p.inputs, inputs, request, err));
  if (labels) NU_TRY(open_array(&p.labels, labels, request, err));
  NU_TRY(check_pair(&p, request->schema, err));
  NU_TRY(nu_table_shape(table, p.inputs.width, labels ? p.labels.width : 0, request, err));
  table->bytes = p.as_it_is = nu_array_of_bytes(&p.inputs);
  p.slot = calloc(p.inputs.width, sizeof *p.slot);
  if (!p.slot) return nu_fail_memory(err, p.inputs.width * sizeof *p.slot, "columns");
  for (size_t i = 0; i < p.inputs.width; i++) p.slot[i] = i;
  numann_status status = read_rows(table, &p, request->crew, err);
  free(p.slot);
  return status;
}

numann_status nu_array_read_table(nu_table *table, nu_input *in, const nu_request *request,
                                  numann_error *err) {
  nu_array_rows p = {0};
  nu_column_layout layout = {0};
  NU_TRY(open_array(&p.inputs, in, request, err));
  nu_columns columns = {in->name, p.inputs.width, NULL};
  numann_status status =
      request->schema ? nu_column_layout_like(&layout, &columns, request->schema, request->config,
                                              request->source.with_targets, err)
                      : nu_column_layout_train(&layout, &columns, request->config, err);
  if (status == NUMANN_OK) {
    status = nu_table_shape(table, layout.features, layout.targets, request, err);
  }
  if (status == NUMANN_OK) {
    table->bytes = nu_array_of_bytes(&p.inputs);
    p.slot = layout.slot;
    status = read_rows(table, &p, request->crew, err);
  }
  nu_column_layout_clear(&layout);
  return status;
}
