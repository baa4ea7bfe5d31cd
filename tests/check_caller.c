/* What a caller of the library keeps, and what its state may not change. SPDX-License-Identifier: MIT
 *
 * Floating-point state and affinity mask come back from every public entry as they were, and whatever they
 * were, numbers, weights and files are those that a plain caller gets. */
#include "build_config.h"

#include <check.h>
#include <fenv.h>
#include <float.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/float_env.h"
#include "machine/team.h"
#include "numann.h"

#define MAX_THREADS 33
static const size_t team_sizes[] = {1, 2, 3, 8, 33};
#define TEAM_SIZES ((int)(sizeof team_sizes / sizeof team_sizes[0]))

/* ---- the thread team */

typedef struct float_facts {
  float flushed_result[MAX_THREADS]; /* the least normal number / 2 */
  float flushed_input[MAX_THREADS];  /* the least subnormal number * 2^24 */
  float third[MAX_THREADS];          /* 1 / 3, whose last bit tells the rounding */
} float_facts;

static void compute_facts(float_facts *facts, size_t thread) {
  volatile float tiny = FLT_MIN, subnormal = FLT_TRUE_MIN, one = 1.0f, three = 3.0f;
  facts->flushed_result[thread] = tiny / 2.0f;
  facts->flushed_input[thread] = subnormal * 16777216.0f;
  facts->third[thread] = one / three;
}

static void compute_facts_member(nu_team *team, size_t thread, void *arg) {
  (void)team;
  compute_facts(arg, thread);
}

START_TEST(team_flushes_and_rounds_to_nearest) {
  size_t threads = team_sizes[_i];
  ck_assert_int_eq(fesetround(FE_UPWARD), 0);
  float_facts facts;
  memset(&facts, 0x7f, sizeof facts);
  ck_assert_int_eq(nu_team_run(threads, compute_facts_member, &facts, NULL), NUMANN_OK);
  for (size_t i = 0; i < threads; i++) {
    ck_assert(facts.flushed_result[i] == 0.0f);
    ck_assert(facts.flushed_input[i] == 0.0f);
    ck_assert(facts.third[i] == 0x1.555556p-2f);
  }
}
END_TEST

START_TEST(callers_state_comes_back) {
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    ck_assert_int_eq(fesetround(modes[i]), 0);
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_DIVBYZERO);
    float_facts facts;
    ck_assert_int_eq(nu_team_run(2, compute_facts_member, &facts, NULL), NUMANN_OK);
    ck_assert_int_eq(fegetround(), modes[i]);
    ck_assert_int_eq(fetestexcept(FE_ALL_EXCEPT), FE_DIVBYZERO);
    compute_facts(&facts, 0);
    ck_assert(facts.flushed_result[0] > 0.0f);
    ck_assert(facts.flushed_input[0] > 0.0f);
  }
}
END_TEST

/* A trap that the caller has armed must not fire inside, and must be armed again after. */
START_TEST(callers_traps_are_held) {
  int armed = feenableexcept(FE_DIVBYZERO);
#ifdef __aarch64__
  if (armed == -1) return; /* traps are optional there, and rare */
#endif
  ck_assert_int_ne(armed, -1);
  nu_float_env env = nu_float_env_enter();
  volatile float zero = 0.0f;
  volatile float infinite = 1.0f / zero;
  nu_float_env_leave(&env);
  ck_assert(infinite > FLT_MAX);
  ck_assert_int_ne(fegetexcept() & FE_DIVBYZERO, 0);
}
END_TEST

/* ---- a caller's state */

