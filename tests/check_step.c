/* One step and what it stands on: each optimiser against its formula in double precision, rows in
 * another order, two trainers at once. SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "data/data.h"
#include "layers/naive.h"
#include "network/network.h"
#include "oracle.h"
#include "trainer/step.h"
#include "training.h"

/* ---- optimisers: the formulas of trainer/optimizer.h again, in double, on the naive gradient */

typedef enum formula { SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW, AMSGRAD, IRPROP } formula;

typedef struct reference {
  formula rule;
  double rate, decay, clip;
  nu_naive naive;
  double *gradient, *m, *v, *u; /* [n_parameters] */
  bool *is_weight;              /* [n_parameters]: decay is for weights, not for biases */
  size_t n;
  int t;
} reference;

static reference reference_start(const numann_network *network, formula rule, double rate,
                                 double decay, double clip) {
  size_t n = network->n_parameters;
  reference r = {.rule = rule, .rate = rate, .decay = decay, .clip = clip, .n = n};
  training_must(nu_naive_create(&r.naive, network, &training_error));
  r.gradient = nu_alloc(n, sizeof(double));
  r.m = nu_alloc(n, sizeof(double));
  r.v = nu_alloc(n, sizeof(double));
  r.u = nu_alloc(n, sizeof(double));
  r.is_weight = nu_alloc(n, sizeof(bool));
  for (size_t l = 0, at = 0; l < network->n_layers; l++) {
    size_t weights = network->layers[l].inputs * network->layers[l].neurons;
    for (size_t i = 0; i < weights; i++) r.is_weight[at + i] = true;
    at += weights + network->layers[l].neurons;
  }
  return r;
}

static void reference_end(reference *r) {
  nu_naive_clear(&r->naive);
  free(r->gradient);
  free(r->m);
  free(r->v);
  free(r->u);
  free(r->is_weight);
}

/* The algorithm of the paper, with the products of its gradients. */
static double irprop(double *size, double *last, double rate, double w, double g) {
  if (*size == 0.0) *size = rate;
  if (*last * g > 0.0) *size = fmin(*size * 1.2, 50.0);
  if (*last * g < 0.0) {
    *size = fmax(*size * 0.5, 1e-6);
    g = 0.0;
  }
  *last = g;
  return w - (g > 0.0 ? *size : g < 0.0 ? -*size : 0.0);
}

/* w from the mean gradient g, which has the L2 term already where the rule wants it there. */
static double updated(reference *r, size_t i, double w, double g) {
  double *m = &r->m[i], *v = &r->v[i], *u = &r->u[i];
  switch (r->rule) {
    case SGD: return w - r->rate * g;
    case MOMENTUM: *m = 0.9 * *m + g; return w - r->rate * *m;
    case NESTEROV: *m = 0.9 * *m + g; return w - r->rate * (g + 0.9 * *m);
    case RMSPROP: *v = 0.9 * *v + 0.1 * g * g; return w - r->rate * g / (sqrt(*v) + 1e-8);
    case IRPROP: return irprop(m, v, r->rate, w, g);
    case AMSGRAD:
      *m = 0.9 * *m + 0.1 * g;
      *v = 0.5 * *v + 0.5 * g * g;
      *u = fmax(*u, *v);
      return w - r->rate * *m / (1.0 - pow(0.9, r->t)) / (sqrt(*u / (1.0 - pow(0.5, r->t))) + 1e-8);
    default:
      *m = 0.9 * *m + 0.1 * g;
      *v = 0.999 * *v + 0.001 * g * g;
      return w -
             r->rate * *m / (1.0 - pow(0.9, r->t)) / (sqrt(*v / (1.0 - pow(0.999, r->t))) + 1e-8);
  }
}

static void reference_step(reference *r, size_t rows, const float *inputs, const float *targets) {
  double norm = 0.0, *w = r->naive.parameters;
  nu_naive_gradient(&r->naive, rows, inputs, targets, NULL, r->gradient);
  for (size_t i = 0; i < r->n; i++) {
    r->gradient[i] /= (double)rows;
    norm += r->gradient[i] * r->gradient[i];
  }
  double scale = r->clip > 0.0 && sqrt(norm) > r->clip ? r->clip / sqrt(norm) : 1.0;
  r->t++;
  for (size_t i = 0; i < r->n; i++) {
    double decay = r->is_weight[i] ? r->decay : 0.0, g = r->gradient[i] * scale;
    if (r->rule == ADAMW) w[i] -= r->rate * decay * w[i];
    else g += decay * w[i];
    w[i] = updated(r, i, w[i], g);
  }
}

