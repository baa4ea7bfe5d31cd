/* Trainer inside numann: what a checkpoint and the command ask it for. SPDX-License-Identifier: MIT
 * */
#ifndef NU_TRAINER_TRAINER_H
#define NU_TRAINER_TRAINER_H

#include "machine/comm.h"
#include "numann/trainer.h"
#include "plan/exchange.h"
#include "trainer/memory.h"
#include "trainer/state.h"

/* numann_trainer_create for one of the ranks of `comm` (borrowed): all of them create theirs, run
 * it and destroy it together. An error of one is the same error of all. */
numann_status nu_trainer_create_on(numann_trainer **out, nu_comm *comm, const numann_config *config,
                                   numann_network *network, const numann_plan *plan,
                                   const numann_data *data, numann_error *err);

/* The trainer's state, borrowed: valid until the trainer runs again or is destroyed. To be called
 * from on_save or between runs. Without early stopping its weights are the network's own, which
 * become the current ones. */
const nu_state *nu_trainer_state_view(numann_trainer *trainer);

/* Is this on_save the last, because a rank's observer has asked to stop? */
bool nu_trainer_stops(const numann_trainer *trainer);

/* Continue from a saved state (copied): same shapes and blocks, else NUMANN_ERR_MODEL. */
numann_status nu_trainer_restore(numann_trainer *trainer, const nu_state *state, numann_error *err);

/* Every rank of the trainer goes on from rank 0's state and learning rate; only rank 0 need have
 * restored one. Collective. */
numann_status nu_trainer_share_start(numann_trainer *trainer, numann_error *err);

/* Take the learning rate that stands in the config by now (nu_settle_rate). */
void nu_trainer_take_rate(numann_trainer *trainer, const numann_config *config);

/* Stop after so many steps, as if an observer had asked for it, but on all ranks at once: each must
 * be told the same number. 0: do not. */
void nu_trainer_stop_after(numann_trainer *trainer, uint64_t steps);

/* What this rank has sent in the last step of so many rows (of lbfgs, in the step's last trial);
 * zero where there was none. */
nu_traffic nu_trainer_traffic(const numann_trainer *trainer, size_t rows);

/* Where the trainer's memory and threads are, as against the plan. Between runs. */
numann_status nu_trainer_report_placement(numann_trainer *trainer, bool pages,
                                          nu_place_report *report, numann_error *err);

#endif
