/* SPDX-License-Identifier: MIT */
#include "plan/ledger.h"

#include "base/least.h"
#include "base/memory.h"
#include "kernels/kernels.h"
#include "plan/exchange.h"
#include "plan/placement.h"
#include "plan/tree.h"

#define P NU_PANEL
#define PAGE_FLOATS (NU_PAGE / sizeof(float))
#define LINE (64 / sizeof(float)) /* floats of a cache line */

nu_use nu_plan_use(const nu_plan *plan) { return plan->fuse ? NU_USE_FUSED : NU_USE_GRADIENT; }

void nu_book(const nu_books *books, nu_buffer_kind kind, size_t layer, size_t of, size_t items,
             size_t item_bytes) {
  nu_buffer buffer = {kind, layer, of, items * item_bytes};
  if (items) books->fn(&buffer, books->arg);
}

/* ---- sizes */

static size_t whole_pages(const nu_plan *plan, size_t floats) {
  return nu_plan_nodes(plan) > 1 ? nu_round_up(floats, PAGE_FLOATS) : floats;
}

size_t nu_plan_panel_floats(const nu_plan *plan, const nu_layer *layer) {
  return whole_pages(plan, nu_layer_rows(layer) * P);
}

size_t nu_plan_pair_panel_words(const nu_plan *plan, const nu_layer *layer) {
  return whole_pages(plan, (nu_layer_rows(layer) + 1) / 2 * P);
}

size_t nu_plan_layer_floats(const nu_plan *plan, const nu_layer *layer) {
  if (nu_plan_nodes(plan) == 1) return nu_padded(layer->neurons) * nu_layer_rows(layer);
  return nu_panels(layer->neurons) * nu_plan_panel_floats(plan, layer);
}

size_t nu_plan_network_floats(const nu_plan *plan, const numann_network *network) {
  size_t floats = 0;
  for (size_t l = 0; l < network->n_layers; l++)
    floats += nu_plan_layer_floats(plan, &network->layers[l]);
  return floats;
}

bool nu_plan_leaves_roots(const nu_plan *plan) {
  return plan->groups > 1 || nu_plan_ranks(plan) > 1 ||
         nu_plan_chunks(plan, plan->problem.batch) > 1;
}

/* Behind any chunk of a batch of `rows` rows, in any group. */
static size_t most_roots(const nu_plan *plan, size_t rows) {
  size_t most = 0;
  for (size_t group = 0; group < plan->groups; group++) {
    nu_range all = nu_plan_group_grains(plan, rows, group);
    for (size_t end = all.begin; end < all.end;) {
      nu_tree tree;
      end = nu_smaller(end + plan->chunk, all.end);
      nu_tree_of(&tree, all.begin, end);
      most = nu_larger(most, tree.depth);
    }
  }
  return most;
}

size_t nu_plan_roots_of_group(const nu_plan *plan) {
  const nu_problem *p = &plan->problem;
  if (!nu_plan_leaves_roots(plan)) return 0;
  return nu_larger(1, nu_larger(most_roots(plan, p->batch), most_roots(plan, p->last_batch)));
}

size_t nu_plan_rank_roots(const nu_plan *plan, size_t rows, size_t rank) {
  nu_range grains = nu_plan_rank_grains(plan, rows, rank);
  nu_tree tree;
  nu_tree_of(&tree, grains.begin, grains.end);
  return tree.depth;
}

size_t nu_plan_rank_floats(const nu_plan *plan, const numann_network *network, size_t rank,
                           nu_range layers) {
  size_t floats = 0;
  for (size_t l = layers.begin; l < layers.end; l++) {
    const nu_layer *layer = &network->layers[l];
    floats += nu_part_floats(layer, nu_plan_rank_part(plan, layer, rank));
  }
  return floats;
}

size_t nu_plan_region_inputs(const nu_plan *plan) {
  return plan->blocks.inputs + plan->blocks.inputs / 4;
}

size_t nu_plan_block_links(const nu_plan *plan, size_t links) {
  size_t blocks = (links + plan->blocks.k - 1) / plan->blocks.k;
  return nu_round_up((links + blocks - 1) / blocks, P);
}

nu_per_thread nu_plan_per_thread(const nu_plan *plan, const nu_layer *layer) {
  if (layer->kind->per_thread) return layer->kind->per_thread(plan, layer);
  return (nu_per_thread){.together = 1};
}

/* ---- what every engine has */

