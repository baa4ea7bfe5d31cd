/* SPDX-License-Identifier: MIT */
#include "plan/from_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/config.h"
#include "data/data.h"
#include "machine/comm.h"
#include "machine/team.h"
#include "network/methods.h"
#include "plan/placement.h"

/* ---- what is asked for */

nu_machine nu_plan_machine(const nu_machine *machine, const numann_config *config) {
  nu_machine used = *machine;
  if (nu_config_flag(config, "parallel.smt")) nu_machine_use_siblings(&used);
  return used;
}

/* train.batch: a number, or `full` for all training rows (getter 0); never more than there are. */
static numann_status problem_of(nu_problem *out, const numann_config *config, size_t rows,
                                numann_error *err) {
  const char *names[NU_PRECISIONS];
  size_t precision;
  for (size_t i = 0; i < NU_PRECISIONS; i++) names[i] = nu_precision_name((nu_precision)i);
  NU_TRY(nu_config_choice(config, "train.precision", names, NU_PRECISIONS, &precision, err));
  *out = nu_problem_of(rows, nu_config_count(config, "train.batch"),
                       nu_config_count(config, "train.grain"), (nu_precision)precision,
                       nu_config_count(config, "train.seed"));
  return NUMANN_OK;
}

numann_status nu_plan_request_of(nu_plan_request *request, const nu_comm *ranks,
                                 const numann_config *config, size_t rows, numann_error *err) {
  const char *names[NU_STRATEGIES + 1];
  size_t strategy;
  const nu_method *method;
  nu_problem problem;
  for (size_t i = 0; i <= NU_STRATEGIES; i++) names[i] = nu_strategy_name((nu_strategy)i);
  NU_TRY(nu_config_choice(config, "parallel.strategy", names, NU_STRATEGIES + 1, &strategy, err));
  NU_TRY(nu_method_of(&method, config, err));
  NU_TRY(problem_of(&problem, config, rows, err));
  const nu_kernels *kernels = nu_kernels_select();
  bool whole = method->whole || nu_config_real(config, "train.clip_norm") > 0.0;
  *request = (nu_plan_request){.problem = problem,
                               .ranks = ranks->size,
                               .rank = ranks->rank,
                               .threads = nu_config_count(config, "parallel.threads"),
                               .strategy = (nu_strategy)strategy,
                               .groups = nu_config_count(config, "parallel.groups"),
                               .chunk = nu_config_count(config, "parallel.chunk"),
                               .fuse = nu_config_flag(config, "parallel.fuse_update") && !whole,
                               .arrays = method->n_arrays + method->n_spare,
                               .rates = nu_rates_of(kernels ? kernels->isa : NULL)};
  return NUMANN_OK;
}

/* ---- placement */

/* OMP_PROC_BIND=false is the user's word, too; unset it is nobody's. */
static bool omp_unbound(void) {
  const char *text = getenv("OMP_PROC_BIND");
  return text && strncasecmp(text + strspn(text, " \t"), "false", 5) == 0;
}

/* Where the OpenMP runtime has bound the threads; NULL: it binds none, or does not tell. */
static numann_status runtime_seats(unsigned **given, const nu_plan *plan, numann_error *err) {
  *given = NULL;
  if (!nu_team_binds()) return NUMANN_OK;
  *given = nu_alloc(plan->threads, sizeof **given);
  if (!*given) return nu_fail_memory(err, plan->threads * sizeof **given, "the placement");
  if (nu_team_seats(plan->threads + plan->idle, plan->threads, *given, NULL) == NUMANN_OK)
    return NUMANN_OK;
  free(*given);
  *given = NULL;
  return NUMANN_OK;
}

/* The plan gets its placement. */
static numann_status place(numann_plan *plan, const numann_config *config,
                           const numann_network *network, const nu_machine *machine,
                           numann_error *err) {
  const char *names[NU_PLACINGS];
  size_t placing;
  unsigned *given = NULL;
  for (size_t i = 0; i < NU_PLACINGS; i++) names[i] = nu_placing_name((nu_placing)i);
  NU_TRY(nu_config_choice(config, "parallel.placement", names, NU_PLACINGS, &placing, err));
  if (!machine->foreign) NU_TRY(runtime_seats(&given, &plan->plan, err));
  nu_placement_request request = {.placing = (nu_placing)placing,
                                  .ordered = placing != NU_PLACE_AUTO,
                                  .omp_unbound = !machine->foreign && omp_unbound(),
                                  .given = given};
  numann_status status =
      nu_placement_create(&plan->placement, &request, &plan->plan, network, machine, err);
  plan->plan.placement = plan->placement;
  free(given);
  return status;
}

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
  nu_show_format(c->why, sizeof c->why, "as shipped for %s: %s", c->rates.isa, why);
}

static void say_kept(nu_calibration *c, double age, const char *path) {
  static const struct {
    double seconds;
    const char *unit;
  } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
  size_t u = 0;
  while (u < 3 && age < units[u].seconds) u++;
  size_t n = age < 1.0 ? 0 : (size_t)(age / units[u].seconds);
  nu_show_format(c->why, sizeof c->why, "measured %zu %s%s ago, kept in %s", n, units[u].unit,
                 n == 1 ? "" : "s", path);
}

