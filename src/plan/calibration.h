/* The rates of this machine: measured, and kept in a file of this host.
 * SPDX-License-Identifier: MIT
 *
 * They decide who computes what, never a number. Nothing here fails a training: where rates cannot
 * be measured, read or kept, those shipped (nu_rates_of) stand in, and a sentence says why. */
#ifndef NU_PLAN_CALIBRATION_H
#define NU_PLAN_CALIBRATION_H

#include "plan/plan.h"

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
char *nu_calibration_path(const nu_machine *machine, const char *isa);

/* age: seconds since the rates were measured. *rates is untouched on a failure, which says what is
 * wrong (NUMANN_ERR_DATA: damaged, of another machine or version, or too old; NUMANN_ERR_IO: there
 * is none). */
numann_status nu_calibration_read(nu_rates *rates, double *age, const char *path,
                                  const nu_machine *machine, numann_error *err);
/* Replaces the file at once or not at all, and makes its folders. NUMANN_ERR_IO. */
numann_status nu_calibration_write(const nu_rates *rates, const char *path,
                                   const nu_machine *machine, numann_error *err);

/* ---- what a plan stands on */

typedef enum nu_rates_origin {
  NU_RATES_SHIPPED,
  NU_RATES_KEPT, /* read from the file */
  NU_RATES_MEASURED
} nu_rates_origin;

typedef struct nu_calibration {
  nu_rates rates;
  nu_rates_origin origin;
  char why[1152]; /* one sentence: where they come from */
} nu_calibration;
const char *nu_rates_origin_name(nu_rates_origin origin);

/* The plan of a config for so many training rows, with the rates that parallel.calibration asks
 * for: off      those shipped auto     those kept; measured, and kept, for a training that would
 * take NU_WORTH_SECONDS refresh  measured, and kept `auto` measures nothing where only one way to
 * run is allowed, and nothing is measured or kept for a machine that is not this one, or for a
 * named instruction set. isa NULL: this processor's. machine: as the config lets it be used
 * (nu_plan_machine). The plan has its placement: end it with nu_plan_clear. */
#define NU_WORTH_SECONDS 10.0
numann_status nu_plan_from(numann_plan *plan, nu_calibration *calibration,
                           const numann_config *config, const numann_network *network,
                           const nu_machine *machine, size_t rows, const char *isa,
                           numann_error *err);

#endif
