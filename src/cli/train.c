/* numann train: config -> data -> network -> plan -> trainer -> checkpoint, report.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/command.h"
#include "cli/finished.h"
#include "cli/go_on.h"
#include "cli/hosts.h"
#include "cli/placement_json.h"
#include "cli/rehearse.h"
#include "cli/run.h"
#include "cli/signals.h"
#include "config/expand.h"
#include "data/share.h"
#include "network/doubts.h"
#include "numann/version.h"
#include "plan/plan.h"
#include "report/format.h"
#include "trainer/optimizer.h"

/* ---- before */

static void tell_lost(size_t rank, size_t silent, double seconds) {
  fprintf(stderr,
          "numann: error: ranks: rank %zu has waited %.0f s for rank %zu, which is lost or hangs; "
          "the job ends; start it again with --resume, without that host if it fails again "
          "(parallel.patience says how long to wait)\n",
          rank, seconds, silent);
}

/* The folder's state as it is found. */
static numann_status look_at_folder(nu_run *r, numann_error *err) {
  NU_TRY(nu_run_folder_choose(&r->folder, r->args, r->config, err));
  if (nu_resumes_automatically(r->args))
    NU_TRY(nu_finished_find(r->sha256, &r->folder, r->args, err));
  nu_time_limit_read(&r->watch.limit, r->config, r->started);
  return NUMANN_OK;
}

/* What each rank does by itself, before data is read. */
static numann_status prepare(nu_run *r, numann_error *err) {
  NU_TRY(nu_load_config(&r->config, r->args, r->args->operands[0], err));
  return nu_run_leads(r) ? look_at_folder(r, err) : NUMANN_OK;
}

/* What each rank makes of the data by itself. */
static numann_status make(nu_run *r, numann_error *err) {
  NU_TRY(numann_network_create(&r->network, r->config, r->data, err));
  return numann_plan_create(&r->plan, r->config, r->network, r->data, err);
}

/* A host may have its own copy of the files: what each has read is compared. */
static bool names_file(const char *line) {
  static const char *const keys[] = {"path:", "images:", "labels:"};
  bool names = false;
  line += strspn(line, " ");
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    names |= strncmp(line, keys[i], strlen(keys[i])) == 0;
  return names;
}

/* Of the rows that train and those that judge. On a host they are those that its first rank has
 * read. */
static uint64_t hash_of_rows(const nu_run *r) {
  uint64_t sums[2] = {0};
  if (nu_comm_first(r->comm, r->comm->rank) == r->comm->rank) {
    sums[0] = nu_rows_sum(&r->data->schema, &r->data->validation);
    sums[1] = nu_data_sum(r->data);
  }
  nu_comm_spread_here(r->comm, sums, sizeof sums);
  return nu_hash_number(nu_hash_number(NU_HASH_START, sums[0]), sums[1]);
}

/* Of all that must be alike on all ranks: the config but for threads and files, the rows, the
 * program. */
static uint64_t hash_of(const nu_run *r) {
  nu_text text = {0};
  uint64_t hash = NU_HASH_START;
  nu_config_write(r->config, NU_CONFIG_MODEL, &text);
  nu_text_addf(&text, "%s %d", numann_version(), NUMANN_NUMERICS_VERSION);
  const char *rest = nu_text_view(&text), *line;
  for (int n = 0; (line = nu_text_line(&rest, &n)) != NULL;)
    if (!names_file(line)) hash = nu_hash_bytes(hash, line, (size_t)n);
  nu_text_clear(&text);
  return nu_hash_number(hash, hash_of_rows(r));
}

static numann_status check_alike(const nu_run *r, numann_error *err) {
  size_t other = 0;
  if (r->comm->size == 1 || nu_comm_is_same(r->comm, hash_of(r), &other)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "rank %zu has another config, other rows or another numann than rank 0; "
                 "give all hosts the same files",
                 other);
}

/* All ranks build the same trainer, or fail with one error. */
static numann_status build(nu_run *r, numann_error *err) {
  NU_TRY(nu_data_load_once(&r->data, r->comm, r->config, err));
  NU_TRY(nu_comm_agree(r->comm, make(r, err), err));
  NU_TRY(check_alike(r, err));
  return numann_trainer_create(&r->trainer, r->config, r->network, r->plan, r->data, err);
}

/* The config against the checkpoint's; of it comes a learning rate that is given nowhere else. */
static numann_status match_config(const nu_run *r, numann_error *err) {
  static const char rate[] = "train.optimizer.learning_rate";
  numann_config *saved = NULL;
  bool left_open = !nu_config_given(r->config, rate);
  NU_TRY(numann_config_parse(&saved, r->resumed.config_text, "checkpoint", err));
  numann_status status = nu_settle_rate(saved, NULL, err);
  if (status == NUMANN_OK) status = nu_settle_rate(r->config, saved, err);
  if (status == NUMANN_OK)
    status = r->diverged ? nu_config_match_diverged(r->config, saved, err)
                         : nu_config_match(r->config, saved, err);
  numann_config_destroy(saved);
  if (status == NUMANN_OK && left_open && nu_config_given(r->config, rate))
    nu_note(r->args, "learning rate %s, as in the checkpoint", nu_config_string(r->config, rate));
  return status;
}

