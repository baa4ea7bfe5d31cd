/* The kernels against scalar oracles, bit for bit, on every instruction set that runs here.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <fenv.h>
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
/* The definition: one fmaf chain over increasing p for each element, then the finished subtrees. */
static void chain_oracle(const nu_chain *c) {
  for (size_t i = 0; i < c->m; i++) {
    for (size_t q = 0; q < c->panels; q++) {
      for (size_t j = 0; j < c->width; j++) {
        size_t at = i * c->outrow + q * P + j;
        float sum = c->fresh ? 0.0f : c->out[at];
        for (size_t p = 0; p < c->k; p++) {
          sum = fmaf(c->x[i * c->xrow + p * c->xcol], c->y[q * c->ypanel + p * c->yrow + j], sum);
        }
        for (size_t l = 0; l < c->n_left; l++) sum = c->left[l][at] + sum;
        c->out[at] = sum;
      }
    }
  }
}

/* One chain of one panel, from what out holds: the multiply-add itself. */
static void multiply_add(const nu_kernels *kernels, const float *a, const float *b, float *out) {
  nu_chain c = {.m = 1, .k = 1, .panels = 1, .width = P, .x = a, .y = b, .out = out};
  kernels->chain(&c);
}

typedef struct chain_case {
  size_t m, k, panels, width, n_left;
  bool rowwise, fresh;
} chain_case;

static void check_chain(const nu_kernels *kernels, chain_case t) {
  size_t outrow = t.panels * P + 32, yrow = P + 7, ypanel = yrow * t.k + 3;
  size_t xrow = t.rowwise ? t.k + 3 : 1, xcol = t.rowwise ? 1 : t.m + 5;
  size_t nx = (t.m + 5) * (t.k + 3) + t.k * (t.m + 5), ny = ypanel * t.panels + P, n = t.m * outrow;
  float *x = nu_alloc(nx + 1, sizeof *x), *y = nu_alloc(ny + 1, sizeof *y),
        *left = nu_alloc(n, sizeof *left);
  float *got = guarded(n), *want = guarded(n);
  fill(x, nx + 1, 1);
  fill(y, ny + 1, 2);
  fill(got, n, 3);
  fill(left, n, 4);
  memcpy(want, got, n * sizeof *got);
  const float *got_left[] = {left, got},
              *want_left[] = {left, want}; /* the last may be out itself */
  nu_chain c = {.m = t.m,
                .k = t.k,
                .panels = t.panels,
                .width = t.width,
                .x = x + 1,
                .xrow = xrow,
                .xcol = xcol, /* + 1: unaligned */
                .y = y + 1,
                .yrow = yrow,
                .ypanel = ypanel,
                .out = got,
                .outrow = outrow,
                .fresh = t.fresh,
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
    for (size_t k = 1; k <= 40; k += (m > 7 ? 13 : 1)) {
      for (size_t width = P / 2; width <= P; width += P / 2) {
        check_chain(kernels, (chain_case){m, k, 1 + k % 6, width, 0, true, true});
        check_chain(kernels, (chain_case){m, k, 1, width, k % 3, false, k % 2 == 0});
      }
    }
  }
  check_chain(kernels, (chain_case){77, 301, 2, P, 0, true, true});
  check_chain(kernels, (chain_case){65, 64, 1, P / 2, 2, false, true});
  nu_stream stream = {11, NU_PURPOSE_GENERATE, 77};
  for (uint64_t i = 0; i < 2000; i++) {
    uint32_t r[7];
    for (uint64_t j = 0; j < 7; j++) r[j] = nu_random_bits(stream, 7 * i + j);
    check_chain(kernels, (chain_case){1 + r[0] % 40, 1 + r[1] % 40, 1 + r[2] % 6, P >> r[3] % 2,
                                      r[4] % 3, r[5] % 2, r[6] % 2});
  }
  nu_float_env_leave(&env);
}
END_TEST

START_TEST(transpose_turns_rows_into_columns) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  for (size_t n = P / 2; n <= P; n += P / 2) {
    for (size_t columns = 1; columns <= P; columns++) {
      size_t padded = nu_padded(columns), stride = P + 3;
      float from[P * P], *to = guarded(n * stride);
      fill(from, P * P, 5);
      kernels->transpose(n, columns, from, n, to, stride);
      for (size_t j = 0; j < n; j++) {
        for (size_t c = 0; c < stride; c++) {
          float want = c >= padded ? guard_value : c < columns ? from[c * n + j] : 0.0f;
          ck_assert_msg(memcmp(&to[j * stride + c], &want, 4) == 0,
                        "%s: n %zu columns %zu at %zu %zu", kernels->isa, n, columns, j, c);
        }
      }
      check_guards(to, n * stride);
      free(to - GUARD);
    }
  }
}
END_TEST

