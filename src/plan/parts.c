/* SPDX-License-Identifier: MIT */
#include "plan/parts.h"

#include "base/least.h"
#include "plan/placement.h"

#define P NU_PANEL

/* Divisions are left out where there is one part: steps of small networks take less than a
 * microsecond, each division some ten nanoseconds. */
nu_range nu_share(size_t n, size_t parts, size_t part) {
  if (parts == 1) return (nu_range){0, n};
  size_t size = n / parts, longer = n % parts;
  size_t begin = part * size + (part < longer ? part : longer);
  return (nu_range){begin, begin + size + (part < longer)};
}

nu_range nu_spread(size_t n, size_t parts, size_t part) {
  if (n >= parts) return nu_share(n, parts, part);
  return (nu_range){n * part / parts, n * (part + 1) / parts};
}

/* ---- rows */

nu_range nu_plan_grain_rows(const nu_plan *plan, size_t rows, nu_range grains) {
  size_t grain = plan->problem.grain;
  return (nu_range){nu_smaller(grains.begin * grain, rows), nu_smaller(grains.end * grain, rows)};
}

nu_range nu_plan_members(const nu_plan *plan, size_t group) {
  if (plan->groups == plan->threads) return (nu_range){group, group + 1};
  return nu_share(plan->threads, plan->groups, group);
}

size_t nu_plan_ranks(const nu_plan *plan) { return plan->ranks > 1 ? plan->ranks : 1; }

nu_range nu_plan_rank_grains(const nu_plan *plan, size_t rows, size_t rank) {
  return nu_share(nu_problem_grains(&plan->problem, rows), nu_plan_ranks(plan), rank);
}

size_t nu_plan_own_grains(const nu_plan *plan) {
  nu_range own = nu_plan_rank_grains(plan, plan->problem.batch, plan->rank);
  return own.end - own.begin;
}

/* The inverse of nu_plan_members: the first groups have one thread more. */
size_t nu_plan_group(const nu_plan *plan, size_t thread) {
  if (plan->groups == plan->threads) return thread;
  size_t size = plan->threads / plan->groups, longer = plan->threads % plan->groups;
  size_t in_longer = longer * (size + 1);
  return thread < in_longer ? thread / (size + 1) : longer + (thread - in_longer) / size;
}

nu_range nu_plan_group_grains(const nu_plan *plan, size_t rows, size_t group) {
  nu_range all = nu_plan_rank_grains(plan, rows, plan->rank);
  nu_range its = nu_share(all.end - all.begin, plan->groups, group);
  return (nu_range){all.begin + its.begin, all.begin + its.end};
}

nu_range nu_plan_my_own(const nu_plan *plan, nu_range rows, size_t thread) {
  if (plan->groups == plan->threads) return rows;
  nu_range members = nu_plan_members(plan, nu_plan_group(plan, thread));
  nu_range mine =
      nu_share(rows.end - rows.begin, members.end - members.begin, thread - members.begin);
  return (nu_range){rows.begin + mine.begin, rows.begin + mine.end};
}

bool nu_plan_shares_rows(const nu_plan *plan) { return plan->groups < plan->threads; }

/* Grains of the first group, which has the most. */
static size_t most_grains(const nu_plan *plan, size_t rows) {
  nu_range first = nu_plan_group_grains(plan, rows, 0);
  return first.end - first.begin;
}

size_t nu_plan_chunks(const nu_plan *plan, size_t rows) {
  size_t chunks = (most_grains(plan, rows) + plan->chunk - 1) / plan->chunk;
  return chunks ? chunks : 1;
}

static size_t held_by_group(const nu_plan *plan, size_t rows) {
  size_t grains = nu_smaller(most_grains(plan, rows), plan->chunk);
  return nu_smaller(grains * plan->problem.grain, rows);
}

size_t nu_plan_held(const nu_plan *plan, size_t rows) {
  nu_range all = nu_plan_rank_grains(plan, rows, plan->rank);
  size_t groups = nu_smaller(plan->groups, all.end - all.begin);
  return groups * held_by_group(plan, rows);
}

nu_chunk nu_plan_chunk(const nu_plan *plan, size_t rows, size_t thread, size_t i) {
  size_t group = nu_plan_group(plan, thread);
  nu_range all = nu_plan_group_grains(plan, rows, group);
  size_t begin = nu_smaller(all.begin + i * plan->chunk, all.end);
  nu_range grains = {begin, nu_smaller(begin + plan->chunk, all.end)};
  nu_range of_batch = nu_plan_grain_rows(plan, rows, grains);
  size_t held = group * held_by_group(plan, plan->problem.batch);
  return (nu_chunk){.batch = rows,
                    .grains = grains,
                    .rows = of_batch,
                    .held = {held, held + of_batch.end - of_batch.begin},
                    .last = (i + 1) * plan->chunk >= most_grains(plan, rows)};
}

/* ---- weights */

