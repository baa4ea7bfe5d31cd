/* SPDX-License-Identifier: MIT */
#include "trainer/memory.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/least.h"
#include "base/memory.h"
#include "machine/pages.h"
#include "trainer/step.h"

static size_t whole_pages(size_t bytes) { return nu_round_up(bytes, NU_PAGE); }

/* ---- allocations */

static bool remember(nu_memory_list *list, void *at, const nu_buffer *what) {
  if (!at || !nu_grow(&list->items, &list->capacity, list->n + 1, sizeof *list->items))
    return false;
  list->items[list->n++] = (nu_placed){at, *what};
  return true;
}

void *nu_engine_alloc(nu_engine *engine, const nu_buffer *what) {
  bool placed = nu_plan_places_memory(engine->plan);
  void *at = placed ? nu_pages_alloc(whole_pages(what->bytes)) : nu_alloc(1, what->bytes);
  if (remember(&engine->memory, at, what)) return at;
  if (placed) nu_pages_free(at, whole_pages(what->bytes));
  else free(at);
  return NULL;
}

void nu_engine_free(nu_engine *engine) {
  bool placed = nu_plan_places_memory(engine->plan);
  for (size_t i = 0; i < engine->memory.n; i++) {
    nu_placed *item = &engine->memory.items[i];
    if (placed) nu_pages_free(item->at, whole_pages(item->what.bytes));
    else free(item->at);
  }
  free(engine->memory.items);
  engine->memory = (nu_memory_list){0};
  free(engine->cpus);
  free(engine->cpu_numbers);
  engine->cpus = NULL;
  engine->cpu_numbers = NULL;
}

/* ---- stripes */

typedef void stripe_fn(nu_engine *engine, char *at, const nu_stripe *stripe, void *arg);

/* fn for each stripe of an allocation: one, on the first node, where the plan uses no other. */
static bool for_each_stripe(nu_engine *engine, const nu_placed *item, stripe_fn *fn, void *arg) {
  size_t n = nu_plan_stripes(engine->plan, engine->network, &item->what, NULL, 0);
  nu_stripe *stripes = nu_alloc(n, sizeof *stripes);
  if (!stripes) return false;
  nu_plan_stripes(engine->plan, engine->network, &item->what, stripes, n);
  for (size_t i = 0; i < n; i++) fn(engine, item->at, &stripes[i], arg);
  free(stripes);
  return true;
}

/* arg: do pages that are there move? */
static void ask_for(nu_engine *engine, char *at, const nu_stripe *stripe, void *arg) {
  size_t bytes = whole_pages(stripe->end) - stripe->begin;
  unsigned node = engine->plan->placement->nodes[stripe->node].os;
  int refusal = nu_pages_prefer(at + stripe->begin, bytes, node, *(const bool *)arg);
  if (refusal) engine->memory.refusal = refusal;
}

/* The threads of the stripe's node share its pages. */
static void write_pages(nu_engine *engine, char *at, const nu_stripe *stripe, void *arg) {
  size_t thread = *(const size_t *)arg;
  if (nu_plan_node(engine->plan, thread) != stripe->node) return;
  nu_range threads = nu_plan_node_threads(engine->plan, stripe->node);
  nu_range pages = nu_share((whole_pages(stripe->end) - stripe->begin) / NU_PAGE,
                            threads.end - threads.begin, thread - threads.begin);
  for (size_t p = pages.begin; p < pages.end; p++) {
    volatile char *page = at + stripe->begin + p * NU_PAGE;
    *page = 0;
  }
}

typedef struct touch_job {
  nu_engine *engine;
  atomic_bool refused; /* memory for the list of stripes */
} touch_job;

static void touch(nu_team *team, size_t thread, void *arg) {
  (void)team;
  touch_job *job = arg;
  const nu_memory_list *memory = &job->engine->memory;
  for (size_t i = memory->touched; i < memory->n; i++) {
    if (!for_each_stripe(job->engine, &memory->items[i], write_pages, &thread))
      atomic_store(&job->refused, true);
  }
}

numann_status nu_engine_touch(nu_engine *engine, numann_error *err) {
  if (!nu_plan_places_memory(engine->plan)) return NUMANN_OK;
  nu_memory_list *memory = &engine->memory;
  touch_job job = {.engine = engine};
  bool move = false;
  for (size_t i = memory->touched; i < memory->n; i++) {
    if (!for_each_stripe(engine, &memory->items[i], ask_for, &move))
      atomic_store(&job.refused, true);
  }
  NU_TRY(nu_engine_run(engine, touch, &job, err));
  memory->touched = memory->n;
  return atomic_load(&job.refused)
             ? nu_fail_memory(err, sizeof(nu_stripe), "the stripes of a buffer")
             : NUMANN_OK;
}

/* ---- training rows */

/* The arrays of rows that are large enough, from the page that their first byte is on. Of shared
 * rows none: each process has other places in mind for them. */
static size_t list_data(const nu_engine *engine, const nu_rows *rows, nu_placed items[4]) {
  const struct {
    const void *at;
    size_t bytes;
  } arrays[] = {{rows->inputs, rows->rows * engine->features * sizeof *rows->inputs},
                {rows->bytes, rows->rows * engine->features},
                {rows->targets, rows->rows * engine->outputs * sizeof *rows->targets},
                {rows->labels, rows->rows * sizeof *rows->labels}};
  size_t n = 0;
  for (size_t i = 0; i < 4 && !rows->shared; i++) {
    if (!arrays[i].at || arrays[i].bytes < NU_LEAST_DATA) continue;
    union {
      const void *given;
      char *at;
    } u = {arrays[i].at}; /* their pages move; not a byte of them changes */
    size_t into = (size_t)(uintptr_t)u.at % NU_PAGE;
    items[n++] =
        (nu_placed){u.at - into, {.kind = NU_BUFFER_DATA, .bytes = arrays[i].bytes + into}};
  }
  return n;
}

