/* Where threads and memory live, as a drawing: a box per node with its cores, then, where pages
 * have nodes, a bar per buffer in its true proportions, coloured by node.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plan/ledger.h"
#include "plan/placement.h"
#include "report/svg.h"

#define WIDTH 900
#define GAP 12
#define BOXES_IN_ROW 4
#define BOXES_MOST 16
#define MARGIN 10        /* inside a box */
#define HEAD 46          /* of a box: two lines of text */
#define COLOURS 8        /* of nodes, then from the first one again */
#define NUMBERED_MOST 32 /* cores of a node that have room for their thread's number */
#define BAR_LEFT 190
#define BAR_WIDTH 590
#define BAR_STEP 22
#define BAR_HEIGHT 15
#define LAYERS_MOST 12 /* with a bar of their own for their weights */

typedef struct picture {
  const nu_plan *plan;
  const numann_network *network;
  const nu_placement *placement;
  size_t data_bytes;
  size_t boxes;  /* nodes that are drawn */
  bool siblings; /* threads sit on second hardware threads, too */
  size_t
      *seated; /* [placement->n_processors] the thread of each processor, SIZE_MAX: none; owned */
  nu_text *out;
} picture;

/* ---- nodes and their cores */

static void find_threads(picture *p) {
  const nu_placement *q = p->placement;
  for (size_t i = 0; i < q->n_processors; i++) p->seated[i] = SIZE_MAX;
  for (size_t t = 0; t < q->n_threads; t++) {
    nu_range own = nu_placement_processors(q, q->seats[t].node);
    for (size_t i = own.begin; i < own.end; i++) {
      if (q->processors[i].os != q->seats[t].processor.os || p->seated[i] != SIZE_MAX) continue;
      p->seated[i] = t;
      p->siblings |= q->processors[i].sibling > 0;
    }
  }
}

/* A cell is a core or, where threads share cores, a hardware thread. */
static bool has_cell(const picture *p, size_t i) {
  return p->siblings || p->placement->processors[i].sibling == 0;
}

static size_t cells_of(const picture *p, size_t node) {
  nu_range own = nu_placement_processors(p->placement, node);
  size_t n = 0;
  for (size_t i = own.begin; i < own.end; i++) n += has_cell(p, i);
  return n;
}

typedef struct cells {
  size_t most; /* of a node */
  int size, in_row;
  bool numbered;
} cells;

static size_t boxes_in_row(const picture *p) {
  return p->boxes < BOXES_IN_ROW ? p->boxes : BOXES_IN_ROW;
}

/* A lone node gets as much as two. */
static int box_width(const picture *p) {
  int n = p->boxes > 1 ? (int)boxes_in_row(p) : 2;
  return (WIDTH - GAP * (n - 1)) / n;
}

/* One size for all nodes, so that they compare. */
static cells cells_for(const picture *p) {
  cells c = {.most = 1};
  for (size_t node = 0; node < p->boxes; node++) {
    size_t n = cells_of(p, node);
    if (n > c.most) c.most = n;
  }
  c.numbered = c.most <= NUMBERED_MOST;
  c.size = c.numbered ? 28 : 12;
  c.in_row = (box_width(p) - 2 * MARGIN) / (c.size + 2);
  return c;
}

static int box_height(cells c) {
  int rows = ((int)c.most + c.in_row - 1) / c.in_row;
  return HEAD + rows * (c.size + 2) + MARGIN;
}

static void draw_cell(const picture *p, size_t i, size_t node, int x, int y, cells c) {
  const nu_processor *processor = &p->placement->processors[i];
  bool bound = p->placement->width != NU_BIND_NOT && p->seated[i] != SIZE_MAX;
  if (bound) nu_text_addf(p->out, "<rect class=\"seat on%zu\"", node % COLOURS);
  else nu_text_add(p->out, "<rect class=\"empty\"");
  nu_text_addf(
      p->out, " x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\"><title>core %u, processor %u",
      x, y, c.size, c.size, processor->core, processor->os);
  if (bound) nu_text_addf(p->out, ": thread %zu", p->seated[i]);
  nu_text_add(p->out, "</title></rect>");
  if (bound && c.numbered)
    nu_text_addf(p->out, "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\">%zu</text>",
                 x + c.size / 2, y + c.size / 2 + 4, p->seated[i]);
  nu_text_add(p->out, "\n");
}

