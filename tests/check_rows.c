/* The kernels on rows and arrays against scalar loops, bit for bit, on every instruction set that
 * runs here. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernel_support.h"
#include "kernels/kernels.h"
#include "machine/float_env.h"

enum { MOST_N = 5 * NU_HALF_PANEL, MOST_ROWS = 9, XSTRIDE = MOST_N + 3, DSTRIDE = MOST_N + 7 };
static float x[MOST_ROWS * XSTRIDE], d[MOST_ROWS * DSTRIDE], factor[MOST_N];

static void fill_all(size_t n) {
  fill(x, MOST_ROWS * XSTRIDE, (uint32_t)(70 + n));
  fill(d, MOST_ROWS * DSTRIDE, (uint32_t)(80 + n));
  fill(factor, MOST_N, (uint32_t)(90 + n));
}

static void expect_same(const nu_kernels *kernels, const char *what, const float *got,
                        const float *want, size_t n) {
  ck_assert_msg(memcmp(got, want, n * sizeof *got) == 0, "%s: %s of %zu", kernels->isa, what, n);
  check_guards(got, n);
}

static void check_multiply(const nu_kernels *kernels, size_t rows, size_t n, bool in_place) {
  size_t size = rows * XSTRIDE;
  float *got = guarded(size), *want = guarded(size);
  if (in_place) {
    memcpy(got, x, size * sizeof *x);
    memcpy(want, x, size * sizeof *x);
  }
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < n; j++) want[i * XSTRIDE + j] = x[i * XSTRIDE + j] * factor[j];
  }
  kernels->multiply(rows, n, in_place ? got : x, factor, got, XSTRIDE);
  expect_same(kernels, "multiply", got, want, size);
  free(got - GUARD);
  free(want - GUARD);
}

static void check_dot_rows(const nu_kernels *kernels, size_t rows, size_t n) {
  float *got = guarded(n), want[MOST_N];
  for (size_t j = 0; j < n; j++) {
    want[j] = 0.0f;
    for (size_t i = 0; i < rows; i++)
      want[j] = fmaf(x[i * XSTRIDE + j], d[i * DSTRIDE + j], want[j]);
  }
  kernels->dot_rows(rows, n, x, XSTRIDE, d, DSTRIDE, got);
  expect_same(kernels, "dot_rows", got, want, n);
  free(got - GUARD);
}

static void check_arrays(const nu_kernels *kernels, size_t n) {
  float *y = guarded(n), *out = guarded(n), *z = guarded(n), sum[MOST_N], product[MOST_N];
  memcpy(y, d, n * sizeof *d);
  memcpy(z, x, n * sizeof *x);
  for (size_t i = 0; i < n; i++) {
    sum[i] = fmaf(-0.37f, x[i], d[i]);
    product[i] = -0.37f * x[i];
  }
  kernels->axpy(n, -0.37f, x, y);
  kernels->scale_by(n, -0.37f, x, out);
  kernels->scale_by(n, -0.37f, z, z);
  expect_same(kernels, "axpy", y, sum, n);
  expect_same(kernels, "scale_by", out, product, n);
  expect_same(kernels, "scale_by in place", z, product, n);
  free(y - GUARD);
  free(out - GUARD);
  free(z - GUARD);
}

static void check_dot(const nu_kernels *kernels, size_t n) {
  double sum = 0.0, squares = 0.0;
  for (size_t l = 0; l < NU_HALF_PANEL; l++) {
    double lane = 0.0, square = 0.0;
    for (size_t i = l; i < n; i += NU_HALF_PANEL) {
      lane += (double)x[i] * (double)d[i];
      square += (double)x[i] * (double)x[i];
    }
    sum += lane;
    squares += square;
  }
  ck_assert_msg(kernels->dot(n, x, d) == sum && kernels->dot(n, x, x) == squares, "%s: dot of %zu",
                kernels->isa, n);
}

START_TEST(rows_and_arrays_equal_scalar_loops) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  for (size_t n = NU_HALF_PANEL; n <= MOST_N; n += NU_HALF_PANEL) {
    fill_all(n);
    for (size_t rows = 0; rows <= MOST_ROWS; rows++) {
      check_multiply(kernels, rows, n, false);
      check_multiply(kernels, rows, n, true);
      check_dot_rows(kernels, rows, n);
    }
    check_arrays(kernels, n);
    check_dot(kernels, n);
  }
  nu_float_env_leave(&env);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("rows");
  TCase *tests = tcase_create("rows");
  tcase_add_loop_test(tests, rows_and_arrays_equal_scalar_loops, 0, NU_ISAS);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
