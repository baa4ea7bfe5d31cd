/* gradcheck on the network and data of a config. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "config/config.h"
#include "data/data.h"
#include "machine/float_env.h"
#include "numann/plan.h"
#include "plan/plan.h"
#include "trainer/gradcheck.h"

/* Enough rows for a tree of several grains; fewer where the naive pass over them would take more
 * multiply-adds than this, but never so few that there is no tree. */
#define MOST_ROWS 200
#define LEAST_ROWS 65
#define BUDGET 6e8

/* Of an input or a target. */
#define LARGEST 8.0f

/* Biases are drawn in [-BIAS, BIAS). */
#define BIAS 0.1

typedef struct source {
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
  uint32_t *order; /* [rows of data] */
  float *inputs, *targets;
} source;

static size_t rows_to_check(const source *from) {
  double affordable = BUDGET / (6.0 * (double)from->network->n_parameters);
  size_t rows = MOST_ROWS, available = from->data->train.rows;
  if (affordable < MOST_ROWS) rows = affordable > LEAST_ROWS ? (size_t)affordable : LEAST_ROWS;
  return rows < available ? rows : available;
}

static void draw_biases(numann_network *network, uint64_t seed) {
  for (size_t l = 0; l < network->n_layers; l++) {
    nu_stream stream = {seed, NU_PURPOSE_GENERATE, (uint32_t)(network->n_layers + l)};
    for (size_t j = 0; j < network->layers[l].neurons; j++) {
      network->layers[l].biases[j] = (float)(BIAS * (2.0 * nu_random_uniform(stream, j) - 1.0));
    }
  }
}

/* One-hot for classes; one output for two classes is 0 or 1. */
static void put_target(const nu_rows *rows, size_t row, size_t n, float *target) {
  if (rows->targets) {
    memcpy(target, rows->targets + row * n, n * sizeof *target);
  } else if (n == 1) {
    target[0] = (float)rows->labels[row];
  } else {
    target[rows->labels[row]] = 1.0f;
  }
}

/* Columns of raw data may be 10^5 large, which saturates units and drowns small differences: such a
 * column is multiplied by a power of two, so that its mantissas stay. */
static void tame_columns(float *values, size_t rows, size_t columns) {
  for (size_t j = 0; j < columns; j++) {
    float largest = 0.0f, factor = 1.0f;
    for (size_t i = j; i < rows * columns; i += columns) {
      float size = values[i] < 0.0f ? -values[i] : values[i];
      largest = size > largest ? size : largest;
    }
    while (largest * factor > LARGEST) factor *= 0.5f;
    for (size_t i = j; i < rows * columns; i += columns) values[i] *= factor;
  }
}

static numann_status gather(source *from, size_t rows, const numann_config *config,
                            numann_error *err) {
  const nu_rows *train = &from->data->train;
  size_t n_in = numann_network_inputs(from->network), n_out = numann_network_outputs(from->network);
  from->order = nu_alloc(train->rows, sizeof *from->order);
  from->inputs = nu_alloc(rows, n_in * sizeof(float));
  from->targets = nu_alloc(rows, n_out * sizeof(float));
  if (!from->order || !from->inputs || !from->targets) {
    return nu_fail_memory(err, rows * (n_in + n_out) * sizeof(float), "the rows to check");
  }
  nu_data_order(from->order, train->rows, nu_config_count(config, "train.seed"), 0,
                nu_config_flag(config, "train.shuffle"));
  nu_float_env env = nu_float_env_enter();
  for (size_t r = 0; r < rows; r++) {
    size_t row = from->order[r];
    nu_rows_inputs(train, n_in, row, 0, n_in, from->inputs + r * n_in);
    put_target(train, row, n_out, from->targets + r * n_out);
  }
  nu_float_env_leave(&env);
  tame_columns(from->inputs, rows, n_in);
  tame_columns(from->targets, rows, n_out);
  return NUMANN_OK;
}

/* The proof of the bound counts roundings of 2^-24, and no step of differences could see through
 * 2^-8. */
static numann_status refuse_bf16(const numann_config *config, numann_error *err) {
  if (strcmp(nu_config_string(config, "train.precision"), "bf16") != 0) return NUMANN_OK;
  return nu_config_fail(
      config, "train.precision", err,
      "bf16: gradcheck proves its bounds for fp32 only; add --set train.precision=fp32 "
      "to check the same equations");
}

static numann_status run(nu_gradcheck *out, source *from, const numann_config *config,
                         numann_error *err) {
  NU_TRY(refuse_bf16(config, err));
  uint64_t seed = nu_config_count(config, "train.seed");
  NU_TRY(numann_data_load(&from->data, config, err));
  NU_TRY(numann_network_create(&from->network, config, from->data, err));
  NU_TRY(numann_plan_create(&from->plan, config, from->network, from->data, err));
  size_t rows = rows_to_check(from);
  NU_TRY(gather(from, rows, config, err));
  draw_biases(from->network, seed);
  nu_gradcheck_batch batch = {.rows = rows, .inputs = from->inputs, .targets = from->targets};
  return nu_gradcheck_network(out, from->network, &batch, from->plan->plan.problem.grain, seed,
                              err);
}

numann_status nu_gradcheck_run(nu_gradcheck *out, const numann_config *config, numann_error *err) {
  source from = {0};
  *out = (nu_gradcheck){0};
  numann_status status = run(out, &from, config, err);
  numann_data_destroy(from.data);
  numann_network_destroy(from.network);
  numann_plan_destroy(from.plan);
  free(from.order);
  free(from.inputs);
  free(from.targets);
  return status;
}
