/* metrics.csv and metrics.jsonl: the files. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "report/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/durable.h"
#include "report/report.h"

/* A file that is only ever longer by whole rows. */
typedef struct row_file {
  char *path; /* owned */
  int fd;
  uint64_t size;
} row_file;

struct nu_metrics {
  row_file csv, json;
  nu_epochs epochs;
};

/* ---- files */

static numann_status fail_file(const row_file *file, const char *what, numann_error *err) {
  int error = errno;
  return nu_fail(err, NUMANN_ERR_IO, "%s: cannot %s: %s; %s", file->path, what, strerror(error),
                 nu_errno_advice(error));
}

/* Replace the file by this content, whole, and open it for more. */
static numann_status start_file(row_file *file, const nu_text *content, numann_error *err) {
  if (content->failed) return nu_fail_memory(err, content->length, file->path);
  NU_TRY(nu_durable_write(file->path, nu_text_view(content), content->length, err));
  file->size = content->length;
  file->fd = open(file->path, O_WRONLY | O_APPEND | O_CLOEXEC);
  return file->fd < 0 ? fail_file(file, "open", err) : NUMANN_OK;
}

static bool write_all(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t wrote = write(fd, bytes, n);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    bytes += wrote;
    n -= (size_t)wrote;
  }
  return true;
}

/* A row that did not fit on the disk is taken back, so that the next one does not continue it. */
static numann_status append(row_file *file, const nu_text *row, numann_error *err) {
  if (row->failed) return nu_fail_memory(err, row->length, file->path);
  if (write_all(file->fd, nu_text_view(row), row->length)) {
    file->size += row->length;
    return NUMANN_OK;
  }
  numann_status status = fail_file(file, "write", err);
  int cut = ftruncate(file->fd, (off_t)file->size);
  (void)cut; /* the failure is told already; a half row is cut by the next resume */
  return status;
}

/* ---- the two files together */

/* A crash may have left one file a row shorter: the longer one serves both. */
static numann_status read_kept(nu_metrics *metrics, uint64_t keep, numann_error *err) {
  nu_epochs json = {0};
  numann_status status =
      nu_metrics_read(&metrics->epochs, metrics->csv.path, NU_METRICS_CSV, keep, err);
  if (status == NUMANN_OK) {
    status = nu_metrics_read(&json, metrics->json.path, NU_METRICS_JSON, keep, err);
  }
  if (json.n > metrics->epochs.n) {
    nu_epochs csv = metrics->epochs;
    metrics->epochs = json;
    json = csv;
  }
  free(json.rows);
  return status;
}

static numann_status start_files(nu_metrics *metrics, numann_error *err) {
  nu_text csv = {0}, json = {0};
  nu_metrics_header(&csv);
  for (size_t i = 0; i < metrics->epochs.n; i++) {
    nu_metrics_csv_row(&csv, &metrics->epochs.rows[i]);
    nu_metrics_json_row(&json, &metrics->epochs.rows[i]);
  }
  numann_status status = start_file(&metrics->csv, &csv, err);
  if (status == NUMANN_OK) status = start_file(&metrics->json, &json, err);
  nu_text_clear(&csv);
  nu_text_clear(&json);
  return status;
}

static numann_status open_in(nu_metrics *metrics, const char *folder, uint64_t keep,
                             numann_error *err) {
  metrics->csv = (row_file){.path = nu_path_join(folder, "metrics.csv"), .fd = -1};
  metrics->json = (row_file){.path = nu_path_join(folder, "metrics.jsonl"), .fd = -1};
  if (!metrics->csv.path || !metrics->json.path) {
    return nu_fail_memory(err, strlen(folder), "a path");
  }
  if (keep > 0) NU_TRY(read_kept(metrics, keep, err));
  return start_files(metrics, err);
}

numann_status nu_metrics_open(nu_metrics **out, const char *folder, uint64_t keep_epochs,
                              numann_error *err) {
  *out = NULL;
  nu_metrics *metrics = calloc(1, sizeof *metrics);
  if (!metrics) return nu_fail_memory(err, sizeof *metrics, "the metrics");
  numann_status status = open_in(metrics, folder, keep_epochs, err);
  if (status == NUMANN_OK) *out = metrics;
  else nu_metrics_close(metrics);
  return status;
}

/* Without validation rows there are no such numbers, whatever the fields say. */
static numann_epoch clean(const numann_epoch *epoch) {
  numann_epoch row = *epoch;
  if (!row.validated) row.validation_loss = row.validation_accuracy = row.validation_rmse = NAN;
  return row;
}

numann_status nu_metrics_add(nu_metrics *metrics, const numann_epoch *epoch, numann_error *err) {
  nu_epochs *epochs = &metrics->epochs;
  if (!nu_grow(&epochs->rows, &epochs->capacity, epochs->n + 1, sizeof *epochs->rows)) {
    return nu_fail_memory(err, sizeof *epoch, "the metrics");
  }
  const numann_epoch row = clean(epoch);
  epochs->rows[epochs->n++] = row;
  nu_text text = {0};
  nu_metrics_csv_row(&text, &row);
  numann_status status = append(&metrics->csv, &text, err);
  text.length = 0;
  nu_metrics_json_row(&text, &row);
  if (status == NUMANN_OK) status = append(&metrics->json, &text, err);
  nu_text_clear(&text);
  return status;
}

/* Does its path no longer lead to the open file? */
static bool is_lost(const row_file *file) {
  struct stat mine, there;
  bool known = fstat(file->fd, &mine) == 0;
  if (stat(file->path, &there) != 0) return errno == ENOENT;
  return known && (mine.st_dev != there.st_dev || mine.st_ino != there.st_ino);
}

static void close_file(row_file *file) {
  if (file->fd >= 0) close(file->fd);
  file->fd = -1;
}

numann_status nu_metrics_complete(nu_metrics *metrics, numann_error *err) {
  if (!is_lost(&metrics->csv) && !is_lost(&metrics->json)) return NUMANN_OK;
  close_file(&metrics->csv);
  close_file(&metrics->json);
  return start_files(metrics, err);
}

const numann_epoch *nu_metrics_view(const nu_metrics *metrics, size_t *n) {
  *n = metrics->epochs.n;
  return metrics->epochs.rows;
}

static void clear_file(row_file *file) {
  if (file->path) close_file(file);
  free(file->path);
}

void nu_metrics_close(nu_metrics *metrics) {
  if (!metrics) return;
  clear_file(&metrics->csv);
  clear_file(&metrics->json);
  free(metrics->epochs.rows);
  free(metrics);
}