/* Bits that make fused and unfused, rounded once and twice, flushed and not differ. */
START_TEST(fma_is_correctly_rounded_on_hard_cases) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  nu_stream stream = {7, NU_PURPOSE_GENERATE, 9};
  for (uint64_t trial = 0; trial < 200000; trial++) {
    float a[P], b[P], got[P], want[P];
    for (uint64_t i = 0; i < P; i++) {
      uint32_t bits[3];
      for (uint64_t j = 0; j < 3; j++) bits[j] = nu_random_bits(stream, (trial * P + i) * 3 + j);
      memcpy(&a[i], &bits[0], 4);
      memcpy(&b[i], &bits[1], 4);
      memcpy(&got[i], &bits[2], 4);
      if (trial % 2) { /* near cancellation: c within 2 ulp of -ab */
        got[i] = -(a[0] * b[i]);
        memcpy(&bits[0], &got[i], 4);
        bits[0] += bits[2] % 5 - 2;
        memcpy(&got[i], &bits[0], 4);
      }
      want[i] = fmaf(a[0], b[i], got[i]);
    }
    multiply_add(kernels, a, b, got);
    for (size_t i = 0; i < P; i++) {
      bool same = memcmp(&got[i], &want[i], 4) == 0 || (isnan(got[i]) && isnan(want[i]));
      if (same) continue; /* an assert tells libcheck that it was here: too slow for millions */
      ck_abort_msg("%s: fma(%a, %a, .) = %a, expected %a", kernels->isa, (double)a[0], (double)b[i],
                   (double)got[i], (double)want[i]);
    }
  }
  nu_float_env_leave(&env);
}
END_TEST

/* b with a b = p modulo 2^33, for odd a: Newton's iteration doubles the bits that are right. */
static uint64_t cofactor(uint64_t a, uint64_t p) {
  uint64_t inverse = a;
  for (int i = 0; i < 5; i++) inverse *= 2 - a * inverse;
  return (inverse * p) & (((uint64_t)1 << 33) - 1);
}

/* c has the last bit 2^33 and a b = n 2^33 + 2^32 + t with |t| < 8: the sum lies half way between
 * two floats but for t, which a sum in double (last bit 2^4) loses, and then rounds the wrong way.
 */
START_TEST(fma_is_not_rounded_twice) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  size_t cases = 0, told_apart = 0;
  for (uint64_t a = ((uint64_t)1 << 23) + 1; cases < 500; a += 2) {
    uint64_t t = (uint64_t)0 - 7 + a % 15, b = cofactor(a, ((uint64_t)1 << 32) + t);
    if (b >= (uint64_t)1 << 24 || b == 0) continue;
    cases++;
    float x = a % 4 == 1 ? (float)a : -(float)a, y[P], got[P], want[P];
    for (size_t i = 0; i < P; i++) {
      y[i] = i % 2 ? (float)b : -(float)b;
      got[i] = (0x1p56f + (float)i * 0x1p33f) * (i % 4 < 2 ? 1.0f : -1.0f);
      want[i] = fmaf(x, y[i], got[i]);
      told_apart += want[i] != (float)((double)x * (double)y[i] + (double)got[i]);
    }
    multiply_add(kernels, &x, y, got);
    ck_assert_msg(memcmp(got, want, sizeof got) == 0, "%s: a %g, b %g", kernels->isa, (double)x,
                  (double)y[0]);
  }
  ck_assert_uint_gt(told_apart, 1000);
  nu_float_env_leave(&env);
}
END_TEST

/* 2^-126 (1 - 2^-46) rounds to the least normal number. Whether it counts as subnormal is asked
 * after rounding on x86 and before it on Arm: why the same bits are promised for one architecture.
 */
START_TEST(what_is_flushed_is_the_architectures_choice) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  float a = 0x1.000002p-63f, b[P] = {0x1.fffffcp-64f, 0x1.fffff8p-64f}, got[P] = {0.0f};
  multiply_add(kernels, &a, b, got);
  nu_float_env_leave(&env);
#if defined(__x86_64__)
  ck_assert(got[0] == 0x1p-126f);
#elif defined(__aarch64__)
  ck_assert(got[0] == 0.0f);
#endif
  ck_assert(got[1] == 0.0f); /* about 2^-126 (1 - 2^-23): subnormal in any case */
}
END_TEST

/* ---- activations */

