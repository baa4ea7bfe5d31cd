/* Ranks: the same weights for any number of them, and whatever each of them does with its own part
 * of the work; all of them stop, fail and diverge together. Threads stand in for processes
 * (machine/comm_virtual.h). SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "machine/comm_launch.h"
#include "machine/comm_virtual.h"
#include "meeting.h"
#include "network/network.h"
#include "numann.h"
#include "plan/plan.h"
#include "trainer/trainer.h"
#include "training.h"

/* ---- communicators */

static void gather_all(nu_comm *comm, void *arg) {
  (void)arg;
  uint64_t mine[3] = {comm->rank, 7 * comm->rank, ~comm->rank}, all[3 * MOST_RANKS];
  nu_comm_gather(comm, mine, all, sizeof mine);
  for (size_t r = 0; r < comm->size; r++) {
    ck_assert_uint_eq(all[3 * r], r);
    ck_assert_uint_eq(all[3 * r + 1], 7 * r);
    ck_assert_uint_eq(all[3 * r + 2], ~r);
  }
  ck_assert_uint_eq(comm->messages, comm->size - 1);
  ck_assert_uint_eq(comm->bytes, (comm->size - 1) * sizeof mine);
}

static void vote_on_all(nu_comm *comm, void *arg) {
  (void)arg;
  size_t other = 99;
  numann_error err;
  ck_assert_uint_eq(nu_comm_most(comm, 5 + (comm->rank == comm->size / 2)), 6);
  ck_assert(nu_comm_is_same(comm, 42, &other));
  bool same = nu_comm_is_same(comm, comm->rank < comm->size / 2 ? 42 : 43, &other);
  ck_assert(same == (comm->size == 1));
  if (!same) ck_assert_uint_eq(other, comm->size / 2);
  ck_assert_int_eq(nu_comm_agree(comm, NUMANN_OK, &err), NUMANN_OK);
  snprintf(err.message, sizeof err.message, "disk %zu is full", comm->rank);
  bool fails = comm->rank >= comm->size / 2;
  ck_assert_int_eq(nu_comm_agree(comm, fails ? NUMANN_ERR_IO : NUMANN_OK, &err), NUMANN_ERR_IO);
  char want[64];
  snprintf(want, sizeof want, "rank %zu: disk %zu is full", comm->size / 2, comm->size / 2);
  if (comm->size > 1) ck_assert_str_eq(err.message, want);
}

static const size_t sizes[] = {2, 3, 5, 8, 64};

START_TEST(ranks_gather_and_vote) {
  meet(sizes[_i], gather_all, NULL);
  meet(sizes[_i], vote_on_all, NULL);
}
END_TEST

/* Rank 1 gives up; nobody waits for it, and what it has not sent is zeros. */
static void lose_one(nu_comm *comm, void *arg) {
  nu_comm *ranks = comm - comm->rank;
  uint64_t mine = 7 + comm->rank, all[3] = {9, 9, 9};
  (void)arg;
  if (comm->rank == 1) {
    nu_comm_virtual_break(ranks);
    return;
  }
  for (size_t i = 0; i < 100; i++) nu_comm_gather(comm, &mine, all, sizeof mine);
  ck_assert_uint_eq(all[1], 0);
  ck_assert_uint_eq(all[comm->rank], mine);
  ck_assert(all[2 - comm->rank] == 0 || all[2 - comm->rank] == 7 + 2 - comm->rank);
  ck_assert(nu_comm_virtual_is_broken(ranks));
}

START_TEST(nobody_waits_for_a_rank_that_gave_up) {
  for (size_t i = 0; i < 200; i++) meet(3, lose_one, NULL);
}
END_TEST

/* ---- trainings */

typedef struct job {
  const char *settings;
  size_t threads; /* of rank r: 1 + (threads + r) % 3, unless `threads` is 0: 1 */
  size_t bundle;  /* of the plan; 0: the usual */
  bool sends;     /* as ranks of different hosts, who see nothing of each other's memory */
  uint64_t stop;  /* after this step, wished by rank stopper alone; 0: never */
  size_t stopper;
  char hashes[MOST_RANKS][65];
  double losses[MOST_RANKS]; /* of the last epoch, at its last step */
  uint64_t steps[MOST_RANKS];
  numann_status status[MOST_RANKS];
  char message[MOST_RANKS][sizeof(numann_error)];
} job;

