/* SPDX-License-Identifier: MIT */
#include "trainer/optimizer.h"

#include <stdio.h>

#include "base/number.h"
#include "base/real.h"

numann_status nu_optimizer_create(nu_optimizer *out, const numann_config *config, uint64_t batches,
                                  numann_error *err) {
  const nu_method *method;
  NU_TRY(nu_method_of(&method, config, err));
  *out = (nu_optimizer){.method = method,
                        .momentum = nu_config_real(config, "train.optimizer.momentum"),
                        .beta1 = nu_config_real(config, "train.optimizer.beta1"),
                        .beta2 = nu_config_real(config, "train.optimizer.beta2"),
                        .smoothing = nu_config_real(config, "train.optimizer.smoothing"),
                        .epsilon = nu_config_real(config, "train.optimizer.epsilon"),
                        .decay = nu_config_real(config, "train.optimizer.weight_decay"),
                        .clip_norm = nu_config_real(config, "train.clip_norm")};
  NU_TRY(nu_schedule_create(&out->schedule, config, batches, err));
  if (!(out->schedule.rate > 0.0)) out->schedule.rate = method->rate;
  return NUMANN_OK;
}

numann_status nu_settle_rate(numann_config *config, const numann_config *stored,
                             numann_error *err) {
  static const char key[] = "train.optimizer.learning_rate";
  const nu_method *method;
  char assignment[sizeof key + 1 + NU_REAL_TEXT], number[NU_REAL_TEXT];
  NU_TRY(nu_method_of(&method, config, err));
  double rate = stored ? nu_config_real(stored, key) : 0.0;
  if (nu_config_real(config, key) > 0.0 || !nu_config_counts(config, key)) return NUMANN_OK;
  if (!(rate > 0.0)) rate = method->rate;
  snprintf(assignment, sizeof assignment, "%s=%s", key, nu_format_real(rate, number));
  return numann_config_set(config, assignment, err);
}

/* 1 / (1 - beta^t) of Adam's bias correction. */
static double correction(double beta, uint64_t t) { return 1.0 / (1.0 - nu_real_power(beta, t)); }

nu_update nu_optimizer_step(const nu_optimizer *optimizer, uint64_t step, size_t rows,
                            double gradient_norm) {
  bool adam = optimizer->method->betas;
  double factor = 1.0 / (double)rows, norm = gradient_norm * factor;
  if (optimizer->clip_norm > 0.0 && norm > optimizer->clip_norm) {
    factor *= optimizer->clip_norm / norm;
  }
  return (nu_update){.rule = optimizer->method->rule,
                     .factor = (float)factor,
                     .learning_rate = (float)nu_schedule_rate(&optimizer->schedule, step),
                     .decay = (float)optimizer->decay,
                     .momentum = (float)(adam ? optimizer->beta1 : optimizer->momentum),
                     .smoothing = (float)(adam ? optimizer->beta2 : optimizer->smoothing),
                     .epsilon = (float)optimizer->epsilon,
                     .correction1 = adam ? (float)correction(optimizer->beta1, step + 1) : 1.0f,
                     .correction2 = adam ? (float)correction(optimizer->beta2, step + 1) : 1.0f};
}
