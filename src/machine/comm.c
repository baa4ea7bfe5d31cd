/* What is made of exchanges, the same for every kind of ranks. SPDX-License-Identifier: MIT */
#include "machine/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Messages of a collective at a time: more ranks go through in rounds. */
enum { ROUND = 64 };

/* Nobody writes to it: one rank sends nothing, so there is nothing to count. */
static const nu_comm alone = {.rank = 0, .size = 1};

nu_comm *nu_comm_alone(void) {
  union {
    const nu_comm *given;
    nu_comm *at;
  } u = {&alone};
  return u.at;
}

void nu_comm_count(nu_comm *comm, size_t bytes) {
  comm->messages += bytes > 0;
  comm->bytes += bytes;
}

void nu_comm_begin(nu_comm *comm, const nu_mail *mail) {
  for (size_t i = 0; i < mail->n_sends; i++) nu_comm_count(comm, mail->sends[i].bytes);
  if (comm->begin && mail->n_sends + mail->n_receives > 0) comm->begin(comm, mail);
}

void nu_comm_end(nu_comm *comm, const nu_mail *mail) {
  if (mail->n_sends + mail->n_receives > 0) comm->end(comm, mail);
}

void nu_comm_exchange(nu_comm *comm, const nu_message *sends, size_t n_sends,
                      const nu_message *receives, size_t n_receives) {
  const nu_mail mail = {sends, receives, n_sends, n_receives, 0};
  nu_comm_begin(comm, &mail);
  nu_comm_end(comm, &mail);
}

/* ---- memory of a host */

bool nu_comm_map(nu_comm *comm, size_t bytes, void **areas) {
  for (size_t r = 0; r < comm->size; r++) areas[r] = NULL;
  return comm->share && comm->share(comm, bytes, areas);
}

/* The last vote lets nobody look before all is zero. */
bool nu_comm_share(nu_comm *comm, size_t bytes, void **areas) {
  if (nu_comm_map(comm, bytes, areas)) memset(areas[comm->rank], 0, bytes);
  else areas[comm->rank] = nu_alloc(1, bytes);
  return !nu_comm_most(comm, areas[comm->rank] == NULL);
}

void nu_comm_unshare(nu_comm *comm, void **areas) {
  bool shared = false;
  for (size_t r = 0; r < comm->size; r++) shared |= areas[r] && r != comm->rank;
  if (comm->share && shared) comm->unshare(comm, areas);
  else free(areas[comm->rank]);
}

void nu_comm_await(nu_comm *comm, size_t peer, atomic_uint_fast64_t *counter, uint64_t value) {
  bool goes_on = true;
  for (size_t polls = 1; goes_on && atomic_load_explicit(counter, memory_order_acquire) < value;
       polls++)
    goes_on = comm->wait(comm, peer, polls);
}

/* ---- collectives */

/* Round by round the ranks at a distance of so many, so that all of them send and receive alike. */
void nu_comm_gather(nu_comm *comm, const void *from, void *to, size_t bytes) {
  union {
    const void *given;
    void *at;
  } own = {from}; /* a message that is sent is only read */
  char *all = to;
  memcpy(all + comm->rank * bytes, from, bytes);
  for (size_t first = 1; first < comm->size; first += ROUND) {
    nu_message sends[ROUND], receives[ROUND];
    size_t n = 0;
    for (size_t d = first; d < comm->size && n < ROUND; d++, n++) {
      size_t next = (comm->rank + d) % comm->size;
      size_t before = (comm->rank + comm->size - d) % comm->size;
      sends[n] = (nu_message){next, own.at, bytes};
      receives[n] = (nu_message){before, all + before * bytes, bytes};
    }
    nu_comm_exchange(comm, sends, n, receives, n);
  }
}