/* A run's record would else tell of fewer epochs than are in its weights. */
static numann_status check_epochs(const nu_run *r, numann_error *err) {
  const nu_state *state = &r->resumed.state;
  unsigned long long begun = state->epoch + (state->batch > 0);
  size_t epochs = nu_config_count(r->config, "train.epochs");
  if (epochs >= begun) return NUMANN_OK;
  return nu_config_fail(r->config, "train.epochs", err,
                        "found %zu, but %llu epochs of this run are trained or begun; give %llu or "
                        "more, or start again with --overwrite",
                        epochs, begun, begun);
}

/* A checkpoint fits when config and training rows are those that it was made with. */
static numann_status check_resumed(const nu_run *r, numann_error *err) {
  NU_TRY(match_config(r, err));
  NU_TRY(check_epochs(r, err));
  if (r->resumed.data_sum != 0 && r->resumed.data_sum != nu_data_sum(r->data))
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s: the training rows are not those of the checkpoint; restore the data files, "
                   "or start again with --overwrite",
                   r->folder.path);
  return NUMANN_OK;
}

static numann_status resume(nu_run *r, numann_error *err) {
  bool found = false;
  r->diverged = nu_diverged_read(r->folder.path);
  if (r->diverged)
    nu_warn("%s: the training diverged (%s); without a change it may do so again", r->folder.path,
            r->diverged);
  NU_TRY(nu_run_folder_newest(&r->resumed, &found, &r->folder, err));
  if (!found) {
    nu_note(r->args, "%s has no checkpoint yet: starting at the beginning", r->folder.path);
    return NUMANN_OK;
  }
  NU_TRY(check_resumed(r, err));
  nu_trainer_take_rate(r->trainer, r->config);
  NU_TRY(nu_trainer_restore(r->trainer, &r->resumed.state, err));
  nu_note(r->args, "going on from step %llu, after %llu whole epochs",
          (unsigned long long)r->resumed.state.step, (unsigned long long)r->resumed.state.epoch);
  return NUMANN_OK;
}

static numann_status save_config(const nu_run *r, numann_error *err) {
  nu_text text = {0}, file = {0};
  nu_config_write(r->config, NU_CONFIG_RUN, &text);
  nu_expand_protect(nu_text_view(&text), &file);
  file.failed |= text.failed;
  numann_status status = nu_run_folder_write(&r->folder, "config.yaml", &file, err);
  nu_text_clear(&text);
  nu_text_clear(&file);
  return status;
}

/* The checkpoint gets the config that may differ now: from here on this is a run as any. */
static numann_status take_mark_off(nu_run *r, numann_error *err) {
  if (r->resumed.has_state) NU_TRY(nu_watch_save(&r->watch, r->trainer, err));
  return r->watch.failures ? NUMANN_OK : nu_diverged_remove(r->folder.path, err);
}

/* The first change on the disk: until here a wrong config or data file has harmed no earlier run.
 */
static numann_status open_folder(nu_run *r, numann_error *err) {
  NU_TRY(nu_run_folder_claim(&r->folder, r->args, err));
  if (nu_given(r->args, NU_OPTION_OVERWRITE)) NU_TRY(nu_run_folder_empty(&r->folder, err));
  if (nu_given(r->args, NU_OPTION_RESUME)) NU_TRY(resume(r, err));
  NU_TRY(nu_settle_rate(r->config, NULL, err));
  NU_TRY(save_config(r, err));
  NU_TRY(nu_watch_open(&r->watch, &r->folder, r->config, r->network, r->data, &r->resumed.state,
                       r->args, err));
  return r->diverged ? take_mark_off(r, err) : NUMANN_OK;
}

static void warn_of_data(const nu_run *r) {
  nu_text doubts = {0};
  nu_network_doubts(r->network, r->data, &doubts);
  nu_warn_lines("", &r->data->notes);
  nu_warn_lines("", &doubts);
  nu_text_clear(&doubts);
}

static void announce_limit(const nu_run *r) {
  char left[NU_REAL_TEXT];
  const nu_time_limit *limit = &r->watch.limit;
  if (limit->length == 0.0) return;
  nu_note(r->args,
          "train.max_time is over in %s: the training stops before that, with a checkpoint",
          nu_format_clock(fmax(limit->end - nu_clock_seconds(), 0.0), left));
}

