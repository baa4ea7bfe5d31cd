/* May a training go on from a checkpoint? It must say the same twice: in its config, and in what
 * stands beside it. SPDX-License-Identifier: MIT */
#include "checkpoint/checkpoint.h"
#include "config/config.h"
#include "numann/version.h"
#include "trainer/optimizer.h"

static numann_status fail(const char *path, const char *what, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_MODEL, "%s: %s; use another copy, or an older checkpoint", path,
                 what);
}

/* A text that cannot be used is the file's fault here, not the user's. */
static numann_status fail_config(const char *path, numann_status status, const numann_error *why,
                                 numann_error *err) {
  if (status != NUMANN_ERR_CONFIG) return nu_fail(err, status, "%s", why->message);
  return nu_fail(err, NUMANN_ERR_MODEL, "%s: its %s; use another copy, or an older checkpoint",
                 path, why->message);
}

static numann_status check_numerics(const nu_saved *saved, const char *path, numann_error *err) {
  if (saved->numerics == NUMANN_NUMERICS_VERSION) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_MODEL,
                 "%s: written by numann %s with numerics version %llu, this is %s with %d: sums "
                 "are formed in another order, so training cannot go on to the same bits; use the "
                 "numann that wrote it, or train anew",
                 path, saved->version, (unsigned long long)saved->numerics, numann_version(),
                 NUMANN_NUMERICS_VERSION);
}

static bool same_layers(const numann_network *a, const numann_network *b) {
  if (a->n_layers != b->n_layers || a->loss != b->loss) return false;
  for (size_t l = 0; l < a->n_layers; l++) {
    const nu_layer *x = &a->layers[l], *y = &b->layers[l];
    if (x->kind != y->kind || x->inputs != y->inputs || x->neurons != y->neurons ||
        x->activation != y->activation || x->rate != y->rate)
      return false;
  }
  return true;
}

static numann_status check_network(const nu_saved *saved, const numann_config *config,
                                   const char *path, numann_error *err) {
  const nu_schema *schema = &saved->schema;
  numann_error why;
  numann_network *network;
  numann_status status =
      nu_network_shape(&network, config, schema->features, schema->classes, schema->targets, &why);
  if (status != NUMANN_OK) return fail_config(path, status, &why, err);
  bool same = same_layers(saved->network, network);
  numann_network_destroy(network);
  return same ? NUMANN_OK : fail(path, "its layers are not those of its config", err);
}

/* One batch an epoch: of the schedule only its words are asked. Early stopping keeps the best
 * weights, and ends after `patience` epochs without better. */
static numann_status check_state(const nu_state *state, const numann_config *config,
                                 const char *path, numann_error *err) {
  nu_optimizer optimizer;
  numann_error why;
  numann_status status = nu_optimizer_create(&optimizer, config, 1, &why);
  if (status != NUMANN_OK) return fail_config(path, status, &why, err);
  if (optimizer.method != state->method)
    return fail(path, "its optimiser is not that of its config", err);
  size_t patience = nu_config_count(config, "train.early_stopping.patience");
  if (!state->best != !patience)
    return fail(path, "best weights and train.early_stopping.patience go together", err);
  if (state->finished && state->epoch - state->best_epoch < patience)
    return fail(path, "finished before train.early_stopping.patience epochs without better", err);
  return NUMANN_OK;
}

numann_status nu_saved_check_resume(const nu_saved *saved, const char *path, numann_error *err) {
  NU_TRY(check_numerics(saved, path, err));
  numann_config *config;
  NU_TRY(numann_config_parse(&config, saved->config_text, "config", err));
  numann_status status = check_network(saved, config, path, err);
  if (status == NUMANN_OK) status = check_state(&saved->state, config, path, err);
  numann_config_destroy(config);
  return status;
}
