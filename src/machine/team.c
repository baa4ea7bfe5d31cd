/* The thread team: the only OpenMP in numann. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "machine/team.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include "base/memory.h"
#include "machine/float_env.h"

/* Looks at the phase before a thread sleeps. 4096 take some 100 microseconds: longer than threads
 * of balanced work wait for each other, shorter than a scheduler's time slice. Where other programs
 * want the cores, looking long is harmful (the thread that is waited for may need this very core),
 * so a thread that has looked in vain looks half as long next time, and twice as long after
 * success. */
#define MOST_SPINS 4096u
#define LEAST_SPINS 16u

/* Every member that all threads write has a cache line of its own. */
struct nu_team {
  size_t threads;
  size_t working;      /* of them: those that call fn and meet */
  nu_binding *binding; /* NULL: workers run where they may */
  nu_team_fn *fn;
  void *arg;
  _Alignas(64) atomic_size_t arrived; /* threads waiting at the current barrier */
  _Alignas(64) atomic_uint phase;     /* barriers passed, modulo 2^32; what sleepers sleep on */
  atomic_uint sleepers;               /* threads that want to be woken */
  _Alignas(64) atomic_uint spins; /* looks before sleeping: a guess that any thread may better */
};

/* ---- barrier */

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Return once *word may differ from `value`; returning too early is harmless. */
static void sleep_while_equal(atomic_uint *word, unsigned value) {
#ifdef __linux__
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
#else
  (void)word;
  (void)value;
  sched_yield();
#endif
}

static void wake_all(atomic_uint *word) {
#ifdef __linux__
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#else
  (void)word;
#endif
}

/* A sleeper counts itself before its last look at the phase, and the last thread to arrive changes
 * the phase before it looks for sleepers (both sequentially consistent): one sees the other. */
static void release_team(nu_team *team, unsigned phase) {
  atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
  atomic_store(&team->phase, phase + 1);
  if (atomic_load(&team->sleepers) > 0) wake_all(&team->phase);
}

static void sleep_until_release(nu_team *team, unsigned phase) {
  atomic_fetch_add(&team->sleepers, 1);
  while (atomic_load(&team->phase) == phase) sleep_while_equal(&team->phase, phase);
  atomic_fetch_sub(&team->sleepers, 1);
}

static bool spin_until_release(nu_team *team, unsigned phase, unsigned spins) {
  for (unsigned i = 0; i < spins; i++) {
    if (atomic_load_explicit(&team->phase, memory_order_acquire) != phase) return true;
    pause_briefly();
  }
  return false;
}

/* spins 0 stays 0: the team has more threads than cores. */
static void wait_for_release(nu_team *team, unsigned phase) {
  unsigned spins = atomic_load_explicit(&team->spins, memory_order_relaxed), next = spins;
  if (spin_until_release(team, phase, spins)) {
    if (spins < MOST_SPINS) next = 2 * spins;
  } else {
    if (spins > LEAST_SPINS) next = spins / 2;
    sleep_until_release(team, phase);
  }
  if (next != spins) atomic_store_explicit(&team->spins, next, memory_order_relaxed);
}

void nu_team_barrier(nu_team *team) {
  if (team->working == 1) return;
  /* The phase cannot move on before this thread has arrived. */
  unsigned phase = atomic_load_explicit(&team->phase, memory_order_relaxed);
  size_t before = atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel);
  if (before + 1 == team->working) release_team(team, phase);
  else wait_for_release(team, phase);
}

/* ---- affinity masks */

/* As the system call has it, of up to 8192 processors. */
#define WORD_BITS (8 * sizeof(unsigned long))
typedef struct affinity {
  unsigned long bits[128];
  long bytes; /* that the system knows; below 1: none to be had */
} affinity;

static size_t mask_bits(const affinity *mask) { return 8 * sizeof mask->bits; }

static affinity current_affinity(void) {
  affinity mask = {.bytes = 0};
#ifdef __linux__
  mask.bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask.bits, mask.bits);
#endif
  return mask;
}

