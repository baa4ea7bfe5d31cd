/* The output layer's kernel: loss and delta against each other, on every instruction set that runs
 * here. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernel_support.h"
#include "kernels/kernels.h"

#define P NU_PANEL

START_TEST(output_rows_have_loss_delta_and_clean_padding) {
  static const struct {
    nu_activation f;
    nu_loss loss;
  } pairs[] = {{NU_SOFTMAX, NU_CROSS_ENTROPY},  {NU_SIGMOID, NU_BINARY_CROSS_ENTROPY},
               {NU_SIGMOID, NU_SQUARED_ERROR},  {NU_TANH, NU_SQUARED_ERROR},
               {NU_IDENTITY, NU_SQUARED_ERROR}, {NU_RELU, NU_SQUARED_ERROR},
               {NU_GELU, NU_SQUARED_ERROR},     {NU_SILU, NU_SQUARED_ERROR},
               {NU_ELU, NU_SQUARED_ERROR},      {NU_MISH, NU_SQUARED_ERROR},
               {NU_SOFTPLUS, NU_SQUARED_ERROR}};
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  for (size_t c = 0; c < sizeof pairs / sizeof *pairs; c++) {
    enum { N = 37 };
    float z[64] = {0}, y[64], delta[64], target[N] = {0};
    for (size_t i = 0; i < N; i++) z[i] = draw(5, i + c * N) * 8.0f + 0.25f;
    target[3] = 1.0f;
    memcpy(y, z, sizeof y);
    double loss = output_row(kernels, pairs[c].f, pairs[c].loss, N, y, target, delta);
    /* delta = -dE/dz by central differences of the loss itself */
    for (size_t i = 0; i < N; i++) {
      float up[64], down[64], h = 0.01f;
      memcpy(up, z, sizeof up);
      memcpy(down, z, sizeof down);
      up[i] += h;
      down[i] -= h;
      double step = (double)up[i] - (double)down[i];
      double slope = (output_row(kernels, pairs[c].f, pairs[c].loss, N, up, target, NULL) -
                      output_row(kernels, pairs[c].f, pairs[c].loss, N, down, target, NULL)) /
                     step;
      ck_assert_double_eq_tol((double)delta[i], -slope, 2e-3 * (1.0 + fabs(slope)));
    }
    ck_assert(loss > 0.0 && isfinite(loss));
    for (size_t i = N; i < nu_padded(N); i++) ck_assert(delta[i] == 0.0f);
  }
}
END_TEST

START_TEST(softmax_survives_large_logits_and_shows_nan) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  float z[P] = {1000.0f, -1000.0f, 999.0f}, target[3] = {0.0f, 1.0f, 0.0f}, delta[P];
  double loss = output_row(kernels, NU_SOFTMAX, NU_CROSS_ENTROPY, 3, z, target, NULL);
  ck_assert_double_eq_tol(loss, 2000.0 + log(1.0 + exp(-1.0)), 1e-3);
  ck_assert_float_eq_tol(z[0] + z[1] + z[2], 1.0f, 1e-6f);
  float bad[P] = {1.0f, NAN, 2.0f};
  loss = output_row(kernels, NU_SOFTMAX, NU_CROSS_ENTROPY, 3, bad, target, delta);
  ck_assert(isnan(loss));
}
END_TEST

/* Rows in a block give what each gives alone, and nothing beside them is touched. */
START_TEST(output_rows_do_not_depend_on_their_neighbours) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  enum { ROWS = 37, STRIDE = 64 };
  static const nu_activation f[NU_LOSSES] = {NU_TANH, NU_SOFTMAX, NU_SIGMOID};
  static float target[ROWS * 48], scratch[3 * NU_HALF_PANEL * 48];
  for (nu_loss loss = 0; loss < NU_LOSSES; loss++) {
    for (size_t n = 1; n <= 40; n += 3) {
      size_t padded = nu_padded(n), size = ROWS * STRIDE;
      float *z = guarded(size), *delta = guarded(size), alone[STRIDE], row[STRIDE];
      double losses[ROWS], want;
      fill(z, size, 61);
      fill(target, ROWS * padded, 62);
      float *y = guarded(size);
      memcpy(y, z, size * sizeof *z);
      kernels->output(
          &(nu_output){f[loss], loss, n, ROWS, y, NULL, STRIDE, target, losses, scratch});
      kernels->output(
          &(nu_output){f[loss], loss, n, ROWS, z, delta, STRIDE, target, losses, scratch});
      for (size_t r = 0; r < ROWS; r++) {
        memcpy(row, z + r * STRIDE, sizeof row);
        want = output_row(kernels, f[loss], loss, n, row, target + r * padded, alone);
        ck_assert(memcmp(alone, delta + r * STRIDE, padded * sizeof *alone) == 0 &&
                  want == losses[r]);
        output_row(kernels, f[loss], loss, n, row, target + r * padded, NULL);
        ck_assert(memcmp(row, y + r * STRIDE, padded * sizeof *row) == 0);
        for (size_t i = padded; i < STRIDE; i++) ck_assert(delta[r * STRIDE + i] == guard_value);
      }
      check_guards(delta, size);
      check_guards(y, size);
      free(z - GUARD);
      free(delta - GUARD);
      free(y - GUARD);
    }
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("output");
  TCase *tests = tcase_create("output");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, output_rows_have_loss_delta_and_clean_padding, 0, NU_ISAS);
  tcase_add_loop_test(tests, output_rows_do_not_depend_on_their_neighbours, 0, NU_ISAS);
  tcase_add_loop_test(tests, softmax_survives_large_logits_and_shows_nan, 0, NU_ISAS);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
