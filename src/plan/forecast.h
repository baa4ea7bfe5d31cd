/* What a step of several ranks will take, before there are any. SPDX-License-Identifier: MIT */
#ifndef NU_PLAN_FORECAST_H
#define NU_PLAN_FORECAST_H

#include "plan/exchange.h"
#include "plan/link.h"

/* A whole batch's step. */
typedef struct nu_forecast {
  size_t ranks;
  nu_rank_share least, most; /* over the ranks, each field by itself */
  nu_traffic least_sent, most_sent;
  double compute;                /* seconds of the slowest rank */
  double exchange[NU_EXCHANGES]; /* seconds of the rank that takes longest */
  double exchanges;              /* all of them */
  double seconds;                /* of the step; nothing is taken off for what overlaps */
  double alone;                  /* seconds of a step of one rank */
} nu_forecast;

/* What the slowest rank computes in a step, by nu_plan_cost: that with the most rows, which is the
 * first, or that with the most parameters. */
double nu_forecast_compute(const nu_plan *plan, const numann_network *network,
                           const nu_machine *machine, const nu_rates *rates,
                           const nu_rank_step *steps);

/* compute, alone: measured, or by the model. */
void nu_forecast_steps(nu_forecast *out, const nu_rank_step *steps, size_t ranks,
                       const nu_link *link, double compute, double alone);

/* How many times as fast as one rank, and what is used of the ranks. */
double nu_forecast_speed_up(const nu_forecast *forecast);
double nu_forecast_efficiency(const nu_forecast *forecast);

/* Where the batch is too small for so many ranks: why, and what to do; "" where it is not. */
#define NU_FORECAST_NOTE 512
void nu_forecast_note(const nu_forecast *forecast, const nu_problem *problem,
                      char note[NU_FORECAST_NOTE]);

#endif
