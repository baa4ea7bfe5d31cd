/* A job of many ranks in one process: the same partition, tree and messages, each rank a thread
 * with a trainer of its own. One rank trains first; then all of them must end with its weights, and
 * must have sent what the formula says (plan/exchange.h). SPDX-License-Identifier: MIT */
#include "cli/rehearse.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/forecast.h"
#include "config/config.h"
#include "kernels/kernels.h"
#include "machine/comm_virtual.h"
#include "network/network.h"
#include "numann.h"
#include "plan/from_config.h"
#include "trainer/refusal.h"
#include "trainer/trainer.h"

enum { MOST_RANKS = 1024, MOST_STEPS = 1000000000, TIMES = 1024 };

typedef struct rehearsal rehearsal;

/* One of the ranks. */
typedef struct member {
  rehearsal *all;
  nu_comm comm;   /* counts, and takes the time of what `inner` carries */
  nu_comm *inner; /* of the list of virtual ranks */
  numann_network *network;
  pthread_t thread;
  numann_status status;
  numann_error err;
  char sha256[65];
  uint64_t steps;
  nu_traffic whole, rest;   /* sent in the last step of each kind */
  double began, exchanging; /* of the running step; seconds of this thread */
  double times[TIMES];      /* of whole steps without their exchanges: the last ones */
  size_t n_times;           /* in all */
} member;

/* So many ranks, from start to end. */
struct rehearsal {
  const numann_config *config; /* borrowed, as are the data */
  const numann_data *data;
  uint64_t last_step; /* 0: the whole training */
  numann_plan *plan;  /* of rank 0, whose share is the largest; owned */
  nu_comm *ranks;     /* owned */
  member *members;    /* [size], owned */
  size_t size;
  pthread_mutex_t gate; /* closed until all threads are there */
  bool open;
  const member *failed; /* the first, under the gate */
};

/* ---- what is asked for */

numann_status nu_rehearsal_asked(bool *asked, const nu_arguments *args, numann_error *err) {
  static const nu_option_id alone[] = {NU_OPTION_STEPS, NU_OPTION_NETWORK};
  static const nu_option_id of_folders[] = {NU_OPTION_OUT, NU_OPTION_RESUME, NU_OPTION_OVERWRITE,
                                            NU_OPTION_EXPLAIN_PLACEMENT};
  *asked = nu_given(args, NU_OPTION_VIRTUAL_RANKS);
  for (size_t i = 0; !*asked && i < sizeof alone / sizeof *alone; i++)
    if (nu_given(args, alone[i]))
      return nu_fail(err, NUMANN_ERR_CONFIG,
                     "command line: --%s belongs to a rehearsal; give --virtual-ranks N as well",
                     nu_option_row(alone[i])->name);
  for (size_t i = 0; *asked && i < sizeof of_folders / sizeof *of_folders; i++)
    if (nu_given(args, of_folders[i]))
      return nu_fail(err, NUMANN_ERR_CONFIG,
                     "command line: --%s: a rehearsal (--virtual-ranks) writes no run folder and "
                     "binds no threads; leave it out",
                     nu_option_row(of_folders[i])->name);
  return NUMANN_OK;
}

/* ---- one rank */

static void carry(nu_comm *comm, const nu_mail *mail) {
  member *m = comm->self;
  double before = nu_clock_thread_seconds();
  m->inner->end(m->inner, mail);
  m->exchanging += nu_clock_thread_seconds() - before;
}

static void begin_step(member *m) {
  m->began = nu_clock_thread_seconds();
  m->exchanging = 0.0;
}

static numann_action on_step(void *arg, const numann_progress *at) {
  member *m = arg;
  bool whole = at->rows == at->batch * m->all->plan->plan.problem.batch;
  if (whole) m->times[m->n_times++ % TIMES] = nu_clock_thread_seconds() - m->began - m->exchanging;
  m->steps = at->step;
  begin_step(m);
  return nu_comm_virtual_is_broken(m->all->ranks) ? NUMANN_STOP : NUMANN_CONTINUE;
}

