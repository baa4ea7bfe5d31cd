/* Enter and leave numann's floating-point state. SPDX-License-Identifier: MIT
 *
 * <fenv.h> knows no FTZ and DAZ, and glibc keeps its functions in libm, of which numann takes
 * fma and sqrt only: so the registers are written here, and fenv serves where none is known. */
#include "machine/float_env.h"

#include <stddef.h>

#if defined(__x86_64__)

#include <xmmintrin.h>

/* Intel SDM volume 1, 10.2.3: all exceptions masked, no flag raised, round to nearest. */
#define MXCSR_MASKS 0x1f80u
#define MXCSR_FTZ 0x8000u
#define MXCSR_DAZ 0x0040u
/* Volume 1, 8.1.5: all exceptions masked, 64-bit mantissa, round to nearest. */
#define X87_DEFAULT 0x037f

static nu_float_env read_state(void) {
  nu_float_env env = {.mxcsr = _mm_getcsr()};
  __asm__ volatile("fnstcw %0" : "=m"(env.x87_control));
  return env;
}

static void write_state(const nu_float_env *env) {
  __asm__ volatile("fldcw %0" : : "m"(env->x87_control));
  _mm_setcsr(env->mxcsr);
}

static void write_own(void) {
  write_state(&(nu_float_env){MXCSR_MASKS | MXCSR_FTZ | MXCSR_DAZ, X87_DEFAULT});
}

#elif defined(__aarch64__)

/* Arm ARM, FPCR: bit 24 flushes subnormal inputs and results; all else zero is round to nearest,
 * no trap. */
#define FPCR_FZ (UINT64_C(1) << 24)

static nu_float_env read_state(void) {
  nu_float_env env;
  __asm__ volatile("mrs %0, fpcr" : "=r"(env.fpcr));
  __asm__ volatile("mrs %0, fpsr" : "=r"(env.fpsr));
  return env;
}

static void write_state(const nu_float_env *env) {
  __asm__ volatile("msr fpcr, %0" : : "r"(env->fpcr));
  __asm__ volatile("msr fpsr, %0" : : "r"(env->fpsr));
}

static void write_own(void) { __asm__ volatile("msr fpcr, %0" : : "r"(FPCR_FZ)); }

#else

static nu_float_env read_state(void) {
  nu_float_env env;
  fegetenv(&env.saved);
  return env;
}

static void write_state(const nu_float_env *env) { fesetenv(&env->saved); }

static void write_own(void) {
  fenv_t ignored;
  feholdexcept(&ignored);
  fesetround(FE_TONEAREST);
}

#endif

/* Facts about this thread: how many pairs are open, and what the outermost one found. */
static _Thread_local size_t env_depth;
static _Thread_local nu_float_env env_outside;

nu_float_env nu_float_env_enter(void) {
  nu_float_env env = read_state();
  if (env_depth++ == 0) env_outside = env;
  write_own();
  return env;
}

void nu_float_env_leave(const nu_float_env *env) {
  env_depth--;
  write_state(env);
}

nu_float_env nu_float_env_suspend(void) {
  nu_float_env env = read_state();
  if (env_depth > 0) write_state(&env_outside);
  return env;
}

void nu_float_env_resume(const nu_float_env *env) { write_state(env); }
