/* bf16: the kernels on pairs against their scalar definitions, bit for bit, on every instruction
 * set that runs here. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernel_support.h"
#include "kernels/kernels.h"
#include "machine/float_env.h"

#define P NU_PANEL

static float of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static uint32_t draw_bits(uint32_t counter, uint64_t index) {
  return nu_random_bits((nu_stream){43, NU_PURPOSE_GENERATE, counter}, index);
}

/* Pairs of bf16 of both signs between 2^-8 and 2^8, in words whose bits are often no usable float.
 */
static void fill_pairs(float *words, size_t n, uint32_t counter) {
  for (size_t i = 0; i < n; i++) {
    uint32_t odd = 0x3b800000u + draw_bits(counter, 4 * i) % 0x08000000u, even;
    even = 0x3b800000u + draw_bits(counter, 4 * i + 1) % 0x08000000u;
    odd |= draw_bits(counter, 4 * i + 2) & 0x80000000u;
    even |= draw_bits(counter, 4 * i + 3) & 0x80000000u;
    if (i % 19 == 7) odd = 0;
    words[i] = of_bits((odd & 0xffff0000u) | even >> 16);
  }
}

static void fill_floats(float *values, size_t n, uint32_t counter) {
  for (size_t i = 0; i < n; i++)
    values[i] = (float)(draw_bits(counter, i) % 100003u) * 1e-3f - 50.0f;
}

/* ---- one link, and chains of them */

/* The definition: two fused multiply-adds, the odd elements first. */
static float link(uint32_t x, uint32_t y, float sum) {
  sum = fmaf(of_bits(x & 0xffff0000u), of_bits(y & 0xffff0000u), sum);
  return fmaf(of_bits(x << 16), of_bits(y << 16), sum);
}

static void chain_oracle(const nu_chain *c) {
  for (size_t i = 0; i < c->m; i++) {
    for (size_t q = 0; q < c->panels; q++) {
      for (size_t j = 0; j < c->width; j++) {
        size_t at = i * c->outrow + q * P + j;
        float sum = c->fresh ? 0.0f : c->out[at];
        for (size_t p = 0; p < c->k; p++) {
          sum = link(bits_of(c->x[i * c->xrow + p * c->xcol]),
                     bits_of(c->y[q * c->ypanel + p * c->yrow + j]), sum);
        }
        for (size_t l = 0; l < c->n_left; l++) sum = c->left[l][at] + sum;
        c->out[at] = sum;
      }
    }
  }
}

typedef struct chain_case {
  size_t m, k, panels, width, n_left;
  bool rowwise, fresh;
} chain_case;

static void check_chain(const nu_kernels *kernels, chain_case t) {
  bool dense = !t.rowwise && t.panels == 1 && t.width == P; /* as a gradient's region */
  size_t outrow = dense ? P : t.panels * P + 32, yrow = P + 7, ypanel = yrow * t.k + 3;
  size_t xrow = t.rowwise ? t.k + 3 : 1, xcol = t.rowwise ? 1 : t.m + 5;
  size_t nx = (t.m + 5) * (t.k + 3) + t.k * (t.m + 5), ny = ypanel * t.panels + P, n = t.m * outrow;
  float *x = nu_alloc(nx, sizeof *x), *y = nu_alloc(ny, sizeof *y),
        *left = nu_alloc(n, sizeof *left);
  float *got = guarded(n), *want = guarded(n);
  fill_pairs(x, nx, 1);
  fill_pairs(y, ny, 2);
  fill_floats(got, n, 3);
  fill_floats(left, n, 4);
  memcpy(want, got, n * sizeof *got);
  const float *got_left[] = {left, got},
              *want_left[] = {left, want}; /* the last may be out itself */
  nu_chain c = {.m = t.m,
                .k = t.k,
                .panels = t.panels,
                .width = t.width,
                .x = x,
                .xrow = xrow,
                .xcol = xcol,
                .y = y,
                .yrow = yrow,
                .ypanel = ypanel,
                .out = got,
                .outrow = outrow,
                .fresh = t.fresh,
                .pairs = true,
                .n_left = t.n_left,
                .left = got_left};
  kernels->chain(&c);
  c.out = want;
  c.left = want_left;
  chain_oracle(&c);
  ck_assert_msg(memcmp(got, want, n * sizeof *got) == 0,
                "%s: m %zu k %zu panels %zu width %zu left %zu rowwise %d fresh %d", kernels->isa,
                t.m, t.k, t.panels, t.width, t.n_left, t.rowwise, t.fresh);
  check_guards(got, n);
  free(x);
  free(y);
  free(left);
  free(got - GUARD);
  free(want - GUARD);
}

