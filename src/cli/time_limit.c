/* SPDX-License-Identifier: MIT */
#include "cli/time_limit.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "config/config.h"
#include "machine/job.h"
#include "report/format.h"

#define FORWARD_SHARE 0.5 /* of a step, more than a forward pass takes */

static const char key[] = "train.max_time";

/* ---- how much time there is */

static void read_job(nu_time_limit *limit) {
  nu_text why = {0};
  nu_job_time job;
  if (nu_job_time_read(&job, &why)) {
    limit->length = job.length;
    limit->end = nu_clock_seconds() + job.left;
  } else {
    nu_warn("%s: slurm: %s; training goes on without a limit", key, nu_text_view(&why));
  }
  nu_text_clear(&why);
}

void nu_time_limit_read(nu_time_limit *limit, const numann_config *config, double started) {
  *limit = (nu_time_limit){.length = nu_config_seconds(config, key)};
  limit->end = started + limit->length;
  if (strcmp(nu_config_string(config, key), "slurm") == 0) read_job(limit);
}

void nu_time_limit_begin(nu_time_limit *limit, const numann_data *data, uint64_t step) {
  limit->begun = limit->boundary = nu_clock_seconds();
  limit->first = step;
  limit->rows = (double)data->train.rows;
  limit->validation_rows = (double)data->validation.rows;
  limit->all_rows = limit->rows + limit->validation_rows + (double)data->test.rows;
}

/* ---- the boundaries */

/* Seconds since the last one, the longest of their kind. */
static double pass(nu_time_limit *limit, double longest) {
  double now = nu_clock_seconds(), passed = now - limit->boundary;
  limit->boundary = now;
  return fmax(longest, passed);
}

/* The first save comes at once: it measures the others, and the first step is safe with it. */
static numann_action decide(nu_time_limit *limit, double next) {
  if (limit->length == 0.0) return NUMANN_CONTINUE;
  double left = limit->end - limit->boundary;
  double reserve = nu_deadline_reserve(&limit->pace, limit->length);
  limit->reached = nu_deadline_stops(left, next, reserve);
  if (limit->reached) return NUMANN_STOP;
  return limit->pace.save > 0.0 ? NUMANN_CONTINUE : NUMANN_SAVE;
}

/* Answers for so many rows: as in validation, else as in steps, which go backward, too. */
static double answer_time(const nu_time_limit *limit, const numann_progress *at, double rows) {
  const nu_pace *pace = &limit->pace;
  bool measured = pace->validation > 0.0 && limit->validation_rows > 0.0;
  double each = measured ? pace->validation / limit->validation_rows
                         : FORWARD_SHARE * pace->step * (double)at->batches / limit->rows;
  return each * rows;
}

/* What comes after a step: the next one, a validation, or the end with its tables of all parts. */
static double next_time(const nu_time_limit *limit, const numann_progress *at) {
  if (at->batch < at->batches) return limit->pace.step;
  double rows = limit->validation_rows + (at->epoch == at->epochs ? limit->all_rows : 0.0);
  return answer_time(limit, at, rows);
}

numann_action nu_time_limit_step(nu_time_limit *limit, const numann_progress *at) {
  limit->step = at->step;
  limit->steps = at->epochs * at->batches;
  if (limit->length > 0.0) limit->pace.step = pass(limit, limit->pace.step);
  return decide(limit, next_time(limit, at));
}

/* After the last epoch nothing is left to stop, and a process that has only validated what another
 * one trained has not made its step yet. */
numann_action nu_time_limit_epoch(nu_time_limit *limit, const numann_epoch *epoch) {
  if (limit->length > 0.0) limit->pace.validation = pass(limit, limit->pace.validation);
  bool last = epoch->epoch == epoch->epochs, idle = limit->steps == 0;
  return last || idle ? NUMANN_CONTINUE : decide(limit, limit->pace.step);
}

void nu_time_limit_saved(nu_time_limit *limit) {
  if (limit->boundary > 0.0) limit->pace.save = pass(limit, limit->pace.save);
}

/* ---- what is told */

static uint64_t steps_left(const nu_time_limit *limit) {
  return limit->steps > limit->step ? limit->steps - limit->step : 0;
}

double nu_time_limit_done(const nu_time_limit *limit) {
  return limit->steps ? (double)limit->step / (double)limit->steps : 0.0;
}

uint64_t nu_time_limit_jobs(const nu_time_limit *limit) {
  if (limit->length == 0.0 || limit->steps == 0) return 0;
  double before = limit->length - (limit->end - limit->begun);
  nu_stint link = {.steps = limit->step - limit->first,
                   .steps_left = steps_left(limit),
                   .seconds = limit->boundary - limit->begun,
                   .length = limit->length,
                   .idle = before + nu_deadline_reserve(&limit->pace, limit->length)};
  return nu_deadline_links(&link);
}

static void add_shortage(const nu_time_limit *limit, nu_text *out) {
  char before[NU_REAL_TEXT], step[NU_REAL_TEXT], save[NU_REAL_TEXT];
  double gone = limit->length - (limit->end - limit->begun);
  nu_text_addf(out,
               "; the time is too short for more than one step: %s had passed before it, it took "
               "%s, its checkpoint %s; give more time, or each job makes one step",
               nu_format_duration(fmax(gone, 0.0), before),
               nu_format_duration(limit->pace.step, step),
               nu_format_duration(limit->pace.save, save));
}

void nu_time_limit_describe(const nu_time_limit *limit, nu_text *out) {
  char length[NU_REAL_TEXT];
  uint64_t jobs = nu_time_limit_jobs(limit);
  nu_text_addf(out, "%u %% done", nu_deadline_percent(limit->step, steps_left(limit)));
  if (jobs > 0)
    nu_text_addf(out, "; %llu more job%s of %s", (unsigned long long)jobs, jobs == 1 ? "" : "s",
                 nu_format_clock(limit->length, length));
  bool alone = limit->step - limit->first == 1 && steps_left(limit) > 0;
  if (limit->reached && alone) add_shortage(limit, out);
}
