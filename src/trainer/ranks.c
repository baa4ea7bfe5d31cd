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

/* A rank's part: its floats, and where a region of it begins. */
static const size_t *offsets_of(const nu_engine *engine, size_t rank) {
  return engine->ranks.offsets + rank * (engine->n_layers + 1);
}
static size_t floats_of(const nu_engine *engine, size_t rank) {
  return offsets_of(engine, rank)[engine->n_layers];
}
static size_t place_of(const nu_engine *engine, size_t rank, const nu_region *at) {
  nu_part part = nu_plan_rank_part(engine->plan, at->layer->shape, rank);
  return offsets_of(engine, rank)[at->layer - engine->layers] +
         (at->panel - part.panels.begin) * (part.inputs.end - part.inputs.begin) * P +
         (at->inputs.begin - part.inputs.begin) * at->width;
}

/* Calls fn for what a thread has of another rank's part of each layer. */
static void for_my_share(const nu_engine *engine, size_t rank, size_t thread, nu_region_fn *fn,
                         const void *arg) {
  for (size_t l = 0; l < engine->n_layers; l++) {
    const nu_layer *shape = engine->layers[l].shape;
    nu_part all = nu_plan_rank_part(engine->plan, shape, rank);
    nu_part mine = nu_plan_share_part(shape, all, engine->plan->threads, thread);
    nu_for_each_region(engine, l, thread, mine, WHOLE, NULL, fn, arg);
  }
}

/* ---- joining and leaving */

static bool create(nu_engine *engine, size_t ranks) {
  nu_engine_ranks *r = &engine->ranks;
  r->offsets = nu_alloc(ranks * (engine->n_layers + 1), sizeof *r->offsets);
  r->list = nu_alloc(2 * ranks, sizeof *r->list);
  r->areas = nu_alloc(ranks, sizeof *r->areas);
  r->from = nu_alloc(ranks, sizeof *r->from);
  r->spots = nu_alloc(ranks, sizeof *r->spots);
  if (!r->offsets || !r->list || !r->areas || !r->from || !r->spots) return false;
  for (size_t rank = 0; rank < ranks; rank++) {
    r->spots[rank] = nu_plan_rank_area(engine->plan, engine->network, rank);
    size_t *at = r->offsets + rank * (engine->n_layers + 1);
    for (size_t l = 0; l < engine->n_layers; l++) {
      const nu_layer *shape = engine->layers[l].shape;
      at[l + 1] = at[l] + nu_part_floats(shape, nu_plan_rank_part(engine->plan, shape, rank));
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
  free(r->offsets);
  free(r->list);
  free(r->areas);
  free(r->from);
  free(r->spots);
  *r = (nu_engine_ranks){0};
}

/* ---- exchanges: a message to each other rank, one from each; those without bytes are none
 *
 * A neighbour on the host reads where this rank has written, and counts as a message all the same:
 * a schedule has its numbers wherever its ranks run. Each rank's counter says how many exchanges it
 * has posted. What it posted is read before its next message of that kind is written: nobody posts
 * the kind after it before having read. */

static float *area_of(const nu_engine *engine, size_t rank) { return engine->ranks.areas[rank]; }
static atomic_uint_fast64_t *counter_of(const nu_engine *engine, size_t rank) {
  return engine->ranks.areas[rank];
}

/* What the exchange's messages are computed from. */
static nu_rank_share share_of(const nu_engine *engine, nu_exchange what, size_t rows, size_t rank) {
  const nu_plan *plan = engine->plan;
  nu_rank_share share = {.floats = floats_of(engine, rank)};
  nu_range its = nu_plan_grain_rows(plan, rows, nu_plan_rank_grains(plan, rows, rank));
  share.rows = its.end - its.begin;
  if (what == NU_EXCHANGE_ROOTS) share.roots = nu_plan_rank_roots(plan, rows, rank);
  return share;
}

/* Where in a rank's area its message for another begins, in floats: roots stand one behind the
 * other, by their owners; losses and results are for all. */
static size_t message_begin(const nu_engine *engine, nu_exchange what, size_t rows, size_t rank,
                            size_t peer) {
  const nu_rank_area *spot = &engine->ranks.spots[rank];
  if (what != NU_EXCHANGE_ROOTS) return what == NU_EXCHANGE_LOSSES ? spot->losses : spot->results;
  size_t floats = 0;
  for (size_t q = 0; q < peer; q++)
    if (q != rank) floats += floats_of(engine, q);
  return spot->roots + nu_plan_rank_roots(engine->plan, rows, rank) * floats;
}

/* Neighbours have what this rank has written; the others are sent it. */
static void post(nu_engine *engine, size_t n_sends, size_t n_receives) {
  nu_engine_ranks *r = &engine->ranks;
  nu_comm *comm = r->comm;
  r->posts++;
  atomic_store_explicit(counter_of(engine, comm->rank), r->posts, memory_order_release);
  nu_comm_exchange(comm, r->list, n_sends, r->list + comm->size, n_receives);
  for (size_t d = 1; d < comm->size; d++) {
    size_t peer = (comm->rank + d) % comm->size;
    if (r->areas[peer]) nu_comm_await(comm, peer, counter_of(engine, peer), r->posts);
  }
}

/* Afterwards from[rank] is what that rank has for this one. */
static void exchange(nu_engine *engine, nu_exchange what, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank, n_sends = 0, n_receives = 0;
  nu_rank_share mine = share_of(engine, what, rows, me);
  nu_message *sends = r->list, *receives = r->list + r->comm->size;
  char *next = (char *)r->received;
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    nu_rank_share its = share_of(engine, what, rows, rank);
    size_t out = nu_exchange_bytes(what, &mine, &its), in = nu_exchange_bytes(what, &its, &mine);
    if (rank == me) continue;
    float *there = r->areas[rank];
    r->from[rank] = there ? (void *)(there + message_begin(engine, what, rows, rank, me)) : next;
    if (there) {
      nu_comm_count(r->comm, out);
      continue;
    }
    float *here = area_of(engine, me) + message_begin(engine, what, rows, me, rank);
    if (out) sends[n_sends++] = (nu_message){rank, here, out};
    if (in) receives[n_receives++] = (nu_message){rank, next, in};
    next += in;
  }
  post(engine, n_sends, n_receives);
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
static void exchange_losses(nu_engine *engine, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank;
  nu_range mine = rows_of(engine, rows, me);
  double *sent = (double *)(void *)(area_of(engine, me) + r->spots[me].losses);
  r->messages_before = r->comm->messages;
  r->bytes_before = r->comm->bytes;
  sent[0] = r->wanted;
  memcpy(sent + 1, engine->row_loss + mine.begin, (mine.end - mine.begin) * sizeof *sent);
  exchange(engine, NU_EXCHANGE_LOSSES, rows);
}

static void unpack_losses(nu_engine *engine, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  r->agreed = r->wanted;
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    nu_range its = rows_of(engine, rows, rank);
    const double *at = r->from[rank];
    if (rank == r->comm->rank) continue;
    r->agreed = (unsigned)nu_larger(r->agreed, (size_t)at[0]);
    memcpy(engine->row_loss + its.begin, at + 1, (its.end - its.begin) * sizeof *at);
  }
}

void nu_ranks_share_losses(nu_engine *engine, nu_team *team, size_t thread, size_t rows) {
  if (thread == 0) {
    exchange_losses(engine, rows);
    unpack_losses(engine, rows);
  }
  nu_team_barrier(team);
}

/* ---- roots */

typedef struct packing {
  const size_t *slots;
  size_t roots, rank; /* of this rank; whose part */
  float *at;          /* root after root */
} packing;

static void pack_roots(const nu_engine *engine, size_t thread, const nu_region *at,
                       const void *arg) {
  (void)thread;
  const packing *p = arg;
  float *place = p->at + place_of(engine, p->rank, at);
  for (size_t i = 0; i < p->roots; i++, place += floats_of(engine, p->rank))
    memcpy(place, nu_group_root(engine, at, p->slots[i]), nu_region_size(at) * sizeof(float));
}

void nu_ranks_share_roots(nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                          const size_t *slots) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank;
  packing p = {.slots = slots, .roots = nu_plan_rank_roots(engine->plan, rows, me)};
  for (p.rank = 0; p.rank < r->comm->size; p.rank++) {
    if (p.rank == me) continue;
    p.at = area_of(engine, me) + message_begin(engine, NU_EXCHANGE_ROOTS, rows, me, p.rank);
    for_my_share(engine, p.rank, thread, pack_roots, &p);
  }
  nu_team_barrier(team);
  if (thread == 0) exchange(engine, NU_EXCHANGE_ROOTS, rows);
  nu_team_barrier(team);
}

