/* What cannot be trained, though config, data and network are each in order.
 * SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_REFUSAL_H
#define NU_TRAINER_REFUSAL_H

#include "plan/plan.h"
#include "trainer/optimizer.h"

typedef struct nu_training_request {
  const numann_config *config;
  const numann_network *network;
  const numann_data *data;
  const nu_plan *plan;
  const nu_optimizer *optimizer;
} nu_training_request;

/* NUMANN_ERR_CONFIG where these do not go together. */
numann_status nu_refuse_training(const nu_training_request *request, numann_error *err);
/* More ranks than grains: one without a grain of a whole batch would never have anything to do. */
numann_status nu_refuse_ranks(const numann_config *config, const nu_problem *problem, size_t ranks,
                              numann_error *err);

#endif
