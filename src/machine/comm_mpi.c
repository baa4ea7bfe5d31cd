/* The ranks of an MPI job: the only file that calls MPI. SPDX-License-Identifier: MIT
 *
 * MPI is started by nu_comm_start alone, and only under a launcher of several processes, so that a
 * command without one costs nothing and runs where MPI cannot. Thread 0 of a team is the thread
 * that started it (MPI_THREAD_FUNNELED).
 *
 * Nothing goes on without a lost rank: an error of MPI ends the job, and so does a message that
 * does not come within the patience, which is this program's watchdog.
 *
 * Between the begin and the end of an exchange MPI is left alone. Polling it there, so that it
 * moves large messages while the ranks compute, halves the rate of exchanges over TCP with Open MPI
 * 4.1: the announcement of a message that nobody has asked for yet sends it a slower way. */
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "machine/comm.h"
#include "machine/comm_launch.h"

/* MPI counts bytes in an int: longer messages go in pieces. */
#define PIECE ((size_t)1 << 30)

/* A rank's word that it is there (the watchdog); messages, with their lane added. */
enum { TAG_HERE, TAG_MESSAGE };

/* What is under way in a lane. */
typedef struct nu_flight {
  MPI_Request *requests; /* [2 ranks]: receives, then sends */
  size_t *peers;         /* [2 ranks]: of each request */
  size_t n;
} nu_flight;

/* A wait. What counts is the time in which this process looked: of a job that was suspended no rank
 * is lost. */
typedef struct nu_patience {
  double last, waited; /* seconds */
  size_t quarters;     /* of the patience, that it has told of */
} nu_patience;

/* Memory of this host's ranks. */
typedef struct window {
  MPI_Win shared;
  void *own; /* this rank's part of it, by which it is found */
  struct window *next;
} window;

/* The process's, as MPI is. */
static struct {
  nu_comm comm;
  MPI_Comm own; /* a duplicate of the world: no library's messages mix with ours */
  nu_flight flights[NU_LANES];
  MPI_Status *statuses;  /* [2 ranks]: nobody reads them; gcc 12 warns of MPICH's way to say so */
  bool *here;            /* [ranks]: who has called, of rank 0 */
  double patience;       /* seconds; 0: for ever */
  nu_comm_lost_fn *lost; /* told before the end; NULL: nobody */
  nu_patience patience_left; /* of a wait for a counter */
  MPI_Comm host;             /* the ranks on this host; its first is the lowest of them */
  int neighbours;            /* how many these are, this one included */
  size_t *firsts;            /* [ranks]: nu_comm's */
  uint64_t *wanted;          /* [ranks]: bytes of each, while memory is asked for */
  window *windows;           /* all that have not been given back */
  char library[MPI_MAX_LIBRARY_VERSION_STRING];
  bool started;
  bool trains; /* the first step is near */
} mpi_job;

/* ---- the watchdog
 *
 * Who waits for a lost rank keeps others waiting in turn. So a rank that has waited for a quarter
 * of the patience, and again each quarter, tells rank 0 that it is there. Rank 0 gives up before
 * the others do: it names a rank that it waits for and that did not tell. Where the others come to
 * give up, it is rank 0 that is lost. */

#define QUARTER (0.25 * mpi_job.patience)

/* What has come so far. */
static void hear_calls(void) {
  int came = 1;
  MPI_Status call;
  while (came) {
    MPI_Iprobe(MPI_ANY_SOURCE, TAG_HERE, mpi_job.own, &came, &call);
    if (!came) break;
    MPI_Recv(NULL, 0, MPI_BYTE, call.MPI_SOURCE, TAG_HERE, mpi_job.own, &call);
    mpi_job.here[call.MPI_SOURCE] = true;
  }
}

/* Calls from before the first quarter are of an earlier wait. */
static void call(size_t quarters) {
  MPI_Request sent;
  if (mpi_job.comm.rank > 0) {
    MPI_Isend(NULL, 0, MPI_BYTE, 0, TAG_HERE, mpi_job.own, &sent);
    MPI_Request_free(&sent);
    return;
  }
  hear_calls();
  if (quarters == 1) memset(mpi_job.here, 0, mpi_job.comm.size * sizeof *mpi_job.here);
}

