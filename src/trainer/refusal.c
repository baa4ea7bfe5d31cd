/* SPDX-License-Identifier: MIT */
#include "trainer/refusal.h"

#include "config/config.h"
#include "data/data.h"
#include "plan/parts.h"

static numann_status check_targets(const nu_training_request *r, numann_error *err) {
  const nu_schema *schema = &r->data->schema;
  size_t inputs = numann_network_inputs(r->network), n = numann_network_outputs(r->network);
  size_t targets = schema->classes ? schema->classes : schema->targets;
  bool shared = schema->classes == 2 && n == 1;
  if (inputs == schema->features && (n == targets || shared)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "network %zu -> %zu on data of %zu features and %zu targets; create the network "
                 "from this data",
                 inputs, n, schema->features, targets);
}

static numann_status check_early_stopping(const nu_training_request *r, numann_error *err) {
  static const char key[] = "train.early_stopping.patience";
  if (nu_config_count(r->config, key) == 0 || r->data->validation.rows > 0) return NUMANN_OK;
  return nu_config_fail(r->config, key, err,
                        "early stopping without validation rows; set data.validation.fraction");
}

/* Methods that compare gradients from step to step need them of the same rows. */
static numann_status check_method(const nu_training_request *r, numann_error *err) {
  const nu_method *method = r->optimizer->method;
  if (method->full_batch && r->data->train.rows > r->plan->problem.batch)
    return nu_config_fail(r->config, "train.batch", err,
                          "%s needs the gradient of all rows in every step; use batch: full",
                          method->name);
  if (method->full_batch && nu_network_draws(r->network))
    return nu_config_fail(
        r->config, "train.optimizer.name", err,
        "%s compares the gradients of one step with those of the next, and a dropout "
        "layer draws anew in each; use adam, or leave the layer out",
        method->name);
  if (method->rule == NU_RULES && r->optimizer->clip_norm > 0.0)
    return nu_config_fail(r->config, "train.clip_norm", err,
                          "%s finds the length of its steps by itself; leave train.clip_norm out",
                          method->name);
  return NUMANN_OK;
}

numann_status nu_refuse_ranks(const numann_config *config, const nu_problem *problem, size_t ranks,
                              numann_error *err) {
  size_t grains = nu_problem_grains(problem, problem->batch);
  if (ranks <= grains) return NUMANN_OK;
  return nu_config_fail(config, "train.batch", err,
                        "%zu ranks, but a batch of %zu rows in grains of %zu has work for %zu; "
                        "start at most %zu, or set train.batch to %zu or more, or a smaller "
                        "train.grain (both are part of the numbers)",
                        ranks, problem->batch, problem->grain, grains, grains,
                        problem->grain * (ranks - 1) + 1);
}

numann_status nu_refuse_training(const nu_training_request *request, numann_error *err) {
  NU_TRY(check_targets(request, err));
  NU_TRY(check_early_stopping(request, err));
  NU_TRY(check_method(request, err));
  return nu_refuse_ranks(request->config, &request->plan->problem, nu_plan_ranks(request->plan),
                         err);
}