/* The control word: rounding, traps, FTZ and DAZ, without the flags that arithmetic raises. */
#if defined(__x86_64__)
#define FLUSH 0x8040u
static unsigned long control(void) { return __builtin_ia32_stmxcsr() & ~0x3fu; }
static void set_control(unsigned long word) { __builtin_ia32_ldmxcsr((unsigned)word); }
#elif defined(__aarch64__)
#define FLUSH (1ul << 24)
static unsigned long control(void) {
  unsigned long word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
static void set_control(unsigned long word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#else
#define FLUSH 0u
static unsigned long control(void) { return 0; }
static void set_control(unsigned long word) { (void)word; }
#endif

typedef struct state {
  unsigned long control;
  int rounding;
  cpu_set_t mask;
} state;

static state current_state(void) {
  state now = {.control = control(), .rounding = fegetround()};
  sched_getaffinity(0, sizeof now.mask, &now.mask);
  return now;
}

static bool same_state(const state *a, const state *b) {
  return a->control == b->control && a->rounding == b->rounding && CPU_EQUAL(&a->mask, &b->mask);
}

/* The first of the processors that this thread may use, alone. */
static void reduce_mask(void) {
  cpu_set_t all, one;
  size_t cpu = 0;
  ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
  while (!CPU_ISSET(cpu, &all)) cpu++;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
}

typedef struct caller {
  int rounding;
  bool flushes, reduced;
} caller;
static const caller plain = {FE_TONEAREST, false, false};
static const caller odd[] = {{FE_TONEAREST, true, false}, {FE_UPWARD, false, true},
                             {FE_DOWNWARD, true, true},   {FE_TOWARDZERO, false, false},
                             {FE_UPWARD, true, false},    {FE_TONEAREST, false, true}};
#define ODD ((int)(sizeof odd / sizeof *odd))

static void become(const caller *who) {
  fesetround(who->rounding);
  set_control(who->flushes ? control() | FLUSH : control() & ~(unsigned long)FLUSH);
  if (who->reduced) reduce_mask();
}

/* ---- a journey through the public entries */

enum { EPOCHS = 6, ROWS = 260, FEATURES = 3, CLASSES = 3, WEIGHTS = 256, FILE_BYTES = 1 << 16 };

typedef struct journey {
  caller who;
  unsigned seed;
  char folder[128];
  char wrong[512]; /* the first entry that failed or changed the state */
  state want;
  size_t epochs;
  double log[EPOCHS][4];
  float weights[WEIGHTS], answers[ROWS * CLASSES], loaded_answers[ROWS * CLASSES];
  unsigned char file[FILE_BYTES];
} journey;

/* At `who`'s thread: the state is checked after each entry. */
static bool call(journey *j, const char *entry, numann_status status, const numann_error *err) {
  state now = current_state();
  if (*j->wrong) return false;
  if (status != NUMANN_OK) snprintf(j->wrong, sizeof j->wrong, "%s: %.400s", entry, err->message);
  else if (!same_state(&now, &j->want))
    snprintf(j->wrong, sizeof j->wrong, "%s: control %lx, was %lx; rounding %d, was %d; mask %s", entry, now.control,
             j->want.control, now.rounding, j->want.rounding, CPU_EQUAL(&now.mask, &j->want.mask) ? "kept" : "changed");
  return !*j->wrong;
}
#define CALL(entry) (call(j, #entry, entry, &err))

static void path_of(char path[192], const journey *j, const char *name) {
  snprintf(path, 192, "%s/%s", j->folder, name);
}

static const char config_text[] =
    "data: {train: {path: rows.csv, target: -1}, header: false, scale: standardize, validation: {fraction: 0.3}}\n"
    "network:\n  layers:\n    - {neurons: 19, activation: tanh}\n    - {neurons: 3, activation: softmax}\n"
    "train:\n  loss: cross_entropy\n  optimizer: {name: adam, learning_rate: 0.0137}\n"
    "  schedule: {name: exponential, factor: 0.7}\n  early_stopping: {patience: 2, min_improvement: 0.013}\n"
    "  batch: 33\n  grain: 8\n  epochs: 6\nparallel: {threads: 3, strategy: samples}\n";

static void write_text(const journey *j, const char *name, const char *text) {
  char path[192];
  path_of(path, j, name);
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  ck_assert_int_eq(fclose(file), 0);
}

/* Decimal fractions, so that reading them rounds. */
static void write_rows(const journey *j) {
  char text[ROWS * 40], *at = text;
  unsigned x = 12345;
  for (int r = 0; r < ROWS; r++) {
    for (int i = 0; i < FEATURES; i++) {
      x = x * 1103515245u + 12345u;
      at += sprintf(at, "0.%05u,", (x >> 12) % 100000);
    }
    at += sprintf(at, "%d\n", r < CLASSES ? r : (int)((x >> 16) % CLASSES));
  }
  write_text(j, "rows.csv", text);
}

static numann_action keep_epoch(void *arg, const numann_epoch *epoch) {
  journey *j = arg;
  double log[4] = {epoch->train_loss, epoch->learning_rate, epoch->validation_loss, epoch->validation_accuracy};
  memcpy(j->log[j->epochs++], log, sizeof log);
  return NUMANN_CONTINUE;
}

static void keep_weights(journey *j, const numann_network *network) {
  size_t first = 19 * FEATURES, second = CLASSES * 19;
  memcpy(j->weights, numann_network_weights_view(network, 0), first * sizeof(float));
  memcpy(j->weights + first, numann_network_weights_view(network, 1), second * sizeof(float));
}

static void keep_file(journey *j, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return;
  size_t n = fread(j->file, 1, FILE_BYTES, file);
  if (n == 0 || n == FILE_BYTES) snprintf(j->wrong, sizeof j->wrong, "the model file has %zu bytes", n);
  fclose(file);
}

static void save_and_load(journey *j, const numann_network *network, const numann_data *data,
                          const numann_config *config, const float *inputs) {
  char path[192];
  numann_error err;
  numann_network *loaded = NULL;
  path_of(path, j, "model.safetensors");
  if (CALL(numann_model_save(path, network, data, config, &err)) && CALL(numann_model_load(&loaded, path, &err)) &&
      CALL(numann_predict(loaded, 3, ROWS, inputs, j->loaded_answers, &err))) {
    keep_file(j, path);
  }
  numann_network_destroy(loaded);
}

/* Every public entry that returns a status, in the order of the flow. */
static void travel(journey *j) {
  char path[192], seed[32];
  float inputs[ROWS * FEATURES];
  int32_t labels[ROWS];
  numann_error err;
  numann_config *config = NULL, *parsed = NULL;
  numann_data *data = NULL, *memory = NULL;
  numann_network *network = NULL;
  numann_plan *plan = NULL;
  numann_trainer *trainer = NULL;
  numann_observer observer = {.arg = j, .on_epoch = keep_epoch};
  for (int i = 0; i < ROWS * FEATURES; i++) inputs[i] = (float)(i % 101) - 50.0f;
  for (int i = 0; i < ROWS; i++) labels[i] = i % CLASSES;
  path_of(path, j, "config.yaml");
  snprintf(seed, sizeof seed, "train.seed=%u", j->seed);
  become(&j->who);
  j->want = current_state();
  bool all = CALL(numann_config_load(&config, path, &err)) && CALL(numann_config_set(config, seed, &err)) &&
             CALL(numann_config_parse(&parsed, config_text, "text", &err)) &&
             CALL(numann_data_load(&data, config, &err)) &&
             CALL(numann_data_create(&memory, ROWS, FEATURES, inputs, CLASSES, NULL, labels, &err)) &&
             CALL(numann_network_create(&network, config, data, &err)) &&
             CALL(numann_plan_create(&plan, config, network, data, &err)) &&
             CALL(numann_trainer_create(&trainer, config, network, plan, data, &err)) &&
             CALL(numann_trainer_run(trainer, &observer, &err)) &&
             CALL(numann_predict(network, 3, ROWS, inputs, j->answers, &err));
  if (all) {
    keep_weights(j, network);
    save_and_load(j, network, data, config, inputs);
  }
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
  numann_network_destroy(network);
  numann_data_destroy(memory);
  numann_data_destroy(data);
  numann_config_destroy(parsed);
  numann_config_destroy(config);
  call(j, "destroy", NUMANN_OK, &err);
}

static void *travel_thread(void *arg) {
  travel(arg);
  return NULL;
}

static journey *new_journey(const caller *who, unsigned seed, const char *folder) {
  journey *j = calloc(1, sizeof *j);
  ck_assert_ptr_nonnull(j);
  j->who = *who;
  j->seed = seed;
  snprintf(j->folder, sizeof j->folder, "%s", folder);
  return j;
}

/* In a thread of its own, which takes its state with it. */
static void run_journeys(journey **journeys, int n) {
  pthread_t threads[2];
  for (int i = 0; i < n; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, travel_thread, journeys[i]), 0);
  for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < n; i++) ck_assert_msg(!*journeys[i]->wrong, "%s", journeys[i]->wrong);
}

