/* Layers that are not dense: what they do to numbers, when, and what it depends on. Their gradients
 * are checked by gradcheck (check_gradient.c), their bits in same_bits.sh.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/naive.h"
#include "network/network.h"
#include "training.h"

#define DENSE "{neurons: 45, activation: tanh}"
#define LAST "{neurons: 5, activation: softmax}"
#define DROPOUT "{kind: dropout, rate: 0.3}"
#define CONFIG(layers)                \
  "data: {train: {path: none.csv}}\n" \
  "network: {layers: [" layers        \
  "]}\n"                              \
  "train: {loss: cross_entropy, batch: full, epochs: 2, seed: 5, grain: 8, shuffle: false}\n"

static const char *const plain = CONFIG(DENSE ", " LAST),
                         *const dropped = CONFIG(DROPOUT ", " DENSE ", " DROPOUT ", " LAST),
                         *const scaled = CONFIG("{kind: scale}, " DENSE ", {kind: scale}, " LAST);
/* No weight moves. */
static const char *const still = "train.optimizer.learning_rate=1e-30";

/* ---- dropout */

static float *answers(const numann_network *network) {
  static float inputs[TRAINING_ROWS * TRAINING_FEATURES];
  float *outputs = malloc(TRAINING_ROWS * TRAINING_CLASSES * sizeof *outputs);
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
    inputs[i] = (float)(i % 17) * 0.25f - 2.0f;
  ck_assert(outputs);
  training_must(numann_predict(network, 2, TRAINING_ROWS, inputs, outputs, &training_error));
  return outputs;
}

/* Outside of training a dropout layer passes its inputs: the same bits as without it. */
START_TEST(dropout_is_off_when_it_answers) {
  training_job with = training_start_on(dropped, "", 2, NU_NEURONS);
  training_job without = training_start_on(plain, "", 2, NU_NEURONS);
  ck_assert_uint_eq(with.network->n_parameters, without.network->n_parameters);
  memcpy(with.network->parameters, without.network->parameters,
         without.network->n_parameters * sizeof(float));
  float *a = answers(with.network), *b = answers(without.network);
  ck_assert_mem_eq(a, b, TRAINING_ROWS * TRAINING_CLASSES * sizeof *a);
  free(a);
  free(b);
  training_end(&with);
  training_end(&without);
}
END_TEST

static numann_action keep_loss(void *arg, const numann_epoch *epoch) {
  ((double *)arg)[epoch->epoch - 1] = epoch->train_loss;
  return NUMANN_CONTINUE;
}

/* The training losses of two epochs in which no weight moves: they differ by the masks alone. */
static void losses(const char *config, const char *more, double out[2]) {
  char settings[128];
  snprintf(settings, sizeof settings, "%s %s", still, more);
  training_job j = training_start_on(config, settings, 3, NU_SAMPLES);
  /* the same weights whatever the seed */
  for (size_t i = 0; i < j.network->n_parameters; i++)
    j.network->parameters[i] = 0.02f * ((float)(i * 37 % 19) - 9.0f);
  numann_observer observer = {.arg = out, .on_epoch = keep_loss};
  training_must(numann_trainer_run(j.trainer, &observer, &training_error));
  training_end(&j);
}

START_TEST(dropout_draws_by_step_sample_and_seed) {
  double none[2], first[2], shuffled[2], seeded[2];
  losses(plain, "", none);
  losses(dropped, "", first);
  losses(dropped, "train.shuffle=true", shuffled);
  ck_assert_double_eq(none[0], none[1]);
  ck_assert_double_gt(fabs(first[0] - none[0]), 1e-3);
  ck_assert_double_gt(fabs(first[0] - first[1]), 1e-5); /* another step */
  /* The same samples in another order have the same masks. */
  ck_assert_double_eq_tol(shuffled[0], first[0], 1e-6);
  ck_assert_double_eq_tol(shuffled[1], first[1], 1e-6);
  losses(dropped, "train.seed=6", seeded);
  ck_assert_double_gt(fabs(first[0] - seeded[0]), 1e-5);
}
END_TEST

/* On the naive network, which gradcheck ties to the engine's: shares, factors, independence. */
START_TEST(masks_keep_the_mean_and_are_of_their_own) {
  enum { ROWS = 400 };
  const double q = 1.0 - floor(0.3 * 65536 + 0.5) / 65536, units = (double)ROWS * 45.0;
  training_job j = training_start_on(dropped, "", 1, NU_NEURONS);
  float input[TRAINING_FEATURES], target[TRAINING_CLASSES] = {1.0f};
  nu_naive naive;
  double zeros = 0.0, both = 0.0, again = 0.0;
  bool last[45] = {false};
  for (size_t i = 0; i < TRAINING_FEATURES; i++) input[i] = 1.0f;
  training_must(nu_naive_create(&naive, j.network, &training_error));
  for (naive.row = 0; naive.row < ROWS; naive.row++) {
    nu_naive_forward(&naive, input, target);
    const double *bottom = naive.a + naive.first[1], *below = naive.a + naive.first[2],
                 *top = naive.a + naive.first[3];
    for (size_t i = 0; i < TRAINING_FEATURES; i++)
      ck_assert(bottom[i] == 0.0 || fabs(bottom[i] - 1.0 / q) < 1e-6);
    for (size_t i = 0; i < 45; i++) {
      bool zero = top[i] == 0.0;
      ck_assert(zero || fabs(top[i] / below[i] - 1.0 / q) < 1e-6);
      zeros += zero;
      again += zero && last[i];
      if (i < TRAINING_FEATURES) both += zero && bottom[i] == 0.0;
      last[i] = zero;
    }
  }
  /* within four standard deviations of independent draws */
  ck_assert_double_le(fabs(zeros / units - 0.3), 4.0 * sqrt(0.21 / units));
  ck_assert_double_le(fabs(again / units - 0.09), 4.0 * sqrt(0.082 / units));
  ck_assert_double_le(fabs(both / (ROWS * 37.0) - 0.09), 4.0 * sqrt(0.082 / (ROWS * 37.0)));
  nu_naive_clear(&naive);
  training_end(&j);
}
END_TEST

