/* The folder of a run. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "cli/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/durable.h"
#include "cli/command.h"
#include "config/config.h"
#include "config/expand.h"

#define MOST_WAITS 120 /* seconds that --resume=auto waits for the lock */

char *nu_run_folder_file(const nu_run_folder *folder, const char *name) {
  return nu_path_join(folder->path, name);
}

static numann_status find_file(bool *found, const nu_run_folder *folder, const char *name,
                               numann_error *err) {
  char *path = nu_run_folder_file(folder, name);
  if (!path) return nu_fail_memory(err, 256, "a file name");
  *found = nu_is_there(path);
  free(path);
  return NUMANN_OK;
}

/* ---- which folder */

/* "configs/digits.yaml" -> "runs/digits" */
static char *default_path(const char *config_name) {
  const char *slash = strrchr(config_name, '/');
  const char *base = slash ? slash + 1 : config_name;
  const char *dot = strrchr(base, '.');
  size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
  char *name = nu_copy_text(base, n);
  char *path = name ? nu_path_join("runs", name) : NULL;
  free(name);
  return path;
}

static numann_status find_run(bool *found, const nu_run_folder *folder, numann_error *err) {
  *found = nu_is_there(folder->checkpoints);
  for (size_t i = 0; i < NU_RUN_FILES && !*found; i++)
    NU_TRY(find_file(found, folder, nu_run_files[i], err));
  return NUMANN_OK;
}

/* A config.yaml may be the user's own, perhaps the very one that is trained. Runs leave a lock, and
 * where somebody has removed it, checkpoints. */
static numann_status refuse_foreign(const nu_run_folder *folder, numann_error *err) {
  bool found = nu_is_there(folder->checkpoints);
  if (!found) NU_TRY(find_file(&found, folder, "lock", err));
  if (found) return NUMANN_OK;
  for (size_t i = 0; i < NU_RUN_FILES; i++) {
    NU_TRY(find_file(&found, folder, nu_run_files[i], err));
    if (found)
      return nu_fail(
          err, NUMANN_ERR_CONFIG,
          "%s: holds a %s, but neither lock nor checkpoints of a run; move that file, or "
          "choose another folder with --out",
          folder->path, nu_run_files[i]);
  }
  return NUMANN_OK;
}

static numann_status refuse_run(const nu_run_folder *folder, const nu_arguments *args,
                                numann_error *err) {
  bool found;
  NU_TRY(refuse_foreign(folder, err));
  if (nu_given(args, NU_OPTION_RESUME) || nu_given(args, NU_OPTION_OVERWRITE)) return NUMANN_OK;
  NU_TRY(find_run(&found, folder, err));
  if (!found) return NUMANN_OK;
  return nu_fail(
      err, NUMANN_ERR_CONFIG,
      "%s: the folder holds a run; continue it with --resume, replace it with --overwrite, "
      "or choose another folder with --out",
      folder->path);
}

/* The folder that --out names. */
static numann_status expand_out(char **path, const char *out, numann_error *err) {
  nu_text text = {0};
  numann_status status = nu_expand("command line: --out", out, strlen(out), &text, err);
  if (status == NUMANN_OK && text.length == 0)
    status = nu_fail(err, NUMANN_ERR_CONFIG, "command line: --out is empty; give a folder");
  if (status == NUMANN_OK) *path = nu_copy_text(text.data, text.length);
  nu_text_clear(&text);
  return status;
}

numann_status nu_run_folder_choose(nu_run_folder *folder, const nu_arguments *args,
                                   const numann_config *config, numann_error *err) {
  const char *out = args->value[NU_OPTION_OUT];
  if (out) NU_TRY(expand_out(&folder->path, out, err));
  else folder->path = default_path(nu_config_name(config));
  if (folder->path) folder->checkpoints = nu_path_join(folder->path, "checkpoints");
  if (!folder->checkpoints) return nu_fail_memory(err, 256, "the run folder's name");
  return refuse_run(folder, args, err);
}

/* The job before this one of a chain may still be writing, or its host is gone and the file server
 * has not noticed yet, which takes it a minute or two. */
