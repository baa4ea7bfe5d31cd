/* The checkpoints of a run: write the next, keep a few, find the newest valid one.
 * SPDX-License-Identifier: MIT */
#include "checkpoint/checkpoint.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "checkpoint/durable.h"
#include "checkpoint/together.h"

#define PREFIX "ck-"
#define ENDING ".safetensors"

/* Steps of the checkpoints in a folder, newest first. */
typedef struct steps {
  uint64_t *items; /* owned */
  size_t n, capacity;
} steps;

static char *step_path(const char *folder, uint64_t step) {
  char name[64];
  snprintf(name, sizeof name, PREFIX "%" PRIu64 ENDING, step);
  return nu_path_join(folder, name);
}

/* The step of exactly "ck-<step>.safetensors"; anything else is not ours. */
static bool parse_name(const char *name, size_t n, uint64_t *step) {
  size_t start = sizeof PREFIX - 1, end = sizeof ENDING - 1;
  return n > start + end && strncmp(name, PREFIX, start) == 0 &&
         strncmp(name + n - end, ENDING, end) == 0 &&
         nu_parse_count(name + start, n - start - end, step);
}

bool nu_checkpoint_is_name(const char *name, size_t n) {
  uint64_t step;
  return parse_name(name, n, &step);
}

const char *const nu_run_files[NU_RUN_FILES] = {"config.yaml",       "metrics.csv", "metrics.jsonl",
                                                "model.safetensors", "report.html", NU_DIVERGED};

static int newest_first(const void *left, const void *right) {
  uint64_t a, b;
  memcpy(&a, left, sizeof a);
  memcpy(&b, right, sizeof b);
  return (a < b) - (a > b);
}

static numann_status read_folder(DIR *folder, const char *path, steps *out, numann_error *err) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(folder);
    if (!entry) break;
    uint64_t step;
    if (!parse_name(entry->d_name, strlen(entry->d_name), &step)) continue;
    if (!nu_grow(&out->items, &out->capacity, out->n + 1, sizeof *out->items)) {
      return nu_fail_memory(err, out->n * sizeof *out->items, "the list of checkpoints");
    }
    out->items[out->n++] = step;
  }
  if (errno == 0) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_IO, "%s: cannot be listed: %s; try again", path, strerror(errno));
}

/* No folder: no checkpoints. */
static numann_status list_steps(const char *path, steps *out, numann_error *err) {
  *out = (steps){0};
  DIR *folder = opendir(path);
  if (!folder && errno == ENOENT) return NUMANN_OK;
  if (!folder) return nu_fail_system(err, NUMANN_ERR_IO, path, "cannot be listed");
  numann_status status = read_folder(folder, path, out, err);
  closedir(folder);
  if (status != NUMANN_OK) {
    free(out->items);
    *out = (steps){0};
  }
  if (out->n > 0) qsort(out->items, out->n, sizeof *out->items, newest_first);
  return status;
}

static numann_status remove_step(const char *folder, uint64_t step, numann_error *err) {
  char *path = step_path(folder, step);
  if (!path) return nu_fail_memory(err, strlen(folder), "a path");
  numann_status status = NUMANN_OK;
  if (unlink(path) != 0 && errno != ENOENT) {
    int error = errno;
    status =
        nu_fail(err, NUMANN_ERR_IO,
                "%s: an old checkpoint that cannot be removed: %s; %s (the new one is durable)",
                path, strerror(error), nu_errno_advice(error));
  }
  free(path);
  return status;
}

/* Remove all but the newest `keep` up to the step just written. Later ones come from a future that
 * was refused on the resume; they neither count nor are touched, else they would push out the valid
 * one that training went on from. */
static numann_status rotate(const char *folder, uint64_t written, size_t keep, uint64_t spared,
                            numann_error *err) {
  steps all;
  NU_TRY(list_steps(folder, &all, err));
  numann_status status = NUMANN_OK;
  size_t kept = 0, removed = 0;
  for (size_t i = 0; i < all.n && status == NUMANN_OK; i++) {
    if (all.items[i] > written || kept++ < keep || all.items[i] == spared) continue;
    status = remove_step(folder, all.items[i], err);
    removed++;
  }
  free(all.items);
  if (status == NUMANN_OK && removed > 0) status = nu_durable_sync(folder, err);
  return status;
}