/* Validation is no part of a step. */
static numann_action on_epoch(void *arg, const numann_epoch *epoch) {
  (void)epoch;
  begin_step(arg);
  return NUMANN_CONTINUE;
}

static void train(member *m) {
  const rehearsal *all = m->all;
  const nu_problem *problem = &all->plan->plan.problem;
  numann_trainer *trainer;
  numann_observer observer = {.arg = m, .on_step = on_step, .on_epoch = on_epoch};
  m->status = nu_trainer_create_on(&trainer, &m->comm, all->config, m->network, all->plan,
                                   all->data, &m->err);
  if (m->status != NUMANN_OK) return;
  nu_trainer_stop_after(trainer, all->last_step);
  begin_step(m);
  m->status = numann_trainer_run(trainer, &observer, &m->err);
  if (m->status == NUMANN_STOPPED) m->status = NUMANN_OK;
  m->whole = nu_trainer_traffic(trainer, problem->batch);
  m->rest = nu_trainer_traffic(trainer, problem->last_batch);
  nu_network_sha256(m->network, m->sha256);
  numann_trainer_destroy(trainer);
}

/* Errors that all ranks share end them together. Memory may be refused to one of them alone, in the
 * middle of the training: the others must not wait for it. */
static void tell_failure(member *m) {
  rehearsal *all = m->all;
  pthread_mutex_lock(&all->gate);
  if (!all->failed) all->failed = m;
  pthread_mutex_unlock(&all->gate);
  nu_comm_virtual_break(all->ranks);
}

static void *attend(void *arg) {
  member *m = arg;
  pthread_mutex_lock(&m->all->gate);
  bool open = m->all->open;
  pthread_mutex_unlock(&m->all->gate);
  if (open) train(m);
  if (m->status != NUMANN_OK) tell_failure(m);
  return NULL;
}

/* ---- all of them */

static void clear(rehearsal *all) {
  for (size_t r = 0; all->members && r < all->size; r++)
    numann_network_destroy(all->members[r].network);
  free(all->members);
  nu_comm_virtual_destroy(all->ranks);
  numann_plan_destroy(all->plan);
}

static numann_status prepare(rehearsal *all, numann_error *err) {
  all->ranks = nu_comm_virtual_create(all->size);
  all->members = nu_alloc(all->size, sizeof *all->members);
  if (!all->ranks || !all->members)
    return nu_fail_memory(err, all->size * sizeof *all->members, "the virtual ranks");
  for (size_t r = 0; r < all->size; r++) {
    member *m = &all->members[r];
    *m = (member){.all = all,
                  .inner = &all->ranks[r],
                  .comm = {.rank = r, .size = all->size, .end = carry, .self = m}};
    NU_TRY(numann_network_create(&m->network, all->config, all->data, err));
  }
  NU_TRY(nu_plan_create_for(&all->plan, &all->ranks[0], all->config, all->members[0].network,
                            all->data, err));
  return nu_refuse_ranks(all->config, &all->plan->plan.problem, all->size, err);
}

/* None begins before all are there: it would wait for ever for one that the system refuses. */
static numann_status run_threads(rehearsal *all, numann_error *err) {
  size_t n = 0;
  pthread_mutex_init(&all->gate, NULL);
  pthread_mutex_lock(&all->gate);
  while (n < all->size &&
         pthread_create(&all->members[n].thread, NULL, attend, &all->members[n]) == 0)
    n++;
  all->open = n == all->size;
  pthread_mutex_unlock(&all->gate);
  for (size_t r = 0; r < n; r++) pthread_join(all->members[r].thread, NULL);
  pthread_mutex_destroy(&all->gate);
  if (all->open) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_MEMORY,
                 "the system gives %zu threads for %zu virtual ranks; rehearse fewer", n,
                 all->size);
}

static numann_status run(rehearsal *all, numann_error *err) {
  NU_TRY(run_threads(all, err));
  if (!all->failed) return NUMANN_OK;
  if (err) *err = all->failed->err;
  return all->failed->status;
}

