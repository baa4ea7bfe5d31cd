/* The ranks of an MPI job: the only file that calls MPI. SPDX-License-Identifier: MIT
 *
 * MPI is started by nu_comm_start alone, and only under a launcher of several processes, so that a
 * command without one costs nothing and runs where MPI cannot. Thread 0 of a team is the thread
 * that started it (MPI_THREAD_FUNNELED).
 *
 * Nothing goes on without a lost rank: an error of MPI ends the job, and so does a message that
 * does not come within the patience, which is this program's watchdog. */
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "machine/comm.h"
#include "machine/comm_launch.h"

/* MPI counts bytes in an int: longer messages go in pieces. */
#define PIECE ((size_t)1 << 30)

static struct {
  nu_comm comm;
  MPI_Comm own;          /* a duplicate of the world: no library's messages mix with ours */
  MPI_Request *requests; /* [2 ranks]: receives, then sends */
  MPI_Status *statuses;  /* [2 ranks]: nobody reads them; gcc 12 warns of MPICH's way to say so */
  double patience;       /* seconds; 0: for ever */
  nu_comm_lost_fn *lost; /* told before the end; NULL: nobody */
  double waiting_since;
  MPI_Win window; /* of the memory that is shared; MPI_WIN_NULL: none is */
  bool started;
} job;

/* ---- waiting */

/* Messages that have not come, by the lowest rank. */
static size_t find_silent(const nu_message *receives, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int done = 0;
    if (job.requests[i] == MPI_REQUEST_NULL) continue;
    MPI_Request_get_status(job.requests[i], &done, MPI_STATUS_IGNORE);
    if (!done) return receives[i].peer;
  }
  return job.comm.rank;
}

static void give_up(size_t silent) {
  if (job.lost) job.lost(job.comm.rank, silent, job.patience);
  MPI_Abort(job.own, NUMANN_ERR_PEER);
}

/* Ranks may be more than cores: others run in between. True: patience is at its end. */
static bool pause_after(size_t polls) {
  if (polls % 64) return false;
  double now = nu_clock_seconds();
  if (polls == 64) job.waiting_since = now;
  sched_yield();
  return job.patience > 0.0 && now - job.waiting_since > job.patience;
}

static void wait_for_all(size_t n, const nu_message *receives, size_t n_receives) {
  int done = 0;
  for (size_t polls = 1; !done; polls++) {
    MPI_Testall((int)n, job.requests, &done, job.statuses);
    if (!done && pause_after(polls)) give_up(find_silent(receives, n_receives));
  }
}

static void wait_for(nu_comm *comm, size_t peer, size_t polls) {
  (void)comm;
  if (pause_after(polls)) give_up(peer);
}

/* ---- messages */

static int piece_of(const nu_message *message, size_t begin) {
  size_t left = message->bytes - begin;
  return (int)(left < PIECE ? left : PIECE);
}

static void exchange(nu_comm *comm, const nu_message *sends, size_t n_sends,
                     const nu_message *receives, size_t n_receives) {
  (void)comm;
  size_t n = 1;
  for (size_t begin = 0; n > 0; begin += PIECE) {
    n = 0;
    for (size_t i = 0; i < n_receives; i++) {
      const nu_message *m = &receives[i];
      if (begin < m->bytes)
        MPI_Irecv((char *)m->at + begin, piece_of(m, begin), MPI_BYTE, (int)m->peer, 0, job.own,
                  &job.requests[n++]);
    }
    size_t posted = n;
    for (size_t i = 0; i < n_sends; i++) {
      const nu_message *m = &sends[i];
      if (begin < m->bytes)
        MPI_Isend((char *)m->at + begin, piece_of(m, begin), MPI_BYTE, (int)m->peer, 0, job.own,
                  &job.requests[n++]);
    }
    if (n > 0) wait_for_all(n, receives, posted);
  }
}

/* ---- memory of a host */

