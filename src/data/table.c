/* Table: rows in chunks, and the move to their parts. SPDX-License-Identifier: MIT */
#include "data/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Chunks double up to this size. From 32 MiB on the C library maps them, so that a freed one goes
 * back to the system at once. */
#define CHUNK_BYTES_MIN 65536
#define CHUNK_BYTES_MAX 33554432

static numann_status add_chunk(nu_table *table, numann_error *err) {
  size_t stride = (table->features + table->targets) * sizeof(float);
  size_t bytes = CHUNK_BYTES_MIN;
  if (table->n_chunks) bytes = table->chunks[table->n_chunks - 1].capacity * stride * 2;
  if (bytes > CHUNK_BYTES_MAX) bytes = CHUNK_BYTES_MAX;
  nu_chunk chunk = {.capacity = bytes < stride ? 1 : bytes / stride};
  if (!nu_grow(&table->chunks, &table->chunk_capacity, table->n_chunks + 1, sizeof chunk) ||
      !(chunk.rows = malloc(chunk.capacity * stride))) {
    return nu_fail_memory(err, chunk.capacity * stride, "data rows");
  }
  table->chunks[table->n_chunks++] = chunk;
  return NUMANN_OK;
}

numann_status nu_table_room(nu_table *table, float **row, numann_error *err) {
  nu_chunk *last = table->n_chunks ? &table->chunks[table->n_chunks - 1] : NULL;
  if (!last || last->used == last->capacity) {
    NU_TRY(add_chunk(table, err));
    last = &table->chunks[table->n_chunks - 1];
  }
  *row = last->rows + last->used * (table->features + table->targets);
  return NUMANN_OK;
}

numann_status nu_table_keep(nu_table *table, uint32_t label, numann_error *err) {
  if (table->targets == 1) {
    if (!nu_grow(&table->label_ids, &table->label_capacity, table->rows + 1,
                 sizeof *table->label_ids)) {
      return nu_fail_memory(err, table->rows * sizeof *table->label_ids, "labels");
    }
    table->label_ids[table->rows] = label;
  }
  table->chunks[table->n_chunks - 1].used++;
  table->rows++;
  return NUMANN_OK;
}

/* The last chunk is the largest: the others together are hardly more. */
void nu_table_restart(nu_table *table, const nu_table *like) {
  table->features = like->features;
  table->targets = like->targets;
  table->by_line = like->by_line;
  table->rows = table->dropped = 0;
  for (size_t i = 0; i + 1 < table->n_chunks; i++) free(table->chunks[i].rows);
  if (table->n_chunks > 0) {
    table->chunks[0] = table->chunks[table->n_chunks - 1];
    table->chunks[0].used = 0;
    table->n_chunks = 1;
  }
  nu_labels_clear(&table->labels);
  table->labels.overflow = like->labels.overflow;
}

numann_status nu_table_extend(nu_table *table, size_t rows, size_t *at, numann_error *err) {
  *at = table->rows;
  if (table->targets == 1 && !nu_grow(&table->label_ids, &table->label_capacity, table->rows + rows,
                                      sizeof *table->label_ids)) {
    return nu_fail_memory(err, (table->rows + rows) * sizeof *table->label_ids, "labels");
  }
  while (rows > 0) {
    float *row;
    NU_TRY(nu_table_room(table, &row, err));
    nu_chunk *last = &table->chunks[table->n_chunks - 1];
    size_t free_rows = last->capacity - last->used, n = rows < free_rows ? rows : free_rows;
    last->used += n;
    table->rows += n;
    rows -= n;
  }
  return NUMANN_OK;
}

/* Copy n rows to row `at` and the following, which may lie in several chunks. */
static void put_rows(nu_table *table, size_t at, const float *from, size_t n) {
  size_t stride = table->features + table->targets, i = table->n_chunks, first = table->rows;
  do {
    first -= table->chunks[--i].used;
  } while (first > at);
  for (at -= first; n > 0; at = 0, i++) {
    nu_chunk *chunk = &table->chunks[i];
    size_t fit = chunk->used - at < n ? chunk->used - at : n;
    memcpy(chunk->rows + at * stride, from, fit * stride * sizeof *from);
    from += fit * stride;
    n -= fit;
  }
}

