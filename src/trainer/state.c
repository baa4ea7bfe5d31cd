/* SPDX-License-Identifier: MIT */
#include "trainer/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

numann_status nu_state_create(nu_state *state, float *weights, size_t n_parameters,
                              const nu_method *method, bool best, numann_error *err) {
  const size_t size = sizeof(float);
  *state = (nu_state){.n_parameters = n_parameters,
                      .method = method,
                      .weights = weights ? weights : nu_alloc(n_parameters, size),
                      .borrowed = weights != NULL,
                      .best = best ? nu_alloc(n_parameters, size) : NULL};
  bool refused = !state->weights || (best && !state->best);
  for (size_t i = 0; i < method->n_arrays; i++) {
    state->arrays[i] = nu_alloc(n_parameters, size);
    refused |= !state->arrays[i];
  }
  if (!refused) return NUMANN_OK;
  nu_state_clear(state);
  return nu_fail_memory(err, n_parameters * size, "the state of training");
}

void nu_state_clear(nu_state *state) {
  if (!state->borrowed) free(state->weights);
  for (size_t i = 0; i < NU_METHOD_ARRAYS; i++) free(state->arrays[i]);
  free(state->best);
  *state = (nu_state){0};
}

bool nu_state_counts_agree(const nu_state *state, uint64_t batches) {
  if (state->step > INT64_MAX || state->batch > state->step || state->best_epoch > state->epoch)
    return false;
  uint64_t whole = state->step - state->batch; /* epoch * batches */
  if (state->epoch == 0) return whole == 0 && (batches == 0 || state->batch <= batches);
  uint64_t each = whole / state->epoch;
  return whole % state->epoch == 0 && each > 0 && state->batch <= each &&
         (batches == 0 || each == batches);
}

numann_status nu_state_check_counts(const nu_state *state, uint64_t batches, numann_error *err) {
  if (nu_state_counts_agree(state, batches)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_MODEL,
                 "the checkpoint is of step %llu, epoch %llu and batch %llu, which do not go "
                 "together with %llu batches an epoch; resume from another checkpoint",
                 (unsigned long long)state->step, (unsigned long long)state->epoch,
                 (unsigned long long)state->batch, (unsigned long long)batches);
}

static bool same_arrays(const nu_method *a, const nu_method *b) {
  bool same = a->n_arrays == b->n_arrays && a->n_numbers == b->n_numbers;
  for (size_t i = 0; same && i < a->n_arrays; i++) same = strcmp(a->arrays[i], b->arrays[i]) == 0;
  return same;
}

/* The weights may be the same ones. */
static void copy_block(float *to, const float *from, size_t n) {
  if (to && to != from) memcpy(to, from, n * sizeof *to);
}

void nu_state_take_counts(nu_state *to, const nu_state *from) {
  nu_state blocks = *to;
  *to = *from;
  to->n_parameters = blocks.n_parameters;
  to->method = blocks.method;
  to->weights = blocks.weights;
  to->borrowed = blocks.borrowed;
  to->best = blocks.best;
  memcpy(to->arrays, blocks.arrays, sizeof to->arrays);
}

numann_status nu_state_copy(nu_state *to, const nu_state *from, numann_error *err) {
  size_t n = to->n_parameters;
  if (from->n_parameters != n || !same_arrays(from->method, to->method) || !from->best != !to->best)
    return nu_fail(err, NUMANN_ERR_MODEL,
                   "the checkpoint has %zu parameters and another set of optimiser tensors, this "
                   "network has %zu; resume with the config that it was made with",
                   from->n_parameters, n);
  nu_state_take_counts(to, from);
  copy_block(to->weights, from->weights, n);
  copy_block(to->best, from->best, n);
  for (size_t i = 0; i < to->method->n_arrays; i++) copy_block(to->arrays[i], from->arrays[i], n);
  return NUMANN_OK;
}
