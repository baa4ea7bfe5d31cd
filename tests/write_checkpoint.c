/* The victim of checkpoint_kill.sh. SPDX-License-Identifier: MIT
 *   write_checkpoint FOLDER N    checkpoints of steps 1 to N, keeping 2; "durable <step>" after
 *                                each
 *   write_checkpoint FOLDER      what a resume would find: "newest <step>", or "none"; fails when
 *                                nothing is valid or a number is not what that step should hold */
#include <stdio.h>
#include <stdlib.h>

#include "checkpoint_sample.h"

static const size_t sizes[] = {20, 30, 7, 4};

/* Checkpoints stand where a run has them, under its lock. */
static int write_steps(const char *folder, uint64_t n, numann_error *err) {
  nu_run_lock lock;
  if (nu_run_lock_take(&lock, folder, err) != NUMANN_OK) return EXIT_FAILURE;
  char *checkpoints = sample_path(folder, "checkpoints");
  numann_status status = NUMANN_OK;
  for (uint64_t step = 1; step <= n && status == NUMANN_OK; step++) {
    nu_saved saved = sample_create(SAMPLE_CHECKPOINT, 3, sizes, step);
    status = nu_checkpoint_write(checkpoints, &saved, 2, 0, err);
    nu_saved_clear(&saved);
    if (status == NUMANN_OK) printf("durable %d\n", (int)step);
    fflush(stdout);
  }
  free(checkpoints);
  nu_run_lock_release(&lock);
  return status == NUMANN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int find_newest(const char *folder, numann_error *err) {
  char *checkpoints = sample_path(folder, "checkpoints");
  nu_saved saved;
  bool found;
  numann_status status =
      nu_checkpoint_newest(&saved, &found, checkpoints, NU_FOR_ANSWERS, NULL, err);
  free(checkpoints);
  if (status != NUMANN_OK) return EXIT_FAILURE;
  if (!found) return puts("none") < 0;
  nu_saved expected = sample_create(SAMPLE_CHECKPOINT, 3, sizes, saved.state.step);
  bool equal = sample_equal(&saved, &expected);
  printf("newest %d\n", (int)saved.state.step);
  nu_saved_clear(&expected);
  nu_saved_clear(&saved);
  return equal ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
  numann_error err = {NUMANN_OK, "wrong usage or wrong numbers"};
  int result = EXIT_FAILURE;
  if (argc == 2) result = find_newest(argv[1], &err);
  if (argc == 3) result = write_steps(argv[1], strtoull(argv[2], NULL, 10), &err);
  if (result != EXIT_SUCCESS) fprintf(stderr, "write_checkpoint: %s\n", err.message);
  return result;
}
