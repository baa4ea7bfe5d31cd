/* Same bits for trainings that nobody chose: a random network, problem and method for each seed, and
 * ways to run it that must not change a weight (threads, strategy, groups, chunks, blocks, fusing,
 * instruction set, ranks, stops in between). NUMANN_RANDOM_FIRST and NUMANN_RANDOM_COUNT say which seeds;
 * NUMANN_RANDOM_HASHES names a file that gets "SEED HASH" lines, for builds of other compilers to be
 * compared with. SPDX-License-Identifier: MIT */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/least.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "machine/comm_virtual.h"
#include "machine/float_env.h"
#include "network/methods.h"
#include "network/network.h"
#include "numann.h"
#include "plan/plan.h"
#include "trainer/trainer.h"
#include "training.h"

enum { WAYS = 6, MOST_STEPS = 60, MOST_THREADS = 17, MOST_RANKS = 6 };

/* ---- draws: a stream for each seed and purpose. C orders neither the arguments of a call nor
 * initializers: each statement draws once, or in one nest of calls. */

typedef struct draws {
  nu_stream stream;
  uint64_t drawn;
} draws;

static draws draws_of(int seed, uint32_t counter) {
  return (draws){{(uint64_t)seed, NU_PURPOSE_GENERATE, counter}, 0};
}

static size_t below(draws *d, size_t n) { return nu_random_bits(d->stream, d->drawn++) % n; }
static size_t from_to(draws *d, size_t least, size_t most) {
  return least + below(d, most - least + 1);
}
/* Small ones as often as large ones. */
static size_t size_up_to(draws *d, size_t most) { return from_to(d, 1, from_to(d, 1, most)); }
static bool one_in(draws *d, size_t n) { return below(d, n) == 0; }

