/* SPDX-License-Identifier: MIT */
#include "machine/comm_virtual.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/least.h"
#include "base/memory.h"

/* What a rank has laid out for the others: its sends, of which some have been taken. */
typedef struct outbox {
  const nu_message *sends;
  size_t n, left;
  size_t copying; /* taken, and not yet copied */
  bool *taken; /* [size]: of each; a rank sends no more messages at a time than there are ranks */
} outbox;

typedef struct hall {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  outbox *outboxes; /* [size] */
  void **areas;     /* [n_areas]: memory that has not been given back */
  size_t n_areas, capacity;
  size_t size;
  bool broken;
} hall;

/* The first message for `peer` that nobody has taken. */
static const nu_message *take(outbox *from, size_t peer) {
  for (size_t i = 0; i < from->n; i++) {
    if (from->taken[i] || from->sends[i].peer != peer) continue;
    from->taken[i] = true;
    from->copying++;
    return &from->sends[i];
  }
  return NULL;
}

/* Copied outside of the lock: the sender waits until all is taken and copied. */
static void receive(hall *h, size_t rank, const nu_message *to) {
  outbox *from = &h->outboxes[to->peer];
  const nu_message *message;
  while (!(message = take(from, rank)) && !h->broken) pthread_cond_wait(&h->changed, &h->mutex);
  if (!message) {
    memset(to->at, 0, to->bytes);
    return;
  }
  pthread_mutex_unlock(&h->mutex);
  memcpy(to->at, message->at, nu_smaller(to->bytes, message->bytes));
  pthread_mutex_lock(&h->mutex);
  from->left--;
  from->copying--;
  pthread_cond_broadcast(&h->changed);
}

/* All ranks end their exchanges in the same order, so that begun ones need not be known. */
static void end(nu_comm *comm, const nu_mail *mail) {
  hall *h = comm->self;
  outbox *own = &h->outboxes[comm->rank];
  pthread_mutex_lock(&h->mutex);
  memset(own->taken, 0, mail->n_sends * sizeof *own->taken);
  own->sends = mail->sends;
  own->n = own->left = mail->n_sends;
  pthread_cond_broadcast(&h->changed);
  for (size_t i = 0; i < mail->n_receives; i++) receive(h, comm->rank, &mail->receives[i]);
  while (own->copying > 0 || (own->left > 0 && !h->broken))
    pthread_cond_wait(&h->changed, &h->mutex);
  own->n = 0;
  pthread_mutex_unlock(&h->mutex);
}

/* ---- memory: all ranks are here */

/* Of broken ranks what is listed is freed with the hall. */
static bool list_area(hall *h, void *area) {
  pthread_mutex_lock(&h->mutex);
  bool listed = nu_grow(&h->areas, &h->capacity, h->n_areas + 1, sizeof *h->areas);
  if (listed) h->areas[h->n_areas++] = area;
  pthread_mutex_unlock(&h->mutex);
  return listed;
}

static void free_area(hall *h, void *area) {
  pthread_mutex_lock(&h->mutex);
  for (size_t i = 0; i < h->n_areas; i++)
    if (h->areas[i] == area) h->areas[i] = h->areas[--h->n_areas];
  pthread_mutex_unlock(&h->mutex);
  free(area);
}

static bool share(nu_comm *comm, size_t bytes, void **areas) {
  hall *h = comm->self;
  void *own = nu_alloc(1, bytes);
  if (own && !list_area(h, own)) {
    free(own);
    own = NULL;
  }
  bool refused = false;
  nu_comm_gather(comm, &own, areas, sizeof own);
  for (size_t r = 0; r < comm->size; r++) refused |= !areas[r];
  for (size_t r = 0; refused && r < comm->size; r++) areas[r] = NULL;
  if (refused && own) free_area(h, own);
  return !refused;
}

/* When nobody reads it any more. */
static void unshare(nu_comm *comm, void **areas) {
  hall *h = comm->self;
  nu_comm_most(comm, 0);
  if (nu_comm_virtual_is_broken(comm - comm->rank)) return;
  free_area(h, areas[comm->rank]);
}

/* Far more ranks than cores are usual: after a while they sleep. */
static bool wait_for(nu_comm *comm, size_t peer, size_t polls) {
  (void)peer;
  if (polls % 64) return true;
  sched_yield();
  if (polls % 4096 == 0) nanosleep(&(struct timespec){0, 50000}, NULL);
  return !nu_comm_virtual_is_broken(comm - comm->rank);
}

/* ---- the list */

void nu_comm_virtual_break(nu_comm *ranks) {
  hall *h = ranks->self;
  pthread_mutex_lock(&h->mutex);
  h->broken = true;
  pthread_cond_broadcast(&h->changed);
  pthread_mutex_unlock(&h->mutex);
}

bool nu_comm_virtual_is_broken(nu_comm *ranks) {
  hall *h = ranks->self;
  pthread_mutex_lock(&h->mutex);
  bool broken = h->broken;
  pthread_mutex_unlock(&h->mutex);
  return broken;
}

static void clear(hall *h) {
  for (size_t r = 0; h->outboxes && r < h->size; r++) free(h->outboxes[r].taken);
  for (size_t i = 0; i < h->n_areas; i++) free(h->areas[i]);
  free(h->areas);
  free(h->outboxes);
  free(h);
}

static hall *create_hall(size_t size) {
  hall *h = nu_alloc(1, sizeof *h);
  if (!h) return NULL;
  h->outboxes = nu_alloc(size, sizeof *h->outboxes);
  bool refused = !h->outboxes;
  h->size = size;
  for (size_t r = 0; !refused && r < size; r++)
    refused = !(h->outboxes[r].taken = nu_alloc(size, sizeof(bool)));
  if (refused) {
    clear(h);
    return NULL;
  }
  pthread_mutex_init(&h->mutex, NULL);
  pthread_cond_init(&h->changed, NULL);
  return h;
}

nu_comm *nu_comm_virtual_create(size_t size) {
  nu_comm *ranks = nu_alloc(size, sizeof *ranks);
  hall *h = ranks ? create_hall(size) : NULL;
  for (size_t r = 0; h && r < size; r++)
    ranks[r] = (nu_comm){.rank = r,
                         .size = size,
                         .end = end,
                         .share = share,
                         .unshare = unshare,
                         .wait = wait_for,
                         .self = h};
  if (h) return ranks;
  free(ranks);
  return NULL;
}

void nu_comm_virtual_destroy(nu_comm *ranks) {
  if (!ranks) return;
  hall *h = ranks->self;
  pthread_cond_destroy(&h->changed);
  pthread_mutex_destroy(&h->mutex);
  clear(h);
  free(ranks);
}
