/* When rates are measured, kept and used. SPDX-License-Identifier: MIT */
#include "plan/calibration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "plan/placement.h"

enum { AUTO, OFF, REFRESH, MODES };
static const char *const mode_names[MODES] = {
    [AUTO] = "auto", [OFF] = "off", [REFRESH] = "refresh"};

const char *nu_rates_origin_name(nu_rates_origin origin) {
  static const char *const names[] = {
      [NU_RATES_SHIPPED] = "shipped", [NU_RATES_KEPT] = "kept", [NU_RATES_MEASURED] = "measured"};
  return names[origin];
}

/* ---- where they come from */

static void say_shipped(nu_calibration *c, const char *why) {
  snprintf(c->why, sizeof c->why, "as shipped for %s: %s", c->rates.isa, why);
}

static void say_kept(nu_calibration *c, double age, const char *path) {
  static const struct {
    double seconds;
    const char *unit;
  } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
  size_t u = 0;
  while (u < 3 && age < units[u].seconds) u++;
  size_t n = age < 1.0 ? 0 : (size_t)(age / units[u].seconds);
  snprintf(c->why, sizeof c->why, "measured %zu %s%s ago, kept in %s", n, units[u].unit,
           n == 1 ? "" : "s", path);
}

/* Those of the file, if there is one; else those shipped. */
static void use_kept(nu_calibration *c, const char *path, const nu_machine *machine) {
  double age;
  numann_error flaw;
  say_shipped(c, "none are kept for this machine, and measuring did not pay");
  if (!path) return;
  numann_status status = nu_calibration_read(&c->rates, &age, path, machine, &flaw);
  if (status == NUMANN_ERR_DATA) say_shipped(c, flaw.message);
  if (status != NUMANN_OK) return;
  c->origin = NU_RATES_KEPT;
  say_kept(c, age, path);
}

static numann_status measure(nu_rates *rates, const nu_machine *machine, numann_error *err) {
  const nu_kernels *kernels;
  NU_TRY(nu_kernels_choose(&kernels, err));
  NU_TRY(nu_rates_measure(rates, kernels, machine, err));
  const nu_rate_field *flaw = nu_rates_flaw(rates);
  return flaw ? nu_fail(err, NUMANN_ERR_MEMORY, "%s came out as %g", flaw->name,
                        nu_rate(rates, flaw))
              : NUMANN_OK;
}

/* Those of now, if they can be measured; else those that *c has. */
static void use_measured(nu_calibration *c, const char *path, const nu_machine *machine) {
  nu_rates rates = *nu_rates_of(c->rates.isa);
  numann_error flaw;
  size_t used = strlen(c->why);
  if (measure(&rates, machine, &flaw) != NUMANN_OK) {
    snprintf(c->why + used, sizeof c->why - used, "; measuring them anew failed: %s", flaw.message);
    return;
  }
  c->rates = rates;
  c->origin = NU_RATES_MEASURED;
  if (!path) {
    snprintf(c->why, sizeof c->why,
             "measured now; not kept, as neither XDG_CACHE_HOME nor HOME says where");
  } else if (nu_calibration_write(&rates, path, machine, &flaw) == NUMANN_OK) {
    snprintf(c->why, sizeof c->why, "measured now, kept in %s", path);
  } else {
    snprintf(c->why, sizeof c->why, "measured now; not kept: %s", flaw.message);
  }
}

/* ---- the plan */

/* May rates decide anything? */
static bool is_open(const nu_plan_request *request, const nu_machine *machine) {
  if (machine->threads_limit < 2 || request->threads == 1) return false;
  return request->threads == 0 || request->strategy == NU_STRATEGIES;
}

static double training_seconds(const nu_plan_request *request, const numann_config *config,
                               const numann_network *network, const nu_machine *machine) {
  numann_plan plan = nu_plan_make(request, network, machine);
  double steps = (double)((request->rows + plan.batch - 1) / plan.batch);
  return plan.seconds * steps * (double)nu_config_count(config, "train.epochs");
}

/* The rates that a request gets, and with them the plan's reasons. */
static void calibrate(nu_calibration *c, bool off, bool refresh, const nu_plan_request *request,
                      const numann_config *config, const numann_network *network,
                      const nu_machine *machine) {
  char *path = nu_calibration_path(machine, c->rates.isa);
  if (off) say_shipped(c, "parallel.calibration is off");
  else use_kept(c, path, machine);
  bool worth = !off && is_open(request, machine) &&
               training_seconds(request, config, network, machine) >= NU_WORTH_SECONDS;
  if (refresh || worth) use_measured(c, path, machine);
  free(path);
}

numann_status nu_plan_from(numann_plan *plan, nu_calibration *calibration,
                           const numann_config *config, const numann_network *network,
                           const nu_machine *machine, size_t rows, const char *isa,
                           numann_error *err) {
  nu_plan_request request;
  size_t mode;
  NU_TRY(nu_plan_request_of(&request, config, rows, err));
  NU_TRY(nu_config_choice(config, "parallel.calibration", mode_names, MODES, &mode, err));
  *calibration = (nu_calibration){.rates = isa ? *nu_rates_of(isa) : *request.rates};
  request.rates = &calibration->rates;
  if (machine->foreign) say_shipped(calibration, "the machine is not this one");
  else if (isa) say_shipped(calibration, "the instruction set is named");
  else calibrate(calibration, mode == OFF, mode == REFRESH, &request, config, network, machine);
  *plan = nu_plan_make(&request, network, machine);
  return nu_plan_place(plan, config, network, machine, err);
}
