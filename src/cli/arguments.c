/* Tables of commands and options, and the parser that reads them. SPDX-License-Identifier: MIT */
#include "cli/arguments.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/keys.h"

static const nu_command commands[NU_COMMANDS] = {
    [NU_COMMAND_TRAIN] =
        {"train", "CONFIG", 1, 1, "train the network that a config file describes",
         "Reads the config and its data, trains, and writes a run folder with the effective\n"
         "config, metrics, checkpoints, the model and a report. SIGINT, SIGTERM and SIGUSR1 stop\n"
         "at the next step, save a checkpoint and exit with code 75; --resume goes on from there.\n"
         "So does the end of train.max_time. --resume=auto begins, goes on, or leaves a finished\n"
         "run as it is: the one line of every job of a chain. ${NAME} in --out and --set is a\n"
         "variable of the environment, as in the config.\n"
         "The weights do not depend on threads, strategy, ranks or interruptions.\n"
         "With --virtual-ranks it rehearses a job of that many ranks: each is a thread of this\n"
         "process, with one thread of its own unless a number is given; one rank trains first, "
         "for\n"
         "comparison, and the weights must be the same to the last bit. Messages and bytes of a\n"
         "step are counted, and its time on real ranks predicted. Nothing is written.\n",
         "numann train configs/digits.yaml\n"
         "numann train configs/digits.yaml --set train.epochs=5 --threads 2 --out runs/short\n"
         "numann train configs/digits.yaml --resume\n"
         "numann train configs/digits.yaml --set train.max_time=slurm --resume=auto\n"
         "numann train configs/digits.yaml --overwrite --json > result.json\n"
         "numann train configs/digits.yaml --virtual-ranks 8 --set train.grain=4 --steps 20 "
         "--network 10GB/s,2us\n"},
    [NU_COMMAND_EVAL] =
        {"eval", "MODEL|RUN_DIR [DATA [LABELS]]", 1, 3,
         "measure a model on data with known answers",
         "Without DATA: the test rows that the run's config names. DATA is a CSV or NPY table, or\n"
         "an IDX or NPY array of inputs with its LABELS. Prints losses, accuracy or rmse, "
         "precision\n"
         "and recall of each class and the confusion matrix.\n",
         "numann eval runs/digits\n"
         "numann eval runs/digits/model.safetensors new.csv --json\n"},
    [NU_COMMAND_PREDICT] =
        {"predict", "MODEL|RUN_DIR [FILE|-]", 1, 2, "let a model answer for new rows",
         "Reads rows as CSV or NPY from FILE or standard input, and writes one answer a row: for\n"
         "classes the name and a probability for each class, else the numbers in the target's own\n"
         "unit. Columns are found by name where the file has a header.\n",
         "numann predict runs/digits new.csv\n"
         "numann predict runs/digits - < new.csv --output answers.csv\n"
         "numann predict runs/digits new.npy --format npy --output answers.npy\n"},
    [NU_COMMAND_INFO] =
        {"info", "MODEL|RUN_DIR|CONFIG", 1, 1, "show layers, parameters, config and hash",
         "What a model, a checkpoint or a run holds; for a config what would be trained: rows,\n"
         "layers and the plan for this machine.\n",
         "numann info runs/digits\n"
         "numann info configs/digits.yaml --json\n"},
    [NU_COMMAND_GRADCHECK] =
        {"gradcheck", "CONFIG", 1, 1, "check the gradients of a config's network",
         "Compares a plain double-precision gradient with central differences, and the engine's\n"
         "gradient with the plain one; prints the worst per layer and fails above the bound.\n",
         "numann gradcheck configs/digits.yaml\n"},
    [NU_COMMAND_TOPO] =
        {"topo", "", 0, 0, "draw the machine and what may be used of it",
         "Packages, NUMA nodes, caches and cores as hwloc sees them, with the affinity mask, the\n"
         "cgroup limits and those of OpenMP, and which of them sets the thread limit. Under a\n"
         "launcher (mpirun, srun) the first rank's, and below it the job: a line a host, and what "
         "is\n"
         "slow about it.\n",
         "numann topo\n"
         "mpirun -n 4 numann topo\n"
         "taskset -c 0 numann topo --json\n"
         "numann topo --topology 'pack:2 numa:2 l3:2 core:8 pu:2'\n"},
    [NU_COMMAND_PLAN] =
        {"plan", "[CONFIG]", 0, 1, "say how a training would run here, and what it would take",
         "Threads, strategy and groups that auto chooses, with the reason and the time of every\n"
         "alternative; for each layer its shares, its time and what bounds it; cache blocks; and "
         "the\n"
         "memory by purpose; which thread runs on which core, and which part of the memory lies on "
         "which\n"
         "NUMA node. Nothing is trained. Times are estimates, the memory is counted. --row\n"
         "plans a network of `numann bench rows` instead of a config's. The rates that the "
         "estimates\n"
         "stand on are measured and kept anew with --set parallel.calibration=refresh. --ranks "
         "plans for\n"
         "the first of so many ranks, and says what each has and sends in a step, and how much "
         "faster\n"
         "than one they are on a network. Under a launcher (mpirun, srun) the ranks are those of "
         "the\n"
         "job, which is shown too, a line a host.\n",
         "numann plan configs/digits.yaml\n"
         "mpirun -n 4 numann plan configs/mnist.yaml\n"
         "numann plan configs/digits.yaml --threads 4 --set parallel.strategy=hybrid\n"
         "numann plan configs/digits.yaml --set parallel.calibration=refresh\n"
         "numann plan --row wide --json\n"
         "numann plan --row fullbatch --ranks 16 --network 100Gbit/s,1.5us\n"
         "numann plan --row wide --topology 'pack:2 numa:2 l3:2 core:8 pu:2' --isa avx2 --svg "
         "placement.svg\n"},
    [NU_COMMAND_BENCH] =
        {"bench", "peak|step|phases|kernels|nodes|rows|read CONFIG", 1, 2,
         "measure this machine and the engine on it",
         "peak: fused multiply-adds in registers (the arithmetic peak) and memory bandwidth, on "
         "the\n"
         "threads that training would use. step: whole training steps of a network on generated "
         "data\n"
         "larger than the caches, with slices of the peak between them; their ratio is the "
         "fraction\n"
         "of the peak. phases: the same step in its phases, the ceiling that padding and "
         "functions\n"
         "set to that fraction, and where the rest of the time goes. kernels: each kernel alone.\n"
         "nodes: the bandwidth from the cores of each NUMA node to the memory of each. rows: the "
         "named\n"
         "networks that --row knows. A step counts 2 B (3 sum K N - K1 N1) flops; a run whose "
         "peak\n"
         "moved by more than 5 % is marked. read: the data of a config, from its files to where\n"
         "training would begin.\n",
         "numann bench peak\n"
         "numann bench step --row mnist --threads 2\n"
         "numann bench phases --row mnist --threads 1\n"
         "numann bench step --layers 100,300,2 --batch 64 --activation tanh --optimizer adam "
         "--json\n"
         "numann bench nodes --seconds 10\n"
         "numann bench rows\n"
         "numann bench read train.yaml\n"},
    [NU_COMMAND_HELP] =
        {"help", "[COMMAND|config]", 0, 2, "explain a command, or all config keys",
         "`numann help config` lists every key of a config file with its default and bounds.\n",
         "numann help train\n"
         "numann help config\n"},
};

