/* The reasons for a plan, and what to warn of, as sentences. SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plan/choose.h"
#include "plan/parts.h"

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

/* Threads whose group has rows. */
static size_t sharing_threads(const nu_plan *plan) {
  size_t grains = nu_plan_own_grains(plan);
  return grains < plan->groups ? nu_plan_members(plan, grains).begin : plan->threads;
}

static void explain_choice(numann_plan *plan, const nu_plan_request *request,
                           const nu_machine *machine) {
  const char *strategy =
      request->strategy == NU_STRATEGIES ? "strategy by cost" : "strategy as ordered";
  double us = plan->seconds * 1e6;
  size_t share = sharing_threads(&plan->plan);
  if (share < request->threads) {
    snprintf(plan->why, sizeof plan->why,
             "%zu threads as ordered, of which %zu share the work, %s: about %.0f us a step",
             request->threads, share, strategy, us);
  } else if (request->threads) {
    snprintf(plan->why, sizeof plan->why, "%zu thread%s as ordered, %s: about %.0f us a step",
             plan->plan.threads, plural(plan->plan.threads), strategy, us);
  } else if (machine->threads_limit == 1) {
    snprintf(plan->why, sizeof plan->why, "the one thread that may run (%s): about %.0f us a step",
             machine->limited_by, us);
  } else {
    snprintf(plan->why, sizeof plan->why, "cheapest of 1 to %zu threads (%s): about %.0f us a step",
             machine->threads_limit, machine->limited_by, us);
  }
}

/* Behind those that are there. */
__attribute__((format(printf, 2, 3))) static void add_note(numann_plan *plan, const char *format,
                                                           ...) {
  size_t used = strlen(plan->note);
  va_list args;
  if (used) used += (size_t)snprintf(plan->note + used, sizeof plan->note - used, "; ");
  va_start(args, format);
  if (used < sizeof plan->note)
    nu_show_vformat(plan->note + used, sizeof plan->note - used, format, args);
  va_end(args);
}

/* Groups beyond the grains have no rows: a warning where they are an order. What the search chooses
 * is the best that can be done. */
static void note_idle_groups(numann_plan *plan, const nu_plan_request *request) {
  size_t grains = nu_plan_own_grains(&plan->plan);
  bool ordered = request->groups || request->strategy == NU_SAMPLES;
  if (!ordered || plan->plan.groups <= grains) return;
  add_note(plan,
           "a batch of %zu rows has %zu grain%s of %zu: %zu of %zu groups have nothing to do; "
           "strategy neurons, or "
           "a larger batch, gives them work",
           plan->plan.problem.batch, grains, grains == 1 ? "" : "s", plan->plan.problem.grain,
           plan->plan.groups - grains, plan->plan.groups);
}

void nu_plan_explain(numann_plan *plan, const nu_plan_request *request, const nu_machine *machine) {
  size_t threads = plan->plan.threads + plan->plan.idle, cores = machine->cores;
  char turns[64] = "so they take turns";
  explain_choice(plan, request, machine);
  note_idle_groups(plan, request);
  size_t omp = machine->omp_limit;
  if (request->threads && omp && threads > omp)
    add_note(plan, "OMP_NUM_THREADS=%zu gives way to parallel.threads: %zu", omp, threads);
  if (machine->omp_most && threads > machine->omp_most)
    add_note(plan, "OMP_THREAD_LIMIT=%zu: the OpenMP runtime will refuse the %zu threads ordered",
             machine->omp_most, threads);
  if (threads <= nu_machine_slots(machine)) return;
  if (plan->plan.idle) snprintf(turns, sizeof turns, "so %zu of them wait", plan->plan.idle);
  add_note(plan,
           "%zu threads on %zu cores: more threads than cores, %s; the weights are the same, "
           "`--threads %zu` "
           "is faster",
           threads, cores, turns, machine->threads_limit);
}