static bool trains(const nu_books *b) { return b->use > NU_USE_PREDICT; }

static void book_parameters(const nu_books *b, size_t l) {
  const nu_layer *layer = &b->network->layers[l];
  size_t floats = nu_plan_layer_floats(b->plan, layer);
  for (size_t r = 0; b->use != NU_USE_BORROW && r < nu_plan_replicas(b->plan); r++)
    nu_book(b, NU_BUFFER_WEIGHTS, l, r, floats, sizeof(float));
  if (!trains(b)) return;
  for (size_t a = 0; a < b->plan->arrays; a++)
    nu_book(b, NU_BUFFER_ARRAY, l, a, floats, sizeof(float));
  nu_book(b, NU_BUFFER_NORMS, l, 0, floats ? nu_panels(layer->neurons) : 0, sizeof(double));
}

/* The gradient is where the first group's first root is; where nothing is left over and every
 * region is updated at once, there is none. */
static void book_gradients(const nu_books *b) {
  size_t floats = nu_plan_network_floats(b->plan, b->network);
  size_t roots = b->plan->groups * nu_plan_roots_of_group(b->plan);
  if (!roots && b->use != NU_USE_FUSED) nu_book(b, NU_BUFFER_GRADIENT, 0, 0, floats, sizeof(float));
  for (size_t r = 0; r < roots; r++) nu_book(b, NU_BUFFER_ROOT, 0, r, floats, sizeof(float));
}

/* Those that a product of matrices reads (layers/dense). */
static bool reads_pairs(const nu_books *b, size_t l) {
  bool pairs = b->plan->problem.precision == NU_BF16;
  return pairs && l < b->network->n_layers && b->network->layers[l].kind->product;
}

static void book_rows(const nu_books *b, size_t l) {
  const nu_layer *layer = &b->network->layers[l];
  size_t floats = b->rows * nu_stride(layer->neurons);
  nu_book(b, NU_BUFFER_ACTIVATIONS, l, 0, floats, sizeof(float));
  if (reads_pairs(b, l + 1))
    nu_book(b, NU_BUFFER_ACTIVATION_PAIRS, l, 0, floats / 2, sizeof(float));
  if (!trains(b)) return;
  nu_book(b, NU_BUFFER_DELTAS, l, 0, floats, sizeof(float));
  if (l > 0 && reads_pairs(b, l))
    nu_book(b, NU_BUFFER_DELTA_PAIRS, l, 0, floats / 2, sizeof(float));
}

static void book_batch(const nu_books *b) {
  const numann_network *network = b->network;
  size_t inputs = b->rows * nu_stride(network->layers[0].inputs);
  size_t outputs = nu_padded(network->layers[network->n_layers - 1].neurons);
  nu_book(b, NU_BUFFER_INPUTS, 0, 0, inputs, sizeof(float));
  nu_book(b, NU_BUFFER_TARGETS, 0, 0, b->rows * outputs, sizeof(float));
  if (reads_pairs(b, 0)) nu_book(b, NU_BUFFER_INPUT_PAIRS, 0, 0, inputs / 2, sizeof(float));
  nu_book(b, NU_BUFFER_SAMPLES, 0, 0, trains(b) && nu_network_draws(network) ? b->rows : 0,
          sizeof(uint32_t));
  nu_book(b, NU_BUFFER_LOSSES, 0, 0, b->plan->problem.batch, sizeof(double));
}

/* The largest that any layer, the output or the tree's slots of a region need. */
static void book_threads(const nu_books *b) {
  const nu_plan *plan = b->plan;
  const numann_network *network = b->network;
  size_t slots = nu_tree_slots_bound(nu_problem_grains(&plan->problem, plan->problem.batch));
  size_t outputs = nu_output_scratch(network->layers[network->n_layers - 1].neurons);
  nu_per_thread most = {.scratch = trains(b) ? slots * nu_plan_region_inputs(plan) * P : 0};
  for (size_t l = 0; trains(b) && l < network->n_layers; l++) {
    nu_per_thread needs = nu_plan_per_thread(plan, &network->layers[l]);
    if (l > 0) most.scratch = nu_larger(most.scratch, needs.scratch); /* for the deltas below */
    most.packed = nu_larger(most.packed, needs.packed);
  }
  for (size_t t = 0; t < plan->threads; t++) {
    nu_book(b, NU_BUFFER_SCRATCH, 0, t, nu_larger(outputs, most.scratch), sizeof(float));
    nu_book(b, NU_BUFFER_PACKED, 0, t, most.packed, sizeof(float));
  }
}

