/* What ranks send: the formula against figures by hand, and against what virtual ranks have sent; the
 * network and the forecast that are made of it. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config.h"
#include "meeting.h"
#include "numann.h"
#include "plan/cost.h"
#include "plan/forecast.h"
#include "plan/from_config.h"
#include "plan/ledger.h"
#include "trainer/refusal.h"
#include "trainer/trainer.h"
#include "training.h"

static const char with_dropout[] =
    "data: {train: {path: none.csv}}\n"
    "network:\n  layers:\n"
    "    - {kind: scale}\n"
    "    - {neurons: 70, activation: tanh}\n"
    "    - {kind: dropout, rate: 0.3}\n"
    "    - {neurons: 5, activation: softmax}\n"
    "train: {loss: cross_entropy, batch: 64, epochs: 2, seed: 5, grain: 1}\n";

/* ---- by hand */

static nu_plan ranked(const training_job *job, size_t ranks) {
  nu_plan plan = job->plan->plan;
  plan.ranks = ranks;
  return plan;
}

static void check_sent(const nu_rank_step *step, nu_exchange x, uint64_t messages, uint64_t bytes) {
  ck_assert_msg(step->sent[x].messages == messages && step->sent[x].bytes == bytes,
                "%s: %llu messages of %llu bytes", nu_exchange_name(x),
                (unsigned long long)step->sent[x].messages,
                (unsigned long long)step->sent[x].bytes);
}

/* 97 rows in 13 grains of 8: 7 and 6 grains, 56 and 41 rows. Subtrees of 0..6: 4 + 2 + 1 grains, of
 * 7..12: 1 + 4 + 1. Panels of 32 and 16 neurons times inputs and bias: 38 and 46 rows; the last
 * layer's one panel of 16 is cut behind input 24 of 34, in groups of 8. */
START_TEST(two_ranks_by_hand) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  nu_plan plan = ranked(&job, 2);
  size_t own0 = 32 * 38 + 32 * 46 + 16 * 24, own1 = 16 * 38 + 16 * 46 + 16 * 10;
  nu_rank_step steps[2];
  nu_plan_rank_steps(&plan, job.network, 97, steps);
  ck_assert_uint_eq(steps[0].share.grains, 7);
  ck_assert_uint_eq(steps[1].share.grains, 6);
  ck_assert_uint_eq(steps[0].share.rows, 56);
  ck_assert_uint_eq(steps[1].share.rows, 41);
  ck_assert_uint_eq(steps[0].share.roots, 3);
  ck_assert_uint_eq(steps[1].share.roots, 3);
  ck_assert_uint_eq(steps[0].share.floats, own0);
  ck_assert_uint_eq(steps[1].share.floats, own1);
  check_sent(&steps[0], NU_EXCHANGE_LOSSES, 1, 8 * (1 + 56));
  check_sent(&steps[1], NU_EXCHANGE_LOSSES, 1, 8 * (1 + 41));
  check_sent(&steps[0], NU_EXCHANGE_ROOTS, 1, 4 * 3 * own1);
  check_sent(&steps[1], NU_EXCHANGE_ROOTS, 1, 4 * 3 * own0);
  check_sent(&steps[0], NU_EXCHANGE_RESULTS, 1, 4 * (16 + own0));
  check_sent(&steps[1], NU_EXCHANGE_RESULTS, 1, 4 * (16 + own1));
  for (size_t x = 0; x < NU_EXCHANGES; x++) {
    ck_assert_uint_eq(steps[0].sent[x].bytes, steps[1].received[x].bytes);
    ck_assert_uint_eq(steps[1].sent[x].messages, steps[0].received[x].messages);
  }
  training_end(&job);
}
END_TEST

/* The last batch has 9 rows, 2 grains: of 13 ranks two have roots, which the owners alone get; no
 * more than 2 + 2 + 2 panels and groups of inputs have owners. */
START_TEST(ranks_without_grains_or_parameters_send_less) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  nu_plan plan = ranked(&job, 13);
  nu_rank_step steps[13];
  size_t owners = 0, all = 0;
  nu_plan_rank_steps(&plan, job.network, 9, steps);
  for (size_t r = 0; r < 13; r++) owners += steps[r].share.floats > 0, all += steps[r].share.floats;
  ck_assert_uint_ge(owners, 2);
  ck_assert_uint_lt(owners, 13);
  ck_assert_uint_eq(all, (38 + 46) * 48 + 34 * 16);
  for (size_t r = 0; r < 13; r++) {
    bool owns = steps[r].share.floats > 0;
    size_t rows = r == 0 ? 8 : r == 1;
    check_sent(&steps[r], NU_EXCHANGE_LOSSES, 12, 12 * 8 * (1 + rows));
    check_sent(&steps[r], NU_EXCHANGE_ROOTS, r < 2 ? owners - owns : 0,
               r < 2 ? 4 * (all - steps[r].share.floats) : 0);
    check_sent(&steps[r], NU_EXCHANGE_RESULTS, 12, 12 * 4 * (16 + steps[r].share.floats));
  }
  training_end(&job);
}
END_TEST