#define BIT(command) (1u << NU_COMMAND_##command)
#define WITH_CONFIG \
  (BIT(TRAIN) | BIT(EVAL) | BIT(PREDICT) | BIT(INFO) | BIT(GRADCHECK) | BIT(BENCH) | BIT(PLAN))
#define WITH_RESULT \
  (BIT(TRAIN) | BIT(EVAL) | BIT(INFO) | BIT(GRADCHECK) | BIT(TOPO) | BIT(BENCH) | BIT(PLAN))
#define WITH_ROW (BIT(BENCH) | BIT(PLAN))
#define WITH_ALL ((1u << NU_COMMANDS) - 1)
#define ALONE (1u << NU_COMMANDS)

static const nu_option options[NU_OPTIONS] = {
    [NU_OPTION_SET] = {"set", 0, "KEY=VALUE",
                       "set a config key, such as train.epochs=5 (may be repeated)", WITH_CONFIG},
    [NU_OPTION_THREADS] = {"threads", 't', "N|auto",
                           "threads: exactly N, or as many as pay and the job may use",
                           WITH_CONFIG},
    [NU_OPTION_OUT] = {"out", 'o', "DIR", "run folder (default: runs/<name of the config>)",
                       BIT(TRAIN)},
    [NU_OPTION_RESUME] = {"resume", 0, "[=auto]",
                          "go on from the newest valid checkpoint of the run; auto: and do nothing "
                          "where it is finished",
                          BIT(TRAIN)},
    [NU_OPTION_OVERWRITE] = {"overwrite", 0, NULL, "replace the run that the folder holds",
                             BIT(TRAIN)},
    [NU_OPTION_EXPLAIN_PLACEMENT] =
        {"explain-placement", 0, NULL,
         "say which thread and page belong where, and whether they are there", BIT(TRAIN)},
    [NU_OPTION_VIRTUAL_RANKS] =
        {"virtual-ranks", 0, "N",
         "rehearse: train as N ranks in this process, compare with one, and predict the step",
         BIT(TRAIN)},
    [NU_OPTION_STEPS] = {"steps", 0, "N",
                         "rehearse the first N steps (default: the whole training)", BIT(TRAIN)},
    [NU_OPTION_RANKS] =
        {"ranks", 0, "N",
         "plan for N ranks, each on a machine of its own like this one; else for those of the job",
         BIT(PLAN)},
    [NU_OPTION_NETWORK] =
        {"network", 0, "BANDWIDTH,LATENCY",
         "between the ranks, such as 10GB/s,2us or 100Gbit/s,1us (default: the memory of one host)",
         BIT(TRAIN) | BIT(PLAN)},
    [NU_OPTION_OUTPUT] = {"output", 'o', "FILE", "write the answers there (default: stdout)",
                          BIT(PREDICT)},
    [NU_OPTION_FORMAT] = {"format", 0, "csv|npy",
                          "format of the answers (default: npy for an --output that ends in .npy, "
                          "else csv)",
                          BIT(PREDICT)},
    [NU_OPTION_ROW] = {"row", 0, "NAME", "a named network and its setting (default: mnist)",
                       WITH_ROW},
    [NU_OPTION_LAYERS] = {"layers", 0, "N,N,N", "inputs, then the neurons of each layer", WITH_ROW},
    [NU_OPTION_BATCH] = {"batch", 'b', "N", "rows in a batch", WITH_ROW},
    [NU_OPTION_ACTIVATION] = {"activation", 0, "NAME", "activation of the hidden layers", WITH_ROW},
    [NU_OPTION_LOSS] = {"loss", 0, "NAME", "loss; it decides the output's activation", WITH_ROW},
    [NU_OPTION_OPTIMIZER] = {"optimizer", 0, "NAME", "optimiser", WITH_ROW},
    [NU_OPTION_SECONDS] = {"seconds", 0, "S", "time to measure (default: 4)", BIT(BENCH)},
    [NU_OPTION_TOPOLOGY] =
        {"topology", 0, "TEXT|FILE.xml",
         "another machine: hwloc's words, such as 'pack:2 numa:2 core:8 pu:2', or "
         "a file of lstopo",
         BIT(TOPO) | BIT(PLAN)},
    [NU_OPTION_ISA] = {"isa", 0, "NAME",
                       "estimate with the shipped rates of an instruction set, such as avx2",
                       BIT(PLAN)},
    [NU_OPTION_SVG] = {"svg", 0, "FILE", "draw the placement into a file, too", BIT(PLAN)},
    [NU_OPTION_JSON] = {"json", 0, NULL, "print one JSON object on stdout", WITH_RESULT},
    [NU_OPTION_QUIET] = {"quiet", 'q', NULL, "no progress and no notes; errors and results only",
                         WITH_ALL},
    [NU_OPTION_VERBOSE] = {"verbose", 'v', NULL,
                           "with --version: compiler, flags, instruction sets, libraries",
                           WITH_ALL | ALONE},
    [NU_OPTION_VERSION] = {"version", 'V', NULL, "print the version and end", WITH_ALL | ALONE},
    [NU_OPTION_HELP] = {"help", 'h', NULL, "explain the command and end", WITH_ALL | ALONE},
};