float *nu_ranks_root(const nu_engine *engine, const nu_region *at, size_t rank, size_t root) {
  size_t me = engine->ranks.comm->rank;
  float *roots = engine->ranks.from[rank];
  return roots + root * floats_of(engine, me) + place_of(engine, me, at);
}

/* ---- results */

void nu_ranks_pack(const nu_engine *engine, const nu_region *at, const float *result) {
  size_t me = engine->ranks.comm->rank;
  memcpy(area_of(engine, me) + engine->ranks.spots[me].results + NU_RANK_HEADER +
             place_of(engine, me, at),
         result, nu_region_size(at) * sizeof(float));
}

/* The header's first float: is a weight of the part not finite? */
static void exchange_results(nu_engine *engine, bool not_finite) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank;
  float *at = area_of(engine, me) + r->spots[me].results;
  memset(at, 0, NU_RANK_HEADER * sizeof(float));
  at[0] = not_finite ? 1.0f : 0.0f;
  exchange(engine, NU_EXCHANGE_RESULTS, 0);
  for (size_t rank = 0; rank < r->comm->size; rank++)
    if (rank != me) r->not_finite |= *(const float *)r->from[rank] != 0.0f;
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

static void unpack_results(const nu_engine *engine, size_t thread, size_t array) {
  const nu_engine_ranks *r = &engine->ranks;
  unpacking u = {.array = array};
  for (u.rank = 0; u.rank < r->comm->size; u.rank++) {
    if (u.rank == r->comm->rank) continue;
    u.at = (const float *)r->from[u.rank] + NU_RANK_HEADER;
    for_my_share(engine, u.rank, thread, unpack_result, &u);
  }
}

void nu_ranks_share_results(nu_engine *engine, nu_team *team, size_t thread, size_t array) {
  nu_team_barrier(team);
  if (thread == 0) exchange_results(engine, nu_engine_not_finite(engine));
  nu_team_barrier(team);
  unpack_results(engine, thread, array);
}

static void pack_array(const nu_engine *engine, size_t thread, const nu_region *at,
                       const void *arg) {
  (void)thread;
  const size_t *array = arg;
  nu_ranks_pack(engine, at, at->layer->array[*array] + nu_region_offset(at));
}

void nu_ranks_collect(nu_engine *engine, size_t array) {
  if (!engine->ranks.comm) return;
  nu_comm_most(engine->ranks.comm, 0); /* all have read the results before */
  size_t threads = engine->plan->threads;
  for (size_t t = 0; t < threads; t++)
    for_my_share(engine, engine->ranks.comm->rank, t, pack_array, &array);
  exchange_results(engine, false);
  for (size_t t = 0; t < threads; t++) unpack_results(engine, t, array);
}
