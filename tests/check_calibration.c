/* Measured rates: the file that keeps them, when they are used, and that they never reach a number.
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "plan/from_config.h"
#include "training.h"

static char folder[256];
static numann_error err;

static void make_cache(void) {
  const char *parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/numann-calibration.XXXXXX", parent ? parent : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  setenv("XDG_CACHE_HOME", folder, 1);
}

static const nu_machine machine = {.cores = 4,
                                   .processing_units = 4,
                                   .numa_nodes = 1,
                                   .threads_limit = 4,
                                   .limited_by = "cores",
                                   .model = "Fictitious (R) CPU @ 1 GHz"};

static char *path_of(const nu_machine *m) {
  char *path;
  ck_assert_int_eq(nu_calibration_path(&path, m, nu_kernels_select()->isa, NULL), NUMANN_OK);
  return path;
}
static char *kept_path(void) { return path_of(&machine); }

static void remove_cache(void) {
  char *path = kept_path(), *above = nu_path_folder(path);
  unlink(path);
  rmdir(above);
  ck_assert_msg(rmdir(folder) == 0, "something is left in %s", folder);
  free(above);
  free(path);
}

/* Sharing and meeting cost so much that nobody would, or nothing. */
static nu_rates slow_rates(void) {
  nu_rates rates = *nu_rates_of(nu_kernels_select()->isa);
  rates.barrier = rates.barrier_thread = 1e-3;
  rates.shared_bytes = 1e7;
  return rates;
}
static nu_rates quick_rates(void) {
  nu_rates rates = *nu_rates_of(nu_kernels_select()->isa);
  rates.barrier = rates.barrier_thread = 1e-10;
  rates.shared_bytes = 1e11;
  return rates;
}

static void keep(const nu_rates *rates) {
  char *path = kept_path();
  ck_assert_msg(nu_calibration_write(rates, path, &machine, &err) == NUMANN_OK, "%s", err.message);
  free(path);
}

/* ---- the file */

START_TEST(rates_come_back_from_the_file) {
  nu_rates rates = *nu_rates_of(nu_kernels_select()->isa), again = rates;
  for (size_t i = 0; i < nu_n_rate_fields; i++) {
    double value = nu_rate_fields[i].least * (1.5 + 0.25 * (double)i); /* each another */
    memcpy((char *)&rates + nu_rate_fields[i].offset, &value, sizeof value);
  }
  char *path = kept_path();
  double age = -1.0;
  keep(&rates);
  ck_assert_msg(nu_calibration_read(&again, &age, path, &machine, &err) == NUMANN_OK, "%s",
                err.message);
  ck_assert(age >= -1.0 && age < 3600.0);
  for (size_t i = 0; i < nu_n_rate_fields; i++) {
    double is = nu_rate(&again, &nu_rate_fields[i]), was = nu_rate(&rates, &nu_rate_fields[i]);
    ck_assert_msg(is > 0.9999 * was && is < 1.0001 * was, "%s", nu_rate_fields[i].name);
  }
  keep(&again); /* replaces, and leaves nothing else: remove_cache would notice */
  free(path);
}
END_TEST

START_TEST(the_name_tells_hosts_and_processors_apart) {
  nu_machine other = machine;
  char *path = kept_path(), *name = strrchr(path, '/') + 1;
  ck_assert_msg(
      strncmp(name, "calibration-", 12) == 0 && strstr(name, "-Fictitious-R-CPU-1-GHz-4-"), "%s",
      name);
  ck_assert_uint_eq(
      strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"),
      strlen(name));
  other.threads_limit = 3;
  char *path3 = path_of(&other);
  ck_assert_str_ne(path, path3);
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", "/somewhere", 1);
  char *at_home = kept_path();
  ck_assert_msg(strncmp(at_home, "/somewhere/.cache/numann/", 25) == 0, "%s", at_home);
  unsetenv("HOME");
  ck_assert_ptr_null(kept_path());
  setenv("XDG_CACHE_HOME", folder, 1);
  free(at_home);
  free(path3);
  free(path);
}
END_TEST

static void write_file(const char *path, const char *text, size_t n) {
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(text, 1, n, file), n);
  ck_assert_int_eq(fclose(file), 0);
}