static size_t most_rank_roots(const nu_plan *plan, size_t rank) {
  return nu_larger(nu_plan_rank_roots(plan, plan->problem.batch, rank),
                   nu_plan_rank_roots(plan, plan->problem.last_batch, rank));
}

static size_t rank_floats(const nu_plan *plan, const numann_network *network, size_t rank) {
  return nu_plan_rank_floats(plan, network, rank, (nu_range){0, network->n_layers});
}

/* Parameters without the gaps between panels. */
static size_t all_rank_floats(const nu_plan *plan, const numann_network *network) {
  size_t floats = 0;
  for (size_t rank = 0; rank < nu_plan_ranks(plan); rank++)
    floats += rank_floats(plan, network, rank);
  return floats;
}

/* A number and the losses of a batch's rows, doubles, of each of so many ranks. */
static size_t losses_floats(const nu_plan *plan, size_t ranks) {
  return nu_round_up(2 * (ranks + plan->problem.batch), LINE);
}

nu_rank_area nu_plan_rank_area(const nu_plan *plan, const numann_network *network, size_t rank) {
  size_t its = rank_floats(plan, network, rank), others = all_rank_floats(plan, network) - its;
  nu_rank_area area = {.losses = LINE};
  area.roots = area.losses + losses_floats(plan, 1);
  area.results = area.roots + nu_round_up(most_rank_roots(plan, rank) * others, LINE);
  area.end = area.results + nu_round_up(network->n_layers * NU_RANK_HEADER + its, LINE);
  return area;
}

nu_rank_area nu_plan_received_area(const nu_plan *plan, const numann_network *network) {
  size_t ranks = nu_plan_ranks(plan), roots = 0, mine = rank_floats(plan, network, plan->rank);
  for (size_t rank = 0; rank < ranks; rank++)
    if (rank != plan->rank) roots += most_rank_roots(plan, rank);
  nu_rank_area area = {.losses = 0};
  area.roots = losses_floats(plan, ranks);
  area.results = area.roots + nu_round_up(roots * mine, LINE);
  area.end = area.results + nu_round_up((ranks - 1) * network->n_layers * NU_RANK_HEADER +
                                            all_rank_floats(plan, network) - mine,
                                        LINE);
  return area;
}

static void book_ranks(const nu_books *b) {
  if (nu_plan_ranks(b->plan) == 1) return;
  nu_book(b, NU_BUFFER_SENT, 0, 0, nu_plan_rank_area(b->plan, b->network, b->plan->rank).end,
          sizeof(float));
  nu_book(b, NU_BUFFER_RECEIVED, 0, 0, nu_plan_received_area(b->plan, b->network).end,
          sizeof(float));
}

/* ---- the walk */

void nu_ledger_walk(const nu_plan *plan, const numann_network *network, nu_use use,
                    nu_buffer_fn *fn, void *arg) {
  nu_books b = {plan, network, use, nu_plan_held(plan, plan->problem.batch), fn, arg};
  /* Layer by layer: with all weights before all rows, deep of the bench is 2 % slower. */
  for (size_t l = 0; l < network->n_layers; l++) {
    book_parameters(&b, l);
    book_rows(&b, l);
    if (network->layers[l].kind->book) network->layers[l].kind->book(&b, l);
  }
  if (trains(&b)) book_gradients(&b);
  if (trains(&b)) book_ranks(&b);
  book_batch(&b);
  book_threads(&b);
}

void nu_ledger_walk_training(const nu_plan *plan, const numann_network *network, size_t data_bytes,
                             nu_buffer_fn *fn, void *arg) {
  nu_buffer data = {.kind = NU_BUFFER_DATA, .bytes = data_bytes};
  nu_ledger_walk(plan, network, nu_plan_use(plan), fn, arg);
  if (data_bytes) fn(&data, arg);
}

typedef struct sum {
  nu_buffer_kind kind;
  size_t bytes;
} sum;

static void add(const nu_buffer *buffer, void *arg) {
  sum *s = arg;
  if (s->kind == NU_BUFFER_KINDS || buffer->kind == s->kind) s->bytes += buffer->bytes;
}

size_t nu_ledger_bytes(const nu_plan *plan, const numann_network *network, nu_use use,
                       nu_buffer_kind kind) {
  sum s = {kind, 0};
  nu_ledger_walk(plan, network, use, add, &s);
  return s.bytes;
}
