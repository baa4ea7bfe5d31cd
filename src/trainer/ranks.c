/* SPDX-License-Identifier: MIT */
#include "trainer/ranks.h"

#include <stdlib.h>
#include <string.h>

#include "base/least.h"
#include "base/memory.h"

#define P NU_PANEL
/* Regions that are only copied are whole panels. */
#define WHOLE (SIZE_MAX / 2)

/* ---- where things stand in messages */

/* Parameters of layers below l: of the ranks before this one, and of this one. */
static size_t before(const nu_engine *engine, size_t rank, size_t l) {
  return engine->ranks.before[rank * (engine->n_layers + 1) + l];
}
static size_t below(const nu_engine *engine, size_t rank, size_t l) {
  return before(engine, rank + 1, l) - before(engine, rank, l);
}

/* What a rank owns of a bundle. */
static size_t floats_of(const nu_engine *engine, size_t rank, nu_range bundle) {
  return below(engine, rank, bundle.end) - below(engine, rank, bundle.begin);
}

/* Which bundle a region is of, and where the region begins in its part. */
static nu_range bundle_at(const nu_engine *engine, const nu_region *at) {
  return engine->ranks.bundles[engine->ranks.bundle_of[at->layer - engine->layers]];
}
static size_t place_of(const nu_engine *engine, size_t rank, const nu_region *at) {
  nu_part part = nu_plan_rank_part(engine->plan, at->layer->shape, rank);
  return below(engine, rank, (size_t)(at->layer - engine->layers)) -
         below(engine, rank, bundle_at(engine, at).begin) +
         (at->panel - part.panels.begin) * (part.inputs.end - part.inputs.begin) * P +
         (at->inputs.begin - part.inputs.begin) * at->width;
}

/* Calls fn for what a thread has of another rank's part of each layer of a bundle. */
static void for_my_share(const nu_engine *engine, nu_range bundle, size_t rank, size_t thread,
                         nu_region_fn *fn, const void *arg) {
  for (size_t l = bundle.begin; l < bundle.end; l++) {
    const nu_layer *shape = engine->layers[l].shape;
    nu_part all = nu_plan_rank_part(engine->plan, shape, rank);
    nu_part mine = nu_plan_share_part(shape, all, engine->plan->threads, thread);
    nu_for_each_region(engine, l, thread, mine, WHOLE, NULL, fn, arg);
  }
}

/* ---- joining and leaving */

static bool create_lists(nu_engine *engine, size_t ranks) {
  nu_engine_ranks *r = &engine->ranks;
  r->areas = nu_alloc(ranks, sizeof *r->areas);
  r->spots = nu_alloc(ranks, sizeof *r->spots);
  r->before = nu_alloc((ranks + 1) * (engine->n_layers + 1), sizeof *r->before);
  r->bundles = nu_alloc(engine->n_layers, sizeof *r->bundles);
  r->bundle_of = nu_alloc(engine->n_layers, sizeof *r->bundle_of);
  bool refused = !r->areas || !r->spots || !r->before || !r->bundles || !r->bundle_of;
  for (size_t i = 0; i < NU_LANES; i++) {
    r->lanes[i].list = nu_alloc(2 * ranks, sizeof *r->lanes[i].list);
    r->lanes[i].from = nu_alloc(ranks, sizeof *r->lanes[i].from);
    refused |= !r->lanes[i].list || !r->lanes[i].from;
  }
  return !refused;
}

static void list_bundles(nu_engine *engine) {
  nu_engine_ranks *r = &engine->ranks;
  for (size_t end = engine->n_layers; end > 0; r->n_bundles++) {
    nu_range bundle = nu_plan_bundle(engine->plan, engine->network, end);
    for (size_t l = bundle.begin; l < end; l++) r->bundle_of[l] = r->n_bundles;
    r->bundles[r->n_bundles] = bundle;
    end = bundle.begin;
  }
}

