/* Which instruction set runs. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

#include "build_config.h"

extern const nu_kernels nu_kernels_base;
static bool always(void) { return true; }

#ifdef HAVE_NEON /* part of every 64-bit Arm */
extern const nu_kernels nu_kernels_neon;
#endif

#ifdef HAVE_AVX2
extern const nu_kernels nu_kernels_avx2;
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#ifdef HAVE_AVX512
extern const nu_kernels nu_kernels_avx512;
static bool has_avx512(void) { return __builtin_cpu_supports("avx512f"); }
#endif

#ifdef HAVE_AVX512BF16
extern const nu_kernels nu_kernels_avx512bf16;
/* The compiler may use the byte and word instructions too, which every such processor has. */
static bool has_avx512bf16(void) {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}
#endif

const char *const nu_isa_names[NU_ISAS] = {"base", "neon", "avx2", "avx512", "avx512bf16"};

/* Widest first; those that this build has. */
static const struct {
  const nu_kernels *kernels;
  bool (*runs_here)(void);
} sets[] = {
#ifdef HAVE_AVX512BF16
    {&nu_kernels_avx512bf16, has_avx512bf16},
#endif
#ifdef HAVE_AVX512
    {&nu_kernels_avx512, has_avx512},
#endif
#ifdef HAVE_AVX2
    {&nu_kernels_avx2, has_avx2},
#endif
#ifdef HAVE_NEON
    {&nu_kernels_neon, always},
#endif
    {&nu_kernels_base, always}};

const nu_kernels *nu_kernels_named(const char *isa) {
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    if (strcmp(sets[i].kernels->isa, isa) == 0) {
      return sets[i].runs_here() ? sets[i].kernels : NULL;
    }
  }
  return NULL;
}

const nu_kernels *nu_kernels_select(void) {
  const char *wanted = getenv("NUMANN_ISA");
  if (wanted && *wanted) return nu_kernels_named(wanted);
  size_t i = 0;
  while (!sets[i].runs_here()) i++;
  return sets[i].kernels;
}

/* "base, avx2 or avx512": those that run here, cut to n bytes. */
static void list(char *out, size_t n) {
  size_t used = 0, count = sizeof sets / sizeof *sets;
  for (size_t i = count; i-- > 0 && used < n;) {
    if (!sets[i].runs_here()) continue;
    bool widest = i == 0 || !sets[i - 1].runs_here();
    const char *between = used == 0 ? "" : widest ? " or " : ", ";
    used += (size_t)snprintf(out + used, n - used, "%s%s", between, sets[i].kernels->isa);
  }
}

numann_status nu_kernels_choose(const nu_kernels **out, numann_error *err) {
  *out = nu_kernels_select();
  if (*out) return NUMANN_OK;
  char names[64];
  list(names, sizeof names);
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "NUMANN_ISA=%s: no such instruction set here; use %s, or unset it",
                 getenv("NUMANN_ISA"), names);
}