/* Whose message has not come, or has not been taken. Of a counter (n is 0) only one rank is known:
 * where that one is there, it waits for another that is not. */
static size_t find_lost(const nu_flight *flight) {
  size_t lost = 0, n = flight->n, first = n ? 0 : flight->peers[0];
  if (mpi_job.comm.rank > 0) return 0;
  hear_calls();
  for (size_t i = 0; i < n && !lost; i++) {
    int done = 0;
    MPI_Request_get_status(flight->requests[i], &done, MPI_STATUS_IGNORE);
    if (!done && !first) first = flight->peers[i];
    if (!done && !mpi_job.here[flight->peers[i]]) lost = flight->peers[i];
  }
  for (size_t r = 1; n == 0 && mpi_job.here[first] && !lost && r < mpi_job.comm.size; r++)
    if (!mpi_job.here[r]) lost = r;
  return lost ? lost : first;
}

/* Before the first step a rank that reads or measures may need this core: a five-hundredth of what
 * was waited is slept at a time, at most a millisecond. Not afterwards: while this rank sleeps MPI
 * moves no message. */
#define SHORT_WAIT 0.05
static void let_others_run(double waited) {
  double seconds = waited < 0.5 ? waited / 500.0 : 1e-3;
  if (mpi_job.trains || waited < SHORT_WAIT) return;
  nanosleep(&(struct timespec){0, (long)(seconds * 1e9)}, NULL);
}

/* Tells of each quarter that has passed, and ends the job after the last. */
static void look_at_clock(const nu_flight *flight, nu_patience *wait) {
  double more = mpi_job.comm.rank > 0 ? 1.0 + 0.1 * mpi_job.patience : 0.0;
  double now = nu_clock_seconds(), gap = now - wait->last;
  wait->last = now;
  wait->waited += gap < 1.0 ? gap : 1.0;
  let_others_run(wait->waited);
  if (mpi_job.patience <= 0.0) return;
  if (wait->waited > mpi_job.patience + more) {
    if (mpi_job.lost) mpi_job.lost(mpi_job.comm.rank, find_lost(flight), wait->waited);
    MPI_Abort(mpi_job.own, NUMANN_ERR_PEER);
  }
  if (wait->waited > QUARTER * (double)(wait->quarters + 1)) call(++wait->quarters);
}

/* Polls, and lets others run in between: ranks may be more than cores. */
static void wait_for_all(nu_flight *flight) {
  int done = 0;
  nu_patience wait = {.last = nu_clock_seconds()};
  for (size_t polls = 1; !done; polls++) {
    MPI_Testall((int)flight->n, flight->requests, &done, mpi_job.statuses);
    if (done || polls % 64) continue;
    sched_yield();
    look_at_clock(flight, &wait);
  }
  flight->n = 0;
}

/* For a counter in shared memory. MPI, too, must be let run: another rank's MPI_Abort may wait for
 * an answer of this one. */
static bool wait_for(nu_comm *comm, size_t peer, size_t polls) {
  int called;
  nu_flight none = {.peers = &peer};
  (void)comm;
  if (polls % 64) return true;
  MPI_Iprobe(MPI_ANY_SOURCE, TAG_HERE, mpi_job.own, &called, mpi_job.statuses);
  if (polls == 64) mpi_job.patience_left = (nu_patience){.last = nu_clock_seconds()};
  sched_yield();
  look_at_clock(&none, &mpi_job.patience_left);
  return true;
}

/* ---- messages */

static int piece_of(const nu_message *message, size_t begin) {
  size_t left = message->bytes - begin;
  return (int)(left < PIECE ? left : PIECE);
}

/* The next request, of a message with this peer. */
static MPI_Request *request(nu_flight *flight, size_t peer) {
  flight->peers[flight->n] = peer;
  return &flight->requests[flight->n++];
}

