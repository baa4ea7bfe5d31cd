/* Rows and arrays element by element, and sums of products: what layers of one factor an input and
 * methods on whole weights need. Part of kernels.c. SPDX-License-Identifier: MIT */
#ifndef NU_KERNELS_ROWS_H
#define NU_KERNELS_ROWS_H

static void multiply(size_t rows, size_t n, const float *x, const float *factor, float *out,
                     size_t stride) {
  for (; rows > 0; rows--, x += stride, out += stride) {
    for (size_t j = 0; j < n; j += NU_LANES) v_store(out + j, v_load(x + j) * v_load(factor + j));
  }
}

/* Half a panel of columns at a time: chains enough to hide the latency of a multiply-add. */
static void dot_rows(size_t rows, size_t n, const float *x, size_t xstride, const float *d,
                     size_t dstride, float *out) {
  enum { VECTORS = NU_HALF_PANEL / NU_LANES };
  for (size_t j = 0; j < n; j += NU_HALF_PANEL) {
    vec sum[VECTORS];
    NU_UNROLL
    for (size_t v = 0; v < VECTORS; v++) sum[v] = v_set(0.0f);
    for (size_t i = 0; i < rows; i++) {
      const float *left = x + i * xstride + j, *right = d + i * dstride + j;
      NU_UNROLL
      for (size_t v = 0; v < VECTORS; v++)
        sum[v] = v_fma(v_load(left + v * NU_LANES), v_load(right + v * NU_LANES), sum[v]);
    }
    NU_UNROLL
    for (size_t v = 0; v < VECTORS; v++) v_store(out + j + v * NU_LANES, sum[v]);
  }
}

static void axpy(size_t n, float alpha, const float *x, float *y) {
  const vec factor = v_set(alpha);
  for (size_t i = 0; i < n; i += NU_LANES)
    v_store(y + i, v_fma(factor, v_load(x + i), v_load(y + i)));
}

static void scale_by(size_t n, float alpha, const float *x, float *out) {
  const vec factor = v_set(alpha);
  for (size_t i = 0; i < n; i += NU_LANES) v_store(out + i, factor * v_load(x + i));
}

/* Products of two floats are exact in double. */
static double dot(size_t n, const float *a, const float *b) {
  double lanes[NU_HALF_PANEL] = {0.0}, sum = 0.0;
  for (size_t i = 0; i < n; i += NU_HALF_PANEL) {
    for (size_t l = 0; l < NU_HALF_PANEL; l++) lanes[l] += (double)a[i + l] * b[i + l];
  }
  for (size_t l = 0; l < NU_HALF_PANEL; l++) sum += lanes[l];
  return sum;
}

#endif
