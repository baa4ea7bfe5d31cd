/* The floating-point state in which every number of numann is computed: round to nearest, and
 * subnormal inputs and results taken as zero (FTZ, DAZ). Part of the same-bits contract, and the
 * reason why a run does not slow down when values become tiny. SPDX-License-Identifier: MIT */
#ifndef NU_MACHINE_FLOAT_ENV_H
#define NU_MACHINE_FLOAT_ENV_H

#include <fenv.h>
#include <stdint.h>

/* The calling thread's state: rounding, exception flags and masks, FTZ and DAZ. */
typedef struct nu_float_env {
#if defined(__x86_64__)
  uint32_t mxcsr;       /* SSE, which computes */
  uint16_t x87_control; /* consulted by libc when it reads and prints numbers */
#elif defined(__aarch64__)
  uint64_t fpcr, fpsr;
#else
  fenv_t saved;
#endif
} nu_float_env;

/* Save the calling thread's state and enter numann's. Every public entry that computes, and every
 * thread of a team, does this first and nu_float_env_leave last. */
nu_float_env nu_float_env_enter(void);
void nu_float_env_leave(const nu_float_env *env);

/* Until nu_float_env_resume, put back the state that the calling thread had outside all such pairs:
 * threads started meanwhile inherit it, as they would from the caller. */
nu_float_env nu_float_env_suspend(void);
void nu_float_env_resume(const nu_float_env *env);

#endif
