/* Looking at a machine: at this one, or at one that others describe. SPDX-License-Identifier: MIT
 *
 * hwloc believes a description: numbers of processors of billions take gigabytes, sets that are
 * missing crash it. A description is therefore read in a process of its own, with limits of time
 * and memory, which sends back what it has seen. It is forked, uses no threads, and runs no handler
 * of the caller's. */
#include "build_config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "machine/limits.h"
#include "machine/view.h"

/* A machine of 4096 processors takes 3 s and 30 MiB. */
#define MOST_SECONDS 10 /* of a processor */
#define MOST_WAIT 120
#define MOST_MIB 256
/* Bytes of a description that a message has room for. */
#define MOST_NAME 512

static numann_status look(nu_machine *machine, const nu_machine_source *source, nu_text *drawing,
                          numann_error *err) {
  nu_view v;
  *machine = (nu_machine){0};
  numann_status status = nu_view_open(&v, source, err);
  if (status == NUMANN_OK) status = nu_view_model(&v, source, machine, err);
  if (status == NUMANN_OK && drawing) status = nu_view_draw(&v, machine, drawing, err);
  nu_view_close(&v);
  if (status != NUMANN_OK) nu_machine_clear(machine);
  return status;
}

/* ---- the process that reads a description */

/* What it sends: this, the processors, the nodes, the drawing. */
typedef struct answer {
  numann_error err; /* status NUMANN_OK: none */
  nu_machine machine;
  size_t drawn; /* bytes of the drawing */
} answer;

/* On top of what the process has, which is much where data is loaded; unlimited where the system
 * does not tell it. */
static void limit_memory(void) {
  FILE *file = fopen("/proc/self/statm", "re");
  uint64_t pages = 0;
  if (!file) return;
  bool told = fscanf(file, "%" SCNu64, &pages) == 1;
  fclose(file);
  rlim_t most = (rlim_t)(pages * (uint64_t)sysconf(_SC_PAGESIZE) + ((uint64_t)MOST_MIB << 20));
  if (told) setrlimit(RLIMIT_AS, &(struct rlimit){most, most});
}

/* What hwloc and libxml say of a description is not made for a terminal. */
static void prepare(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_DFL);
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  /* Where the process has a lower limit, these are refused, and that one stays. */
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  setrlimit(RLIMIT_CPU, &(struct rlimit){MOST_SECONDS, MOST_SECONDS});
  alarm(MOST_WAIT);
  limit_memory();
}

static bool send_bytes(int pipe, const void *bytes, size_t n) {
  const char *at = bytes;
  while (n > 0) {
    ssize_t sent = write(pipe, at, n);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    n -= (size_t)sent;
  }
  return true;
}

