/* SPDX-License-Identifier: MIT */
#include "kernel_support.h"

#include <check.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

const float guard_value = -123.456f;

float draw(uint32_t counter, uint64_t index) {
  nu_stream stream = {42, NU_PURPOSE_GENERATE, counter};
  double scale = 1.0;
  for (uint32_t e = nu_random_bits(stream, 2 * index) % 21; e > 0; e--) scale *= 2.0;
  return (float)((nu_random_uniform(stream, 2 * index + 1) - 0.5) * scale * 0x1p-10);
}

void fill(float *values, size_t n, uint32_t counter) {
  for (size_t i = 0; i < n; i++) values[i] = draw(counter, i);
}

float *guarded(size_t n) {
  float *all = nu_alloc(n + 2 * GUARD, sizeof(float));
  for (size_t i = 0; i < n + 2 * GUARD; i++) all[i] = guard_value;
  return all + GUARD;
}

void check_guards(const float *inner, size_t n) {
  for (size_t i = 0; i < GUARD; i++) {
    ck_assert_msg(inner[-1 - (long)i] == guard_value && inner[n + i] == guard_value,
                  "a kernel wrote outside its output");
  }
}

double output_row(const nu_kernels *kernels, nu_activation f, nu_loss loss, size_t n, float *z,
                  const float *target, float *delta) {
  enum { MOST = 64 };
  float scratch[3 * NU_HALF_PANEL * MOST], padded[MOST] = {0};
  double value = 0.0;
  memcpy(padded, target, n * sizeof *target);
  kernels->output(&(nu_output){f, loss, n, 1, z, delta, MOST, padded, &value, scratch});
  return value;
}
