/* What the subcommands share. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_COMMAND_H
#define NU_CLI_COMMAND_H

#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "machine/machine.h"
#include "numann/config.h"
#include "numann/plan.h"

numann_status nu_command_train(const nu_arguments *args, numann_error *err);
numann_status nu_command_eval(const nu_arguments *args, numann_error *err);
numann_status nu_command_predict(const nu_arguments *args, numann_error *err);
numann_status nu_command_info(const nu_arguments *args, numann_error *err);
numann_status nu_command_gradcheck(const nu_arguments *args, numann_error *err);
numann_status nu_command_topo(const nu_arguments *args, numann_error *err);
numann_status nu_command_plan(const nu_arguments *args, numann_error *err);
numann_status nu_command_bench(const nu_arguments *args, numann_error *err);
numann_status nu_command_help(const nu_arguments *args, numann_error *err);

/* The text of --version and of --help (of args->command where one was given), to stdout. */
numann_status nu_print_version(const nu_arguments *args, numann_error *err);
numann_status nu_print_help(const nu_arguments *args, numann_error *err);
/* For `numann` without arguments: what one can do next, to stderr. */
void nu_print_usage(void);

/* A line on stderr: a note (not with --quiet), a warning (always). */
void nu_note(const nu_arguments *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void nu_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A note, or a warning, for each line of the text. */
void nu_note_lines(const nu_arguments *args, const nu_text *lines);
void nu_warn_lines(const char *before, const nu_text *lines);

/* A finished text to stdout; clears it. NUMANN_ERR_IO when it cannot all be written. */
numann_status nu_print_text(nu_text *text, numann_error *err);
/* May stdout have colours? A terminal, and NO_COLOR is not set. */
bool nu_colour_wanted(void);

/* --set and --threads applied to a config. */
numann_status nu_apply_sets(const nu_arguments *args, numann_config *config, numann_error *err);
/* The config at `path` with --set and --threads. */
numann_status nu_load_config(numann_config **out, const nu_arguments *args, const char *path,
                             numann_error *err);

/* The machine that --topology names, else this one; borrows from args. */
nu_machine_source nu_machine_wanted(const nu_arguments *args);

/* Warn where the system does not tell which processors this process may use (not with --quiet, and
 * not of another machine). */
void nu_warn_of_unknown_mask(const nu_arguments *args);
/* The same, and warn of what is wrong with the launch line (not with --quiet), and print the plan's
 * note, unless both would tell of more threads than cores. */
void nu_warn_of_launch(const nu_arguments *args, const nu_machine *machine,
                       const numann_config *config, const numann_plan *plan);

/* Threads for eval and predict: --threads N, or what the machine allows. */
numann_status nu_choose_threads(size_t *threads, const nu_arguments *args, numann_error *err);

#endif
