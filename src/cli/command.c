/* What the subcommands share: messages, configs, threads. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "config/config.h"
#include "machine/launch.h"
#include "machine/team.h"
#include "plan/placement.h"
#include "plan/plan.h"

/* As parallel.threads of the key table allows. */
#define MOST_THREADS 4096

static void print_line(const char *prefix, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void print_line(const char *prefix, const char *format, va_list args) {
  char line[NU_LINE];
  nu_show_vformat(line, sizeof line, format, args);
  fprintf(stderr, "%s%s\n", prefix, line);
}

void nu_note(const nu_arguments *args, const char *format, ...) {
  if (nu_given(args, NU_OPTION_QUIET)) return;
  va_list list;
  va_start(list, format);
  print_line("numann: ", format, list);
  va_end(list);
}

void nu_warn(const char *format, ...) {
  va_list list;
  va_start(list, format);
  print_line("numann: warning: ", format, list);
  va_end(list);
}

void nu_note_lines(const nu_arguments *args, const nu_text *lines) {
  const char *text = nu_text_view(lines), *line;
  for (int n = 0; (line = nu_text_line(&text, &n)) != NULL;) nu_note(args, "%.*s", n, line);
}

void nu_warn_lines(const char *before, const nu_text *lines) {
  const char *text = nu_text_view(lines), *line;
  for (int n = 0; (line = nu_text_line(&text, &n)) != NULL;) nu_warn("%s%.*s", before, n, line);
}

numann_status nu_print_text(nu_text *text, numann_error *err) {
  bool incomplete = text->failed;
  size_t length = text->length;
  bool written = fwrite(nu_text_view(text), 1, length, stdout) == length && fflush(stdout) == 0;
  int reason = errno;
  nu_text_clear(text);
  if (incomplete) return nu_fail_memory(err, length, "the output");
  if (!written)
    return nu_fail(err, NUMANN_ERR_IO, "standard output: %s; the result is incomplete",
                   strerror(reason));
  return NUMANN_OK;
}

bool nu_colour_wanted(void) {
  const char *no_color = getenv("NO_COLOR");
  const char *term = getenv("TERM");
  bool refused = (no_color && no_color[0] != '\0') || !term || strcmp(term, "dumb") == 0;
  return !refused && isatty(STDOUT_FILENO) != 0;
}

static numann_status read_threads(size_t *threads, const char *text, numann_error *err) {
  uint64_t n = 0;
  if (!nu_parse_count(text, strlen(text), &n) || n < 1 || n > MOST_THREADS)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: --threads %s: expected auto or a count from 1 to %d", text,
                   MOST_THREADS);
  *threads = (size_t)n;
  return NUMANN_OK;
}

/* Checked here, so that the message names the option that was written. */
static numann_status apply_threads(numann_config *config, const char *threads, numann_error *err) {
  nu_text text = {0};
  size_t count;
  if (strcmp(threads, "auto") != 0) NU_TRY(read_threads(&count, threads, err));
  nu_text_addf(&text, "parallel.threads=%s", threads);
  numann_status status = text.failed ? nu_fail_memory(err, strlen(threads), "--threads")
                                     : numann_config_set(config, nu_text_view(&text), err);
  nu_text_clear(&text);
  return status;
}

numann_status nu_apply_sets(const nu_arguments *args, numann_config *config, numann_error *err) {
  for (size_t i = 0; i < args->n_sets; i++) NU_TRY(numann_config_set(config, args->sets[i], err));
  const char *threads = args->value[NU_OPTION_THREADS];
  return threads ? apply_threads(config, threads, err) : NUMANN_OK;
}

numann_status nu_load_config(numann_config **out, const nu_arguments *args, const char *path,
                             numann_error *err) {
  NU_TRY(numann_config_load(out, path, err));
  numann_status status = nu_apply_sets(args, *out, err);
  if (status == NUMANN_OK) status = nu_config_check(*out, err);
  if (status == NUMANN_OK) return NUMANN_OK;
  numann_config_destroy(*out);
  *out = NULL;
  return status;
}

/* Another machine has none of this job's limits. */
nu_machine_source nu_machine_wanted(const nu_arguments *args) {
  const char *topology = args->value[NU_OPTION_TOPOLOGY];
  return (nu_machine_source){.topology = topology, .root = topology ? NULL : ""};
}

void nu_warn_of_unknown_mask(const nu_arguments *args) {
  if (nu_given(args, NU_OPTION_QUIET) || args->value[NU_OPTION_TOPOLOGY] || nu_team_knows_mask())
    return;
  nu_warn(
      "the system refuses to tell the affinity mask: %zu processors that are online are counted, "
      "and no thread is bound to a core; use --threads where this process may use fewer",
      nu_team_processors());
}

void nu_warn_of_launch(const nu_arguments *args, const nu_machine *machine,
                       const numann_config *config, const numann_plan *plan) {
  char message[NU_LAUNCH_MESSAGE];
  const nu_placement *placement = plan->placement;
  bool bound = placement && (placement->width == NU_BIND_CORE || placement->width == NU_BIND_NODE);
  nu_launch_threads threads = {.ordered = nu_config_count(config, "parallel.threads"),
                               .running = plan->plan.threads + plan->plan.idle,
                               .bound = bound};
  nu_launch_finding finding = NU_LAUNCH_NOTHING;
  nu_warn_of_unknown_mask(args);
  if (!nu_given(args, NU_OPTION_QUIET)) finding = nu_launch_diagnose(machine, threads, message);
  if (finding != NU_LAUNCH_NOTHING) nu_warn("%s", message);
  bool told = finding == NU_LAUNCH_CROWDED && threads.running > nu_machine_slots(machine);
  if (plan->note[0] && !told) nu_warn("%s", plan->note);
}

numann_status nu_choose_threads(size_t *threads, const nu_arguments *args, numann_error *err) {
  const char *text = args->value[NU_OPTION_THREADS];
  if (!text || strcmp(text, "auto") == 0) {
    nu_machine machine;
    NU_TRY(nu_machine_detect(&machine, err));
    *threads = machine.threads_limit;
    nu_machine_clear(&machine);
    return NUMANN_OK;
  }
  return read_threads(threads, text, err);
}
