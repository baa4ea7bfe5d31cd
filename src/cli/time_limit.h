/* train.max_time: a training that stops before its time is over. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_TIME_LIMIT_H
#define NU_CLI_TIME_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "checkpoint/deadline.h"
#include "cli/arguments.h"
#include "data/data.h"
#include "numann/config.h"
#include "numann/trainer.h"

/* Clocks are those of nu_clock_seconds. A boundary is a moment at which a training may stop. */
typedef struct nu_time_limit {
  double length; /* seconds of the whole time; 0: no limit */
  double end;    /* clock */
  nu_pace pace;
  double begun;                           /* clock at which the training began */
  double boundary;                        /* clock of the last boundary */
  double rows, validation_rows, all_rows; /* of an epoch, of its validation, of all parts */
  uint64_t first;                         /* step with which this process began */
  uint64_t step, steps; /* done so far, and in the whole training; 0: no step was taken */
  bool reached;         /* it has asked for the stop */
} nu_time_limit;

/* What the config asks for; `started`: clock at which the process began. A job that does not tell
 * its end gives a warning and no limit. */
void nu_time_limit_read(nu_time_limit *limit, const numann_config *config, double started);
/* The training begins now, at this step. */
void nu_time_limit_begin(nu_time_limit *limit, const numann_data *data, uint64_t step);

/* After a step, after the validation of an epoch: is it time to stop, or to save in order to know
 * how long that takes? */
numann_action nu_time_limit_step(nu_time_limit *limit, const numann_progress *at);
numann_action nu_time_limit_epoch(nu_time_limit *limit, const numann_epoch *epoch);
/* After a save that a boundary asked for. */
void nu_time_limit_saved(nu_time_limit *limit);

/* Of the whole training, in [0, 1]; jobs like this one that the rest needs, 0: unknown. */
double nu_time_limit_done(const nu_time_limit *limit);
uint64_t nu_time_limit_jobs(const nu_time_limit *limit);
/* "61 % done; 2 more jobs of 1:00:00", and what is wrong with a time that is too short. */
void nu_time_limit_describe(const nu_time_limit *limit, nu_text *out);

#endif