static bool create(nu_engine *engine, size_t ranks) {
  nu_engine_ranks *r = &engine->ranks;
  size_t n = engine->n_layers;
  if (!create_lists(engine, ranks)) return false;
  list_bundles(engine);
  r->inbox = nu_plan_received_area(engine->plan, engine->network);
  for (size_t rank = 0; rank < ranks; rank++) {
    r->spots[rank] = nu_plan_rank_area(engine->plan, engine->network, rank);
    size_t *at = r->before + rank * (n + 1), floats = 0;
    for (size_t l = 0; l < n; l++) {
      const nu_layer *shape = engine->layers[l].shape;
      floats += nu_part_floats(shape, nu_plan_rank_part(engine->plan, shape, rank));
      at[n + 1 + l + 1] = at[l + 1] + floats;
    }
  }
  return true;
}

numann_status nu_ranks_join(nu_engine *engine, nu_comm *comm, numann_error *err) {
  if (comm->size == 1) return NUMANN_OK;
  engine->ranks.comm = comm;
  size_t bytes = nu_plan_rank_area(engine->plan, engine->network, comm->rank).end * sizeof(float);
  numann_status status = create(engine, comm->size)
                             ? NUMANN_OK
                             : nu_fail_memory(err, bytes, "the messages of the ranks");
  NU_TRY(nu_comm_agree(comm, status, err));
  if (nu_comm_share(comm, bytes, engine->ranks.areas)) return NUMANN_OK;
  return nu_fail_memory(err, bytes, "the messages of the ranks");
}

void nu_ranks_leave(nu_engine *engine) {
  nu_engine_ranks *r = &engine->ranks;
  if (r->comm && r->areas && r->areas[r->comm->rank]) nu_comm_unshare(r->comm, r->areas);
  free(r->areas);
  free(r->spots);
  free(r->before);
  free(r->bundles);
  free(r->bundle_of);
  for (size_t i = 0; i < NU_LANES; i++) {
    free(r->lanes[i].list);
    free(r->lanes[i].from);
  }
  *r = (nu_engine_ranks){0};
}

/* ---- exchanges: a message to each other rank, one from each; those without bytes are none
 *
 * A neighbour on the host reads where this rank has written, and counts as a message all the same:
 * a schedule has its numbers wherever its ranks run. Each rank's counter says how many exchanges it
 * has begun, all in the same order. A rank begins to send roots when it has read the losses of
 * others, its results of a bundle when it has read their roots, and its losses of the next step
 * when it has read their results: so nobody writes a message before the last one in its place is
 * read. */

static float *area_of(const nu_engine *engine, size_t rank) { return engine->ranks.areas[rank]; }
static atomic_uint_fast64_t *counter_of(const nu_engine *engine, size_t rank) {
  return engine->ranks.areas[rank];
}

/* Two bundles may be under way at a time. */
_Static_assert(NU_LANES == 1 + 2 * (NU_EXCHANGES - 1),
               "a lane for losses, two for each other kind");
static nu_rank_lane *lane_of(const nu_engine *engine, nu_exchange what, size_t bundle) {
  size_t lane = what == NU_EXCHANGE_LOSSES ? 0 : 2 * (size_t)what - 1 + bundle % 2;
  nu_rank_lane *lanes = (nu_rank_lane *)engine->ranks.lanes;
  return &lanes[lane];
}

/* What an exchange is of. */
typedef struct topic {
  nu_exchange what;
  size_t bundle, rows;
  nu_range layers; /* of the bundle */
} topic;

static topic topic_of(const nu_engine *engine, nu_exchange what, size_t bundle, size_t rows) {
  return (topic){what, bundle, rows, engine->ranks.bundles[bundle]};
}

/* What the exchange's messages are computed from. */
static nu_rank_share share_of(const nu_engine *engine, const topic *of, size_t rank) {
  const nu_plan *plan = engine->plan;
  nu_rank_share share = {.floats = floats_of(engine, rank, of->layers)};
  nu_range its = nu_plan_grain_rows(plan, of->rows, nu_plan_rank_grains(plan, of->rows, rank));
  share.rows = its.end - its.begin;
  if (of->what == NU_EXCHANGE_ROOTS) share.roots = nu_plan_rank_roots(plan, of->rows, rank);
  return share;
}

