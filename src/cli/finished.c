/* SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "cli/finished.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/json.h"
#include "config/config.h"
#include "trainer/optimizer.h"

/* The report is written last. One of an earlier end is older than the model. */
static bool has_both(const char *model, const char *report) {
  struct stat trained, told;
  if (stat(model, &trained) != 0 || stat(report, &told) != 0) return false;
  if (trained.st_mtim.tv_sec != told.st_mtim.tv_sec)
    return trained.st_mtim.tv_sec < told.st_mtim.tv_sec;
  return trained.st_mtim.tv_nsec <= told.st_mtim.tv_nsec;
}

/* Of the command line as it is now, in a config of its own: a rate that is given nowhere is taken
 * from the model here, and from a checkpoint where the training goes on. */
static numann_status match(bool *same, const char *saved_text, const nu_arguments *args,
                           numann_error *err) {
  static const char epochs[] = "train.epochs";
  numann_config *saved = NULL, *now = NULL;
  numann_status status = numann_config_parse(&saved, saved_text, "model", err);
  if (status == NUMANN_OK) status = nu_load_config(&now, args, args->operands[0], err);
  if (status == NUMANN_OK) status = nu_settle_rate(saved, NULL, err);
  if (status == NUMANN_OK) status = nu_settle_rate(now, saved, err);
  if (status == NUMANN_OK) status = nu_config_match(now, saved, err);
  *same = status == NUMANN_OK && nu_config_count(now, epochs) == nu_config_count(saved, epochs);
  numann_config_destroy(saved);
  numann_config_destroy(now);
  return status;
}

static numann_status read_end(char sha256[65], const char *model, const nu_arguments *args,
                              numann_error *err) {
  nu_saved saved;
  bool same = false;
  NU_TRY(nu_saved_read(&saved, model, err));
  numann_status status = match(&same, saved.config_text, args, err);
  if (same) nu_network_sha256(saved.network, sha256);
  nu_saved_clear(&saved);
  return status;
}

numann_status nu_finished_find(char sha256[65], const nu_run_folder *folder,
                               const nu_arguments *args, numann_error *err) {
  char *model = nu_run_folder_file(folder, "model.safetensors");
  char *report = nu_run_folder_file(folder, "report.html");
  char *diverged = nu_run_folder_file(folder, NU_DIVERGED);
  numann_error why = {0};
  numann_status status = NUMANN_OK;
  sha256[0] = '\0';
  if (!model || !report || !diverged) status = nu_fail_memory(&why, 256, "a file name");
  else if (!nu_is_there(diverged) && has_both(model, report))
    status = read_end(sha256, model, args, &why);
  free(model);
  free(report);
  free(diverged);
  return status == NUMANN_ERR_MEMORY ? nu_fail(err, status, "%s", why.message) : NUMANN_OK;
}

static numann_status print_json(const char *sha256, const nu_run_folder *folder,
                                numann_error *err) {
  nu_json json = {0};
  char *model = nu_run_folder_file(folder, "model.safetensors");
  nu_json_open(&json, NULL, '{');
  nu_json_string(&json, "weights_sha256", sha256);
  nu_json_string(&json, "model", model);
  nu_json_flag(&json, "stopped", false);
  nu_json_string(&json, "stopped_by", NULL);
  nu_json_real(&json, "done", 1.0);
  nu_json_flag(&json, "finished_before", true);
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  json.text.failed |= !model;
  free(model);
  return nu_print_text(&json.text, err);
}

numann_status nu_finished_tell(const char *sha256, const nu_run_folder *folder,
                               const nu_arguments *args, numann_error *err) {
  nu_note(args, "%s: this run is finished, nothing is left to do; weights %.16s...", folder->path,
          sha256);
  return nu_given(args, NU_OPTION_JSON) ? print_json(sha256, folder, err) : NUMANN_OK;
}