static void check_bundles(const nu_plan *plan, const numann_network *network, const nu_range *want,
                          size_t n) {
  nu_range bundle = {network->n_layers, network->n_layers};
  for (size_t i = 0; i < n; i++) {
    ck_assert_uint_gt(bundle.begin, 0);
    bundle = nu_plan_bundle(plan, network, bundle.begin);
    ck_assert_uint_eq(bundle.begin, want[i].begin);
    ck_assert_uint_eq(bundle.end, want[i].end);
  }
  ck_assert_uint_eq(bundle.begin, 0);
}

/* 45 (37 + 1) = 1710, 33 (45 + 1) = 1518 and 5 (33 + 1) = 170 parameters. A bundle is large enough,
 * and so is what it leaves below: of 17 to 32 ranks twice as large, then three times. */
START_TEST(bundles_by_hand) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  static const nu_range each[] = {{2, 3}, {1, 2}, {0, 1}}, two[] = {{1, 3}, {0, 1}},
                        one[] = {{0, 3}};
  static const struct {
    size_t bundle, ranks;
    const nu_range *want;
    size_t n;
  } cases[] = {{1, 2, each, 3},   {170, 2, each, 3},      {171, 2, two, 2},   {1688, 2, two, 2},
               {1689, 2, one, 1}, {NU_BUNDLE, 2, one, 1}, {170, 16, each, 3}, {85, 17, each, 3},
               {86, 17, two, 2},  {86, 32, two, 2},       {57, 33, two, 2}};
  ck_assert_uint_eq(ranked(&job, 2).bundle, NU_BUNDLE);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    nu_plan plan = ranked(&job, cases[i].ranks);
    plan.bundle = cases[i].bundle;
    check_bundles(&plan, job.network, cases[i].want, cases[i].n);
  }
  training_end(&job);
}
END_TEST

/* 37, 70 (37 + 1), 0 and 5 (70 + 1) parameters: the first layer's are too few for themselves. */
START_TEST(a_bundle_leaves_no_crumbs) {
  training_job job = training_start_on(with_dropout, "train.epochs=1", 1, NU_NEURONS);
  static const nu_range want[] = {{3, 4}, {0, 3}}, each[] = {{3, 4}, {1, 3}, {0, 1}};
  nu_plan plan = ranked(&job, 2);
  plan.bundle = 38;
  check_bundles(&plan, job.network, want, 2);
  plan.bundle = 37;
  check_bundles(&plan, job.network, each, 3);
  training_end(&job);
}
END_TEST

/* The layers as two_ranks_by_hand has them, the last one for itself. */
START_TEST(each_bundle_has_its_messages) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  nu_plan plan = ranked(&job, 2);
  size_t last = 16 * 24, others = 32 * 38 + 32 * 46;
  nu_rank_step steps[2];
  plan.bundle = 170;
  nu_plan_rank_steps(&plan, job.network, 97, steps);
  ck_assert_uint_eq(steps[0].share.floats, last + others);
  check_sent(&steps[0], NU_EXCHANGE_LOSSES, 1, 8 * (1 + 56));
  check_sent(&steps[1], NU_EXCHANGE_ROOTS, 3, 4 * 3 * (last + others));
  check_sent(&steps[0], NU_EXCHANGE_RESULTS, 3, 4 * (3 * 16 + last + others));
  ck_assert_uint_eq(steps[1].received[NU_EXCHANGE_RESULTS].messages, 3);
  training_end(&job);
}
END_TEST

/* ---- as sent */

static const struct sending {
  const char *base, *settings;
  size_t threads, bundle;
} sendings[] = {
    {NULL, "train.epochs=2 train.grain=1", 1, NU_BUNDLE},
    {NULL, "train.epochs=1 train.grain=1 train.clip_norm=0.5", 2, 1},
    {NULL, "train.epochs=1 train.batch=101 train.grain=1 train.optimizer.name=adam", 1, 1000},
    {NULL, "train.epochs=1 train.batch=202 train.grain=3 train.precision=bf16", 1, 500},
    {NULL, "train.epochs=3 train.batch=full train.grain=3 train.optimizer.name=lbfgs", 1, 2000},
    {NULL, "train.epochs=3 train.batch=full train.grain=3 train.optimizer.name=irprop", 3,
     NU_BUNDLE},
    {with_dropout, "train.optimizer.name=momentum", 1, 1},
    {with_dropout, "train.clip_norm=0.1", 2, NU_BUNDLE},
};
enum { SENDINGS = sizeof sendings / sizeof *sendings };