static numann_status announce(const nu_run *r, numann_error *err) {
  nu_text network = {0};
  nu_network_describe(r->network, &network);
  if (network.failed) {
    nu_text_clear(&network);
    return nu_fail_memory(err, sizeof network, "the network's description");
  }
  nu_note(r->args, "%zu training, %zu validation, %zu test rows; network %s", r->data->train.rows,
          r->data->validation.rows, r->data->test.rows, nu_text_view(&network));
  nu_note(r->args, "%zu thread%s, %s (%s); files in %s", r->plan->plan.threads,
          r->plan->plan.threads == 1 ? "" : "s", numann_plan_strategy(r->plan), r->plan->why,
          r->folder.path);
  announce_limit(r);
  if (r->data->rows_dropped > 0)
    nu_note(r->args, "%zu rows with blanks dropped (data.blank)", r->data->rows_dropped);
  warn_of_data(r);
  nu_warn_of_launch(r->args, &r->plan->machine, r->config, r->plan);
  if (r->plan->placement && r->plan->placement->note[0]) nu_warn("%s", r->plan->placement->note);
  nu_text_clear(&network);
  return NUMANN_OK;
}

/* Before the first step: refused bindings are told once, and the whole placement where it is asked
 * for. */
static numann_status announce_placement(nu_run *r, numann_error *err) {
  nu_text text = {0};
  NU_TRY(nu_trainer_report_placement(r->trainer, nu_run_explains(r), &r->placed, err));
  if (nu_add_refusal(&text, &r->placed)) nu_warn("%s", nu_text_view(&text));
  bool refused = text.failed;
  nu_text_clear(&text);
  if (refused) return nu_fail_memory(err, 256, "a warning");
  if (!nu_run_explains(r) || !r->plan->placement) return NUMANN_OK;
  nu_placement_draw(&r->plan->plan, r->network, nu_run_training_bytes(r), &text);
  nu_text_add(&text, "\nfound        ");
  nu_add_place_report(&text, &r->placed);
  nu_note(r->args, "the placement:");
  if (!nu_given(r->args, NU_OPTION_QUIET)) fprintf(stderr, "%s\n", nu_text_view(&text));
  refused = text.failed;
  nu_text_clear(&text);
  return refused ? nu_fail_memory(err, 256, "the placement's description") : NUMANN_OK;
}

/* ---- training */

static void count(nu_run *r) {
  const nu_state *state = nu_trainer_state_view(r->trainer);
  r->epochs = state->epoch;
  r->steps = state->step;
}

/* config.yaml was written at the start, and someone may have removed it since. */
static numann_status complete_config(const nu_run *r, numann_error *err) {
  char *path = nu_run_folder_file(&r->folder, "config.yaml");
  if (!path) return nu_fail_memory(err, 256, "a file name");
  bool there = nu_is_there(path);
  free(path);
  return there ? NUMANN_OK : save_config(r, err);
}

/* Files that were removed during the training are written again. */
static numann_status complete_files(const nu_run *r, numann_error *err) {
  NU_TRY(complete_config(r, err));
  return nu_metrics_complete(r->watch.metrics, err);
}

/* The others only watch for signals, which a launcher may send to any of them. */
static numann_action look_for_signal(void *arg, const numann_progress *at) {
  (void)arg;
  (void)at;
  return nu_signals_received() ? NUMANN_STOP : NUMANN_CONTINUE;
}

/* All ranks run the trainer, and end with one status. */
static numann_status run_trainer(nu_run *r, const numann_observer *observer, numann_error *err) {
  numann_status status = numann_trainer_run(r->trainer, observer, err);
  nu_traffic own = nu_trainer_traffic(r->trainer, r->plan->plan.problem.batch);
  if (status == NUMANN_OK || status == NUMANN_STOPPED) r->sent = nu_sent_by_all(r->comm, own);
  return status;
}

/* They write their ranges of the checkpoint. */
static numann_status help_save(void *arg, numann_trainer *trainer, numann_error *err) {
  const nu_run *r = arg;
  (void)err; /* rank 0 judges what fails */
  nu_writers_help(r->comm, &(nu_saved){.network = r->network,
                                       .schema = r->data->schema,
                                       .has_state = true,
                                       .state = *nu_trainer_state_view(trainer)});
  return NUMANN_OK;
}

static numann_status follow(nu_run *r, numann_error *err) {
  nu_signals_defer();
  numann_observer observer = {.arg = r, .on_step = look_for_signal, .on_save = help_save};
  return run_trainer(r, &observer, err);
}

