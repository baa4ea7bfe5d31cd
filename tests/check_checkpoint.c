/* Models and checkpoints: round trip, same bytes, rotation, fallback.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/durable.h"
#include "checkpoint_sample.h"
#include "numann/version.h"

static const size_t small[] = {2, 2, 1};
static const size_t large[] = {20, 30, 7, 4};

static char *folder;
static numann_error err;

static void set_up(void) {
  folder = sample_folder();
  ck_assert_ptr_nonnull(folder);
  err = (numann_error){NUMANN_OK, ""};
}

static void tear_down(void) { sample_remove(folder); }

static void write_step(const char *path, uint64_t step, size_t keep) {
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, step);
  ck_assert_msg(nu_checkpoint_write(path, &saved, keep, 0, &err) == NUMANN_OK, "%s", err.message);
  nu_saved_clear(&saved);
}

static bool exists(const char *name) { return sample_exists(folder, name); }

/* Change one byte of a file. */
static void damage(const char *name, long offset) {
  char *path = sample_path(folder, name);
  FILE *file = fopen(path, "r+b");
  ck_assert_ptr_nonnull(file);
  fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET);
  int byte = fgetc(file);
  fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET);
  fputc(byte ^ 0x10, file);
  fclose(file);
  free(path);
}

static const struct {
  sample_kind kind;
  size_t n_layers;
  const size_t *sizes;
} kinds[] = {{SAMPLE_MODEL, 2, small},
             {SAMPLE_MODEL, 3, large},
             {SAMPLE_CHECKPOINT, 3, large},
             {SAMPLE_CHECKPOINT, 1, large + 2}};

START_TEST(round_trip_keeps_every_bit) {
  char *path = sample_path(folder, "model.safetensors");
  nu_saved saved = sample_create(kinds[_i].kind, kinds[_i].n_layers, kinds[_i].sizes, 5), again;
  ck_assert_msg(nu_saved_write(path, &saved, &err) == NUMANN_OK, "%s", err.message);
  ck_assert_msg(nu_saved_read(&again, path, &err) == NUMANN_OK, "%s", err.message);
  ck_assert(sample_equal(&saved, &again));
  again.network->parameters[0] = nextafterf(again.network->parameters[0], 9.0f);
  ck_assert_msg(!sample_equal(&saved, &again), "the comparison sees no difference");
  nu_saved_clear(&again);
  nu_saved_clear(&saved);
  free(path);
}
END_TEST

START_TEST(optional_blocks_stay_absent) {
  char *path = sample_path(folder, "ck");
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, 5), again;
  float **blocks[] = {&saved.state.arrays[1], &saved.state.best, &saved.state.arrays[0]};
  static const char *const methods[] = {"momentum", "nesterov", "sgd"};
  for (size_t i = 0; i < 3; i++) {
    free(*blocks[i]);
    *blocks[i] = NULL;
    saved.state.method = nu_method_named(methods[i]);
    saved.state.best_epoch = 0;
    saved.state.best_loss = INFINITY;
    ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_OK);
    ck_assert_msg(nu_saved_read(&again, path, &err) == NUMANN_OK, "%s", err.message);
    ck_assert(sample_equal(&saved, &again));
    nu_saved_clear(&again);
  }
  nu_saved_clear(&saved);
  free(path);
}
END_TEST

START_TEST(same_state_same_bytes_and_aligned_data) {
  unsigned char *bytes[2];
  size_t size[2];
  char *path = sample_path(folder, "model.safetensors");
  for (size_t i = 0; i < 2; i++) {
    nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, 8);
    ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_OK);
    bytes[i] = sample_read(path, &size[i]);
    nu_saved_clear(&saved);
  }
  ck_assert_uint_eq(size[0], size[1]);
  ck_assert_mem_eq(bytes[0], bytes[1], size[0]);
  size_t header = bytes[0][0] + 256u * bytes[0][1] + 65536u * bytes[0][2];
  ck_assert_uint_eq((8 + header) % 64, 0);
  ck_assert_int_eq(bytes[0][8], '{');
  size_t parameters = 20 * 30 + 30 + 30 * 7 + 7 + 7 * 4 + 4;
  ck_assert_uint_eq(size[0], 8 + header + 4 * 4 * parameters + 2 * 8 * 20);
  free(bytes[0]);
  free(bytes[1]);
  free(path);
}
END_TEST

