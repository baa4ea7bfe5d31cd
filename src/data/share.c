/* SPDX-License-Identifier: MIT */
#include "data/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/least.h"
#include "base/memory.h"
#include "data/pack.h"
#include "data/table.h"
#include "machine/pages.h"

/* Bytes that are copied before their pages are given back. */
#define PIECE ((size_t)32 << 20)
/* Arrays begin at lines of the cache, as those of the heap do. */
#define LINE ((size_t)64)

/* What a rank knows while the data become its own. */
typedef struct sharing {
  nu_comm *comm;
  numann_data *data;              /* NULL: not yet */
  nu_row_arrays arrays[NU_PARTS]; /* of the first rank: its own; of others their sizes */
  size_t bytes;                   /* of all arrays, as they lie in shared memory */
  char *packed;                   /* all but the arrays */
  uint64_t n_packed;
  void **areas; /* [comm->size], of the shared memory */
} sharing;

static bool reads(const nu_comm *comm) { return nu_comm_first(comm, comm->rank) == comm->rank; }

/* Ranks on this rank's host. */
static size_t count_here(const nu_comm *comm) {
  size_t n = 0;
  for (size_t r = 0; r < comm->size; r++)
    n += nu_comm_first(comm, r) == nu_comm_first(comm, comm->rank);
  return n;
}

static nu_rows *part_of(numann_data *data, size_t part) {
  nu_rows *const parts[NU_PARTS] = {&data->train, &data->validation, &data->test};
  return parts[part];
}

/* ---- all but the arrays */

/* What has happened to the first rank of a host has happened to all on it: the message is told
 * without a rank where no host is better off. */
static numann_status tell_status(nu_comm *comm, numann_status status, numann_error *err) {
  numann_error told = {0};
  if (status != NUMANN_OK && err) told = *err;
  told.status = status;
  nu_comm_spread_here(comm, &told, sizeof told);
  if (told.status != NUMANN_OK && err) *err = told;
  return told.status;
}

static numann_status pack(sharing *s, numann_error *err) {
  nu_text text = {0};
  for (size_t p = 0; p < NU_PARTS; p++)
    s->arrays[p] = nu_row_arrays_of(part_of(s->data, p), &s->data->schema);
  nu_data_pack(s->data, &text);
  s->packed = text.data;
  s->n_packed = text.length;
  return text.failed ? nu_fail_memory(err, text.length, "the description of the data") : NUMANN_OK;
}

/* Room for as many bytes as the first rank has packed. */
static numann_status make_room(sharing *s, numann_error *err) {
  nu_comm_spread_here(s->comm, &s->n_packed, sizeof s->n_packed);
  if (!s->packed) s->packed = malloc((size_t)s->n_packed + 1);
  s->areas = nu_alloc(s->comm->size, sizeof *s->areas);
  if (s->packed && s->areas) return NUMANN_OK;
  return nu_fail_memory(err, (size_t)s->n_packed, "the description of the data");
}

static numann_status tell_all_but_arrays(sharing *s, numann_error *err) {
  numann_status status = reads(s->comm) ? pack(s, err) : NUMANN_OK;
  NU_TRY(nu_comm_agree(s->comm, status, err));
  NU_TRY(nu_comm_agree(s->comm, make_room(s, err), err));
  nu_comm_spread_here(s->comm, s->packed, (size_t)s->n_packed);
  if (!reads(s->comm))
    status = nu_data_unpack(&s->data, s->arrays, s->packed, (size_t)s->n_packed, err);
  return nu_comm_agree(s->comm, status, err);
}

/* ---- the arrays, in shared memory */

static size_t place_bytes(size_t bytes) { return nu_round_up(bytes, LINE); }

/* Copies, and gives back what is copied. */
static void move(char *to, void *from, size_t bytes) {
  for (size_t done = 0; done < bytes; done += nu_smaller(PIECE, bytes - done)) {
    size_t n = nu_smaller(PIECE, bytes - done);
    memcpy(to + done, (char *)from + done, n);
    nu_pages_drop((char *)from + done, n);
  }
  free(from);
}

