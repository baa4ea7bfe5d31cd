/* Notes: what a user should hear of data that can be used as they are. SPDX-License-Identifier: MIT
 */
#include "data/notes.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN 8

/* Programs that read a table with such a column back give it the second name. */
static bool is_nameless(const char *name) {
  static const char given[] = "Unnamed: ";
  return name[0] == '\0' || strncmp(name, given, sizeof given - 1) == 0;
}

void nu_note_nameless(nu_text *notes, const nu_columns *columns, const nu_column_layout *layout) {
  size_t first = 0, n = 0;
  for (size_t c = columns->names ? columns->n : 0; c-- > 0;) {
    if (layout->slot[c] >= layout->features || !is_nameless(columns->names[c])) continue;
    first = c;
    n++;
  }
  if (n == 0) return;
  nu_text_addf(notes, "%s: column %zu (counted from 0) has no name in the header and is an input",
               columns->path, first);
  if (n > 1) nu_text_addf(notes, ", as are %zu more", n - 1);
  nu_text_addf(notes, "; if it numbers the rows, leave it out with data.drop: [%zu]\n", first);
}

void nu_note_counted(nu_text *notes, const nu_columns *columns) {
  nu_text_addf(notes,
               "%s: the first line counts the columns and is taken for a header; if it is a row, "
               "set data.header: false\n",
               columns->path);
}

void nu_note_first_class(nu_text *notes, const nu_table *table, const nu_schema *schema,
                         const int32_t *class_of) {
  if (!table->header_refuted || table->rows < 3 || !class_of) return;
  size_t same = 0;
  for (size_t r = 0; r < table->rows; r++) same += table->label_ids[r] == table->label_ids[0];
  if (same > 1 || schema->classes == table->rows) return;
  char shown[NU_EXCERPT];
  const char *name = schema->class_names[class_of[table->label_ids[0]]];
  nu_text_addf(notes,
               "%s: the class '%s' is in the first line alone; if that is a header, set "
               "data.header: true\n",
               table->name, nu_excerpt(name, strlen(name), shown));
}

static size_t mark_learned(bool *learned, const numann_data *data) {
  size_t lost = data->schema.classes;
  for (size_t r = 0; r < data->train.rows; r++) {
    bool *mark = &learned[data->train.labels[r]];
    lost -= !*mark;
    *mark = true;
  }
  return lost;
}

void nu_note_lost_classes(nu_text *notes, const numann_data *data) {
  if (!data->train.labels) return;
  bool *learned = calloc(data->schema.classes, sizeof *learned);
  if (!learned) {
    notes->failed = true;
    return;
  }
  size_t lost = mark_learned(learned, data), shown = 0;
  for (size_t c = 0; c < data->schema.classes && shown < lost && shown < NAMES_SHOWN; c++) {
    char name[NU_EXCERPT];
    if (learned[c]) continue;
    nu_text_addf(
        notes, "%s'%s'", shown++ ? ", " : "no training row has the class ",
        nu_excerpt(data->schema.class_names[c], strlen(data->schema.class_names[c]), name));
  }
  if (lost > shown) nu_text_addf(notes, " and %zu more", lost - shown);
  if (lost > 0) {
    nu_text_add(notes,
                ": all its rows went to validation or test; give smaller fractions, another "
                "train.seed, or more rows of it\n");
  }
  free(learned);
}