static void same_numbers(const journey *a, const journey *b) {
  ck_assert_uint_gt(a->epochs, 2);
  ck_assert_uint_eq(a->epochs, b->epochs);
  ck_assert_mem_eq(a->log, b->log, sizeof a->log);
  ck_assert_mem_eq(a->weights, b->weights, sizeof a->weights);
  ck_assert_mem_eq(a->answers, b->answers, sizeof a->answers);
  ck_assert_mem_eq(a->answers, b->loaded_answers, sizeof a->answers);
  ck_assert_mem_eq(a->file, b->file, sizeof a->file);
}

static void make_folder(char folder[128]) {
  const char *base = getenv("TMPDIR");
  snprintf(folder, 128, "%.90s/numann-caller.XXXXXX", base ? base : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  journey place = {.seed = 0};
  snprintf(place.folder, sizeof place.folder, "%s", folder);
  write_text(&place, "config.yaml", config_text);
  write_rows(&place);
}

static void remove_folder(const char *folder) {
  static const char *const names[] = {"config.yaml", "rows.csv", "model.safetensors"};
  char path[192];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    unlink(path);
  }
  ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(an_odd_caller_gets_its_state_back_and_the_same_numbers) {
  char folder[128];
  make_folder(folder);
  journey *want = new_journey(&plain, 1, folder), *got = new_journey(&odd[_i], 1, folder);
  run_journeys(&want, 1);
  run_journeys(&got, 1);
  same_numbers(want, got);
  remove_folder(folder);
  free(want);
  free(got);
}
END_TEST

START_TEST(two_odd_callers_at_once_train_as_alone) {
  char folders[2][128];
  journey *alone[2], *together[2];
  for (int i = 0; i < 2; i++) {
    make_folder(folders[i]);
    alone[i] = new_journey(&plain, 7 + (unsigned)i, folders[i]);
    together[i] = new_journey(&odd[i + 1], 7 + (unsigned)i, folders[i]);
    run_journeys(&alone[i], 1);
  }
  run_journeys(together, 2);
  for (int i = 0; i < 2; i++) same_numbers(alone[i], together[i]);
  ck_assert_mem_ne(alone[0]->weights, alone[1]->weights, sizeof alone[0]->weights);
  for (int i = 0; i < 2; i++) {
    remove_folder(folders[i]);
    free(alone[i]);
    free(together[i]);
  }
}
END_TEST

/* ---- subnormal numbers are zero in every thread: of training, evaluation and prediction */

static void must(numann_status status, const numann_error *err) {
  ck_assert_msg(status == NUMANN_OK, "%s: %s", numann_status_name(status), err->message);
}

typedef struct tiny_case {
  const char *weight;
  float input;
  bool flushed;
} tiny_case;
/* A subnormal result, a subnormal input; and, so that the test can fail, a small normal result. */
static const tiny_case tiny_cases[] = {{"1e-30", 1e-10f, true}, {"1e30", 1e-40f, true}, {"1e-30", 1e-5f, false}};
#define TINY_CASES ((int)(sizeof tiny_cases / sizeof *tiny_cases))

static const char *const tiny_text =
    "data: {train: {path: memory}}\n"
    "network: {initializer: constant, layers: [{neurons: 1, activation: identity}]}\n"
    "train: {loss: squared_error, optimizer: {learning_rate: 1e-30}, batch: full, grain: 4, epochs: 1, seed: 1}\n";

static numann_action keep_losses(void *arg, const numann_epoch *epoch) {
  double *loss = arg;
  loss[0] = epoch->train_loss;
  loss[1] = epoch->validation_loss;
  return NUMANN_CONTINUE;
}

typedef struct tiny_job {
  numann_config *config;
  numann_data *data;
  numann_network *network;
  double loss[2]; /* of training and validation */
} tiny_job;

static void train_tiny(tiny_job *job, size_t threads) {
  char text[64];
  numann_error err;
  numann_plan *plan;
  numann_trainer *trainer;
  numann_observer observer = {.arg = job->loss, .on_epoch = keep_losses};
  snprintf(text, sizeof text, "parallel.threads=%zu", threads);
  must(numann_config_set(job->config, text, &err), &err);
  must(numann_config_set(job->config, "parallel.strategy=samples", &err), &err);
  must(numann_network_create(&job->network, job->config, job->data, &err), &err);
  must(numann_plan_create(&plan, job->config, job->network, job->data, &err), &err);
  must(numann_trainer_create(&trainer, job->config, job->network, plan, job->data, &err), &err);
  must(numann_trainer_run(trainer, &observer, &err), &err);
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
}

static void end_tiny(tiny_job *job) {
  numann_network_destroy(job->network);
  numann_data_destroy(job->data);
  numann_config_destroy(job->config);
}

/* Losses are doubles of the float answers: one answer of 1e-40 would show as 5e-81 over the rows. */
START_TEST(every_thread_that_trains_and_predicts_flushes) {
  const tiny_case *c = &tiny_cases[_i];
  char text[64];
  float inputs[ROWS], targets[ROWS] = {0};
  numann_error err;
  for (int i = 0; i < ROWS; i++) inputs[i] = c->input;
  snprintf(text, sizeof text, "network.initializer_value=%s", c->weight);
  for (int t = 0; t < TEAM_SIZES; t++) {
    tiny_job job = {.loss = {-1.0, -1.0}};
    float answers[ROWS];
    must(numann_config_parse(&job.config, tiny_text, "tiny", &err), &err);
    must(numann_config_set(job.config, text, &err), &err);
    must(numann_data_create(&job.data, ROWS, 1, inputs, 1, targets, NULL, &err), &err);
    train_tiny(&job, team_sizes[t]);
    ck_assert_msg((job.loss[0] == 0.0) == c->flushed, "%zu threads: loss %g", team_sizes[t], job.loss[0]);
    must(numann_predict(job.network, team_sizes[t], ROWS, inputs, answers, &err), &err);
    for (int i = 0; i < ROWS; i++) ck_assert_msg((answers[i] == 0.0f) == c->flushed, "row %d: %g", i, (double)answers[i]);
    end_tiny(&job);
  }
}
END_TEST

/* The same in the evaluation of validation rows, which come from a file. */
START_TEST(every_thread_that_evaluates_flushes) {
  char folder[128], text[64 * 1024], *at = text;
  numann_error err;
  make_folder(folder);
  journey place = {.seed = 0};
  snprintf(place.folder, sizeof place.folder, "%s", folder);
  for (int i = 0; i < 2 * ROWS; i++) at += sprintf(at, "%s,0\n", _i ? "1e-5" : "1e-10");
  write_text(&place, "rows.csv", text);
  snprintf(text, sizeof text,
           "data: {train: {path: rows.csv, target: -1}, header: false, targets: values, validation: {fraction: 0.5}}\n"
           "%s", strchr(tiny_text, '\n') + 1);
  write_text(&place, "config.yaml", text);
  path_of(text, &place, "config.yaml");
  for (int t = 0; t < TEAM_SIZES; t++) {
    tiny_job job = {.loss = {-1.0, -1.0}};
    must(numann_config_load(&job.config, text, &err), &err);
    must(numann_config_set(job.config, "network.initializer_value=1e-30", &err), &err);
    must(numann_data_load(&job.data, job.config, &err), &err);
    train_tiny(&job, team_sizes[t]);
    ck_assert_msg((job.loss[1] == 0.0) == !_i, "%zu threads: validation loss %g", team_sizes[t], job.loss[1]);
    end_tiny(&job);
  }
  remove_folder(folder);
}
END_TEST

static Suite *caller_suite(void) {
  Suite *suite = suite_create("caller");
  TCase *tests = tcase_create("caller");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, team_flushes_and_rounds_to_nearest, 0, TEAM_SIZES);
  tcase_add_test(tests, callers_state_comes_back);
  tcase_add_test(tests, callers_traps_are_held);
  tcase_add_loop_test(tests, an_odd_caller_gets_its_state_back_and_the_same_numbers, 0, ODD);
  tcase_add_test(tests, two_odd_callers_at_once_train_as_alone);
  tcase_add_loop_test(tests, every_thread_that_trains_and_predicts_flushes, 0, TINY_CASES);
  tcase_add_loop_test(tests, every_thread_that_evaluates_flushes, 0, 2);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(caller_suite());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
