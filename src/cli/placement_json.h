/* The placement of a plan as JSON. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_PLACEMENT_JSON_H
#define NU_CLI_PLACEMENT_JSON_H

#include "cli/json.h"
#include "plan/ledger.h"
#include "plan/placement.h"
#include "trainer/memory.h"

/* "placement": {order, bind, memory, weight_copies, why, note, nodes: [{os, cores, threads,
 * processors, bytes}]}; null where the plan has none. With a report also threads_bound,
 * threads_on_their_core, pages_checked, pages_right, pages_elsewhere, and pages: [{node, planned,
 * found}] of every node with any. */
void nu_json_placement(nu_json *json, const nu_plan *plan, const numann_network *network,
                       size_t data_bytes, const nu_place_report *report);

/* What was found, as a line or two; and what was refused, as one sentence: false where nothing was.
 */
void nu_add_place_report(nu_text *out, const nu_place_report *report);
bool nu_add_refusal(nu_text *out, const nu_place_report *report);

#endif