START_TEST(not_finite_is_refused_and_the_old_file_stays) {
  char *path = sample_path(folder, "model.safetensors");
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, 5);
  ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_OK);
  size_t size, again_size;
  unsigned char *before = sample_read(path, &size);
  nu_state *state = &saved.state;
  float *places[] = {state->weights, &state->arrays[0][3], &state->arrays[1][99],
                     &state->best[state->n_parameters - 1]};
  const float wrong[] = {NAN, INFINITY, -INFINITY, NAN};
  for (size_t i = 0; i < 4; i++) {
    float kept = *places[i];
    *places[i] = wrong[i];
    ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_ERR_DIVERGED);
    ck_assert_ptr_nonnull(strstr(err.message, "not finite"));
    *places[i] = kept;
  }
  state->epoch_loss = NAN;
  ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_ERR_DIVERGED);
  unsigned char *after = sample_read(path, &again_size);
  ck_assert_uint_eq(size, again_size);
  ck_assert_mem_eq(before, after, size);
  free(before);
  free(after);
  nu_saved_clear(&saved);
  free(path);
}
END_TEST

START_TEST(names_must_be_utf8) {
  char *path = sample_path(folder, "model.safetensors");
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, 5);
  saved.schema.class_names[2][0] = (char)0xe9;
  ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_ERR_DATA);
  ck_assert_ptr_nonnull(strstr(err.message, "class name 3"));
  ck_assert(!exists("model.safetensors"));
  nu_saved_clear(&saved);
  free(path);
}
END_TEST

START_TEST(rotation_keeps_the_newest) {
  char *path = sample_path(folder, "checkpoints");
  for (uint64_t step = 90; step <= 120; step += 10) write_step(path, step, 2);
  ck_assert(!exists("checkpoints/ck-90.safetensors"));
  ck_assert(!exists("checkpoints/ck-100.safetensors"));
  ck_assert(exists("checkpoints/ck-110.safetensors"));
  ck_assert(exists("checkpoints/ck-120.safetensors"));
  write_step(path, 120, 2); /* the same step again replaces it */
  ck_assert(exists("checkpoints/ck-110.safetensors"));
  write_step(path, 130, 1);
  ck_assert(!exists("checkpoints/ck-120.safetensors"));
  free(path);
}
END_TEST

/* The way into a divergence: the checkpoint from before it stays, and those behind it go. */
START_TEST(a_spared_checkpoint_stays_and_later_ones_go) {
  nu_saved saved;
  bool found;
  write_step(folder, 1, 2);
  write_step(folder, 2, 2);
  for (uint64_t step = 3; step < 7; step++) {
    saved = sample_create(SAMPLE_CHECKPOINT, 3, large, step);
    ck_assert_int_eq(nu_checkpoint_write(folder, &saved, 2, 2, &err), NUMANN_OK);
    nu_saved_clear(&saved);
  }
  ck_assert(!exists("ck-1.safetensors") && exists("ck-2.safetensors"));
  ck_assert(!exists("ck-4.safetensors") && exists("ck-5.safetensors"));
  ck_assert_int_eq(nu_checkpoint_drop_from(folder, 5, &err), NUMANN_OK);
  ck_assert_int_eq(nu_checkpoint_newest(&saved, &found, folder, NU_FOR_ANSWERS, NULL, &err),
                   NUMANN_OK);
  ck_assert(found && saved.state.step == 2);
  nu_saved_clear(&saved);
}
END_TEST

/* After a resume from 20 because 30 was damaged, 25 is written: 30 must not push it out. */
START_TEST(rotation_does_not_count_a_refused_future) {
  char *path = sample_path(folder, "checkpoints");
  write_step(path, 20, 2);
  write_step(path, 30, 2);
  damage("checkpoints/ck-30.safetensors", -5);
  write_step(path, 25, 1);
  ck_assert(exists("checkpoints/ck-25.safetensors"));
  ck_assert(exists("checkpoints/ck-30.safetensors"));
  ck_assert(!exists("checkpoints/ck-20.safetensors"));
  free(path);
}
END_TEST

START_TEST(resume_falls_back_and_says_why) {
  char *path = sample_path(folder, "checkpoints");
  nu_saved saved, expected = sample_create(SAMPLE_CHECKPOINT, 3, large, 100);
  bool found;
  nu_text rejected = {0};
  ck_assert_int_eq(nu_checkpoint_newest(&saved, &found, path, NU_FOR_ANSWERS, &rejected, &err),
                   NUMANN_OK);
  ck_assert(!found);
  for (uint64_t step = 80; step <= 120; step += 20) write_step(path, step, 9);
  char *stray = sample_path(path, "ck-0500.safetensors");
  sample_write(stray, "x", 1); /* not a name of ours */
  ck_assert_int_eq(nu_checkpoint_newest(&saved, &found, path, NU_FOR_ANSWERS, &rejected, &err),
                   NUMANN_OK);
  ck_assert(found && saved.state.step == 120 && rejected.length == 0);
  nu_saved_clear(&saved);
  damage("checkpoints/ck-120.safetensors", -1);
  ck_assert_int_eq(nu_checkpoint_newest(&saved, &found, path, NU_FOR_ANSWERS, &rejected, &err),
                   NUMANN_OK);
  ck_assert(found && sample_equal(&saved, &expected));
  ck_assert_ptr_nonnull(strstr(nu_text_view(&rejected), "ck-120.safetensors@"));
  ck_assert_ptr_nonnull(strstr(nu_text_view(&rejected), "checksum"));
  nu_saved_clear(&saved);
  nu_saved_clear(&expected);
  nu_text_clear(&rejected);
  free(stray);
  free(path);
}
END_TEST