/* Of the ranks before this one but for `other`: parameters of a bundle, or of what is below. */
static size_t before_but(const nu_engine *engine, size_t rank, size_t other, size_t l) {
  return before(engine, rank, l) - (other < rank ? below(engine, other, l) : 0);
}

/* Where in a rank's area its message for another begins, in floats. */
static size_t message_begin(const nu_engine *engine, const topic *of, size_t rank, size_t peer) {
  const nu_rank_area *spot = &engine->ranks.spots[rank];
  nu_range layers = of->layers;
  if (of->what == NU_EXCHANGE_LOSSES) return spot->losses;
  if (of->what == NU_EXCHANGE_RESULTS)
    return spot->results + layers.begin * NU_RANK_HEADER + below(engine, rank, layers.begin);
  size_t lower = before_but(engine, engine->ranks.comm->size, rank, layers.begin);
  size_t earlier =
      before_but(engine, peer, rank, layers.end) - before_but(engine, peer, rank, layers.begin);
  return spot->roots + nu_plan_rank_roots(engine->plan, of->rows, rank) * (lower + earlier);
}

/* Where what others send begins, in floats: of a bundle behind those of the layers below. */
static size_t received_begin(const nu_engine *engine, const topic *of) {
  const nu_rank_area *spot = &engine->ranks.inbox;
  size_t me = engine->ranks.comm->rank, ranks = engine->ranks.comm->size, roots = 0;
  size_t first = of->layers.begin;
  if (of->what == NU_EXCHANGE_LOSSES) return spot->losses;
  if (of->what == NU_EXCHANGE_RESULTS)
    return spot->results + (ranks - 1) * first * NU_RANK_HEADER +
           before_but(engine, ranks, me, first);
  for (size_t rank = 0; rank < ranks; rank++)
    if (rank != me) roots += nu_plan_rank_roots(engine->plan, of->rows, rank);
  return spot->roots + roots * below(engine, me, first);
}

/* Neighbours have what this rank has written; the others are sent it. */
static void begin(nu_engine *engine, const topic *of) {
  nu_engine_ranks *r = &engine->ranks;
  nu_rank_lane *lane = lane_of(engine, of->what, of->bundle);
  size_t me = r->comm->rank, n_sends = 0, n_receives = 0;
  nu_message *sends = lane->list, *receives = lane->list + r->comm->size;
  nu_rank_share mine = share_of(engine, of, me);
  char *next = (char *)(r->received + received_begin(engine, of));
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    if (rank == me) continue;
    nu_rank_share its = share_of(engine, of, rank);
    size_t out = nu_exchange_bytes(of->what, &mine, &its),
           in = nu_exchange_bytes(of->what, &its, &mine);
    float *there = r->areas[rank];
    lane->from[rank] = there ? (void *)(there + message_begin(engine, of, rank, me)) : next;
    if (there) nu_comm_count(r->comm, out);
    float *here = area_of(engine, me) + message_begin(engine, of, me, rank);
    if (out && !there) sends[n_sends++] = (nu_message){rank, here, out};
    if (in && !there) receives[n_receives++] = (nu_message){rank, next, in};
    next += in;
  }
  lane->mail = (nu_mail){sends, receives, n_sends, n_receives, (size_t)(lane - r->lanes)};
  lane->posts = ++r->posts;
  atomic_store_explicit(counter_of(engine, me), r->posts, memory_order_release);
  nu_comm_begin(r->comm, &lane->mail);
}

/* Afterwards lane->from[rank] is what that rank has for this one. */
static const nu_rank_lane *end(nu_engine *engine, nu_exchange what, size_t bundle) {
  nu_engine_ranks *r = &engine->ranks;
  nu_comm *comm = r->comm;
  const nu_rank_lane *lane = lane_of(engine, what, bundle);
  nu_comm_end(comm, &lane->mail);
  for (size_t d = 1; d < comm->size; d++) {
    size_t peer = (comm->rank + d) % comm->size;
    if (r->areas[peer]) nu_comm_await(comm, peer, counter_of(engine, peer), lane->posts);
  }
  return lane;
}

