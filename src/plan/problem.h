/* The problem of a step: all of a plan that is part of the numbers. SPDX-License-Identifier: MIT
 *
 * Two trainings with equal problems, networks, data, methods (with their settings) and numerics
 * versions end with the same bits, however each is planned; every rank of a job must have the same
 * one. No decision stands here: how the work is shared out is plan.h's business. */
#ifndef NU_PLAN_PROBLEM_H
#define NU_PLAN_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

/* The operands of the matrix products: floats, or floats rounded to bf16. */
typedef enum nu_precision { NU_FP32, NU_BF16, NU_PRECISIONS } nu_precision;
const char *nu_precision_name(nu_precision precision);

typedef struct nu_problem {
  size_t batch;      /* rows of a full batch */
  size_t last_batch; /* rows of an epoch's last batch, as large or smaller */
  size_t grain;      /* consecutive rows of a batch that one chain sums (4.12) */
  nu_precision precision;
  uint64_t seed; /* of everything random: order of the rows, masks */
} nu_problem;

/* The problem of `rows` training rows; batch 0 or too large: all of them; grain 0: by the batch. */
nu_problem nu_problem_of(size_t rows, size_t batch, size_t grain, nu_precision precision,
                         uint64_t seed);

/* The same number for equal problems, on every machine: what ranks compare (machine/comm.h). */
uint64_t nu_problem_hash(const nu_problem *problem);

/* Grains of a batch of `rows` rows. */
size_t nu_problem_grains(const nu_problem *problem, size_t rows);

#endif
