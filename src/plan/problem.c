/* SPDX-License-Identifier: MIT */
#include "plan/problem.h"

#include "base/hash.h"

#include "base/memory.h"

static const char *const names[NU_PRECISIONS] = {[NU_FP32] = "fp32", [NU_BF16] = "bf16"};

const char *nu_precision_name(nu_precision precision) { return names[precision]; }

/* A function of the batch alone. A chain of 32 rows spends a tenth of its time starting, ending and
 * joining, one of 64 a twentieth. */
static size_t default_grain(size_t batch) { return batch <= 1024 ? 64 : 128; }

nu_problem nu_problem_of(size_t rows, size_t batch, size_t grain, nu_precision precision,
                         uint64_t seed) {
  if (batch == 0 || (rows && batch > rows)) batch = rows;
  size_t rest = rows % batch;
  return (nu_problem){.batch = batch,
                      .last_batch = rest ? rest : batch,
                      .grain = grain ? grain : default_grain(batch),
                      .precision = precision,
                      .seed = seed};
}

uint64_t nu_problem_hash(const nu_problem *p) {
  const uint64_t fields[] = {p->batch, p->last_batch, p->grain, (uint64_t)p->precision, p->seed};
  uint64_t hash = NU_HASH_START;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    hash = nu_hash_number(hash, fields[i]);
  return hash;
}

size_t nu_problem_grains(const nu_problem *problem, size_t rows) {
  if (rows <= problem->grain) return rows > 0; /* no division where steps are short */
  return (rows + problem->grain - 1) / problem->grain;
}
