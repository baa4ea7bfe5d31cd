/* --help, --version, `numann help`, shell completion and the man page, all from the two tables.
 * SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <stdio.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/command.h"
#include "config/config.h"
#include "kernels/kernels.h"
#include "machine/comm.h"
#include "machine/machine.h"
#include "machine/team.h"
#include "numann/version.h"

#define SUMMARY                                                                                \
  "Train fully connected neural networks on the CPUs that you have: fast, and with the same\n" \
  "weights to the last bit for any number of threads.\n"

/* ---- --help */

static void add_option(nu_text *out, const nu_option *option) {
  char left[64];
  char letter[5] = "    ";
  if (option->letter != 0) snprintf(letter, sizeof letter, "-%c, ", option->letter);
  bool apart = option->argument && !nu_option_is_choice(option);
  snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, apart ? " " : "",
           option->argument ? option->argument : "");
  nu_text_addf(out, "  %-24s %s\n", left, option->help);
}

static void add_options(nu_text *out, nu_command_id command) {
  nu_text_add(out, "\nOptions:\n");
  for (size_t i = 0; i < NU_OPTIONS; i++)
    if (nu_command_takes(command, (nu_option_id)i)) add_option(out, nu_option_row((nu_option_id)i));
}

/* Each line of `lines` with `prefix` in front. */
static void add_lines(nu_text *out, const char *prefix, const char *lines) {
  while (*lines != '\0') {
    size_t n = strcspn(lines, "\n") + 1;
    nu_text_add(out, prefix);
    nu_text_append(out, lines, n);
    lines += n;
  }
}

static void add_overview(nu_text *out) {
  nu_text_add(out, "usage: numann COMMAND [OPTIONS] [ARGUMENTS]\n\n" SUMMARY "\nCommands:\n");
  for (size_t i = 0; i < NU_COMMANDS; i++) {
    const nu_command *command = nu_command_row((nu_command_id)i);
    nu_text_addf(out, "  %-10s %s\n", command->name, command->summary);
  }
  add_options(out, NU_COMMANDS);
  nu_text_add(out, "\nExamples:\n");
  for (size_t i = 0; i < NU_COMMANDS; i++) {
    const char *examples = nu_command_row((nu_command_id)i)->examples;
    nu_text_add(out, "  ");
    nu_text_append(out, examples, strcspn(examples, "\n") + 1);
  }
  nu_text_add(out,
              "\n'numann COMMAND --help' explains a command, 'numann help config' every key of a "
              "config.\n");
}

static void add_command(nu_text *out, nu_command_id id) {
  const nu_command *command = nu_command_row(id);
  nu_text_addf(out, "usage: numann %s [OPTIONS] %s\n\n%s", command->name, command->operands,
               command->text);
  add_options(out, id);
  nu_text_add(out, "\nExamples:\n");
  add_lines(out, "  ", command->examples);
}

numann_status nu_print_help(const nu_arguments *args, numann_error *err) {
  nu_text out = {0};
  if (args->command == NU_COMMANDS) add_overview(&out);
  else add_command(&out, args->command);
  return nu_print_text(&out, err);
}

void nu_print_usage(void) {
  nu_text out = {0};
  add_overview(&out);
  fputs(nu_text_view(&out), stderr);
  nu_text_clear(&out);
}

/* ---- --version */

static void add_build(nu_text *out) {
  nu_text_addf(out, "numerics    version %d\n", NUMANN_NUMERICS_VERSION);
  nu_text_addf(out, "compiler    %s (%s)\n", NUMANN_COMPILER, __VERSION__);
  nu_text_addf(out, "flags       %s\n", NUMANN_CFLAGS);
  nu_text_add(out, "kernels    ");
  for (size_t i = 0; i < NU_ISAS; i++)
    if (nu_kernels_named(nu_isa_names[i])) nu_text_addf(out, " %s", nu_isa_names[i]);
  const nu_kernels *chosen = nu_kernels_select();
  nu_text_addf(out, " (used: %s)\n", chosen ? chosen->isa : "none, see NUMANN_ISA");
  nu_text_addf(out, "topology    %s\n", nu_machine_library());
  nu_text_addf(out, "threads     %s\n", nu_team_library());
  const char *mpi = nu_comm_library();
  nu_text_addf(out, "ranks       %s\n", mpi ? mpi : "one (built without MPI)");
}

