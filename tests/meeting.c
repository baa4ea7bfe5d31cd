/* SPDX-License-Identifier: MIT */
#include "meeting.h"

#include <check.h>
#include <pthread.h>

#include "machine/comm_virtual.h"

typedef struct meeting {
  nu_comm *comm;
  void (*fn)(nu_comm *comm, void *arg);
  void *arg;
} meeting;

static void *attend(void *arg) {
  meeting *m = arg;
  m->fn(m->comm, m->arg);
  return NULL;
}

void meet(size_t size, void (*fn)(nu_comm *comm, void *arg), void *arg) {
  pthread_t threads[MOST_RANKS];
  meeting meetings[MOST_RANKS];
  nu_comm *ranks = nu_comm_virtual_create(size);
  ck_assert_ptr_nonnull(ranks);
  for (size_t r = 0; r < size; r++) {
    meetings[r] = (meeting){&ranks[r], fn, arg};
    ck_assert_int_eq(pthread_create(&threads[r], NULL, attend, &meetings[r]), 0);
  }
  for (size_t r = 0; r < size; r++) ck_assert_int_eq(pthread_join(threads[r], NULL), 0);
  nu_comm_virtual_destroy(ranks);
}
