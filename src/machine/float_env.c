/* Enter and leave numann's floating-point state. SPDX-License-Identifier: MIT
 *
 * <fenv.h> knows no FTZ and DAZ, and glibc keeps its functions in libm, of which numann takes
 * fma and sqrt only: so the registers are written here, and fenv serves where none is known. */
#include "machine/float_env.h"

#if defined(__x86_64__)

#include <xmmintrin.h>

/* Intel SDM volume 1, 10.2.3: all exceptions masked, no flag raised, round to nearest. */
#define MXCSR_MASKS 0x1f80u
#define MXCSR_FTZ 0x8000u
#define MXCSR_DAZ 0x0040u
/* Volume 1, 8.1.5: all exceptions masked, 64-bit mantissa, round to nearest. */
#define X87_DEFAULT 0x037f

static void set_x87_control(uint16_t control) {
  __asm__ volatile("fldcw %0" : : "m"(control));
}

nu_float_env nu_float_env_enter(void) {
  nu_float_env env = {.mxcsr = _mm_getcsr()};
  __asm__ volatile("fnstcw %0" : "=m"(env.x87_control));
  _mm_setcsr(MXCSR_MASKS | MXCSR_FTZ | MXCSR_DAZ);
  set_x87_control(X87_DEFAULT);
  return env;
}

void nu_float_env_leave(const nu_float_env *env) {
  set_x87_control(env->x87_control);
  _mm_setcsr(env->mxcsr);
}

#elif defined(__aarch64__)

/* Arm ARM, FPCR: bit 24 flushes subnormal inputs and results; all else zero is round to nearest,
 * no trap. */
#define FPCR_FZ (UINT64_C(1) << 24)

nu_float_env nu_float_env_enter(void) {
  nu_float_env env;
  __asm__ volatile("mrs %0, fpcr" : "=r"(env.fpcr));
  __asm__ volatile("mrs %0, fpsr" : "=r"(env.fpsr));
  __asm__ volatile("msr fpcr, %0" : : "r"(FPCR_FZ));
  return env;
}

void nu_float_env_leave(const nu_float_env *env) {
  __asm__ volatile("msr fpcr, %0" : : "r"(env->fpcr));
  __asm__ volatile("msr fpsr, %0" : : "r"(env->fpsr));
}

#else

nu_float_env nu_float_env_enter(void) {
  nu_float_env env;
  feholdexcept(&env.saved);
  fesetround(FE_TONEAREST);
  return env;
}

void nu_float_env_leave(const nu_float_env *env) {
  fesetenv(&env->saved);
}

#endif