numann_status nu_print_version(const nu_arguments *args, numann_error *err) {
  nu_text out = {0};
  nu_text_addf(&out, "numann %s\n", numann_version());
  if (nu_given(args, NU_OPTION_VERBOSE)) add_build(&out);
  return nu_print_text(&out, err);
}

/* ---- completion: `numann help completion [COMMAND]` gives the words that may follow */

static void add_option_words(nu_text *out, const nu_option *option) {
  nu_text_addf(out, "--%s\n", option->name);
  if (!nu_option_is_choice(option)) return;
  const char *word = option->argument + 1;
  nu_text_addf(out, "--%s%.*s\n", option->name, (int)strcspn(word, "]"), word);
}

static numann_status add_completion(nu_text *out, const char *name, numann_error *err) {
  nu_command_id command = name ? nu_command_named(name) : NU_COMMANDS;
  if (name && command == NU_COMMANDS) return nu_fail_command(name, err);
  for (size_t i = 0; !name && i < NU_COMMANDS; i++)
    nu_text_addf(out, "%s\n", nu_command_row((nu_command_id)i)->name);
  for (size_t i = 0; i < NU_OPTIONS; i++)
    if (nu_command_takes(command, (nu_option_id)i))
      add_option_words(out, nu_option_row((nu_option_id)i));
  return NUMANN_OK;
}

/* ---- the man page: `numann help man` */

/* Text for troff: a minus sign is not a hyphen, and a leading dot is no request. */
static void add_troff(nu_text *out, const char *text) {
  for (const char *c = text; *c != '\0'; c++) {
    bool starts_line = c == text || c[-1] == '\n';
    if (*c == '\\' || *c == '-') nu_text_add(out, "\\");
    if (starts_line && (*c == '.' || *c == '\'')) nu_text_add(out, "\\&");
    nu_text_append(out, c, 1);
  }
}

static void add_man_commands(nu_text *out) {
  nu_text_add(out, ".SH COMMANDS\n");
  for (size_t i = 0; i < NU_COMMANDS; i++) {
    const nu_command *command = nu_command_row((nu_command_id)i);
    nu_text_addf(out, ".TP\n.B numann %s ", command->name);
    add_troff(out, command->operands);
    nu_text_add(out, "\n");
    add_troff(out, command->text);
  }
}

static void add_man_scope(nu_text *out, const nu_option *option) {
  const char *separator = "For ";
  for (size_t i = 0; i < NU_COMMANDS; i++) {
    if (!nu_command_takes((nu_command_id)i, (nu_option_id)(option - nu_option_row(0)))) continue;
    nu_text_addf(out, "%s%s", separator, nu_command_row((nu_command_id)i)->name);
    separator = ", ";
  }
  nu_text_add(out, ".\n");
}

static void add_man_options(nu_text *out) {
  nu_text_add(out, ".SH OPTIONS\n");
  for (size_t i = 0; i < NU_OPTIONS; i++) {
    const nu_option *option = nu_option_row((nu_option_id)i);
    nu_text_add(out, ".TP\n.B ");
    if (option->letter != 0) nu_text_addf(out, "\\-%c, ", option->letter);
    nu_text_add(out, "\\-\\-");
    add_troff(out, option->name);
    nu_text_addf(out, "%s%s\n", nu_option_is_choice(option) ? "" : " ",
                 option->argument ? option->argument : "");
    add_troff(out, option->help);
    nu_text_add(out, ".\n");
    add_man_scope(out, option);
  }
}

