/* Does a well-formed file mean something? The rules of configs and data (network/network.c,
 * data/schema.c), asked of a file. SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/metadata.h"
#include "config/config.h"

/* The start of the header, where metadata stands. */
#define AT 8

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A name given twice would leave open which column, or which class, is meant. */
static numann_status check_names(const nu_tensor_file *file, const char *key, char *const *names,
                                 size_t n, numann_error *err) {
  if (!names || n < 2) return NUMANN_OK;
  char **sorted = nu_alloc(n, sizeof *sorted);
  if (!sorted) return nu_fail_memory(err, n * sizeof *sorted, "names");
  memcpy(sorted, names, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, by_text);
  size_t i = 1;
  while (i < n && strcmp(sorted[i - 1], sorted[i]) != 0) i++;
  numann_status status = NUMANN_OK;
  if (i < n) {
    char name[NU_EXCERPT];
    status = nu_tensor_file_fail(file, AT, err, "metadata data: %s has '%s' twice", key,
                                 nu_excerpt(sorted[i], strlen(sorted[i]), name));
  }
  free(sorted);
  return status;
}

static numann_status check_schema(const nu_schema *schema, const nu_tensor_file *file,
                                  numann_error *err) {
  if (schema->classes == 1) {
    return nu_tensor_file_fail(file, AT, err, "metadata data: one class, at least two are needed");
  }
  NU_TRY(check_names(file, "feature_names", schema->feature_names, schema->features, err));
  NU_TRY(check_names(file, "class_names", schema->class_names, schema->classes, err));
  if (schema->classes) return NUMANN_OK;
  NU_TRY(check_names(file, "target_names", schema->target_names, schema->targets, err));
  for (size_t j = 0; schema->outputs.scale && j < schema->targets; j++) {
    if (fabs(schema->outputs.scale[j]) >= DBL_MIN) continue; /* what is smaller counts as 0 */
    return nu_tensor_file_fail(file, file->data, err,
                               "scaling.outputs.scale[%zu] is 0 or next to it, which no answer can "
                               "be divided by",
                               j);
  }
  return NUMANN_OK;
}

/* As network/network.c asks of a config. */
static numann_status check_layers(const numann_network *network, size_t classes,
                                  const nu_tensor_file *file, numann_error *err) {
  size_t last = network->n_layers - 1;
  nu_activation output = network->layers[last].activation;
  const char *loss = nu_loss_name(network->loss);
  for (size_t l = 0; l <= last; l++) {
    nu_activation f = network->layers[l].activation;
    if ((f != NU_SOFTMAX || l == last) && (f != NU_STEP || last == 0)) continue;
    return nu_tensor_file_fail(file, AT, err, "metadata layers: %s in layer %zu of %zu",
                               nu_activation_name(f), l + 1, network->n_layers);
  }
  if (nu_pairing_refusal(output, network->loss, numann_network_outputs(network))) {
    return nu_tensor_file_fail(file, AT, err,
                               "metadata layers: the loss %s does not fit a last layer of %zu %s",
                               loss, numann_network_outputs(network), nu_activation_name(output));
  }
  if (network->loss != NU_CROSS_ENTROPY || classes) return NUMANN_OK;
  return nu_tensor_file_fail(file, AT, err, "metadata layers: the loss %s needs classes", loss);
}

/* Batches in an epoch, as rows and config have them; 0: the file does not tell. */
static uint64_t batches_of(const nu_saved *saved, const numann_config *config) {
  uint64_t rows = saved->data_sum >> 32, batch = nu_config_count(config, "train.batch");
  if (rows == 0) return 0;
  return batch ? (rows + batch - 1) / batch : 1;
}

static numann_status check_progress(const nu_saved *saved, const numann_config *config,
                                    const nu_tensor_file *file, numann_error *err) {
  const nu_state *state = &saved->state;
  const unsigned long long step = state->step, epoch = state->epoch, batch = state->batch;
  if (!nu_state_counts_agree(state, batches_of(saved, config)))
    return nu_tensor_file_fail(file, AT, err,
                               "metadata step %llu, epoch %llu, batch %llu, best_epoch %llu: no "
                               "training stands there",
                               step, epoch, batch, (unsigned long long)state->best_epoch);
  if (state->batch == 0 && state->epoch_loss != 0.0)
    return nu_tensor_file_fail(file, AT, err, "metadata epoch_loss is not 0 where an epoch begins");
  if ((state->best_epoch > 0) != (state->best && state->epoch > 0))
    return nu_tensor_file_fail(
        file, AT, err, "metadata best_epoch is %llu after %llu epochs %s best weights",
        (unsigned long long)state->best_epoch, epoch, state->best ? "with" : "without");
  if (state->finished && (state->best_epoch == 0 || state->best_epoch == state->epoch))
    return nu_tensor_file_fail(file, AT, err,
                               "metadata finished without an epoch that was not better");
  return NUMANN_OK;
}

/* A root of a negative number would look as if the training had diverged. */
static numann_status check_squares(const nu_state *state, const nu_tensor_file *file,
                                   numann_error *err) {
  const nu_method *method = state->method;
  for (size_t i = 0; i < method->n_arrays; i++) {
    size_t at = 0, n = method->squares >> i & 1 ? state->n_parameters : 0;
    while (at < n && state->arrays[i][at] >= 0.0f) at++;
    if (at == n) continue;
    return nu_tensor_file_fail(file, file->data, err,
                               "optimizer.%s has %g, none below 0 was expected", method->arrays[i],
                               (double)state->arrays[i][at]);
  }
  return NUMANN_OK;
}

static numann_status check_state(const nu_saved *saved, const numann_config *config,
                                 const nu_tensor_file *file, numann_error *err) {
  if (!saved->has_state) return NUMANN_OK;
  NU_TRY(check_progress(saved, config, file, err));
  return check_squares(&saved->state, file, err);
}

/* The config comes from the file: wrong words in it are the file's fault, not the user's. */
static numann_status check_config(const nu_saved *saved, const nu_tensor_file *file,
                                  numann_error *err) {
  numann_config *config;
  numann_error why;
  numann_status status = numann_config_parse(&config, saved->config_text, "metadata config", &why);
  if (status == NUMANN_ERR_CONFIG) return nu_tensor_file_fail(file, AT, err, "%s", why.message);
  if (status != NUMANN_OK) return nu_fail(err, status, "%s", why.message);
  status = check_state(saved, config, file, err);
  numann_config_destroy(config);
  return status;
}

numann_status nu_metadata_check_meaning(nu_saved *saved, const nu_tensor_file *file,
                                        numann_error *err) {
  NU_TRY(check_layers(saved->network, saved->schema.classes, file, err));
  NU_TRY(check_schema(&saved->schema, file, err));
  NU_TRY(check_config(saved, file, err));
  return nu_schema_complete(&saved->schema, err);
}