static const struct {
  const char *settings;
  formula rule;
  double rate, decay, clip;
  size_t batch; /* 0: 97 */
} optimizers[] = {
    {"name=sgd", SGD, 0.05, 0, 0, 0},
    {"name=sgd", SGD, 0.05, 0.1, 0.05, 0},
    {"name=momentum", MOMENTUM, 0.05, 0.1, 0, 0},
    {"name=nesterov", NESTEROV, 0.05, 0.1, 0, 0},
    {"name=rmsprop", RMSPROP, 0.01, 0.1, 0, 0},
    {"name=adam", ADAM, 0.01, 0, 0, 0},
    {"name=adam", ADAM, 0.01, 0.1, 0.05, 0},
    {"name=adamw", ADAMW, 0.01, 0.1, 0, 0},
    {"beta2=0.5 train.optimizer.name=amsgrad", AMSGRAD, 0.01, 0.1, 0, 0},
    {"name=irprop train.batch=full train.epochs=12", IRPROP, 0.01, 0.1, 0, TRAINING_ROWS}};

/* Batches of 97, 97 and 9 rows, twice, or all rows twelve times, without shuffling. tanh throughout: no kinks, so that float
 * and double stay on one path. */
START_TEST(optimizers_follow_their_formulas) {
  char settings[512];
  float targets[TRAINING_ROWS * TRAINING_CLASSES] = {0};
  snprintf(settings, sizeof settings,
           "train.shuffle=false train.epochs=2 network.layers.1.activation=tanh train.optimizer.%s "
           "train.optimizer.learning_rate=%g train.optimizer.weight_decay=%g train.clip_norm=%g",
           optimizers[_i].settings, optimizers[_i].rate, optimizers[_i].decay, optimizers[_i].clip);
  training_job j = training_start(settings, 2, NU_SAMPLES);
  const nu_rows *rows = &j.data->train;
  reference r = reference_start(j.network, optimizers[_i].rule, optimizers[_i].rate,
                                optimizers[_i].decay, optimizers[_i].clip);
  /* Adam and RMSprop divide by |g|: a gradient of nearly 0 may point anywhere */
  double largest = 0.0, tolerance = optimizers[_i].rule >= RMSPROP ? 2e-3 : 2e-6;
  for (size_t i = 0; i < rows->rows; i++)
    targets[i * TRAINING_CLASSES + (size_t)rows->labels[i]] = 1;
  size_t batch = optimizers[_i].batch ? optimizers[_i].batch : 97;
  for (size_t epoch = 0; epoch < (batch == 97 ? 2 : 12); epoch++) {
    for (size_t first = 0; first < rows->rows; first += batch) {
      size_t n = rows->rows - first < batch ? rows->rows - first : batch;
      reference_step(&r, n, rows->inputs + first * TRAINING_FEATURES,
                     targets + first * TRAINING_CLASSES);
    }
  }
  training_must(numann_trainer_run(j.trainer, NULL, &training_error));
  for (size_t i = 0; i < r.n; i++) {
    double off = fabs((double)j.network->parameters[i] - r.naive.parameters[i]);
    if (off > largest) largest = off;
  }
  ck_assert_msg(largest <= tolerance, "%s: %g off", settings, largest);
  ck_assert_msg(largest > 1e-10, "%s: as if it were double", settings);
  reference_end(&r);
  training_end(&j);
}
END_TEST

/* ---- rows in another order */

#define BATCH 75

static const oracle_shape shape = {
    3, {70, 67, 35, 9}, {NU_TANH, NU_LEAKY_RELU, NU_SOFTMAX}, NU_CROSS_ENTROPY};

