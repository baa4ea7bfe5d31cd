/* The twin of comm_mpi.c in a build without MPI: one rank. SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "machine/comm.h"
#include "machine/comm_launch.h"

numann_status nu_comm_start(numann_error *err) {
  nu_comm_launch launch = nu_comm_read_launch();
  if (launch.size < 2) return NUMANN_OK;
  return nu_comm_refuse_launch(
      &launch, err,
      "this numann was built without MPI (./configure --with-mpi), and each of them would train "
      "on its own");
}

void nu_comm_finish(numann_status status) { (void)status; }

void nu_comm_set_patience(double seconds, nu_comm_lost_fn *lost) {
  (void)seconds;
  (void)lost;
}

nu_comm *nu_comm_world(void) { return nu_comm_alone(); }

const char *nu_comm_library(void) { return NULL; }
