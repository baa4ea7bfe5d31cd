/* What `numann plan` shows. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_OUTLOOK_H
#define NU_CLI_OUTLOOK_H

#include "cli/forecast.h"
#include "cli/hosts.h"
#include "data/data.h"
#include "plan/cost.h"
#include "plan/from_config.h"
#include "plan/memory.h"
#include "plan/plan.h"

/* What is planned, and the plan with all its reasons. */
typedef struct nu_outlook {
  const char *subject; /* the config's path or the row's name; borrowed */
  numann_config *config;
  numann_data *data; /* NULL for a row */
  numann_network *network;
  nu_machine machine;
  nu_memory_request rows;
  nu_calibration calibration;
  numann_plan plan;
  nu_step_cost cost;
  nu_layer_cost *layers; /* [network->n_layers], owned */
  nu_memory memory;
  nu_comm *comm;  /* of the launch */
  nu_host *hosts; /* [comm->size], owned; NULL: no job, or another machine */
  size_t ranks;   /* that train together; 0: one, without a job */
  nu_link link;
  nu_forecast forecast; /* of them */
} nu_outlook;

static inline double nu_outlook_rate(const nu_outlook *o) {
  return (double)o->plan.plan.problem.batch / o->cost.seconds;
}

/* Most panels that one thread has, in the smallest group. */
static inline size_t nu_outlook_panels(const nu_outlook *o, size_t l) {
  size_t members = o->plan.plan.threads / o->plan.plan.groups;
  return nu_share(nu_panels(o->network->layers[l].neurons), members, 0).end;
}

static inline size_t nu_outlook_data_bytes(const nu_outlook *o) {
  size_t row =
      o->network->layers[0].inputs * o->rows.input_bytes + o->rows.target_floats * sizeof(float);
  return o->rows.train_rows * row;
}

void nu_outlook_json(const nu_outlook *o, nu_text *out);

#endif