START_TEST(chain_equals_the_scalar_chain) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  for (size_t m = 1; m <= 21; m++) {
    for (size_t k = 1; k <= 20; k += (m > 7 ? 13 : 1)) {
      for (size_t width = P / 2; width <= P; width += P / 2) {
        check_chain(kernels, (chain_case){m, k, 1 + k % 3, width, 0, true, true});
        check_chain(kernels, (chain_case){m, k, 1, width, k % 3, false, k % 2 == 0});
      }
    }
  }
  check_chain(kernels, (chain_case){49, 151, 2, P, 0, true, true});
  nu_stream stream = {11, NU_PURPOSE_GENERATE, 78};
  for (uint64_t i = 0; i < 1000; i++) {
    uint32_t r[7];
    for (uint64_t j = 0; j < 7; j++) r[j] = nu_random_bits(stream, 7 * i + j);
    check_chain(kernels, (chain_case){1 + r[0] % 40, 1 + r[1] % 20, 1 + r[2] % 3, P >> r[3] % 2,
                                      r[4] % 3, r[5] % 2, r[6] % 2});
  }
  nu_float_env_leave(&env);
}
END_TEST

/* Operands that make fused and unfused, one order and the other, flushed and not differ: any bits
 * at all (subnormals, infinities, NaN), tiny ones, products about 2^-126, sums that all but cancel,
 * and sums that a tiny product takes from 2^-126 by less than a rounding. */
static void draw_hard(uint64_t trial, uint64_t i, uint32_t *x, uint32_t *y, uint32_t *sum) {
  uint64_t at = (trial * P + i) * 4;
  *x = draw_bits(5, at);
  *y = draw_bits(5, at + 1);
  *sum = draw_bits(5, at + 2);
  uint32_t more = draw_bits(5, at + 3), kind = (uint32_t)(trial % 6);
  if (kind == 1) *x &= 0x80ff80ffu;
  if (kind == 2) {
    *x = (*x & 0x807f807fu) | 0x20002000u;
    *y = (*y & 0x807f807fu) | (0x1f801f80u + more % 8 * 0x800080u);
    *sum &= 0x80ffffffu;
  }
  if (kind == 3 || kind == 4) {
    *x = (*x & 0x807f807fu) | 0x3f803f80u;
    *y = (*y & 0x807f807fu) | 0x3f803f80u;
    uint32_t odd_product = bits_of(-(of_bits(*x & 0xffff0000u) * of_bits(*y & 0xffff0000u)));
    *sum =
        kind == 3 ? odd_product + more % 5 - 2 : (*sum & 0x807fffffu) | (0x70 + more % 0x20) << 23;
  }
  if (kind == 5) {
    *x &= more % 2 ? 0xbfff0000u : 0x0000bfffu;
    *y &= 0x3fff3fffu;
    *sum = (*sum & 0x80000000u) + 0x00800000u + more / 2 % 2;
  }
}

START_TEST(a_link_is_two_fused_multiply_adds) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  uint64_t trials = getenv("NUMANN_LONG") ? 2000000 : 50000;
  nu_float_env env = nu_float_env_enter();
  for (uint64_t trial = 0; trial < trials; trial++) {
    uint32_t bits[3], x0 = 0;
    float x[1], y[P], got[P], want[P];
    for (uint64_t i = 0; i < P; i++) {
      draw_hard(trial, i, &bits[0], &bits[1], &bits[2]);
      if (i == 0) x0 = bits[0];
      y[i] = of_bits(bits[1]);
      got[i] = of_bits(bits[2]);
      want[i] = link(x0, bits[1], got[i]);
    }
    x[0] = of_bits(x0);
    nu_chain c = {
        .m = 1, .k = 1, .panels = 1, .width = P, .x = x, .y = y, .out = got, .pairs = true};
    kernels->chain(&c);
    for (size_t i = 0; i < P; i++) {
      if (bits_of(got[i]) == bits_of(want[i]) || (isnan(got[i]) && isnan(want[i]))) continue;
      ck_abort_msg("%s: x %08x, y %08x gave %a, expected %a", kernels->isa, x0, bits_of(y[i]),
                   (double)got[i], (double)want[i]);
    }
  }
  nu_float_env_leave(&env);
}
END_TEST

/* ---- conversion */

/* The nearer of the two bf16 around a float, by their distances; of equal ones the even. */
static uint32_t to_bf16(uint32_t bits) {
  uint32_t size = bits & 0x7fffffffu, low = size >> 16;
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
  if (size > 0x7f800000u) return sign | low | 0x40u;
  if (size < 0x00800000u) return sign;
  if (size == 0x7f800000u) return sign | low;
  double value = (double)of_bits(size), below = (double)of_bits(low << 16);
  double above = low + 1 == 0x7f80u ? 0x1p128 : (double)of_bits((low + 1) << 16);
  if (value - below != above - value) return sign | (value - below < above - value ? low : low + 1);
  return sign | (low + low % 2);
}

