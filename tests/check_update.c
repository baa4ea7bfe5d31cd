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

/* Second moments that fall, from 1 on: the largest of them counts, and only in the square root. */
START_TEST(amsgrad_keeps_the_largest_second_moment) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  float w[P] = {0}, G[P], m[P] = {0}, v[P] = {0}, most[P] = {0};
  double w_ref = 0.0, m_ref = 0.0, v_ref = 0.0, most_ref = 0.0;
  for (int t = 1; t <= 12; t++) {
    double g = t < 4 ? 1.0 : -0.5 / t, c1 = 1.0 / (1.0 - pow(0.9, t)),
           c2 = 1.0 / (1.0 - pow(0.5, t));
    nu_update u = {NU_AMSGRAD, 0.5f, 0.1f, 0.0f, 0.9f, 0.5f, 1e-3f, (float)c1, (float)c2};
    for (size_t i = 0; i < P; i++) G[i] = (float)(-2.0 * g);
    ck_assert(kernels->update(&u, P, w, G, (float *[]){m, v, most}));
    m_ref = 0.9 * m_ref + 0.1 * g;
    v_ref = 0.5 * v_ref + 0.5 * g * g;
    most_ref = fmax(most_ref, v_ref);
    w_ref -= 0.1 * m_ref * c1 / (sqrt(most_ref * c2) + 1e-3);
    for (size_t i = 0; i < P; i++) {
      ck_assert_double_eq_tol((double)w[i], w_ref, 1e-6);
      ck_assert_double_eq_tol((double)v[i], v_ref, 1e-6);
      ck_assert_double_eq_tol((double)most[i], most_ref, 1e-6);
    }
  }
  ck_assert_double_gt(most_ref, 4.0 * v_ref);
}
END_TEST

/* By hand: dE/dw, then what step, weight and remembered gradient become. Odd weights see the mirror
 * image, and gradients so small that their product would be 0. */
START_TEST(irprop_follows_its_rule_step_by_step) {
  static const struct {
    float g, step, w, last;
  } steps[] = {{1.0f, 0.1f, -0.1f, 1.0f},     /* nothing to compare with */
               {2.0f, 0.12f, -0.22f, 2.0f},   /* the same sign: grows */
               {-1.0f, 0.06f, -0.22f, 0.0f},  /* changed: shrinks, stays, forgets */
               {-1.0f, 0.06f, -0.16f, -1.0f}, /* goes on with the shorter step */
               {-0.5f, 0.072f, -0.088f, -0.5f}, {0.0f, 0.072f, -0.088f, 0.0f},
               {3.0f, 0.072f, -0.16f, 3.0f},    {-3.0f, 0.036f, -0.16f, 0.0f},
               {3.0f, 0.036f, -0.196f, 3.0f}};
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  float w[P] = {0}, step[P], last[P] = {0}, G[P];
  nu_update u = {.rule = NU_IRPROP, .factor = 0.25f};
  for (size_t i = 0; i < P; i++) step[i] = 0.1f;
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    for (size_t i = 0; i < P; i++) G[i] = (i % 2 ? 0x1p-100f : -1.0f) * 4.0f * steps[s].g;
    ck_assert(kernels->update(&u, P, w, G, (float *[]){step, last, NULL}));
    for (size_t i = 0; i < P; i++) {
      float sign = i % 2 ? -1.0f : 1.0f, size = i % 2 ? 0x1p-100f : 1.0f;
      ck_assert_float_eq_tol(step[i], steps[s].step, 1e-7f);
      ck_assert_float_eq_tol(w[i], sign * steps[s].w, 1e-7f);
      ck_assert(last[i] == sign * size * steps[s].last);
    }
  }
  nu_float_env_leave(&env);
}
END_TEST

START_TEST(irprop_steps_have_limits_and_show_what_is_not_finite) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  float w[P] = {0}, step[P] = {45.0f, 1.5e-6f}, last[P] = {1.0f, -1.0f}, G[P] = {-1.0f, -1.0f};
  float *arrays[NU_MOST_ARRAYS] = {step, last, NULL};
  nu_update u = {.rule = NU_IRPROP, .factor = 1.0f};
  ck_assert(kernels->update(&u, P, w, G, arrays));
  ck_assert(step[0] == 50.0f && step[1] == 1e-6f && w[0] == -50.0f && w[1] == 0.0f);
  G[3] = NAN;
  ck_assert(!kernels->update(&u, P, w, G, arrays));
  w[3] = 0.0f, G[3] = INFINITY;
  ck_assert(!kernels->update(&u, P, w, G, arrays));
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
  tcase_add_loop_test(tests, amsgrad_keeps_the_largest_second_moment, 0, NU_ISAS);
  tcase_add_loop_test(tests, irprop_follows_its_rule_step_by_step, 0, NU_ISAS);
  tcase_add_loop_test(tests, irprop_steps_have_limits_and_show_what_is_not_finite, 0, NU_ISAS);
  tcase_add_loop_test(tests, a_target_takes_the_step_of_the_chain, 0, NU_ISAS);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
