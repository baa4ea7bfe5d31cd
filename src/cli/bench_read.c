/* numann bench read: how fast the files of a config become data that can be trained on.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "checkpoint/checkpoint.h"
#include "cli/bench.h"
#include "cli/json.h"
#include "config/config.h"
#include "data/data.h"
#include "numann.h"

typedef struct reading {
  numann_config *config;
  numann_data *data;
  numann_network *network;
  numann_plan *plan;
  numann_trainer *trainer;
  uint64_t bytes;       /* of the files, as they lie on the disk */
  double seconds;       /* of numann_data_load */
  double ready_seconds; /* from the reading of the config to where the first step would begin */
} reading;

static const char *const path_keys[] = {
    "data.train.path",      "data.train.images",      "data.train.labels",
    "data.validation.path", "data.validation.images", "data.validation.labels",
    "data.test.path",       "data.test.images",       "data.test.labels"};

static uint64_t file_bytes(const numann_config *config) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < sizeof path_keys / sizeof *path_keys; i++) {
    struct stat info;
    if (!nu_config_given(config, path_keys[i])) continue;
    char *path = nu_config_path(config, path_keys[i]);
    if (path && stat(path, &info) == 0) bytes += (uint64_t)info.st_size;
    free(path);
  }
  return bytes;
}

static numann_status measure(reading *r, const nu_arguments *args, numann_error *err) {
  double start = nu_clock_seconds();
  NU_TRY(nu_load_config(&r->config, args, args->operands[1], err));
  double before = nu_clock_seconds();
  NU_TRY(numann_data_load(&r->data, r->config, err));
  r->seconds = nu_clock_seconds() - before;
  NU_TRY(numann_network_create(&r->network, r->config, r->data, err));
  NU_TRY(numann_plan_create(&r->plan, r->config, r->network, r->data, err));
  NU_TRY(numann_trainer_create(&r->trainer, r->config, r->network, r->plan, r->data, err));
  r->ready_seconds = nu_clock_seconds() - start;
  r->bytes = file_bytes(r->config);
  return NUMANN_OK;
}

static uint64_t peak_bytes(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static void write_json(const reading *r, nu_json *json) {
  const numann_data *data = r->data;
  nu_json_open(json, NULL, '{');
  nu_json_count(json, "rows", data->train.rows + data->validation.rows + data->test.rows);
  nu_json_count(json, "features", data->schema.features);
  nu_json_count(json, "bytes", r->bytes);
  nu_json_real(json, "seconds", r->seconds);
  nu_json_real(json, "mb_per_s", (double)r->bytes / r->seconds / 1e6);
  nu_json_real(json, "ready_seconds", r->ready_seconds);
  nu_json_real(json, "ready_mb_per_s", (double)r->bytes / r->ready_seconds / 1e6);
  nu_json_count(json, "peak_memory_bytes", peak_bytes());
  nu_json_count(json, "data_sum", nu_data_sum(data));
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

static void write_text(const reading *r, nu_text *out) {
  const numann_data *data = r->data;
  nu_text_addf(out, "%zu rows of %zu inputs, %.1f MB of files\n",
               data->train.rows + data->validation.rows + data->test.rows, data->schema.features,
               (double)r->bytes / 1e6);
  nu_text_addf(out, "%12.1f MB/s  read, split and scaled in %.3f s\n",
               (double)r->bytes / r->seconds / 1e6, r->seconds);
  nu_text_addf(out, "%12.1f MB/s  ready for the first step in %.3f s, at most %.1f MB of memory\n",
               (double)r->bytes / r->ready_seconds / 1e6, r->ready_seconds,
               (double)peak_bytes() / 1e6);
}

static void clear(reading *r) {
  numann_trainer_destroy(r->trainer);
  numann_plan_destroy(r->plan);
  numann_network_destroy(r->network);
  numann_data_destroy(r->data);
  numann_config_destroy(r->config);
}

numann_status nu_bench_read(const nu_arguments *args, numann_error *err) {
  reading r = {0};
  nu_json json = {0};
  numann_status status = measure(&r, args, err);
  if (status == NUMANN_OK) {
    if (nu_given(args, NU_OPTION_JSON)) write_json(&r, &json);
    else write_text(&r, &json.text);
    status = nu_print_text(&json.text, err);
  }
  clear(&r);
  return status;
}
