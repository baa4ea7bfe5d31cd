/* The kernels, written once over a vector header and compiled once per instruction set:
 * NU_VECTOR_HEADER names the header, NU_KERNELS the table. SPDX-License-Identifier: MIT */
#include "kernels/kernels.h"

#include NU_VECTOR_HEADER

#include "base/real.h"
#include "kernels/vector_math.h"
#include "kernels/vector_pairs.h"

#define P NU_PANEL
#define INLINE static inline __attribute__((always_inline))

#include "kernels/update.h"
#include "kernels/outer.h"
#include "kernels/chain.h"
#include "kernels/pairs.h"
#include "kernels/peak.h"
#include "kernels/activation.h"
#include "kernels/output.h"
#include "kernels/rows.h"

/* ---- rows of bytes */

/* By way of int, as gcc has no vectors for the direct conversion. */
static void scale(size_t n, const uint8_t *restrict from, const double *restrict shift,
                  const double *restrict by, float *restrict to) {
  for (size_t i = 0; i < n; i++) to[i] = (float)(((double)(int)from[i] - shift[i]) * by[i]);
}

/* ---- gradients */

static void add(size_t n, float *left, const float *right) {
  for (size_t i = 0; i < n; i += NU_LANES) v_store(left + i, v_load(left + i) + v_load(right + i));
}

extern const nu_kernels NU_KERNELS;
const nu_kernels NU_KERNELS = {.isa = NU_ISA,
                               .chain = chain,
                               .narrow = narrow,
                               .pair = pair,
                               .transpose = transpose,
                               .activate = activate,
                               .derive = derive,
                               .output = output,
                               .scale = scale,
                               .add = add,
                               .update = update,
                               .multiply = multiply,
                               .dot_rows = dot_rows,
                               .dot = dot,
                               .axpy = axpy,
                               .scale_by = scale_by,
                               .peak = peak};
