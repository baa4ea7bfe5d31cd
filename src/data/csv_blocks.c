/* CSV: large files in blocks, cut into parts at line ends. SPDX-License-Identifier: MIT
 *
 * In each round the window's lines are cut into parts, which threads read into tables of their own,
 * while one of them reads the next block ahead. A cut may be wrong: the line feed may stand inside
 * quotes. So a part is a guess, which is taken only when all before it ended exactly where it
 * begins. What a part could not read - a fault, a record that goes on behind the part - is read
 * again record by record, from where it begins and with all that is known of the file so far: that
 * alone gives messages. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/array.h"
#include "data/crew.h"
#include "data/csv_rows.h"

/* Some 2 MB in memory a thread, mostly the text, read ahead and at hand. */
#define PART_BYTES 131072
#define PARTS_A_THREAD 8

typedef struct part {
  size_t begin, end; /* in the window */
  size_t stop;       /* the rows before this are in the table */
  uint64_t lines;    /* from begin to stop */
  nu_table table;    /* places of labels are lines, the part's first being 1 */
  nu_record record;
  bool blind; /* did not count labels, which were too many already */
  bool taken;
  size_t at;          /* taken: the place of its rows in the file's table */
  uint32_t *label_of; /* taken: [table.labels.n] the place of its labels in the file's; owned */
  size_t label_capacity;
} part;

typedef struct blocks {
  nu_csv_rows *rows;
  nu_reading reading;
  part *parts; /* [reading.parts]; owned */
  size_t n;    /* of this round */
  atomic_size_t next;
  bool more;
  numann_status status;
  numann_error *err;
} blocks;

/* ---- cutting */

/* Behind the last line feed in text[begin..end); `begin` when there is none. */
static size_t last_line_end(const unsigned char *text, size_t begin, size_t end) {
  while (end > begin && text[end - 1] != '\n') end--;
  return end;
}

/* Behind the first line feed in text[begin..end) from `at` on, else behind the last one before. */
static size_t find_cut(const unsigned char *text, size_t begin, size_t at, size_t end) {
  const unsigned char *feed = at < end ? memchr(text + at, '\n', end - at) : NULL;
  return feed ? (size_t)(feed - text) + 1 : last_line_end(text, begin, end);
}

/* Get more text when the window is nearly empty. An error in that comes back, when the records
 * before it have been read, to the one that needs what is missing. */
static void cut(blocks *b) {
  nu_input *in = b->rows->csv.in;
  size_t left = in->end - in->begin;
  if (left <= NU_INPUT_REST && left < b->reading.part_bytes * b->reading.parts) {
    nu_input_fill(in, left + 1, NULL);
  }
  size_t begin = in->begin;
  for (b->n = 0; b->n < b->reading.parts; b->n++) {
    size_t end = find_cut(in->window, begin, begin + b->reading.part_bytes - 1, in->end);
    if (end == begin) break;
    b->parts[b->n].begin = begin;
    b->parts[b->n].end = begin = end;
  }
  atomic_store(&b->next, 0);
}

/* ---- reading a part; only its own memory is written */

static void read_part(const blocks *b, part *p) {
  const nu_csv *whole = &b->rows->csv;
  nu_input text = {.name = whole->in->name, .window = whole->in->window, .ended = true};
  nu_csv csv = nu_csv_at_line(&text, whole->separator, 1);
  text.begin = p->begin;
  text.end = p->end;
  p->stop = p->begin;
  p->lines = 0;
  bool held = nu_table_restart(&p->table, b->rows->table);
  p->blind = p->table.labels.overflow;
  if (!held) return;
  for (;;) {
    nu_csv_take_plain(b->rows, &p->table, &csv);
    p->stop = text.begin;
    p->lines = csv.line - 1;
    if (p->stop == p->end) return;
    if (nu_csv_next(&csv, &p->record, NULL) != NUMANN_OK || p->record.n == 0) return;
    if (nu_csv_take(b->rows, &p->table, &p->record, NULL) != NUMANN_OK) return;
  }
}

/* ---- joining the parts, by one thread */

/* Would reading it record by record have gone the same way up to its stop? */
static bool fits(const blocks *b, const part *p) {
  const nu_table *table = b->rows->table;
  if (b->rows->csv.in->begin != p->begin || p->table.rows > NU_ROWS_MAX - table->rows) return false;
  if (p->blind || table->labels.overflow) return p->blind;
  return !p->table.labels.overflow && p->table.labels.n <= NU_CLASSES_MAX - table->labels.n;
}