typedef struct stopper {
  uint64_t step;
  uint64_t seen;
  double loss;
} stopper;

static numann_action on_step(void *arg, const numann_progress *at) {
  stopper *s = arg;
  s->seen = at->step;
  s->loss = at->train_loss;
  return s->step && at->step >= s->step ? NUMANN_STOP : NUMANN_CONTINUE;
}

/* Ranks of different hosts, whose messages may come at any time from their begin to their end:
 * whenever an exchange begins or ends, what the ones under way receive is spoiled. */
typedef struct post {
  const nu_mail *under_way[NU_LANES];
  void (*end)(nu_comm *comm, const nu_mail *mail);
} post;
static post posts[MOST_RANKS];

static void spoil(const post *p) {
  for (size_t lane = 0; lane < NU_LANES; lane++) {
    const nu_mail *mail = p->under_way[lane];
    for (size_t i = 0; mail && i < mail->n_receives; i++)
      memset(mail->receives[i].at, 0xff, mail->receives[i].bytes);
  }
}

static void begin_apart(nu_comm *comm, const nu_mail *mail) {
  post *p = &posts[comm->rank];
  ck_assert_ptr_null(p->under_way[mail->lane]);
  p->under_way[mail->lane] = mail;
  spoil(p);
}

static void end_apart(nu_comm *comm, const nu_mail *mail) {
  post *p = &posts[comm->rank];
  ck_assert_ptr_eq(p->under_way[mail->lane], mail);
  p->end(comm, mail);
  p->under_way[mail->lane] = NULL;
  spoil(p);
}

static void set_apart(nu_comm *comm) {
  posts[comm->rank] = (post){.end = comm->end};
  comm->share = NULL;
  comm->begin = begin_apart;
  comm->end = end_apart;
}

static void train(nu_comm *comm, void *arg) {
  job *j = arg;
  size_t r = comm->rank;
  numann_error err = {0};
  nu_plan plan = nu_plan_of(j->threads ? 1 + (j->threads + r) % 3 : 1,
                            (nu_strategy)(j->threads % NU_STRATEGIES), 2, 1, 1);
  plan.chunk = j->threads % 2 ? 1 + r % 3 : SIZE_MAX / 2;
  plan.fuse = j->threads % 4 < 2;
  if (j->bundle) plan.bundle = j->bundle;
  if (j->sends) set_apart(comm);
  training_job t = training_start_ranked(NULL, j->settings, &plan, comm, &err);
  if (!t.trainer) {
    j->status[r] = NUMANN_ERR_CONFIG;
    snprintf(j->message[r], sizeof j->message[r], "%s", err.message);
    training_end(&t);
    return;
  }
  stopper s = {r == j->stopper ? j->stop : 0, 0, 0.0};
  numann_observer observer = {.arg = &s, .on_step = on_step};
  j->status[r] = numann_trainer_run(t.trainer, &observer, &err);
  j->steps[r] = s.seen;
  j->losses[r] = s.loss;
  if (j->status[r] == NUMANN_STOPPED) j->status[r] = numann_trainer_run(t.trainer, NULL, &err);
  snprintf(j->message[r], sizeof j->message[r], "%s", err.message);
  nu_network_sha256(t.network, j->hashes[r]);
  training_end(&t);
}

static const char *const settings[] = {
    "train.epochs=2",
    "train.epochs=2 train.optimizer.name=adam train.optimizer.weight_decay=0.01",
    "train.epochs=1 train.optimizer.name=momentum train.clip_norm=0.5",
    "train.epochs=1 train.precision=bf16 train.optimizer.name=amsgrad train.grain=1",
    "train.epochs=3 train.batch=full train.optimizer.name=lbfgs train.grain=3",
    "train.epochs=3 train.batch=full train.optimizer.name=irprop train.grain=3",
    "train.epochs=1 train.batch=101 train.grain=1 network.layers.1.activation=gelu",
    "train.epochs=1 train.batch=202 train.grain=3 train.optimizer.name=rmsprop",
};
#define SETTINGS ((int)(sizeof settings / sizeof *settings))