static void add_man_examples(nu_text *out) {
  nu_text_add(out, ".SH EXAMPLES\n.nf\n");
  for (size_t i = 0; i < NU_COMMANDS; i++)
    add_troff(out, nu_command_row((nu_command_id)i)->examples);
  nu_text_add(out, ".fi\n");
}

static const char man_end[] =
    ".SH FILES\n"
    "A run folder holds config.yaml (the effective config), metrics.csv, metrics.jsonl,\n"
    "checkpoints/ck\\-STEP.safetensors, model.safetensors and report.html. The measured rates\n"
    "of this machine lie in $XDG_CACHE_HOME/numann or ~/.cache/numann.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.BR OMP_NUM_THREADS \", \" OMP_THREAD_LIMIT\n"
    "An upper limit of the threads that are chosen by themselves.\n"
    ".TP\n.B NUMANN_ISA\nThe instruction set to use: base, avx2, avx512 or avx512bf16;\n"
    "on Arm base or neon. It changes no weight.\n"
    ".TP\n.BR SLURM_JOB_ID \", \" SLURM_JOB_START_TIME \", \" SLURM_JOB_END_TIME\n"
    "Slurm's own, for train.max_time: slurm. Where the last is not set, squeue or scontrol\n"
    "are asked.\n"
    ".TP\n.B NO_COLOR\nNo colours on the terminal.\n"
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nDone.\n"
    ".TP\n.B 1\nA defect of numann.\n"
    ".TP\n.B 2\nThe command line or the config is wrong.\n"
    ".TP\n.B 3\nA data file is missing, truncated or malformed.\n"
    ".TP\n.B 4\nA model or checkpoint is invalid.\n"
    ".TP\n.B 5\nReading or writing failed.\n"
    ".TP\n.B 6\nMemory, threads or another resource was refused.\n"
    ".TP\n.B 7\nThe training diverged (the last sound weights are kept as a checkpoint), or the "
    "answers of a model are not finite.\n"
    ".TP\n.B 75\nStopped on request; what was trained is safe, run again with \\-\\-resume.\n"
    ".TP\n.B 130\nA second SIGINT ended the command at once.\n"
    ".SH SEE ALSO\n"
    ".B numann help config\nlists the keys of a config.\n";

static void add_man_page(nu_text *out) {
  nu_text_add(out,
              ".\\\" Written by 'numann help man' from the command's own tables.\n"
              ".\\\" SPDX-License-Identifier: MIT\n");
  nu_text_addf(out, ".TH NUMANN 1 \"\" \"numann %s\" \"User Commands\"\n", numann_version());
  nu_text_add(out,
              ".SH NAME\nnumann \\- train dense neural networks on CPUs\n"
              ".SH SYNOPSIS\n.B numann\nCOMMAND [OPTIONS] [ARGUMENTS]\n"
              ".SH DESCRIPTION\n");
  add_troff(out, SUMMARY);
  add_man_commands(out);
  add_man_options(out);
  add_man_examples(out);
  nu_text_add(out, man_end);
}

/* ---- numann help [TOPIC] */

static numann_status add_topic(nu_text *out, const char *topic, const char *more,
                               numann_error *err) {
  if (strcmp(topic, "completion") == 0) return add_completion(out, more, err);
  if (strcmp(topic, "man") == 0) add_man_page(out);
  else if (strcmp(topic, "config") == 0)
    nu_config_reference(more && strcmp(more, "markdown") == 0, out);
  else if (nu_command_named(topic) != NU_COMMANDS) add_command(out, nu_command_named(topic));
  else return nu_fail_command(topic, err);
  return NUMANN_OK;
}

numann_status nu_command_help(const nu_arguments *args, numann_error *err) {
  nu_text out = {0};
  numann_status status = NUMANN_OK;
  if (args->n_operands == 0) add_overview(&out);
  else
    status =
        add_topic(&out, args->operands[0], args->n_operands > 1 ? args->operands[1] : NULL, err);
  if (status == NUMANN_OK) return nu_print_text(&out, err);
  nu_text_clear(&out);
  return status;
}