static void send_and_count(nu_comm *comm, void *arg) {
  const struct sending *s = arg;
  numann_error err = {0};
  nu_plan plan = nu_plan_of(s->threads, NU_SAMPLES, 1, 1, 1);
  plan.fuse = !strstr(s->settings, "clip_norm");
  plan.bundle = s->bundle;
  training_job t = training_start_ranked(s->base, s->settings, &plan, comm, &err);
  ck_assert_msg(t.trainer != NULL, "%s", err.message);
  training_must(numann_trainer_run(t.trainer, NULL, &err));
  nu_plan of_all = ranked(&t, comm->size);
  of_all.bundle = s->bundle;
  const nu_problem *problem = &of_all.problem;
  nu_rank_step *steps = nu_alloc(comm->size, sizeof *steps);
  ck_assert_ptr_nonnull(steps);
  for (size_t i = 0; i < 2; i++) {
    size_t rows = i ? problem->last_batch : problem->batch;
    nu_plan_rank_steps(&of_all, t.network, rows, steps);
    nu_traffic want = nu_rank_step_sent(&steps[comm->rank]),
               sent = nu_trainer_traffic(t.trainer, rows);
    ck_assert_uint_eq(sent.messages, want.messages);
    ck_assert_uint_eq(sent.bytes, want.bytes);
    ck_assert(comm->size == 1 ? want.messages == 0 : want.messages > 0);
  }
  free(steps);
  training_end(&t);
}

START_TEST(the_formula_is_what_is_sent) {
  static const size_t ranks[] = {1, 2, 3, 5, 8, 13, 32, 64};
  for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
    struct sending s = sendings[_i];
    meet(ranks[i], send_and_count, &s);
  }
}
END_TEST

/* ---- room for messages */

typedef struct room {
  size_t sent, received;
} room;

static void measure(const nu_buffer *buffer, void *arg) {
  room *r = arg;
  if (buffer->kind == NU_BUFFER_SENT) r->sent += buffer->bytes;
  if (buffer->kind == NU_BUFFER_RECEIVED) r->received += buffer->bytes;
}

/* Rank 0 owns 3072 parameters and sends 3 roots of the other's 1504; what is sent has room for all
 * kinds of exchanges, in cache lines of 16 floats, behind one for the counter: 97 losses and a
 * number are 208, a header 16, for each of three layers. So has what is received: 97 losses and two
 * numbers are 208 as well. */
START_TEST(the_ledger_has_room_for_the_exchanges) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  nu_plan plan = ranked(&job, 2);
  room rooms[2] = {{0, 0}, {0, 0}}, none = {0, 0};
  for (plan.rank = 0; plan.rank < 2; plan.rank++)
    nu_ledger_walk(&plan, job.network, NU_USE_FUSED, measure, &rooms[plan.rank]);
  ck_assert_uint_eq(rooms[0].sent, 4 * (16 + 208 + 3 * 1504 + 48 + 3072));
  ck_assert_uint_eq(rooms[0].received, 4 * (208 + 3 * 3072 + 48 + 1504));
  ck_assert_uint_eq(rooms[1].sent, 4 * (16 + 208 + 3 * 3072 + 48 + 1504));
  ck_assert_uint_eq(rooms[1].received, 4 * (208 + 3 * 1504 + 48 + 3072));
  plan = ranked(&job, 1);
  nu_ledger_walk(&plan, job.network, NU_USE_FUSED, measure, &none);
  ck_assert_uint_eq(none.sent + none.received, 0);
  training_end(&job);
}
END_TEST

/* ---- the network */

