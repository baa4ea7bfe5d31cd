/* A made-up model or checkpoint. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "checkpoint_sample.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"

#define FILE_LIMIT 16777216u
#define ROWS 200 /* 7 batches of 32 */

static void fill(float *numbers, size_t n, uint64_t step, uint32_t block) {
  const nu_stream stream = {step, NU_PURPOSE_GENERATE, block};
  for (size_t i = 0; i < n && numbers; i++) numbers[i] = (float)nu_random_normal(stream, i);
  /* Bits that a text or a sum would lose. */
  if (numbers && n > 2) numbers[1] = -0.0f;
  if (numbers && n > 2) numbers[2] = 1e-42f;
}

static nu_scaling scaling(size_t n, uint64_t step) {
  const nu_stream stream = {step, NU_PURPOSE_GENERATE, 9};
  nu_scaling made = {nu_alloc(n, sizeof(double)), nu_alloc(n, sizeof(double))};
  for (size_t i = 0; i < n; i++) made.shift[i] = nu_random_normal(stream, i);
  for (size_t i = 0; i < n; i++) made.scale[i] = 1.0 / (1.0 + nu_random_uniform(stream, i));
  return made;
}

static char **names(const char *format, size_t n) {
  char **made = nu_alloc(n, sizeof *made);
  for (size_t i = 0; i < n; i++) {
    nu_text text = {0};
    nu_text_add(&text, format);
    nu_text_addf(&text, " %zu", i);
    made[i] = text.data;
  }
  return made;
}

static nu_schema schema(sample_kind kind, size_t inputs, size_t outputs, uint64_t step) {
  nu_schema made = {.features = inputs};
  if (kind == SAMPLE_MODEL) {
    made.targets = outputs;
    return made;
  }
  made.classes = outputs;
  made.feature_names = names(
      "Gr\xc3\xb6\xc3\x9f"
      "e \"in\\mm\"\t\n",
      inputs);
  made.class_names = names("{class}", outputs);
  made.target_names = names("label", 1);
  made.inputs = scaling(inputs, step);
  return made;
}

static nu_state state(size_t n_parameters, uint64_t step) {
  nu_state made;
  nu_state_create(&made, NULL, n_parameters, nu_method_named("adam"), true, NULL);
  made.step = step;
  made.epoch = step / 7;
  made.batch = step % 7;
  made.epoch_loss = made.batch ? 1.0 / 3.0 + (double)step : 0.0;
  made.finished = step % 2 == 1 && made.epoch > 1;
  made.best_epoch = made.epoch - made.finished;
  made.best_loss = 0.1;
  fill(made.weights, n_parameters, step, 1);
  fill(made.arrays[0], n_parameters, step, 2);
  fill(made.arrays[1], n_parameters, step, 3);
  fill(made.best, n_parameters, step, 4);
  for (size_t i = 0; i < n_parameters; i++) made.arrays[1][i] = fabsf(made.arrays[1][i]);
  return made;
}

nu_saved sample_create(sample_kind kind, size_t n_layers, const size_t *sizes, uint64_t step) {
  nu_activation activations[8];
  for (size_t l = 0; l < n_layers; l++) activations[l] = NU_TANH;
  if (kind == SAMPLE_CHECKPOINT) activations[n_layers - 1] = NU_SOFTMAX;
  nu_saved made = {.data_sum = ((uint64_t)ROWS << 32) + 0x76543210u + step};
  static const char config[] = "train:\n  seed: 1 # \"quoted\" \xe2\x82\xac\n";
  made.config_text = nu_copy_text(config, sizeof config - 1);
  made.schema = schema(kind, sizes[0], sizes[n_layers], step);
  nu_network_allocate(&made.network, n_layers, sizes, activations,
                      kind == SAMPLE_CHECKPOINT ? NU_CROSS_ENTROPY : NU_SQUARED_ERROR, NULL);
  size_t n = made.network->n_parameters;
  made.has_state = kind == SAMPLE_CHECKPOINT;
  if (made.has_state) made.state = state(n, step);
  fill(made.network->parameters, n, step, 1);
  return made;
}

static bool same_bits(const void *a, const void *b, size_t n) {
  return (!a && !b) || (a && b && memcmp(a, b, n) == 0);
}

