/* A folder that stands for "/". SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "fake_root.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run_shell(const char *format, const char *argument) {
  char command[1200];
  snprintf(command, sizeof command, format, argument);
  ck_assert_int_eq(system(command), 0);
}

void fake_root_make(char root[FAKE_ROOT]) {
  const char *folder = getenv("TMPDIR");
  snprintf(root, FAKE_ROOT, "%s/numann-machine-XXXXXX", folder != NULL ? folder : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(root));
}

void fake_root_write(const char *root, const char *name, const char *text) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", root, name);
  run_shell("mkdir -p \"$(dirname '%s')\"", path);
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  fputs(text, file);
  ck_assert_int_eq(fclose(file), 0);
}

void fake_root_write_all(const char *root, const fake_file *files, int most) {
  for (int i = 0; i < most && files[i].name != NULL; i++)
    fake_root_write(root, files[i].name, files[i].text);
}

void fake_root_remove(const char *root) { run_shell("rm -r '%s'", root); }

void fake_launch(const char *const *variables, int most) {
  static const char *const names[] = {"OMP_NUM_THREADS",
                                      "OMP_PLACES",
                                      "OMP_PROC_BIND",
                                      "OMPI_COMM_WORLD_LOCAL_SIZE",
                                      "MPI_LOCALNRANKS",
                                      "SLURM_JOB_ID",
                                      "SLURM_CPUS_PER_TASK",
                                      "SLURM_CPUS_ON_NODE",
                                      "SLURM_JOB_CPUS_PER_NODE",
                                      "SLURM_NODEID",
                                      "SLURM_STEP_TASKS_PER_NODE",
                                      "SLURM_NTASKS_PER_NODE",
                                      "SLURM_TASKS_PER_NODE",
                                      "SLURM_NTASKS"};
  char name[64];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
  for (int i = 0; i < most && variables[i] != NULL; i++) {
    size_t n = strcspn(variables[i], "=");
    snprintf(name, sizeof name, "%.*s", (int)n, variables[i]);
    setenv(name, variables[i] + n + 1, 1);
  }
}
