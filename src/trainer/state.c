/* The state that a checkpoint holds. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/memory.h"
#include "trainer/trainer.h"

numann_status nu_state_allocate(nu_state *state, size_t n_parameters, bool moment1, bool moment2,
                                bool best, numann_error *err) {
  return nu_state_borrow(state, NULL, n_parameters, moment1, moment2, best, err);
}

numann_status nu_state_borrow(nu_state *state, float *weights, size_t n_parameters, bool moment1,
                              bool moment2, bool best, numann_error *err) {
  *state =
      (nu_state){.n_parameters = n_parameters, .weights = weights, .borrowed = weights != NULL};
  struct {
    bool needed;
    float **block;
  } blocks[] = {{!weights, &state->weights},
                {moment1, &state->moment1},
                {moment2, &state->moment2},
                {best, &state->best}};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    if (!blocks[i].needed) continue;
    *blocks[i].block = nu_alloc(n_parameters, sizeof(float));
    if (!*blocks[i].block) {
      nu_state_clear(state);
      return nu_fail_memory(err, n_parameters * sizeof(float), "the state of training");
    }
  }
  return NUMANN_OK;
}

void nu_state_clear(nu_state *state) {
  if (!state->borrowed) free(state->weights);
  free(state->moment1);
  free(state->moment2);
  free(state->best);
  *state = (nu_state){0};
}