static numann_status join_labels(blocks *b, part *p) {
  nu_labels *all = &b->rows->table->labels;
  const nu_labels *own = &p->table.labels;
  uint64_t before = b->rows->csv.line - 1;
  if (!nu_grow(&p->label_of, &p->label_capacity, own->n, sizeof *p->label_of)) {
    return nu_fail_memory(b->err, own->n * sizeof *p->label_of, "class labels");
  }
  for (size_t i = 0; i < own->n; i++) {
    const nu_label *l = &own->list[i];
    uint64_t line = before + l->place;
    NU_TRY(nu_labels_join(all, l, line, &p->label_of[i], b->err));
  }
  return NUMANN_OK;
}

static numann_status take_part(blocks *b, part *p) {
  nu_csv *csv = &b->rows->csv;
  NU_TRY(join_labels(b, p));
  NU_TRY(nu_table_extend(b->rows->table, p->table.rows, &p->at, b->err));
  b->rows->table->dropped += p->table.dropped;
  /* a part whose memory was refused has no rows, and perhaps no extents */
  bool noted = b->rows->table->extents && p->table.rows > 0;
  size_t slots = noted ? p->table.features + p->table.targets : 0;
  for (size_t i = 0; i < slots; i++) {
    nu_extent_join(&b->rows->table->extents[i], &p->table.extents[i]);
  }
  csv->in->begin = p->stop;
  csv->line += p->lines;
  p->taken = true;
  return NUMANN_OK;
}

/* Record by record to the end of the part, or until the window has changed. */
static numann_status read_rest(blocks *b, const part *p) {
  const nu_input *in = b->rows->csv.in;
  uint64_t moves = in->moves;
  while (b->more && in->moves == moves && in->begin < p->end) {
    NU_TRY(nu_csv_take_next(b->rows, &b->more, b->err));
  }
  return NUMANN_OK;
}

static numann_status join(blocks *b) {
  const nu_input *in = b->rows->csv.in;
  uint64_t moves = in->moves;
  for (size_t i = 0; i < b->n; i++) b->parts[i].taken = false;
  for (size_t i = 0; i < b->n && b->more && in->moves == moves; i++) {
    if (fits(b, &b->parts[i])) NU_TRY(take_part(b, &b->parts[i]));
    NU_TRY(read_rest(b, &b->parts[i]));
  }
  return b->n > 0 ? NUMANN_OK : nu_csv_take_next(b->rows, &b->more, b->err);
}

/* ---- rounds */

static void read_blocks(nu_team *team, size_t thread, void *arg) {
  blocks *b = arg;
  while (b->more && b->status == NUMANN_OK) {
    nu_team_barrier(team);
    if (thread == 0) cut(b);
    nu_team_barrier(team);
    if (thread == 0 && b->rows->csv.in->ahead.buffer) nu_input_read_ahead(b->rows->csv.in);
    for (size_t i; (i = atomic_fetch_add(&b->next, 1)) < b->n;) read_part(b, &b->parts[i]);
    nu_team_barrier(team);
    if (thread == 0) {
      b->status = join(b);
      atomic_store(&b->next, 0);
    }
    nu_team_barrier(team);
    for (size_t i; (i = atomic_fetch_add(&b->next, 1)) < b->n;) {
      const part *p = &b->parts[i];
      if (p->taken) nu_table_fill(b->rows->table, p->at, &p->table, p->label_of);
    }
  }
}

static nu_reading choose_reading(const nu_csv_rows *r) {
  const nu_input *in = r->csv.in;
  uint64_t bytes = in->ended ? 0 : in->sized ? in->size : UINT64_MAX;
  size_t threads = nu_crew_size(r->request->crew, bytes);
  return (nu_reading){threads, PART_BYTES, PARTS_A_THREAD * threads};
}

static numann_status run(blocks *b) {
  nu_input *in = b->rows->csv.in;
  b->parts = calloc(b->reading.parts, sizeof *b->parts);
  if (!b->parts) return nu_fail_memory(b->err, b->reading.parts * sizeof(part), "reading a file");
  if (!in->ended) NU_TRY(nu_input_widen(in, b->reading.parts * b->reading.part_bytes, b->err));
  NU_TRY(nu_crew_run(b->reading.threads, read_blocks, b, b->err));
  return b->status;
}

static void clear(blocks *b) {
  for (size_t i = 0; b->parts && i < b->reading.parts; i++) {
    nu_table_clear(&b->parts[i].table);
    nu_record_clear(&b->parts[i].record);
    free(b->parts[i].label_of);
  }
  free(b->parts);
}

numann_status nu_csv_take_all(nu_csv_rows *r, numann_error *err) {
  blocks b = {.rows = r, .more = true, .err = err};
  b.reading = r->request->reading ? *r->request->reading : choose_reading(r);
  if (b.reading.part_bytes > 0) {
    numann_status status = run(&b);
    clear(&b);
    return status;
  }
  while (b.more) NU_TRY(nu_csv_take_next(r, &b.more, err));
  return NUMANN_OK;
}
