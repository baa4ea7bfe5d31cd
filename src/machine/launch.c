/* Is this process launched so that it can be fast? SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "machine/launch.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/least.h"
#include "base/memory.h"
#include "base/text.h"
#include "machine/comm.h"

/* Of a list of processors, and of the two lines that name two of them. */
#define LIST_SIZE 640
#define USE_SIZE (2 * LIST_SIZE + 128)

/* What the checks look at. */
typedef struct scene {
  const nu_machine *machine;
  const nu_launch *launch;
  size_t ordered; /* 0: auto */
  bool bound;     /* by numann */
  size_t threads; /* that will run, at most where there is no plan */
  char *message;
} scene;

static bool say(const scene *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool say(const scene *s, const char *format, ...) {
  va_list list;
  va_start(list, format);
  nu_show_vformat(s->message, NU_LAUNCH_MESSAGE, format, list);
  va_end(list);
  return true;
}

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

/* An order that the mask can hold is no accident. */
static bool is_content(const scene *s) { return s->ordered > 0 && s->ordered <= s->machine->slots; }

/* ---- the checks */

/* srun took the job's --cpus-per-task over until Slurm 22.05; since then a step has one CPU a task
 * where it is not told again, while the variable still says what the job asked for. */
static bool find_slurm_trap(const scene *s) {
  size_t cpus = s->launch->slurm_cpus, mine = s->machine->processing_units;
  if (cpus <= mine || is_content(s)) return false;
  return say(s,
             "launch: %s promises %zu CPUs, this process may use %zu, so that training is up to "
             "%.3g times slower "
             "than it could be (srun does not take --cpus-per-task over from sbatch since Slurm "
             "22.05, or taskset leaves "
             "no more); use: srun --cpus-per-task=%zu numann ... without taskset, or: export "
             "SRUN_CPUS_PER_TASK=%zu "
             "before srun",
             s->launch->slurm_name, cpus, mine, (double)cpus / (double)mine, cpus, cpus);
}

static bool say_bound_rank(const scene *s, size_t cores) {
  const nu_launcher *launcher = s->launch->launcher;
  return say(s,
             "launch: the launcher has bound this process (one of %zu on this host) to 1 of %zu "
             "cores, so that all "
             "threads take turns on it and the other cores idle; use: %s%zu%s numann ...",
             s->launch->local_ranks, s->machine->host_cores, launcher->start, cores, launcher->end);
}

/* The processors outside of the mask have no numbers here. */
static bool say_bound_thread(const scene *s, size_t wanted, const char *by) {
  size_t cores = nu_smaller(wanted, s->machine->host_cores);
  const char *places = s->launch->omp_places;
  char use[128] = "OMP_PLACES=cores numann ...";
  if (!places)
    snprintf(
        use, sizeof use,
        "numann ... without the mask (of taskset, or of a launcher), or with a mask of %zu cores",
        cores);
  return say(s,
             "launch: %s asks for %zu threads, but %s leaves this process 1 of %zu cores, which "
             "does the work of "
             "one thread; use: %s",
             by, wanted, places ? "OMP_PLACES" : "the affinity mask", s->machine->host_cores, use);
}

/* Open MPI binds each process of a small job to a core where it is told nothing. */
static bool find_one_core(const scene *s) {
  const nu_machine *m = s->machine;
  if (m->cores > 1 || m->host_cores < 2) return false;
  const nu_launch *l = s->launch;
  size_t share = l->launcher && l->launcher->binds ? m->host_cores / l->local_ranks : 1;
  if (share > 1 && !is_content(s)) return say_bound_rank(s, share);
  if (s->ordered > m->slots) return say_bound_thread(s, s->ordered, "the order");
  if (s->ordered == 0 && m->omp_limit > m->slots)
    return say_bound_thread(s, m->omp_limit, "OMP_NUM_THREADS");
  return false;
}

/* Does a list of OpenMP's, one word a nesting level, begin with the word? Case does not matter
 * there. */
static bool begins_with(const char *list, const char *word) {
  list += strspn(list, " \t");
  size_t n = strlen(word);
  return strncasecmp(list, word, n) == 0 && !isalnum((unsigned char)list[n]) && list[n] != '_';
}

/* Without OMP_PLACES a place is a core or less. Other places may hold many cores: they may be
 * meant. */
static bool find_one_place(const scene *s) {
  const char *bind = s->launch->omp_bind, *places = s->launch->omp_places;
  if (!bind || s->bound || s->threads < 2) return false;
  const char *word = begins_with(bind, "master") ? "master" : "primary";
  if (!begins_with(bind, word)) return false;
  if (places && !begins_with(places, "cores") && !begins_with(places, "threads")) return false;
  return say(s,
             "launch: OMP_PROC_BIND=%s puts all %zu threads on one core, so that they take turns "
             "on it and the "
             "other cores idle; use: OMP_PROC_BIND=close numann ...",
             word, s->threads);
}

/* Several processes of one launch, none of them bound: all over the host, or all in one mask. */
static bool find_unbound_ranks(const scene *s) {
  const nu_machine *m = s->machine;
  const nu_launcher *launcher = s->launch->launcher;
  size_t ranks = m->cores < m->host_cores ? s->launch->sharing_ranks + 1 : s->launch->local_ranks;
  if (!launcher || s->launch->joined || ranks < 2 || ranks * s->threads <= m->slots) return false;
  size_t cores = m->cores / ranks > 0 ? m->cores / ranks : 1;
  return say(s,
             "launch: each of %zu processes on this host may run %zu thread%s on the same %zu "
             "core%s: they take "
             "turns, and every barrier waits for that, which is several times slower; use: %s%zu%s "
             "numann ...",
             ranks, s->threads, plural(s->threads), m->cores, plural(m->cores), launcher->start,
             cores, launcher->end);
}

static int compare_numbers(const void *a, const void *b) {
  const unsigned *one = a, *other = b;
  return (*one > *other) - (*one < *other);
}

/* Numbers of equal distance from the first on: "0-6:2" of taskset's is 0, 2, 4, 6. Two of them are
 * no such run, but where they stand side by side. */
static size_t run_length(const unsigned *numbers, size_t n) {
  size_t run = 1;
  while (run < n && numbers[run] - numbers[run - 1] == numbers[1] - numbers[0]) run++;
  return run > 2 || (run == 2 && numbers[1] - numbers[0] == 1) ? run : 1;
}

/* Processors [begin, end) of the machine as taskset reads them. They stand core by core, while
 * systems often number siblings far apart, or sockets in turn. False where they do not fit. */
static bool list_processors(const nu_machine *m, size_t begin, size_t end, char list[LIST_SIZE]) {
  size_t n = end - begin;
  unsigned *numbers = nu_alloc(n, sizeof *numbers);
  nu_text text = {0};
  if (!numbers) return false;
  for (size_t i = 0; i < n; i++) numbers[i] = m->processors[begin + i].os;
  qsort(numbers, n, sizeof *numbers, compare_numbers);
  for (size_t i = 0, run; i < n; i += run) {
    const unsigned *first = numbers + i;
    run = run_length(first, n - i);
    nu_text_addf(&text, "%s%u", i > 0 ? "," : "", first[0]);
    if (run > 1) nu_text_addf(&text, "-%u", first[run - 1]);
    if (run > 1 && first[1] - first[0] > 1) nu_text_addf(&text, ":%u", first[1] - first[0]);
  }
  bool fits = !text.failed && text.length < LIST_SIZE;
  if (fits) memcpy(list, nu_text_view(&text), text.length + 1);
  nu_text_clear(&text);
  free(numbers);
  return fits;
}

/* Siblings stay together: the half is that of the cores. */
static size_t half_of(const nu_machine *m) {
  size_t i = m->processing_units / 2;
  while (i > 0 && m->processors[i].sibling > 0) i--;
  return i;
}

/* The line for each of two processes. */
static void divide(const nu_machine *m, char use[USE_SIZE]) {
  char one[LIST_SIZE], other[LIST_SIZE];
  size_t half = half_of(m);
  if (half == 0) snprintf(use, USE_SIZE, "the cores one after the other");
  else if (list_processors(m, 0, half, one) && list_processors(m, half, m->processing_units, other))
    snprintf(use, USE_SIZE,
             "taskset -c %s numann ... for one, taskset -c %s numann ... for the other", one,
             other);
  else
    snprintf(use, USE_SIZE,
             "taskset -c with one half of the cores for one, with the other half for the other");
}

static bool find_neighbour(const scene *s) {
  const nu_machine *m = s->machine;
  const nu_launch *l = s->launch;
  size_t theirs = nu_smaller(l->neighbour_threads, l->neighbour_shares);
  if (l->neighbour == 0 || theirs == 0 || s->threads + theirs <= m->slots) return false;
  char use[USE_SIZE];
  divide(m, use);
  return say(
      s,
      "launch: process %ld is a numann with %zu thread%s, of which %zu may run on the %zu core%s "
      "of this one: "
      "both take turns, and every barrier waits for that, which is several times slower; use: %s",
      l->neighbour, l->neighbour_threads, plural(l->neighbour_threads), theirs, m->cores,
      plural(m->cores), use);
}

/* More than the slots is the plan's to say. */
static bool find_throttling(const scene *s) {
  const nu_machine *m = s->machine;
  if (m->quota <= 0 || !is_content(s) || (double)s->ordered < m->quota + 1.0) return false;
  return say(s,
             "launch: %zu threads are ordered, but the cgroup's CPU quota pays for %g cores: the "
             "system stops all of "
             "them for a part of each 100 ms, and every barrier waits for that; use: numann ... "
             "--threads %zu",
             s->ordered, m->quota, m->threads_limit);
}

/* The worst first. */
static const struct {
  bool (*found)(const scene *);
  nu_launch_finding finding;
} checks[] = {
    {find_slurm_trap, NU_LAUNCH_CROWDED}, {find_one_core, NU_LAUNCH_CROWDED},
    {find_one_place, NU_LAUNCH_CROWDED},  {find_unbound_ranks, NU_LAUNCH_CROWDED},
    {find_neighbour, NU_LAUNCH_OTHER},    {find_throttling, NU_LAUNCH_OTHER},
};

static size_t threads_of(const nu_machine *machine, nu_launch_threads threads) {
  if (threads.running > 0) return threads.running;
  return threads.ordered > 0 ? threads.ordered : machine->threads_limit;
}

nu_launch_finding nu_launch_check(const nu_machine *machine, nu_launch_threads threads,
                                  const nu_launch *launch, char message[NU_LAUNCH_MESSAGE]) {
  scene s = {.machine = machine,
             .launch = launch,
             .ordered = threads.ordered,
             .bound = threads.bound,
             .threads = threads_of(machine, threads),
             .message = message};
  message[0] = '\0';
  for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
    if (checks[i].found(&s)) return checks[i].finding;
  return NU_LAUNCH_NOTHING;
}

nu_launch_finding nu_launch_diagnose(const nu_machine *machine, nu_launch_threads threads,
                                     char message[NU_LAUNCH_MESSAGE]) {
  const char *wanted = getenv("NUMANN_DIAGNOSIS");
  message[0] = '\0';
  if (machine->foreign || (wanted && strcmp(wanted, "off") == 0)) return NU_LAUNCH_NOTHING;
  nu_launch launch = nu_launch_read(machine, "");
  launch.joined = nu_comm_world()->size > 1;
  return nu_launch_check(machine, threads, &launch, message);
}
