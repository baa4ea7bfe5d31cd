/* SPDX-License-Identifier: MIT */
#include "cli/forecast.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "plan/rates.h"

/* ---- options */

numann_status nu_read_option_count(size_t *out, const nu_arguments *args, nu_option_id option,
                                   size_t most, numann_error *err) {
  const char *text = args->value[option];
  uint64_t n = 0;
  if (!text) return NUMANN_OK;
  if (!nu_parse_count(text, strlen(text), &n) || n < 1 || n > most)
    return nu_fail(err, NUMANN_ERR_CONFIG, "command line: --%s %s: expected a count from 1 to %zu",
                   nu_option_row(option)->name, text, most);
  *out = (size_t)n;
  return NUMANN_OK;
}

numann_status nu_read_network(nu_link *link, const nu_arguments *args, const nu_rates *rates,
                              numann_error *err) {
  const char *text = args->value[NU_OPTION_NETWORK];
  *link = nu_link_of_memory(rates);
  if (!text || nu_link_parse(text, link)) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "command line: --network %s: expected BANDWIDTH,LATENCY such as 10GB/s,2us: the "
                 "bandwidth in B/s, kB/s, MB/s, GB/s, TB/s, KiB/s, MiB/s, GiB/s, kbit/s, Mbit/s, "
                 "Gbit/s or Tbit/s, the latency of at most 60 s in ns, us, ms or s, no blanks",
                 text);
}

/* ---- the forecast */

numann_status nu_rank_steps_make(nu_rank_step **steps, const nu_plan *plan,
                                 const numann_network *network, numann_error *err) {
  size_t ranks = nu_plan_ranks(plan);
  *steps = nu_alloc(ranks, sizeof **steps);
  if (!*steps) return nu_fail_memory(err, ranks * sizeof **steps, "the ranks' steps");
  nu_plan_rank_steps(plan, network, plan->problem.batch, *steps);
  return NUMANN_OK;
}

/* ---- in words */

static void add_extent(nu_text *out, const char *name, uint64_t least, uint64_t most) {
  nu_text_addf(out, "%-15s  %12" PRIu64 "  %12" PRIu64 "\n", name, least, most);
}

static double in_us(double seconds) { return seconds * 1e6; }

void nu_forecast_text(const nu_forecast *f, const nu_plan *plan, const nu_link *link,
                      nu_text *out) {
  char network[NU_LINK_TEXT], note[NU_FORECAST_NOTE];
  nu_text_add(out, "of each rank             least          most\n");
  add_extent(out, "grains", f->least.grains, f->most.grains);
  add_extent(out, "rows", f->least.rows, f->most.rows);
  add_extent(out, "parameters", f->least.floats, f->most.floats);
  add_extent(out, "messages sent", f->least_sent.messages, f->most_sent.messages);
  add_extent(out, "bytes sent", f->least_sent.bytes, f->most_sent.bytes);
  nu_text_addf(out, "\nnetwork  %s a message\n", nu_link_show(link, network));
  nu_text_addf(out, "step     %.1f us = %.1f computing + %.1f exchanging", in_us(f->seconds),
               in_us(f->compute), in_us(f->exchanges));
  for (size_t x = 0; x < NU_EXCHANGES; x++)
    nu_text_addf(out, "%s%s %.1f", x ? ", " : " (", nu_exchange_name((nu_exchange)x),
                 in_us(f->exchange[x]));
  nu_text_addf(out, ")\ngain     %.2f times as fast as 1 rank (%.1f us); efficiency %.0f %%\n",
               nu_forecast_speed_up(f), in_us(f->alone), 100.0 * nu_forecast_efficiency(f));
  nu_forecast_note(f, &plan->problem, note);
  if (note[0]) nu_text_addf(out, "note     %s\n", note);
}

static void json_extent(nu_json *json, const char *key, uint64_t least, uint64_t most) {
  nu_json_open(json, key, '[');
  nu_json_count(json, NULL, least);
  nu_json_count(json, NULL, most);
  nu_json_close(json, ']');
}

static uint64_t least_of(nu_comm *comm, uint64_t number) {
  return UINT64_MAX - nu_comm_most(comm, UINT64_MAX - number);
}

nu_sent nu_sent_by_all(nu_comm *comm, nu_traffic own) {
  nu_sent all;
  all.least.messages = least_of(comm, own.messages);
  all.least.bytes = least_of(comm, own.bytes);
  all.most.messages = nu_comm_most(comm, own.messages);
  all.most.bytes = nu_comm_most(comm, own.bytes);
  return all;
}

void nu_sent_json(const nu_sent *sent, nu_json *json) {
  json_extent(json, "messages_a_step", sent->least.messages, sent->most.messages);
  json_extent(json, "bytes_a_step", sent->least.bytes, sent->most.bytes);
}

void nu_forecast_json(const nu_forecast *f, const nu_plan *plan, const nu_link *link,
                      nu_json *json) {
  char note[NU_FORECAST_NOTE];
  nu_forecast_note(f, &plan->problem, note);
  nu_json_open(json, "forecast", '{');
  nu_json_count(json, "ranks", f->ranks);
  json_extent(json, "grains", f->least.grains, f->most.grains);
  json_extent(json, "rows", f->least.rows, f->most.rows);
  json_extent(json, "parameters", f->least.floats, f->most.floats);
  nu_sent_json(&(nu_sent){f->least_sent, f->most_sent}, json);
  nu_json_real(json, "bandwidth_bytes_s", link->bytes_s);
  nu_json_real(json, "latency_s", link->latency);
  nu_json_real(json, "compute_s", f->compute);
  nu_json_open(json, "exchange_s", '{');
  for (size_t x = 0; x < NU_EXCHANGES; x++)
    nu_json_real(json, nu_exchange_name((nu_exchange)x), f->exchange[x]);
  nu_json_close(json, '}');
  nu_json_real(json, "predicted_step_s", f->seconds);
  nu_json_real(json, "one_rank_step_s", f->alone);
  nu_json_real(json, "speed_up", nu_forecast_speed_up(f));
  nu_json_real(json, "efficiency", nu_forecast_efficiency(f));
  nu_json_string(json, "warning", note[0] ? note : NULL);
  nu_json_close(json, '}');
}