numann_status nu_checkpoint_drop_from(const char *folder, uint64_t step, numann_error *err) {
  steps all;
  NU_TRY(list_steps(folder, &all, err));
  numann_status status = NUMANN_OK;
  size_t removed = 0;
  for (; removed < all.n && all.items[removed] >= step && status == NUMANN_OK; removed++)
    status = remove_step(folder, all.items[removed], err);
  free(all.items);
  if (status == NUMANN_OK && removed > 0) status = nu_durable_sync(folder, err);
  return status;
}

numann_status nu_checkpoint_write(const char *folder, const nu_saved *saved, size_t keep,
                                  uint64_t spared, numann_error *err) {
  return nu_checkpoint_write_by(NULL, folder, saved, keep, spared, err);
}

numann_status nu_checkpoint_write_by(nu_writers *writers, const char *folder, const nu_saved *saved,
                                     size_t keep, uint64_t spared, numann_error *err) {
  assert(saved->has_state && keep > 0);
  NU_TRY(nu_durable_folder_in(folder, err));
  char *path = step_path(folder, saved->state.step);
  if (!path) return nu_fail_memory(err, strlen(folder), "a path");
  numann_status status = writers ? nu_saved_write_together(writers, path, saved, err)
                                 : nu_saved_write(path, saved, err);
  free(path);
  if (status == NUMANN_OK) status = rotate(folder, saved->state.step, keep, spared, err);
  return status;
}

/* Read the checkpoint of one step; the file must say the same step as its name. */
static numann_status read_step(nu_saved *out, const char *folder, uint64_t step,
                               nu_read_for purpose, numann_error *err) {
  char *path = step_path(folder, step);
  if (!path) return nu_fail_memory(err, strlen(folder), "a path");
  numann_status status = nu_saved_read(out, path, err);
  if (status == NUMANN_OK && (!out->has_state || out->state.step != step)) {
    const char *what = out->has_state ? "checkpoint of another step" : "model, not a checkpoint";
    status = nu_fail(err, NUMANN_ERR_MODEL, "%s: a %s; move it elsewhere", path, what);
  }
  if (status == NUMANN_OK && purpose == NU_FOR_RESUME)
    status = nu_saved_check_resume(out, path, err);
  if (status != NUMANN_OK) nu_saved_clear(out);
  free(path);
  return status;
}

static numann_status none_valid(const char *folder, size_t n, const char *newest,
                                numann_error *err) {
  return nu_fail(err, NUMANN_ERR_MODEL,
                 "%s: none of %zu checkpoints is valid; restore one from a copy, or start again in "
                 "another folder; the newest: %s",
                 folder, n, newest);
}

/* The newest that reads well. Only a file that is wrong in itself is passed over: when the machine
 * fails (memory, I/O), going back to an older step would lose what is there. */
static numann_status first_valid(nu_saved *out, bool *found, const char *folder, const steps *all,
                                 nu_read_for purpose, nu_text *rejected, numann_error *err) {
  char newest[512] = "";
  for (size_t i = 0; i < all->n; i++) {
    numann_error why = {NUMANN_OK, ""};
    numann_status status = read_step(out, folder, all->items[i], purpose, &why);
    *found = status == NUMANN_OK;
    if (*found) return NUMANN_OK;
    if (status != NUMANN_ERR_MODEL) return nu_fail(err, status, "%s", why.message);
    if (rejected) nu_text_addf(rejected, "%s\n", why.message);
    if (i == 0) nu_show_format(newest, sizeof newest, "%s", why.message);
  }
  return all->n > 0 ? none_valid(folder, all->n, newest, err) : NUMANN_OK;
}

numann_status nu_checkpoint_newest(nu_saved *out, bool *found, const char *folder,
                                   nu_read_for purpose, nu_text *rejected, numann_error *err) {
  *out = (nu_saved){0};
  *found = false;
  steps all;
  NU_TRY(list_steps(folder, &all, err));
  numann_status status = first_valid(out, found, folder, &all, purpose, rejected, err);
  free(all.items);
  return status;
}