/* The piece of each message that begins there. */
static void start_pieces(const nu_mail *mail, size_t begin) {
  nu_flight *flight = &mpi_job.flights[mail->lane];
  int tag = TAG_MESSAGE + (int)mail->lane;
  for (size_t i = 0; i < mail->n_receives; i++) {
    const nu_message *m = &mail->receives[i];
    if (begin < m->bytes)
      MPI_Irecv((char *)m->at + begin, piece_of(m, begin), MPI_BYTE, (int)m->peer, tag, mpi_job.own,
                request(flight, m->peer));
  }
  for (size_t i = 0; i < mail->n_sends; i++) {
    const nu_message *m = &mail->sends[i];
    if (begin < m->bytes)
      MPI_Isend((char *)m->at + begin, piece_of(m, begin), MPI_BYTE, (int)m->peer, tag, mpi_job.own,
                request(flight, m->peer));
  }
}

static void begin(nu_comm *comm, const nu_mail *mail) {
  (void)comm;
  start_pieces(mail, 0);
}

static void end(nu_comm *comm, const nu_mail *mail) {
  (void)comm;
  for (size_t at = PIECE; mpi_job.flights[mail->lane].n > 0; at += PIECE) {
    wait_for_all(&mpi_job.flights[mail->lane]);
    start_pieces(mail, at);
  }
}

/* ---- memory of a host */

/* Collective, at the start. */
static void find_neighbours(int rank) {
  MPI_Group mine, all;
  int first = 0, lowest = 0;
  MPI_Comm_split_type(mpi_job.own, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &mpi_job.host);
  MPI_Comm_size(mpi_job.host, &mpi_job.neighbours);
  MPI_Comm_group(mpi_job.host, &mine);
  MPI_Comm_group(mpi_job.own, &all);
  MPI_Group_translate_ranks(mine, 1, &first, all, &lowest);
  MPI_Group_free(&mine);
  MPI_Group_free(&all);
  size_t own = (size_t)lowest;
  nu_comm_gather(&mpi_job.comm, &own, mpi_job.firsts, sizeof own);
  mpi_job.comm.firsts = mpi_job.firsts;
}

/* Where this process sees the memory of each rank here. */
static void list_areas(const nu_comm *comm, MPI_Win shared, void **areas) {
  int i = 0;
  for (size_t r = 0; r < comm->size; r++) {
    MPI_Aint bytes;
    int unit;
    if (nu_comm_first(comm, r) == nu_comm_first(comm, comm->rank))
      MPI_Win_shared_query(shared, i++, &bytes, &unit, &areas[r]);
  }
}

/* MPI libraries take less memory as given, or wait for each other over it: memory of a host is a
 * file system, often a small one in containers. */
static bool has_room(uint64_t bytes) {
  struct statvfs room;
  const uint64_t others = 16u << 20;                /* what MPI itself keeps there */
  if (statvfs("/dev/shm", &room) != 0) return true; /* the library has another place */
  return bytes <= UINT64_MAX - others && bytes + others <= (uint64_t)room.f_bavail * room.f_frsize;
}

/* Of all ranks on this host together. */
static uint64_t add_wanted(const nu_comm *comm, uint64_t own) {
  uint64_t sum = 0;
  nu_comm_gather(&mpi_job.comm, &own, mpi_job.wanted, sizeof own);
  for (size_t r = 0; r < comm->size; r++)
    if (nu_comm_first(comm, r) == nu_comm_first(comm, comm->rank)) sum += mpi_job.wanted[r];
  return sum;
}

/* Where one host has no room, nobody shares. A rank's part is never empty, so that its place is its
 * own, and in whole lines of the cache, as the parts lie behind each other. */
static bool share(nu_comm *comm, size_t bytes, void **areas) {
  size_t own = nu_round_up(bytes ? bytes : 1, 64);
  window *w = nu_alloc(1, sizeof *w);
  bool alone = mpi_job.neighbours == 1, room = has_room(add_wanted(comm, own));
  if (nu_comm_most(comm, !w || (!alone && !room)) || alone) {
    free(w);
    return false;
  }
  MPI_Win_allocate_shared((MPI_Aint)own, 1, MPI_INFO_NULL, mpi_job.host, &w->own, &w->shared);
  MPI_Win_lock_all(MPI_MODE_NOCHECK, w->shared);
  list_areas(comm, w->shared, areas);
  w->next = mpi_job.windows;
  mpi_job.windows = w;
  return true;
}

/* Others may still measure for minutes: who has nothing to do leaves them the cores. */
static void wait_for_neighbours(void) {
  MPI_Request request;
  int done = 0;
  MPI_Ibarrier(mpi_job.host, &request);
  while (!done) {
    MPI_Test(&request, &done, mpi_job.statuses);
    if (!done) nanosleep(&(struct timespec){0, 200000}, NULL);
  }
}

