/* Plan: how a network is trained on this machine - threads, strategy, shares.
 * SPDX-License-Identifier: MIT
 *
 * A plan is immutable. It follows from network, batch, config and machine, and from rates of the
 * machine, which parallel.calibration may have measured and kept in the user's cache folder. It
 * never changes a number: every plan gives the same weights to the last bit. */
#ifndef NUMANN_PLAN_H
#define NUMANN_PLAN_H

#include <stddef.h>

#include <numann/config.h>
#include <numann/data.h>
#include <numann/network.h>
#include <numann/status.h>

typedef struct numann_plan numann_plan;

/* parallel.threads and parallel.strategy of the config for this network, data and machine.
 * Borrows nothing. */
NUMANN_API numann_status numann_plan_create(numann_plan **out, const numann_config *config,
                                            const numann_network *network, const numann_data *data,
                                            numann_error *err);

NUMANN_API size_t numann_plan_threads(const numann_plan *plan);
/* "neurons", "samples" or "hybrid"; static storage. */
NUMANN_API const char *numann_plan_strategy(const numann_plan *plan);

NUMANN_API void numann_plan_destroy(numann_plan *plan); /* NULL is allowed */

#endif
