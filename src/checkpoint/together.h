/* A checkpoint that all ranks of a training write into one file, each a range of it.
 * SPDX-License-Identifier: MIT
 *
 *   rank 0   makes the temporary file, reserves its space, writes a token at its beginning, and
 *            tells its path
 *   others   open it by that path; where one cannot, or finds another token, rank 0 writes alone,
 *            this time and from then on
 *   all      put their ranges and synchronise them; rank 0 hashes the weights meanwhile
 *   rank 0   when all have succeeded: the header, then the end of the durable protocol (durable.h);
 *            else it removes the temporary file
 * The bytes are those that rank 0 alone would have written. No two ranks write into one page of the
 * file, as hosts of a network file system write back pages. */
#ifndef NU_CHECKPOINT_TOGETHER_H
#define NU_CHECKPOINT_TOGETHER_H

#include "checkpoint/checkpoint.h"
#include "machine/comm.h"

struct nu_writers {
  nu_comm *comm;    /* borrowed */
  bool called;      /* rank 0 has told the others what to do for this checkpoint */
  bool alone;       /* rank 0 writes alone, as other ranks do not reach the file */
  numann_error why; /* they do not */
};

/* Rank 0: nu_saved_write by all, who meanwhile are in nu_writers_help. */
numann_status nu_saved_write_together(nu_writers *writers, const char *path, const nu_saved *saved,
                                      numann_error *err);
/* Rank 0, last of a checkpoint: the others need wait no longer where it has not called them. */
void nu_writers_dismiss(nu_writers *writers);

/* The other ranks, with the same arrays: until the checkpoint is written, or rank 0 has failed to.
 * What fails here is rank 0's error. */
void nu_writers_help(nu_comm *comm, const nu_saved *saved);

#endif
