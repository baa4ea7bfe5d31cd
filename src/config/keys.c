/* The table of config keys, and how a path finds its row. SPDX-License-Identifier: MIT */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/least.h"

#define TINY NU_REAL_TINY
#define LARGE NU_REAL_HUGE
#define BELOW_1 NU_REAL_BELOW_1
#define MANY NU_COUNT_HUGE

#define SOURCE_KEYS(part, what)                                         \
  {"data." part ".path",                                                \
   NU_KEY_PATH,                                                         \
   NULL,                                                                \
   0,                                                                   \
   0,                                                                   \
   NULL,                                                                \
   true,                                                                \
   "CSV file or NPY table with " what "."},                             \
      {"data." part ".images",                                          \
       NU_KEY_PATH,                                                     \
       NULL,                                                            \
       0,                                                               \
       0,                                                               \
       NULL,                                                            \
       true,                                                            \
       "IDX or NPY array of inputs with " what "; needs labels."},      \
  {                                                                     \
    "data." part ".labels", NU_KEY_PATH, NULL, 0, 0, NULL, true,        \
        "IDX or NPY array of labels or targets that belongs to images." \
  }

static const nu_key keys[] = {
    SOURCE_KEYS("train", "the training rows"),
    {"data.train.target", NU_KEY_LIST, NULL, 0, 0, NULL, false,
     "Target column, or a list of them: names, or positions from 0 (negative from the end). A "
     "number in quotes is a name."},
    {"data.validation.fraction", NU_KEY_REAL, NULL, TINY, BELOW_1, NULL, false,
     "Share of the training file's rows kept for validation."},
    SOURCE_KEYS("validation", "the validation rows"),
    {"data.test.fraction", NU_KEY_REAL, NULL, TINY, BELOW_1, NULL, false,
     "Share of the training file's rows kept for the test."},
    SOURCE_KEYS("test", "the test rows"),
    {"data.header", NU_KEY_TEXT, "auto", 0, 0, "auto|true|false", false,
     "Does the first line of a CSV file name the columns?"},
    {"data.separator", NU_KEY_TEXT, "auto", 0, 0, NULL, false,
     "What stands between CSV fields: auto, tab, space, or one character."},
    {"data.drop", NU_KEY_LIST, NULL, 0, 0, NULL, false,
     "Columns to leave out, by name or position. A number in quotes is a name."},
    {"data.blank", NU_KEY_TEXT, "error", 0, 0, "error|drop_row", false,
     "What to do with a row that has an empty field."},
    {"data.targets", NU_KEY_TEXT, "auto", 0, 0, "auto|classes|values", false,
     "Are the targets classes or numbers? auto: classes for text, for the cross-entropy losses, "
     "and "
     "where the last layer has several neurons for one column, or a step."},
    {"data.stratify", NU_KEY_FLAG, "false", 0, 0, NULL, false,
     "Keep the share of each class the same in every split."},
    {"data.scale", NU_KEY_REAL, "none", TINY, LARGE, "none|standardize|min_max", false,
     "Scaling of the inputs, fitted on the training rows; a number divides them. Fitted scaling "
     "takes "
     "values up to 1e306, and columns that a float cannot resolve."},
    {"data.scale_targets", NU_KEY_TEXT, "none", 0, 0, "none|standardize|min_max", false,
     "Scaling of numeric targets; answers are scaled back."},
    {"network.layers.*.kind", NU_KEY_TEXT, NULL, 0, 0, NULL, false,
     "dense, when not given; dropout; scale: one learned factor for each input."},
    {"network.layers.*.neurons", NU_KEY_COUNT, NULL, 1, 1e6, NULL, false,
     "Neurons of the layer; in the last one as many as classes or target columns."},
    {"network.layers.*.activation", NU_KEY_TEXT, NULL, 0, 0, NULL, false,
     "step, identity, sigmoid, tanh, relu, leaky_relu, gelu, silu, elu, selu, mish, softplus, or "
     "softmax (last layer)."},
    {"network.layers.*.initializer", NU_KEY_TEXT, NULL, 0, 0, NULL, false,
     "Initial weights of this layer; as network.initializer when not given."},
    {"network.layers.*.rate", NU_KEY_REAL, NULL, 0, NU_REAL_BELOW_1, NULL, false,
     "dropout: share of the inputs that are set to 0 in a step of training."},
    {"network.initializer", NU_KEY_TEXT, "auto", 0, 0, NULL, false,
     "auto, glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, "
     "constant. auto: he_normal for the ReLU family, else glorot_uniform."},
    {"network.initializer_value", NU_KEY_REAL, "0", -LARGE, LARGE, NULL, false,
     "The weight that the constant initializer gives."},
    {"train.loss", NU_KEY_TEXT, NULL, 0, 0, NULL, false,
     "squared_error, cross_entropy (with softmax), binary_cross_entropy (with sigmoid)."},
    {"train.optimizer.name", NU_KEY_TEXT, "sgd", 0, 0, NULL, false,
     "sgd, momentum, nesterov, rmsprop, adam, adamw, amsgrad; with batch: full also irprop and "
     "lbfgs."},
    {"train.optimizer.learning_rate", NU_KEY_REAL, "auto", TINY, LARGE, "auto", false,
     "The learning rate eta; of irprop the first step of each weight. auto: 0.001 for rmsprop, "
     "adam, "
     "adamw and amsgrad, else 0.01. lbfgs finds its own."},
    {"train.optimizer.momentum", NU_KEY_REAL, "0.9", 0, 1, NULL, false,
     "mu of momentum and nesterov."},
    {"train.optimizer.beta1", NU_KEY_REAL, "0.9", 0, BELOW_1, NULL, false, "First decay of adam."},
    {"train.optimizer.beta2", NU_KEY_REAL, "0.999", 0, BELOW_1, NULL, false,
     "Second decay of adam."},
    {"train.optimizer.smoothing", NU_KEY_REAL, "0.9", 0, BELOW_1, NULL, false, "rho of rmsprop."},
    {"train.optimizer.epsilon", NU_KEY_REAL, "1e-8", TINY, 1, NULL, false,
     "Added to the root in rmsprop and adam."},
    {"train.optimizer.weight_decay", NU_KEY_REAL, "0", 0, LARGE, NULL, false,
     "L2 decay of the weights, not of the biases; decoupled in adamw."},
    {"train.batch", NU_KEY_COUNT, "32", 1, MANY, "full", false,
     "Rows in a batch; full for all rows at once, 1 for online descent."},
    {"train.epochs", NU_KEY_COUNT, "10", 1, MANY, NULL, true, "Passes over the training rows."},
    {"train.max_time", NU_KEY_TIME, "none", 0, 0, "none|slurm", true,
     "Time from the start of the process, or slurm: to the end of the Slurm job. Training stops at "
     "the last "
     "step after which a checkpoint still fits, with exit code 75. Never changes a result."},
    {"train.seed", NU_KEY_COUNT, "1", 0, NU_COUNT_ANY, NULL, false,
     "Seed of initial weights, splits and shuffling."},
    {"train.grain", NU_KEY_COUNT, "auto", 1, MANY, "auto", false,
     "Rows whose gradients are summed in one chain; part of the numbers (docs/numerics.md)."},
    {"train.precision", NU_KEY_TEXT, "fp32", 0, 0, "fp32|bf16", false,
     "Operands of the matrix products: fp32, or bf16, rounded from weights that stay fp32; sums "
     "are fp32 "
     "(docs/numerics.md)."},
    {"train.shuffle", NU_KEY_FLAG, "true", 0, 0, NULL, false,
     "Take the rows in a new order every epoch."},
    {"train.clip_norm", NU_KEY_REAL, "0", 0, LARGE, NULL, false,
     "Largest norm of the mean gradient; 0 for no clipping."},
    {"train.schedule.name", NU_KEY_TEXT, "constant", 0, 0, NULL, false,
     "Learning-rate schedule: constant, step, exponential, cosine."},
    {"train.schedule.every", NU_KEY_COUNT, "10", 1, MANY, NULL, false,
     "step: epochs between two drops."},
    {"train.schedule.factor", NU_KEY_REAL, "0.1", TINY, 1, NULL, false,
     "step and exponential: what the rate is multiplied by."},
    {"train.schedule.final", NU_KEY_REAL, "0", 0, 1, NULL, false,
     "cosine: the last rate, as a share of the first."},
    {"train.schedule.epochs", NU_KEY_COUNT, "auto", 1, MANY, "auto", false,
     "cosine: epochs until the last rate, which then stays; auto: train.epochs. A resume keeps "
     "it."},
    {"train.schedule.warmup", NU_KEY_REAL, "0", 0, 1e6, NULL, false, "Epochs of linear warm-up."},
    {"train.early_stopping.patience", NU_KEY_COUNT, "0", 0, MANY, NULL, false,
     "Epochs without a better validation loss before training ends; 0 for never."},
    {"train.early_stopping.min_improvement", NU_KEY_REAL, "0", 0, LARGE, NULL, false,
     "How much lower the loss must be to count as better."},
    {"parallel.threads", NU_KEY_COUNT, "auto", 1, 4096, "auto", true,
     "Threads: a number is an order; auto takes what suits the network and the machine."},
    {"parallel.strategy", NU_KEY_TEXT, "auto", 0, 0, NULL, true,
     "neurons, samples, hybrid, or auto. Never changes a result."},
    {"parallel.groups", NU_KEY_COUNT, "auto", 1, 4096, "auto", true,
     "Groups of threads under hybrid: groups split the samples, the threads of one the neurons."},
    {"parallel.chunk", NU_KEY_COUNT, "auto", 1, MANY, "auto", true,
     "Grains of a batch that pass through all layers together, so that their activations stay in a "
     "cache. Never changes a result."},
    {"parallel.fuse_update", NU_KEY_FLAG, "true", 0, 0, NULL, true,
     "Update weights right where their gradient was formed. Never changes a result."},
    {"parallel.calibration", NU_KEY_TEXT, "auto", 0, 0, "auto|off|refresh", true,
     "Rates by which auto chooses: off, as shipped; auto, as kept in the cache folder, measured "
     "anew for "
     "trainings of 10 s and more; refresh, measured now. Never changes a result."},
    {"parallel.placement", NU_KEY_TEXT, "auto", 0, 0, "auto|compact|scatter|none", true,
     "Cores of the threads, and NUMA nodes of their memory: compact fills one node, one cache "
     "after the other; "
     "scatter spreads over all; none leaves it to the system. Never changes a result."},
    {"parallel.smt", NU_KEY_FLAG, "false", 0, 0, NULL, true,
     "Let auto use all hardware threads of a core; else it takes one a core. Never changes a "
     "result."},
    {"parallel.patience", NU_KEY_REAL, "600", 0, LARGE, NULL, true,
     "Seconds that a rank waits for another before the job is given up (exit code 8); 0 for ever."},
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

/* How much of the pattern the whole of the concrete path uses up; 0 when it does not match. */
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
      size_t shorter = nu_smaller(row[j], row[j + 1]) + 1;
      diagonal = row[j + 1];
      row[j + 1] = nu_smaller(replaced, shorter);
    }
  }
  return row[n];
}