void nu_engine_place_data(nu_engine *engine, const nu_rows *rows) {
  nu_placed items[4];
  bool move = true;
  if (!nu_plan_places_memory(engine->plan)) return;
  size_t n = list_data(engine, rows, items);
  for (size_t i = 0; i < n; i++) for_each_stripe(engine, &items[i], ask_for, &move);
}

/* ---- threads */

/* The placement's processors by number, and for each thread its own one or all of its node. */
bool nu_engine_seat(nu_engine *engine) {
  const nu_placement *p = engine->plan->placement;
  if (!p || (p->width != NU_BIND_CORE && p->width != NU_BIND_NODE)) return true;
  bool alone = p->width == NU_BIND_CORE;
  engine->cpus = nu_alloc(p->n_threads, sizeof *engine->cpus);
  engine->cpu_numbers =
      nu_alloc(alone ? p->n_threads : p->n_processors, sizeof *engine->cpu_numbers);
  if (!engine->cpus || !engine->cpu_numbers) return false;
  for (size_t i = 0; i < (alone ? p->n_threads : p->n_processors); i++)
    engine->cpu_numbers[i] = alone ? p->seats[i].processor.os : p->processors[i].os;
  for (size_t t = 0; t < p->n_threads; t++) {
    nu_range mine = alone ? (nu_range){t, t + 1} : nu_placement_processors(p, p->seats[t].node);
    engine->cpus[t] = (nu_cpus){engine->cpu_numbers + mine.begin, mine.end - mine.begin};
  }
  engine->binding.cpus = engine->cpus;
  return true;
}

numann_status nu_engine_run(nu_engine *engine, nu_team_fn *fn, void *arg, numann_error *err) {
  return nu_team_run_bound(engine->plan->threads + engine->plan->idle, engine->plan->threads,
                           &engine->binding, fn, arg, err);
}

/* ---- was it done? */

static void count_page(nu_place_report *report, unsigned planned, int found) {
  if (found < 0) return; /* not there: nobody has written it yet */
  report->pages++;
  report->right += (unsigned)found == planned;
  report->planned[nu_smaller(planned, NU_REPORTED_NODES - 1)]++;
  report->found[nu_smaller((size_t)found, NU_REPORTED_NODES - 1)]++;
}

/* The pages that begin in the stripe. */
static void ask_about(nu_engine *engine, char *at, const nu_stripe *stripe, void *arg) {
  enum { MOST = 256 };
  nu_place_report *report = arg;
  unsigned planned = engine->plan->placement->nodes[stripe->node].os;
  uintptr_t first = nu_round_up((uintptr_t)at + stripe->begin, NU_PAGE),
            end = (uintptr_t)at + stripe->end;
  const char *page = at + (first - (uintptr_t)at);
  size_t n = first < end ? (end - first + NU_PAGE - 1) / NU_PAGE : 0;
  for (size_t done = 0; done < n; done += MOST) {
    int nodes[MOST];
    size_t some = nu_smaller(n - done, MOST);
    int refusal = nu_pages_ask(page + done * NU_PAGE, some, nodes);
    if (refusal) report->ask_refusal = refusal;
    for (size_t i = 0; i < some && !refusal; i++) count_page(report, planned, nodes[i]);
  }
}

typedef struct look_job {
  nu_engine *engine;
  atomic_size_t right;
} look_job;

static void look_where_i_am(nu_team *team, size_t thread, void *arg) {
  (void)team;
  look_job *job = arg;
  if (nu_team_is_on(&job->engine->cpus[thread])) atomic_fetch_add(&job->right, 1);
}

static numann_status look_at_threads(nu_engine *engine, nu_place_report *report,
                                     numann_error *err) {
  if (!engine->cpus) return NUMANN_OK;
  look_job job = {.engine = engine};
  NU_TRY(nu_engine_run(engine, look_where_i_am, &job, err));
  report->threads = engine->plan->threads;
  report->on_their_core = atomic_load(&job.right);
  return NUMANN_OK;
}

/* Of several nodes, one must have been asked for. */
static bool have_a_place(const nu_plan *plan) {
  return nu_plan_places_memory(plan) || plan->placement->of_nodes == 1;
}

static numann_status look_at_pages(nu_engine *engine, const nu_rows *rows, nu_place_report *report,
                                   numann_error *err) {
  nu_placed data[4];
  size_t n_data = list_data(engine, rows, data), n = engine->memory.n;
  bool listed = true;
  for (size_t i = 0; i < n + n_data; i++)
    listed &=
        for_each_stripe(engine, i < n ? &engine->memory.items[i] : &data[i - n], ask_about, report);
  return listed ? NUMANN_OK : nu_fail_memory(err, sizeof(nu_stripe), "the stripes of a buffer");
}

numann_status nu_engine_report(nu_engine *engine, const nu_rows *rows, bool pages,
                               nu_place_report *report, numann_error *err) {
  *report = (nu_place_report){.memory_refusal = engine->memory.refusal};
  if (!engine->plan->placement) return NUMANN_OK;
  if (pages && have_a_place(engine->plan)) NU_TRY(look_at_pages(engine, rows, report, err));
  NU_TRY(look_at_threads(engine, report, err));
  report->bind_refusal = atomic_load(&engine->binding.refusal);
  return NUMANN_OK;
}
