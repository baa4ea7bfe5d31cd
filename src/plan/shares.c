/* Who computes which part: pure arithmetic on a plan. SPDX-License-Identifier: MIT */
#include "plan/plan.h"

nu_range nu_share(size_t n, size_t parts, size_t part) {
  size_t size = n / parts, longer = n % parts;
  size_t begin = part * size + (part < longer ? part : longer);
  return (nu_range){begin, begin + size + (part < longer)};
}

nu_range nu_spread(size_t n, size_t parts, size_t part) {
  if (n >= parts) return nu_share(n, parts, part);
  return (nu_range){n * part / parts, n * (part + 1) / parts};
}

/* ---- shares */

size_t nu_plan_grains(const numann_plan *plan, size_t rows) {
  return (rows + plan->grain - 1) / plan->grain;
}

nu_range nu_plan_grain_rows(const numann_plan *plan, size_t rows, nu_range grains) {
  size_t begin = grains.begin * plan->grain, end = grains.end * plan->grain;
  return (nu_range){begin < rows ? begin : rows, end < rows ? end : rows};
}

nu_range nu_plan_members(const numann_plan *plan, size_t group) {
  return nu_share(plan->threads, plan->groups, group);
}

/* The inverse of nu_plan_members: the first groups have one thread more. */
size_t nu_plan_group(const numann_plan *plan, size_t thread) {
  if (plan->groups == plan->threads) return thread;
  size_t size = plan->threads / plan->groups, longer = plan->threads % plan->groups;
  size_t in_longer = longer * (size + 1);
  return thread < in_longer ? thread / (size + 1) : longer + (thread - in_longer) / size;
}

/* Share of n items that a thread has among its group; no division in groups of one, where steps are
 * short. */
static nu_range share_in_group(const numann_plan *plan, size_t n, size_t thread) {
  if (plan->groups == plan->threads) return (nu_range){0, n};
  nu_range members = nu_plan_members(plan, nu_plan_group(plan, thread));
  return nu_share(n, members.end - members.begin, thread - members.begin);
}

nu_range nu_plan_group_grains(const numann_plan *plan, size_t rows, size_t group) {
  return nu_share(nu_plan_grains(plan, rows), plan->groups, group);
}

nu_range nu_plan_my_panels(const numann_plan *plan, size_t panels, size_t thread) {
  return share_in_group(plan, panels, thread);
}

nu_range nu_plan_my_inputs(const numann_plan *plan, size_t panels, size_t thread) {
  if (plan->groups == plan->threads) return (nu_range){0, panels};
  nu_range members = nu_plan_members(plan, nu_plan_group(plan, thread));
  return nu_spread(panels, members.end - members.begin, thread - members.begin);
}

bool nu_plan_is_thin(const numann_plan *plan, size_t panels) {
  return panels < nu_plan_members(plan, 0).end;
}

/* Floats from one row to the next: a page. */
#define FAR 1024

/* In a thin layer every thread would pack all deltas for a few inputs: there it only does what it
 * must. */
bool nu_plan_packs(const numann_plan *plan, size_t neurons) {
  if (plan->precision == NU_BF16) return true;
  return nu_stride(neurons) >= FAR && !nu_plan_is_thin(plan, nu_panels(neurons));
}

/* The smallest group, which has the fewest threads to share them, is the last. */
size_t nu_plan_packed_panels(const numann_plan *plan, size_t neurons) {
  size_t panels = nu_panels(neurons), members = plan->threads / plan->groups;
  if (!nu_plan_packs(plan, neurons)) return 0;
  return nu_plan_is_thin(plan, panels) ? panels : nu_share(panels, members, 0).end;
}

nu_range nu_plan_my_own(const numann_plan *plan, nu_range rows, size_t thread) {
  nu_range mine = share_in_group(plan, rows.end - rows.begin, thread);
  return (nu_range){rows.begin + mine.begin, rows.begin + mine.end};
}

bool nu_plan_shares_rows(const numann_plan *plan) { return plan->groups < plan->threads; }

bool nu_plan_meets_after_forward(const numann_plan *plan, size_t panels, bool last) {
  return !(last && nu_plan_is_thin(
                       plan, panels)); /* the output goes by the rows that its thread computed */
}

bool nu_plan_meets_after_delta(const numann_plan *plan, size_t panels, size_t above, bool first) {
  bool others_read_it = !first || nu_plan_is_thin(plan, panels);
  bool others_read_weights = !nu_plan_is_thin(plan, above);
  return others_read_it || others_read_weights;
}

/* ---- chunks */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Grains of the first group, which has the most. */
static size_t most_grains(const numann_plan *plan, size_t rows) {
  return nu_plan_group_grains(plan, rows, 0).end;
}

size_t nu_plan_chunks(const numann_plan *plan, size_t rows) {
  return (most_grains(plan, rows) + plan->chunk - 1) / plan->chunk;
}

static size_t held_by_group(const numann_plan *plan, size_t rows) {
  return least(least(most_grains(plan, rows), plan->chunk) * plan->grain, rows);
}

size_t nu_plan_held(const numann_plan *plan, size_t rows) {
  return least(plan->groups, nu_plan_grains(plan, rows)) * held_by_group(plan, rows);
}

nu_chunk nu_plan_chunk(const numann_plan *plan, size_t rows, size_t thread, size_t i) {
  size_t group = nu_plan_group(plan, thread);
  nu_range all = nu_plan_group_grains(plan, rows, group);
  size_t begin = least(all.begin + i * plan->chunk, all.end);
  nu_range grains = {begin, least(begin + plan->chunk, all.end)};
  nu_range of_batch = nu_plan_grain_rows(plan, rows, grains);
  size_t held = group * held_by_group(plan, plan->batch);
  return (nu_chunk){.batch = rows,
                    .grains = grains,
                    .rows = of_batch,
                    .held = {held, held + of_batch.end - of_batch.begin},
                    .last = i + 1 == nu_plan_chunks(plan, rows)};
}
