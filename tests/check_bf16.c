/* train.precision bf16: the engine's gradient against the definition in docs/numerics.md, one
 * scalar operation at a time, bit for bit. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "machine/float_env.h"
#include "oracle.h"
#include "trainer/step.h"
#include "training.h"

/* ---- the definition */

/* Adding half of the last place that stays, less one where that is even, carries as rounding does.
 */
static float to_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;
  bits = (bits + 0x7fffu + (bits >> 16) % 2) & 0xffff0000u;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* A chain over x[i xstride] y[i ystride], i < n: pairs in order, in a pair the odd operands first,
 * an odd end paired with +0. */
static float chain(size_t n, const float *x, size_t xstride, const float *y, size_t ystride) {
  float sum = 0.0f;
  for (size_t i = 0; i < n; i += 2) {
    bool alone = i + 1 == n;
    float odd_x = alone ? 0.0f : to_bf16(x[(i + 1) * xstride]);
    float odd_y = alone ? 0.0f : to_bf16(y[(i + 1) * ystride]);
    sum = fmaf(odd_x, odd_y, sum);
    sum = fmaf(to_bf16(x[i * xstride]), to_bf16(y[i * ystride]), sum);
  }
  return sum;
}

#define WIDTH 128 /* more than any layer here; rows are this long */

typedef struct scalar_step {
  const numann_network *network;
  size_t rows;
  float *a[ORACLE_LAYERS + 1],
      *delta[ORACLE_LAYERS + 1]; /* [rows][WIDTH]; a with the 1 of the bias */
} scalar_step;

/* W with the bias as last input: [neurons][WIDTH]. */
static float *weights_and_bias(const nu_layer *layer) {
  float *w = nu_alloc(layer->neurons * WIDTH, sizeof *w);
  for (size_t j = 0; j < layer->neurons; j++) {
    memcpy(w + j * WIDTH, layer->weights + j * layer->inputs, layer->inputs * sizeof *w);
    w[j * WIDTH + layer->inputs] = layer->biases[j];
  }
  return w;
}

/* (3.8) */
static void forward(scalar_step *s, size_t l) {
  const nu_layer *layer = &s->network->layers[l];
  float *w = weights_and_bias(layer);
  for (size_t r = 0; r < s->rows; r++) {
    float *a = s->a[l + 1] + r * WIDTH;
    for (size_t j = 0; j < layer->neurons; j++) {
      a[j] = chain(layer->inputs + 1, s->a[l] + r * WIDTH, 1, w + j * WIDTH, 1);
    }
    if (l + 1 < s->network->n_layers) {
      nu_kernels_named("base")->activate(layer->activation, 1, nu_padded(layer->neurons), a, a,
                                         WIDTH);
    }
    a[layer->neurons] = 1.0f;
  }
  free(w);
}

/* (4.1), by the kernel that fp32 uses as well: the output row has no product. */
static void output(scalar_step *s, const float *targets) {
  size_t l = s->network->n_layers - 1, n = s->network->layers[l].neurons;
  float *scratch = nu_alloc(nu_output_scratch(n), sizeof *scratch);
  for (size_t r = 0; r < s->rows; r++) {
    float target[WIDTH] = {0};
    double loss;
    memcpy(target, targets + r * n, n * sizeof *target);
    nu_kernels_named("base")->output(&(nu_output){
        s->network->layers[l].activation, s->network->loss, n, 1, s->a[l + 1] + r * WIDTH,
        s->delta[l + 1] + r * WIDTH, WIDTH, target, &loss, scratch});
  }
  free(scratch);
}

