/* Random numbers as a pure function of (seed, purpose, counter): Philox4x32-10 of Random123
 * (Salmon et al., SC 2011). Nothing is stored, so nothing depends on threads or on what was drawn
 * before. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_RANDOM_H
#define NU_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What the numbers are for: each purpose is a stream of its own. Part of the numerics version. */
typedef enum nu_purpose {
  NU_PURPOSE_SPLIT = 1,    /* which rows are test and validation; counter: 0 */
  NU_PURPOSE_SHUFFLE = 2,  /* order of the rows; counter: epoch */
  NU_PURPOSE_WEIGHTS = 3,  /* initial weights; counter: layer */
  NU_PURPOSE_GENERATE = 4, /* generated data of tests and benchmarks */
  NU_PURPOSE_DROPOUT = 5   /* masks; counter: layer; the seed is that of a step */
} nu_purpose;

typedef struct nu_stream {
  uint64_t seed;
  uint32_t purpose;
  uint32_t counter; /* epoch, layer: see nu_purpose */
} nu_stream;

/* The index-th 32-bit number of the stream. */
uint32_t nu_random_bits(nu_stream stream, uint64_t index);
/* Four of them at once: numbers 4 block to 4 block + 3. */
void nu_random_block(nu_stream stream, uint64_t block, uint32_t four[4]);
/* Uniform in [0, 1) on a grid of 2^-32. */
double nu_random_uniform(nu_stream stream, uint64_t index);
/* Standard normal by Box and Muller (1958); uses the numbers 2 index and 2 index + 1. */
double nu_random_normal(nu_stream stream, uint64_t index);
/* A uniformly drawn permutation of items[0..n) in place: Fisher-Yates, n < 2^32. */
void nu_random_shuffle(nu_stream stream, uint32_t *items, size_t n);

#endif
