/* The numann command: parse, dispatch, report the error. The only file that ends the process.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/signals.h"
#include "machine/comm.h"
#include "machine/comm_launch.h"
#include "machine/team.h"

typedef numann_status command(const nu_arguments *args, numann_error *err);

static command *const commands[NU_COMMANDS] = {
    [NU_COMMAND_TRAIN] = nu_command_train,         [NU_COMMAND_EVAL] = nu_command_eval,
    [NU_COMMAND_PREDICT] = nu_command_predict,     [NU_COMMAND_INFO] = nu_command_info,
    [NU_COMMAND_GRADCHECK] = nu_command_gradcheck, [NU_COMMAND_TOPO] = nu_command_topo,
    [NU_COMMAND_PLAN] = nu_command_plan,           [NU_COMMAND_BENCH] = nu_command_bench,
    [NU_COMMAND_HELP] = nu_command_help,
};

static numann_status dispatch(const nu_arguments *args, numann_error *err) {
  if (nu_given(args, NU_OPTION_VERSION)) return nu_print_version(args, err);
  if (nu_given(args, NU_OPTION_HELP)) return nu_print_help(args, err);
  if (args->command != NU_COMMANDS) return commands[args->command](args, err);
  nu_print_usage();
  return nu_fail(err, NUMANN_ERR_CONFIG, "command line: no command was given");
}

/* Commands that the processes of a launch run as one job; any other is on its own in each. */
static bool is_of_ranks(const nu_arguments *args) {
  return args->command == NU_COMMAND_TRAIN || args->command == NU_COMMAND_PLAN ||
         args->command == NU_COMMAND_TOPO;
}

/* Of the ranks of a job, which have one error, the first tells it, or one that has its own. */
static bool speaks(const nu_arguments *args) {
  const nu_comm *world = nu_comm_world();
  return !is_of_ranks(args) || world->broken ||
         (world->rank == 0 && nu_comm_read_launch().rank == 0);
}

/* The command line of a rank may be wrong when those of the others are not, and they wait. */
static numann_status agree_on_line(const nu_arguments *args, numann_status status,
                                   numann_error *err) {
  numann_error none;
  if (!is_of_ranks(args) || nu_comm_start(&none) != NUMANN_OK) return status;
  return nu_comm_agree(nu_comm_world(), status, err);
}

/* A stop on request is no error: the command has said how to go on. */
static void report(const nu_arguments *args, numann_status status, const numann_error *err) {
  if (!speaks(args)) {
    /* One that could not join the job: launchers end all when the first one ends, and the one that
     * speaks may not have spoken. */
    if (nu_comm_world()->size == 1) sleep(1);
    return;
  }
  char rank[32] = "";
  if (nu_comm_world()->broken) snprintf(rank, sizeof rank, "rank %zu: ", nu_comm_world()->rank);
  if (status != NUMANN_OK && status != NUMANN_STOPPED)
    fprintf(stderr, "numann: error: %s: %s%s\n", numann_status_name(status), rank, err->message);
}

/* The next file that is opened would take the number of a stream that the caller has closed, and
 * our messages with it. What holds the number instead refuses what the stream is for. */
static void hold_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv) {
  nu_arguments args;
  numann_error err = {0};
  hold_streams();
  nu_signals_fail_writes();
  nu_team_expect_refusal();
  numann_status status = nu_arguments_parse(&args, argc, argv, &err);
  if (status == NUMANN_OK) status = dispatch(&args, &err);
  else status = agree_on_line(&args, status, &err);
  nu_arguments_clear(&args);
  report(&args, status, &err);
  nu_comm_finish(status);
  exit((int)status);
}
