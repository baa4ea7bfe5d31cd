/* gelu, silu, elu, selu, mish and softplus against their formulas in double, on every instruction
 * set that runs here. SPDX-License-Identifier: MIT */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "machine/float_env.h"
#include "network/activation.h"

#define P NU_PANEL
#define FIRST NU_GELU
#define END (NU_SOFTPLUS + 1)

static double sigmoid(double z) { return z < 0 ? exp(z) / (1 + exp(z)) : 1 / (1 + exp(-z)); }
static double normal(double z) { return 0.5 * erfc(-z / sqrt(2.0)); }
static double bell(double z) { return exp(-0.5 * z * z) / sqrt(2.0 * acos(-1.0)); }

/* tanh(ln(1 + e^z)) and its derivative, from the side where nothing overflows or cancels. */
static double mish_gate(double z) {
  double w = exp(-fabs(z));
  return z < 0 ? w * (w + 2) / (w * (w + 2) + 2) : (1 + 2 * w) / (1 + 2 * w * (1 + w));
}
static double mish_rise(double z) {
  double w = exp(-fabs(z)), under = z < 0 ? w * (w + 2) + 2 : 1 + 2 * w * (1 + w);
  return 4 * (1 + w) * (z < 0 ? w : w * w) / (under * under);
}

/* f = z gate(z) for the first two and mish; 0 where there is none. */
static double gate(nu_activation f, double z) {
  if (f == NU_GELU) return normal(z);
  if (f == NU_SILU) return sigmoid(z);
  return f == NU_MISH ? mish_gate(z) : 0.0;
}

static double value(nu_activation f, double z) {
  if (f == NU_ELU) return z > 0 ? z : expm1(z);
  if (f == NU_SELU) return z > 0 ? (double)NU_SELU_SLOPE * z : (double)NU_SELU_DEPTH * expm1(z);
  if (f == NU_SOFTPLUS) return fmax(z, 0) + log1p(exp(-fabs(z)));
  return z * gate(f, z);
}

static double slope(nu_activation f, double z) {
  if (f == NU_ELU) return z > 0 ? 1 : exp(z);
  if (f == NU_SELU) return z > 0 ? (double)NU_SELU_SLOPE : (double)NU_SELU_DEPTH * exp(z);
  if (f == NU_SOFTPLUS) return sigmoid(z);
  if (f == NU_GELU) return normal(z) + z * bell(z);
  if (f == NU_SILU) return sigmoid(z) + z * sigmoid(z) * sigmoid(-z);
  return mish_gate(z) + z * mish_rise(z);
}

/* What vector_math.h promises: c in |computed - f| <= c 2^-24 |f| + 4 (1 + |z|) 2^-126, and in
 * the same for f' with |f'| + gate for |f|; elu and selu, whose f' is formed from a, have 1 there.
 */
static const struct {
  double value, slope;
} bounds[NU_ACTIVATIONS] = {[NU_GELU] = {9, 8}, [NU_SILU] = {5, 8}, [NU_ELU] = {5, 4},
                            [NU_SELU] = {6, 8}, [NU_MISH] = {6, 8}, [NU_SOFTPLUS] = {5, 6}};

static double excess(double computed, double truth, double size, double z) {
  return (fabs(computed - truth) - 4.0 * (1.0 + fabs(z)) * 0x1p-126) / (0x1p-24 * size + 1e-300);
}

/* Every float in the slow tier (NUMANN_LONG), every 1,009th otherwise. */
static uint64_t stride_of_floats(void) { return getenv("NUMANN_LONG") ? 1 : 1009; }

static void evaluate(const nu_kernels *kernels, nu_activation f, const float *z, float *a,
                     float *d) {
  kernels->activate(f, 1, P, z, a, P);
  for (size_t i = 0; i < P; i++) d[i] = 1.0f;
  kernels->derive(f, 1, P, nu_keeps_z(f) ? z : a, d, P);
}

static void check_curve(const nu_kernels *kernels, nu_activation f) {
  const nu_kernels *base = nu_kernels_named("base");
  uint64_t stride = stride_of_floats();
  double worst = 0.0, worst_slope = 0.0;
  for (uint64_t start = 0; start < UINT64_C(1) << 32; start += stride * P) {
    float x[P], a[P], d[P], base_a[P], base_d[P];
    for (size_t i = 0; i < P; i++) {
      uint32_t bits = (uint32_t)(start + i * stride);
      memcpy(&x[i], &bits, 4);
    }
    evaluate(kernels, f, x, a, d);
    evaluate(base, f, x, base_a, base_d);
    for (size_t i = 0; i < P; i++) {
      if (isnan(x[i]) && !(isnan(a[i]) && isnan(d[i]))) ck_abort_msg("%s hides NaN", kernels->isa);
      if (isnan(x[i])) continue;
      if (memcmp(&a[i], &base_a[i], 4) != 0 || memcmp(&d[i], &base_d[i], 4) != 0)
        ck_abort_msg("%s: activation %d of %a differs from base", kernels->isa, f, (double)x[i]);
      double z = fabsf(x[i]) < FLT_MIN ? 0.0 : (double)x[i], y = value(f, z), s = slope(f, z);
      if (isinf(x[i]) || y > (double)FLT_MAX) continue;
      worst = fmax(worst, excess((double)a[i], y, fabs(y), z));
      double size = nu_keeps_z(f) ? fabs(s) + gate(f, z) : 1.0;
      worst_slope = fmax(worst_slope, excess((double)d[i], s, size, z));
    }
  }
  ck_assert_msg(worst > 0.1 && worst <= bounds[f].value, "%s: activation %d: %.3f, bound %.1f",
                kernels->isa, f, worst, bounds[f].value);
  ck_assert_msg(worst_slope > 0.1 && worst_slope <= bounds[f].slope,
                "%s: slope of activation %d: %.3f, bound %.1f", kernels->isa, f, worst_slope,
                bounds[f].slope);
}

