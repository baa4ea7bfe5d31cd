/* Vectors of NU_LANES floats, on the compilers' vector extension, so that + - * / and comparisons
 * need no intrinsics. A vector_<set>.h defines NU_LANES, includes this file and adds what differs
 * between instruction sets: v_fma, v_sqrt, and v_at_least and v_at_most, which leave NaN as it is.
 * SPDX-License-Identifier: MIT
 *
 * Only included by kernels.c, which is compiled once per set: everything is static. */
#ifndef NU_KERNELS_VECTOR_H
#define NU_KERNELS_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Before a loop whose index picks registers: rolled, as gcc leaves it at -O2, the tile of a chain
 * lives in memory and runs at a third of its rate. Each compiler is slow under the other's pragma.
 */
#ifdef __clang__
#define NU_UNROLL _Pragma("unroll")
#else
#define NU_UNROLL _Pragma("GCC unroll 32")
#endif

typedef float vec __attribute__((vector_size(4 * NU_LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * NU_LANES))); /* comparison masks: 0 or -1 */
typedef uint32_t uvec __attribute__((vector_size(4 * NU_LANES)));

/* p, as a pointer of which the compiler does not know how far from others it is. */
static inline const float *v_another_base(const float *p) {
  __asm__("" : "+r"(p));
  return p;
}

static inline vec v_load(const float *p) {
  vec v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void v_store(float *p, vec v) { memcpy(p, &v, sizeof v); }
static inline vec v_set(float x) { return x - (vec){0}; }
static inline ivec v_bits(vec v) { return (ivec)v; }
static inline vec v_of_bits(ivec i) { return (vec)i; }

/* mask ? a : b, lane by lane */
static inline vec v_choose(ivec mask, vec a, vec b) {
  return v_of_bits((mask & v_bits(a)) | (~mask & v_bits(b)));
}

static inline int v_any(ivec mask) {
  int any = 0;
  for (int i = 0; i < NU_LANES; i++) any |= mask[i];
  return any;
}

static inline vec v_abs(vec v) { return v_of_bits(v_bits(v) & 0x7fffffff); }
/* Negative where v is infinite or NaN: only there the exponent's bits carry over. */
static inline ivec v_not_finite(vec v) { return (ivec)(((uvec)v & 0x7fffffff) + 0x00800000); }
static inline vec v_sign_of(vec magnitude, vec sign) {
  return v_of_bits(v_bits(magnitude) | (v_bits(sign) & INT32_MIN));
}

#endif
