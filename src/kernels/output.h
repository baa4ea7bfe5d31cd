/* The output layer, a block of NU_LANES rows at a time: activation, loss, delta. Part of kernels.c.
 * SPDX-License-Identifier: MIT
 *
 * A block is turned so that a lane is a row and a vector an output: whatever runs over the outputs
 * of a row
 * - the largest, the sum, the loss - is one chain over increasing outputs, for all rows of the
 * block at once. */
#ifndef NU_KERNELS_OUTPUT_H
#define NU_KERNELS_OUTPUT_H

/* [padded][NU_LANES] floats each; lanes without a row compute on zeros. */
typedef struct block {
  size_t n, padded, rows;
  float *z; /* z; for softmax z - max z */
  float *y; /* f(z) */
  float *t; /* targets, then delta */
} block;

/* Rows into columns, and back. */
INLINE void turn(const block *b, const float *from, size_t stride, float *to) {
  for (size_t c = 0; c < b->padded; c += NU_LANES)
    transpose_square(b->rows, NU_LANES, from + c, stride, to + c * NU_LANES, NU_LANES);
}

INLINE void turn_back(const block *b, const float *from, float *to, size_t stride) {
  for (size_t c = 0; c < b->padded; c += NU_LANES)
    transpose_square(NU_LANES, b->rows, from + c * NU_LANES, NU_LANES, to + c, stride);
}

INLINE vec at(const float *columns, size_t i) { return v_load(columns + i * NU_LANES); }
INLINE void put(float *columns, size_t i, vec v) { v_store(columns + i * NU_LANES, v); }

/* z becomes z - max z, y softmax(z); returns the sums of e^(z - max z). */
INLINE vec softmax(const block *b) {
  vec largest = at(b->z, 0), sum = v_set(0.0f);
  for (size_t i = 1; i < b->n; i++) {
    vec z = at(b->z, i);
    largest = v_choose((z > largest) | (z != z), z, largest);
  }
  for (size_t i = 0; i < b->n; i++) {
    vec shifted = at(b->z, i) - largest, e = v_exp(shifted);
    put(b->z, i, shifted);
    put(b->y, i, e);
    sum += e;
  }
  for (size_t i = 0; i < b->n; i++) put(b->y, i, at(b->y, i) / sum);
  return sum;
}

/* -sum t ln y = sum t (ln sum - shifted), which does not lose small y. */
static void cross_entropy(const block *b, vec sum, double loss[NU_LANES]) {
  double log_sum[NU_LANES] = {0.0};
  for (size_t l = 0; l < b->rows; l++) log_sum[l] = nu_real_log(sum[l]);
  for (size_t i = 0; i < b->n; i++) {
    const float *t = b->t + i * NU_LANES, *shifted = b->z + i * NU_LANES;
    for (size_t l = 0; l < NU_LANES; l++) loss[l] += t[l] * (log_sum[l] - shifted[l]);
  }
}

/* -t ln y - (1 - t) ln (1 - y) = max(z, 0) - t z + ln(1 + e^-|z|), from z as y may round to 1. */
static double binary_cross_entropy_of(double logit, double target) {
  double magnitude = logit < 0.0 ? -logit : logit, positive = logit < 0.0 ? 0.0 : logit;
  double tail = magnitude < 700.0 ? nu_real_log(1.0 + nu_real_exp(-magnitude)) : 0.0;
  return positive - target * logit + (magnitude == magnitude ? tail : magnitude);
}

static void binary_cross_entropy(const block *b, double loss[NU_LANES]) {
  for (size_t i = 0; i < b->n; i++) {
    const float *t = b->t + i * NU_LANES, *z = b->z + i * NU_LANES;
    for (size_t l = 0; l < b->rows; l++) loss[l] += binary_cross_entropy_of(z[l], t[l]);
  }
}

/* (4.9) */
static void squared_error(const block *b, double loss[NU_LANES]) {
  for (size_t i = 0; i < b->n; i++) {
    const float *t = b->t + i * NU_LANES, *y = b->y + i * NU_LANES;
    for (size_t l = 0; l < NU_LANES; l++) {
      double error = (double)t[l] - y[l];
      loss[l] += 0.5 * error * error;
    }
  }
}

/* t - y: the whole delta for the matching pairs (softmax with cross-entropy, sigmoid with binary
 * cross-entropy) and for the perceptron rule; times f' it is (4.1). t becomes delta. */
static void delta_block(const nu_output *o, const block *b) {
  for (size_t i = 0; i < b->n; i++) put(b->t, i, at(b->t, i) - at(b->y, i));
  for (size_t i = b->n; i < b->padded; i++) put(b->t, i, v_set(0.0f));
  const float *from = nu_keeps_z(o->activation) ? b->z : b->y;
  if (o->loss == NU_SQUARED_ERROR) derive(o->activation, 1, b->n * NU_LANES, from, b->t, 0);
}

static void output_block(const nu_output *o, const block *b, size_t row) {
  double loss[NU_LANES] = {0.0};
  vec sum = v_set(0.0f);
  turn(b, o->z + row * o->stride, o->stride, b->z);
  if (o->activation == NU_SOFTMAX) {
    sum = softmax(b);
  } else {
    activate(o->activation, 1, b->n * NU_LANES, b->z, b->y, 0);
  }
  if (o->target) turn(b, o->target + row * b->padded, b->padded, b->t);
  if (o->target && o->loss == NU_CROSS_ENTROPY) cross_entropy(b, sum, loss);
  if (o->target && o->loss == NU_BINARY_CROSS_ENTROPY) binary_cross_entropy(b, loss);
  if (o->target && o->loss == NU_SQUARED_ERROR) squared_error(b, loss);
  if (o->target) memcpy(o->row_loss + row, loss, b->rows * sizeof *loss);
  if (o->target && o->delta) {
    delta_block(o, b);
    turn_back(b, b->t, o->delta + row * o->stride, o->stride);
  } else {
    for (size_t i = b->n; i < b->padded; i++) put(b->y, i, v_set(0.0f));
    turn_back(b, b->y, o->z + row * o->stride, o->stride);
  }
}

static void output(const nu_output *o) {
  size_t padded = nu_padded(o->n), size = padded * NU_LANES;
  for (size_t row = 0; row < o->rows; row += NU_LANES) {
    size_t rest = o->rows - row;
    block b = {o->n,
               padded,
               rest < NU_LANES ? rest : NU_LANES,
               o->scratch,
               o->scratch + size,
               o->scratch + 2 * size};
    output_block(o, &b, row);
  }
}

#endif
