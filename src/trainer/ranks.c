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
  r->begins = nu_alloc(ranks, sizeof *r->begins);
  r->list = nu_alloc(2 * ranks, sizeof *r->list);
  if (!r->offsets || !r->begins || !r->list) return false;
  for (size_t rank = 0; rank < ranks; rank++) {
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
  if (create(engine, comm->size)) return NUMANN_OK;
  return nu_fail_memory(err, comm->size * engine->n_layers * sizeof(size_t), "the ranks' parts");
}

void nu_ranks_leave(nu_engine *engine) {
  free(engine->ranks.offsets);
  free(engine->ranks.begins);
  free(engine->ranks.list);
  engine->ranks = (nu_engine_ranks){0};
}

/* ---- exchanges: a message to each other rank, one from each; those without bytes are none */

typedef struct mail {
  nu_message *sends, *receives;
  size_t n_sends, n_receives;
} mail;

static mail mail_of(const nu_engine *engine) {
  return (mail){engine->ranks.list, engine->ranks.list + engine->ranks.comm->size, 0, 0};
}
static void to(mail *m, size_t peer, void *at, size_t bytes) {
  if (bytes) m->sends[m->n_sends++] = (nu_message){peer, at, bytes};
}
static void from(mail *m, size_t peer, void *at, size_t bytes) {
  if (bytes) m->receives[m->n_receives++] = (nu_message){peer, at, bytes};
}
static void deliver(nu_engine *engine, const mail *m) {
  nu_comm_exchange(engine->ranks.comm, m->sends, m->n_sends, m->receives, m->n_receives);
}

/* ---- losses */

static nu_range rows_of(const nu_engine *engine, size_t rows, size_t rank) {
  return nu_plan_grain_rows(engine->plan, rows, nu_plan_rank_grains(engine->plan, rows, rank));
}

/* A number for what the rank wants, then a loss for each of its rows. */
static void exchange_losses(nu_engine *engine, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank;
  nu_range mine = rows_of(engine, rows, me);
  size_t n = 1 + mine.end - mine.begin;
  double *sent = (double *)(void *)r->sent, *at = (double *)(void *)r->received;
  sent[0] = r->wanted;
  memcpy(sent + 1, engine->row_loss + mine.begin, (n - 1) * sizeof *sent);
  mail m = mail_of(engine);
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    nu_range its = rows_of(engine, rows, rank);
    if (rank == me) continue;
    to(&m, rank, sent, n * sizeof *sent);
    from(&m, rank, at, (1 + its.end - its.begin) * sizeof *at);
    at += 1 + its.end - its.begin;
  }
  deliver(engine, &m);
}

static void unpack_losses(nu_engine *engine, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  const double *at = (const double *)(const void *)r->received;
  r->agreed = r->wanted;
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    nu_range its = rows_of(engine, rows, rank);
    if (rank == r->comm->rank) continue;
    r->agreed = (unsigned)nu_larger(r->agreed, (size_t)at[0]);
    memcpy(engine->row_loss + its.begin, at + 1, (its.end - its.begin) * sizeof *at);
    at += 1 + its.end - its.begin;
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

static float *own_root(const nu_engine *engine, const nu_region *at, size_t slot) {
  return engine->groups[slot / NU_TREE_DEPTH].roots[slot % NU_TREE_DEPTH] +
         nu_region_in_gradient(engine, at);
}

static void pack_roots(const nu_engine *engine, size_t thread, const nu_region *at,
                       const void *arg) {
  (void)thread;
  const packing *p = arg;
  float *place = p->at + place_of(engine, p->rank, at);
  for (size_t i = 0; i < p->roots; i++, place += floats_of(engine, p->rank))
    memcpy(place, own_root(engine, at, p->slots[i]), nu_region_size(at) * sizeof(float));
}

static void exchange_roots(nu_engine *engine, size_t rows) {
  nu_engine_ranks *r = &engine->ranks;
  size_t me = r->comm->rank, roots = nu_plan_rank_roots(engine->plan, rows, me), begin = 0;
  float *sent = r->sent;
  mail m = mail_of(engine);
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    size_t n = nu_plan_rank_roots(engine->plan, rows, rank) * floats_of(engine, me);
    if (rank == me) continue;
    to(&m, rank, sent, roots * floats_of(engine, rank) * sizeof(float));
    from(&m, rank, r->received + begin, n * sizeof(float));
    sent += roots * floats_of(engine, rank);
    r->begins[rank] = begin;
    begin += n;
  }
  deliver(engine, &m);
}

void nu_ranks_share_roots(nu_engine *engine, nu_team *team, size_t thread, size_t rows,
                          const size_t *slots) {
  nu_engine_ranks *r = &engine->ranks;
  packing p = {slots, nu_plan_rank_roots(engine->plan, rows, r->comm->rank), 0, r->sent};
  for (p.rank = 0; p.rank < r->comm->size; p.rank++) {
    if (p.rank == r->comm->rank) continue;
    for_my_share(engine, p.rank, thread, pack_roots, &p);
    p.at += p.roots * floats_of(engine, p.rank);
  }
  nu_team_barrier(team);
  if (thread == 0) exchange_roots(engine, rows);
  nu_team_barrier(team);
}

float *nu_ranks_root(const nu_engine *engine, const nu_region *at, size_t rank, size_t root) {
  const nu_engine_ranks *r = &engine->ranks;
  return r->received + r->begins[rank] + root * floats_of(engine, r->comm->rank) +
         place_of(engine, r->comm->rank, at);
}

/* ---- results */

void nu_ranks_pack(const nu_engine *engine, const nu_region *at, const float *result) {
  const nu_engine_ranks *r = &engine->ranks;
  memcpy(r->sent + NU_RANK_HEADER + place_of(engine, r->comm->rank, at), result,
         nu_region_size(at) * sizeof(float));
}

/* The header's first float: is a weight of the part not finite? */
static void exchange_results(nu_engine *engine, bool not_finite) {
  nu_engine_ranks *r = &engine->ranks;
  float *at = r->received;
  memset(r->sent, 0, NU_RANK_HEADER * sizeof(float));
  r->sent[0] = not_finite ? 1.0f : 0.0f;
  mail m = mail_of(engine);
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    if (rank == r->comm->rank) continue;
    size_t bytes = (NU_RANK_HEADER + floats_of(engine, rank)) * sizeof(float);
    to(&m, rank, r->sent, (NU_RANK_HEADER + floats_of(engine, r->comm->rank)) * sizeof(float));
    from(&m, rank, at, bytes);
    at += NU_RANK_HEADER + floats_of(engine, rank);
  }
  deliver(engine, &m);
  at = r->received;
  for (size_t rank = 0; rank < r->comm->size; rank++) {
    if (rank == r->comm->rank) continue;
    r->not_finite |= at[0] != 0.0f;
    at += NU_RANK_HEADER + floats_of(engine, rank);
  }
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
  unpacking u = {0, array, r->received + NU_RANK_HEADER};
  for (u.rank = 0; u.rank < r->comm->size; u.rank++) {
    if (u.rank == r->comm->rank) continue;
    for_my_share(engine, u.rank, thread, unpack_result, &u);
    u.at += NU_RANK_HEADER + floats_of(engine, u.rank);
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
  size_t threads = engine->plan->threads;
  for (size_t t = 0; t < threads; t++)
    for_my_share(engine, engine->ranks.comm->rank, t, pack_array, &array);
  exchange_results(engine, false);
  for (size_t t = 0; t < threads; t++) unpack_results(engine, t, array);
}
