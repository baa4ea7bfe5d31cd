/* The phases of a step, per thread. SPDX-License-Identifier: MIT
 *
 * What a thread does is a range of rows times a range of panels (plan/plan.h); the same code serves
 * every strategy. Threads that share rows meet between the layers, others only at the gradient. */
#include "trainer/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "trainer/ranks.h"

void nu_meet_on_rows(const nu_engine *engine, nu_team *team) {
  if (nu_plan_shares_rows(engine->plan)) nu_team_barrier(team);
}

/* ---- gather */

/* One-hot for classes; one output for two classes is 0 or 1. */
static void put_target(const nu_engine *engine, const nu_rows *data, size_t row, float *target) {
  size_t n = engine->outputs;
  if (!data->labels) {
    memcpy(target, data->targets + row * n, n * sizeof *target);
  } else if (n == 1) {
    target[0] = (float)data->labels[row];
  } else {
    memset(target, 0, n * sizeof *target);
    target[data->labels[row]] = 1.0f;
  }
}

static size_t row_of(const nu_batch *batch, size_t i) {
  return batch->order ? batch->order[batch->first + i] : batch->first + i;
}

static size_t row_bytes(const nu_engine *engine, const nu_rows *data) {
  return engine->features * (data->bytes ? 1 : sizeof(float));
}

/* Shuffled rows lie where no hardware looks ahead: row i of the batch, or of those after it, is
 * sent for. Always inline: gcc 12 takes a function that only prefetches for one without effects,
 * and drops its calls. */
static inline __attribute__((always_inline)) void fetch_row(const nu_engine *engine,
                                                            const nu_batch *batch, size_t i) {
  const nu_rows *data = batch->data;
  if (batch->first + i >= data->rows) return;
  size_t row = row_of(batch, i);
  size_t bytes = row_bytes(engine, data);
  const char *at =
      (data->bytes ? (const char *)data->bytes : (const char *)data->inputs) + row * bytes;
  for (size_t j = 0; j < bytes; j += 64) __builtin_prefetch(at + j);
  if (data->labels) __builtin_prefetch(data->labels + row);
  if (data->targets) __builtin_prefetch(data->targets + row * engine->outputs);
}

static void put_inputs(const nu_engine *engine, const nu_rows *data, size_t row, float *to) {
  size_t n = engine->features;
  if (data->inputs) memcpy(to, data->inputs + row * n, n * sizeof *to);
  else
    engine->kernels->scale(n, data->bytes + row * n, data->scaling.shift, data->scaling.scale, to);
}

/* While a row is copied, the one some 4 KB after it is on its way; where this share of the chunk
 * ends before that, the same row of the next chunk, which comes while this one trains. */
void nu_gather_rows(const nu_engine *engine, size_t thread, const nu_batch *batch,
                    const nu_chunk *chunk) {
  const nu_rows *data = batch->data;
  nu_range mine = nu_plan_my_own(engine->plan, chunk->held, thread);
  size_t first = chunk->rows.begin - chunk->held.begin, ahead = 1 + 4096 / row_bytes(engine, data);
  size_t next_chunk = chunk->rows.end - chunk->rows.begin,
         target_stride = nu_padded(engine->outputs);
  for (size_t i = mine.begin; i < mine.end; i++) {
    size_t row = row_of(batch, first + i);
    fetch_row(engine, batch, first + i + (i + ahead < mine.end ? ahead : next_chunk));
    put_inputs(engine, data, row, engine->inputs + i * engine->input_stride);
    nu_narrow_rows(engine, engine->inputs, engine->input_pairs, engine->input_stride,
                   (nu_range){i, i + 1}, (nu_range){0, engine->input_stride});
    if (engine->samples) engine->samples[i] = batch->samples ? batch->samples[row] : (uint32_t)row;
    if (data->labels || data->targets)
      put_target(engine, data, row, engine->targets + i * target_stride);
  }
}

/* ---- the output layer */

void nu_output_rows(const nu_engine *engine, size_t thread, const nu_chunk *chunk, bool targets) {
  const nu_engine_layer *layer = &engine->layers[engine->n_layers - 1];
  nu_range mine = nu_plan_my_own(engine->plan, chunk->held, thread);
  engine->kernels->output(&(nu_output){
      .activation = layer->activation,
      .loss = engine->loss,
      .n = layer->neurons,
      .rows = mine.end - mine.begin,
      .z = layer->activations + mine.begin * layer->stride,
      .delta = layer->deltas ? layer->deltas + mine.begin * layer->stride : NULL,
      .stride = layer->stride,
      .target = targets ? engine->targets + mine.begin * nu_padded(layer->neurons) : NULL,
      .row_loss = engine->row_loss + chunk->rows.begin + mine.begin - chunk->held.begin,
      .scratch = engine->threads[thread].scratch});
  nu_narrow_rows(engine, layer->deltas, layer->delta_pairs, layer->stride, mine,
                 (nu_range){0, layer->stride});
}

