/* Descent: a pass over the batch, then one element-wise step of every weight.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "trainer/iteration.h"

double nu_add_losses(const nu_engine *engine, size_t rows, double sum) {
  for (size_t i = 0; i < rows; i++) sum += engine->row_loss[i];
  return sum;
}

/* (4.12), then (4.5) and (4.8); fused unless clipping needs the whole gradient first. In all chunks
 * but the last only the gradient. Returns eta. */
static double descend(nu_training *training, nu_team *team, size_t thread, const nu_pass *pass) {
  nu_engine *engine = &training->engine;
  const nu_optimizer *optimizer = &training->optimizer;
  double norm = 0.0;
  if (!training->fused) {
    nu_engine_backward(engine, team, thread, pass, NULL);
    if (!pass->chunk->last) return 0.0;
    if (optimizer->clip_norm > 0.0) norm = nu_engine_norm(engine, team, thread);
  }
  nu_update update = nu_optimizer_step(optimizer, pass->step, pass->chunk->batch, norm);
  if (training->fused) nu_engine_backward(engine, team, thread, pass, &update);
  else nu_engine_update(engine, thread, &update);
  return (double)update.learning_rate;
}

static bool step(nu_training *training, nu_team *team, size_t thread, const nu_step *step,
                 nu_outcome *outcome) {
  nu_engine *engine = &training->engine;
  nu_batch batch = {.data = training->rows, .order = training->order, .first = step->first};
  size_t chunks = nu_plan_chunks(engine->plan, step->rows);
  for (size_t c = 0; c < chunks; c++) {
    nu_chunk chunk = nu_plan_chunk(engine->plan, step->rows, thread, c);
    nu_pass pass = {.chunk = &chunk, .step = step->number, .trains = true};
    nu_engine_gather(engine, team, thread, &batch, &pass);
    nu_engine_forward(engine, team, thread, &pass);
    nu_engine_output(engine, team, thread, &pass, true);
    if (chunk.last) outcome->loss = nu_add_losses(engine, step->rows, outcome->loss);
    if (!isfinite(outcome->loss)) return false;
    outcome->learning_rate = descend(training, team, thread, &pass);
  }
  return true;
}

const nu_iteration nu_descent = {.step = step};