const nu_command *nu_command_row(nu_command_id command) { return &commands[command]; }

const nu_option *nu_option_row(nu_option_id option) { return &options[option]; }

bool nu_command_takes(nu_command_id command, nu_option_id option) {
  return (options[option].commands & (1u << command)) != 0;
}

nu_command_id nu_command_named(const char *name) {
  size_t i = 0;
  while (i < NU_COMMANDS && strcmp(commands[i].name, name) != 0) i++;
  return (nu_command_id)i;
}

/* ---- suggestions */

/* A name is worth suggesting when less than half of it is wrong. */
static void keep_nearer(const char *given, const char *name, const char **best, size_t *distance) {
  size_t d = nu_edit_distance(given, name);
  if (d >= *distance || 2 * d > strlen(name)) return;
  *best = name;
  *distance = d;
}

numann_status nu_fail_command(const char *name, numann_error *err) {
  const char *best = NULL;
  size_t distance = SIZE_MAX;
  for (size_t i = 0; i < NU_COMMANDS; i++) keep_nearer(name, commands[i].name, &best, &distance);
  if (best)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: no command '%s'; did you mean '%s'? (numann --help lists all)",
                   name, best);
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "command line: no command '%s'; numann --help lists all commands", name);
}

static numann_status fail_option(const char *word, nu_command_id command, numann_error *err) {
  const char *best = NULL;
  size_t distance = SIZE_MAX;
  for (size_t i = 0; i < NU_OPTIONS; i++)
    if (nu_command_takes(command, (nu_option_id)i))
      keep_nearer(word + strspn(word, "-"), options[i].name, &best, &distance);
  const char *name = command < NU_COMMANDS ? commands[command].name : "";
  const char *blank = command < NU_COMMANDS ? " " : "";
  if (best)
    return nu_fail(err, NUMANN_ERR_CONFIG, "command line: unknown option %s; did you mean --%s?",
                   word, best);
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "command line: unknown option %s; 'numann %s%s--help' lists all options", word,
                 name, blank);
}