/* Of the rank that takes longest. */
static double median_step(rehearsal *all) {
  double longest = 0.0;
  for (size_t r = 0; r < all->size; r++) {
    member *m = &all->members[r];
    size_t n = m->n_times < TIMES ? m->n_times : TIMES;
    double median = n ? nu_median(m->times, n) : 0.0;
    if (median > longest) longest = median;
  }
  return longest;
}

/* ---- what must be so; anything else is a defect */

static numann_status check_weights(const rehearsal *all, const rehearsal *one, numann_error *err) {
  for (size_t r = 0; r < all->size; r++) {
    const member *m = &all->members[r], *only = &one->members[0];
    if (strcmp(m->sha256, only->sha256) == 0 && m->steps == only->steps) continue;
    return nu_fail(err, NUMANN_ERR_INTERNAL,
                   "rank %zu of %zu ends with other weights than one rank (%.12s after %" PRIu64
                   " steps, %.12s after %" PRIu64 "); this is a defect of numann, please report it",
                   r, all->size, m->sha256, m->steps, only->sha256, only->steps);
  }
  return NUMANN_OK;
}

static bool is_planned(nu_traffic sent, const nu_rank_step *step) {
  nu_traffic want = nu_rank_step_sent(step);
  return sent.messages == want.messages && sent.bytes == want.bytes;
}

/* Training may have ended before the first batch that is smaller. */
static numann_status check_traffic(const rehearsal *all, numann_error *err) {
  const nu_plan *plan = &all->plan->plan;
  nu_rank_step *whole = nu_alloc(2 * all->size, sizeof *whole), *rest = whole + all->size;
  if (!whole) return nu_fail_memory(err, 2 * all->size * sizeof *whole, "the ranks' steps");
  size_t wrong = 0;
  nu_plan_rank_steps(plan, all->members[0].network, plan->problem.batch, whole);
  nu_plan_rank_steps(plan, all->members[0].network, plan->problem.last_batch, rest);
  for (size_t r = 0; r < all->size; r++) {
    const member *m = &all->members[r];
    if (!is_planned(m->whole, &whole[r])) wrong++;
    else if (m->rest.messages > 0 && !is_planned(m->rest, &rest[r])) wrong++;
  }
  free(whole);
  if (!wrong) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_INTERNAL,
                 "%zu of %zu ranks have sent other messages than planned; this is a defect of "
                 "numann, please report it",
                 wrong, all->size);
}

/* ---- the result */

static void write_json(const rehearsal *all, const nu_forecast *forecast, const nu_link *link,
                       double modelled, nu_text *out) {
  const nu_plan *plan = &all->plan->plan;
  const nu_kernels *kernels = nu_kernels_select();
  nu_json json = {0};
  nu_json_open(&json, NULL, '{');
  nu_json_count(&json, "virtual_ranks", all->size);
  nu_json_count(&json, "threads", plan->threads);
  nu_json_count(&json, "steps", all->members[0].steps);
  nu_json_count(&json, "batch", plan->problem.batch);
  nu_json_count(&json, "grain", plan->problem.grain);
  nu_json_string(&json, "weights_sha256", all->members[0].sha256);
  nu_json_string(&json, "isa", kernels ? kernels->isa : NULL);
  nu_json_real(&json, "modelled_compute_s", modelled);
  nu_forecast_json(forecast, plan, link, &json);
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  *out = json.text;
}

static void write_text(const rehearsal *all, const nu_forecast *forecast, const nu_link *link,
                       double modelled, nu_text *out) {
  const nu_plan *plan = &all->plan->plan;
  nu_text_addf(out,
               "ranks    %zu virtual rank%s of %zu thread%s; batch %zu in grains of %zu rows\n",
               all->size, all->size == 1 ? "" : "s", plan->threads, plan->threads == 1 ? "" : "s",
               plan->problem.batch, plan->problem.grain);
  nu_text_addf(out,
               "weights  after %" PRIu64
               " steps those of 1 rank, to the last bit: %s\n"
               "sent     by every rank what was planned\n\n",
               all->members[0].steps, all->members[0].sha256);
  nu_forecast_text(forecast, plan, link, out);
  nu_text_addf(out,
               "computing is measured here, a rank at a time on a core; by the model of "
               "`numann plan` it is %.1f us\n",
               modelled * 1e6);
}