/* 0, or the errno of a refusal. */
static int set_affinity(const affinity *mask) {
#ifdef __linux__
  return syscall(SYS_sched_setaffinity, 0, sizeof mask->bits, mask->bits) == 0 ? 0 : errno;
#else
  (void)mask;
  return ENOSYS;
#endif
}

/* The caller's mask, once more: a runtime that starts up (LLVM's, at the first question about
 * places) gives the calling thread that of the process. */
static void restore_affinity(const affinity *callers) {
  affinity now = current_affinity();
  if (callers->bytes < 1 || memcmp(now.bits, callers->bits, sizeof now.bits) == 0) return;
  set_affinity(callers);
}

static affinity affinity_of(const nu_cpus *cpus) {
  affinity mask = {.bytes = sizeof mask.bits};
  for (size_t i = 0; i < cpus->n; i++) {
    if (cpus->os[i] < mask_bits(&mask))
      mask.bits[cpus->os[i] / WORD_BITS] |= 1ul << cpus->os[i] % WORD_BITS;
  }
  return mask;
}

int nu_team_processor(void) {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

bool nu_team_is_on(const nu_cpus *cpus) {
  affinity may = current_affinity(), wanted = affinity_of(cpus);
  if (may.bytes < 1) return false;
  for (size_t i = 0; i < sizeof may.bits / sizeof *may.bits; i++) {
    if (may.bits[i] & ~wanted.bits[i]) return false;
  }
  int here = nu_team_processor();
#ifdef __linux__
  return here >= 0 && (wanted.bits[(size_t)here / WORD_BITS] >> (size_t)here % WORD_BITS & 1);
#else
  return here < 0;
#endif
}

/* ---- running */

static void call_member(nu_team *team, size_t thread) {
  nu_float_env env = nu_float_env_enter();
  team->fn(team, thread, team->arg);
  nu_float_env_leave(&env);
}

/* A thread of the runtime's pool may serve the caller's own regions next: it gets its mask back. */
static void run_member(nu_team *team, size_t thread) {
  if (!team->binding || !team->binding->cpus) {
    call_member(team, thread);
    return;
  }
  affinity before = current_affinity(), bound = affinity_of(&team->binding->cpus[thread]);
  int refusal =
      before.bytes < 1 ? EPERM : set_affinity(&bound); /* what is not known cannot be given back */
  if (refusal) atomic_store(&team->binding->refusal, refusal);
  call_member(team, thread);
  if (!refusal) restore_affinity(&before);
}

/* The threads that work are spread over all: where the runtime binds threads, neighbours share a
 * place. Which worker is this one? `working` for those that only wait. */
static size_t worker_of(const nu_team *team, size_t thread) {
  size_t worker = (thread * team->working + team->threads - 1) / team->threads;
  return worker * team->threads / team->working == thread ? worker : team->working;
}

static void run_worker(nu_team *team, size_t thread) {
  size_t worker = worker_of(team, thread);
  if (worker < team->working) run_member(team, worker);
}

/* ---- threads without the runtime */

typedef struct gate {
  pthread_mutex_t mutex; /* held until all threads are there */
  nu_team *team;         /* whose work they do then; NULL: none */
  atomic_size_t next;    /* thread number of the next to pass */
} gate;

static void *pass_gate(void *arg) {
  gate *g = arg;
  pthread_mutex_lock(&g->mutex);
  nu_team *team = g->team;
  pthread_mutex_unlock(&g->mutex);
  if (team) run_worker(team, atomic_fetch_add(&g->next, 1));
  return NULL;
}

static numann_status fail_threads(size_t given, size_t threads, int refusal, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_MEMORY,
                 "threads: the system gave %zu of %zu threads (%s); ask for fewer with --threads, "
                 "or raise the limits on processes (ulimit -u, pids.max) and memory (ulimit -v)",
                 given, threads, strerror(refusal));
}

/* Start and end `threads` - 1 threads that all live at the same time; with a team they do its work,
 * the caller being thread 0. */
