/* A model that a command works with. SPDX-License-Identifier: MIT */
#include "cli/model.h"

#include <stdlib.h>

#include "base/file.h"
#include "cli/command.h"

numann_status nu_asked_open(nu_asked *asked, const nu_arguments *args, const char *path,
                            numann_error *err) {
  *asked = (nu_asked){0};
  NU_TRY(numann_model_load(&asked->model, path, err));
  const numann_model *model = asked->model;
  asked->schema = &model->saved.schema;
  if (numann_model_note(model)) nu_warn("%s", numann_model_note(model));
  NU_TRY(numann_config_parse(&asked->config, numann_model_config_view(model), model->path, err));
  return nu_apply_sets(args, asked->config, err);
}

void nu_asked_close(nu_asked *asked) {
  numann_config_destroy(asked->config);
  numann_model_destroy(asked->model);
  *asked = (nu_asked){0};
}

/* config.yaml lies beside a model, and one folder above a checkpoint. */
char *nu_asked_run_config(const nu_asked *asked) {
  char *folder = nu_path_folder(asked->model->path);
  char *above = folder ? nu_path_join(folder, "..") : NULL;
  char *found = NULL;
  const char *const places[] = {folder, above};
  for (size_t i = 0; i < 2 && !found; i++) {
    char *path = places[i] ? nu_path_join(places[i], "config.yaml") : NULL;
    if (path && nu_is_there(path)) found = path;
    else free(path);
  }
  free(folder);
  free(above);
  return found;
}
