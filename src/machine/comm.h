/* The communicator: the processes of one training, its ranks. SPDX-License-Identifier: MIT
 *
 * One primitive, an exchange of messages, carries everything that ranks tell each other; the rest
 * of this header is made of it. It may be begun, and ended after some computing. Three kinds of
 * ranks give it: one process alone, the processes of an MPI job (comm_mpi.c, the only file that
 * calls MPI), and the threads of one process that stand in for a job (comm_virtual.h). Floats
 * travel as bytes and are added by whoever receives them: no library's reduction comes near a
 * number that is trained with.
 *
 * Collective: every rank calls these functions at the same point of its program, from the thread
 * that made the communicator. A rank that is lost ends all others (comm_mpi.c). */
#ifndef NU_MACHINE_COMM_H
#define NU_MACHINE_COMM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Bytes for a rank, or from one. Between two ranks messages arrive in the order of their sending,
 * and are of the bytes that the other expects. */
typedef struct nu_message {
  size_t peer;
  void *at; /* of one that is sent: only read */
  size_t bytes;
} nu_message;

/* An exchange: messages to other ranks and from them, in any order, at most one each way for each
 * rank. From its begin to its end the lists stay, what is sent is not written and what is received
 * not read. Exchanges that are under way at the same time have different lanes; those of nu_comm_*
 * functions have lane 0. */
enum { NU_LANES = 5 };
typedef struct nu_mail {
  const nu_message *sends, *receives;
  size_t n_sends, n_receives;
  size_t lane;
} nu_mail;

typedef struct nu_comm nu_comm;
struct nu_comm {
  size_t rank, size; /* which of how many */
  uint64_t messages; /* sent so far by this rank, and their bytes */
  uint64_t bytes;
  bool broken; /* this rank alone has failed, where the others do not ask: it must end them */
  const size_t *firsts; /* [size]: of each rank the first one on its host; NULL: all are on one */
  /* NULL: all is done at the end. */
  void (*begin)(nu_comm *comm, const nu_mail *mail);
  /* Returns when the messages have arrived. NULL for one rank. */
  void (*end)(nu_comm *comm, const nu_mail *mail);
  /* Memory that ranks of one host read from each other (nu_comm_map); NULL: none do. */
  bool (*share)(nu_comm *comm, size_t bytes, void **areas);
  void (*unshare)(nu_comm *comm, void **areas);
  /* A poll of something in such memory has failed so often; waiting for `peer`. False: give up. */
  bool (*wait)(nu_comm *comm, size_t peer, size_t polls);
  void *self; /* of the kind */
};

/* Become a rank of the MPI job that this process was launched in, if it was; nothing else starts
 * MPI. NUMANN_ERR_CONFIG where a launcher started several processes that cannot become one job. */
numann_status nu_comm_start(numann_error *err);
/* Before the process ends with this status: every rank calls it, or one that is broken, which ends
 * the others. */
void nu_comm_finish(numann_status status);
/* Seconds to wait for a message before the job is ended with exit code 8; 0, as at the start: for
 * ever. `lost` is told who waited for whom, and how long, right before. */
typedef void nu_comm_lost_fn(size_t rank, size_t silent, double seconds);
void nu_comm_set_patience(double seconds, nu_comm_lost_fn *lost);
/* All ranks of this program: one, or those of the MPI job once nu_comm_start has found it. */
nu_comm *nu_comm_world(void);
/* One rank, whatever was launched. */
nu_comm *nu_comm_alone(void);
/* The name of the MPI library; NULL in a build without. */
const char *nu_comm_library(void);

/* A message that needs no sending, as its receiver reads it where it is. */
void nu_comm_count(nu_comm *comm, size_t bytes);
/* Counts, and begins; ends. Nothing to send and nothing to receive is no message. */
void nu_comm_begin(nu_comm *comm, const nu_mail *mail);
void nu_comm_end(nu_comm *comm, const nu_mail *mail);
/* At once. */
void nu_comm_exchange(nu_comm *comm, const nu_message *sends, size_t n_sends,
                      const nu_message *receives, size_t n_receives);

/* The first of the ranks on a rank's host. */
static inline size_t nu_comm_first(const nu_comm *comm, size_t rank) {
  return comm->firsts ? comm->firsts[rank] : 0;
}

/* Memory of `bytes` bytes or more for this rank, aligned to 64, that the ranks on its host can
 * read: areas[rank] is where this process sees it, NULL for ranks of other hosts; its own is
 * writable, and not zeroed. False, and only NULL, for a rank that is alone on its host, and for all
 * where a host has no room. Collective, as is giving it back. */
bool nu_comm_map(nu_comm *comm, size_t bytes, void **areas);
/* The same, zeroed, of which a rank has its own part, which nobody else sees, where there is no
 * such memory. False where memory is refused to any of them. */
bool nu_comm_share(nu_comm *comm, size_t bytes, void **areas);
/* Give either back; to be called last, as it waits for all on the host. */
void nu_comm_unshare(nu_comm *comm, void **areas);
/* Until *counter, in the area of `peer`, is `value` or more. */
void nu_comm_await(nu_comm *comm, size_t peer, atomic_uint_fast64_t *counter, uint64_t value);

/* Every rank's `bytes` bytes to every other: to[rank * bytes], its own included. */
void nu_comm_gather(nu_comm *comm, const void *from, void *to, size_t bytes);
/* Rank 0's bytes to all others. */
void nu_comm_spread(nu_comm *comm, void *at, size_t bytes);
/* On each host the first rank's bytes to the others there. */
void nu_comm_spread_here(nu_comm *comm, void *at, size_t bytes);
/* The largest of the ranks' numbers. */
uint64_t nu_comm_most(nu_comm *comm, uint64_t number);

/* An error on one rank is an error on all, so that none waits for another that has given up: the
 * status of the first rank that failed, its message in *err, with the rank's number before it where
 * not all have failed. */
numann_status nu_comm_agree(nu_comm *comm, numann_status status, numann_error *err);

/* Have all ranks the same number? A hash of what must be alike everywhere, such as the problem.
 * *other: the first rank whose number is not rank 0's. */
bool nu_comm_is_same(nu_comm *comm, uint64_t hash, size_t *other);

#endif