static numann_status train(nu_run *r, numann_error *err) {
  nu_signals_defer();
  r->watch.writers.comm = r->comm;
  nu_time_limit_begin(&r->watch.limit, r->data, r->resumed.state.step);
  numann_observer observer = nu_watch_observer(&r->watch);
  numann_status status = run_trainer(r, &observer, err);
  nu_progress_end(r->watch.progress);
  if (status == NUMANN_ERR_DIVERGED) {
    nu_rescue rescue = nu_run_rescue(r);
    nu_rescue_run(&rescue, &r->watch, r->trainer, r->network, err);
  }
  if (status == NUMANN_OK) status = nu_watch_finish(&r->watch, r->trainer, err);
  if (status == NUMANN_OK) status = complete_files(r, err);
  if (status == NUMANN_STOPPED) {
    r->stop = r->watch.stop ? r->watch.stop : "a signal to another rank";
    if (complete_files(r, err) != NUMANN_OK) nu_warn("%s", err->message);
  }
  if (status == NUMANN_OK || status == NUMANN_STOPPED) count(r);
  if (status == NUMANN_OK && nu_run_explains(r))
    status = nu_trainer_report_placement(r->trainer, true, &r->placed, err);
  return status;
}

/* ---- the flow */

static numann_status begin(nu_run *r, numann_error *err) {
  NU_TRY(open_folder(r, err));
  NU_TRY(announce(r, err));
  return announce_placement(r, err);
}

/* On which hosts the ranks are, and what is slow about that. Collective. */
static numann_status tell_hosts(const nu_run *r, numann_error *err) {
  nu_host *hosts;
  NU_TRY(nu_hosts_gather(&hosts, r->comm, &r->plan->machine, numann_plan_threads(r->plan), err));
  if (hosts && nu_run_leads(r)) {
    nu_text lines = {0}, doubts = {0};
    nu_hosts_describe(hosts, r->comm->size, "", &lines, &doubts);
    nu_note(r->args, "%zu ranks (%s)", r->comm->size, nu_comm_library());
    nu_note_lines(r->args, &lines);
    nu_warn_lines("", &doubts);
    nu_text_clear(&lines);
    nu_text_clear(&doubts);
  }
  free(hosts);
  return NUMANN_OK;
}

static numann_status run_all(nu_run *r, numann_error *err) {
  NU_TRY(nu_comm_start(err));
  r->comm = nu_comm_world();
  NU_TRY(nu_comm_agree(r->comm, prepare(r, err), err));
  bool finished = nu_comm_most(r->comm, r->sha256[0] != '\0');
  if (finished)
    return nu_run_leads(r) ? nu_finished_tell(r->sha256, &r->folder, r->args, err) : NUMANN_OK;
  NU_TRY(build(r, err));
  NU_TRY(tell_hosts(r, err));
  NU_TRY(nu_comm_agree(r->comm, nu_run_leads(r) ? begin(r, err) : NUMANN_OK, err));
  nu_comm_set_patience(nu_config_real(r->config, "parallel.patience"), tell_lost);
  NU_TRY(nu_trainer_share_start(r->trainer, err));
  if (!nu_run_leads(r)) return follow(r, err);
  NU_TRY(train(r, err));
  return nu_run_finish(r, err);
}

/* What a stopped run says: how to go on. Its checkpoint is durable by now. */
static numann_status tell_stop(const nu_run *r, numann_error *err) {
  nu_text out = {0};
  nu_add_resume_command(r->args, r->folder.path, &out);
  nu_note(r->args, "stopped by %s at step %llu, the checkpoint is safe; go on with: %s", r->stop,
          (unsigned long long)r->steps,
          out.failed ? "the same command and --resume" : nu_text_view(&out));
  nu_text_clear(&out);
  nu_time_limit_describe(&r->watch.limit, &out);
  nu_note(r->args, "%s", nu_text_view(&out));
  nu_text_clear(&out);
  if (!nu_given(r->args, NU_OPTION_JSON)) return NUMANN_STOPPED;
  nu_run_write_json(r, &out);
  if (nu_print_text(&out, err) != NUMANN_OK) nu_warn("%s", err->message);
  return NUMANN_STOPPED;
}

static void close_run(nu_run *r) {
  nu_parts_clear(&r->parts);
  nu_watch_close(&r->watch);
  numann_trainer_destroy(r->trainer);
  nu_saved_clear(&r->resumed);
  free(r->diverged);
  numann_plan_destroy(r->plan);
  numann_network_destroy(r->network);
  numann_data_destroy(r->data);
  nu_run_folder_close(&r->folder);
  numann_config_destroy(r->config);
}

numann_status nu_command_train(const nu_arguments *args, numann_error *err) {
  bool rehearses;
  NU_TRY(nu_rehearsal_asked(&rehearses, args, err));
  if (rehearses) return nu_rehearse(args, err);
  nu_signals_catch(nu_early_advice(args));
  nu_run r = {.args = args, .comm = nu_comm_alone(), .started = nu_clock_seconds()};
  numann_status status = run_all(&r, err);
  if (status == NUMANN_STOPPED && nu_run_leads(&r)) status = tell_stop(&r, err);
  close_run(&r);
  return status;
}