/* ---- the phases */

void nu_engine_gather(nu_engine *engine, nu_team *team, size_t thread, const nu_batch *batch,
                      const nu_pass *pass) {
  nu_gather_rows(engine, thread, batch, pass->chunk);
  nu_meet_on_rows(engine, team);
}

void nu_engine_forward(nu_engine *engine, nu_team *team, size_t thread, const nu_pass *pass) {
  bool shares = nu_plan_shares_rows(engine->plan);
  for (size_t l = 0; l < engine->n_layers; l++) {
    engine->layers[l].shape->kind->forward(engine, l, thread, pass);
    if (shares && nu_plan_meets_after_forward(engine->plan, engine->network, l))
      nu_team_barrier(team);
  }
}

void nu_engine_output(nu_engine *engine, nu_team *team, size_t thread, const nu_pass *pass,
                      bool targets) {
  nu_output_rows(engine, thread, pass->chunk, targets);
  if (!engine->layers[engine->n_layers - 1].deltas) return;
  if (pass->chunk->last) nu_team_barrier(team);
  else nu_meet_on_rows(engine, team);
  if (pass->chunk->last && engine->ranks.comm)
    nu_ranks_share_losses(engine, team, thread, pass->chunk->batch);
}

/* Layer by layer from above: the delta of the layer below from the weights of layer l, and only
 * when all threads that read them have it, the gradient of layer l, which may change those weights.
 * */
void nu_engine_backward(nu_engine *engine, nu_team *team, size_t thread, const nu_pass *pass,
                        const nu_update *update) {
  bool shares = nu_plan_shares_rows(engine->plan);
  for (size_t l = engine->n_layers; l-- > 0;) {
    if (l > 0) {
      engine->layers[l].shape->kind->delta(engine, l, thread, pass);
      if (shares && nu_plan_meets_after_delta(engine->plan, engine->network, l - 1))
        nu_team_barrier(team);
    }
    nu_gradient_layer(engine, l, thread, pass->chunk, update);
    if (pass->chunk->last && engine->ranks.comm)
      nu_join_ranks(engine, team, thread, pass->chunk->batch, l, update);
  }
  if (!pass->chunk->last) {
    nu_meet_on_rows(engine, team); /* before the next chunk's rows overwrite what others read */
    return;
  }
  if (engine->plan->groups > 1 && !engine->ranks.comm) {
    nu_team_barrier(team);
    nu_join_groups(engine, team, thread, pass->chunk->batch, update);
  }
  if (!update) nu_team_barrier(team);
}

void nu_engine_pass(nu_engine *engine, nu_team *team, size_t thread, const nu_batch *batch,
                    size_t rows, uint64_t step) {
  size_t chunks = nu_plan_chunks(engine->plan, rows);
  for (size_t c = 0; c < chunks; c++) {
    nu_chunk chunk = nu_plan_chunk(engine->plan, rows, thread, c);
    nu_pass pass = {.chunk = &chunk, .step = step, .trains = true};
    nu_engine_gather(engine, team, thread, batch, &pass);
    nu_engine_forward(engine, team, thread, &pass);
    nu_engine_output(engine, team, thread, &pass, true);
    nu_engine_backward(engine, team, thread, &pass, NULL);
  }
}

/* ---- one batch, for gradcheck and tests */

typedef struct one_batch {
  nu_engine *engine;
  const nu_batch *batch;
} one_batch;

static void run_one_batch(nu_team *team, size_t thread, void *arg) {
  one_batch *one = arg;
  nu_engine_pass(one->engine, team, thread, one->batch, one->batch->data->rows, 0);
}

numann_status nu_engine_gradient_of(const numann_network *network, const nu_plan *plan,
                                    const nu_batch *batch, float *gradient, numann_error *err) {
  nu_engine engine;
  NU_TRY(nu_engine_create(&engine, network, plan, NU_USE_GRADIENT, err));
  one_batch one = {&engine, batch};
  numann_status status = nu_engine_run(&engine, run_one_batch, &one, err);
  if (status == NUMANN_OK) nu_engine_store(&engine, NU_GRADIENT, gradient);
  nu_engine_clear(&engine);
  return status;
}

numann_status nu_engine_gradient(const numann_network *network, const nu_plan *plan, size_t rows,
                                 const float *inputs, const float *targets, float *gradient,
                                 numann_error *err) {
  nu_rows data = nu_rows_view(rows, inputs, targets);
  return nu_engine_gradient_of(network, plan, &(nu_batch){.data = &data}, gradient, err);
}
