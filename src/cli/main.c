/* The numann command: parse, dispatch, report the error. The only file that ends the process.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "machine/team.h"

static numann_status dispatch(const nu_arguments *args, numann_error *err) {
  if (nu_given(args, NU_OPTION_VERSION)) return nu_print_version(args, err);
  if (nu_given(args, NU_OPTION_HELP)) return nu_print_help(args, err);
  if (args->command != NU_COMMANDS) return nu_command_row(args->command)->run(args, err);
  nu_print_usage();
  return nu_fail(err, NUMANN_ERR_CONFIG, "command line: no command was given");
}

/* A stop on request is no error: the command has said how to go on. */
static void report(numann_status status, const numann_error *err) {
  if (status != NUMANN_OK && status != NUMANN_STOPPED)
    fprintf(stderr, "numann: error: %s: %s\n", numann_status_name(status), err->message);
}

int main(int argc, char **argv) {
  nu_arguments args;
  numann_error err = {0};
  nu_team_expect_refusal();
  numann_status status = nu_arguments_parse(&args, argc, argv, &err);
  if (status == NUMANN_OK) status = dispatch(&args, &err);
  nu_arguments_clear(&args);
  report(status, &err);
  exit((int)status);
}