/* The reading fails, says so, and changes nothing. */
static void refused(const char *path, const char *reason) {
  nu_rates rates = slow_rates(), before = rates;
  double age;
  ck_assert_msg(nu_calibration_read(&rates, &age, path, &machine, &err) == NUMANN_ERR_DATA,
                "taken: %s", reason);
  ck_assert_msg(strstr(err.message, reason) && strstr(err.message, path), "%s: %s", reason,
                err.message);
  ck_assert_mem_eq(&rates, &before, sizeof rates);
}

static const struct damage {
  const char *find, *put, *reason; /* the first `find` in the file becomes `put` */
} damages[] = {
    {"\"format\": 1", "\"format\": 2", "`format`"},
    {"\"numann\": \"", "\"numann\": \"9", "`numann`"},
    {"\"host\": \"", "\"host\": \"x", "`host`"},
    {"Fictitious", "Factitious", "`processor`"},
    {"\"cores\": 4", "\"cores\": 5", "`cores`"},
    {"\"numa_nodes\": 1", "\"numa_nodes\": 2", "`numa_nodes`"},
    {"\"threads\": 4", "\"threads\": \"4\"", "`threads`"},
    {"\"isa\": \"", "\"isa\": \"un", "`isa`"},
    {"\"measured_unix\": ", "\"measured_unix\": 9", "measured_unix"},    /* to come */
    {"\"measured_unix\": 1", "\"measured_unix\": 0.1", "measured_unix"}, /* long ago */
    {"\"measured_unix\"", "\"measured\"", "damaged"},                    /* twice */
    {"\"measured_unix\"", "\"unix\"", "measured_unix"},
    {"\"rates\": {", "\"rates\": [], \"x\": {", "rates.flops"},
    {"\"flops\": ", "\"flops\": -", "rates.flops"},
    {"\"flops\": ", "\"flops\": 1e3, \"x\": ", "rates.flops"},
    {"\"pairs\": ", "\"pairs\": \"2\", \"x\": ", "rates.pairs"},
    {"\"shared_bytes\": ", "\"shared_bytes\": 0, \"x\": ", "rates.shared_bytes"},
    {"\"shared_bytes\": ", "\"shared_bytes\": 1e300, \"x\": ", "rates.shared_bytes"},
    {"\"barrier_thread\"", "\"barrier_threads\"", "rates.barrier_thread"},
    {"{", "[", "damaged"},
};

START_TEST(damaged_and_foreign_files_are_refused) {
  char *path = kept_path(), *text;
  size_t size;
  nu_rates rates = quick_rates();
  keep(&rates);
  ck_assert_int_eq(nu_file_read(path, 4096, NUMANN_ERR_DATA, &text, &size, &err), NUMANN_OK);
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    const char *at = strstr(text, damages[i].find);
    nu_text damaged = {0};
    ck_assert_msg(at != NULL, "the file has no %s", damages[i].find);
    nu_text_append(&damaged, text, (size_t)(at - text));
    nu_text_add(&damaged, damages[i].put);
    nu_text_add(&damaged, at + strlen(damages[i].find));
    write_file(path, nu_text_view(&damaged), damaged.length);
    refused(path, damages[i].reason);
    nu_text_clear(&damaged);
  }
  for (size_t n = 0; n + 2 < size; n++) { /* cut off anywhere before the last brace */
    write_file(path, text, n);
    refused(path, "damaged");
  }
  char large[5000];
  memset(large, ' ', sizeof large);
  write_file(path, large, sizeof large);
  refused(path, "5000 bytes");
  write_file(path, text, size);
  double age;
  ck_assert_int_eq(nu_calibration_read(&rates, &age, path, &machine, &err), NUMANN_OK);
  free(text);
  free(path);
}
END_TEST

/* ---- the choice */

static nu_plan plan_with(const nu_rates *rates, size_t batch) {
  static const size_t sizes[] = {784, 512, 512, 10};
  static const nu_activation activations[] = {NU_RELU, NU_RELU, NU_SOFTMAX};
  numann_network *network;
  nu_plan_request request = {.problem = nu_problem_of(batch, batch, 0, NU_FP32, 0),
                             .strategy = NU_STRATEGIES,
                             .fuse = true,
                             .rates = rates};
  ck_assert_int_eq(nu_network_allocate(&network, 3, sizes, activations, NU_CROSS_ENTROPY, &err),
                   NUMANN_OK);
  numann_plan plan;
  nu_plan_choose(&plan, &request, network, &machine);
  numann_network_destroy(network);
  return plan.plan;
}

