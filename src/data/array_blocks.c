/* Array files: rows of a large file in blocks, decoded by a team of threads.
 * SPDX-License-Identifier: MIT
 *
 * Rows have a fixed size, so that each thread knows where its rows begin. While the rows in the
 * window become floats, one thread reads or unpacks the next block. A row with a value that is no
 * float is left, with all behind it, to be read again by nu_array_rows_next, which says what is
 * wrong. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "data/array_rows.h"

#define BLOCK_BYTES 1048576 /* in memory for each thread, read ahead and at hand */
#define PIECE_VALUES 16384  /* that a thread decodes at a time */
#define AT_A_TIME 512

typedef struct blocks {
  nu_array_rows *rows;
  size_t row_bytes, piece; /* piece: rows */
  size_t n, at;            /* rows of this round; the first one in the table */
  atomic_size_t next;
  atomic_size_t good; /* rows of this round before the first that must be read again */
  size_t left;        /* rows of the file */
  nu_extent *extents; /* [threads][slots], or NULL; owned */
  numann_status status;
  numann_error *err;
} blocks;

/* Errors of getting more come back in the row that needs it. */
static void begin_round(blocks *b) {
  nu_input *in = b->rows->inputs.in;
  if (in->end - in->begin < b->row_bytes) nu_input_fill(in, b->row_bytes, NULL);
  b->n = (in->end - in->begin) / b->row_bytes;
  if (b->n > b->left) b->n = b->left;
  b->status = nu_table_extend(b->rows->table, b->n, &b->at, b->err);
  if (b->status != NUMANN_OK) b->n = 0;
  atomic_store(&b->next, 0);
  atomic_store(&b->good, b->n);
}

/* extents: NULL where nobody asks */
static bool decode_row(const nu_array_rows *rows, const unsigned char *from, float *row,
                       nu_extent *extents) {
  const nu_array_file *array = &rows->inputs;
  double values[AT_A_TIME];
  if (rows->as_it_is) {
    memcpy(row, from, array->width);
    return true;
  }
  for (size_t i = 0; i < array->width; i += AT_A_TIME) {
    size_t n = array->width - i < AT_A_TIME ? array->width - i : AT_A_TIME;
    nu_array_decode(array->element, from + i * array->element.bytes, n, values);
    for (size_t j = 0; j < n; j++) {
      size_t slot = rows->slot[i + j];
      if (slot == NU_LEFT_OUT) continue;
      if (!nu_table_set(rows->table, row, slot, values[j])) return false;
      if (extents) nu_extent_note(&extents[slot], values[j]);
    }
  }
  return true;
}

static void decode_piece(blocks *b, size_t piece, nu_extent *extents) {
  const nu_input *in = b->rows->inputs.in;
  size_t last = (piece + 1) * b->piece < b->n ? (piece + 1) * b->piece : b->n;
  for (size_t r = piece * b->piece; r < last; r++) {
    float *row = nu_table_row(b->rows->table, b->at + r);
    if (decode_row(b->rows, in->window + in->begin + r * b->row_bytes, row, extents)) continue;
    size_t good = atomic_load(&b->good);
    while (r < good && !atomic_compare_exchange_weak(&b->good, &good, r)) continue;
    return;
  }
}

static numann_status end_round(blocks *b) {
  size_t good = atomic_load(&b->good);
  NU_TRY(b->status);
  for (size_t r = 0; b->rows->has_labels && r < good; r++) {
    NU_TRY(nu_array_rows_label(b->rows, b->at + r, b->err));
  }
  b->rows->inputs.in->begin += good * b->row_bytes;
  b->left -= good;
  if (good == b->n && b->n > 0) return NUMANN_OK;
  b->left--;
  return nu_array_rows_next(b->rows, b->err);
}

static size_t slots_of(const nu_table *table) { return table->features + table->targets; }

static void read_blocks(nu_team *team, size_t thread, void *arg) {
  blocks *b = arg;
  nu_extent *extents = b->extents ? b->extents + thread * slots_of(b->rows->table) : NULL;
  while (b->left > 0 && b->status == NUMANN_OK) {
    nu_team_barrier(team);
    if (thread == 0) begin_round(b);
    nu_team_barrier(team);
    if (thread == 0 && b->rows->inputs.in->ahead.buffer) nu_input_read_ahead(b->rows->inputs.in);
    for (size_t i; (i = atomic_fetch_add(&b->next, 1)) * b->piece < b->n;)
      decode_piece(b, i, extents);
    nu_team_barrier(team);
    if (thread == 0) b->status = end_round(b);
    nu_team_barrier(team);
  }
}

/* Is every value a float, which then says nothing new? */
static bool is_exact(nu_element element) {
  return element.bytes <= 2 || (element.kind == 'f' && element.bytes == 4);
}

static numann_status begin_extents(blocks *b, size_t threads) {
  size_t n = threads * slots_of(b->rows->table);
  if (!b->rows->table->extents || is_exact(b->rows->inputs.element)) return NUMANN_OK;
  b->extents = calloc(n, sizeof *b->extents);
  if (!b->extents) return nu_fail_memory(b->err, n * sizeof *b->extents, "columns");
  for (size_t i = 0; i < n; i++) b->extents[i] = NU_EXTENT_NONE;
  return NUMANN_OK;
}

static void end_extents(blocks *b, size_t threads) {
  size_t slots = slots_of(b->rows->table);
  for (size_t i = 0; b->extents && i < threads * slots; i++) {
    nu_extent_join(&b->rows->table->extents[i % slots], &b->extents[i]);
  }
  free(b->extents);
}

numann_status nu_array_rows_all(nu_array_rows *rows, nu_crew *crew, numann_error *err) {
  const nu_array_file *array = &rows->inputs;
  nu_input *in = array->in;
  blocks b = {.rows = rows, .left = array->rows, .err = err};
  b.row_bytes = array->width * array->element.bytes;
  b.piece = PIECE_VALUES / array->width + 1;
  size_t threads = nu_crew_size(crew, (uint64_t)array->rows * b.row_bytes);
  if (!in->ended) NU_TRY(nu_input_widen(in, threads * BLOCK_BYTES, err));
  NU_TRY(begin_extents(&b, threads));
  numann_status status = nu_crew_run(threads, read_blocks, &b, err);
  end_extents(&b, threads);
  return status == NUMANN_OK ? b.status : status;
}