static double exact(nu_activation f, double x) {
  switch (f) {
    case NU_SIGMOID: return x < 0 ? exp(x) / (1.0 + exp(x)) : 1.0 / (1.0 + exp(-x));
    case NU_TANH: return tanh(x);
    case NU_RELU: return x > 0 ? x : 0.0;
    case NU_LEAKY_RELU: return x > 0 ? x : (double)NU_LEAKY_SLOPE * x;
    case NU_STEP: return x > 0 ? 1.0 : 0.0;
    default: return x;
  }
}

static double error_ulp(double value, double truth) {
  int exponent;
  if (fabs(truth) < 0x1p-126) return fabs(value) <= 0x1p-126 ? 0.0 : INFINITY;
  frexp(truth, &exponent);
  return fabs(value - truth) / ldexp(1.0, exponent - 24);
}

/* Every float in the slow tier (NUMANN_LONG), every 1,009th otherwise. */
static uint64_t stride_of_floats(void) { return getenv("NUMANN_LONG") ? 1 : 1009; }

/* The floats with the bits `from`, `from` + stride, ... */
static void take_floats(uint64_t from, uint64_t stride, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) {
    uint32_t bits = (uint32_t)(from + i * stride);
    memcpy(&x[i], &bits, 4);
  }
}

/* Against the exact function, and against the baseline, to the bit. */
static void check_activation(const nu_kernels *kernels, nu_activation f, double bound) {
  uint64_t stride = stride_of_floats();
  double worst = 0.0;
  for (uint64_t start = 0; start < UINT64_C(1) << 32; start += stride * P) {
    float x[P], y[P], base[P];
    take_floats(start, stride, P, x);
    memcpy(y, x, sizeof y);
    kernels->activate(f, 1, P, y, y, P); /* in place, and beside */
    nu_kernels_named("base")->activate(f, 1, P, x, base, P);
    for (size_t i = 0; i < P; i++) {
      if (isnan(x[i]) && !isnan(y[i])) ck_abort_msg("%s hides NaN", kernels->isa);
      if (isfinite(x[i])) worst = fmax(worst, error_ulp(y[i], exact(f, x[i])));
      if (memcmp(&y[i], &base[i], 4) == 0 || isnan(x[i])) continue;
      ck_abort_msg("%s: activation %d of %a differs from base", kernels->isa, f, (double)x[i]);
    }
  }
  ck_assert_msg(worst <= bound, "%s: activation %d is %.3f ulp off, at most %.1f expected",
                kernels->isa, f, worst, bound);
}

/* In ulp; what is exact is bounded by less than one, as 0 means that an entry is missing. NAN:
 * softmax is no function of one z, the others are held in check_curves.c. */
static const double bounds[NU_ACTIVATIONS] = {
    [NU_STEP] = 0.1,   [NU_IDENTITY] = 0.1,   [NU_SIGMOID] = 2.7, [NU_TANH] = 2.7,
    [NU_RELU] = 0.1,   [NU_LEAKY_RELU] = 0.5, [NU_GELU] = NAN,    [NU_SILU] = NAN,
    [NU_ELU] = NAN,    [NU_SELU] = NAN,       [NU_MISH] = NAN,    [NU_SOFTPLUS] = NAN,
    [NU_SOFTMAX] = NAN};

START_TEST(activations_are_within_their_bounds) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  for (nu_activation f = 0; f < NU_ACTIVATIONS; f++) {
    ck_assert_msg(bounds[f] != 0.0, "activation %d has no bound", f);
    if (!isnan(bounds[f])) check_activation(kernels, f, bounds[f]);
  }
  nu_float_env_leave(&env);
}
END_TEST

/* tanh is odd; both stay within their limits, reach them, and fall by at most 2 ulp from one
 * positive float to the next that is looked at. */
static void check_shape(const nu_kernels *kernels, uint64_t from, uint64_t to, uint64_t stride) {
  float before[2] = {0.0f, 0.5f};
  for (uint64_t start = from; start + stride * P <= to; start += stride * P) {
    float x[P], minus[P], y[P], s[P];
    take_floats(start, stride, P, x);
    for (size_t i = 0; i < P; i++) minus[i] = -x[i];
    kernels->activate(NU_TANH, 1, P, x, y, P);
    kernels->activate(NU_TANH, 1, P, minus, minus, P);
    kernels->activate(NU_SIGMOID, 1, P, x, s, P);
    for (size_t i = 0; i < P; i++) {
      float opposite = -minus[i];
      bool odd = memcmp(&opposite, &y[i], 4) == 0, within = y[i] <= 1.0f && s[i] <= 1.0f;
      bool reached = (x[i] < 9.1f || y[i] == 1.0f) && (x[i] < 17.5f || s[i] == 1.0f);
      bool rises = y[i] >= before[0] * (1.0f - 0x1p-22f) && s[i] >= before[1] * (1.0f - 0x1p-22f);
      if (!odd || !within || !reached || !rises)
        ck_abort_msg("%s: at %a tanh %a, sigmoid %a", kernels->isa, (double)x[i], (double)y[i],
                     (double)s[i]);
      before[0] = y[i];
      before[1] = s[i];
    }
  }
}