START_TEST(rates_decide) {
  nu_rates slow = slow_rates(), quick = quick_rates(), memory = quick_rates();
  ck_assert_uint_eq(plan_with(&slow, 128).threads, 1);
  ck_assert_uint_eq(plan_with(&quick, 128).threads, 4);
  /* where activations of a large batch are dear and meetings are not, each thread keeps its samples
   */
  memory.shared_bytes = 1e9;
  ck_assert_int_eq(plan_with(&memory, 128).strategy, NU_NEURONS);
  ck_assert_int_eq(plan_with(&memory, 8192).strategy, NU_SAMPLES);
}
END_TEST

/* ---- the mode */

static nu_calibration used(numann_plan *plan, const char *mode, const char *epochs,
                           size_t threads) {
  nu_calibration calibration;
  char text[96];
  training_job job = training_start("train.batch=97", 1, NU_NEURONS);
  snprintf(text, sizeof text, "parallel.calibration=%s", mode);
  training_must(numann_config_set(job.config, text, &training_error));
  snprintf(text, sizeof text, "train.epochs=%s", epochs);
  training_must(numann_config_set(job.config, text, &training_error));
  training_must(numann_config_set(job.config, "parallel.strategy=auto", &training_error));
  snprintf(text, sizeof text, threads ? "parallel.threads=%zu" : "parallel.threads=auto", threads);
  training_must(numann_config_set(job.config, text, &training_error));
  training_must(nu_plan_from(plan, &calibration, nu_comm_alone(), job.config, job.network, &machine,
                             TRAINING_ROWS, NULL, &training_error));
  training_end(&job);
  return calibration;
}

static bool is_kept(void) {
  char *path = kept_path();
  bool there = access(path, F_OK) == 0;
  free(path);
  return there;
}

START_TEST(off_means_the_shipped_rates) {
  numann_plan plan;
  nu_rates slow = slow_rates();
  keep(&slow);
  nu_calibration c = used(&plan, "off", "3", 0);
  ck_assert_int_eq(c.origin, NU_RATES_SHIPPED);
  ck_assert_mem_eq(&c.rates, nu_rates_of(nu_kernels_select()->isa), sizeof c.rates);
  ck_assert_msg(strstr(c.why, "off") != NULL, "%s", c.why);
  c = used(&plan, "auto", "3", 0);
  ck_assert_int_eq(c.origin, NU_RATES_KEPT);
  ck_assert_double_eq(c.rates.shared_bytes, 1e7);
  ck_assert_uint_eq(plan.plan.threads, 1);
}
END_TEST

START_TEST(short_or_ordered_trainings_measure_nothing) {
  numann_plan plan;
  const nu_calibration all[] = {used(&plan, "auto", "3", 0),
                                used(&plan, "auto", "1000000000", 1), /* one way to run */
                                used(&plan, "off", "1000000000", 0)};
  for (size_t i = 0; i < 3; i++) {
    ck_assert_int_eq(all[i].origin, NU_RATES_SHIPPED);
    ck_assert_msg(strstr(all[i].why, "measuring them anew") == NULL, "%s",
                  all[i].why); /* nor tried to */
  }
  ck_assert(!is_kept());
}
END_TEST

/* Whether rates can be measured depends on what else the machine does; what follows does not. */
static void check_measured(const nu_calibration *c) {
  if (c->origin == NU_RATES_MEASURED) {
    ck_assert_ptr_null(nu_rates_flaw(&c->rates));
    ck_assert_msg(strncmp(c->why, "measured now", 12) == 0, "%s", c->why);
  } else {
    ck_assert_msg(strstr(c->why, "measuring them anew failed") != NULL, "%s", c->why);
  }
}

START_TEST(long_trainings_measure_and_keep) {
  numann_plan plan;
  nu_calibration c = used(&plan, "auto", "1000000000", 0);
  check_measured(&c);
  ck_assert_int_eq(is_kept(), c.origin == NU_RATES_MEASURED);
  c = used(&plan, "refresh", "3", 1);
  check_measured(&c);
}
END_TEST

