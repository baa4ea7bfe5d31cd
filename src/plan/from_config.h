/* From a config and the environment to a plan. SPDX-License-Identifier: MIT */
#ifndef NU_PLAN_FROM_CONFIG_H
#define NU_PLAN_FROM_CONFIG_H

#include "machine/comm.h"
#include "numann/config.h"
#include "plan/choose.h"
#include "plan/rates.h"

/* What a config asks for, for so many training rows. Of `ranks` only rank and size are read: which
 * rank of how many plans. */
numann_status nu_plan_request_of(nu_plan_request *request, const nu_comm *ranks,
                                 const numann_config *config, size_t rows, numann_error *err);

/* The machine as the config lets it be used: parallel.smt raises the thread limit from cores to
 * hardware threads. Borrows the machine's arrays: not to be cleared. */
nu_machine nu_plan_machine(const nu_machine *machine, const numann_config *config);

/* Which rates a plan stands on. */
typedef enum nu_rates_origin {
  NU_RATES_SHIPPED,
  NU_RATES_KEPT, /* read from the file */
  NU_RATES_MEASURED
} nu_rates_origin;
const char *nu_rates_origin_name(nu_rates_origin origin);

typedef struct nu_calibration {
  nu_rates rates;
  nu_rates_origin origin;
  char why[1152]; /* one sentence: where they come from */
} nu_calibration;

/* The plan of a config for so many training rows, with the rates that parallel.calibration asks
 * for:
 *   off      those shipped
 *   auto     those kept; measured, and kept, for a training that would take NU_WORTH_SECONDS
 *   refresh  measured, and kept
 * `auto` measures nothing where only one way to run is allowed, and nothing is measured or kept for
 * a machine that is not this one, or for a named instruction set. isa NULL: this processor's.
 * machine: as the config lets it be used (nu_plan_machine). The plan gets the placement that
 * parallel.placement, OMP_PROC_BIND and OMP_PLACES ask for: end it with nu_plan_clear. */
#define NU_WORTH_SECONDS 10.0
numann_status nu_plan_from(numann_plan *plan, nu_calibration *calibration, const nu_comm *ranks,
                           const numann_config *config, const numann_network *network,
                           const nu_machine *machine, size_t rows, const char *isa,
                           numann_error *err);

/* numann_plan_create for one of these ranks, instead of the one that this process is. */
numann_status nu_plan_create_for(numann_plan **out, const nu_comm *ranks,
                                 const numann_config *config, const numann_network *network,
                                 const numann_data *data, numann_error *err);

#endif