START_TEST(networks_are_read) {
  static const struct {
    const char *text;
    double bytes_s, latency;
  } good[] = {
      {"10GB/s,2us", 1e10, 2e-6},
      {"100Gbit/s,1.5us", 12.5e9, 1.5e-6},
      {"1B/s,0s", 1.0, 0.0},
      {"125kB/s,3ms", 125e3, 3e-3},
      {"2.5MB/s,250ns", 2.5e6, 250e-9},
      {"1TB/s,1e0us", 1e12, 1e-6},
      {"1KiB/s,1s", 1024.0, 1.0},
      {"3MiB/s,1us", 3145728.0, 1e-6},
      {"1GiB/s,1us", 1073741824.0, 1e-6},
      {"8kbit/s,60s", 1000.0, 60.0},
      {"100Mbit/s,1us", 12.5e6, 1e-6},
      {"1Tbit/s,1us", 125e9, 1e-6},
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    nu_link link = {0.0, 0.0};
    ck_assert_msg(nu_link_parse(good[i].text, &link), "%s", good[i].text);
    ck_assert_msg(link.bytes_s == good[i].bytes_s, "%s: %.17g", good[i].text, link.bytes_s);
    ck_assert_double_eq_tol(link.latency, good[i].latency, 1e-15);
  }
}
END_TEST

START_TEST(other_texts_are_no_networks) {
  static const char *const bad[] = {
      "",
      ",",
      "10GB/s",
      "10GB/s,",
      ",2us",
      "10GB/s,2",
      "10,2us",
      "10GB,2us",
      "10gb/s,2us",
      "10GB/s, 2us",
      " 10GB/s,2us",
      "10GB/s,2us ",
      "10 GB/s,2us",
      "10GB/s;2us",
      "10GB/s,2us,3",
      "2us,10GB/s",
      "-1GB/s,2us",
      "0GB/s,2us",
      "1GB/s,-2us",
      "nanGB/s,2us",
      "infGB/s,2us",
      "0x10GB/s,2us",
      "1GB/s,61s",
      "1e99GB/s,2us",
      "0.5B/s,1us",
      "1e400GB/s,1us",
      "10GB/sec,2us",
      "10GB/s,2\xc2\xb5s",
      "10GB/s,2usec",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    nu_link link;
    ck_assert_msg(!nu_link_parse(bad[i], &link), "'%s'", bad[i]);
  }
}
END_TEST

START_TEST(a_message_takes_latency_and_bytes) {
  nu_link link = {1e9, 2e-6};
  nu_traffic little = {3, 500}, much = {1, 4000};
  ck_assert_double_eq_tol(nu_link_seconds(&link, little, little), 6.5e-6, 1e-15);
  ck_assert_double_eq_tol(nu_link_seconds(&link, little, much), 6.5e-6, 1e-15);
  much.bytes = 10000;
  ck_assert_double_eq_tol(nu_link_seconds(&link, little, much), 12e-6, 1e-15);
  ck_assert_double_eq_tol(nu_link_seconds(&link, much, little), 12e-6, 1e-15);
}
END_TEST

/* ---- forecasts */

/* Two ranks as above: the exchange of roots lasts as long as the larger message. */
START_TEST(a_forecast_adds_the_slowest) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  nu_plan plan = ranked(&job, 2);
  nu_rank_step steps[2];
  nu_forecast f;
  nu_plan_rank_steps(&plan, job.network, 97, steps);
  nu_forecast_steps(&f, steps, 2, &(nu_link){1e9, 2e-6}, 300e-6, 500e-6);
  ck_assert_double_eq_tol(f.exchange[NU_EXCHANGE_LOSSES], 2e-6 + 456e-9, 1e-14);
  ck_assert_double_eq_tol(f.exchange[NU_EXCHANGE_ROOTS], 2e-6 + 36864e-9, 1e-14);
  ck_assert_double_eq_tol(f.exchange[NU_EXCHANGE_RESULTS], 2e-6 + 12352e-9, 1e-14);
  ck_assert_double_eq_tol(f.seconds, 300e-6 + f.exchanges, 1e-14);
  ck_assert_double_eq_tol(nu_forecast_speed_up(&f), 500e-6 / f.seconds, 1e-12);
  ck_assert_double_eq_tol(nu_forecast_efficiency(&f), 250e-6 / f.seconds, 1e-12);
  ck_assert_uint_eq(f.least.grains, 6);
  ck_assert_uint_eq(f.most.grains, 7);
  ck_assert_uint_eq(f.least.floats, 1504);
  ck_assert_uint_eq(f.most.floats, 3072);
  ck_assert_uint_eq(f.least_sent.messages, 3);
  ck_assert_uint_eq(f.least_sent.bytes, 456 + 18048 + 12352);
  ck_assert_uint_eq(f.most_sent.bytes, 336 + 36864 + 6080);
  training_end(&job);
}
END_TEST

