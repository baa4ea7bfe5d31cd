/* SPDX-License-Identifier: MIT */
#include "checkpoint/together.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"
#include "checkpoint/layout.h"
#include "checkpoint/metadata.h"
#include "checkpoint/safetensors.h"

/* The largest page of any Linux: ranges of the file begin at its multiples. */
#define BLOCK ((size_t)65536)

/* What rank 0 tells; all zero: nothing is to be done. */
typedef struct call {
  uint64_t data; /* where the arrays begin; not 0 */
  unsigned char token[NU_DURABLE_TOKEN];
  char path[4096]; /* of the temporary file */
} call;

/* A rank's view of the file. */
typedef struct sheet {
  nu_comm *comm;
  const nu_saved *saved;
  nu_durable file;
  nu_tensor *tensors; /* [n] */
  size_t n, data;
  uint32_t *sums; /* [ranks][n]: of what each has put of an array */
} sheet;

static uint32_t *sums_of(const sheet *s, size_t rank) { return s->sums + rank * s->n; }

static numann_status open_sheet(sheet *s, nu_comm *comm, const nu_saved *saved, numann_error *err) {
  *s = (sheet){.comm = comm, .saved = saved};
  NU_TRY(nu_layout(&s->tensors, &s->n, saved, err));
  s->sums = nu_alloc(comm->size * s->n, sizeof *s->sums);
  return s->sums ? NUMANN_OK
                 : nu_fail_memory(err, comm->size * s->n * sizeof *s->sums, "a file's checksums");
}

static void close_sheet(sheet *s) {
  free(s->tensors);
  free(s->sums);
}

/* Rank 0 has the header with the rest of its last page, and the weights to hash, which takes as
 * long as to sum and to write all arrays; so these are the others'. */
static nu_range range_of(const sheet *s, size_t rank) {
  size_t size = s->data + nu_tensors_bytes(s->tensors, s->n);
  size_t first = (s->data + BLOCK - 1) / BLOCK, blocks = (size + BLOCK - 1) / BLOCK;
  if (rank == 0) return (nu_range){0, first * BLOCK};
  nu_range own = nu_share(blocks - first, s->comm->size - 1, rank - 1);
  return (nu_range){(first + own.begin) * BLOCK, (first + own.end) * BLOCK};
}

/* Arrays that reach into the range are looked at as a whole, before a byte is written. */
static numann_status put_range(sheet *s, size_t rank, numann_error *err) {
  nu_range own = range_of(s, rank);
  size_t at = s->data;
  for (size_t i = 0; i < s->n; at += nu_tensor_bytes(&s->tensors[i++])) {
    nu_range part = nu_tensor_overlap(own, at, &s->tensors[i]);
    if (part.begin < part.end)
      NU_TRY(nu_saved_check_finite(s->file.path, s->saved, &s->tensors[i], 1, err));
  }
  return nu_tensors_put(&s->file, s->data, s->tensors, s->n, own, sums_of(s, rank), err);
}

/* One checksum for each array, of the parts in their order: rank 0's place has them. */
static void join_sums(sheet *s) {
  size_t at = s->data;
  for (size_t i = 0; i < s->n; at += nu_tensor_bytes(&s->tensors[i++])) {
    for (size_t rank = 1; rank < s->comm->size; rank++) {
      nu_range part = nu_tensor_overlap(range_of(s, rank), at, &s->tensors[i]);
      s->sums[i] = (uint32_t)crc32_combine(s->sums[i], sums_of(s, rank)[i],
                                           (z_off_t)(part.end - part.begin));
    }
  }
}

/* All have put theirs, and it is durable: then everybody's checksums are everybody's. */
static numann_status meet(sheet *s, numann_status status, numann_error *err) {
  NU_TRY(nu_comm_agree(s->comm, status, err));
  nu_comm_gather(s->comm, sums_of(s, s->comm->rank), s->sums, s->n * sizeof *s->sums);
  return NUMANN_OK;
}

/* ---- the other ranks */

static numann_status join(sheet *s, const call *told, nu_comm *comm, const nu_saved *saved,
                          numann_error *err) {
  NU_TRY(open_sheet(s, comm, saved, err));
  s->data = told->data;
  return nu_durable_join(&s->file, told->path, told->token, sizeof told->token, err);
}