nu_range nu_plan_sharers(const nu_plan *plan, nu_level level, size_t thread) {
  if (level == NU_LEVEL_GROUP) return nu_plan_members(plan, nu_plan_group(plan, thread));
  if (level == NU_LEVEL_NODE) return nu_plan_node_threads(plan, nu_plan_node(plan, thread));
  return (nu_range){0, plan->threads};
}

bool nu_plan_is_thin(const nu_plan *plan, const nu_layer *layer, nu_level level, size_t thread) {
  nu_range sharers = nu_plan_sharers(plan, level, level == NU_LEVEL_GROUP ? 0 : thread);
  return nu_panels(layer->neurons) < sharers.end - sharers.begin;
}

/* Inputs that stay together where ranks share a thin layer: what is joined and updated there is not
 * packed, so that smaller groups than P serve for a fairer share; even, for pairs of bf16. */
enum { RANK_INPUTS = 8 };

/* Share `one` of n: of panels or, if thin, of groups of inputs, the bias with the last. */
static nu_part cut(const nu_layer *layer, nu_part all, bool thin, size_t group, size_t n,
                   size_t one) {
  if (!thin) {
    nu_range mine = nu_share(all.panels.end - all.panels.begin, n, one);
    return (nu_part){
        {all.panels.begin + mine.begin, all.panels.begin + mine.end}, all.inputs, all.thin};
  }
  size_t links = nu_smaller(all.inputs.end, layer->links), first = all.inputs.begin / group;
  nu_range mine = nu_spread(nu_larger((links + group - 1) / group, first) - first, n, one);
  size_t begin = (first + mine.begin) * group, end = (first + mine.end) * group;
  end = end < links ? end : mine.begin < mine.end ? all.inputs.end : begin;
  return (nu_part){all.panels, {begin, end}, true};
}

static nu_part whole(const nu_layer *layer) {
  return (nu_part){{0, nu_panels(layer->neurons)}, {0, nu_layer_rows(layer)}, false};
}

nu_part nu_plan_rank_part(const nu_plan *plan, const nu_layer *layer, size_t rank) {
  size_t ranks = nu_plan_ranks(plan);
  if (ranks == 1) return whole(layer);
  return cut(layer, whole(layer), nu_panels(layer->neurons) < ranks, RANK_INPUTS, ranks, rank);
}

nu_part nu_plan_share_part(const nu_layer *layer, nu_part all, size_t threads, size_t thread) {
  return cut(layer, all, all.panels.end - all.panels.begin < threads, RANK_INPUTS, threads, thread);
}

size_t nu_part_floats(const nu_layer *layer, nu_part part) {
  size_t floats = 0;
  for (size_t p = part.panels.begin; p < part.panels.end; p++)
    floats += nu_panel_width(layer->neurons, p) * (part.inputs.end - part.inputs.begin);
  return floats;
}

nu_part nu_plan_part(const nu_plan *plan, const nu_layer *layer, nu_level level, size_t thread) {
  if (level == NU_LEVEL_GROUP && plan->groups == plan->threads) return whole(layer);
  if (level == NU_LEVEL_JOB)
    return nu_plan_share_part(layer, nu_plan_rank_part(plan, layer, plan->rank), plan->threads,
                              thread);
  nu_range sharers = nu_plan_sharers(plan, level, thread);
  return cut(layer, whole(layer), nu_plan_is_thin(plan, layer, level, thread), P,
             sharers.end - sharers.begin, thread - sharers.begin);
}

nu_range nu_plan_delta_panels(const nu_plan *plan, const nu_layer *layer, size_t thread) {
  if (plan->groups == plan->threads) return (nu_range){0, nu_panels(layer->neurons)};
  nu_range sharers = nu_plan_sharers(plan, NU_LEVEL_GROUP, thread);
  return nu_spread(nu_panels(layer->neurons), sharers.end - sharers.begin, thread - sharers.begin);
}

static bool is_thin_in_group(const nu_plan *plan, const numann_network *network, size_t l) {
  return nu_plan_is_thin(plan, &network->layers[l], NU_LEVEL_GROUP, 0);
}

/* The output goes by rows: of a thin last layer by those that its thread computed. */
bool nu_plan_meets_after_forward(const nu_plan *plan, const numann_network *network, size_t l) {
  return l + 1 < network->n_layers || !is_thin_in_group(plan, network, l);
}

/* Kinds that go by rows form deltas, or read weights, for parts of other threads. */
bool nu_plan_meets_after_delta(const nu_plan *plan, const numann_network *network, size_t l) {
  const nu_layer *layer = &network->layers[l], *above = layer + 1;
  if (layer->kind->by_rows || above->kind->by_rows) return true;
  bool others_read_it = l > 0 || is_thin_in_group(plan, network, l);
  bool others_read_weights = !is_thin_in_group(plan, network, l + 1);
  return others_read_it || others_read_weights;
}
