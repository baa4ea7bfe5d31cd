/* SPDX-License-Identifier: MIT */
#include "trainer/schedule.h"

#include "base/real.h"

static const char *const names[NU_SCHEDULES] = {[NU_CONSTANT] = "constant",
                                                [NU_STEPWISE] = "step",
                                                [NU_EXPONENTIAL] = "exponential",
                                                [NU_COSINE] = "cosine"};

/* The schedule ends with the training, or where train.schedule.epochs says; what is left then needs
 * a rate. */
static numann_status find_end(nu_schedule *s, const numann_config *config, numann_error *err) {
  uint64_t epochs = nu_config_count(config, "train.epochs");
  uint64_t end = nu_config_count(config, "train.schedule.epochs");
  if (end == 0) end = epochs;
  s->steps = s->batches * end;
  if (s->name != NU_COSINE || epochs <= end || s->final > 0.0) return NUMANN_OK;
  return nu_config_fail(config, "train.epochs", err,
                        "cosine reaches the rate 0 after %llu epochs (train.schedule.epochs), and "
                        "nothing is learned after it; use %llu, or give train.schedule.final",
                        (unsigned long long)end, (unsigned long long)end);
}

numann_status nu_schedule_create(nu_schedule *out, const numann_config *config, uint64_t batches,
                                 numann_error *err) {
  size_t name;
  NU_TRY(nu_config_choice(config, "train.schedule.name", names, NU_SCHEDULES, &name, err));
  double warmup = nu_config_real(config, "train.schedule.warmup");
  *out = (nu_schedule){.name = (nu_schedule_name)name,
                       .rate = nu_config_real(config, "train.optimizer.learning_rate"),
                       .factor = nu_config_real(config, "train.schedule.factor"),
                       .final = nu_config_real(config, "train.schedule.final"),
                       .every = nu_config_count(config, "train.schedule.every"),
                       .batches = batches,
                       .warmup_steps = (uint64_t)(warmup * (double)batches + 0.5)};
  return find_end(out, config, err);
}

static double shape(const nu_schedule *s, uint64_t t) {
  uint64_t epoch = t / s->batches;
  switch (s->name) {
    case NU_STEPWISE: return nu_real_power(s->factor, epoch / s->every);
    case NU_EXPONENTIAL: return nu_real_power(s->factor, epoch);
    case NU_COSINE: {
      double done = t < s->steps ? (double)t / (double)s->steps : 1.0;
      return s->final + (1.0 - s->final) * 0.5 * (1.0 + nu_real_cospi(done));
    }
    case NU_CONSTANT:
    case NU_SCHEDULES: break;
  }
  return 1.0;
}

double nu_schedule_rate(const nu_schedule *s, uint64_t t) {
  double rate = s->rate * shape(s, t);
  if (t < s->warmup_steps) rate *= (double)(t + 1) / (double)s->warmup_steps;
  return rate;
}
