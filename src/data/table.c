/* Table: rows in segments, and the move to their parts. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "data/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/least.h"
#include "base/memory.h"
#include "data/scaling.h"

/* Chunks double up to this size. From 32 MiB on the C library maps them, so that a freed one goes
 * back to the system at once. */
#define CHUNK_BYTES_MIN 65536
#define CHUNK_BYTES_MAX 33554432

/* Not zeroed, as clearing would make all pages resident before they are filled. Large arrays get
 * large pages where the system has them to give: that halves the time to fill them. NULL when
 * refused. */
#define LARGE_PAGE 2097152
static void *allocate_plainly(size_t bytes) {
  size_t unit = bytes >= 2 * LARGE_PAGE ? LARGE_PAGE : 64;
  if (bytes > SIZE_MAX - unit) return NULL;
  void *memory = aligned_alloc(unit, bytes ? nu_round_up(bytes, unit) : unit);
#ifdef MADV_HUGEPAGE
  if (memory && unit == LARGE_PAGE) madvise(memory, nu_round_up(bytes, unit), MADV_HUGEPAGE);
#endif
  return memory;
}

static numann_status add_segment(nu_table *table, numann_error *err) {
  size_t stride = nu_table_stride(table) * sizeof(float);
  size_t bytes = CHUNK_BYTES_MIN;
  if (table->n_segments) bytes = table->segments[table->n_segments - 1].capacity * stride * 2;
  if (bytes > CHUNK_BYTES_MAX) bytes = CHUNK_BYTES_MAX;
  nu_segment segment = {.capacity = bytes < stride ? 1 : bytes / stride};
  if (!nu_grow(&table->segments, &table->segment_capacity, table->n_segments + 1, sizeof segment) ||
      !(segment.rows = allocate_plainly(segment.capacity * stride))) {
    return nu_fail_memory(err, segment.capacity * stride, "data rows");
  }
  table->segments[table->n_segments++] = segment;
  return NUMANN_OK;
}

numann_status nu_table_room(nu_table *table, float **row, numann_error *err) {
  nu_segment *last = table->n_segments ? &table->segments[table->n_segments - 1] : NULL;
  if (!last || last->used == last->capacity) {
    NU_TRY(add_segment(table, err));
    last = &table->segments[table->n_segments - 1];
  }
  *row = last->rows + last->used * nu_table_stride(table);
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
  table->segments[table->n_segments - 1].used++;
  table->rows++;
  nu_table_note(table, 0, table->features + table->targets);
  return NUMANN_OK;
}

static bool allocate_extents(nu_table *table) {
  size_t slots = table->features + table->targets;
  if (!table->extents) table->extents = calloc(slots, sizeof *table->extents);
  if (!table->values) table->values = calloc(slots, sizeof *table->values);
  if (!table->extents || !table->values) return false;
  for (size_t i = 0; i < slots; i++) table->extents[i] = NU_EXTENT_NONE;
  return true;
}

/* Statistics undo where a column lies and how wide it is; a divisor does not. */
static bool is_fitted(const nu_request *request, const char *key) {
  const char *method = nu_config_string(request->config, key);
  return strcmp(method, "standardize") == 0 || strcmp(method, "min_max") == 0;
}

numann_status nu_table_shape(nu_table *table, size_t features, size_t targets,
                             const nu_request *request, numann_error *err) {
  table->features = features;
  table->targets = targets;
  table->by = request->by;
  if (request->schema || request->by) return NUMANN_OK;
  table->large[0] = is_fitted(request, "data.scale");
  table->large[1] = is_fitted(request, "data.scale_targets");
  if (!table->large[0] && !table->large[1]) return NUMANN_OK;
  size_t bytes = (features + targets) * (sizeof(nu_extent) + sizeof(double));
  return allocate_extents(table) ? NUMANN_OK : nu_fail_memory(err, bytes, "columns");
}

void nu_table_note(nu_table *table, size_t first, size_t n) {
  for (size_t i = first; table->extents && i < first + n; i++) {
    nu_extent_note(&table->extents[i], table->values[i]);
  }
}