nu_traffic nu_ranks_traffic(const nu_engine *engine) {
  const nu_engine_ranks *r = &engine->ranks;
  if (!r->comm) return (nu_traffic){0, 0};
  return (nu_traffic){r->comm->messages - r->messages_before, r->comm->bytes - r->bytes_before};
}

/* ---- losses */

static nu_range rows_of(const nu_engine *engine, size_t rows, size_t rank) {
  return nu_plan_grain_rows(engine->plan, rows, nu_plan_rank_grains(engine->plan, rows, rank));
}

/* A number for what the rank wants, then a loss for each of its rows. The first exchange of a pass:
 * from here on its traffic counts. */
static void send_losses(nu_engine *engine, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank;
  nu_range mine = rows_of(engine, rows, me);
  double *sent = (double *)(void *)(area_of(engine, me) + r->spots[me].losses);
  r->messages_before = r->comm->messages;
  r->bytes_before = r->comm->bytes;
  sent[0] = r->wanted;
  memcpy(sent + 1, engine->row_loss + mine.begin, (mine.end - mine.begin) * sizeof *sent);
  topic of = topic_of(engine, NU_EXCHANGE_LOSSES, 0, rows);
  begin(engine, &of);
}

static void await_losses(nu_engine *engine, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  const nu_rank_lane *lane = end(engine, NU_EXCHANGE_LOSSES, 0);
  r->agreed = r->wanted;
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    nu_range its = rows_of(engine, rows, rank);
    if (rank == r->comm->rank) continue;
    const double *at = lane->from[rank];
    r->agreed = (unsigned)nu_larger(r->agreed, (size_t)at[0]);
    memcpy(engine->row_loss + its.begin, at + 1, (its.end - its.begin) * sizeof *at);
  }
}

void nu_ranks_share_losses(nu_engine *engine, nu_team *team, size_t thread, size_t rows) {
  if (thread == 0) {
    send_losses(engine, rows);
    await_losses(engine, rows);
  }
  nu_team_barrier(team);
}

/* ---- roots */

typedef struct packing {
  const size_t *slots;
  size_t roots, rank; /* of this rank; whose part */
  size_t floats;      /* of a root */
  float *at;          /* root after root */
} packing;

static void pack_roots(const nu_engine *engine, size_t thread, const nu_region *at,
                       const void *arg) {
  (void)thread;
  const packing *p = arg;
  float *place = p->at + place_of(engine, p->rank, at);
  for (size_t i = 0; i < p->roots; i++, place += p->floats)
    memcpy(place, nu_group_root(engine, at, p->slots[i]), nu_region_size(at) * sizeof(float));
}

void nu_ranks_send_roots(nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                         const size_t *slots, size_t bundle) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank;
  topic of = topic_of(engine, NU_EXCHANGE_ROOTS, bundle, rows);
  packing p = {.slots = slots, .roots = nu_plan_rank_roots(engine->plan, rows, me)};
  for (p.rank = 0; p.rank < r->comm->size; p.rank++) {
    if (p.rank == me) continue;
    p.floats = floats_of(engine, p.rank, of.layers);
    p.at = area_of(engine, me) + message_begin(engine, &of, me, p.rank);
    for_my_share(engine, of.layers, p.rank, thread, pack_roots, &p);
  }
  nu_team_barrier(team);
  if (thread == 0) begin(engine, &of);
}

void nu_ranks_await_roots(nu_engine *engine, nu_team *team, size_t thread, size_t bundle) {
  if (thread == 0) end(engine, NU_EXCHANGE_ROOTS, bundle);
  nu_team_barrier(team);
}

float *nu_ranks_root(const nu_engine *engine, const nu_region *at, size_t rank, size_t root) {
  size_t me = engine->ranks.comm->rank,
         bundle = engine->ranks.bundle_of[at->layer - engine->layers];
  float *roots = lane_of(engine, NU_EXCHANGE_ROOTS, bundle)->from[rank];
  return roots + root * floats_of(engine, me, bundle_at(engine, at)) + place_of(engine, me, at);
}

/* ---- results */