/* A file may leave out the scaling that changes nothing; a reader gives it. */
static bool same_scaling(const nu_scaling *a, const nu_scaling *b, size_t n) {
  for (size_t j = 0; j < n; j++) {
    const double x[] = {a->shift ? a->shift[j] : 0.0, a->shift ? a->scale[j] : 1.0};
    const double y[] = {b->shift ? b->shift[j] : 0.0, b->shift ? b->scale[j] : 1.0};
    if (memcmp(x, y, sizeof x) != 0) return false;
  }
  return true;
}

static bool same_names(char *const *a, char *const *b, size_t n) {
  if (!a || !b) return !a && !b;
  for (size_t i = 0; i < n; i++) {
    if (strcmp(a[i], b[i]) != 0) return false;
  }
  return true;
}

static bool same_schema(const nu_schema *a, const nu_schema *b) {
  return a->features == b->features && a->classes == b->classes && a->targets == b->targets &&
         same_names(a->feature_names, b->feature_names, a->features) &&
         same_names(a->class_names, b->class_names, a->classes) &&
         same_names(a->target_names, b->target_names, a->classes ? 1 : a->targets) &&
         same_scaling(&a->inputs, &b->inputs, a->features) &&
         same_scaling(&a->outputs, &b->outputs, a->targets);
}

static bool same_network(const numann_network *a, const numann_network *b) {
  if (a->n_layers != b->n_layers || a->loss != b->loss) return false;
  for (size_t l = 0; l < a->n_layers; l++) {
    const nu_layer *x = &a->layers[l], *y = &b->layers[l];
    if (x->kind != y->kind || x->rate != y->rate || x->inputs != y->inputs ||
        x->neurons != y->neurons || x->activation != y->activation) {
      return false;
    }
  }
  return same_bits(a->parameters, b->parameters, a->n_parameters * sizeof(float));
}

static bool same_arrays(const nu_state *a, const nu_state *b) {
  for (size_t i = 0; i < NU_METHOD_ARRAYS; i++) {
    if (!same_bits(a->arrays[i], b->arrays[i], a->n_parameters * sizeof(float))) return false;
  }
  return a->method == b->method && same_bits(a->numbers, b->numbers, sizeof a->numbers);
}

static bool same_state(const nu_state *a, const nu_state *b) {
  size_t n = a->n_parameters * sizeof(float);
  return a->step == b->step && a->epoch == b->epoch && a->batch == b->batch &&
         same_bits(&a->epoch_loss, &b->epoch_loss, 8) && a->best_epoch == b->best_epoch &&
         same_bits(&a->best_loss, &b->best_loss, 8) && a->finished == b->finished &&
         a->n_parameters == b->n_parameters && same_bits(a->weights, b->weights, n) &&
         same_bits(a->best, b->best, n) && same_arrays(a, b);
}

bool sample_equal(const nu_saved *a, const nu_saved *b) {
  return same_network(a->network, b->network) && same_schema(&a->schema, &b->schema) &&
         strcmp(a->config_text, b->config_text) == 0 && a->data_sum == b->data_sum &&
         a->has_state == b->has_state && (!a->has_state || same_state(&a->state, &b->state));
}

char *sample_folder(void) {
  const char *base = getenv("TMPDIR");
  char *pattern = nu_path_join(base && *base ? base : "/tmp", "numann-test-XXXXXX");
  if (pattern && !mkdtemp(pattern)) {
    free(pattern);
    return NULL;
  }
  return pattern;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
  (void)info;
  (void)type;
  (void)at;
  return remove(path);
}

void sample_remove(char *folder) {
  if (folder) nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(folder);
}

char *sample_path(const char *folder, const char *name) { return nu_path_join(folder, name); }

bool sample_exists(const char *folder, const char *name) {
  struct stat info;
  char *path = sample_path(folder, name);
  bool there = stat(path, &info) == 0;
  free(path);
  return there;
}

unsigned char *sample_read(const char *path, size_t *size) {
  char *bytes;
  nu_file_read(path, FILE_LIMIT, NUMANN_ERR_IO, &bytes, size, NULL);
  return (unsigned char *)bytes;
}

void sample_write(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file) return;
  fwrite(bytes, 1, size, file);
  fclose(file);
}