void nu_writers_help(nu_comm *comm, const nu_saved *saved) {
  call told;
  sheet s = {0};
  numann_error err = {0};
  nu_comm_spread(comm, &told, sizeof told);
  if (!told.data) return;
  numann_status status = join(&s, &told, comm, saved, &err);
  bool joined = status == NUMANN_OK;
  status = nu_comm_agree(comm, status, &err);
  if (status == NUMANN_OK) {
    status = put_range(&s, comm->rank, &err);
    if (status == NUMANN_OK) status = nu_durable_leave(&s.file, &err);
    else nu_durable_abandon(&s.file);
    (void)meet(&s, status, &err);
  } else if (joined) {
    nu_durable_abandon(&s.file);
  }
  close_sheet(&s);
}

/* ---- rank 0 */

void nu_writers_dismiss(nu_writers *writers) {
  call nothing = {0};
  if (!writers->called) nu_comm_spread(writers->comm, &nothing, sizeof nothing);
  writers->called = false;
}

/* Which no file of the same name elsewhere begins with. */
static void make_token(unsigned char token[NU_DURABLE_TOKEN]) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t words[2] = {(uint64_t)now.tv_sec << 32 | (uint64_t)now.tv_nsec, (uint64_t)getpid()};
  memcpy(token, words, NU_DURABLE_TOKEN);
}

/* Where the path cannot be told, the others will not find it. */
static numann_status call_others(nu_writers *writers, sheet *s, numann_error *err) {
  call told = {.data = s->data};
  char *path = nu_durable_temporary(&s->file);
  if (path && strlen(path) < sizeof told.path) memcpy(told.path, path, strlen(path) + 1);
  free(path);
  make_token(told.token);
  NU_TRY(nu_durable_put(&s->file, 0, told.token, sizeof told.token, err));
  NU_TRY(nu_durable_show(&s->file, err));
  nu_comm_spread(writers->comm, &told, sizeof told);
  writers->called = true;
  return NUMANN_OK;
}

static numann_status put_alone(sheet *s, json_t *metadata, numann_error *err) {
  nu_range all = {0, SIZE_MAX};
  NU_TRY(nu_metadata_hash(metadata, s->saved, err));
  NU_TRY(nu_saved_check_finite(s->file.path, s->saved, s->tensors, s->n, err));
  return nu_tensors_put(&s->file, s->data, s->tensors, s->n, all, s->sums, err);
}

static numann_status put_with_others(sheet *s, json_t *metadata, numann_error *err) {
  numann_status status = nu_metadata_hash(metadata, s->saved, err);
  if (status == NUMANN_OK) status = put_range(s, 0, err);
  NU_TRY(meet(s, status, err));
  join_sums(s);
  return NUMANN_OK;
}

static numann_status write_sheet(nu_writers *writers, sheet *s, const char *path, json_t *metadata,
                                 numann_error *err) {
  NU_TRY(nu_tensors_begin(&s->file, &s->data, path, s->tensors, s->n, s->sums, metadata, err));
  NU_TRY(call_others(writers, s, err));
  writers->alone = nu_comm_agree(writers->comm, NUMANN_OK, &writers->why) != NUMANN_OK;
  numann_status status =
      writers->alone ? put_alone(s, metadata, err) : put_with_others(s, metadata, err);
  if (status == NUMANN_OK)
    return nu_tensors_finish(&s->file, s->tensors, s->n, s->sums, metadata, err);
  nu_durable_abandon(&s->file);
  return status;
}

numann_status nu_saved_write_together(nu_writers *writers, const char *path, const nu_saved *saved,
                                      numann_error *err) {
  if (writers->alone || writers->comm->size == 1) return nu_saved_write(path, saved, err);
  sheet s;
  json_t *metadata = NULL;
  numann_status status = open_sheet(&s, writers->comm, saved, err);
  if (status == NUMANN_OK) status = nu_saved_check_finite(path, saved, NULL, 0, err);
  if (status == NUMANN_OK) status = nu_metadata_write(&metadata, saved, err);
  if (status == NUMANN_OK) status = write_sheet(writers, &s, path, metadata, err);
  json_decref(metadata);
  close_sheet(&s);
  return status;
}
