/* The floating-point state in which every number of numann is computed: round to nearest, and
 * subnormal inputs and results taken as zero (FTZ, DAZ). Part of the same-bits contract, and the
 * reason why a run does not slow down when values become tiny. SPDX-License-Identifier: MIT */
#ifndef NU_MACHINE_FLOAT_ENV_H
#define NU_MACHINE_FLOAT_ENV_H

#include <fenv.h>

typedef struct nu_float_env {
  fenv_t saved;
} nu_float_env;

/* Save the calling thread's state and enter numann's. Every public entry that computes, and every
 * thread of a team, does this first and nu_float_env_leave last. */
nu_float_env nu_float_env_enter(void);
void nu_float_env_leave(const nu_float_env *env);

#endif