static void draw_box(const picture *p, size_t node, int x, int y, cells c) {
  const nu_placement *q = p->placement;
  nu_range own = nu_placement_processors(q, node), threads = nu_plan_node_threads(p->plan, node);
  nu_text_addf(p->out,
               "<rect class=\"node\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/>", x, y,
               box_width(p), box_height(c));
  nu_text_addf(p->out, "<text class=\"strong\" x=\"%d\" y=\"%d\">node %u</text>", x + MARGIN,
               y + 20, q->nodes[node].os);
  nu_text_addf(p->out, "<text x=\"%d\" y=\"%d\">", x + MARGIN, y + 37);
  if (q->width == NU_BIND_NOT) nu_text_add(p->out, "threads not bound");
  else if (nu_plan_nodes(p->plan) != q->n_nodes)
    nu_text_addf(p->out, "%zu cores", q->nodes[node].cores);
  else if (threads.end - threads.begin == 1) nu_text_addf(p->out, "thread %zu", threads.begin);
  else nu_text_addf(p->out, "threads %zu-%zu", threads.begin, threads.end - 1);
  nu_text_add(p->out, "</text>\n");
  int at = 0;
  for (size_t i = own.begin; i < own.end; i++) {
    if (!has_cell(p, i)) continue;
    draw_cell(p, i, node, x + MARGIN + at % c.in_row * (c.size + 2),
              y + HEAD + at / c.in_row * (c.size + 2), c);
    at++;
  }
}

static int rows_of_boxes(const picture *p) {
  return (int)((p->boxes + BOXES_IN_ROW - 1) / BOXES_IN_ROW);
}

static void draw_boxes(const picture *p, cells c) {
  for (size_t n = 0; n < p->boxes; n++) {
    int column = (int)(n % BOXES_IN_ROW), row = (int)(n / BOXES_IN_ROW);
    draw_box(p, n, column * (box_width(p) + GAP), row * (box_height(c) + GAP), c);
  }
}

/* ---- bars */

typedef struct row {
  nu_buffer_kind kind;
  size_t layer;  /* of weights; SIZE_MAX: of all layers */
  size_t bytes;  /* of all its buffers, one after the other */
  size_t copies; /* of weights */
} row;

typedef struct bars {
  picture *p;
  row *list; /* [capacity], owned */
  size_t n, capacity;
  size_t drawn, done; /* the bar that is drawn, and bytes of it so far */
  int y;
  nu_stripe *stripes; /* [room], owned */
  size_t room;
} bars;

static size_t find_bar(const bars *b, const nu_buffer *buffer) {
  bool own = buffer->kind == NU_BUFFER_WEIGHTS && b->p->network->n_layers <= LAYERS_MOST;
  size_t layer = own ? buffer->layer : SIZE_MAX, i = 0;
  while (i < b->n && (b->list[i].kind != buffer->kind || b->list[i].layer != layer)) i++;
  if (i == b->capacity) return SIZE_MAX;
  if (i == b->n) b->list[i] = (row){.kind = buffer->kind, .layer = layer};
  return i;
}

static void count_buffer(const nu_buffer *buffer, void *arg) {
  bars *b = arg;
  size_t i = find_bar(b, buffer);
  size_t stripes = nu_plan_stripes(b->p->plan, b->p->network, buffer, NULL, 0);
  if (stripes > b->room) b->room = stripes;
  if (i == SIZE_MAX) return;
  b->n += i == b->n;
  b->list[i].bytes += buffer->bytes;
  if (buffer->of + 1 > b->list[i].copies) b->list[i].copies = buffer->of + 1;
}

static int place_x(const row *bar, size_t bytes) {
  return BAR_LEFT + (int)((double)bytes / (double)bar->bytes * BAR_WIDTH + 0.5);
}

/* The next part of the bar. Stripes too thin to be seen are left out: their neighbours are there.
 */