/* (4.3): delta of layer l from the layer above; f' from the activation before rounding. */
static void backward(scalar_step *s, size_t l) {
  const nu_layer *layer = &s->network->layers[l], *above = layer + 1;
  float *w = weights_and_bias(above);
  for (size_t r = 0; r < s->rows; r++) {
    float *d = s->delta[l + 1] + r * WIDTH;
    for (size_t i = 0; i < layer->neurons; i++) {
      d[i] = chain(above->neurons, s->delta[l + 2] + r * WIDTH, 1, w + i, WIDTH);
    }
    nu_kernels_named("base")->derive(layer->activation, 1, nu_padded(layer->neurons),
                                     s->a[l + 1] + r * WIDTH, d, WIDTH);
  }
  free(w);
}

/* (4.12): node (level, index) of the tree. */
static float node(const scalar_step *s, size_t l, size_t i, size_t j, size_t grain, unsigned level,
                  size_t index) {
  if (level == 0) {
    size_t first = index * grain, n = s->rows - first < grain ? s->rows - first : grain;
    return chain(n, s->a[l] + first * WIDTH + i, WIDTH, s->delta[l + 1] + first * WIDTH + j, WIDTH);
  }
  size_t right = 2 * index + 1, grains = (s->rows + grain - 1) / grain;
  float left = node(s, l, i, j, grain, level - 1, 2 * index);
  return right << (level - 1) < grains ? left + node(s, l, i, j, grain, level - 1, right) : left;
}

static void scalar_gradient(const numann_network *network, const oracle_rows *rows, size_t grain,
                            float *gradient) {
  scalar_step s = {.network = network, .rows = rows->rows};
  unsigned levels = 0;
  while ((rows->rows + grain - 1) / grain > (size_t)1 << levels) levels++;
  for (size_t l = 0; l <= network->n_layers; l++) {
    s.a[l] = nu_alloc(rows->rows * WIDTH, sizeof(float));
    s.delta[l] = nu_alloc(rows->rows * WIDTH, sizeof(float));
  }
  size_t inputs = numann_network_inputs(network);
  for (size_t r = 0; r < rows->rows; r++) {
    memcpy(s.a[0] + r * WIDTH, rows->inputs + r * inputs, inputs * sizeof(float));
    s.a[0][r * WIDTH + inputs] = 1.0f;
  }
  for (size_t l = 0; l < network->n_layers; l++) forward(&s, l);
  output(&s, rows->targets);
  for (size_t l = network->n_layers - 1; l-- > 0;) backward(&s, l);
  for (size_t l = 0; l < network->n_layers; l++) {
    const nu_layer *layer = &network->layers[l];
    for (size_t j = 0; j < layer->neurons; j++) {
      for (size_t i = 0; i < layer->inputs; i++) *gradient++ = node(&s, l, i, j, grain, levels, 0);
    }
    for (size_t j = 0; j < layer->neurons; j++) {
      *gradient++ = node(&s, l, layer->inputs, j, grain, levels, 0);
    }
  }
  for (size_t l = 0; l <= network->n_layers; l++) {
    free(s.a[l]);
    free(s.delta[l]);
  }
}

/* ---- the engine */

/* Even and odd numbers of inputs, neurons and rows; the 1 of the bias inside and outside of panels.
 */
static const struct {
  oracle_shape shape;
  size_t rows, grain;
} cases[] = {
    {{2, {37, 45, 5}, {NU_TANH, NU_SOFTMAX}, NU_CROSS_ENTROPY}, 53, 8},
    {{3, {16, 32, 48, 3}, {NU_SIGMOID, NU_RELU, NU_SIGMOID}, NU_BINARY_CROSS_ENTROPY}, 41, 7},
    {{3, {31, 64, 33, 17}, {NU_LEAKY_RELU, NU_TANH, NU_IDENTITY}, NU_SQUARED_ERROR}, 64, 64},
    {{2, {96, 15, 96}, {NU_RELU, NU_TANH}, NU_SQUARED_ERROR}, 30, 5},
    {{1, {1, 1}, {NU_SIGMOID}, NU_SQUARED_ERROR}, 3, 1},
    {{2, {64, 31, 16}, {NU_IDENTITY, NU_SIGMOID}, NU_SQUARED_ERROR}, 1, 64},
};
#define CASES (int)(sizeof cases / sizeof *cases)