START_TEST(weights_do_not_depend_on_ranks) {
  static const size_t ranks[] = {1, 2, 3, 4, 5, 7, 8}, bundles[] = {1, 1000, NU_BUNDLE};
  double loss = 0.0;
  char want[65];
  training_hash(settings[_i], 1, NU_NEURONS, want);
  for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
    for (size_t threads = 0; threads < 4; threads++) {
      job *j = nu_alloc(1, sizeof *j);
      ck_assert_ptr_nonnull(j);
      j->settings = settings[_i];
      j->threads = threads;
      j->bundle = bundles[(i + threads) % 3];
      j->sends = i % 2;
      if (threads == 2) j->stop = 2, j->stopper = ranks[i] - 1;
      meet(ranks[i], train, j);
      for (size_t r = 0; r < ranks[i]; r++) {
        ck_assert_msg(j->status[r] == NUMANN_OK, "%s: %s", settings[_i], j->message[r]);
        ck_assert_msg(strcmp(j->hashes[r], want) == 0, "%s: rank %zu of %zu, threads by %zu",
                      settings[_i], r, ranks[i], threads);
        ck_assert_uint_eq(j->steps[r], j->steps[0]);
        if (i == 0 && threads == 0) loss = j->losses[0];
        if (threads != 2) ck_assert(j->losses[r] == loss);
      }
      free(j);
    }
  }
}
END_TEST

/* ---- a stop that one rank asks for at the end of an epoch is the last save of all */

typedef struct last_save {
  bool asks, last;
  uint64_t saves;
} last_save;

static numann_action ask_to_stop(void *arg, const numann_epoch *epoch) {
  const last_save *s = arg;
  if (epoch->epoch == 1) return NUMANN_SAVE;
  return s->asks ? NUMANN_STOP : NUMANN_CONTINUE;
}

static numann_status look_at_save(void *arg, numann_trainer *trainer, numann_error *err) {
  last_save *s = arg;
  (void)err;
  s->saves++;
  ck_assert(!s->last);
  s->last = nu_trainer_stops(trainer);
  return NUMANN_OK;
}

static void stop_after_epoch(nu_comm *comm, void *arg) {
  numann_error err = {0};
  nu_plan plan = nu_plan_of(1, NU_NEURONS, 1, 1, 1);
  training_job t = training_start_ranked(NULL, "train.epochs=4", &plan, comm, &err);
  ck_assert_msg(t.trainer != NULL, "%s", err.message);
  last_save s = {.asks = comm->rank == *(const size_t *)arg};
  numann_observer observer = {.arg = &s, .on_epoch = ask_to_stop, .on_save = look_at_save};
  ck_assert_int_eq(numann_trainer_run(t.trainer, &observer, &err), NUMANN_STOPPED);
  ck_assert_uint_eq(s.saves, 2);
  ck_assert(s.last);
  ck_assert(!comm->broken);
  training_end(&t);
}

START_TEST(all_know_the_last_save) {
  size_t asks = (size_t)_i;
  meet(3, stop_after_epoch, &asks);
}
END_TEST

/* ---- what one number of ranks has begun, another goes on with */

typedef struct relay {
  job job;
  nu_state state; /* of rank 0, when all stopped */
} relay;

static numann_status keep(void *arg, numann_trainer *trainer, numann_error *err) {
  relay *all = arg;
  return nu_state_copy(&all->state, nu_trainer_state_view(trainer), err);
}

static numann_action stop_relay(void *arg, const numann_progress *at) {
  const relay *all = arg;
  return at->step == all->job.stop ? NUMANN_STOP : NUMANN_CONTINUE;
}