/* The first n bytes of a pattern, with the index that `path` has where the pattern has '*'. */
static void make_concrete(const char *pattern, size_t n, const char *path, char out[NU_PATH_TEXT]) {
  const char *star = memchr(pattern, '*', n), *index = path;
  if (!star) {
    snprintf(out, NU_PATH_TEXT, "%.*s", (int)n, pattern);
    return;
  }
  for (const char *p = pattern; p < star; p++) {
    if (*p != '.') continue;
    index += strcspn(index, ".");
    index += *index == '.';
  }
  size_t digits = strspn(index, "0123456789");
  bool usable = digits > 0 && digits < 10;
  snprintf(out, NU_PATH_TEXT, "%.*s%.*s%.*s", (int)(star - pattern), pattern,
           usable ? (int)digits : 1, usable ? index : "0", (int)(pattern + n - star - 1), star + 1);
}

static const char *last_name(const char *path) {
  const char *dot = strrchr(path, '.');
  return dot ? dot + 1 : path;
}

/* A right last name in the wrong mapping is a small mistake, however many edits it takes. */
static size_t distance(const char *path, const char *known) {
  enum { WRONG_MAPPING = 2 };
  size_t whole = nu_edit_distance(path, known);
  size_t last = nu_edit_distance(last_name(path), last_name(known)) + WRONG_MAPPING;
  return last <= WRONG_MAPPING + 1 && last < whole && strlen(last_name(path)) > 3 ? last : whole;
}

bool nu_key_nearest(const char *path, char nearest[NU_PATH_TEXT]) {
  size_t best = strlen(path) / 2 + 1; /* beyond this a suggestion would be a guess */
  bool found = false;
  for (size_t i = 0; i < KEYS; i++) {
    for (size_t n = 1; n <= strlen(keys[i].path); n++) {
      char known[NU_PATH_TEXT];
      if (keys[i].path[n] != '.' && keys[i].path[n] != '\0') continue;
      make_concrete(keys[i].path, n, path, known);
      size_t d = distance(path, known);
      if (d >= best) continue;
      best = d;
      found = true;
      memcpy(nearest, known, NU_PATH_TEXT);
    }
  }
  return found;
}