START_TEST(curves_are_within_their_bounds) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  for (nu_activation f = FIRST; f < END; f++) check_curve(kernels, f);
  nu_float_env_leave(&env);
}
END_TEST

/* Infinite z, as in a training that diverges, gives what the function tends to, and no NaN. */
START_TEST(curves_have_their_limits) {
  static const struct {
    float low, low_slope, high_slope;
  } limits[NU_ACTIVATIONS] = {[NU_GELU] = {0, 0, 1}, [NU_SILU] = {0, 0, 1},
                              [NU_ELU] = {-1, 0, 1}, [NU_SELU] = {-NU_SELU_DEPTH, 0, NU_SELU_SLOPE},
                              [NU_MISH] = {0, 0, 1}, [NU_SOFTPLUS] = {0, 0, 1}};
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  for (nu_activation f = FIRST; f < END; f++) {
    float z[P] = {-INFINITY, INFINITY, -FLT_MAX, FLT_MAX}, a[P], d[P];
    evaluate(kernels, f, z, a, d);
    for (size_t i = 0; i < 4; i += 2) {
      ck_assert_msg(a[i] == limits[f].low && d[i] == limits[f].low_slope, "%d: %g %g", f,
                    (double)a[i], (double)d[i]);
      ck_assert_msg(a[i + 1] >= FLT_MAX && d[i + 1] == limits[f].high_slope, "%d: %g %g", f,
                    (double)a[i + 1], (double)d[i + 1]);
    }
  }
  nu_float_env_leave(&env);
}
END_TEST

/* The slopes above against differences of the values above: the oracle's own check. */
START_TEST(slopes_belong_to_the_values) {
  for (nu_activation f = FIRST; f < END; f++) {
    for (double z = -20.03; z < 20.0; z += 0.17) {
      double h = 1e-5, difference = (value(f, z + h) - value(f, z - h)) / (2.0 * h);
      ck_assert_double_eq_tol(slope(f, z), difference, 1e-8 * (1.0 + fabs(z)));
    }
  }
}
END_TEST

/* Every activation has its row, whose bounds hold what the kernels compute. */
START_TEST(rows_are_complete) {
  const nu_kernels *kernels = nu_kernels_select();
  nu_float_env env = nu_float_env_enter();
  for (nu_activation f = 0; f < NU_ACTIVATIONS; f++) {
    const nu_activation_row *row = nu_activation_row_of(f);
    ck_assert_msg(row->name && row->share > 0.0 && row->value && row->slope && row->bound &&
                      row->bound_slope && row->initializer.scheme != NU_SCHEME_AUTO,
                  "activation %d has no whole row", f);
    for (nu_activation other = 0; other < f; other++)
      ck_assert_str_ne(row->name, nu_activation_row_of(other)->name);
    for (float x = -20.0f; x < 20.0f && f != NU_STEP && f != NU_SOFTMAX; x += 0.375f * P) {
      float z[P], a[P], d[P];
      for (size_t i = 0; i < P; i++) z[i] = x + 0.37f * (float)i;
      evaluate(kernels, f, z, a, d);
      for (size_t i = 0; i < P; i++) {
        double y = row->value((double)z[i]), s = row->slope((double)z[i], y);
        double e = row->bound((double)z[i], y, 0.0);
        double e_slope = row->bound_slope((double)z[i], y, 0.0, e);
        ck_assert_double_le(fabs((double)a[i] - y), e);
        ck_assert_double_le(fabs((double)d[i] - s), e_slope);
        ck_assert_double_lt(e, 1e-5 * (1.0 + fabs(y)));
        ck_assert_double_lt(e_slope, 1e-5);
      }
    }
  }
  nu_float_env_leave(&env);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("curves");
  TCase *tests = tcase_create("curves");
  tcase_set_timeout(tests, getenv("NUMANN_LONG") ? 14400 : 300);
  tcase_add_loop_test(tests, curves_are_within_their_bounds, 0, NU_ISAS);
  tcase_add_loop_test(tests, curves_have_their_limits, 0, NU_ISAS);
  tcase_add_test(tests, slopes_belong_to_the_values);
  tcase_add_test(tests, rows_are_complete);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
