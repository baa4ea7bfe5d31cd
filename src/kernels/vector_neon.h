/* NEON of 64-bit Arm: 4 lanes. A tile of 5 rows x 4 vectors fills 20 of the 32 registers: gcc loads
 * all rows before it multiplies, and with 6 rows two sums live in memory. 9 loads serve 20
 * multiply-adds; in 8 x 2, 10 serve 16. Half a panel is one such tile wide as well.
 * SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_VECTOR_NEON_H
#define NU_KERNELS_VECTOR_NEON_H

#include <arm_neon.h>

#define NU_LANES 4
#define NU_ISA "neon"
#define NU_TILE_ROWS 5
#define NU_HALF_TILE_ROWS 5
#define NU_TILE_VECTORS 4

#include "kernels/vector.h"

static inline vec v_fma(vec a, vec b, vec c) { return (vec)vfmaq_f32(c, a, b); }
static inline vec v_at_least(vec x, float low) { return (vec)vmaxq_f32(v_set(low), x); }
static inline vec v_at_most(vec x, float high) { return (vec)vminq_f32(v_set(high), x); }
static inline vec v_sqrt(vec v) { return (vec)vsqrtq_f32(v); }

/* a0 b0 a1 b1 ..., the first or the second half of the lanes. */
static inline vec v_zip_low(vec a, vec b) { return (vec)vzip1q_f32(a, b); }
static inline vec v_zip_high(vec a, vec b) { return (vec)vzip2q_f32(a, b); }

/* a0 a2 ... b0 b2 ..., and what lies between. */
static inline vec v_evens(vec a, vec b) { return (vec)vuzp1q_f32(a, b); }
static inline vec v_odds(vec a, vec b) { return (vec)vuzp2q_f32(a, b); }

#endif