/* The ranks on this host, more than one; errors come back. MPI_COMM_NULL: this one is alone. */
static MPI_Comm find_neighbours(int *size) {
  MPI_Comm here;
  MPI_Comm_split_type(job.own, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
  MPI_Comm_size(here, size);
  if (*size == 1) MPI_Comm_free(&here);
  else MPI_Comm_set_errhandler(here, MPI_ERRORS_RETURN);
  return here;
}

/* Where this process sees the memory of each rank here. */
static void list_areas(MPI_Comm here, int size, void **areas) {
  MPI_Group mine, all;
  MPI_Comm_group(here, &mine);
  MPI_Comm_group(job.own, &all);
  for (int r = 0; r < size; r++) {
    MPI_Aint bytes;
    int unit, rank;
    void *at = NULL;
    MPI_Group_translate_ranks(mine, 1, &r, all, &rank);
    MPI_Win_shared_query(job.window, r, &bytes, &unit, &at);
    areas[rank] = at;
  }
  MPI_Group_free(&mine);
  MPI_Group_free(&all);
}

/* One window at a time: a second trainer's messages are sent. */
static bool share(nu_comm *comm, size_t bytes, void **areas) {
  int size = 1;
  void *own = NULL;
  if (job.window != MPI_WIN_NULL) return false;
  MPI_Comm here = find_neighbours(&size);
  if (size == 1) return false;
  bool refused = MPI_Win_allocate_shared((MPI_Aint)bytes, 1, MPI_INFO_NULL, here, &own,
                                         &job.window) != MPI_SUCCESS;
  if (refused) job.window = MPI_WIN_NULL;
  if (!refused) {
    MPI_Win_lock_all(MPI_MODE_NOCHECK, job.window);
    memset(own, 0, bytes);
    list_areas(here, size, areas);
    MPI_Barrier(here); /* nobody looks before it is zero */
  }
  MPI_Comm_free(&here);
  (void)comm;
  return !refused;
}

static void unshare(nu_comm *comm, void **areas) {
  (void)comm;
  (void)areas;
  MPI_Win_unlock_all(job.window);
  MPI_Win_free(&job.window);
}

/* ---- start and end */

static numann_status check_size(const nu_comm_launch *launch, int size, numann_error *err) {
  if (size == (int)launch->size) return NUMANN_OK;
  return nu_comm_refuse_launch(
      launch, err,
      "MPI joined %d of them: the launcher and the MPI library that numann was built with (%s) do "
      "not understand each other, and each process would train on its own",
      size, nu_comm_library());
}

numann_status nu_comm_start(numann_error *err) {
  int given = 0, rank = 0, size = 1;
  nu_comm_launch launch = nu_comm_read_launch();
  if (launch.size < 2 || job.started) return NUMANN_OK;
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS)
    return nu_comm_refuse_launch(&launch, err, "MPI does not start");
  job.started = true;
  MPI_Comm_dup(MPI_COMM_WORLD, &job.own);
  MPI_Comm_rank(job.own, &rank);
  MPI_Comm_size(job.own, &size);
  NU_TRY(check_size(&launch, size, err));
  job.requests = nu_alloc(2 * (size_t)size, sizeof(MPI_Request));
  job.statuses = nu_alloc(2 * (size_t)size, sizeof(MPI_Status));
  if (!job.requests || !job.statuses)
    return nu_fail_memory(err, 2 * (size_t)size * sizeof(MPI_Status), "the messages' states");
  job.comm = (nu_comm){.rank = (size_t)rank,
                       .size = (size_t)size,
                       .exchange = exchange,
                       .share = share,
                       .unshare = unshare,
                       .wait = wait_for};
  job.window = MPI_WIN_NULL;
  return NUMANN_OK;
}

void nu_comm_finish(void) {
  if (!job.started) return;
  free(job.requests);
  free(job.statuses);
  MPI_Comm_free(&job.own);
  MPI_Finalize();
  job.started = false;
}

void nu_comm_set_patience(double seconds, nu_comm_lost_fn *lost) {
  job.patience = seconds;
  job.lost = lost;
}

nu_comm *nu_comm_world(void) { return job.comm.size > 1 ? &job.comm : nu_comm_alone(); }

const char *nu_comm_library(void) {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  if (text[0] == '\0') MPI_Get_library_version(text, &length);
  for (char *c = text; *c != '\0'; c++) /* the first line, up to a comma, says which */
    if (*c == '\n' || *c == ',' || *c == '\t') *c = *c == '\t' ? ' ' : '\0';
  return text;
}