/* Every float in the slow tier, every 509th and all near ties and the ends otherwise. */
static uint32_t float_to_try(uint64_t n, uint64_t stride) {
  static const uint32_t ends[] = {0x7f7fffff, 0x7f7f8000, 0x7f800001,
                                  0x007fffff, 0x00800000, 0x7f7f7fff};
  if (stride == 1 || n % 3 == 0) return (uint32_t)(n * stride);
  if (n % 3 == 1) return (uint32_t)(n * stride & 0xffff0000u) + 0x7fffu + (uint32_t)(n / 3 % 3);
  return ends[n / 3 % 6] ^ (uint32_t)(n / 18 % 2) << 31;
}

START_TEST(conversion_rounds_to_nearest_even) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  uint64_t stride = getenv("NUMANN_LONG") ? 1 : 509;
  nu_float_env env = nu_float_env_enter();
  for (uint64_t n = 0; n * stride < UINT64_C(1) << 32; n += 2 * P) {
    uint32_t want[2 * P];
    float in[2 * P], row[P], column[P];
    for (uint64_t i = 0; i < 2 * P; i++) {
      in[i] = of_bits(float_to_try(n + i, stride));
      want[i] = to_bf16(bits_of(in[i]));
    }
    kernels->narrow(1, 2 * P, in, 2 * P, row, P);
    kernels->pair(2, P, in, P, column, P);
    for (size_t i = 0; i < P; i++) { /* an assert costs more than a conversion */
      if (bits_of(row[i]) != (want[2 * i + 1] << 16 | want[2 * i]))
        ck_abort_msg("%s: narrow %a %a", kernels->isa, (double)in[2 * i], (double)in[2 * i + 1]);
      if (bits_of(column[i]) != (want[i + P] << 16 | want[i]))
        ck_abort_msg("%s: pair %a %a", kernels->isa, (double)in[i], (double)in[i + P]);
    }
  }
  nu_float_env_leave(&env);
}
END_TEST

START_TEST(conversion_keeps_to_its_places) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  for (size_t rows = 1; rows <= 5; rows++) {
    for (size_t n = P / 2; n <= 4 * P; n += P / 2) {
      size_t instride = n + 3, outstride = n + 5, pairs = (rows + 1) / 2;
      float *in = nu_alloc(rows * instride, sizeof *in), *out = guarded(rows * outstride);
      fill_floats(in, rows * instride, 6);
      kernels->pair(rows, n, in, instride, out, outstride);
      for (size_t r = 0; r < pairs; r++) {
        for (size_t i = 0; i < outstride; i++) {
          uint32_t even = i < n ? to_bf16(bits_of(in[2 * r * instride + i])) : 0, odd = 0;
          if (i < n && 2 * r + 1 < rows) odd = to_bf16(bits_of(in[(2 * r + 1) * instride + i]));
          uint32_t want = i < n ? odd << 16 | even : bits_of(guard_value);
          ck_assert_msg(bits_of(out[r * outstride + i]) == want,
                        "%s: pair %zu of %zu rows, column %zu of %zu", kernels->isa, r, rows, i, n);
        }
      }
      check_guards(out, pairs * outstride);
      free(out - GUARD);
      if (n % P == 0) {
        outstride = n / 2 + 5;
        out = guarded(rows * outstride);
        kernels->narrow(rows, n, in, instride, out, outstride);
        for (size_t r = 0; r < rows; r++) {
          for (size_t i = 0; i < outstride; i++) {
            const float *at = in + r * instride + 2 * i;
            uint32_t want = bits_of(guard_value);
            if (i < n / 2) want = to_bf16(bits_of(at[1])) << 16 | to_bf16(bits_of(at[0]));
            ck_assert_msg(bits_of(out[r * outstride + i]) == want,
                          "%s: narrow row %zu, word %zu of %zu", kernels->isa, r, i, n / 2);
          }
        }
        check_guards(out, rows * outstride);
        free(out - GUARD);
      }
      free(in);
    }
  }
}
END_TEST

static Suite *pairs_suite(void) {
  Suite *suite = suite_create("pairs");
  TCase *tests = tcase_create("pairs");
  tcase_set_timeout(tests, getenv("NUMANN_LONG") ? 7200 : 300);
  tcase_add_loop_test(tests, chain_equals_the_scalar_chain, 0, NU_ISAS);
  tcase_add_loop_test(tests, a_link_is_two_fused_multiply_adds, 0, NU_ISAS);
  tcase_add_loop_test(tests, conversion_rounds_to_nearest_even, 0, NU_ISAS);
  tcase_add_loop_test(tests, conversion_keeps_to_its_places, 0, NU_ISAS);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(pairs_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