/* This rank's message for all. */
static float *results_of(const nu_engine *engine, size_t bundle) {
  size_t me = engine->ranks.comm->rank;
  topic of = topic_of(engine, NU_EXCHANGE_RESULTS, bundle, 0);
  return area_of(engine, me) + message_begin(engine, &of, me, me);
}

void nu_ranks_pack(const nu_engine *engine, const nu_region *at, const float *result) {
  size_t bundle = engine->ranks.bundle_of[at->layer - engine->layers];
  memcpy(
      results_of(engine, bundle) + NU_RANK_HEADER + place_of(engine, engine->ranks.comm->rank, at),
      result, nu_region_size(at) * sizeof(float));
}

/* The header's first float: has this rank had a weight so far that is not finite? */
static void send_results(nu_engine *engine, size_t bundle, bool not_finite) {
  float *header = results_of(engine, bundle);
  topic of = topic_of(engine, NU_EXCHANGE_RESULTS, bundle, 0);
  memset(header, 0, NU_RANK_HEADER * sizeof(float));
  header[0] = not_finite ? 1.0f : 0.0f;
  begin(engine, &of);
}

static void await_results(nu_engine *engine, size_t bundle) {
  nu_engine_ranks *r = &engine->ranks;
  const nu_rank_lane *lane = end(engine, NU_EXCHANGE_RESULTS, bundle);
  for (size_t rank = 0; rank < r->comm->size; rank++)
    if (rank != r->comm->rank) r->not_finite |= *(const float *)lane->from[rank] != 0.0f;
}

typedef struct unpacking {
  size_t rank, array;
  const float *at;
} unpacking;

static void unpack_result(const nu_engine *engine, size_t thread, const nu_region *at,
                          const void *arg) {
  (void)thread;
  const unpacking *u = arg;
  memcpy(at->layer->array[u->array] + nu_region_offset(at), u->at + place_of(engine, u->rank, at),
         nu_region_size(at) * sizeof(float));
  if (u->array == NU_WEIGHTS) nu_publish_weights(engine, at->layer, at->panel, at->inputs);
}

static void unpack_results(const nu_engine *engine, size_t thread, size_t bundle, size_t array) {
  const nu_engine_ranks *r = &engine->ranks;
  const nu_rank_lane *lane = lane_of(engine, NU_EXCHANGE_RESULTS, bundle);
  unpacking u = {.array = array};
  for (u.rank = 0; u.rank < r->comm->size; u.rank++) {
    if (u.rank == r->comm->rank) continue;
    u.at = (const float *)lane->from[u.rank] + NU_RANK_HEADER;
    for_my_share(engine, r->bundles[bundle], u.rank, thread, unpack_result, &u);
  }
}

void nu_ranks_send_results(nu_engine *engine, nu_team *team, size_t thread, size_t bundle) {
  nu_team_barrier(team);
  if (thread == 0) send_results(engine, bundle, nu_engine_not_finite(engine));
}

void nu_ranks_await_results(nu_engine *engine, nu_team *team, size_t thread, size_t bundle,
                            size_t array) {
  if (thread == 0) await_results(engine, bundle);
  nu_team_barrier(team);
  unpack_results(engine, thread, bundle, array);
}

static void pack_array(const nu_engine *engine, size_t thread, const nu_region *at,
                       const void *arg) {
  (void)thread;
  const size_t *array = arg;
  nu_ranks_pack(engine, at, at->layer->array[*array] + nu_region_offset(at));
}

void nu_ranks_collect(nu_engine *engine, size_t array) {
  const nu_engine_ranks *r = &engine->ranks;
  if (!r->comm) return;
  nu_comm_most(r->comm, 0); /* all have read the results before */
  for (size_t bundle = 0; bundle < r->n_bundles; bundle++) {
    for (size_t t = 0; t < engine->plan->threads; t++)
      for_my_share(engine, r->bundles[bundle], r->comm->rank, t, pack_array, &array);
    send_results(engine, bundle, false);
    await_results(engine, bundle);
    for (size_t t = 0; t < engine->plan->threads; t++) unpack_results(engine, t, bundle, array);
  }
}
