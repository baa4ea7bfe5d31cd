/* bf16 on vectors, the same bits on every instruction set. Part of kernels.c.
 * SPDX-License-Identifier: MIT
 *
 * A bf16 is the upper half of a float. A vector of pairs holds two of them in the place of each
 * float, the even one of a pair in the lower half. A set compiled with NU_DOT_PAIRS has
 * instructions for what is emulated here. */
#ifndef NU_KERNELS_VECTOR_PAIRS_H
#define NU_KERNELS_VECTOR_PAIRS_H

/* One 32-bit word in all lanes. Not v_set: arithmetic of floats would flush a pair that looks like
 * a subnormal one. */
static inline vec v_set_word(const float *p) {
  int32_t word;
  memcpy(&word, p, sizeof word);
  return v_of_bits(word - (ivec){0});
}

static inline vec v_odd(vec pairs) { return (vec)((uvec)pairs & 0xffff0000u); }
static inline vec v_even(vec pairs) { return (vec)((uvec)pairs << 16); }

#ifdef NU_DOT_PAIRS
#define NU_PAIR_STEPS 1
#else
#define NU_PAIR_STEPS 2

/* To bf16, in the upper half of each lane: to nearest, ties to even; subnormal floats to zero; NaN
 * stays NaN, and quiet. */
static inline uvec v_round_bf16(vec v) {
  uvec bits = (uvec)v, size = bits & 0x7fffffffu;
  uvec nan = (uvec)(size > 0x7f800000u), tiny = (uvec)(size < 0x00800000u);
  uvec rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  return (rounded & ~nan & ~tiny) | (nan & (bits | 0x00400000u)) | (tiny & bits & 0x80000000u);
}

/* Lane i: the pair (even[i], odd[i]). */
static inline vec v_pair(vec even, vec odd) {
  return (vec)(v_round_bf16(even) >> 16 | (v_round_bf16(odd) & 0xffff0000u));
}

/* The floats of `low`, then of `high`, in pairs of neighbours. */
static inline vec v_narrow(vec low, vec high) {
  return v_pair(v_evens(low, high), v_odds(low, high));
}
#endif

#endif
