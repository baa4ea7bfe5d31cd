/* Notes: what a user should hear of data that can be used as they are. SPDX-License-Identifier: MIT
 *
 * One line each, with the place and the setting that changes it. */
#ifndef NU_DATA_NOTES_H
#define NU_DATA_NOTES_H

#include "base/text.h"
#include "data/columns.h"
#include "data/table.h"

/* Inputs without a name in the header: the row numbers that programs write beside a table. */
void nu_note_nameless(nu_text *notes, const nu_columns *columns, const nu_column_layout *layout);

/* A first line that was taken for a header only because it counts the columns. */
void nu_note_counted(nu_text *notes, const nu_columns *columns);

/* A class that the first line alone has, where that line was taken for a row. */
void nu_note_first_class(nu_text *notes, const nu_table *table, const nu_schema *schema,
                         const int32_t *class_of);

/* Classes without a training row. */
void nu_note_lost_classes(nu_text *notes, const numann_data *data);

#endif
