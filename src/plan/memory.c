/* How much memory a training will take: the ledger's sums, and what stands beside the engine: rows
 * (data/table.c), weights as files hold them (network, trainer/state.c), the program itself.
 * SPDX-License-Identifier: MIT */
#include "plan/memory.h"

#include <stdint.h>

#include "base/least.h"

/* Measured with getrusage: the command with its libraries, its config and one thread; each further
 * thread's stack; and what reading a file holds beside the rows (data/table.c, data/input.c). */
#define PROGRAM_BYTES (9500u << 10)
#define THREAD_BYTES (96u << 10)
#define READING_BYTES (1u << 20)
/* Rows are read into pieces that double in size from here to there. */
#define PIECE_LEAST (64u << 10)
#define PIECE_MOST (32u << 20)
/* Rows of a thread that are evaluated together: their activations stay in the cache. */
#define EVALUATED_ROWS 256u

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
  for (size_t piece = PIECE_LEAST; bytes > 0; piece = nu_smaller(2 * piece, PIECE_MOST)) {
    most = nu_larger(most, nu_smaller(bytes, piece));
    bytes -= nu_smaller(bytes, piece);
  }
  return most;
}

/* What reading takes at its fullest moment: the parts come one after the other, and of each the
 * rows of one piece stand there twice, while they move to their place, or to where other processes
 * see them (PIECE of data/share.c is no larger). Rows that are copied all do. */
static size_t reading_bytes(const numann_network *network, const nu_memory_request *r) {
  const size_t rows[] = {r->train_rows, r->validation_rows, r->test_rows};
  size_t before = 0, most = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    size_t bytes = data_bytes(network, r, rows[i]);
    before += bytes;
    most = nu_larger(most, before + (r->copied ? bytes : largest_piece(bytes) + READING_BYTES));
  }
  return most;
}

/* ---- evaluation */

nu_plan nu_plan_for_evaluation(size_t threads, size_t rows) {
  threads = nu_larger(threads, 1);
  size_t batch = nu_larger(1, nu_smaller(rows, EVALUATED_ROWS * threads));
  return nu_plan_of(threads, NU_SAMPLES, 0, batch, (batch + threads - 1) / threads);
}

/* The engine of an evaluation, and its answers to all `rows`. */
static size_t evaluation_bytes(const nu_plan *plan, const numann_network *network, size_t rows,
                               nu_use use) {
  nu_plan evaluation = nu_plan_for_evaluation(plan->threads, rows);
  return nu_ledger_bytes(&evaluation, network, use, NU_BUFFER_KINDS) +
         rows * (outputs_of(network) * sizeof(float) + sizeof(double));
}

/* What the measuring of all parts at the end takes, which has the trainer's place. */
static size_t final_bytes(const nu_plan *plan, const numann_network *network,
                          const nu_memory_request *r) {
  size_t rows = nu_larger(r->train_rows, nu_larger(r->validation_rows, r->test_rows));
  return PROGRAM_BYTES + data_bytes(network, r, r->train_rows + r->validation_rows + r->test_rows) +
         network->n_parameters * sizeof(float) +
         evaluation_bytes(plan, network, rows, NU_USE_PREDICT) + plan->threads * THREAD_BYTES;
}

/* ---- the whole */

/* Of neighbouring kinds. */
static size_t bytes_of(const nu_plan *plan, const numann_network *network, nu_buffer_kind first,
                       nu_buffer_kind last) {
  size_t bytes = 0;
  for (size_t kind = first; kind <= last; kind++)
    bytes += nu_ledger_bytes(plan, network, nu_plan_use(plan), (nu_buffer_kind)kind);
  return bytes;
}

static void add(nu_memory *memory, const char *purpose, size_t bytes) {
  if (!bytes) return;
  memory->parts[memory->n_parts++] = (nu_memory_part){purpose, bytes};
  memory->bytes += bytes;
}

nu_memory nu_plan_memory(const nu_plan *plan, const numann_network *network,
                         const nu_memory_request *r) {
  nu_memory memory = {.n_parts = 0};
  size_t rows = r->train_rows + r->validation_rows + r->test_rows;
  size_t logical = network->n_parameters * sizeof(float);
  size_t root =
      nu_plan_leaves_roots(plan) ? nu_plan_network_floats(plan, network) * sizeof(float) : 0;
  size_t stacks = (plan->threads + plan->idle) * THREAD_BYTES;
  add(&memory, "program and libraries", PROGRAM_BYTES);
  add(&memory, "data", data_bytes(network, r, rows));
  add(&memory, "order of the rows", r->train_rows * sizeof(uint32_t));
  add(&memory, "weights, as the kernels want them",
      bytes_of(plan, network, NU_BUFFER_WEIGHTS, NU_BUFFER_WEIGHTS));
  add(&memory, "weights, as files hold them", (r->best ? 3 : 1) * logical);
  add(&memory, "moments of the optimiser, both forms",
      bytes_of(plan, network, NU_BUFFER_ARRAY, NU_BUFFER_ARRAY) + plan->arrays * logical);
  add(&memory, "rows of a batch: activations, deltas",
      bytes_of(plan, network, NU_BUFFER_INPUTS, NU_BUFFER_DELTAS) +
          bytes_of(plan, network, NU_BUFFER_SAMPLES, NU_BUFFER_NORMS));
  add(&memory, "pairs of bf16",
      bytes_of(plan, network, NU_BUFFER_WEIGHT_PAIRS, NU_BUFFER_WEIGHT_PAIRS) +
          bytes_of(plan, network, NU_BUFFER_INPUT_PAIRS, NU_BUFFER_DELTA_PAIRS));
  add(&memory, "packed operands", bytes_of(plan, network, NU_BUFFER_PACKED, NU_BUFFER_PACKED));
  add(&memory, "gradient", bytes_of(plan, network, NU_BUFFER_GRADIENT, NU_BUFFER_GRADIENT) + root);
  add(&memory, "sums that wait for other groups",
      bytes_of(plan, network, NU_BUFFER_ROOT, NU_BUFFER_ROOT) - root);
  add(&memory, "messages of the ranks",
      bytes_of(plan, network, NU_BUFFER_SENT, NU_BUFFER_RECEIVED));
  add(&memory, "scratch and stacks of the threads",
      bytes_of(plan, network, NU_BUFFER_SCRATCH, NU_BUFFER_SCRATCH) + stacks);
  if (r->evaluated)
    add(&memory, "validation", evaluation_bytes(plan, network, r->validation_rows, NU_USE_BORROW));
  size_t training = memory.bytes, reading = PROGRAM_BYTES + reading_bytes(network, r);
  size_t end = r->evaluated ? final_bytes(plan, network, r) : 0;
  if (reading > training && reading >= end)
    add(&memory, "reading the data, beyond the above", reading - training);
  else if (end > training)
    add(&memory, "the evaluation at the end, beyond the above", end - training);
  return memory;
}
