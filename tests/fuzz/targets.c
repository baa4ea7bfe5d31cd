/* SPDX-License-Identifier: MIT */
#include "targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "config/config.h"
#include "kernels/kernels.h"
#include "machine/machine.h"
#include "plan/rates.h"
#include "numann/version.h"
#include "report/metrics.h"

/* ---- what all share */

void fuzz_must(bool holds, const char *file, int line, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s:%d: must hold: %s\n", file, line, what);
  abort();
}

void fuzz_check(numann_status status, numann_status failure, const numann_error *err) {
  if (status == NUMANN_OK) return;
  if (status != failure) fprintf(stderr, "status %d: %s\n", (int)status, err->message);
  MUST(status == failure);
  MUST(err->message[0] != '\0');
  for (const char *c = err->message; *c; c++) MUST((unsigned char)*c >= ' ' && *c != 0x7f);
}

static char folder[] = "/tmp/numann-fuzz-XXXXXX", path[256];

static void remove_folder(void) {
  unlink(path);
  rmdir(folder);
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n) {
  if (path[0]) unlink(path);
  else MUST(mkdtemp(folder) && atexit(remove_folder) == 0);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  MUST(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
  return path;
}

/* ---- config: what was understood is written so that it is understood again, as the same */

static void check_written(const numann_config *config) {
  nu_text first = {0}, second = {0};
  numann_config *again;
  numann_error err;
  nu_config_write(config, NU_CONFIG_RUN, &first);
  MUST(numann_config_parse(&again, first.data, "again", &err) == NUMANN_OK);
  nu_config_write(again, NU_CONFIG_RUN, &second);
  MUST(strcmp(first.data, second.data) == 0);
  numann_config_destroy(again);
  nu_text_clear(&first);
  nu_text_clear(&second);
}

static void fuzz_config(const uint8_t *bytes, size_t n) {
  char *text = nu_copy_text((const char *)bytes, n);
  numann_config *config;
  numann_error err;
  numann_status status = numann_config_parse(&config, text, "fuzz.yaml", &err);
  fuzz_check(status, NUMANN_ERR_CONFIG, &err);
  MUST(!config == (status != NUMANN_OK));
  if (config) check_written(config);
  numann_config_destroy(config);
  free(text);
}

/* ---- --set: a line each, on a config that stands */

static const char standing[] =
    "data: {train: {path: a.csv, target: t}}\n"
    "network: {layers: [{neurons: 3, activation: tanh}, {neurons: 1, activation: identity}]}\n";

static void fuzz_set(const uint8_t *bytes, size_t n) {
  char *text = nu_copy_text((const char *)bytes, n), *rest = text, *line;
  numann_config *config;
  numann_error err;
  MUST(numann_config_parse(&config, standing, "standing.yaml", &err) == NUMANN_OK);
  while ((line = strsep(&rest, "\n")))
    fuzz_check(numann_config_set(config, line, &err), NUMANN_ERR_CONFIG, &err);
  check_written(config);
  numann_config_destroy(config);
  free(text);
}

/* ---- metrics of a run that goes on, in the form that the first byte says */

static void fuzz_metrics(const uint8_t *bytes, size_t n) {
  nu_epochs epochs = {0};
  numann_error err;
  if (n == 0) return;
  nu_metrics_form form = bytes[0] % 2 ? NU_METRICS_CSV : NU_METRICS_JSON;
  const char *file = fuzz_file("metrics", bytes + 1, n - 1);
  fuzz_check(nu_metrics_read(&epochs, file, form, bytes[0] / 2, &err), NUMANN_ERR_DATA, &err);
  for (size_t i = 0; i < epochs.n; i++) {
    MUST(epochs.rows[i].epoch > (i ? epochs.rows[i - 1].epoch : 0));
    MUST(epochs.rows[i].epoch <= bytes[0] / 2);
  }
  free(epochs.rows);
}

/* ---- the machine's rates; what depends on host and time stands as a word in the input */

static const char *value_of(const char *word, char text[128]) {
  if (strcmp(word, "HOST") == 0) gethostname(text, 128);
  else if (strcmp(word, "NOW") == 0) snprintf(text, 128, "%lld", (long long)time(NULL));
  else if (strcmp(word, "ISA") == 0) snprintf(text, 128, "%s", nu_kernels_select()->isa);
  else snprintf(text, 128, "%s", numann_version());
  return text;
}

static void fuzz_calibration(const uint8_t *bytes, size_t n) {
  static const char *const words[] = {"HOST", "NOW", "ISA", "VERSION"};
  nu_machine machine = {.cores = 2, .numa_nodes = 1, .threads_limit = 2, .model = "fuzz"};
  nu_text text = {0};
  nu_rates rates = {.isa = nu_kernels_select()->isa};
  double age;
  numann_error err;
  for (size_t i = 0, w; i < n; i++) {
    char value[128];
    for (w = 0; w < 4; w++) {
      size_t length = strlen(words[w]);
      if (n - i >= length && memcmp(bytes + i, words[w], length) == 0) break;
    }
    if (w == 4) nu_text_append(&text, (const char *)bytes + i, 1);
    else nu_text_add(&text, value_of(words[w], value));
    if (w < 4) i += strlen(words[w]) - 1;
  }
  const char *file = fuzz_file("calibration.json", (const uint8_t *)text.data, text.length);
  numann_status status = nu_calibration_read(&rates, &age, file, &machine, &err);
  fuzz_check(status, NUMANN_ERR_DATA, &err);
  MUST(status != NUMANN_OK || !nu_rates_flaw(&rates));
  nu_text_clear(&text);
}

/* ---- machines described by others: XML where the first byte is odd, else hwloc's words */

static void fuzz_topology(const uint8_t *bytes, size_t n) {
  if (n == 0) return;
  nu_machine machine;
  nu_text drawing = {0};
  numann_error err;
  char *words = nu_copy_text((const char *)bytes + 1, n - 1);
  bool xml = bytes[0] % 2;
  nu_machine_source source = {.topology = xml ? fuzz_file("machine.xml", bytes + 1, n - 1) : words};
  numann_status status = nu_machine_draw_from(&machine, &source, &drawing, &err);
  fuzz_check(status, NUMANN_ERR_CONFIG, &err);
  if (status == NUMANN_OK) nu_machine_clear(&machine);
  nu_text_clear(&drawing);
  free(words);
}

/* ---- the table */

const fuzz_target fuzz_targets[] = {{"config", fuzz_config},     {"set", fuzz_set},
                                    {"table", fuzz_table},       {"model", fuzz_model},
                                    {"metrics", fuzz_metrics},   {"calibration", fuzz_calibration},
                                    {"topology", fuzz_topology}, {NULL, NULL}};

const fuzz_target *fuzz_target_named(const char *name) {
  const fuzz_target *target = fuzz_targets;
  while (target->name && strcmp(target->name, name) != 0) target++;
  return target->name ? target : NULL;
}
