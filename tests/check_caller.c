/* What a caller of the library keeps, and what its state may not change.
 * SPDX-License-Identifier: MIT
 *
 * Floating-point state and affinity mask come back from every public entry as they were, and
 * whatever they were, numbers, weights and files are those that a plain caller gets. */
#include "build_config.h"

#include <check.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numann.h"

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
  float raw_answers[ROWS * CLASSES];
  double raw_doubles[ROWS * CLASSES];
  unsigned char file[FILE_BYTES];
} journey;

/* At `who`'s thread: the state is checked after each entry. */
static bool call(journey *j, const char *entry, numann_status status, const numann_error *err) {
  state now = current_state();
  if (*j->wrong) return false;
  if (status != NUMANN_OK) snprintf(j->wrong, sizeof j->wrong, "%s: %.400s", entry, err->message);
  else if (!same_state(&now, &j->want))
    snprintf(j->wrong, sizeof j->wrong, "%s: control %lx, was %lx; rounding %d, was %d; mask %s",
             entry, now.control, j->want.control, now.rounding, j->want.rounding,
             CPU_EQUAL(&now.mask, &j->want.mask) ? "kept" : "changed");
  return !*j->wrong;
}
#define CALL(entry) (call(j, #entry, entry, &err))

static void path_of(char path[192], const journey *j, const char *name) {
  snprintf(path, 192, "%s/%s", j->folder, name);
}

static const char config_text[] =
    "data: {train: {path: rows.csv, target: -1}, header: false, scale: standardize,\n"
    "       validation: {fraction: 0.3}}\n"
    "network:\n  layers:\n    - {neurons: 19, activation: tanh}\n    - {neurons: 3, activation: "
    "softmax}\n"
    "train:\n  loss: cross_entropy\n  optimizer: {name: adam, learning_rate: 0.0137}\n"
    "  schedule: {name: exponential, factor: 0.7}\n  early_stopping: {patience: 2, "
    "min_improvement: 0.013}\n"
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
  double log[4] = {epoch->train_loss, epoch->learning_rate, epoch->validation_loss,
                   epoch->validation_accuracy};
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
  if (n == 0 || n == FILE_BYTES)
    snprintf(j->wrong, sizeof j->wrong, "the model file has %zu bytes", n);
  fclose(file);
}

static void save_and_load(journey *j, const numann_network *network, const numann_data *data,
                          const numann_config *config, const float *inputs) {
  char path[192];
  double wide[ROWS * FEATURES];
  numann_error err;
  numann_model *model = NULL, *loaded = NULL;
  path_of(path, j, "model.safetensors");
  for (int i = 0; i < ROWS * FEATURES; i++) wide[i] = (double)inputs[i];
  if (CALL(numann_model_create(&model, network, data, config, &err)) &&
      CALL(numann_model_save(model, path, &err)) && CALL(numann_model_load(&loaded, path, &err)) &&
      CALL(numann_predict(numann_model_network_view(loaded), 3, ROWS, inputs, j->loaded_answers,
                          &err)) &&
      CALL(numann_model_predict(loaded, 3, ROWS, wide, j->raw_doubles, &err)) &&
      CALL(numann_model_predict_float(loaded, 2, ROWS, inputs, j->raw_answers, &err))) {
    keep_file(j, path);
  }
  numann_model_destroy(model);
  numann_model_destroy(loaded);
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
  bool all =
      CALL(numann_config_load(&config, path, &err)) &&
      CALL(numann_config_set(config, seed, &err)) &&
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
  for (int i = 0; i < n; i++) {
    ck_assert_int_eq(pthread_create(&threads[i], NULL, travel_thread, journeys[i]), 0);
  }
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
  ck_assert_mem_eq(a->raw_answers, b->raw_answers, sizeof a->raw_answers);
  ck_assert_mem_eq(a->raw_doubles, b->raw_doubles, sizeof a->raw_doubles);
  ck_assert_mem_ne(a->answers, a->raw_answers, sizeof a->answers); /* the inputs were scaled */
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

static void pack_journey(const char *folder, int to) {
  journey *j = new_journey(&plain, 1, folder);
  travel(j);
  _exit(*j->wrong || write(to, j, sizeof *j) != (ssize_t)sizeof *j);
}

/* The journey of a forked child, through a pipe. */
static journey *forked_journey(const char *folder) {
  int ends[2], status;
  journey *j = calloc(1, sizeof *j);
  ck_assert_ptr_nonnull(j);
  ck_assert_int_eq(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    alarm(30);
    pack_journey(folder, ends[1]);
  }
  close(ends[1]);
  char *next = (char *)j;
  for (ssize_t n; (n = read(ends[0], next, sizeof *j - (size_t)(next - (char *)j))) > 0;) next += n;
  close(ends[0]);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
  ck_assert_int_eq(WEXITSTATUS(status), 0);
  return j;
}

/* The threads of the parent's teams are not there in the child. */
START_TEST(a_forked_child_trains_as_its_parent) {
  char folder[128];
  make_folder(folder);
  journey *parent = new_journey(&plain, 1, folder), *again = new_journey(&plain, 1, folder);
  travel(parent);
  ck_assert_msg(!*parent->wrong, "%s", parent->wrong);
  journey *child = forked_journey(folder);
  same_numbers(parent, child);
  travel(again);
  same_numbers(parent, again);
  remove_folder(folder);
  free(parent);
  free(again);
  free(child);
}
END_TEST

static Suite *caller_suite(void) {
  Suite *suite = suite_create("caller");
  TCase *tests = tcase_create("caller");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, an_odd_caller_gets_its_state_back_and_the_same_numbers, 0, ODD);
  tcase_add_test(tests, two_odd_callers_at_once_train_as_alone);
  tcase_add_test(tests, a_forked_child_trains_as_its_parent);
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
