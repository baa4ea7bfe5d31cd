/* Rates of a machine, what an estimate stands on: shipped for each instruction set, or measured on
 * this machine and kept in a file of this host. SPDX-License-Identifier: MIT
 *
 * They decide who computes what, never a number. Nothing here fails a training: where rates cannot
 * be measured, read or kept, those shipped (nu_rates_of) stand in, and a sentence says why. */
#ifndef NU_PLAN_RATES_H
#define NU_PLAN_RATES_H

#include "plan/plan.h"

/* Rates of one thread and of a team. */
struct nu_rates {
  const char *isa;                         /* static storage */
  double flops;                            /* fused multiply-adds in registers, flops a second */
  double pairs;                            /* those on pairs of bf16, so many times as fast */
  double activation;                       /* seconds for one sigmoid or tanh */
  double barrier, barrier_thread;          /* seconds of a barrier, and for each thread of it */
  double l2_bytes, l3_bytes, memory_bytes; /* bytes a second that one thread reads from there */
  double shared_bytes;                     /* of what another core has just written */
};
/* Those of an instruction set; of an unknown one (or NULL) the widest's. */
const nu_rates *nu_rates_of(const char *isa);
/* The i-th instruction set that has rates; NULL behind the last one. */
const char *nu_rates_isa(size_t i);

/* Measure on the threads that the machine allows, in about a fortieth of a second on a quiet
 * machine; what cannot be measured (one thread shares nothing) keeps its value in *rates.
 * NUMANN_ERR_MEMORY when the team cannot run. */
numann_status nu_rates_measure(nu_rates *rates, const nu_kernels *kernels,
                               const nu_machine *machine, numann_error *err);

/* ---- the file */

/* The rates that are measured, in the order in which they are written. */
typedef struct nu_rate_field {
  const char *name;
  size_t offset;      /* in nu_rates */
  double least, most; /* anything else is a damaged file, or a disturbed measurement */
} nu_rate_field;
extern const nu_rate_field nu_rate_fields[];
extern const size_t nu_n_rate_fields;
double nu_rate(const nu_rates *rates, const nu_rate_field *field);
/* The first field whose rate is out of its bounds, or NULL. */
const nu_rate_field *nu_rates_flaw(const nu_rates *rates);

/* "<cache>/numann/calibration-HOST-MODEL-THREADS-ISA-VERSION.json" below XDG_CACHE_HOME or
 * ~/.cache, malloc'ed; NULL where there is neither. What the name says is checked once more inside.
 */
numann_status nu_calibration_path(char **out, const nu_machine *machine, const char *isa,
                                  numann_error *err);

/* age: seconds since the rates were measured. *rates is untouched on a failure, which says what is
 * wrong (NUMANN_ERR_DATA: damaged, of another machine or version, or too old; NUMANN_ERR_IO: there
 * is none). */
numann_status nu_calibration_read(nu_rates *rates, double *age, const char *path,
                                  const nu_machine *machine, numann_error *err);
/* Replaces the file at once or not at all, and makes its folders. NUMANN_ERR_IO. */
numann_status nu_calibration_write(const nu_rates *rates, const char *path,
                                   const nu_machine *machine, numann_error *err);

#endif