START_TEST(small_batches_are_told) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  const nu_problem *problem = &job.plan->plan.problem;
  char note[NU_FORECAST_NOTE];
  nu_rank_step steps[13];
  nu_forecast f;
  for (size_t ranks = 1; ranks <= 13; ranks++) {
    nu_plan plan = ranked(&job, ranks);
    nu_plan_rank_steps(&plan, job.network, 97, steps);
    nu_forecast_steps(&f, steps, ranks, &(nu_link){1e9, 1e-6}, 1.0, 1.0);
    nu_forecast_note(&f, problem, note);
    bool uneven = 2 * f.least.rows < f.most.rows;
    ck_assert_msg((note[0] != '\0') == uneven, "%zu ranks: %s", ranks, note);
    if (uneven) ck_assert_ptr_nonnull(strstr(note, "rows and another"));
    nu_forecast_steps(&f, steps, ranks, &(nu_link){1e3, 1e-6}, 1e-3, 1.0);
    nu_forecast_note(&f, problem, note);
    ck_assert(ranks == 1 ? note[0] == '\0' : strstr(note, "sends for longer") != NULL);
  }
  training_end(&job);
}
END_TEST

/* A rank of two does half of the rows and half of the updates, and copies beside. */
START_TEST(the_cost_of_a_rank_is_its_share) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  nu_machine machine = {.cores = 2, .slots = 2, .numa_nodes = 1, .threads_limit = 2};
  double before = 0.0;
  for (size_t ranks = 1; ranks <= 8; ranks *= 2) {
    nu_plan plan = ranked(&job, ranks);
    plan.fuse = true;
    nu_step_cost cost = nu_plan_cost(&plan, job.network, &machine, nu_rates_of("avx2"), NULL);
    ck_assert(ranks == 1 ? cost.ranks == 0.0 : cost.ranks > 0.0);
    if (ranks > 1) ck_assert(cost.layers < before);
    plan.fuse = false;
    if (ranks > 1)
      ck_assert(nu_plan_cost(&plan, job.network, &machine, nu_rates_of("avx2"), NULL).layers >
                cost.layers);
    before = cost.layers;
  }
  training_end(&job);
}
END_TEST

/* The plan of any rank can be asked for, whatever this process is. */
START_TEST(plans_are_made_for_a_rank) {
  training_job job = training_start("train.epochs=1", 1, NU_NEURONS);
  nu_comm third = {.rank = 2, .size = 5};
  nu_plan_request request;
  numann_plan *plan;
  training_must(nu_plan_request_of(&request, &third, job.config, TRAINING_ROWS, &training_error));
  ck_assert_uint_eq(request.ranks, 5);
  ck_assert_uint_eq(request.rank, 2);
  training_must(
      nu_plan_create_for(&plan, &third, job.config, job.network, job.data, &training_error));
  ck_assert_uint_eq(nu_plan_ranks(&plan->plan), 5);
  ck_assert_uint_eq(plan->plan.rank, 2);
  numann_plan_destroy(plan);
  ck_assert_uint_eq(nu_plan_ranks(&job.plan->plan), 1);
  training_must(nu_refuse_ranks(job.config, &request.problem, 13, &training_error));
  ck_assert_int_eq(nu_refuse_ranks(job.config, &request.problem, 14, &training_error),
                   NUMANN_ERR_CONFIG);
  ck_assert_ptr_nonnull(
      strstr(training_error.message, "start at most 13, or set train.batch to 105"));
  training_end(&job);
}
END_TEST

static Suite *exchange_suite(void) {
  Suite *suite = suite_create("exchange");
  TCase *tcase = tcase_create("exchange");
  tcase_set_timeout(tcase, 120);
  tcase_add_test(tcase, two_ranks_by_hand);
  tcase_add_test(tcase, ranks_without_grains_or_parameters_send_less);
  tcase_add_loop_test(tcase, the_formula_is_what_is_sent, 0, SENDINGS);
  tcase_add_test(tcase, bundles_by_hand);
  tcase_add_test(tcase, a_bundle_leaves_no_crumbs);
  tcase_add_test(tcase, each_bundle_has_its_messages);
  tcase_add_test(tcase, the_ledger_has_room_for_the_exchanges);
  tcase_add_test(tcase, networks_are_read);
  tcase_add_test(tcase, other_texts_are_no_networks);
  tcase_add_test(tcase, a_message_takes_latency_and_bytes);
  tcase_add_test(tcase, a_forecast_adds_the_slowest);
  tcase_add_test(tcase, small_batches_are_told);
  tcase_add_test(tcase, the_cost_of_a_rank_is_its_share);
  tcase_add_test(tcase, plans_are_made_for_a_rank);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  SRunner *runner = srunner_create(exchange_suite());
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
