/* SPDX-License-Identifier: MIT */
#include "machine/comm_launch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

static const struct {
  const char *size, *rank, *line;
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
     "the mpirun of the MPI that numann is built with"},
    {"PMI_SIZE", "PMI_RANK", "the mpiexec of the MPI that numann is built with"},
    {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID",
     "srun --mpi=pmix, or --mpi=pmi2 (srun --mpi=list tells which it has)"},
};

static size_t number_in(const char *variable) {
  const char *text = getenv(variable);
  uint64_t n = 0;
  return text && nu_parse_count(text, strlen(text), &n) ? (size_t)n : 0;
}

/* Without, some MPI libraries end the process where they should start. */
static bool offers_pmi(void) {
  static const char *const variables[] = {"PMIX_RANK", "PMI_RANK", "PMI_FD",
                                          "OMPI_COMM_WORLD_RANK"};
  bool offers = false;
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
    offers |= getenv(variables[i]) != NULL;
  return offers;
}

nu_comm_launch nu_comm_read_launch(void) {
  const char *off = getenv("NUMANN_MPI");
  if (off && strcmp(off, "off") == 0) return (nu_comm_launch){0};
  for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
    size_t size = number_in(launchers[i].size);
    if (size > 0)
      return (nu_comm_launch){size, number_in(launchers[i].rank), launchers[i].size,
                              launchers[i].line, offers_pmi()};
  }
  return (nu_comm_launch){0};
}

numann_status nu_comm_refuse_launch(const nu_comm_launch *launch, numann_error *err,
                                    const char *format, ...) {
  char why[256];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "%s=%zu: so many processes were started, but %s; use %s, or set NUMANN_MPI=off "
                 "for as many separate trainings",
                 launch->variable, launch->size, why, launch->line);
}
