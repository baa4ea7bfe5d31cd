/* Array files: a row of the file to a row of the table. SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "data/array_rows.h"

static numann_status fail_value(const nu_array_file *array, size_t i, const char *problem,
                                numann_error *err) {
  return nu_fail(err, NUMANN_ERR_DATA, "%s@%" PRIu64 ": the value %s", array->in->name,
                 nu_array_place(array, i), problem);
}

/* Put a row's values to their slots. The single target is remembered as a label too. */
static numann_status put_values(nu_table *table, const nu_array_file *array, const double *values,
                                const size_t *slot, float *row, uint32_t *label,
                                numann_error *err) {
  size_t label_slot = table->targets == 1 ? table->features : NU_LEFT_OUT;
  for (size_t i = 0; i < array->width; i++) {
    if (slot[i] == NU_LEFT_OUT) continue;
    if (!nu_table_put(table, row, slot[i], values[i])) {
      return fail_value(array, i, nu_table_refusal(table), err);
    }
    if (slot[i] != label_slot) continue;
    NU_TRY(nu_labels_number(&table->labels, values[i], nu_array_place(array, i), label, err));
  }
  return NUMANN_OK;
}

numann_status nu_array_rows_label(nu_array_rows *p, size_t at, numann_error *err) {
  uint32_t label = 0;
  nu_table *table = p->table;
  NU_TRY(nu_array_row(&p->labels, p->values, err));
  NU_TRY(put_values(table, &p->labels, p->values, p->label_slots, nu_table_row(table, at), &label,
                    err));
  if (table->targets == 1) table->label_ids[at] = label;
  nu_table_note(table, table->features, table->targets);
  return NUMANN_OK;
}

numann_status nu_array_rows_next(nu_array_rows *p, numann_error *err) {
  float *row = NULL;
  uint32_t label = 0;
  NU_TRY(nu_table_room(p->table, &row, err));
  NU_TRY(nu_array_row(&p->inputs, p->values, err));
  NU_TRY(put_values(p->table, &p->inputs, p->values, p->slot, row, &label, err));
  if (p->has_labels) {
    NU_TRY(nu_array_row(&p->labels, p->values, err));
    NU_TRY(put_values(p->table, &p->labels, p->values, p->label_slots, row, &label, err));
  }
  return nu_table_keep(p->table, label, err);
}