START_TEST(sigmoid_and_tanh_keep_their_shape) {
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  nu_float_env env = nu_float_env_enter();
  check_shape(kernels, 0, 0x7f800000, stride_of_floats());
  check_shape(kernels, 0x41840000, 0x418c0000, 1); /* 16.5 to 17.5 */
  float limits[P] = {-INFINITY, INFINITY, -88.0f, -87.0f};
  kernels->activate(NU_SIGMOID, 1, P, limits, limits, P);
  ck_assert(limits[0] == 0.0f && limits[1] == 1.0f && limits[2] == 0.0f && limits[3] > 0.0f);
  nu_float_env_leave(&env);
}
END_TEST

/* exp, as the softmax of (0, x): below -18 the sum is 1, and exp comes out alone. */
START_TEST(exponentials_are_within_their_bound) {
  enum { ROWS = 64, N = ROWS * NU_HALF_PANEL };
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (!kernels) return;
  static float z[N], scratch[3 * NU_HALF_PANEL * NU_HALF_PANEL];
  nu_float_env env = nu_float_env_enter();
  uint64_t stride = stride_of_floats();
  double alone = 0.0, shared = 0.0;
  for (uint64_t start = UINT64_C(1) << 31; start < 0xff800000; start += stride * ROWS) {
    float x[ROWS];
    take_floats(start, stride, ROWS, x);
    for (size_t i = 0; i < ROWS; i++) {
      z[i * NU_HALF_PANEL] = 0.0f;
      z[i * NU_HALF_PANEL + 1] = x[i];
    }
    kernels->output(&(nu_output){.activation = NU_SOFTMAX,
                                 .loss = NU_CROSS_ENTROPY,
                                 .n = 2,
                                 .rows = ROWS,
                                 .z = z,
                                 .stride = NU_HALF_PANEL,
                                 .scratch = scratch});
    for (size_t i = 0; i < ROWS; i++) {
      if (!(x[i] <= 0.0f)) continue;
      double *worst = x[i] < -18.0f ? &alone : &shared;
      *worst = fmax(*worst, error_ulp(z[i * NU_HALF_PANEL + 1], exact(NU_SIGMOID, x[i])));
    }
  }
  nu_float_env_leave(&env);
  ck_assert_msg(alone <= 2.0 && shared <= 3.5, "%s: %.3f and %.3f ulp off", kernels->isa, alone,
                shared);
}
END_TEST

/* f'(z) from a against the difference quotient of f in double. */
START_TEST(derivatives_match_the_functions) {
  const nu_kernels *kernels = nu_kernels_select();
  for (nu_activation f = NU_IDENTITY; f < NU_SOFTMAX; f++) {
    float z[P], a[P], d[P];
    if (isnan(bounds[f])) continue;
    for (size_t i = 0; i < P; i++) z[i] = 0.37f * ((float)i - 15.7f);
    kernels->activate(f, 1, P, z, a, P);
    for (size_t i = 0; i < P; i++) d[i] = 2.0f;
    kernels->derive(f, 1, P, nu_keeps_z(f) ? z : a, d, P);
    for (size_t i = 0; i < P; i++) {
      double h = 1e-6, slope = (exact(f, z[i] + h) - exact(f, z[i] - h)) / (2.0 * h);
      ck_assert_double_eq_tol((double)d[i], 2.0 * slope, 2e-6);
    }
  }
}
END_TEST

/* ---- every kernel on every instruction set: the same bits */

