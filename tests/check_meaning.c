/* Files of models that are well-formed, with right checksums, and mean nothing: refused.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/model.h"
#include "checkpoint_sample.h"

enum { INPUTS = 20, OUTPUTS = 4 };
static const size_t large[] = {INPUTS, 30, 7, OUTPUTS};
static const size_t shared[] = {INPUTS, 1};

static char *folder, *path;
static numann_error err;

static void set_up(void) {
  folder = sample_folder();
  path = sample_path(folder, "model.safetensors");
  err = (numann_error){NUMANN_OK, ""};
}

static void tear_down(void) {
  free(path);
  sample_remove(folder);
}

/* 20 - 30 - 7 - 4, four numbers. */
static nu_saved regression(void) {
  nu_saved saved = sample_create(SAMPLE_MODEL, 3, large, 5);
  nu_scaling *scaling = &saved.schema.outputs;
  scaling->shift = nu_alloc(OUTPUTS, sizeof(double));
  scaling->scale = nu_alloc(OUTPUTS, sizeof(double));
  for (size_t j = 0; j < OUTPUTS; j++) scaling->scale[j] = 0.5;
  return saved;
}

/* 20 - 30 - 7 - 4 softmax, four classes. */
static nu_saved classes(void) { return sample_create(SAMPLE_CHECKPOINT, 3, large, 5); }

/* 20 - 7 - 7 identity - 4: the second as a dropout layer has no rate. */
static nu_saved dropout_of_nothing(void) {
  static const size_t sizes[] = {INPUTS, 7, 7, OUTPUTS};
  nu_saved saved = sample_create(SAMPLE_MODEL, 3, sizes, 5);
  saved.network->layers[1].activation = NU_IDENTITY;
  return saved;
}

/* 20 - 1 sigmoid, two classes. */
static nu_saved two_classes(void) {
  nu_saved saved = sample_create(SAMPLE_MODEL, 1, shared, 5);
  saved.network->layers[0].activation = NU_SIGMOID;
  saved.schema.classes = 2;
  saved.schema.targets = 0;
  return saved;
}

static void hide_softmax(nu_saved *s) { s->network->layers[1].activation = NU_SOFTMAX; }
static void hide_step(nu_saved *s) { s->network->layers[0].activation = NU_STEP; }
static void take_other_loss(nu_saved *s) { s->network->loss = NU_BINARY_CROSS_ENTROPY; }
static void take_softmax(nu_saved *s) { s->network->layers[2].activation = NU_SOFTMAX; }
static void double_class(nu_saved *s) {
  strcpy(s->schema.class_names[3], s->schema.class_names[1]);
}
static void double_column(nu_saved *s) {
  strcpy(s->schema.feature_names[0], s->schema.feature_names[9]);
}
static void flatten(nu_saved *s) { s->schema.outputs.scale[2] = 0.0; }
static void shrink(nu_saved *s) { s->schema.outputs.scale[2] = -1e-310; }
static void count_targets(nu_saved *s) { s->schema.targets = (size_t)1 << 40; }
static void misspell(nu_saved *s) { s->config_text[1] = 'x'; }
static void keep_all(nu_saved *s) {
  nu_layer *layer = &s->network->layers[1];
  layer->kind = nu_kind_named("dropout");
  layer->links = 0;
  layer->bias = false;
}
static void learn_numbers(nu_saved *s) {
  nu_schema_clear(&s->schema);
  s->schema = (nu_schema){.features = INPUTS, .targets = OUTPUTS};
}
static void merge_classes(nu_saved *s) { s->schema.classes = 1; }

static const struct {
  nu_saved (*make)(void);
  void (*spoil)(nu_saved *saved);
  const char *reason;
} senseless[] = {
    {classes, hide_softmax, "softmax in layer 2 of 3"},
    {regression, hide_step, "step in layer 1 of 3"},
    {classes, take_other_loss, "binary_cross_entropy does not fit a last layer of 4 softmax"},
    {regression, take_softmax, "squared_error does not fit a last layer of 4 softmax"},
    {classes, double_class, "class_names has '{class} 1' twice"},
    {classes, double_column, "feature_names has '"},
    {regression, flatten, "scaling.outputs.scale[2] is 0"},
    {classes, learn_numbers, "cross_entropy needs classes"},
    {two_classes, merge_classes, "one class"},
    {regression, shrink, "scaling.outputs.scale[2] is 0 or next to it"},
    {classes, count_targets, "what the layers can take"},
    {regression, misspell, "metadata config:1:1: unknown key"},
    {dropout_of_nothing, keep_all, "that numann knows"},
};

START_TEST(a_file_with_sense_is_read) {
  nu_saved (*const makers[])(void) = {regression, classes, two_classes};
  nu_saved saved = makers[_i](), again;
  ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_OK);
  ck_assert_msg(nu_saved_read(&again, path, &err) == NUMANN_OK, "%s", err.message);
  nu_saved_clear(&again);
  nu_saved_clear(&saved);
}
END_TEST

START_TEST(a_file_without_sense_is_refused) {
  numann_model *model;
  nu_saved saved = senseless[_i].make();
  senseless[_i].spoil(&saved);
  ck_assert_int_eq(nu_saved_write(path, &saved, &err), NUMANN_OK);
  nu_saved_clear(&saved);
  ck_assert_int_eq(numann_model_load(&model, path, &err), NUMANN_ERR_MODEL);
  ck_assert_ptr_null(model);
  ck_assert_msg(strstr(err.message, senseless[_i].reason), "%s", err.message);
  ck_assert_msg(!strncmp(err.message, path, strlen(path)), "%s", err.message);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("meaning");
  TCase *tests = tcase_create("meaning");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_loop_test(tests, a_file_with_sense_is_read, 0, 3);
  tcase_add_loop_test(tests, a_file_without_sense_is_refused, 0,
                      (int)(sizeof senseless / sizeof *senseless));
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
