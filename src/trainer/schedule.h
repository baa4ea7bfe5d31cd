/* Learning-rate schedules. SPDX-License-Identifier: MIT
 *
 * With eta = train.optimizer.learning_rate, e the epoch counted from 0, t the step counted from 0
 * and T the steps of train.schedule.epochs, else of the whole training (train.epochs):
 *   constant     eta
 *   step         eta factor^floor(e / every)
 *   exponential  eta factor^e
 *   cosine       eta (final + (1 - final) (1 + cos(pi t / T)) / 2)    Loshchilov and Hutter 2017
 * During the first `warmup` epochs eta is multiplied by (t + 1) / their steps (Goyal et al.
 * 2017). */
#ifndef NU_TRAINER_SCHEDULE_H
#define NU_TRAINER_SCHEDULE_H

#include <stdint.h>

#include "config/config.h"

typedef enum nu_schedule_name {
  NU_CONSTANT,
  NU_STEPWISE,
  NU_EXPONENTIAL,
  NU_COSINE,
  NU_SCHEDULES
} nu_schedule_name;

typedef struct nu_schedule {
  nu_schedule_name name;
  double rate; /* eta */
  double factor, final;
  uint64_t every;   /* epochs */
  uint64_t batches; /* steps in an epoch */
  uint64_t steps;   /* until the last rate */
  uint64_t warmup_steps;
} nu_schedule;

numann_status nu_schedule_create(nu_schedule *out, const numann_config *config, uint64_t batches,
                                 numann_error *err);

/* The learning rate of step t. A pure function. */
double nu_schedule_rate(const nu_schedule *schedule, uint64_t t);

#endif