/* ---- scale */

/* Factors begin at 1, so that nothing changes, then learn, and decay leaves them alone. */
START_TEST(scales_begin_at_1_and_learn) {
  training_job with = training_start_on(scaled, "", 2, NU_SAMPLES);
  training_job without = training_start_on(plain, "", 2, NU_SAMPLES);
  float *factors = with.network->layers[0].weights;
  size_t moved = 0;
  ck_assert_uint_eq(with.network->n_parameters,
                    without.network->n_parameters + TRAINING_FEATURES + 45);
  for (size_t l = 1, k = 0; l < 4; l += 2, k++) {
    nu_layer *to = &with.network->layers[l], *from = &without.network->layers[k];
    memcpy(to->weights, from->weights, from->links * from->neurons * sizeof(float));
    memcpy(to->biases, from->biases, from->neurons * sizeof(float));
  }
  float *a = answers(with.network), *b = answers(without.network);
  ck_assert_mem_eq(a, b, TRAINING_ROWS * TRAINING_CLASSES * sizeof *a);
  training_must(numann_trainer_run(with.trainer, NULL, &training_error));
  for (size_t i = 0; i < TRAINING_FEATURES; i++) moved += factors[i] != 1.0f;
  ck_assert_uint_ge(moved, TRAINING_FEATURES / 2);
  free(a);
  free(b);
  training_end(&with);
  training_end(&without);
}
END_TEST

START_TEST(scales_do_not_decay) {
  training_job j = training_start_on(
      scaled, "train.optimizer.learning_rate=1e-9 train.optimizer.weight_decay=1e8", 1, NU_NEURONS);
  float weight = j.network->layers[1].weights[0];
  training_must(numann_trainer_run(j.trainer, NULL, &training_error));
  ck_assert_float_eq_tol(j.network->layers[0].weights[0], 1.0f, 1e-4f);
  ck_assert_float_le(fabsf(j.network->layers[1].weights[0]), 0.9f * fabsf(weight));
  training_end(&j);
}
END_TEST

/* ---- mistakes */

static const struct {
  const char *layers, *wants;
} wrong[] = {{CONFIG("{kind: dropout}, " LAST), "rate: 0.3"},
             {CONFIG("{kind: dropout, rate: 1}, " LAST), "below 1"},
             {CONFIG("{kind: scale, neurons: 3}, " LAST), "neurons"},
             {CONFIG("{kind: dense, activation: relu}, " LAST), "neurons"},
             {CONFIG("{kind: pool}, " LAST), "dropout"},
             {CONFIG(DENSE), "5 classes"}};

START_TEST(wrong_layers_are_told) {
  numann_config *config;
  numann_network *network = NULL;
  training_job j = training_start_on(plain, "", 1, NU_NEURONS);
  numann_status status = numann_config_parse(&config, wrong[_i].layers, "t", &training_error);
  if (status == NUMANN_OK) {
    status = numann_network_create(&network, config, j.data, &training_error);
    numann_config_destroy(config);
  }
  ck_assert_int_eq(status, NUMANN_ERR_CONFIG);
  ck_assert_msg(strstr(training_error.message, wrong[_i].wants), "%s", training_error.message);
  training_end(&j);
}
END_TEST

/* A layer that was another kind: what it is now decides what it needs. */
START_TEST(a_layer_made_dense_needs_its_neurons) {
  numann_config *config;
  training_must(numann_config_parse(&config, scaled, "t", &training_error));
  ck_assert_int_eq(numann_config_set(config, "network.layers.0={kind: dense, activation: relu}",
                                     &training_error),
                   NUMANN_ERR_CONFIG);
  ck_assert_msg(strstr(training_error.message, "neurons"), "%s", training_error.message);
  numann_config_destroy(config);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kinds");
  TCase *tests = tcase_create("kinds");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, dropout_is_off_when_it_answers);
  tcase_add_test(tests, dropout_draws_by_step_sample_and_seed);
  tcase_add_test(tests, masks_keep_the_mean_and_are_of_their_own);
  tcase_add_test(tests, scales_begin_at_1_and_learn);
  tcase_add_test(tests, scales_do_not_decay);
  tcase_add_test(tests, a_layer_made_dense_needs_its_neurons);
  tcase_add_loop_test(tests, wrong_layers_are_told, 0, sizeof wrong / sizeof *wrong);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