/* The others do not give back theirs when this rank alone ends. */
static void unshare(nu_comm *comm, void **areas) {
  window **at = &mpi_job.windows;
  if (comm->broken) return;
  while ((*at)->own != areas[comm->rank]) at = &(*at)->next;
  window *w = *at;
  *at = w->next;
  wait_for_neighbours();
  MPI_Win_unlock_all(w->shared);
  MPI_Win_free(&w->shared);
  free(w);
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

static bool create_lists(size_t size) {
  mpi_job.statuses = nu_alloc(2 * size, sizeof(MPI_Status));
  mpi_job.here = nu_alloc(size, sizeof *mpi_job.here);
  mpi_job.firsts = nu_alloc(size, sizeof *mpi_job.firsts);
  mpi_job.wanted = nu_alloc(size, sizeof *mpi_job.wanted);
  bool refused = !mpi_job.statuses || !mpi_job.here || !mpi_job.firsts || !mpi_job.wanted;
  for (size_t i = 0; i < NU_LANES; i++) {
    nu_flight *flight = &mpi_job.flights[i];
    flight->requests = nu_alloc(2 * size, sizeof *flight->requests);
    flight->peers = nu_alloc(2 * size, sizeof *flight->peers);
    refused |= !flight->requests || !flight->peers;
  }
  return !refused;
}

static void free_lists(void) {
  for (size_t i = 0; i < NU_LANES; i++) {
    free(mpi_job.flights[i].requests);
    free(mpi_job.flights[i].peers);
  }
  free(mpi_job.here);
  free(mpi_job.statuses);
  free(mpi_job.firsts);
  free(mpi_job.wanted);
}

numann_status nu_comm_start(numann_error *err) {
  int given = 0, rank = 0, size = 1;
  nu_comm_launch launch = nu_comm_read_launch();
  if (launch.size < 2 || mpi_job.started) return NUMANN_OK;
  if (!launch.joins)
    return nu_comm_refuse_launch(&launch, err,
                                 "the launcher does not tell MPI that they are one job (no PMI), "
                                 "and each would train on its own");
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS)
    return nu_comm_refuse_launch(&launch, err, "MPI does not start");
  mpi_job.started = true;
  MPI_Comm_dup(MPI_COMM_WORLD, &mpi_job.own);
  MPI_Comm_rank(mpi_job.own, &rank);
  MPI_Comm_size(mpi_job.own, &size);
  NU_TRY(check_size(&launch, size, err));
  if (!create_lists((size_t)size))
    return nu_fail_memory(err, 2 * (size_t)size * sizeof(MPI_Status), "the messages' states");
  mpi_job.comm = (nu_comm){.rank = (size_t)rank,
                           .size = (size_t)size,
                           .begin = begin,
                           .end = end,
                           .share = share,
                           .unshare = unshare,
                           .wait = wait_for};
  find_neighbours(rank);
  return NUMANN_OK;
}

void nu_comm_finish(numann_status status) {
  if (!mpi_job.started) return;
  if (mpi_job.comm.broken) MPI_Abort(mpi_job.own, (int)status);
  free_lists();
  if (mpi_job.neighbours > 0) MPI_Comm_free(&mpi_job.host);
  MPI_Comm_free(&mpi_job.own);
  MPI_Finalize();
  mpi_job.started = false;
}

void nu_comm_set_patience(double seconds, nu_comm_lost_fn *lost) {
  mpi_job.patience = seconds;
  mpi_job.lost = lost;
  mpi_job.trains = true;
}

nu_comm *nu_comm_world(void) { return mpi_job.comm.size > 1 ? &mpi_job.comm : nu_comm_alone(); }

const char *nu_comm_library(void) {
  char *text = mpi_job.library;
  int length = 0;
  if (text[0] == '\0') MPI_Get_library_version(text, &length);
  for (char *c = text; *c != '\0'; c++) /* the first line, up to a comma, says which */
    if (*c == '\n' || *c == ',' || *c == '\t') *c = *c == '\t' ? ' ' : '\0';
  return text;
}
