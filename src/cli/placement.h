/* The placement of a plan as JSON. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_PLACEMENT_H
#define NU_CLI_PLACEMENT_H

#include "cli/json.h"
#include "plan/placement.h"

/* "placement": {order, bind, memory, weight_copies, why, note, nodes: [{os, cores, threads, processors, bytes}]};
 * null where the plan has none. */
void nu_json_placement(nu_json *json, const numann_plan *plan, const numann_network *network, size_t data_bytes);

#endif
