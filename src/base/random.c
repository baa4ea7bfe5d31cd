/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <math.h>

#include "base/real.h"

/* Random123's headers are not written for our warning flags. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wpedantic"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

/* The four numbers from 4 block on; the upper half of the last counter is kept for redraws. */
static philox4x32_ctr_t philox_block(nu_stream stream, uint64_t block, uint32_t redraw) {
  philox4x32_ctr_t counter = {
      {(uint32_t)block, (uint32_t)(block >> 32), stream.counter, stream.purpose | redraw << 16}};
  philox4x32_key_t key = {{(uint32_t)stream.seed, (uint32_t)(stream.seed >> 32)}};
  return philox4x32(counter, key);
}

static uint32_t philox(nu_stream stream, uint64_t index, uint32_t redraw) {
  return philox_block(stream, index >> 2, redraw).v[index & 3];
}

uint32_t nu_random_bits(nu_stream stream, uint64_t index) { return philox(stream, index, 0); }

void nu_random_block(nu_stream stream, uint64_t block, uint32_t four[4]) {
  philox4x32_ctr_t found = philox_block(stream, block, 0);
  for (size_t i = 0; i < 4; i++) four[i] = found.v[i];
}

double nu_random_uniform(nu_stream stream, uint64_t index) {
  return nu_random_bits(stream, index) * 0x1p-32;
}

double nu_random_normal(nu_stream stream, uint64_t index) {
  /* u in (0, 1], so that its logarithm is finite */
  double u = (nu_random_bits(stream, 2 * index) + 1.0) * 0x1p-32;
  double v = nu_random_uniform(stream, 2 * index + 1);
  return sqrt(-2.0 * nu_real_log(u)) * nu_real_cospi(2.0 * v);
}

/* Uniform in [0, bound): multiply-shift with rejection (Lemire 2019), so that no residue is
 * favoured. bits: the index-th number of the stream. */
static uint32_t below(nu_stream stream, uint64_t index, uint32_t bits, uint32_t bound) {
  uint64_t product = (uint64_t)bits * bound;
  if ((uint32_t)product >= bound) return (uint32_t)(product >> 32); /* no threshold is higher */
  uint32_t threshold = (uint32_t)(-bound) % bound;
  for (uint32_t redraw = 1; (uint32_t)product < threshold; redraw++) {
    product = (uint64_t)philox(stream, index, redraw) * bound;
  }
  return (uint32_t)(product >> 32);
}

/* With which item each of [i - count, i) changes places, the last one first. No item says which:
 * all are drawn, and sent for, before the first is moved. */
static void draw_partners(nu_stream stream, const uint32_t *items, size_t i, size_t count,
                          uint32_t *partner) {
  philox4x32_ctr_t four = philox_block(stream, i >> 2, 0);
  for (size_t k = 0; k < count; k++, i--) {
    partner[k] = below(stream, i, four.v[i & 3], (uint32_t)i);
    __builtin_prefetch(items + partner[k], 1);
    if (i % 4 == 0) four = philox_block(stream, (i >> 2) - 1, 0);
  }
}

void nu_random_shuffle(nu_stream stream, uint32_t *items, size_t n) {
  uint32_t partner[64];
  while (n > 1) {
    size_t most = sizeof partner / sizeof *partner, count = n - 1 < most ? n - 1 : most;
    draw_partners(stream, items, n, count, partner);
    for (size_t k = 0; k < count; k++, n--) {
      uint32_t item = items[n - 1];
      items[n - 1] = items[partner[k]];
      items[partner[k]] = item;
    }
  }
}