START_TEST(none_valid_is_an_error) {
  char *path = sample_path(folder, "checkpoints");
  nu_saved saved;
  bool found;
  nu_text rejected = {0};
  write_step(path, 7, 9);
  write_step(path, 8, 9);
  char *from = sample_path(path, "ck-8.safetensors"), *to = sample_path(path, "ck-9.safetensors");
  ck_assert_int_eq(rename(from, to), 0); /* a name that lies about the step */
  damage("checkpoints/ck-7.safetensors", 40);
  ck_assert_int_eq(nu_checkpoint_newest(&saved, &found, path, NU_FOR_ANSWERS, &rejected, &err),
                   NUMANN_ERR_MODEL);
  ck_assert(!found);
  ck_assert_ptr_nonnull(strstr(err.message, "none of 2"));
  ck_assert_ptr_nonnull(strstr(err.message, "another step"));
  ck_assert_ptr_nonnull(strstr(nu_text_view(&rejected), "ck-7.safetensors@"));
  nu_text_clear(&rejected);
  free(from);
  free(to);
  free(path);
}
END_TEST

/* ---- what a resume asks for */

static void age(nu_saved *s) { s->numerics++; }
static void step_otherwise(nu_saved *s) { s->state.method = nu_method_named("adamw"); }
static void answer_otherwise(nu_saved *s) { s->network->layers[1].activation = NU_RELU; }
static void widen(nu_saved *s) { s->network->layers[0].neurons = 31; }
static void lose_best(nu_saved *s) {
  free(s->state.best);
  s->state.best = NULL;
}
static void end_early(nu_saved *s) {
  s->state.finished = true;
  s->state.best_epoch = s->state.epoch - 1;
}
static void misspell(nu_saved *s) { memcpy(strstr(s->config_text, "adam"), "adem", 4); }
static void lose_layers(nu_saved *s) { strstr(s->config_text, "train")[-1] = '\0'; }

static const struct {
  void (*spoil)(nu_saved *saved);
  const char *reason;
} unfit[] = {
    {age, "numerics version"},
    {step_otherwise, "optimiser is not that of its config"},
    {answer_otherwise, "layers are not those of its config"},
    {widen, "layers are not those of its config"},
    {lose_best, "go together"},
    {end_early, "finished before"},
    {misspell, "did you mean adam"},
    {lose_layers, "its config"},
};

/* Each says of itself another thing than its config does. */
START_TEST(a_resume_needs_what_the_config_says) {
  static const char config[] =
      "network: {layers: [{neurons: 30, activation: tanh}, {neurons: 7, activation: tanh}, "
      "{neurons: 4, activation: softmax}]}\n"
      "train: {loss: cross_entropy, optimizer: {name: adam}, early_stopping: {patience: 2}}\n";
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, 20);
  free(saved.config_text);
  saved.config_text = nu_copy_text(config, sizeof config - 1);
  saved.numerics = NUMANN_NUMERICS_VERSION;
  ck_assert_msg(nu_saved_check_resume(&saved, "it", &err) == NUMANN_OK, "%s", err.message);
  unfit[_i].spoil(&saved);
  ck_assert_int_eq(nu_saved_check_resume(&saved, "it", &err), NUMANN_ERR_MODEL);
  ck_assert_msg(strstr(err.message, unfit[_i].reason), "%s", err.message);
  ck_assert_msg(strncmp(err.message, "it: ", 4) == 0, "%s", err.message);
  nu_saved_clear(&saved);
}
END_TEST

/* By method the arrays that hold squares or lengths. */
static const struct {
  const char *method;
  size_t array, n_arrays;
} squares[] = {{"adam", 1, 2},    {"adamw", 1, 2},   {"amsgrad", 1, 3},
               {"amsgrad", 2, 3}, {"rmsprop", 0, 1}, {"irprop", 0, 2}};

