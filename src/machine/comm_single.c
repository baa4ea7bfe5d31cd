/* One process: rank 0 of 1. SPDX-License-Identifier: MIT */
#include "machine/comm.h"

nu_comm nu_comm_world(void) { return (nu_comm){.rank = 0, .size = 1}; }

numann_status nu_comm_agree(const nu_comm *comm, numann_status status, numann_error *err) {
  (void)comm;
  (void)err;
  return status;
}

bool nu_comm_is_same(const nu_comm *comm, uint64_t hash) {
  (void)comm;
  (void)hash;
  return true;
}