/* Measured, or those shipped where that is refused or disturbed. */
static nu_rates current_rates(const nu_kernels *kernels, const nu_machine *machine) {
  nu_rates rates = *nu_rates_of(kernels->isa), shipped = rates;
  bool measured = nu_rates_measure(&rates, kernels, machine, NULL) == NUMANN_OK;
  return measured && !nu_rates_flaw(&rates) ? rates : shipped;
}

static numann_status show(rehearsal *all, rehearsal *one, const nu_arguments *args,
                          numann_error *err) {
  const nu_plan *plan = &all->plan->plan;
  const numann_network *network = all->members[0].network;
  const nu_kernels *kernels;
  nu_link link;
  nu_forecast forecast;
  nu_rank_step *steps;
  nu_text out = {0};
  NU_TRY(nu_kernels_choose(&kernels, err));
  nu_rates rates = current_rates(kernels, &all->plan->machine);
  NU_TRY(nu_read_network(&link, args, &rates, err));
  NU_TRY(nu_rank_steps_make(&steps, plan, network, err));
  nu_forecast_steps(&forecast, steps, all->size, &link, median_step(all), median_step(one));
  double modelled = nu_forecast_compute(plan, network, &all->plan->machine, &rates, steps);
  free(steps);
  if (nu_given(args, NU_OPTION_JSON)) write_json(all, &forecast, &link, modelled, &out);
  else write_text(all, &forecast, &link, modelled, &out);
  return nu_print_text(&out, err);
}

/* ---- the flow */

static numann_status rehearse(rehearsal *all, rehearsal *one, const nu_arguments *args,
                              numann_error *err) {
  NU_TRY(prepare(all, err));
  NU_TRY(prepare(one, err));
  nu_note(args, "1 rank trains, for comparison");
  NU_TRY(run(one, err));
  nu_note(args, "%zu virtual rank%s", all->size, all->size == 1 ? " trains" : "s train");
  NU_TRY(run(all, err));
  NU_TRY(check_weights(all, one, err));
  NU_TRY(check_traffic(all, err));
  return show(all, one, args, err);
}

/* Virtual ranks share the cores: none is bound, and each has one thread where the number is
 * open. */
static numann_status load_config(numann_config **config, const nu_arguments *args,
                                 numann_error *err) {
  NU_TRY(nu_load_config(config, args, args->operands[0], err));
  NU_TRY(numann_config_set(*config, "parallel.placement=none", err));
  if (nu_config_count(*config, "parallel.threads") > 0) return NUMANN_OK;
  return numann_config_set(*config, "parallel.threads=1", err);
}

static numann_status read_options(size_t *ranks, size_t *steps, const nu_arguments *args,
                                  numann_error *err) {
  nu_link link;
  NU_TRY(nu_read_option_count(ranks, args, NU_OPTION_VIRTUAL_RANKS, MOST_RANKS, err));
  NU_TRY(nu_read_option_count(steps, args, NU_OPTION_STEPS, MOST_STEPS, err));
  return nu_read_network(&link, args, nu_rates_of(NULL), err);
}

numann_status nu_rehearse(const nu_arguments *args, numann_error *err) {
  size_t ranks = 1, steps = 0;
  numann_config *config = NULL;
  numann_data *data = NULL;
  NU_TRY(read_options(&ranks, &steps, args, err));
  numann_status status = load_config(&config, args, err);
  if (status == NUMANN_OK) status = numann_data_load(&data, config, err);
  rehearsal all = {.config = config, .data = data, .last_step = steps, .size = ranks};
  rehearsal one = {.config = config, .data = data, .last_step = steps, .size = 1};
  if (status == NUMANN_OK) status = rehearse(&all, &one, args, err);
  clear(&all);
  clear(&one);
  numann_data_destroy(data);
  numann_config_destroy(config);
  return status;
}
