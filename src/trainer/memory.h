/* The engine's memory where the plan wants it, and its threads where they belong.
 * SPDX-License-Identifier: MIT
 *
 * Everything that an engine computes with is allocated here, and freed with the engine. Where the
 * plan places memory, an allocation starts at a page and its stripes (plan/ledger.h) are asked
 * for on their nodes and first written by threads that run there; so the pages lie right even where
 * asking is forbidden. */
#ifndef NU_TRAINER_MEMORY_H
#define NU_TRAINER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "layers/engine.h"

/* The buffer, zeroed, aligned to 64; NULL when refused. Written only after nu_engine_touch. */
void *nu_engine_alloc(nu_engine *engine, const nu_buffer *what);
/* Pages for what was allocated since the last time. */
numann_status nu_engine_touch(nu_engine *engine, numann_error *err);
void nu_engine_free(nu_engine *engine);

/* Which processors each thread may use: engine->binding, from the plan. False when memory is
 * refused. */
bool nu_engine_seat(nu_engine *engine);

/* Ask for the pages of the training rows on all nodes in equal stripes. Rows that are there already
 * move. */
void nu_engine_place_data(nu_engine *engine, const nu_rows *rows);

/* ---- was it done? */

enum { NU_REPORTED_NODES = 64 };
typedef struct nu_place_report {
  size_t threads,
      on_their_core; /* bound ones; of them, those that may run nowhere else, and do not */
  int bind_refusal, memory_refusal, ask_refusal; /* errno; 0: none */
  size_t pages, right;                           /* asked about; of them, on the node of the plan */
  size_t planned[NU_REPORTED_NODES],
      found[NU_REPORTED_NODES]; /* pages by the system's number of the node */
} nu_place_report;

/* Ask the system about every bound thread, and with `pages` about every page of the engine and of
 * the rows. Without a placement the report is all zero. */
numann_status nu_engine_report(nu_engine *engine, const nu_rows *rows, bool pages,
                               nu_place_report *report, numann_error *err);

#endif
