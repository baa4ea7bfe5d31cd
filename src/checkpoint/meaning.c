/* Does a well-formed file mean something? The rules of configs and data (network/network.c,
 * data/schema.c), asked of a file. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/metadata.h"

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
    if (schema->outputs.scale[j] != 0.0) continue;
    return nu_tensor_file_fail(file, file->data, err,
                               "scaling.outputs.scale[%zu] is 0, which no answer can be divided by",
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

numann_status nu_metadata_check_meaning(nu_saved *saved, const nu_tensor_file *file,
                                        numann_error *err) {
  NU_TRY(check_layers(saved->network, saved->schema.classes, file, err));
  NU_TRY(check_schema(&saved->schema, file, err));
  return nu_schema_complete(&saved->schema, err);
}