/* The arrays stand behind each other in the first rank's memory. */
static void use_shared(sharing *s) {
  char *next = s->areas[nu_comm_first(s->comm, s->comm->rank)];
  for (size_t p = 0; p < NU_PARTS; p++) {
    nu_row_arrays *arrays = &s->arrays[p];
    for (size_t i = 0; i < NU_ROW_ARRAYS; i++) {
      if (arrays->bytes[i] == 0) continue;
      if (reads(s->comm)) move(next, arrays->at[i], arrays->bytes[i]);
      arrays->at[i] = next;
      next += place_bytes(arrays->bytes[i]);
    }
    nu_row_arrays_put(arrays, part_of(s->data, p));
    part_of(s->data, p)->shared = true;
  }
  s->data->comm = s->comm;
  s->data->areas = s->areas;
  s->areas = NULL;
}

/* ---- the arrays, in memory of each rank's own */

static numann_status take_memory(sharing *s, numann_error *err) {
  const nu_schema *schema = &s->data->schema;
  for (size_t p = 0; p < NU_PARTS; p++) {
    nu_rows *rows = part_of(s->data, p), own;
    nu_row_arrays *arrays = &s->arrays[p];
    nu_row_shape shape = {.features = schema->features,
                          .targets = arrays->bytes[2] ? schema->targets : 0,
                          .bytes = arrays->bytes[1],
                          .labels = arrays->bytes[3]};
    if (rows->rows == 0) continue;
    NU_TRY(nu_rows_allocate(&own, rows->rows, &shape, err));
    own.scaling = rows->scaling;
    *rows = own;
    *arrays = nu_row_arrays_of(rows, schema);
  }
  return NUMANN_OK;
}

static numann_status send_arrays(sharing *s, numann_error *err) {
  bool takes = !s->data->comm && !reads(s->comm);
  NU_TRY(nu_comm_agree(s->comm, takes ? take_memory(s, err) : NUMANN_OK, err));
  for (size_t p = 0; p < NU_PARTS && !s->data->comm; p++)
    for (size_t i = 0; i < NU_ROW_ARRAYS; i++)
      if (s->arrays[p].bytes[i])
        nu_comm_spread_here(s->comm, s->arrays[p].at[i], s->arrays[p].bytes[i]);
  return NUMANN_OK;
}

/* ---- both */

/* The last vote lets nobody look before all is there. */
static void note_refusal(const sharing *s) {
  bool copies = !s->data->comm && count_here(s->comm) > 1;
  uint64_t most = nu_comm_most(s->comm, copies ? s->bytes : 0);
  nu_text *notes = &s->data->notes;
  if (most == 0 || s->comm->rank > 0) return;
  nu_text_add(notes, "each rank has its own copy of the data: a host has no room in /dev/shm for ");
  nu_text_add_bytes(notes, (size_t)most);
  nu_text_add(notes,
              " that its ranks would share; make it larger (mount -o remount,size=..., or "
              "--shm-size of a container), or start one rank a host with more threads\n");
}

static numann_status share_data(sharing *s, numann_error *err) {
  NU_TRY(tell_all_but_arrays(s, err));
  for (size_t p = 0; p < NU_PARTS; p++)
    for (size_t i = 0; i < NU_ROW_ARRAYS; i++) s->bytes += place_bytes(s->arrays[p].bytes[i]);
  if (nu_comm_map(s->comm, reads(s->comm) ? s->bytes : 0, s->areas)) use_shared(s);
  NU_TRY(send_arrays(s, err));
  note_refusal(s);
  return s->data->notes.failed ? nu_fail_memory(err, s->data->notes.length, "notes") : NUMANN_OK;
}

numann_status nu_data_share(numann_data **data, nu_comm *comm, numann_status status,
                            numann_error *err) {
  sharing s = {.comm = comm, .data = *data};
  if (comm->size > 1) {
    status = nu_comm_agree(comm, tell_status(comm, status, err), err);
    if (status == NUMANN_OK) status = nu_comm_agree(comm, share_data(&s, err), err);
  }
  free(s.packed);
  free(s.areas);
  if (status != NUMANN_OK) {
    numann_data_destroy(s.data);
    s.data = NULL;
  }
  *data = s.data;
  return status;
}

numann_status nu_data_load_once(numann_data **out, nu_comm *comm, const numann_config *config,
                                numann_error *err) {
  numann_status status = NUMANN_OK;
  *out = NULL;
  if (reads(comm)) status = numann_data_load(out, config, err);
  return nu_data_share(out, comm, status, err);
}