static void answer_for(const nu_machine_source *source, bool draws, const int ends[2]) {
  answer a = {0};
  nu_text drawing = {0};
  int pipe = ends[1];
  close(ends[0]);
  prepare();
  numann_status status = look(&a.machine, source, draws ? &drawing : NULL, &a.err);
  a.drawn = status == NUMANN_OK ? drawing.length : 0;
  const nu_machine *m = &a.machine;
  if (status != NUMANN_OK) a.machine = (nu_machine){0};
  bool sent = send_bytes(pipe, &a, sizeof a) &&
              send_bytes(pipe, m->processors, m->processing_units * sizeof *m->processors) &&
              send_bytes(pipe, m->nodes, m->n_nodes * sizeof *m->nodes) &&
              send_bytes(pipe, nu_text_view(&drawing), a.drawn);
  _exit(sent ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* ---- the process that asks it */

static bool receive(int pipe, void *bytes, size_t n) {
  char *at = bytes;
  while (n > 0) {
    ssize_t got = read(pipe, at, n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    n -= (size_t)got;
  }
  return true;
}

/* An array of the answer; false where it does not come. */
static bool receive_array(int pipe, void **out, size_t n, size_t size) {
  *out = nu_alloc(n, size);
  return *out && receive(pipe, *out, n * size);
}

/* What stands in the answer for pointers is the other process's. */
static bool receive_answer(int pipe, answer *a, nu_text *drawing) {
  void *processors = NULL, *nodes = NULL;
  char part[4096];
  nu_machine *m = &a->machine;
  if (!receive(pipe, a, sizeof *a)) return false;
  m->processors = NULL;
  m->nodes = NULL;
  m->slurm_name = NULL;
  if (a->err.status != NUMANN_OK) return true;
  bool whole = receive_array(pipe, &processors, m->processing_units, sizeof *m->processors) &&
               receive_array(pipe, &nodes, m->n_nodes, sizeof *m->nodes);
  m->processors = processors;
  m->nodes = nodes;
  for (size_t left = a->drawn; whole && left > 0;) {
    size_t n = left < sizeof part ? left : sizeof part;
    whole = drawing && receive(pipe, part, n);
    if (whole) nu_text_append(drawing, part, n);
    left -= n;
  }
  if (!whole) nu_machine_clear(m);
  return whole && !(drawing && drawing->failed);
}

/* -1 where the caller has waited for all children, or wants to know of none. */
static int end_of(pid_t child) {
  int end;
  pid_t ended;
  do ended = waitpid(child, &end, 0);
  while (ended < 0 && errno == EINTR);
  return ended == child ? end : -1;
}

static numann_status fail_end(const char *description, int end, numann_error *err) {
  char shown[NU_EXCERPT];
  size_t n = strlen(description);
  int by = end != -1 && WIFSIGNALED(end) ? WTERMSIG(end) : 0;
  bool slow = by == SIGXCPU || by == SIGKILL || by == SIGALRM;
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "topology: %s: hwloc %s; describe a smaller machine, or let `lstopo FILE.xml` "
                 "write the file anew on the machine that is meant",
                 n > MOST_NAME ? nu_excerpt(description, n, shown) : description,
                 slow ? "needs more time for it than a sound description takes (10 s)"
                      : "breaks down over it: its sets or numbers contradict it, or need more than "
                        "256 MiB");
}

static numann_status fail_start(const char *what, numann_error *err) {
  return nu_fail(err, NUMANN_ERR_MEMORY,
                 "topology: %s: %s; a description is read in a process of its own, which needs the "
                 "leave to start one",
                 what, strerror(errno));
}

static numann_status ask(nu_machine *machine, const nu_machine_source *source, nu_text *drawing,
                         numann_error *err) {
  int ends[2];
  answer a;
  if (pipe(ends) != 0) return fail_start("no pipe", err);
  pid_t child = fork();
  if (child < 0) fail_start("no process", err);
  if (child == 0) answer_for(source, drawing, ends);
  close(ends[1]);
  bool answered = child > 0 && receive_answer(ends[0], &a, drawing);
  close(ends[0]);
  if (child < 0) return NUMANN_ERR_MEMORY;
  int end = end_of(child);
  if (!answered) return fail_end(source->topology, end, err);
  if (a.err.status != NUMANN_OK) return nu_fail(err, a.err.status, "%s", a.err.message);
  *machine = a.machine;
  nu_limits_apply(machine, source->root);
  return NUMANN_OK;
}

/* ---- both */

numann_status nu_machine_draw_from(nu_machine *machine, const nu_machine_source *source,
                                   nu_text *out, numann_error *err) {
  *machine = (nu_machine){0};
  return source->topology ? ask(machine, source, out, err) : look(machine, source, out, err);
}

numann_status nu_machine_detect_from(nu_machine *machine, const nu_machine_source *source,
                                     numann_error *err) {
  return nu_machine_draw_from(machine, source, NULL, err);
}

numann_status nu_machine_detect(nu_machine *machine, numann_error *err) {
  static const nu_machine_source this_machine = {.topology = NULL, .root = ""};
  return nu_machine_detect_from(machine, &this_machine, err);
}