static numann_status start_threads(size_t threads, nu_team *team, numann_error *err) {
  pthread_t *ids = nu_alloc(threads, sizeof *ids);
  if (!ids) return nu_fail_memory(err, threads * sizeof *ids, "the thread team");
  gate g = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  atomic_init(&g.next, 1);
  pthread_mutex_lock(&g.mutex);
  size_t started = 0;
  int refusal = 0;
  while (started + 1 < threads && refusal == 0) {
    refusal = pthread_create(&ids[started], NULL, pass_gate, &g);
    if (refusal == 0) started++;
  }
  g.team = refusal == 0 ? team : NULL;
  pthread_mutex_unlock(&g.mutex);
  if (g.team) run_worker(g.team, 0);
  for (size_t i = 0; i < started; i++) pthread_join(ids[i], NULL);
  free(ids);
  return refusal == 0 ? NUMANN_OK : fail_threads(started + 1, threads, refusal, err);
}

/* ---- threads of the runtime */

/* The runtimes keep a thread's team for its next region. Two facts about the calling thread that no
 * other one sees: of how many threads its last team was, and in which process. */
static _Thread_local struct {
  size_t threads;
  pid_t process;
} kept = {1, 0};

/* After a fork the runtime waits for ever for threads that stayed with the parent. */
static bool is_forked(void) { return kept.threads > 1 && kept.process != getpid(); }

/* The runtimes end the whole process when a thread is refused; a probe turns that into a message.
 * As they keep threads, only growth needs one. Nested regions keep nothing. */
static numann_status ensure_threads(size_t threads, numann_error *err) {
  if (threads > kept.threads || omp_get_level() > 0) NU_TRY(start_threads(threads, NULL, err));
  kept.threads = threads;
  kept.process = getpid();
  return NUMANN_OK;
}

/* The one parallel region. Returns how many threads it had; fn ran on all that work or on none. */
static size_t run_region(nu_team *team) {
  size_t given = 0;
#pragma omp parallel num_threads((int)team->threads) default(none) shared(team, given)
  {
    size_t members = (size_t)omp_get_num_threads();
    size_t thread = (size_t)omp_get_thread_num();
    if (thread == 0) given = members;
    if (members == team->threads) run_worker(team, thread);
  }
  return given;
}

/* Not by the affinity mask: under OMP_PROC_BIND the runtime has pinned this thread to one place,
 * while omp_get_num_procs still tells what the whole team may use. Never in line: clang takes two
 * such questions in one function for one, which it asks at the start, when the caller's state is
 * not yet set aside. */
static __attribute__((noinline)) unsigned choose_spins(size_t threads) {
  return threads <= (size_t)omp_get_num_procs() ? MOST_SPINS : 0;
}

/* New threads inherit the float state and outlive the team, perhaps into the caller's own regions:
 * so it must be the caller's, not that of a numann function around. It is put back at the end also
 * because a runtime that starts up may raise flags. */
static numann_status run_threads(nu_team *team, numann_error *err) {
  affinity mask = current_affinity();
  NU_TRY(ensure_threads(team->threads, err));
  nu_float_env here = nu_float_env_suspend();
  atomic_init(&team->spins, choose_spins(team->working));
  int dynamic = omp_get_dynamic();
  omp_set_dynamic(0);
  size_t given = run_region(team);
  omp_set_dynamic(dynamic);
  nu_float_env_resume(&here);
  restore_affinity(&mask);
  if (given == team->threads) return NUMANN_OK;
  return nu_fail(
      err, NUMANN_ERR_MEMORY,
      "threads: the OpenMP runtime gave %zu of %zu threads; ask for fewer with --threads, "
      "or raise OMP_THREAD_LIMIT and, inside a parallel region, OMP_MAX_ACTIVE_LEVELS",
      given, team->threads);
}

static numann_status run_forked(nu_team *team, numann_error *err) {
  atomic_init(&team->spins, choose_spins(team->working));
  return start_threads(team->threads, team, err);
}

numann_status nu_team_run(size_t threads, nu_team_fn *fn, void *arg, numann_error *err) {
  return nu_team_run_some(threads, threads, fn, arg, err);
}

numann_status nu_team_run_some(size_t threads, size_t working, nu_team_fn *fn, void *arg,
                               numann_error *err) {
  return nu_team_run_bound(threads, working, NULL, fn, arg, err);
}

