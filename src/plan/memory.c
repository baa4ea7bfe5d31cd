/* How much memory a training will take: the allocations of data, network, engine and trainer,
 * counted beforehand. SPDX-License-Identifier: MIT
 *
 * What a stage allocates stands there: data/table.c, network/network.c, trainer/engine.c, state.c.
 * A change there is a change here; tests/check_plan.c holds the roots against the trainer's own
 * count. */
#include "plan/memory.h"

#include "plan/cost.h"
#include "plan/placement.h"

/* Measured with getrusage: the command with its libraries, its config and one thread; each further
 * thread's stack; and what reading a file holds beside the rows (data/table.c, data/input.c). */
#define PROGRAM_BYTES (9500u << 10)
#define THREAD_BYTES (96u << 10)
#define READING_BYTES (1u << 20)
/* Rows are read into pieces that double in size from here to there. */
#define PIECE_LEAST (64u << 10)
#define PIECE_MOST (32u << 20)
/* Rows that a thread evaluates together (trainer/evaluate.c). */
#define EVALUATED_ROWS 256

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static size_t engine_floats(const numann_plan *plan, const numann_network *network) {
  size_t floats = 0;
  for (size_t l = 0; l < network->n_layers; l++) {
    floats += nu_plan_layer_floats(plan, network->layers[l].inputs, network->layers[l].neurons);
  }
  return floats;
}

static size_t features_of(const numann_network *network) { return network->layers[0].inputs; }
static size_t outputs_of(const numann_network *network) {
  return network->layers[network->n_layers - 1].neurons;
}

/* ---- data */

static size_t data_bytes(const numann_network *network, const nu_memory_request *r, size_t rows) {
  return rows * (features_of(network) * r->input_bytes + r->target_floats * sizeof(float));
}

static size_t largest_piece(size_t bytes) {
  size_t most = 0;
  for (size_t piece = PIECE_LEAST; bytes > 0; piece = smaller(2 * piece, PIECE_MOST)) {
    most = larger(most, smaller(bytes, piece));
    bytes -= smaller(bytes, piece);
  }
  return most;
}

/* What reading takes at its fullest moment: the parts come one after the other, and of each the
 * rows of one piece stand there twice, while they move to their place. Rows that are copied all do.
 */
static size_t reading_bytes(const numann_network *network, const nu_memory_request *r) {
  const size_t rows[] = {r->train_rows, r->validation_rows, r->test_rows};
  size_t before = 0, most = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t bytes = data_bytes(network, r, rows[i]);
    before += bytes;
    most = larger(most, before + (r->copied ? bytes : largest_piece(bytes) + READING_BYTES));
  }
  return most;
}

/* ---- the engine: placement.h counts its buffers */

/* Floats of one held row. */
static size_t row_floats(const numann_network *network, size_t copies) {
  size_t floats = nu_stride(features_of(network)) + outputs_of(network);
  for (size_t l = 0; l < network->n_layers; l++)
    floats += copies * nu_stride(network->layers[l].neurons);
  return floats;
}

/* Roots of the complete subtrees of an interval of grains (trainer/tree.h). */
static size_t count_roots(nu_range grains) {
  size_t n = 0;
  for (size_t at = grains.begin; at < grains.end; n++) {
    size_t size = 1;
    while (at % (2 * size) == 0 && at + 2 * size <= grains.end) size *= 2;
    at += size;
  }
  return n;
}

size_t nu_plan_roots(const numann_plan *plan, size_t rows) {
  size_t most = 0;
  for (size_t group = 0; group < plan->groups; group++) {
    nu_range all = nu_plan_group_grains(plan, rows, group);
    for (size_t end = all.begin; end < all.end;) {
      end = smaller(end + plan->chunk, all.end);
      most = larger(most, count_roots((nu_range){all.begin, end}));
    }
  }
  return most;
}

/* The rows that an evaluation holds, and its answers to all `rows`. */
static size_t evaluation_bytes(const numann_plan *plan, const numann_network *network,
                               size_t rows) {
  size_t held = smaller(EVALUATED_ROWS * plan->threads, rows);
  return (held * row_floats(network, 1) + rows * outputs_of(network)) * sizeof(float) +
         rows * sizeof(double);
}

