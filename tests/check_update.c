/* The optimiser's step in arrays and at the end of a gradient's chain, on every instruction set
 * that runs here. The chain itself and the formulas are held in check_kernels.c and check_step.c.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "kernels/kernels.h"
#include "machine/float_env.h"

#define P NU_PANEL

/* Uniform in [-1, 1). */
static void fill(float *values, size_t n, uint32_t counter) {
  nu_stream stream = {42, NU_PURPOSE_GENERATE, counter};
  for (size_t i = 0; i < n; i++) values[i] = (float)(2.0 * nu_random_uniform(stream, i) - 1.0);
}

START_TEST(update_reports_what_is_not_finite) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_update u = {.rule = NU_SGD, .factor = 1.0f, .learning_rate = 1.0f};
  float w[P] = {0}, G[P] = {0};
  float *const none[NU_MOST_ARRAYS] = {NULL};
  ck_assert(kernels->update(&u, P, w, G, none));
  G[P - 1] = INFINITY;
  ck_assert(!kernels->update(&u, P, w, G, none));
}
END_TEST

/* A chain with a target is the chain, the subtrees and then the update; near and far rows, and one
 * row alone (k 1), which has no subtrees. */
static void check_target(const nu_kernels *kernels, nu_rule rule, size_t m, size_t width,
                         size_t yrow, size_t k) {
  enum { M = 29, K = 7, ARRAYS = 1 + NU_MOST_ARRAYS };
  static float x[K * M], y[K * 2048], left[M * P], G[M * P], want[ARRAYS][M * P],
      got[ARRAYS][M * P];
  size_t n = m * width;
  const float *lefts[] = {left};
  nu_update u = {rule, 0.3f, 0.01f, 1e-3f, 0.9f, 0.999f, 1e-8f, 1.7f, 2.3f};
  bool not_finite = false;
  fill(x, K * M, 41);
  fill(y, K * 2048, 42);
  fill(left, M * P, 43);
  for (uint32_t i = 0; i < ARRAYS; i++) {
    fill(want[i], M * P, 44 + i);
    for (size_t j = 0; j < M * P && i > 0; j++) want[i][j] = fabsf(want[i][j]);
  }
  memcpy(got, want, sizeof want);
  nu_target target = {&u, got[0], {got[1], got[2], got[3]}, &not_finite};
  nu_chain c = {.m = m,
                .k = k,
                .panels = 1,
                .width = width,
                .x = x,
                .xrow = 1,
                .xcol = M,
                .y = y,
                .yrow = yrow,
                .out = G,
                .outrow = width,
                .fresh = true,
                .n_left = k > 1,
                .left = lefts};
  kernels->chain(&c);
  kernels->update(&u, n, want[0], G, (float *[]){want[1], want[2], want[3]});
  c.out = NULL;
  c.target = &target;
  kernels->chain(&c);
  ck_assert_msg(memcmp(got, want, sizeof want) == 0,
                "%s: rule %d m %zu width %zu k %zu rows %zu apart", kernels->isa, (int)rule, m,
                width, k, yrow);
  ck_assert(!not_finite);
  got[0][n - 1] = NAN;
  kernels->chain(&c);
  ck_assert(not_finite);
}

START_TEST(a_target_takes_the_step_of_the_chain) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  for (nu_rule rule = NU_SGD; rule < NU_RULES; rule++) {
    for (size_t m = 1; m <= 29; m++) {
      check_target(kernels, rule, m, P, 40, 7);
      check_target(kernels, rule, m, P, 2000, 7);
      check_target(kernels, rule, m, P / 2, 40, 7);
      check_target(kernels, rule, m, P, 40, 1);
      check_target(kernels, rule, m, P / 2, 40, 1);
    }
  }
  nu_float_env_leave(&env);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("update");
  TCase *tests = tcase_create("update");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, update_reports_what_is_not_finite, 0, NU_ISAS);
  tcase_add_loop_test(tests, a_target_takes_the_step_of_the_chain, 0, NU_ISAS);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
