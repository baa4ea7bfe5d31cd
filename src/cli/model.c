/* A model that a command works with. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "cli/model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/command.h"

bool nu_is_folder(const char *path) {
  struct stat found;
  return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

static bool exists(const char *path) { return access(path, F_OK) == 0; }

/* A run that has not ended has no model yet: its newest checkpoint stands in. */
static numann_status read_newest(nu_model *model, const char *run, numann_error *err) {
  char *folder = nu_path_join(run, "checkpoints");
  if (folder == NULL) return nu_fail_memory(err, strlen(run), "a path");
  bool found = false;
  free(model->path);
  model->path = folder;
  numann_status status = nu_checkpoint_newest(&model->saved, &found, folder, NULL, err);
  if (status != NUMANN_OK) return status;
  if (!found)
    return nu_fail(err, NUMANN_ERR_MODEL,
                   "%s: the folder holds neither model.safetensors nor a checkpoint; give a model "
                   "or the folder of a run",
                   run);
  nu_warn("%s: the run has not ended; using its checkpoint of step %llu", run,
          (unsigned long long)model->saved.state.step);
  return NUMANN_OK;
}

static numann_status read_file(nu_model *model, const char *path, numann_error *err) {
  model->path = nu_model_path(path);
  if (model->path == NULL) return nu_fail_memory(err, strlen(path), "a path");
  if (nu_is_folder(path) && !exists(model->path)) return read_newest(model, path, err);
  return nu_saved_read(&model->saved, model->path, err);
}

numann_status nu_model_open(nu_model *model, const nu_arguments *args, const char *path,
                            numann_error *err) {
  *model = (nu_model){0};
  NU_TRY(read_file(model, path, err));
  NU_TRY(numann_config_parse(&model->config, model->saved.config_text, model->path, err));
  return nu_apply_sets(args, model->config, err);
}

void nu_model_close(nu_model *model) {
  numann_config_destroy(model->config);
  nu_saved_clear(&model->saved);
  free(model->path);
  *model = (nu_model){0};
}

/* config.yaml lies beside a model, and one folder above a checkpoint. */
char *nu_model_run_config(const nu_model *model) {
  char *folder = nu_path_folder(model->path);
  char *above = folder != NULL ? nu_path_join(folder, "..") : NULL;
  char *found = NULL;
  const char *const places[] = {folder, above};
  for (size_t i = 0; i < 2 && found == NULL; i++) {
    char *path = places[i] != NULL ? nu_path_join(places[i], "config.yaml") : NULL;
    if (path != NULL && exists(path)) found = path;
    else free(path);
  }
  free(folder);
  free(above);
  return found;
}
