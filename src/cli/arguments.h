/* The command line: one table of commands, one of options; parsing, --help, completion and the man
 * page all come from them. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_ARGUMENTS_H
#define NU_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef enum nu_command_id {
  NU_COMMAND_TRAIN,
  NU_COMMAND_EVAL,
  NU_COMMAND_PREDICT,
  NU_COMMAND_INFO,
  NU_COMMAND_GRADCHECK,
  NU_COMMAND_TOPO,
  NU_COMMAND_PLAN,
  NU_COMMAND_BENCH,
  NU_COMMAND_HELP,
  NU_COMMANDS /* also: no command was given */
} nu_command_id;

typedef enum nu_option_id {
  NU_OPTION_SET,
  NU_OPTION_THREADS,
  NU_OPTION_OUT,
  NU_OPTION_RESUME,
  NU_OPTION_OVERWRITE,
  NU_OPTION_EXPLAIN_PLACEMENT,
  NU_OPTION_VIRTUAL_RANKS,
  NU_OPTION_STEPS,
  NU_OPTION_RANKS,
  NU_OPTION_NETWORK,
  NU_OPTION_OUTPUT,
  NU_OPTION_FORMAT,
  NU_OPTION_ROW,
  NU_OPTION_LAYERS,
  NU_OPTION_BATCH,
  NU_OPTION_ACTIVATION,
  NU_OPTION_LOSS,
  NU_OPTION_OPTIMIZER,
  NU_OPTION_SECONDS,
  NU_OPTION_TOPOLOGY,
  NU_OPTION_ISA,
  NU_OPTION_SVG,
  NU_OPTION_JSON,
  NU_OPTION_QUIET,
  NU_OPTION_VERBOSE,
  NU_OPTION_VERSION,
  NU_OPTION_HELP,
  NU_OPTIONS
} nu_option_id;

#define NU_OPERANDS 3

typedef struct nu_arguments {
  nu_command_id command;
  const char *value[NU_OPTIONS]; /* NULL: not given; "" for a given flag; the last one wins */
  const char **sets; /* [n_sets] values of --set in order; owned, the texts are argv's */
  size_t n_sets;
  const char *operands[NU_OPERANDS];
  size_t n_operands;
} nu_arguments;

typedef struct nu_command {
  const char *name;
  const char *operands; /* "CONFIG", for the usage line */
  size_t least, most;   /* number of operands */
  const char *summary;  /* one line */
  const char *text;     /* a few lines for --help and the man page */
  const char *examples; /* shell lines, each ended by a newline */
} nu_command;

typedef struct nu_option {
  const char *name;     /* without the dashes */
  char letter;          /* 0 = none */
  const char *argument; /* "N|auto"; NULL for a flag; "[=auto]" for one that this may follow */
  const char *help;
  unsigned commands; /* bit 1 << nu_command_id for each command that has it */
} nu_option;

const nu_command *nu_command_row(nu_command_id command);
const nu_option *nu_option_row(nu_option_id option);
/* NU_COMMANDS when no command has this name. */
nu_command_id nu_command_named(const char *name);
/* Is it a flag that one word may follow, as in --resume=auto? */
static inline bool nu_option_is_choice(const nu_option *option) {
  return option->argument && option->argument[0] == '[';
}
bool nu_command_takes(nu_command_id command, nu_option_id option);

/* NUMANN_ERR_CONFIG for anything that the tables do not have, naming what is nearest. */
numann_status nu_arguments_parse(nu_arguments *args, int argc, char *const *argv,
                                 numann_error *err);
void nu_arguments_clear(nu_arguments *args);

/* The failure for an unknown command or help topic, with the nearest one. */
numann_status nu_fail_command(const char *name, numann_error *err);

static inline bool nu_given(const nu_arguments *args, nu_option_id option) {
  return args->value[option];
}

/* --resume=auto: a run that is finished or not yet begun is fine, too. */
static inline bool nu_resumes_automatically(const nu_arguments *args) {
  return args->value[NU_OPTION_RESUME] && args->value[NU_OPTION_RESUME][0] != '\0';
}

#endif