static void draw_buffer(const nu_buffer *buffer, void *arg) {
  bars *b = arg;
  const row *bar = &b->list[b->drawn];
  if (find_bar(b, buffer) != b->drawn) return;
  size_t n = nu_plan_stripes(b->p->plan, b->p->network, buffer, b->stripes, b->room);
  for (size_t i = 0; i < n; i++) {
    int from = place_x(bar, b->done + b->stripes[i].begin),
        to = place_x(bar, b->done + b->stripes[i].end);
    if (to == from) continue;
    nu_text_addf(b->p->out,
                 "<rect class=\"part on%zu\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>",
                 b->stripes[i].node % COLOURS, from, b->y, to - from, BAR_HEIGHT);
  }
  b->done += buffer->bytes;
}

static void draw_bar(bars *b) {
  const row *bar = &b->list[b->drawn];
  nu_text *out = b->p->out;
  nu_text_addf(out, "<text x=\"0\" y=\"%d\">%s", b->y + 12, nu_buffer_name(bar->kind));
  if (bar->layer != SIZE_MAX) nu_text_addf(out, " of layer %zu", bar->layer + 1);
  if (bar->kind == NU_BUFFER_WEIGHTS && bar->copies > 1)
    nu_text_addf(out, ", %zu copies", bar->copies);
  nu_text_add(out, "</text>");
  b->done = 0;
  nu_ledger_walk_training(b->p->plan, b->p->network, b->p->data_bytes, draw_buffer, b);
  nu_text_addf(out, "<text x=\"%d\" y=\"%d\">", BAR_LEFT + BAR_WIDTH + 10, b->y + 12);
  nu_text_add_bytes(out, bar->bytes);
  nu_text_add(out, "</text>\n");
}

static int by_kind(const void *a, const void *b) {
  const row *x = a, *y = b;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  return x->layer < y->layer ? -1 : x->layer > y->layer;
}

static void find_bars(bars *b) {
  nu_ledger_walk_training(b->p->plan, b->p->network, b->p->data_bytes, count_buffer, b);
  qsort(b->list, b->n, sizeof *b->list, by_kind);
}

/* ---- the whole */

static void draw(bars *b, bool alone) {
  picture *p = b->p;
  cells c = cells_for(p);
  int boxes =
      rows_of_boxes(p) * (box_height(c) + GAP) + (p->boxes < p->placement->n_nodes ? 20 : 0);
  int height = boxes + (int)b->n * BAR_STEP;
  nu_text_addf(p->out,
               "<svg class=\"placement\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"threads "
               "and memory on "
               "the nodes\"",
               WIDTH, height);
  if (alone)
    nu_text_addf(p->out, " xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"", WIDTH,
                 height);
  nu_text_add(p->out, ">\n");
  if (alone) nu_svg_style(p->out);
  draw_boxes(p, c);
  if (p->boxes < p->placement->n_nodes)
    nu_text_addf(p->out, "<text x=\"0\" y=\"%d\">and %zu more nodes</text>\n", boxes - 14,
                 p->placement->n_nodes - p->boxes);
  b->y = boxes + 2;
  for (b->drawn = 0; b->drawn < b->n; b->drawn++, b->y += BAR_STEP) draw_bar(b);
  nu_text_add(p->out, "</svg>\n");
}

bool nu_placement_picture(const nu_plan *plan, const numann_network *network, size_t data_bytes,
                          bool alone, nu_text *out) {
  const nu_placement *placement = plan->placement;
  if (!placement) return false;
  picture p = {.plan = plan,
               .network = network,
               .placement = placement,
               .data_bytes = data_bytes,
               .out = out,
               .boxes = placement->n_nodes < BOXES_MOST ? placement->n_nodes : BOXES_MOST,
               .seated = nu_alloc(placement->n_processors, sizeof *p.seated)};
  bars b = {.p = &p, .capacity = NU_BUFFER_KINDS + LAYERS_MOST};
  b.list = nu_alloc(b.capacity, sizeof *b.list);
  if (b.list && nu_plan_places_memory(plan)) find_bars(&b);
  b.stripes = nu_alloc(b.room, sizeof *b.stripes);
  bool ready = p.seated && b.list && b.stripes;
  if (ready) find_threads(&p);
  if (ready) draw(&b, alone);
  out->failed |= !ready;
  free(p.seated);
  free(b.list);
  free(b.stripes);
  return ready;
}