void nu_table_fill(nu_table *table, size_t at, const nu_table *from, const uint32_t *label_of) {
  for (size_t r = 0; table->targets == 1 && r < from->rows; r++) {
    table->label_ids[at + r] = from->labels.overflow ? 0 : label_of[from->label_ids[r]];
  }
  for (size_t i = 0; i < from->n_chunks; i++) {
    if (from->chunks[i].used == 0) continue;
    put_rows(table, at, from->chunks[i].rows, from->chunks[i].used);
    at += from->chunks[i].used;
  }
}

const char *nu_table_place(const nu_table *table, uint64_t place, char *text, size_t size) {
  snprintf(text, size, "%s%c%" PRIu64, table->name, table->by_line ? ':' : '@', place);
  return text;
}

static void free_names(char **names, size_t n) {
  for (size_t i = 0; names && i < n; i++) free(names[i]);
  free(names);
}

void nu_table_clear(nu_table *table) {
  for (size_t i = 0; i < table->n_chunks; i++) free(table->chunks[i].rows);
  free(table->chunks);
  free_names(table->feature_names, table->features);
  free_names(table->target_names, table->targets);
  nu_labels_clear(&table->labels);
  free(table->label_ids);
  free(table->name);
  *table = (nu_table){0};
}

void nu_rows_clear(nu_rows *rows) {
  free(rows->inputs);
  free(rows->targets);
  free(rows->labels);
  *rows = (nu_rows){0};
}

/* Like nu_alloc but not zeroed: clearing would make all pages resident before they are filled. */
static numann_status allocate(void *array, size_t n, size_t width, numann_error *err) {
  size_t bytes;
  void *memory = NULL;
  if (!nu_size_mul(n, width, &bytes) || !nu_size_mul(bytes, 4, &bytes) || bytes > SIZE_MAX - 64 ||
      !(memory = aligned_alloc(64, bytes ? nu_round_up(bytes, 64) : 64))) {
    return nu_fail_memory(err, bytes, "data rows");
  }
  memcpy(array, &memory, sizeof memory);
  return NUMANN_OK;
}

numann_status nu_rows_allocate(nu_rows *rows, size_t n, size_t features, size_t targets,
                               bool with_labels, numann_error *err) {
  *rows = (nu_rows){.rows = n};
  numann_status status = allocate(&rows->inputs, n, features, err);
  if (status == NUMANN_OK && targets) status = allocate(&rows->targets, n, targets, err);
  if (status == NUMANN_OK && with_labels) status = allocate(&rows->labels, n, 1, err);
  if (status != NUMANN_OK) nu_rows_clear(rows);
  return status;
}

/* Copy one row of the table to place `at` of its part. */
static void put_row(const nu_table *table, const float *row, size_t index, const int32_t *class_of,
                    nu_rows *to, size_t at) {
  memcpy(to->inputs + at * table->features, row, table->features * sizeof *row);
  if (to->targets) {
    memcpy(to->targets + at * table->targets, row + table->features,
           table->targets * sizeof *row);
  }
  if (to->labels) to->labels[at] = class_of[table->label_ids[index]];
}

static void move_rows(nu_table *table, const uint8_t *part, nu_rows *const *parts, size_t *next,
                      const int32_t *class_of) {
  size_t index = 0, stride = table->features + table->targets;
  for (size_t i = 0; i < table->n_chunks; i++) {
    nu_chunk *chunk = &table->chunks[i];
    for (size_t r = 0; r < chunk->used; r++, index++) {
      size_t p = part ? part[index] : 0;
      put_row(table, chunk->rows + r * stride, index, class_of, parts[p], next[p]++);
    }
    free(chunk->rows);
    *chunk = (nu_chunk){0};
  }
}

numann_status nu_table_distribute(nu_table *table, const uint8_t *part, nu_rows *const *parts,
                                  size_t n_parts, const int32_t *class_of, numann_error *err) {
  size_t count[NU_PARTS] = {0}, next[NU_PARTS] = {0};
  for (size_t r = 0; r < table->rows; r++) count[part ? part[r] : 0]++;
  for (size_t p = 0; p < n_parts; p++) {
    if (count[p] == 0) continue;
    NU_TRY(nu_rows_allocate(parts[p], count[p], table->features, class_of ? 0 : table->targets,
                            class_of != NULL, err));
  }
  move_rows(table, part, parts, next, class_of);
  return NUMANN_OK;
}