/* The first run, up to a stop; the others from there to the end. */
static void run_leg(nu_comm *comm, void *arg) {
  relay *all = arg;
  numann_error err = {0};
  bool first = all->job.stop > 0;
  nu_plan plan = nu_plan_of(1 + comm->rank % 2, NU_NEURONS, 1, 1, 1);
  plan.fuse = true;
  training_job t = training_start_ranked(NULL, all->job.settings, &plan, comm, &err);
  ck_assert_msg(t.trainer != NULL, "%s", err.message);
  numann_observer observer = {.arg = all, .on_step = stop_relay};
  if (comm->rank == 0) observer.on_save = keep;
  if (!first) training_must(nu_trainer_restore(t.trainer, &all->state, &err));
  numann_status status = numann_trainer_run(t.trainer, first ? &observer : NULL, &err);
  ck_assert_msg(status == (first ? NUMANN_STOPPED : NUMANN_OK), "%s", err.message);
  nu_network_sha256(t.network, all->job.hashes[comm->rank]);
  training_end(&t);
}

START_TEST(a_state_goes_on_with_any_number_of_ranks) {
  static const size_t from[] = {1, 4, 3, 8}, to[] = {3, 1, 5, 2};
  char want[65];
  training_hash(settings[_i], 1, NU_NEURONS, want);
  for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
    training_job shape = training_start(settings[_i], 1, NU_NEURONS);
    relay *all = nu_alloc(1, sizeof *all);
    ck_assert_ptr_nonnull(all);
    training_must(nu_state_create(&all->state, NULL, shape.network->n_parameters,
                                  nu_trainer_state_view(shape.trainer)->method, false,
                                  &training_error));
    all->job.settings = settings[_i];
    all->job.stop = 1;
    meet(from[i], run_leg, all);
    ck_assert_uint_ge(all->state.step, 1);
    all->job.stop = 0;
    meet(to[i], run_leg, all);
    for (size_t r = 0; r < to[i]; r++)
      ck_assert_msg(strcmp(all->job.hashes[r], want) == 0, "%s: from %zu to %zu ranks",
                    settings[_i], from[i], to[i]);
    nu_state_clear(&all->state);
    free(all);
    training_end(&shape);
  }
}
END_TEST

/* No observer's wish, which would take effect a step later. */
static void stop_after(nu_comm *comm, void *arg) {
  const uint64_t *steps = arg;
  numann_error err = {0};
  stopper s = {0, 0, 0.0};
  numann_observer observer = {.arg = &s, .on_step = on_step};
  nu_plan plan = nu_plan_of(1, NU_NEURONS, 1, 1, 1);
  training_job t = training_start_ranked(NULL, "train.epochs=2", &plan, comm, &err);
  ck_assert_msg(t.trainer != NULL, "%s", err.message);
  nu_trainer_stop_after(t.trainer, *steps);
  ck_assert_int_eq(numann_trainer_run(t.trainer, &observer, &err), NUMANN_STOPPED);
  ck_assert_uint_eq(s.seen, *steps);
  nu_trainer_stop_after(t.trainer, 0);
  ck_assert_int_eq(numann_trainer_run(t.trainer, &observer, &err), NUMANN_OK);
  ck_assert_uint_eq(s.seen, 6);
  training_end(&t);
}

START_TEST(all_ranks_stop_after_a_given_step) {
  for (uint64_t steps = 1; steps < 6; steps++) {
    meet(1, stop_after, &steps);
    meet(3, stop_after, &steps);
  }
}
END_TEST

static void be_too_many(nu_comm *comm, void *arg) {
  numann_error err = {0};
  nu_plan plan = nu_plan_of(1, NU_NEURONS, 1, 1, 1);
  training_job t = training_start_ranked(NULL, arg, &plan, comm, &err);
  ck_assert_ptr_null(t.trainer);
  ck_assert_ptr_nonnull(strstr(err.message,
                               "train.batch: 8 ranks, but a batch of 97 rows in grains "
                               "of 16 has work for 7; start at most 7"));
  training_end(&t);
}

START_TEST(more_ranks_than_grains_are_refused) {
  char given[] = "train.grain=16";
  meet(8, be_too_many, given);
}
END_TEST

/* One rank alone has another problem: all are told so. */
static void differ(nu_comm *comm, void *arg) {
  const size_t *odd = arg;
  numann_error err = {0};
  nu_plan plan = nu_plan_of(1, NU_NEURONS, 1, 1, 1);
  training_job t = training_start_ranked(
      NULL, comm->rank == *odd ? "train.seed=6" : "train.epochs=3", &plan, comm, &err);
  char want[64];
  snprintf(want, sizeof want, "rank %zu has another batch", *odd);
  ck_assert_ptr_null(t.trainer);
  ck_assert_ptr_nonnull(strstr(err.message, want));
  training_end(&t);
}

