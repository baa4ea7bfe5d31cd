/* SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

/* Smallest positive number that a key accepts where 0 is not allowed. */
#define TINY 1e-300
#define MANY 1e300
#define COUNT_MAX 9007199254740992.0 /* 2^53: whole numbers are exact in double */

#define SOURCE_KEYS(part, what)                                                                     \
  {"data." part ".path", NU_KEY_PATH, NULL, 0, 0, NULL, true, "CSV file or NPY table with " what "."}, \
  {"data." part ".images", NU_KEY_PATH, NULL, 0, 0, NULL, true,                                      \
   "IDX or NPY array of inputs with " what "; needs labels."},                                       \
  {"data." part ".labels", NU_KEY_PATH, NULL, 0, 0, NULL, true,                                      \
   "IDX or NPY array of labels or targets that belongs to images."}

static const nu_key keys[] = {
    SOURCE_KEYS("train", "the training rows"),
    {"data.train.target", NU_KEY_LIST, NULL, 0, 0, NULL, false,
     "Target column, or a list of them: names, or positions from 0 (negative from the end)."},
    {"data.validation.fraction", NU_KEY_REAL, NULL, TINY, 1 - 1e-9, NULL, false,
     "Share of the training file's rows kept for validation."},
    SOURCE_KEYS("validation", "the validation rows"),
    {"data.test.fraction", NU_KEY_REAL, NULL, TINY, 1 - 1e-9, NULL, false,
     "Share of the training file's rows kept for the test."},
    SOURCE_KEYS("test", "the test rows"),
    {"data.header", NU_KEY_TEXT, "auto", 0, 0, "auto|true|false", false,
     "Does the first line of a CSV file name the columns?"},
    {"data.separator", NU_KEY_TEXT, "auto", 0, 0, NULL, false,
     "What stands between CSV fields: auto, tab, space, or one character."},
    {"data.drop", NU_KEY_LIST, NULL, 0, 0, NULL, false,
     "Columns to leave out, by name or position."},
    {"data.blank", NU_KEY_TEXT, "error", 0, 0, "error|drop_row", false,
     "What to do with a row that has an empty field."},
    {"data.targets", NU_KEY_TEXT, "auto", 0, 0, "auto|classes|values", false,
     "Are the targets classes or numbers? auto: classes for text, for the cross-entropy losses, and "
     "where the last layer has several neurons for one column, or a step."},
    {"data.stratify", NU_KEY_FLAG, "false", 0, 0, NULL, false,
     "Keep the share of each class the same in every split."},
    {"data.scale", NU_KEY_REAL, "none", TINY, MANY, "none|standardize|min_max", false,
     "Scaling of the inputs, fitted on the training rows; a number divides them."},
    {"data.scale_targets", NU_KEY_TEXT, "none", 0, 0, "none|standardize|min_max", false,
     "Scaling of numeric targets; answers are scaled back."},
    {"network.layers.*.neurons", NU_KEY_COUNT, NULL, 1, 1e6, NULL, false,
     "Neurons of the layer; in the last one as many as classes or target columns."},
    {"network.layers.*.activation", NU_KEY_TEXT, NULL, 0, 0, NULL, false,
     "step, identity, sigmoid, tanh, relu, leaky_relu, or softmax (last layer)."},
    {"network.layers.*.initializer", NU_KEY_TEXT, NULL, 0, 0, NULL, false,
     "Initial weights of this layer; as network.initializer when not given."},
    {"network.initializer", NU_KEY_TEXT, "auto", 0, 0, NULL, false,
     "auto, glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, "
     "constant. auto: he_normal for the ReLU family, else glorot_uniform."},
    {"network.initializer_value", NU_KEY_REAL, "0", -MANY, MANY, NULL, false,
     "The weight that the constant initializer gives."},
    {"train.loss", NU_KEY_TEXT, NULL, 0, 0, NULL, false,
     "squared_error, cross_entropy (with softmax), binary_cross_entropy (with sigmoid)."},
    {"train.optimizer.name", NU_KEY_TEXT, "sgd", 0, 0, NULL, false,
     "sgd, momentum, nesterov, rmsprop, adam, adamw."},
    {"train.optimizer.learning_rate", NU_KEY_REAL, "0.01", TINY, MANY, NULL, false,
     "The learning rate eta."},
    {"train.optimizer.momentum", NU_KEY_REAL, "0.9", 0, 1, NULL, false,
     "mu of momentum and nesterov."},
    {"train.optimizer.beta1", NU_KEY_REAL, "0.9", 0, 1 - 1e-9, NULL, false, "First decay of adam."},
    {"train.optimizer.beta2", NU_KEY_REAL, "0.999", 0, 1 - 1e-9, NULL, false,
     "Second decay of adam."},
    {"train.optimizer.smoothing", NU_KEY_REAL, "0.9", 0, 1 - 1e-9, NULL, false, "rho of rmsprop."},
    {"train.optimizer.epsilon", NU_KEY_REAL, "1e-8", TINY, 1, NULL, false,
     "Added to the root in rmsprop and adam."},
    {"train.optimizer.weight_decay", NU_KEY_REAL, "0", 0, MANY, NULL, false,
     "L2 decay of the weights, not of the biases; decoupled in adamw."},
    {"train.batch", NU_KEY_COUNT, "32", 1, COUNT_MAX, "full", false,
     "Rows in a batch; full for all rows at once, 1 for online descent."},
    {"train.epochs", NU_KEY_COUNT, "10", 1, COUNT_MAX, NULL, true, "Passes over the training rows."},
    {"train.seed", NU_KEY_COUNT, "1", 0, COUNT_MAX, NULL, false,
     "Seed of initial weights, splits and shuffling."},
    {"train.grain", NU_KEY_COUNT, "auto", 1, COUNT_MAX, "auto", false,
     "Rows whose gradients are summed in one chain; part of the numbers (docs/numerics.md)."},
    {"train.shuffle", NU_KEY_FLAG, "true", 0, 0, NULL, false,
     "Take the rows in a new order every epoch."},
    {"train.clip_norm", NU_KEY_REAL, "0", 0, MANY, NULL, false,
     "Largest norm of the mean gradient; 0 for no clipping."},
    {"train.schedule.name", NU_KEY_TEXT, "constant", 0, 0, NULL, false,
     "Learning-rate schedule: constant, step, exponential, cosine."},
    {"train.schedule.every", NU_KEY_COUNT, "10", 1, COUNT_MAX, NULL, false,
     "step: epochs between two drops."},
    {"train.schedule.factor", NU_KEY_REAL, "0.1", TINY, 1, NULL, false,
     "step and exponential: what the rate is multiplied by."},
    {"train.schedule.final", NU_KEY_REAL, "0", 0, 1, NULL, false,
     "cosine: the last rate, as a share of the first."},
    {"train.schedule.warmup", NU_KEY_REAL, "0", 0, 1e6, NULL, false,
     "Epochs of linear warm-up."},
    {"train.early_stopping.patience", NU_KEY_COUNT, "0", 0, COUNT_MAX, NULL, false,
     "Epochs without a better validation loss before training ends; 0 for never."},
    {"train.early_stopping.min_improvement", NU_KEY_REAL, "0", 0, MANY, NULL, false,
     "How much lower the loss must be to count as better."},
    {"parallel.threads", NU_KEY_COUNT, "auto", 1, 4096, "auto", true,
     "Threads: a number is an order; auto takes what suits the network and the machine."},
    {"parallel.strategy", NU_KEY_TEXT, "auto", 0, 0, NULL, true,
     "neurons, samples, or auto. Never changes a result."},
    {"checkpoint.every", NU_KEY_EVERY, "60 s", 0, 0, NULL, true,
     "How often: N s, N epochs or N steps; always at the end and on a signal."},
    {"checkpoint.keep", NU_KEY_COUNT, "2", 2, 1e6, NULL, true,
     "How many of the newest checkpoints to keep."},
};
#define KEYS (sizeof keys / sizeof *keys)