START_TEST(a_negative_square_is_refused) {
  char *path = sample_path(folder, "ck");
  nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, large, 5), again;
  nu_state *state = &saved.state;
  float *at = NULL;
  state->method = nu_method_named(squares[_i].method);
  for (size_t i = 0; i < 3; i++) {
    if (i >= squares[_i].n_arrays) free(state->arrays[i]);
    if (i >= squares[_i].n_arrays) state->arrays[i] = NULL;
    else if (!state->arrays[i]) state->arrays[i] = nu_alloc(state->n_parameters, sizeof(float));
    for (size_t p = 0; state->arrays[i] && p < state->n_parameters; p++)
      state->arrays[i][p] = i == squares[_i].array ? fabsf(state->arrays[i][p]) : 0.5f;
  }
  at = &state->arrays[squares[_i].array][77];
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_OK);
    numann_status status = nu_saved_read(&again, path, &err);
    ck_assert_msg(status == (i ? NUMANN_ERR_MODEL : NUMANN_OK), "%s", err.message);
    if (i) ck_assert_msg(strstr(err.message, "none below 0"), "%s", err.message);
    nu_saved_clear(&again);
    *at = -1e-30f;
  }
  nu_saved_clear(&saved);
  free(path);
}
END_TEST

START_TEST(data_sum_sees_every_number) {
  float inputs[] = {1, 2, 3, 4, 5, 6}, targets[] = {0.5f, 0.25f, 0.125f};
  int32_t labels[] = {0, 1, 0};
  numann_data data = {.schema = {.features = 2, .targets = 1},
                      .train = {.rows = 3, .inputs = inputs, .targets = targets}};
  uint64_t sum = nu_data_sum(&data);
  ck_assert(sum != 0 && sum == nu_data_sum(&data));
  inputs[5] = 7;
  ck_assert_uint_ne(sum, nu_data_sum(&data));
  inputs[5] = 6;
  targets[2] = -0.125f;
  ck_assert_uint_ne(sum, nu_data_sum(&data));
  data.train.targets = NULL;
  data.train.labels = labels;
  data.schema.classes = 2;
  sum = nu_data_sum(&data);
  labels[1] = 0;
  ck_assert_uint_ne(sum, nu_data_sum(&data));
}
END_TEST

START_TEST(durable_makes_folders_and_replaces_files_only) {
  char *deep = sample_path(folder, "a/b//c/"), *file = sample_path(folder, "a/b/c/config.yaml");
  ck_assert_int_eq(nu_durable_write(file, "1", 1, &err), NUMANN_ERR_IO);
  ck_assert_msg(nu_durable_folder(deep, &err) == NUMANN_OK, "%s", err.message);
  ck_assert_int_eq(nu_durable_folder(deep, &err), NUMANN_OK);
  ck_assert_int_eq(nu_durable_write(file, "first", 5, &err), NUMANN_OK);
  ck_assert_int_eq(nu_durable_write(file, "", 0, &err), NUMANN_OK);
  ck_assert_int_eq(nu_durable_write(file, "second", 6, &err), NUMANN_OK);
  size_t size;
  unsigned char *bytes = sample_read(file, &size);
  ck_assert(size == 6 && memcmp(bytes, "second", 6) == 0);
  ck_assert_int_eq(nu_durable_folder(file, &err), NUMANN_ERR_IO);
  char *taken = sample_path(folder, "a/b");
  ck_assert_int_eq(nu_durable_write(taken, "x", 1, &err), NUMANN_ERR_IO);
  ck_assert_int_eq(nu_durable_write("/dev/null", "x", 1, &err), NUMANN_ERR_IO);
  ck_assert_ptr_nonnull(strstr(err.message, "not a regular file"));
  free(taken);
  free(bytes);
  free(file);
  free(deep);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("checkpoint");
  TCase *files = tcase_create("files");
  tcase_set_timeout(files, 60);
  tcase_add_checked_fixture(files, set_up, tear_down);
  tcase_add_loop_test(files, round_trip_keeps_every_bit, 0, sizeof kinds / sizeof *kinds);
  tcase_add_test(files, optional_blocks_stay_absent);
  tcase_add_test(files, same_state_same_bytes_and_aligned_data);
  tcase_add_test(files, not_finite_is_refused_and_the_old_file_stays);
  tcase_add_test(files, names_must_be_utf8);
  tcase_add_test(files, data_sum_sees_every_number);
  tcase_add_test(files, durable_makes_folders_and_replaces_files_only);
  tcase_add_loop_test(files, a_resume_needs_what_the_config_says, 0, sizeof unfit / sizeof *unfit);
  tcase_add_loop_test(files, a_negative_square_is_refused, 0, sizeof squares / sizeof *squares);
  suite_add_tcase(suite, files);
  TCase *run = tcase_create("run");
  tcase_set_timeout(run, 60);
  tcase_add_checked_fixture(run, set_up, tear_down);
  tcase_add_test(run, rotation_keeps_the_newest);
  tcase_add_test(run, a_spared_checkpoint_stays_and_later_ones_go);
  tcase_add_test(run, rotation_does_not_count_a_refused_future);
  tcase_add_test(run, resume_falls_back_and_says_why);
  tcase_add_test(run, none_valid_is_an_error);
  suite_add_tcase(suite, run);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