void nu_comm_spread(nu_comm *comm, void *at, size_t bytes) {
  if (comm->rank > 0) nu_comm_exchange(comm, NULL, 0, &(nu_message){0, at, bytes}, 1);
  for (size_t peer = 1; comm->rank == 0 && peer < comm->size; peer++)
    nu_comm_exchange(comm, &(nu_message){peer, at, bytes}, 1, NULL, 0);
}

void nu_comm_spread_here(nu_comm *comm, void *at, size_t bytes) {
  size_t first = nu_comm_first(comm, comm->rank);
  if (comm->rank != first) nu_comm_exchange(comm, NULL, 0, &(nu_message){first, at, bytes}, 1);
  for (size_t peer = first + 1; comm->rank == first && peer < comm->size; peer++)
    if (nu_comm_first(comm, peer) == first)
      nu_comm_exchange(comm, &(nu_message){peer, at, bytes}, 1, NULL, 0);
}

/* Rank 0 collects, decides, and tells all: 2 (size - 1) messages, no memory for a list. */
typedef struct vote {
  uint64_t number, other; /* the decision; who gave reason for it */
  uint64_t count;         /* how many did */
} vote;

typedef void decide(vote *so_far, const vote *its);

static vote put_to_vote(nu_comm *comm, vote mine, decide *fn) {
  vote its;
  if (comm->rank > 0) nu_comm_exchange(comm, &(nu_message){0, &mine, sizeof mine}, 1, NULL, 0);
  for (size_t peer = 1; comm->rank == 0 && peer < comm->size; peer++) {
    nu_comm_exchange(comm, NULL, 0, &(nu_message){peer, &its, sizeof its}, 1);
    fn(&mine, &its);
  }
  nu_comm_spread(comm, &mine, sizeof mine);
  return mine;
}

static void take_larger(vote *so_far, const vote *its) {
  if (its->number > so_far->number) *so_far = *its;
}

uint64_t nu_comm_most(nu_comm *comm, uint64_t number) {
  if (comm->size == 1) return number;
  return put_to_vote(comm, (vote){number, comm->rank, 1}, take_larger).number;
}

/* other: 0 as long as all are alike. */
static void compare(vote *so_far, const vote *its) {
  if (so_far->other == 0 && its->number != so_far->number) so_far->other = its->other;
}

bool nu_comm_is_same(nu_comm *comm, uint64_t hash, size_t *other) {
  if (comm->size == 1) return true;
  *other = (size_t)put_to_vote(comm, (vote){hash, comm->rank, 1}, compare).other;
  return *other == 0;
}

static void take_first_failure(vote *so_far, const vote *its) {
  uint64_t count = so_far->count + its->count;
  if (so_far->number == NUMANN_OK) *so_far = *its;
  so_far->count = count;
}

numann_status nu_comm_agree(nu_comm *comm, numann_status status, numann_error *err) {
  if (comm->size == 1) return status;
  vote agreed = put_to_vote(comm, (vote){(uint64_t)status, comm->rank, status != NUMANN_OK},
                            take_first_failure);
  numann_error told = {0};
  if (agreed.number == NUMANN_OK) return status; /* its own, too, unless nobody listens any more */
  if (err && comm->rank == agreed.other) told = *err;
  if (err && comm->rank == agreed.other && agreed.count < comm->size)
    snprintf(told.message, sizeof told.message, "rank %zu: %.*s", comm->rank,
             (int)(sizeof told.message - 32), err->message);
  /* by way of rank 0, as nobody else need speak to everybody */
  if (agreed.other != 0 && comm->rank == agreed.other)
    nu_comm_exchange(comm, &(nu_message){0, &told, sizeof told}, 1, NULL, 0);
  if (agreed.other != 0 && comm->rank == 0)
    nu_comm_exchange(comm, NULL, 0, &(nu_message){(size_t)agreed.other, &told, sizeof told}, 1);
  nu_comm_spread(comm, &told, sizeof told);
  told.status = (numann_status)agreed.number;
  if (err) *err = told;
  return (numann_status)agreed.number;
}