numann_status nu_team_run_bound(size_t threads, size_t working, nu_binding *binding, nu_team_fn *fn,
                                void *arg, numann_error *err) {
  assert(working >= 1 && working <= threads && threads <= INT_MAX);
  nu_team team = {.threads = threads, .working = working, .binding = binding, .fn = fn, .arg = arg};
  if (threads == 1) {
    run_member(&team, 0);
    return NUMANN_OK;
  }
  return is_forked() ? run_forked(&team, err) : run_threads(&team, err);
}

/* ---- the runtime's own binding */

void nu_team_expect_refusal(void) {
  affinity mine = current_affinity();
  if (mine.bytes > 0 && set_affinity(&mine) != 0) setenv("KMP_AFFINITY", "disabled", 0);
}

bool nu_team_binds(void) {
  if (is_forked()) return false;
  affinity mask = current_affinity();
  bool binds = omp_get_proc_bind() != omp_proc_bind_false && omp_get_num_places() > 0;
  restore_affinity(&mask);
  return binds;
}

static void find_place(nu_team *team, size_t thread, void *arg) {
  (void)team;
  unsigned *places = arg;
  places[thread] = (unsigned)omp_get_place_num();
}

/* Of a place's processors each of its threads gets one, at equal distances: a place may span nodes.
 */
static bool share_place(unsigned *os, size_t begin, size_t end) {
  int ids[1024], place = (int)os[begin], n = place >= 0 ? omp_get_place_num_procs(place) : 0;
  if (n < 1 || n > (int)(sizeof ids / sizeof *ids)) return false;
  omp_get_place_proc_ids(place, ids);
  for (size_t w = begin; w < end; w++)
    os[w] = (unsigned)ids[(w - begin) * (size_t)n / (end - begin)];
  return true;
}

numann_status nu_team_seats(size_t threads, size_t working, unsigned *os, numann_error *err) {
  bool known = true;
  NU_TRY(nu_team_run_some(threads, working, find_place, os, err));
  for (size_t begin = 0, end; known && begin < working; begin = end) {
    for (end = begin + 1; end < working && os[end] == os[begin];) end++;
    known = share_place(os, begin, end);
  }
  if (known) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_MEMORY,
                 "threads: the OpenMP runtime binds them, but does not tell where");
}

size_t nu_team_places(int *ids, size_t capacity) {
  affinity mask = current_affinity();
  size_t total = 0;
  for (int place = 0; place < omp_get_num_places(); place++) {
    int members = omp_get_place_num_procs(place);
    if (members <= 0) continue;
    if (total + (size_t)members <= capacity) omp_get_place_proc_ids(place, ids + total);
    total += (size_t)members;
  }
  restore_affinity(&mask);
  return total;
}

size_t nu_team_processors(void) {
  size_t n = nu_team_places(NULL, 0);
  if (n > 0) return n;
  affinity mask = current_affinity();
  for (size_t i = 0; mask.bytes > 0 && i < mask_bits(&mask); i++)
    n += mask.bits[i / WORD_BITS] >> i % WORD_BITS & 1;
  return n > 0 ? n : (size_t)omp_get_num_procs();
}

bool nu_team_knows_mask(void) { return current_affinity().bytes > 0; }

/* The runtime is asked only where a limit stands: LLVM's ends the process as it starts where
 * OMP_NUM_THREADS is no number, which is no reason not to look at a machine. */
size_t nu_team_limit(void) {
  if (!getenv("OMP_THREAD_LIMIT") && !getenv("KMP_DEVICE_THREAD_LIMIT") &&
      !getenv("KMP_ALL_THREADS"))
    return 0;
  affinity mask = current_affinity();
  int limit = omp_get_thread_limit();
  restore_affinity(&mask);
  return limit > 0 && limit < INT_MAX ? (size_t)limit : 0;
}

const char *nu_team_library(void) {
#if _OPENMP >= 202111
  return "OpenMP 5.2 (202111 or later)";
#elif _OPENMP >= 202011
  return "OpenMP 5.1 (202011)";
#elif _OPENMP >= 201811
  return "OpenMP 5.0 (201811)";
#elif _OPENMP >= 201511
  return "OpenMP 4.5 (201511)";
#else
  return "OpenMP before 4.5";
#endif
}
