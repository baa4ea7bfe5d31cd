/* numann gradcheck: are the gradients right? Two comparisons on real rows:
 *   (i)  the naive double gradient against central differences of the naive loss;
 *   (ii) the engine's float gradient against the naive one, within a proved rounding bound.
 * Between them a fault in the equations shows in (i), one in the engine in (ii).
 * SPDX-License-Identifier: MIT */
#ifndef NU_TRAINER_GRADCHECK_H
#define NU_TRAINER_GRADCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "numann/config.h"
#include "network/network.h"

/* Bounds that must hold in every layer. */
#define NU_GRADCHECK_SMOOTH 1e-6  /* (i) worst relative error */
#define NU_GRADCHECK_KINKED 1e-5  /* (i) where a layer is of the ReLU family */
#define NU_GRADCHECK_SKIPPED 0.05 /* (i) share of weights whose step crosses a kink */
#define NU_GRADCHECK_ALIVE 0.1    /* (i) least share of gradients large enough to tell anything */
#define NU_GRADCHECK_NORM 1e-5    /* (ii) |engine - naive| / |naive|, 2-norms over the layer */

typedef struct nu_gradcheck_layer {
  size_t inputs, neurons, parameters;
  const char *name;  /* of its activation or, without one, of its kind; static storage */
  size_t checked;    /* (i) weights and biases compared */
  size_t skipped;    /* (i) left out, as their step changed the sign of a ReLU unit */
  size_t alive;      /* (i) of those checked: gradients that are not negligible */
  double difference; /* (i) worst relative error */
  double share;      /* (ii) worst |engine - naive| as a share of its proved bound; must be <= 1 */
  double factor; /* (ii) c: the bound is at most c u K sum |delta x| where gradients are alive */
  double norm;   /* (ii) |engine - naive| / |naive|, or / (|sum of |terms|| / 32) if larger */
} nu_gradcheck_layer;

typedef struct nu_gradcheck {
  size_t n_layers;
  nu_gradcheck_layer *layers; /* [n_layers], owned */
  size_t parameters;
  size_t rows;             /* compared in (ii) */
  size_t rows_left_out;    /* as a ReLU unit was too near its kink */
  size_t difference_rows;  /* compared in (i): the first of them */
  double difference_bound; /* NU_GRADCHECK_SMOOTH or NU_GRADCHECK_KINKED */
  size_t grain;            /* rows of a grain */
  size_t depth;            /* K: roundings on the longest way of a term into the sum */
  size_t plans;            /* (ii) strategies x thread counts that ran */
  bool same_bits;          /* (ii) all of them gave the same bits */
  bool passed;
  char complaint[192]; /* the first bound that does not hold, or "" */
} nu_gradcheck;

/* A batch: inputs [rows][n_0], targets [rows][n_L] (one-hot for classes), borrowed. Masks are drawn
 * for samples[row], or for the row where that is NULL. */
typedef struct nu_gradcheck_batch {
  size_t rows;
  const float *inputs, *targets;
  const uint32_t *samples;
} nu_gradcheck_batch;

/* The gradients of the network at its present parameters. seed: which of many weights are stepped.
 * A failed comparison is a result (passed is false), not an error. */
numann_status nu_gradcheck_network(nu_gradcheck *out, const numann_network *network,
                                   const nu_gradcheck_batch *batch, size_t grain, uint64_t seed,
                                   numann_error *err);

/* The network of the config, weights as drawn for training and biases drawn too (at zero they sit
 * on the kink of any dead unit, and would hide a bias that is left out), on training rows in the
 * order of the first epoch. NUMANN_ERR_CONFIG for a step network, which has no gradient. */
numann_status nu_gradcheck_run(nu_gradcheck *out, const numann_config *config, numann_error *err);

/* Hold the figures of all layers against the bounds: passed and complaint. Part of both above. */
void nu_gradcheck_judge(nu_gradcheck *out);

void nu_gradcheck_clear(nu_gradcheck *out);

/* As a table for the terminal. */
void nu_gradcheck_write(const nu_gradcheck *check, nu_text *out);

#endif