/* ---- parsing */

typedef struct parser {
  int argc;
  char *const *argv;
  int at; /* index of the next word */
  bool options_end;
} parser;

static bool has_name(const nu_option *option, const char *word, size_t n) {
  return strlen(option->name) == n && memcmp(option->name, word, n) == 0;
}

/* "--name", "--name=value" or "-x". Of options with one letter the command's own counts. */
static nu_option_id find_option(const char *word, nu_command_id command) {
  bool is_long = word[1] == '-';
  size_t n = is_long ? strcspn(word + 2, "=") : 0;
  nu_option_id found = NU_OPTIONS;
  for (size_t i = 0; i < NU_OPTIONS; i++) {
    bool same = is_long ? has_name(&options[i], word + 2, n)
                        : options[i].letter != 0 && options[i].letter == word[1] && word[2] == '\0';
    if (same && (found == NU_OPTIONS || nu_command_takes(command, (nu_option_id)i)))
      found = (nu_option_id)i;
  }
  return found;
}

static numann_status check_place(nu_option_id option, nu_command_id command, numann_error *err) {
  if (nu_command_takes(command, option)) return NUMANN_OK;
  if (command == NU_COMMANDS)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: --%s stands before the command; write 'numann COMMAND --%s'",
                   options[option].name, options[option].name);
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "command line: '%s' has no option --%s; 'numann %s --help' lists its options",
                 commands[command].name, options[option].name, commands[command].name);
}

/* "[=auto]": a flag, or that very word behind it. */
static numann_status take_choice(const nu_option *row, const char *equals, const char **value,
                                 numann_error *err) {
  const char *word = row->argument + 1;
  size_t n = strcspn(word, "]");
  *value = equals ? equals + 1 : "";
  if (!equals || (strlen(equals) == n && memcmp(equals, word, n) == 0)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG, "command line: --%s%s: expected --%s or --%s%.*s",
                 row->name, equals, row->name, row->name, (int)n, word);
}