START_TEST(another_problem_is_named) {
  size_t odd = 2;
  meet(4, differ, &odd);
}
END_TEST

/* Weights and losses that explode do so on all ranks in the same step. */
static void explode(nu_comm *comm, void *arg) {
  job *j = arg;
  train(comm, j);
  ck_assert_int_eq(j->status[comm->rank], NUMANN_ERR_DIVERGED);
}

START_TEST(all_ranks_diverge_together) {
  job *one = nu_alloc(1, sizeof *one), *four = nu_alloc(1, sizeof *four);
  ck_assert(one && four);
  one->settings = four->settings =
      _i ? "train.optimizer.learning_rate=1e30" : "train.optimizer.learning_rate=3e6";
  four->threads = 3;
  meet(1, explode, one);
  meet(4, explode, four);
  for (size_t r = 0; r < 4; r++) {
    ck_assert_str_eq(four->message[r], one->message[0]);
    ck_assert_str_eq(four->hashes[r], one->hashes[0]);
  }
  free(one);
  free(four);
}
END_TEST

/* ---- the launch */

static const char *const launch_variables[] = {"NUMANN_MPI",   "OMPI_COMM_WORLD_SIZE",
                                               "PMI_SIZE",     "SLURM_STEP_NUM_TASKS",
                                               "SLURM_NTASKS", "OMPI_COMM_WORLD_RANK",
                                               "PMI_RANK",     "PMIX_RANK",
                                               "SLURM_PROCID", "PMI_FD"};

START_TEST(launches_are_read) {
  static const struct {
    const char *set;
    size_t size, rank;
    bool joins;
  } cases[] = {
      {"", 0, 0, false},
      {"OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3", 4, 3, true},
      {"PMI_SIZE=2 PMI_RANK=1", 2, 1, true},
      {"SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=2", 3, 2, false},
      {"SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=2 PMIX_RANK=2", 3, 2, true},
      {"SLURM_NTASKS=8 SLURM_PROCID=0", 0, 0, false}, /* one process of a batch script */
      {"NUMANN_MPI=off OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3", 0, 0, false},
      {"OMPI_COMM_WORLD_SIZE=4x", 0, 0, false},
  };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    for (size_t v = 0; v < sizeof launch_variables / sizeof *launch_variables; v++)
      unsetenv(launch_variables[v]);
    char words[128], *rest = words;
    snprintf(words, sizeof words, "%s", cases[c].set);
    for (char *word; (word = strtok_r(rest, " ", &rest));) {
      char *value = strchr(word, '=');
      *value = '\0';
      setenv(word, value + 1, 1);
    }
    nu_comm_launch launch = nu_comm_read_launch();
    ck_assert_msg(launch.size == cases[c].size && launch.rank == cases[c].rank &&
                      launch.joins == cases[c].joins,
                  "%s", cases[c].set);
  }
}
END_TEST

static Suite *ranks_suite(void) {
  Suite *suite = suite_create("ranks");
  TCase *tcase = tcase_create("ranks");
  tcase_set_timeout(tcase, 120);
  tcase_add_loop_test(tcase, ranks_gather_and_vote, 0, (int)(sizeof sizes / sizeof *sizes));
  tcase_add_test(tcase, nobody_waits_for_a_rank_that_gave_up);
  tcase_add_loop_test(tcase, weights_do_not_depend_on_ranks, 0, SETTINGS);
  tcase_add_loop_test(tcase, all_know_the_last_save, 0, 3);
  tcase_add_loop_test(tcase, a_state_goes_on_with_any_number_of_ranks, 0, SETTINGS);
  tcase_add_test(tcase, all_ranks_stop_after_a_given_step);
  tcase_add_test(tcase, more_ranks_than_grains_are_refused);
  tcase_add_test(tcase, another_problem_is_named);
  tcase_add_test(tcase, launches_are_read);
  tcase_add_loop_test(tcase, all_ranks_diverge_together, 0, 2);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(ranks_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
