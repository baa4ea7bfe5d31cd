/* What the config and the environment say about placement. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/config.h"
#include "machine/team.h"
#include "plan/placement.h"

/* OMP_PROC_BIND=false is the user's word, too; unset it is nobody's. */
static bool omp_unbound(void) {
  const char *text = getenv("OMP_PROC_BIND");
  return text && strncasecmp(text + strspn(text, " \t"), "false", 5) == 0;
}

/* Where the OpenMP runtime has bound the threads; NULL: it binds none, or does not tell. */
static numann_status runtime_seats(unsigned **given, const numann_plan *plan, numann_error *err) {
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

numann_status nu_plan_place(numann_plan *plan, const numann_config *config,
                            const numann_network *network, const nu_machine *machine,
                            numann_error *err) {
  const char *names[NU_PLACINGS];
  size_t placing;
  unsigned *given = NULL;
  for (size_t i = 0; i < NU_PLACINGS; i++) names[i] = nu_placing_name((nu_placing)i);
  NU_TRY(nu_config_choice(config, "parallel.placement", names, NU_PLACINGS, &placing, err));
  if (!machine->foreign) NU_TRY(runtime_seats(&given, plan, err));
  nu_placement_request request = {.placing = (nu_placing)placing,
                                  .ordered = placing != NU_PLACE_AUTO,
                                  .omp_unbound = !machine->foreign && omp_unbound(),
                                  .given = given};
  numann_status status =
      nu_placement_create(&plan->placement, &request, plan, network, machine, err);
  free(given);
  return status;
}