static void run_all(const nu_kernels *k, float *bits, size_t n) {
  enum { N = 4 * P };
  float x[N], a[N], d[N], w[N], G[N], m1[N], m2[N], m3[N], z[64], target[40] = {0};
  size_t used = 0;
  for (nu_activation f = NU_STEP; f < NU_SOFTMAX; f++) {
    fill(x, N, 11);
    for (size_t i = 0; i < N; i++) x[i] *= 64.0f;
    k->activate(f, 1, N, x, a, N);
    fill(d, N, 12);
    k->derive(f, 1, N, nu_keeps_z(f) ? x : a, d, N);
    memcpy(bits + used, d, sizeof d);
    used += N;
  }
  for (nu_rule rule = NU_SGD; rule < NU_RULES; rule++) {
    nu_update u = {rule, 0.3f, 0.01f, 1e-3f, 0.9f, 0.999f, 1e-8f, 1.7f, 2.3f};
    fill(w, N, 13);
    fill(G, N, 14);
    fill(m1, N, 15);
    fill(m2, N, 16);
    fill(m3, N, 16);
    for (size_t i = 0; i < N; i++) {
      m1[i] = fabsf(m1[i]);
      m2[i] = fabsf(m2[i]);
    }
    ck_assert(k->update(&u, N, w, G, (float *[]){m1, m2, m3}));
    memcpy(bits + used, w, sizeof w);
    memcpy(bits + used + N, m1, sizeof m1);
    memcpy(bits + used + 2 * N, m2, sizeof m2);
    memcpy(bits + used + 3 * N, m3, sizeof m3);
    used += 4 * N;
  }
  for (uint32_t trial = 0; trial < 8 * NU_LOSSES; trial++) {
    nu_loss loss = (nu_loss)(trial % NU_LOSSES);
    fill(z, 64, 17 + 2 * trial);
    fill(target, 40, 18 + 2 * trial);
    double value = output_row(k, loss == NU_CROSS_ENTROPY ? NU_SOFTMAX : NU_SIGMOID, loss, 40, z,
                              target, NULL);
    memcpy(bits + used, z, 40 * sizeof *z);
    memcpy(bits + used + 40, &value, sizeof value);
    used += 42;
  }
  double norm = k->dot(N, G, G);
  memcpy(bits + used, &norm, sizeof norm);
  ck_assert(used + 2 <= n);
}

START_TEST(all_instruction_sets_give_the_same_bits) {
  enum { N = 8192 };
  static float want[N], got[N];
  nu_float_env env = nu_float_env_enter();
  run_all(nu_kernels_named("base"), want, N);
  const nu_kernels *kernels = nu_kernels_named(nu_isa_names[_i]);
  if (kernels) {
    run_all(kernels, got, N);
    ck_assert_msg(memcmp(want, got, sizeof want) == 0, "%s differs from base", kernels->isa);
  }
  nu_float_env_leave(&env);
}
END_TEST

/* ---- layout */

START_TEST(panels_convert_there_and_back) {
  static const size_t sizes[][2] = {{1, 1}, {3, 4}, {31, 33}, {64, 32}, {100, 65}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    size_t inputs = sizes[s][0], neurons = sizes[s][1], n = inputs * neurons;
    float *w = nu_alloc(n, 4), *b = nu_alloc(neurons, 4), *w2 = nu_alloc(n, 4),
          *b2 = nu_alloc(neurons, 4);
    float *engine = nu_alloc(nu_engine_size(inputs, neurons), 4);
    fill(w, n, 21);
    fill(b, neurons, 22);
    nu_to_engine(inputs, neurons, (inputs + 1) * NU_PANEL, w, b, engine);
    nu_from_engine(inputs, neurons, (inputs + 1) * NU_PANEL, engine, w2, b2);
    ck_assert(memcmp(w, w2, n * 4) == 0 && memcmp(b, b2, neurons * 4) == 0);
    free(w), free(b), free(w2), free(b2), free(engine);
  }
}
END_TEST

static Suite *kernels_suite(void) {
  Suite *suite = suite_create("kernels");
  TCase *tests = tcase_create("kernels");
  tcase_set_timeout(tests, getenv("NUMANN_LONG") ? 7200 : 300);
  tcase_add_loop_test(tests, chain_equals_the_scalar_chain, 0, NU_ISAS);
  tcase_add_loop_test(tests, transpose_turns_rows_into_columns, 0, NU_ISAS);
  tcase_add_loop_test(tests, fma_is_correctly_rounded_on_hard_cases, 0, NU_ISAS);
  tcase_add_loop_test(tests, fma_is_not_rounded_twice, 0, NU_ISAS);
  tcase_add_loop_test(tests, what_is_flushed_is_the_architectures_choice, 0, NU_ISAS);
  tcase_add_loop_test(tests, activations_are_within_their_bounds, 0, NU_ISAS);
  tcase_add_loop_test(tests, sigmoid_and_tanh_keep_their_shape, 0, NU_ISAS);
  tcase_add_loop_test(tests, exponentials_are_within_their_bound, 0, NU_ISAS);
  tcase_add_test(tests, derivatives_match_the_functions);
  tcase_add_loop_test(tests, all_instruction_sets_give_the_same_bits, 0, NU_ISAS);
  tcase_add_test(tests, panels_convert_there_and_back);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(kernels_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
