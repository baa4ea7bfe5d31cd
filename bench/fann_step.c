/* Training steps in FANN (float): built and started by bench/peers.py, with the system's library or
 * with FANN's own sources. A batch of one row is fann_train; a larger one is an epoch of
 * FANN_TRAIN_BATCH over a set whose pointers lead to the batch's rows, so that nothing is copied.
 * SPDX-License-Identifier: MIT
 *
 * usage: fann_step LAYERS BATCH LEARNING-RATE ROWS SECONDS, as in fann_step 784,300,10 20 0.1 21200
 * 1 The layers are sigmoid, the error is squared. Prints samples/s: median, least, most of 15
 * slices. */
#define _POSIX_C_SOURCE 200809L
#include <floatfann.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SLICES = 15, MOST_LAYERS = 16 };

typedef struct task {
  unsigned sizes[MOST_LAYERS], n_sizes, batch, rows;
  double seconds;
  struct fann *network;
  fann_type *inputs, *targets; /* [rows][sizes[0]], [rows][sizes[n_sizes - 1]] */
  unsigned *order;             /* [rows] */
  fann_type **input, **target; /* [batch]: rows of the running batch */
} task;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t state = 88172645463325252u;

static uint32_t next_random(void) { /* xorshift: Marsaglia 2003 */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}

static void *allocate(size_t n, size_t size) {
  void *memory = calloc(n, size);
  if (memory) return memory;
  fprintf(stderr, "fann_step: no memory for %zu bytes\n", n * size);
  exit(1);
}

static fann_type *uniform(size_t n) {
  fann_type *out = allocate(n, sizeof *out);
  for (size_t i = 0; i < n; i++) out[i] = (fann_type)next_random() * 0x1p-32f;
  return out;
}

static void shuffle(task *t) { /* Fisher and Yates */
  for (unsigned i = t->rows - 1; i > 0; i--) {
    unsigned j = (unsigned)(((uint64_t)next_random() * (i + 1)) >> 32), kept = t->order[i];
    t->order[i] = t->order[j];
    t->order[j] = kept;
  }
}

static void step(task *t, const unsigned *rows) {
  unsigned n_inputs = t->sizes[0], n_outputs = t->sizes[t->n_sizes - 1];
  for (unsigned i = 0; i < t->batch; i++) {
    t->input[i] = t->inputs + (size_t)rows[i] * n_inputs;
    t->target[i] = t->targets + (size_t)rows[i] * n_outputs;
  }
  if (t->batch == 1) {
    fann_train(t->network, t->input[0], t->target[0]);
    return;
  }
  struct fann_train_data set = {.num_data = t->batch,
                                .num_input = n_inputs,
                                .num_output = n_outputs,
                                .input = t->input,
                                .output = t->target};
  fann_train_epoch(t->network, &set);
}

/* Fills rates[SLICES + 1], the first being the warm-up; shuffling is inside the clock. */
static void run(task *t, double *rates) {
  unsigned stride = 64 / t->batch + 1, steps = 0, batches = t->rows / t->batch;
  double started = now();
  for (int slice = 0; slice <= SLICES;) {
    shuffle(t);
    for (unsigned b = 0; b < batches && slice <= SLICES; b++) {
      step(t, t->order + b * t->batch);
      if (++steps % stride) continue;
      double time = now();
      if (time - started < t->seconds / SLICES) continue;
      rates[slice++] = (double)steps * (double)t->batch / (time - started);
      started = time;
      steps = 0;
    }
  }
}

static void prepare(task *t, float rate) {
  t->network = fann_create_standard_array(t->n_sizes, t->sizes);
  if (!t->network) exit(1);
  fann_set_activation_function_hidden(t->network, FANN_SIGMOID); /* 1 / (1 + exp(-2 s x)) */
  fann_set_activation_function_output(t->network, FANN_SIGMOID);
  fann_set_activation_steepness_hidden(t->network, 0.5f);
  fann_set_activation_steepness_output(t->network, 0.5f);
  fann_set_train_error_function(t->network, FANN_ERRORFUNC_LINEAR);
  fann_set_training_algorithm(t->network,
                              t->batch == 1 ? FANN_TRAIN_INCREMENTAL : FANN_TRAIN_BATCH);
  fann_set_learning_rate(t->network, rate);
  t->inputs = uniform((size_t)t->rows * t->sizes[0]);
  t->targets = uniform((size_t)t->rows * t->sizes[t->n_sizes - 1]);
  t->input = allocate(t->batch, sizeof *t->input);
  t->target = allocate(t->batch, sizeof *t->target);
  t->order = allocate(t->rows, sizeof *t->order);
  for (unsigned i = 0; i < t->rows; i++) t->order[i] = i;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void parse(task *t, char **words) {
  char *at = words[0];
  while (t->n_sizes < MOST_LAYERS) {
    t->sizes[t->n_sizes++] = (unsigned)strtoul(at, &at, 10);
    if (*at != ',') break;
    at++;
  }
  t->batch = (unsigned)strtoul(words[1], NULL, 10);
  t->rows = (unsigned)strtoul(words[3], NULL, 10);
  t->seconds = strtod(words[4], NULL);
}

int main(int argc, char **argv) {
  task t = {0};
  double rates[SLICES + 1];
  if (argc != 6) {
    fprintf(stderr, "usage: fann_step LAYERS BATCH LEARNING-RATE ROWS SECONDS\n");
    return 2;
  }
  parse(&t, argv + 1);
  prepare(&t, strtof(argv[3], NULL));
  run(&t, rates);
  qsort(rates + 1, SLICES, sizeof *rates, compare);
  printf("{\"samples_per_s\": %.1f, \"least\": %.1f, \"most\": %.1f}\n", rates[1 + SLICES / 2],
         rates[1], rates[SLICES]);
  fann_destroy(t.network);
  free(t.inputs);
  free(t.targets);
  free(t.input);
  free(t.target);
  free(t.order);
  return 0;
}
