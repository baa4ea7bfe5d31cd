/* SPDX-License-Identifier: MIT */
#include "plan/forecast.h"

#include <stdio.h>
#include <string.h>

#include "base/least.h"
#include "plan/cost.h"

double nu_forecast_compute(const nu_plan *plan, const numann_network *network,
                           const nu_machine *machine, const nu_rates *rates,
                           const nu_rank_step *steps) {
  nu_plan first = *plan, owner = *plan;
  first.rank = owner.rank = 0;
  for (size_t r = 0; r < nu_plan_ranks(plan); r++)
    if (steps[r].share.floats > steps[owner.rank].share.floats) owner.rank = r;
  return nu_larger_real(nu_plan_cost(&first, network, machine, rates, NULL).seconds,
                        nu_plan_cost(&owner, network, machine, rates, NULL).seconds);
}

static void widen(nu_rank_share *least, nu_rank_share *most, const nu_rank_share *share) {
  least->grains = nu_smaller(least->grains, share->grains);
  least->rows = nu_smaller(least->rows, share->rows);
  least->roots = nu_smaller(least->roots, share->roots);
  least->floats = nu_smaller(least->floats, share->floats);
  most->grains = nu_larger(most->grains, share->grains);
  most->rows = nu_larger(most->rows, share->rows);
  most->roots = nu_larger(most->roots, share->roots);
  most->floats = nu_larger(most->floats, share->floats);
}

static void widen_sent(nu_traffic *least, nu_traffic *most, nu_traffic sent) {
  if (sent.messages < least->messages) least->messages = sent.messages;
  if (sent.bytes < least->bytes) least->bytes = sent.bytes;
  if (sent.messages > most->messages) most->messages = sent.messages;
  if (sent.bytes > most->bytes) most->bytes = sent.bytes;
}

void nu_forecast_steps(nu_forecast *out, const nu_rank_step *steps, size_t ranks,
                       const nu_link *link, double compute, double alone) {
  nu_traffic first = nu_rank_step_sent(&steps[0]);
  *out = (nu_forecast){.ranks = ranks,
                       .least = steps[0].share,
                       .most = steps[0].share,
                       .least_sent = first,
                       .most_sent = first,
                       .compute = compute,
                       .alone = alone};
  for (size_t r = 0; r < ranks; r++) {
    widen(&out->least, &out->most, &steps[r].share);
    widen_sent(&out->least_sent, &out->most_sent, nu_rank_step_sent(&steps[r]));
    for (size_t x = 0; x < NU_EXCHANGES; x++)
      out->exchange[x] = nu_larger_real(
          out->exchange[x], nu_link_seconds(link, steps[r].sent[x], steps[r].received[x]));
  }
  for (size_t x = 0; x < NU_EXCHANGES; x++) out->exchanges += out->exchange[x];
  out->seconds = out->compute + out->exchanges;
}

double nu_forecast_speed_up(const nu_forecast *forecast) {
  return forecast->alone / forecast->seconds;
}

double nu_forecast_efficiency(const nu_forecast *forecast) {
  return nu_forecast_speed_up(forecast) / (double)forecast->ranks;
}

void nu_forecast_note(const nu_forecast *f, const nu_problem *problem,
                      char note[NU_FORECAST_NOTE]) {
  note[0] = '\0';
  if (f->ranks == 1) return;
  size_t even = problem->grain * f->ranks * f->most.grains;
  if (f->exchanges > f->compute)
    snprintf(note, NU_FORECAST_NOTE,
             "a batch of %zu rows is too small for %zu ranks: a step sends for longer (%.3g us) "
             "than it computes (%.3g us); train with fewer ranks, or a larger train.batch, which "
             "is part of the numbers",
             problem->batch, f->ranks, 1e6 * f->exchanges, 1e6 * f->compute);
  else if (2 * f->least.rows < f->most.rows)
    snprintf(note, NU_FORECAST_NOTE,
             "a batch of %zu rows is too small for %zu ranks: one has %zu rows and another %zu; "
             "train.batch %zu would fill all, or a smaller train.grain share better (both are "
             "part of the numbers)",
             problem->batch, f->ranks, f->most.rows, f->least.rows, even);
}