/* What the measuring of all parts at the end takes, which has the trainer's place. */
static size_t final_bytes(const numann_plan *plan, const numann_network *network,
                          const nu_memory_request *r) {
  size_t rows = larger(r->train_rows, larger(r->validation_rows, r->test_rows));
  return PROGRAM_BYTES + data_bytes(network, r, r->train_rows + r->validation_rows + r->test_rows) +
         (engine_floats(plan, network) + network->n_parameters) * sizeof(float) +
         evaluation_bytes(plan, network, rows) + plan->threads * THREAD_BYTES;
}

/* ---- the whole */

/* Of neighbouring kinds. */
static size_t bytes_of(const numann_plan *plan, const numann_network *network, nu_buffer_kind first,
                       nu_buffer_kind last) {
  size_t bytes = 0;
  for (size_t kind = first; kind <= last; kind++)
    bytes += nu_plan_buffer_bytes(plan, network, (nu_buffer_kind)kind);
  return bytes;
}

static void add(nu_memory *memory, const char *purpose, size_t bytes) {
  if (!bytes) return;
  memory->parts[memory->n_parts++] = (nu_memory_part){purpose, bytes};
  memory->bytes += bytes;
}

nu_memory nu_plan_memory(const numann_plan *plan, const numann_network *network,
                         const nu_memory_request *r) {
  nu_memory memory = {.n_parts = 0};
  size_t rows = r->train_rows + r->validation_rows + r->test_rows;
  size_t logical = network->n_parameters * sizeof(float);
  size_t root = nu_plan_roots_of_group(plan) ? engine_floats(plan, network) * sizeof(float) : 0;
  size_t stacks = (plan->threads + plan->idle) * THREAD_BYTES;
  add(&memory, "program and libraries", PROGRAM_BYTES);
  add(&memory, "data", data_bytes(network, r, rows));
  add(&memory, "order of the rows", r->train_rows * sizeof(uint32_t));
  add(&memory, "weights, as the kernels want them",
      nu_plan_buffer_bytes(plan, network, NU_BUFFER_WEIGHTS));
  add(&memory, "weights, as files hold them", (r->best ? 3 : 1) * logical);
  add(&memory, "moments of the optimiser, both forms",
      bytes_of(plan, network, NU_BUFFER_MOMENT1, NU_BUFFER_MOMENT2) + plan->moments * logical);
  add(&memory, "rows of a batch: activations, deltas",
      bytes_of(plan, network, NU_BUFFER_INPUTS, NU_BUFFER_DELTAS) + plan->batch * sizeof(double));
  add(&memory, "pairs of bf16",
      nu_plan_buffer_bytes(plan, network, NU_BUFFER_WEIGHT_PAIRS) +
          bytes_of(plan, network, NU_BUFFER_INPUT_PAIRS, NU_BUFFER_DELTA_PAIRS));
  add(&memory, "packed operands", nu_plan_buffer_bytes(plan, network, NU_BUFFER_PACKED));
  add(&memory, "gradient", nu_plan_buffer_bytes(plan, network, NU_BUFFER_GRADIENT) + root);
  add(&memory, "sums that wait for other groups",
      nu_plan_buffer_bytes(plan, network, NU_BUFFER_ROOT) - root);
  add(&memory, "scratch and stacks of the threads",
      nu_plan_buffer_bytes(plan, network, NU_BUFFER_SCRATCH) + stacks);
  if (r->evaluated) add(&memory, "validation", evaluation_bytes(plan, network, r->validation_rows));
  size_t training = memory.bytes, reading = PROGRAM_BYTES + reading_bytes(network, r);
  size_t end = r->evaluated ? final_bytes(plan, network, r) : 0;
  if (reading > training && reading >= end)
    add(&memory, "reading the data, beyond the above", reading - training);
  else if (end > training)
    add(&memory, "the evaluation at the end, beyond the above", end - training);
  return memory;
}