const nu_key *nu_keys(size_t *n) {
  *n = KEYS;
  return keys;
}

/* Does the concrete path match the pattern up to the pattern's end or, with `below`, to one of its
 * dots? Returns how much of the pattern was used, 0 for no match. */
static size_t match(const char *pattern, const char *path) {
  const char *p = pattern;
  while (*path && *p) {
    if (*p == '*') {
      bool padded = path[0] == '0' && path[1] >= '0' && path[1] <= '9';
      if (*path < '0' || *path > '9' || padded) return 0;
      while (*path >= '0' && *path <= '9') path++;
      p++;
    } else if (*p++ != *path++) {
      return 0;
    }
  }
  return *path ? 0 : (size_t)(p - pattern);
}

const nu_key *nu_key_find(const char *path) {
  for (size_t i = 0; i < KEYS; i++) {
    size_t used = match(keys[i].path, path);
    if (used && keys[i].path[used] == '\0') return &keys[i];
  }
  return NULL;
}

bool nu_key_is_mapping(const char *path) {
  for (size_t i = 0; i < KEYS; i++) {
    size_t used = match(keys[i].path, path);
    if (used && keys[i].path[used] == '.') return true;
  }
  return false;
}

size_t nu_edit_distance(const char *a, const char *b) {
  enum { LIMIT = 128 };
  size_t row[LIMIT], n = strnlen(b, LIMIT - 1);
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 0; a[i] && i < LIMIT - 1; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < n; j++) {
      size_t replaced = diagonal + (a[i] != b[j]);
      size_t shorter = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
      diagonal = row[j + 1];
      row[j + 1] = replaced < shorter ? replaced : shorter;
    }
  }
  return row[n];
}

const char *nu_key_nearest(const char *path) {
  const char *nearest = keys[0].path;
  for (size_t i = 1; i < KEYS; i++) {
    if (nu_edit_distance(path, keys[i].path) < nu_edit_distance(path, nearest)) nearest = keys[i].path;
  }
  return nearest;
}