/* The last segment is the largest: the others together are hardly more. */
bool nu_table_restart(nu_table *table, const nu_table *like) {
  table->features = like->features;
  table->targets = like->targets;
  table->bytes = like->bytes;
  table->by_line = like->by_line;
  table->by = like->by;
  memcpy(table->large, like->large, sizeof table->large);
  table->rows = table->dropped = 0;
  for (size_t i = 0; i + 1 < table->n_segments; i++) free(table->segments[i].rows);
  if (table->n_segments > 0) {
    table->segments[0] = table->segments[table->n_segments - 1];
    table->segments[0].used = 0;
    table->n_segments = 1;
  }
  nu_labels_clear(&table->labels);
  table->labels.overflow = like->labels.overflow;
  return !like->extents || allocate_extents(table);
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
    nu_segment *last = &table->segments[table->n_segments - 1];
    size_t free_rows = last->capacity - last->used, n = nu_smaller(rows, free_rows);
    last->used += n;
    table->rows += n;
    rows -= n;
  }
  return NUMANN_OK;
}

/* The segment of row i, and the row's place in it; the last segments are looked at first. */
static nu_segment *find_segment(nu_table *table, size_t i, size_t *place) {
  nu_segment *segment = table->segments + table->n_segments;
  size_t first = table->rows;
  do {
    first -= (--segment)->used;
  } while (first > i);
  *place = i - first;
  return segment;
}

float *nu_table_row(nu_table *table, size_t i) {
  size_t place;
  const nu_segment *segment = find_segment(table, i, &place);
  return segment->rows + place * nu_table_stride(table);
}

/* Copy n rows to row `at` and the following, which may lie in several segments. */
static void put_rows(nu_table *table, size_t at, const float *from, size_t n) {
  size_t stride = nu_table_stride(table);
  for (nu_segment *segment = find_segment(table, at, &at); n > 0; segment++, at = 0) {
    size_t fit = segment->used - at < n ? segment->used - at : n;
    memcpy(segment->rows + at * stride, from, fit * stride * sizeof *from);
    from += fit * stride;
    n -= fit;
  }
}

void nu_table_fill(nu_table *table, size_t at, const nu_table *from, const uint32_t *label_of) {
  for (size_t r = 0; table->targets == 1 && r < from->rows; r++) {
    table->label_ids[at + r] = from->labels.overflow ? 0 : label_of[from->label_ids[r]];
  }
  for (size_t i = 0; i < from->n_segments; i++) {
    if (from->segments[i].used == 0) continue;
    put_rows(table, at, from->segments[i].rows, from->segments[i].used);
    at += from->segments[i].used;
  }
}

const char *nu_table_place(const nu_table *table, uint64_t place, char *text, size_t size) {
  nu_show_format(text, size, "%s%c%" PRIu64, table->name, table->by_line ? ':' : '@', place);
  return text;
}

static void free_names(char **names, size_t n) {
  for (size_t i = 0; names && i < n; i++) free(names[i]);
  free(names);
}

void nu_table_clear(nu_table *table) {
  for (size_t i = 0; i < table->n_segments; i++) free(table->segments[i].rows);
  free(table->segments);
  free_names(table->feature_names, table->features);
  free_names(table->target_names, table->targets);
  nu_labels_clear(&table->labels);
  free(table->label_ids);
  nu_text_clear(&table->notes);
  free(table->extents);
  free(table->values);
  free(table->name);
  *table = (nu_table){0};
}

void nu_rows_clear(nu_rows *rows) {
  nu_scaling_clear(&rows->scaling);
  if (!rows->shared) {
    free(rows->inputs);
    free(rows->bytes);
    free(rows->targets);
    free(rows->labels);
  }
  *rows = (nu_rows){0};
}

/* width: bytes of a row */
static numann_status allocate(void *array, size_t n, size_t width, numann_error *err) {
  size_t bytes;
  void *memory = NULL;
  if (!nu_size_mul(n, width, &bytes) || !(memory = allocate_plainly(bytes))) {
    return nu_fail_memory(err, bytes, "data rows");
  }
  memcpy(array, &memory, sizeof memory);
  return NUMANN_OK;
}

