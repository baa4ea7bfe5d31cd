/* The rates shipped for each instruction set. SPDX-License-Identifier: MIT */
#include "plan/rates.h"

#include <string.h>

/* On one core of a Zen 4 server (3.7 GHz; 32 KiB, 1 MiB and 32 MiB of cache), measured as
 * rates_measure.c does; barrier and shared_bytes lie between those of two cores with a common cache
 * and without. Other machines differ by factors that mostly cancel: what is decided is which of two
 * plans is faster, not how fast. */
static const nu_rates isa_rates[] = {
    {"avx512bf16", .flops = 116e9, .pairs = 2.0, .activation = 0.22e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"avx512", .flops = 116e9, .pairs = 0.9, .activation = 0.22e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"avx2", .flops = 116e9, .pairs = 0.7, .activation = 0.28e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"base", .flops = 0.9e9, .pairs = 1.0, .activation = 26e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 170e9, .l3_bytes = 110e9, .memory_bytes = 35e9,
     .shared_bytes = 5e9},
    {"neon", .flops = 48e9, .pairs = 0.7, .activation = 0.5e-9, .barrier = 0.09e-6,
     .barrier_thread = 0.03e-6, .l2_bytes = 80e9, .l3_bytes = 50e9, .memory_bytes = 20e9,
     .shared_bytes = 5e9}, /* assumed */
};
#define ISA_RATES (sizeof isa_rates / sizeof *isa_rates)

const nu_rates *nu_rates_of(const char *isa) {
  for (size_t i = 0; i < ISA_RATES; i++) {
    if (isa && strcmp(isa_rates[i].isa, isa) == 0) return &isa_rates[i];
  }
  return &isa_rates[0];
}

const char *nu_rates_isa(size_t i) { return i < ISA_RATES ? isa_rates[i].isa : NULL; }