/* Those of the file, if there is one; else those shipped. */
static numann_status use_kept(nu_calibration *c, const char *path, const nu_machine *machine,
                              numann_error *err) {
  double age;
  numann_error flaw;
  say_shipped(c, "none are kept for this machine, and measuring did not pay");
  if (!path) return NUMANN_OK;
  numann_status status = nu_calibration_read(&c->rates, &age, path, machine, &flaw);
  if (status == NUMANN_ERR_MEMORY) return nu_fail(err, status, "%s", flaw.message);
  if (status == NUMANN_ERR_DATA) say_shipped(c, flaw.message);
  if (status != NUMANN_OK) return NUMANN_OK;
  c->origin = NU_RATES_KEPT;
  say_kept(c, age, path);
  return NUMANN_OK;
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
    nu_show_format(c->why + used, sizeof c->why - used, "; measuring them anew failed: %s",
                   flaw.message);
    return;
  }
  c->rates = rates;
  c->origin = NU_RATES_MEASURED;
  if (!path) {
    nu_show_format(c->why, sizeof c->why,
                   "measured now; not kept, as neither XDG_CACHE_HOME nor HOME says where");
  } else if (nu_calibration_write(&rates, path, machine, &flaw) == NUMANN_OK) {
    nu_show_format(c->why, sizeof c->why, "measured now, kept in %s", path);
  } else {
    nu_show_format(c->why, sizeof c->why, "measured now; not kept: %s", flaw.message);
  }
}

/* ---- the plan */

/* May rates decide anything? */
static bool is_open(const nu_plan_request *request, const nu_machine *machine) {
  if (machine->threads_limit < 2 || request->threads == 1) return false;
  return request->threads == 0 || request->strategy == NU_STRATEGIES;
}

static double training_seconds(const nu_plan_request *request, size_t rows,
                               const numann_config *config, const numann_network *network,
                               const nu_machine *machine) {
  numann_plan plan;
  nu_plan_choose(&plan, request, network, machine);
  double steps = (double)((rows + request->problem.batch - 1) / request->problem.batch);
  return plan.seconds * steps * (double)nu_config_count(config, "train.epochs");
}

/* The rates that a request gets, and with them the plan's reasons. */
static numann_status calibrate(nu_calibration *c, size_t mode, const nu_plan_request *request,
                               size_t rows, const numann_config *config,
                               const numann_network *network, const nu_machine *machine,
                               numann_error *err) {
  char *path;
  say_shipped(c, "parallel.calibration is off");
  if (mode == OFF) return NUMANN_OK;
  NU_TRY(nu_calibration_path(&path, machine, c->rates.isa, err));
  numann_status status = use_kept(c, path, machine, err);
  bool worth = is_open(request, machine) &&
               training_seconds(request, rows, config, network, machine) >= NU_WORTH_SECONDS;
  if (status == NUMANN_OK && (mode == REFRESH || worth)) use_measured(c, path, machine);
  free(path);
  return status;
}

numann_status nu_plan_from(numann_plan *plan, nu_calibration *calibration, const nu_comm *ranks,
                           const numann_config *config, const numann_network *network,
                           const nu_machine *machine, size_t rows, const char *isa,
                           numann_error *err) {
  nu_plan_request request;
  size_t mode;
  NU_TRY(nu_plan_request_of(&request, ranks, config, rows, err));
  NU_TRY(nu_config_choice(config, "parallel.calibration", mode_names, MODES, &mode, err));
  *calibration = (nu_calibration){.rates = isa ? *nu_rates_of(isa) : *request.rates};
  request.rates = &calibration->rates;
  if (machine->foreign) say_shipped(calibration, "the machine is not this one");
  else if (isa) say_shipped(calibration, "the instruction set is named");
  else NU_TRY(calibrate(calibration, mode, &request, rows, config, network, machine, err));
  nu_plan_choose(plan, &request, network, machine);
  return place(plan, config, network, machine, err);
}

numann_status nu_plan_create_for(numann_plan **out, const nu_comm *ranks,
                                 const numann_config *config, const numann_network *network,
                                 const numann_data *data, numann_error *err) {
  *out = NULL;
  nu_machine machine;
  nu_calibration calibration;
  numann_plan *plan = nu_alloc(1, sizeof *plan);
  if (!plan) return nu_fail_memory(err, sizeof *plan, "the plan");
  numann_status status = nu_machine_detect(&machine, err);
  if (status == NUMANN_OK) {
    machine = nu_plan_machine(&machine, config);
    status = nu_plan_from(plan, &calibration, ranks, config, network, &machine, data->train.rows,
                          NULL, err);
    /* another machine's cores and nodes (HWLOC_SYNTHETIC): nothing to bind */
    if (machine.foreign) nu_plan_clear(plan);
    plan->machine = machine;
  }
  if (status == NUMANN_OK) *out = plan;
  else numann_plan_destroy(plan);
  return status;
}

numann_status numann_plan_create(numann_plan **out, const numann_config *config,
                                 const numann_network *network, const numann_data *data,
                                 numann_error *err) {
  return nu_plan_create_for(out, nu_comm_world(), config, network, data, err);
}