static void permute(float *to, const float *from, size_t width, const uint32_t *order) {
  for (size_t r = 0; r < BATCH; r++) {
    memcpy(to + r * width, from + order[r] * width, width * sizeof *to);
  }
}

/* Outputs belong to their row alone: they move with it, bit for bit. */
START_TEST(outputs_move_with_their_rows) {
  uint32_t order[BATCH];
  float inputs[BATCH * 70], straight[BATCH * 9], wanted[BATCH * 9], moved[BATCH * 9];
  numann_network *network = oracle_network(&shape, 3);
  oracle_rows rows = oracle_draw_rows(&shape, BATCH, 4);
  nu_data_order(order, BATCH, 5, 0, true);
  permute(inputs, rows.inputs, 70, order);
  training_must(numann_predict(network, 2, BATCH, rows.inputs, straight, &training_error));
  training_must(numann_predict(network, 3, BATCH, inputs, moved, &training_error));
  permute(wanted, straight, 9, order);
  ck_assert_mem_eq(moved, wanted, sizeof moved);
  ck_assert_mem_ne(moved, straight, sizeof moved);
  oracle_free_rows(&rows);
  numann_network_destroy(network);
}
END_TEST

/* The gradient is a sum in the order of the rows: another order, other bits, the same value. */
START_TEST(gradients_keep_their_value_and_not_their_bits) {
  uint32_t order[BATCH];
  float inputs[BATCH * 70], targets[BATCH * 9];
  numann_network *network = oracle_network(&shape, 3);
  oracle_rows rows = oracle_draw_rows(&shape, BATCH, 4);
  size_t n = network->n_parameters;
  float *a = nu_alloc(n, sizeof *a), *b = nu_alloc(n, sizeof *b);
  nu_plan plan = nu_plan_of(2, NU_SAMPLES, 0, BATCH, 8);
  nu_data_order(order, BATCH, 5, 0, true);
  permute(inputs, rows.inputs, 70, order);
  permute(targets, rows.targets, 9, order);
  training_must(
      nu_engine_gradient(network, &plan, BATCH, rows.inputs, rows.targets, a, &training_error));
  training_must(nu_engine_gradient(network, &plan, BATCH, inputs, targets, b, &training_error));
  ck_assert_mem_ne(a, b, n * sizeof *a);
  double square = 0.0, difference = 0.0;
  for (size_t i = 0; i < n; i++) {
    square += (double)a[i] * (double)a[i];
    difference += pow((double)a[i] - (double)b[i], 2);
  }
  ck_assert_double_le(sqrt(difference / square), 1e-6);
  free(a);
  free(b);
  oracle_free_rows(&rows);
  numann_network_destroy(network);
}
END_TEST

/* ---- two trainers in one process */

typedef struct run {
  const char *settings;
  training_job job;
  char alone[65], together[65];
  numann_status status;
} run;

static void *train(void *arg) {
  run *r = arg;
  numann_error error;
  r->status = numann_trainer_run(r->job.trainer, NULL, &error);
  return NULL;
}

START_TEST(two_trainers_at_once_train_as_alone) {
  run runs[2] = {{.settings = "train.optimizer.name=adam train.epochs=20"},
                 {.settings = "train.batch=20 train.epochs=10 train.seed=8"}};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    training_hash(runs[i].settings, 3, i ? NU_NEURONS : NU_SAMPLES, runs[i].alone);
    runs[i].job = training_start(runs[i].settings, 3, i ? NU_NEURONS : NU_SAMPLES);
  }
  for (int i = 0; i < 2; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, train, &runs[i]), 0);
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    training_must(runs[i].status);
    nu_network_sha256(runs[i].job.network, runs[i].together);
    ck_assert_str_eq(runs[i].alone, runs[i].together);
    training_end(&runs[i].job);
  }
  ck_assert_str_ne(runs[0].alone, runs[1].alone);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("step");
  TCase *tests = tcase_create("step");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, optimizers_follow_their_formulas, 0,
                      sizeof optimizers / sizeof *optimizers);
  tcase_add_test(tests, outputs_move_with_their_rows);
  tcase_add_test(tests, gradients_keep_their_value_and_not_their_bits);
  tcase_add_test(tests, two_trainers_at_once_train_as_alone);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
