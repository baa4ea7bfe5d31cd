/* What `numann plan --ranks` and a rehearsal say of ranks. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_FORECAST_H
#define NU_CLI_FORECAST_H

#include "cli/arguments.h"
#include "cli/json.h"
#include "machine/comm.h"
#include "plan/forecast.h"

/* A whole number from 1 to `most` that an option gives; untouched where it is not given. */
numann_status nu_read_option_count(size_t *out, const nu_arguments *args, nu_option_id option,
                                   size_t most, numann_error *err);
/* --network, else the memory of one host with these rates. */
numann_status nu_read_network(nu_link *link, const nu_arguments *args, const nu_rates *rates,
                              numann_error *err);

/* The shares and messages of all ranks in a whole batch, [nu_plan_ranks], to be freed. */
numann_status nu_rank_steps_make(nu_rank_step **steps, const nu_plan *plan,
                                 const numann_network *network, numann_error *err);
/* Several lines; as an object under the key "forecast". */
void nu_forecast_text(const nu_forecast *forecast, const nu_plan *plan, const nu_link *link,
                      nu_text *out);
void nu_forecast_json(const nu_forecast *forecast, const nu_plan *plan, const nu_link *link,
                      nu_json *json);

/* What ranks have sent in the last step of a whole batch: the least and the most of a rank. */
typedef struct nu_sent {
  nu_traffic least, most;
} nu_sent;
/* Collective. */
nu_sent nu_sent_by_all(nu_comm *comm, nu_traffic own);
void nu_sent_json(const nu_sent *sent, nu_json *json);

#endif