numann_status nu_rows_allocate(nu_rows *rows, size_t n, const nu_row_shape *shape,
                               numann_error *err) {
  *rows = (nu_rows){.rows = n};
  numann_status status = shape->bytes
                             ? allocate(&rows->bytes, n, shape->features, err)
                             : allocate(&rows->inputs, n, shape->features * sizeof(float), err);
  if (status == NUMANN_OK && shape->targets) {
    status = allocate(&rows->targets, n, shape->targets * sizeof(float), err);
  }
  if (status == NUMANN_OK && shape->labels)
    status = allocate(&rows->labels, n, sizeof(int32_t), err);
  if (status != NUMANN_OK) nu_rows_clear(rows);
  return status;
}

/* Copy one row of the table to place `at` of its part. */
static void put_row(const nu_table *table, const float *row, size_t index, const int32_t *class_of,
                    nu_rows *to, size_t at) {
  if (to->bytes) memcpy(to->bytes + at * table->features, row, table->features);
  else memcpy(to->inputs + at * table->features, row, table->features * sizeof *row);
  if (to->targets) {
    memcpy(to->targets + at * table->targets, row + nu_table_features(table),
           table->targets * sizeof *row);
  }
  if (to->labels) to->labels[at] = class_of[table->label_ids[index]];
}

/* A segment is moved in pieces: the places where each begins are counted before. */
#define PIECES 32
typedef struct move {
  const nu_table *table;
  const nu_segment *segment;
  size_t first; /* row of the segment in the table */
  const uint8_t *part;
  nu_rows *const *parts;
  const int32_t *class_of;
  size_t next[PIECES + 1][NU_PARTS]; /* of each part, where a piece begins */
} move;

static size_t piece_begin(const move *m, size_t piece) {
  return m->segment->used / PIECES * piece + m->segment->used % PIECES * piece / PIECES;
}

static void count_pieces(move *m) {
  for (size_t i = 0; i < PIECES; i++) {
    memcpy(m->next[i + 1], m->next[i], sizeof m->next[i]);
    for (size_t r = piece_begin(m, i); r < piece_begin(m, i + 1); r++) {
      m->next[i + 1][m->part ? m->part[m->first + r] : 0]++;
    }
  }
}

static void move_piece(size_t i, void *arg) {
  const move *m = arg;
  size_t next[NU_PARTS], stride = nu_table_stride(m->table);
  memcpy(next, m->next[i], sizeof next);
  for (size_t r = piece_begin(m, i); r < piece_begin(m, i + 1); r++) {
    size_t p = m->part ? m->part[m->first + r] : 0;
    put_row(m->table, m->segment->rows + r * stride, m->first + r, m->class_of, m->parts[p],
            next[p]++);
  }
}

numann_status nu_table_distribute(nu_table *table, const uint8_t *part, nu_rows *const *parts,
                                  size_t n_parts, const int32_t *class_of, nu_crew *crew,
                                  numann_error *err) {
  size_t count[NU_PARTS] = {0}, row_bytes = nu_table_stride(table) * sizeof(float);
  nu_row_shape shape = {.features = table->features,
                        .targets = class_of ? 0 : table->targets,
                        .bytes = table->bytes,
                        .labels = class_of};
  for (size_t r = 0; r < table->rows; r++) count[part ? part[r] : 0]++;
  for (size_t p = 0; p < n_parts; p++) {
    if (count[p] == 0) continue;
    NU_TRY(nu_rows_allocate(parts[p], count[p], &shape, err));
  }
  move m = {.table = table, .part = part, .parts = parts, .class_of = class_of};
  size_t threads = nu_crew_size(crew, table->rows * row_bytes);
  for (size_t i = 0; i < table->n_segments; i++) {
    m.segment = &table->segments[i];
    count_pieces(&m);
    nu_crew_each(threads, PIECES, move_piece, &m);
    m.first += m.segment->used;
    memcpy(m.next[0], m.next[PIECES], sizeof m.next[0]);
    free(table->segments[i].rows);
    table->segments[i] = (nu_segment){0};
  }
  return NUMANN_OK;
}