START_TEST(a_damaged_file_stops_nothing) {
  numann_plan plan;
  nu_rates slow = slow_rates();
  keep(&slow);
  char *path = kept_path();
  write_file(path, "{", 1);
  nu_calibration c = used(&plan, "auto", "3", 0);
  ck_assert_int_eq(c.origin, NU_RATES_SHIPPED);
  ck_assert_msg(strstr(c.why, "damaged") != NULL, "%s", c.why);
  c = used(&plan, "refresh", "3", 0); /* made anew */
  check_measured(&c);
  if (c.origin == NU_RATES_MEASURED)
    ck_assert_int_eq(used(&plan, "auto", "3", 0).origin, NU_RATES_KEPT);
  free(path);
}
END_TEST

START_TEST(a_cache_that_cannot_be_written_stops_nothing) {
  static const char *const places[] = {"/dev/null", "/proc/none", ""};
  numann_plan plan;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    setenv("XDG_CACHE_HOME", places[i], 1);
    unsetenv("HOME");
    ck_assert_int_eq(used(&plan, "auto", "3", 0).origin, NU_RATES_SHIPPED);
    nu_calibration c = used(&plan, "refresh", "3", 0);
    check_measured(&c);
    if (c.origin == NU_RATES_MEASURED)
      ck_assert_msg(strstr(c.why, "not kept") != NULL, "%s", c.why);
  }
  setenv("XDG_CACHE_HOME", folder, 1);
}
END_TEST

/* ---- the numbers */

START_TEST(rates_never_change_a_bit) {
  const nu_rates extremes[] = {slow_rates(), quick_rates()};
  numann_plan plans[2];
  char hash[2][65];
  for (size_t i = 0; i < 2; i++) {
    keep(&extremes[i]);
    ck_assert_int_eq(used(&plans[i], "auto", "3", 0).origin, NU_RATES_KEPT);
    training_hash_planned("train.batch=97", &plans[i].plan, hash[i]);
    nu_plan_clear(&plans[i]);
  }
  ck_assert_uint_ne(plans[0].plan.threads,
                    plans[1].plan.threads); /* else this would compare nothing */
  ck_assert_str_eq(hash[0], hash[1]);
}
END_TEST

/* ---- the measurement, on the machine that there is */

START_TEST(measured_rates_are_plausible) {
  nu_machine here;
  ck_assert_int_eq(nu_machine_detect(&here, &err), NUMANN_OK);
  nu_machine_clear(&here);
  const nu_kernels *kernels = nu_kernels_select();
  nu_rates rates = *nu_rates_of(kernels->isa);
  here.threads_limit = 1; /* so that nothing disturbs it */
  for (size_t i = 0; i < nu_n_rate_fields; i++) {
    double impossible = 0.5 * nu_rate_fields[i].least;
    memcpy((char *)&rates + nu_rate_fields[i].offset, &impossible, sizeof impossible);
  }
  ck_assert_msg(nu_rates_measure(&rates, kernels, &here, &err) == NUMANN_OK, "%s", err.message);
  for (size_t i = 0; i < nu_n_rate_fields; i++) {
    const nu_rate_field *field = &nu_rate_fields[i];
    double measured = nu_rate(&rates, field);
    bool shared =
        strncmp(field->name, "barrier", 7) == 0 || strcmp(field->name, "shared_bytes") == 0;
    if (shared) ck_assert_msg(measured == 0.5 * field->least, "%s: %g", field->name, measured);
    else
      ck_assert_msg(measured >= field->least && measured <= field->most, "%s: %g", field->name,
                    measured);
  }
}
END_TEST

static Suite *calibration_suite(void) {
  Suite *suite = suite_create("calibration");
  TCase *tests = tcase_create("calibration");
  tcase_set_timeout(tests, 120);
  tcase_add_checked_fixture(tests, make_cache, remove_cache);
  tcase_add_test(tests, rates_come_back_from_the_file);
  tcase_add_test(tests, the_name_tells_hosts_and_processors_apart);
  tcase_add_test(tests, damaged_and_foreign_files_are_refused);
  tcase_add_test(tests, rates_decide);
  tcase_add_test(tests, off_means_the_shipped_rates);
  tcase_add_test(tests, short_or_ordered_trainings_measure_nothing);
  tcase_add_test(tests, long_trainings_measure_and_keep);
  tcase_add_test(tests, a_damaged_file_stops_nothing);
  tcase_add_test(tests, a_cache_that_cannot_be_written_stops_nothing);
  tcase_add_test(tests, rates_never_change_a_bit);
  tcase_add_test(tests, measured_rates_are_plausible);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(calibration_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