static numann_status take_lock(nu_run_folder *folder, const nu_arguments *args, numann_error *err) {
  unsigned waits = nu_resumes_automatically(args) ? MOST_WAITS : 0;
  numann_status status = nu_run_lock_take(&folder->lock, folder->path, err);
  if (folder->lock.busy && waits > 0)
    nu_note(args, "%s: another process has this folder; waiting for it, %d s at most", folder->path,
            MOST_WAITS);
  for (; folder->lock.busy && waits > 0; waits--) {
    sleep(1);
    status = nu_run_lock_take(&folder->lock, folder->path, err);
  }
  return status;
}

numann_status nu_run_folder_claim(nu_run_folder *folder, const nu_arguments *args,
                                  numann_error *err) {
  NU_TRY(nu_durable_folder(folder->path, err));
  NU_TRY(take_lock(folder, args, err));
  folder->locked = true;
  if (folder->lock.before[0] != '\0')
    nu_note(args,
            "%s: %s was here and did not come to its end; where file systems keep locks to one "
            "host, make sure that it runs no longer",
            folder->path, folder->lock.before);
  if (!folder->lock.guarded)
    nu_warn("%s: this file system has no locks; do not start a second run in this folder",
            folder->path);
  return refuse_run(folder, args, err);
}

void nu_run_folder_close(nu_run_folder *folder) {
  if (folder->locked) nu_run_lock_release(&folder->lock);
  free(folder->path);
  free(folder->checkpoints);
  *folder = (nu_run_folder){0};
}

/* ---- what is in it */

static numann_status remove_file(const char *folder, const char *name, numann_error *err) {
  char *path = nu_path_join(folder, name);
  if (!path) return nu_fail_memory(err, 256, "a file name");
  numann_status status = NUMANN_OK;
  if (unlink(path) != 0 && errno != ENOENT)
    status = nu_fail_system(err, NUMANN_ERR_IO, path, "cannot be removed");
  free(path);
  return status;
}

static numann_status remove_checkpoints(const char *folder, numann_error *err) {
  DIR *listing = opendir(folder);
  if (!listing && errno == ENOENT) return NUMANN_OK;
  if (!listing) return nu_fail_system(err, NUMANN_ERR_IO, folder, "cannot be read");
  numann_status status = NUMANN_OK;
  struct dirent *entry;
  while (status == NUMANN_OK && (entry = readdir(listing)))
    if (nu_checkpoint_is_name(entry->d_name, strlen(entry->d_name)))
      status = remove_file(folder, entry->d_name, err);
  closedir(listing);
  return status;
}

numann_status nu_run_folder_empty(const nu_run_folder *folder, numann_error *err) {
  NU_TRY(remove_checkpoints(folder->checkpoints, err));
  for (size_t i = 0; i < NU_RUN_FILES; i++) NU_TRY(remove_file(folder->path, nu_run_files[i], err));
  return NUMANN_OK;
}

numann_status nu_run_folder_newest(nu_saved *saved, bool *found, const nu_run_folder *folder,
                                   numann_error *err) {
  nu_text rejected = {0};
  numann_status status =
      nu_checkpoint_newest(saved, found, folder->checkpoints, NU_FOR_RESUME, &rejected, err);
  nu_warn_lines("checkpoint passed over: ", &rejected);
  nu_text_clear(&rejected);
  if (status != NUMANN_OK || *found) return status;
  bool finished = false;
  NU_TRY(find_file(&finished, folder, "model.safetensors", err));
  if (!finished) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_MODEL,
                 "%s: no checkpoint to go on from, but a finished model; replace it with "
                 "--overwrite, or choose another folder with --out",
                 folder->path);
}

numann_status nu_run_folder_write(const nu_run_folder *folder, const char *name,
                                  const nu_text *text, numann_error *err) {
  if (text->failed) return nu_fail_memory(err, text->length, name);
  char *path = nu_run_folder_file(folder, name);
  if (!path) return nu_fail_memory(err, 256, "a file name");
  numann_status status = nu_durable_write(path, nu_text_view(text), text->length, err);
  free(path);
  return status;
}