static const char *word_of(draws *d, const char *const *words, size_t n) {
  return words[below(d, n)];
}
#define WORD(d, ...)                             \
  word_of(d, (const char *const[]){__VA_ARGS__}, \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* ---- a job: the text of a config, and data that fit it */

typedef enum answer_kind { CLASSES, TWO_CLASSES, VALUES, BITS, ANSWERS } answer_kind;

typedef struct job {
  answer_kind answer;
  size_t rows, features, outputs;
  nu_text config;
  char hash[65]; /* of the first way */
} job;

static void add_rate(draws *d, nu_text *text, const char *key, const char *const *values,
                     size_t n) {
  if (one_in(d, 2)) nu_text_addf(text, ", %s: %s", key, word_of(d, values, n));
}

static void add_optimizer(draws *d, bool full, bool has_dropout, nu_text *text) {
  static const char *const rates[] = {"0.5", "0.1", "0.03", "1e-3"};
  static const char *const decays[] = {"1e-4", "0.01", "0.3"};
  static const char *const shares[] = {"0.5", "0.9", "0.99", "0"};
  static const char *const epsilons[] = {"1e-8", "1e-3", "1"};
  const nu_method *method;
  do {
    size_t n = 0;
    while (nu_method_at(n)) n++;
    method = nu_method_at(below(d, n));
  } while (method->full_batch && (!full || has_dropout));
  nu_text_addf(text, "  optimizer: {name: %s", method->name);
  add_rate(d, text, "weight_decay", decays, 3);
  if (!method->whole) add_rate(d, text, "learning_rate", rates, 4);
  if (method->rule == NU_MOMENTUM || method->rule == NU_NESTEROV)
    add_rate(d, text, "momentum", shares, 4);
  if (method->rule == NU_RMSPROP) add_rate(d, text, "smoothing", shares, 4);
  if (method->betas) add_rate(d, text, "beta1", shares, 4);
  if (method->betas) add_rate(d, text, "beta2", shares, 4);
  if (method->betas || method->rule == NU_RMSPROP) add_rate(d, text, "epsilon", epsilons, 3);
  nu_text_add(text, "}\n");
  if (method->whole) return;
  if (one_in(d, 3)) nu_text_addf(text, "  clip_norm: %s\n", WORD(d, "1e-3", "0.1", "1", "100"));
  static const char *const schedules[] = {"constant", "step, every: 1, factor: 0.5",
                                          "exponential, factor: 0.7", "cosine, final: 0.1"};
  if (!one_in(d, 2)) return;
  nu_text_addf(text, "  schedule: {name: %s", word_of(d, schedules, 4));
  nu_text_addf(text, ", warmup: %s}\n", WORD(d, "0", "0.5", "1.7"));
}

static const char *output_of(draws *d, answer_kind answer, const char **loss) {
  *loss = "squared_error";
  if (answer == VALUES) return WORD(d, "identity", "tanh", "sigmoid", "softplus", "relu", "selu");
  if (answer == CLASSES) {
    if (one_in(d, 5)) return WORD(d, "sigmoid", "tanh", "identity");
    *loss = "cross_entropy";
    return "softmax";
  }
  if (one_in(d, 5)) return WORD(d, "sigmoid", "tanh", "identity");
  *loss = "binary_cross_entropy";
  return "sigmoid";
}

/* True: it draws in training. */
static bool add_hidden(draws *d, nu_text *text) {
  static const char *const functions[] = {"identity",   "sigmoid", "tanh",    "relu",
                                          "leaky_relu", "gelu",    "silu",    "elu",
                                          "selu",       "mish",    "softplus"};
  if (one_in(d, 8)) {
    nu_text_add(text, "    - {kind: scale}\n");
    return false;
  }
  if (one_in(d, 8)) {
    nu_text_addf(text, "    - {kind: dropout, rate: %s}\n", WORD(d, "0.1", "0.5", "0.9"));
    return true;
  }
  nu_text_addf(text, "    - {neurons: %zu", size_up_to(d, 90));
  nu_text_addf(text, ", activation: %s",
               word_of(d, functions, sizeof functions / sizeof *functions));
  if (one_in(d, 4))
    nu_text_addf(text, ", initializer: %s", WORD(d, "glorot_normal", "he_uniform", "lecun_normal"));
  nu_text_add(text, "}\n");
  return false;
}

/* Epochs so that no job takes long, and batches that the rows need not divide into. */
static void add_training(draws *d, const job *j, const char *loss, bool has_dropout,
                         nu_text *text) {
  bool full = one_in(d, 3);
  size_t batch = full ? j->rows : size_up_to(d, j->rows);
  size_t in_epoch = (j->rows + batch - 1) / batch;
  size_t most = MOST_STEPS / in_epoch;
  nu_text_addf(text, "train:\n  loss: %s\n  seed: %zu\n", loss, below(d, 1000));
  nu_text_addf(text, "  epochs: %zu\n", from_to(d, 1, nu_smaller(nu_larger(most, 1), 8)));
  if (full) nu_text_add(text, "  batch: full\n");
  else nu_text_addf(text, "  batch: %zu\n", batch);
  if (one_in(d, 2)) nu_text_addf(text, "  grain: %zu\n", size_up_to(d, batch));
  if (one_in(d, 3)) nu_text_add(text, "  precision: bf16\n");
  if (one_in(d, 4)) nu_text_add(text, "  shuffle: false\n");
  add_optimizer(d, batch == j->rows, has_dropout, text);
}

static job job_of(int seed) {
  draws d = draws_of(seed, 0);
  job j = {.answer = (answer_kind)below(&d, ANSWERS)};
  j.rows = size_up_to(&d, one_in(&d, 4) ? 700 : 150);
  j.features = size_up_to(&d, 70);
  const char *loss;
  const char *output = output_of(&d, j.answer, &loss);
  j.outputs = j.answer == TWO_CLASSES ? 1
              : j.answer == CLASSES   ? from_to(&d, 2, 20)
                                      : size_up_to(&d, 40);
  nu_text_add(&j.config, "data: {train: {path: none.csv}}\nnetwork:\n  layers:\n");
  bool has_dropout = false;
  for (size_t l = below(&d, 5); l > 0; l--) has_dropout |= add_hidden(&d, &j.config);
  nu_text_addf(&j.config, "    - {neurons: %zu, activation: %s}\n", j.outputs, output);
  add_training(&d, &j, loss, has_dropout, &j.config);
  return j;
}

/* Inputs about a mean that depends on the answer; some exactly 0. */
static numann_data *data_of(int seed, const job *j) {
  draws d = draws_of(seed, 1);
  nu_stream noise = {(uint64_t)seed, NU_PURPOSE_GENERATE, 2};
  bool labelled = j->answer == CLASSES || j->answer == TWO_CLASSES;
  size_t classes = j->answer == TWO_CLASSES ? 2 : j->outputs;
  float *inputs = nu_alloc(j->rows * j->features, sizeof *inputs);
  float *targets = nu_alloc(j->rows * j->outputs, sizeof *targets);
  int32_t *labels = nu_alloc(j->rows, sizeof *labels);
  ck_assert(inputs && targets && labels);
  nu_float_env env = nu_float_env_enter();
  for (size_t i = 0; i < j->rows; i++) {
    labels[i] = (int32_t)below(&d, classes);
    for (size_t f = 0; f < j->features; f++)
      inputs[i * j->features + f] = one_in(&d, 5)
                                        ? 0.0f
                                        : (float)(nu_random_normal(noise, i * j->features + f) +
                                                  (f % classes == (size_t)labels[i] ? 1.0 : 0.0));
    for (size_t o = 0; o < j->outputs; o++)
      targets[i * j->outputs + o] = j->answer == BITS
                                        ? (float)below(&d, 2)
                                        : 0.25f * inputs[i * j->features + o % j->features];
  }
  nu_float_env_leave(&env);
  numann_data *data;
  training_must(numann_data_create(&data, j->rows, j->features, inputs,
                                   labelled ? classes : j->outputs, labelled ? NULL : targets,
                                   labelled ? labels : NULL, &training_error));
  free(inputs);
  free(targets);
  free(labels);
  return data;
}

/* Grains of a whole batch: no more ranks have work. */
static size_t grains_of(const job *j, const numann_data *data) {
  numann_config *config;
  numann_network *network;
  numann_plan *plan;
  numann_error *err = &training_error;
  training_must(numann_config_parse(&config, nu_text_view(&j->config), "random", err));
  training_must(numann_network_create(&network, config, data, err));
  training_must(numann_plan_create(&plan, config, network, data, err));
  size_t grains = nu_problem_grains(&plan->plan.problem, plan->plan.problem.batch);
  numann_plan_destroy(plan);
  numann_network_destroy(network);
  numann_config_destroy(config);
  return grains;
}

/* ---- ways to run it */

typedef struct way {
  const char *isa;
  nu_plan plan;  /* but for the problem, which is the job's */
  size_t ranks;  /* virtual ones, each with such a plan */
  uint64_t stop; /* after this step, and then on; 0: never */
} way;

static nu_blocks blocks_of(draws *d) {
  nu_blocks b;
  b.k = 32 * size_up_to(d, 8);
  b.panels = size_up_to(d, 6);
  b.rows = size_up_to(d, 64);
  b.inputs = size_up_to(d, 64);
  b.packed = below(d, 3) << 16;
  return b;
}

/* The first way: one thread, plain kernels, nothing fused. */
static way way_of(int seed, size_t number) {
  way w = {.isa = "base", .ranks = 1, .plan = nu_plan_of(1, NU_NEURONS, 1, 1, 1)};
  if (number == 0) return w;
  draws d = draws_of(seed, 10 + (uint32_t)number);
  size_t threads = size_up_to(&d, MOST_THREADS);
  nu_strategy strategy = (nu_strategy)below(&d, NU_STRATEGIES);
  w.plan = nu_plan_of(threads, strategy, size_up_to(&d, threads), 1, 1);
  if (one_in(&d, 2)) w.plan.blocks = blocks_of(&d);
  w.plan.chunk = one_in(&d, 2) ? SIZE_MAX : size_up_to(&d, 9);
  w.plan.fuse = one_in(&d, 2);
  do w.isa = nu_isa_names[below(&d, NU_ISAS)];
  while (!nu_kernels_named(w.isa));
  w.stop = one_in(&d, 3) ? size_up_to(&d, MOST_STEPS) : 0;
  w.plan.bundle = size_up_to(&d, 3000);
  w.ranks = one_in(&d, 2) ? size_up_to(&d, MOST_RANKS) : 1;
  return w;
}

static numann_action stop_at(void *arg, const numann_progress *progress) {
  const uint64_t *step = arg;
  return progress->step == *step ? NUMANN_STOP : NUMANN_CONTINUE;
}

/* A training that diverges does so in the same step, with the same message, whichever way; what it
 * falls back to is its last state that was saved, so a stop before is one more of these. */
static void run_to_its_end(const way *w, numann_trainer *trainer, nu_text *end) {
  uint64_t stop = w->stop;
  numann_observer observer = {.arg = &stop, .on_step = stop_at};
  numann_status status = numann_trainer_run(trainer, &observer, &training_error);
  if (status == NUMANN_STOPPED) status = numann_trainer_run(trainer, NULL, &training_error);
  if (status != NUMANN_ERR_DIVERGED) training_must(status);
  else nu_text_add(end, training_error.message);
}

typedef struct rank_run {
  const job *job;
  const numann_data *data;
  const way *way;
  nu_comm *comm;
  char hash[65];
  nu_text end;
} rank_run;

static void *run_rank(void *arg) {
  rank_run *r = arg;
  numann_config *config;
  numann_network *network;
  numann_plan *plan;
  numann_trainer *trainer;
  numann_error *err = &training_error;
  training_must(numann_config_parse(&config, nu_text_view(&r->job->config), "random", err));
  training_must(numann_config_set(config, "parallel.threads=1", err));
  training_must(numann_network_create(&network, config, r->data, err));
  training_must(numann_plan_create(&plan, config, network, r->data, err));
  nu_problem problem = plan->plan.problem;
  nu_plan_clear(plan);
  plan->plan = r->way->plan;
  plan->plan.problem = problem;
  plan->plan.chunk = nu_smaller(plan->plan.chunk, nu_problem_grains(&problem, problem.batch));
  training_must(nu_trainer_create_on(&trainer, r->comm, config, network, plan, r->data, err));
  run_to_its_end(r->way, trainer, &r->end);
  nu_network_sha256(network, r->hash);
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
  numann_network_destroy(network);
  numann_config_destroy(config);
  return NULL;
}

/* The weights of the last rank, and how it ended; all others must have the same. */
static void hash_of(const job *j, const numann_data *data, const way *w, char hash[65],
                    nu_text *end) {
  pthread_t threads[MOST_RANKS];
  rank_run runs[MOST_RANKS];
  nu_comm *ranks = nu_comm_virtual_create(w->ranks);
  ck_assert_ptr_nonnull(ranks);
  setenv("NUMANN_ISA", w->isa, 1);
  for (size_t r = 0; r < w->ranks; r++) {
    runs[r] = (rank_run){.job = j, .data = data, .way = w, .comm = &ranks[r]};
    ck_assert_int_eq(pthread_create(&threads[r], NULL, run_rank, &runs[r]), 0);
  }
  for (size_t r = 0; r < w->ranks; r++) ck_assert_int_eq(pthread_join(threads[r], NULL), 0);
  const rank_run *last = &runs[w->ranks - 1];
  for (size_t r = 0; r < w->ranks; r++) {
    ck_assert_str_eq(runs[r].hash, last->hash);
    ck_assert_str_eq(nu_text_view(&runs[r].end), nu_text_view(&last->end));
  }
  memcpy(hash, last->hash, sizeof last->hash);
  nu_text_add(end, nu_text_view(&last->end));
  for (size_t r = 0; r < w->ranks; r++) nu_text_clear(&runs[r].end);
  nu_comm_virtual_destroy(ranks);
}

static void write_hash(int seed, const char *hash) {
  const char *path = getenv("NUMANN_RANDOM_HASHES");
  if (!path) return;
  FILE *f = fopen(path, "a");
  ck_assert_ptr_nonnull(f);
  ck_assert_int_gt(fprintf(f, "%d %s\n", seed, hash), 0);
  ck_assert_int_eq(fclose(f), 0);
}

START_TEST(no_way_to_run_changes_a_bit) {
  job j = job_of(_i);
  numann_data *data = data_of(_i, &j);
  nu_text want_end = {0};
  char want[65];
  way first = way_of(_i, 0);
  size_t grains = grains_of(&j, data);
  hash_of(&j, data, &first, want, &want_end);
  for (size_t i = 1; i < WAYS; i++) {
    way w = way_of(_i, i);
    w.ranks = nu_smaller(w.ranks, grains);
    nu_text end = {0};
    char got[65];
    hash_of(&j, data, &w, got, &end);
    bool fell_back = want_end.length > 0 && w.stop;
    ck_assert_msg((fell_back || strcmp(want, got) == 0) &&
                      strcmp(nu_text_view(&want_end), nu_text_view(&end)) == 0,
                  "seed %d: %zu ranks, %zu threads, %s, %zu groups, %s, chunks of %zu, %s, blocks "
                  "%zu %zu %zu %zu %zu, "
                  "stop at %u: %s, not %s; %zu rows, %zu features\n%s%s\n%s",
                  _i, w.ranks, w.plan.threads, nu_strategy_name(w.plan.strategy), w.plan.groups,
                  w.isa, w.plan.chunk, w.plan.fuse ? "fused" : "not fused", w.plan.blocks.k,
                  w.plan.blocks.panels, w.plan.blocks.rows, w.plan.blocks.inputs,
                  w.plan.blocks.packed, (unsigned)w.stop, got, want, j.rows, j.features,
                  nu_text_view(&j.config), nu_text_view(&want_end), nu_text_view(&end));
    nu_text_clear(&end);
  }
  write_hash(_i, want);
  nu_text_clear(&want_end);
  nu_text_clear(&j.config);
  numann_data_destroy(data);
}
END_TEST

static int number_in(const char *variable, int otherwise) {
  const char *text = getenv(variable);
  return text && *text ? (int)strtol(text, NULL, 10) : otherwise;
}

int main(void) {
  int first = number_in("NUMANN_RANDOM_FIRST", 1);
  Suite *suite = suite_create("random");
  TCase *tcase = tcase_create("jobs");
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, no_way_to_run_changes_a_bit, first,
                      first + number_in("NUMANN_RANDOM_COUNT", 40));
  suite_add_tcase(suite, tcase);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