static void compare(const numann_network *network, const oracle_rows *rows, const nu_plan *plan,
                    const float *want, const char *what) {
  size_t n = network->n_parameters;
  float *got = nu_alloc(n, sizeof *got);
  training_must(nu_engine_gradient(network, plan, rows->rows, rows->inputs, rows->targets, got,
                                   &training_error));
  for (size_t i = 0; i < n; i++) {
    if (memcmp(&got[i], &want[i], sizeof *got) == 0) continue;
    ck_abort_msg("%s, %zu threads, %s: gradient %zu is %a, expected %a", what, plan->threads,
                 nu_strategy_name(plan->strategy), i, (double)got[i], (double)want[i]);
  }
  free(got);
}

START_TEST(the_gradient_is_as_defined) {
  const oracle_shape *shape = &cases[_i].shape;
  numann_network *network = oracle_network(shape, 3);
  oracle_rows rows = oracle_draw_rows(shape, cases[_i].rows, 4);
  float *want = nu_alloc(network->n_parameters, sizeof *want);
  nu_float_env env = nu_float_env_enter();
  scalar_gradient(network, &rows, cases[_i].grain, want);
  nu_float_env_leave(&env);
  for (size_t isa = 0; isa < NU_ISAS; isa++) {
    if (!nu_kernels_named(nu_isa_names[isa])) continue;
    setenv("NUMANN_ISA", nu_isa_names[isa], 1);
    for (size_t threads = 1; threads <= 5; threads++) {
      nu_plan plan = nu_plan_of(threads, (nu_strategy)(threads % NU_STRATEGIES), 2, rows.rows,
                                cases[_i].grain);
      plan.problem.precision = NU_BF16;
      if (threads % 2 == 0) plan.blocks = (nu_blocks){32, 2, 7, 9, 1 << 16};
      if (threads == 3) plan.chunk = 2;
      compare(network, &rows, &plan, want, nu_isa_names[isa]);
    }
  }
  unsetenv("NUMANN_ISA");
  free(want);
  oracle_free_rows(&rows);
  numann_network_destroy(network);
}
END_TEST

/* Rounding must show, or the test above says nothing: fp32 gives other bits, near ones. */
START_TEST(bf16_is_near_fp32_and_not_the_same) {
  const oracle_shape *shape = &cases[0].shape;
  numann_network *network = oracle_network(shape, 3);
  oracle_rows rows = oracle_draw_rows(shape, cases[0].rows, 4);
  float *gradient[2];
  double square = 0.0, off = 0.0;
  for (int precision = NU_FP32; precision <= NU_BF16; precision++) {
    nu_plan plan = nu_plan_of(1, NU_NEURONS, 1, rows.rows, 8);
    plan.problem.precision = (nu_precision)precision;
    gradient[precision] = nu_alloc(network->n_parameters, sizeof(float));
    training_must(nu_engine_gradient(network, &plan, rows.rows, rows.inputs, rows.targets,
                                     gradient[precision], &training_error));
  }
  for (size_t i = 0; i < network->n_parameters; i++) {
    double error = (double)gradient[NU_BF16][i] - (double)gradient[NU_FP32][i];
    off += error * error;
    square += (double)gradient[NU_FP32][i] * (double)gradient[NU_FP32][i];
  }
  ck_assert_double_gt(sqrt(off / square), 1e-4);
  ck_assert_double_lt(sqrt(off / square), 0x1p-6);
  free(gradient[0]);
  free(gradient[1]);
  oracle_free_rows(&rows);
  numann_network_destroy(network);
}
END_TEST

static Suite *bf16_suite(void) {
  Suite *suite = suite_create("bf16");
  TCase *tests = tcase_create("bf16");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, the_gradient_is_as_defined, 0, CASES);
  tcase_add_test(tests, bf16_is_near_fp32_and_not_the_same);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(bf16_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