static numann_status take_value(parser *p, const char *word, nu_option_id option,
                                const char **value, numann_error *err) {
  const nu_option *row = &options[option];
  const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
  if (nu_option_is_choice(row)) return take_choice(row, equals, value, err);
  if (!row->argument && equals)
    return nu_fail(err, NUMANN_ERR_CONFIG, "command line: --%s takes no value, found '%s'",
                   row->name, equals + 1);
  if (!row->argument) *value = "";
  else if (equals) *value = equals + 1;
  else if (p->at < p->argc) *value = p->argv[p->at++];
  else
    return nu_fail(err, NUMANN_ERR_CONFIG, "command line: --%s needs a value: --%s %s", row->name,
                   row->name, row->argument);
  return NUMANN_OK;
}

static numann_status parse_option(nu_arguments *args, parser *p, const char *word,
                                  numann_error *err) {
  nu_option_id option = find_option(word, args->command);
  if (option == NU_OPTIONS) return fail_option(word, args->command, err);
  NU_TRY(check_place(option, args->command, err));
  NU_TRY(take_value(p, word, option, &args->value[option], err));
  if (option == NU_OPTION_SET) args->sets[args->n_sets++] = args->value[option];
  return NUMANN_OK;
}

static numann_status parse_operand(nu_arguments *args, const char *word, numann_error *err) {
  if (args->command == NU_COMMANDS) {
    args->command = nu_command_named(word);
    return args->command == NU_COMMANDS ? nu_fail_command(word, err) : NUMANN_OK;
  }
  const nu_command *command = &commands[args->command];
  if (args->n_operands >= command->most && strcmp(word, "auto") == 0 &&
      nu_given(args, NU_OPTION_RESUME))
    return nu_fail(err, NUMANN_ERR_CONFIG, "command line: '%s' is too much; write --resume=%s",
                   word, word);
  if (args->n_operands >= command->most)
    return nu_fail(err, NUMANN_ERR_CONFIG, "command line: '%s' is too much; usage: numann %s %s",
                   word, command->name, command->operands);
  args->operands[args->n_operands++] = word;
  return NUMANN_OK;
}

static numann_status parse_words(nu_arguments *args, parser *p, numann_error *err) {
  while (p->at < p->argc) {
    const char *word = p->argv[p->at++];
    bool is_option = !p->options_end && word[0] == '-' && word[1] != '\0';
    if (is_option && strcmp(word, "--") == 0) p->options_end = true;
    else if (is_option) NU_TRY(parse_option(args, p, word, err));
    else NU_TRY(parse_operand(args, word, err));
  }
  return NUMANN_OK;
}

static numann_status check_operands(const nu_arguments *args, numann_error *err) {
  if (args->command == NU_COMMANDS || nu_given(args, NU_OPTION_HELP) ||
      nu_given(args, NU_OPTION_VERSION))
    return NUMANN_OK;
  const nu_command *command = &commands[args->command];
  if (args->n_operands < command->least)
    return nu_fail(err, NUMANN_ERR_CONFIG, "command line: usage: numann %s %s", command->name,
                   command->operands);
  if (nu_given(args, NU_OPTION_RESUME) && nu_given(args, NU_OPTION_OVERWRITE))
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: --resume keeps the run and --overwrite replaces it; give one");
  return NUMANN_OK;
}

numann_status nu_arguments_parse(nu_arguments *args, int argc, char *const *argv,
                                 numann_error *err) {
  *args = (nu_arguments){.command = NU_COMMANDS};
  args->sets = nu_alloc((size_t)argc, sizeof *args->sets);
  if (!args->sets) return nu_fail_memory(err, (size_t)argc * sizeof *args->sets, "options");
  parser p = {.argc = argc, .argv = argv, .at = 1};
  NU_TRY(parse_words(args, &p, err));
  return check_operands(args, err);
}

void nu_arguments_clear(nu_arguments *args) {
  free(args->sets);
  args->sets = NULL;
}
