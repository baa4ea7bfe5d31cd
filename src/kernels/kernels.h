/* Kernels: arithmetic on pointers, one table per instruction set. SPDX-License-Identifier: MIT
 *
 * Nothing here allocates, threads or fails. Every kernel gives the same bits on every instruction
 * set: lanes run over independent elements, each of which is one chain of fused multiply-adds over
 * an increasing index (design: docs/numerics.md).
 *
 * Layouts (P = NU_PANEL features to a panel; the last one of a layer is P/2 wide where that is
 * enough, and padded with zeros):
 *   weights      [panels][K + 1][P]   panel, input, neuron in panel; row K is the bias, whose input
 *                                     is the constant 1 that every activation row carries (3.8);
 *                                     the last panel is [K + 1][P/2] where it is half
 *   activations  [rows][stride]       features, then 1, then zeros; stride = nu_stride(features)
 *   deltas       [rows][stride]       features, then zeros
 *   gradients    as weights
 * All row starts are aligned to 64 bytes. */
#ifndef NU_KERNELS_KERNELS_H
#define NU_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define NU_PANEL 32
#define NU_HALF_PANEL 16

typedef enum nu_activation {
  NU_STEP,       /* 1 for z > 0, else 0: the perceptron; not differentiable */
  NU_IDENTITY,   /* z */
  NU_SIGMOID,    /* (1.2) 1 / (1 + e^-z) */
  NU_TANH,       /* tanh z */
  NU_RELU,       /* z for z > 0, else 0 */
  NU_LEAKY_RELU, /* z for z > 0, else 0.01 z */
  NU_GELU,       /* z Phi(z), Phi the normal distribution      Hendrycks and Gimpel 2016 */
  NU_SILU,       /* z sigmoid(z)                               the same; Elfwing et al. 2018 */
  NU_ELU,        /* z for z > 0, else e^z - 1                  Clevert et al. 2016 */
  NU_SELU,       /* s z for z > 0, else s alpha (e^z - 1)      Klambauer et al. 2017 */
  NU_MISH,       /* z tanh(softplus(z))                        Misra 2020 */
  NU_SOFTPLUS,   /* ln(1 + e^z)                                Dugas et al. 2001 */
  NU_SOFTMAX,    /* e^z_i / sum over j of e^z_j; output layer only */
  NU_ACTIVATIONS
} nu_activation;

#define NU_LEAKY_SLOPE 0.01f
/* s and s alpha of selu, which keep mean 0 and variance 1. */
#define NU_SELU_SLOPE 1.0507009873554805f
#define NU_SELU_DEPTH 1.7580993408473766f

typedef enum nu_loss {
  NU_SQUARED_ERROR,        /* (4.9) 1/2 sum (t_i - y_i)^2 */
  NU_CROSS_ENTROPY,        /* -sum t_i ln y_i, y = softmax(z) */
  NU_BINARY_CROSS_ENTROPY, /* -sum t_i ln y_i + (1 - t_i) ln(1 - y_i), y = sigmoid(z) */
  NU_LOSSES
} nu_loss;

/* Rules by which an optimiser changes each weight by itself. g is the mean gradient dE/dw over the
 * batch plus L2 decay * w (weights only, never biases); eta the learning rate of the step, t the
 * step counted from 1. */
typedef enum nu_rule {
  NU_SGD,      /* w -= eta g                            (4.5), (4.8); Robbins and Monro 1951 */
  NU_MOMENTUM, /* v = mu v + g, w -= eta v              Polyak 1964 */
  NU_NESTEROV, /* v = mu v + g, w -= eta (g + mu v)     Nesterov 1983; Sutskever et al. 2013 */
  NU_RMSPROP,  /* s = rho s + (1 - rho) g^2, w -= eta g / (sqrt s + eps)
                                                        Tieleman and Hinton 2012 */
  NU_ADAM,     /* m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w -= eta m' / (sqrt v' + eps),
                  m' = m / (1 - b1^t), v' = v / (1 - b2^t)
                                                        Kingma and Ba 2015 */
  NU_ADAMW,    /* w -= eta decay w first, then adam without decay in g
                                                        Loshchilov and Hutter 2019 */
  NU_AMSGRAD,  /* adam with u = max(u, v) in place of v Reddi, Kale and Kumar 2018 */
  NU_IRPROP,   /* iRprop-: a step size d per weight, eta at first; g has the sign of the last one:
                  d = min(1.2 d, 50); another: d = max(0.5 d, 1e-6), g = 0; w -= sign(g) d
                                                        Igel and Huesken 2003 */
  NU_RULES     /* also: a method whose iteration is its own */
} nu_rule;

/* Arrays beside the weights, and laid out as they are, that an element-wise rule may keep. */
enum { NU_MOST_ARRAYS = 3 };

/* One optimiser step as the kernel sees it; the formulas stand with nu_rule. */
typedef struct nu_update {
  nu_rule rule;
  float factor;        /* 1/B, times the clipping factor: mean gradient g = -factor G */
  float learning_rate; /* eta of this step */
  float decay;         /* L2: added to the gradient as decay * w; decoupled for AdamW */
  float momentum;      /* mu, or beta1 */
  float smoothing;     /* rho of RMSprop, or beta2 */
  float epsilon;
  float correction1; /* 1 / (1 - beta1^t), t counted from 1 */
  float correction2; /* 1 / (1 - beta2^t) */
} nu_update;

/* Chains of fused multiply-adds on m rows of `panels` panels, each `width` (P or P/2) columns:
 *   out[i][q P + c] = sum over p < k, increasing, of x[i xrow + p xcol] * y[q ypanel + p yrow + c]
 * from +0 where `fresh`, else from what out holds. Row i of out starts at i * outrow. Serves
 *   (3.8)  with x = activations, y = panels of weights;
 *   (4.3)  with x = deltas, y = transposed stripes of weights;
 *   (4.12) with x = activations read along rows (xrow 1), y = deltas: the chain of one grain. The
 *          finished subtrees that this grain completes are added on the way out, nearest first:
 *          out = left[n_left - 1] + (... + (left[0] + sum)), each laid out as out, which may be
 *          one. With a target these roots are not stored: the weights take their step with them.
 *
 * With `pairs` each float of x and y is a word of two bf16, a pair of operands in the order of the
 * chain, the first (even) one in the lower half, and k counts pairs. A link is two fused
 * multiply-adds, the odd operands before the even ones, which is what vdpbf16ps does. A chain of an
 * odd number of operands ends in a pair whose second ones are +0. Strides count words. */
typedef struct nu_target { /* laid out as out: rows P or, in a half panel, P/2 apart */
  const nu_update *update;
  float *w;
  float *arrays[NU_MOST_ARRAYS]; /* of the rule, as for `update`; NULL where it has none */
  bool *not_finite;              /* set when a new w is not finite */
} nu_target;

typedef struct nu_chain {
  size_t m, k, panels, width;
  const float *x;
  size_t xrow, xcol;
  const float *y;
  size_t yrow, ypanel;
  float *out;
  size_t outrow;
  bool fresh;
  bool pairs; /* bf16: see above */
  size_t n_left;
  const float *const *left; /* [n_left] */
  const nu_target *target;  /* NULL, or (4.12) only: xrow 1, fresh, outrow = width, one panel */
} nu_chain;

/* The output layer on `rows` rows: with delta their delta = -dE/dz (4.1) and zeros beyond n, else
 * y = f(z) in place of z, zeros beyond n; with target each row's loss (4.9). */
typedef struct nu_output {
  nu_activation activation;
  nu_loss loss;
  size_t n, rows;
  float *z;     /* [rows][stride], nu_padded(n) of each in use */
  float *delta; /* as z; or NULL */
  size_t stride;
  const float *target; /* [rows][nu_padded(n)]; NULL: neither loss nor delta */
  double *row_loss;    /* [rows] */
  float *scratch;      /* [nu_output_scratch(n)] */
} nu_output;

typedef struct nu_kernels {
  const char *isa; /* "base", "neon", "avx2", "avx512", "avx512bf16" */

  void (*chain)(const nu_chain *chain);

  /* to[j tostride + c] = from[c fromstride + j] for j < n, c < columns; zeros for further c up to
   * the next multiple of P/2. n a multiple of P/2, columns at most P. */
  void (*transpose)(size_t n, size_t columns, const float *from, size_t fromstride, float *to,
                    size_t tostride);

  /* Floats rounded to bf16 (to nearest even, subnormal ones to zero), two to a word. narrow:
   * neighbours in a row, row i to to[i tostride]; n a multiple of P. */
  void (*narrow)(size_t rows, size_t n, const float *from, size_t fromstride, float *to,
                 size_t tostride);
  /* pair: neighbours in a column, rows 2i and 2i + 1 to to[i tostride], a last row without another
   * with +0; n a multiple of P/2. */
  void (*pair)(size_t rows, size_t n, const float *from, size_t fromstride, float *to,
               size_t tostride);

  /* a[i][0..n) = f(z[i][0..n)), rows i `stride` apart in both; z may be a. n a multiple of P/2. Not
   * for softmax, which is a whole row's business. */
  void (*activate)(nu_activation f, size_t rows, size_t n, const float *z, float *a, size_t stride);

  /* d[i][0..n) *= f'(z): (1.4), (4.3); as activate. `from` holds z where nu_keeps_z(f), else f(z).
   */
  void (*derive)(nu_activation f, size_t rows, size_t n, const float *from, float *d,
                 size_t stride);

  void (*output)(const nu_output *output);

  /* to[i] = (from[i] - shift[i]) * scale[i] in double, rounded once (data/data.h). Any n. */
  void (*scale)(size_t n, const uint8_t *from, const double *shift, const double *scale, float *to);

  /* left[i] = left[i] + right[i]: one node of the gradient tree. n a multiple of P/2. */
  void (*add)(size_t n, float *left, const float *right);

  /* w, arrays <- one optimiser step with summed gradient G (= -B dE/dw). n a multiple of P/2. False
   * when a new w is not finite. Entries of arrays are NULL where the rule has none;
   * their order is that of network/methods.c. */
  bool (*update)(const nu_update *u, size_t n, float *w, const float *G,
                 float *const arrays[NU_MOST_ARRAYS]);

  /* out[i][j] = x[i][j] * factor[j] for j < n; rows `stride` apart; out may be x. n a multiple of
   * P/2. */
  void (*multiply)(size_t rows, size_t n, const float *x, const float *factor, float *out,
                   size_t stride);
  /* out[j] = a chain over the rows, from +0, of x[i][j] * d[i][j]. n a multiple of P/2. */
  void (*dot_rows)(size_t rows, size_t n, const float *x, size_t xstride, const float *d,
                   size_t dstride, float *out);

  /* sum of a[i] b[i] in double: P/2 sums of every P/2-th product, then those in increasing order.
   * */
  double (*dot)(size_t n, const float *a, const float *b);
  /* y = alpha x + y, fused; out = alpha x. n a multiple of P/2. */
  void (*axpy)(size_t n, float alpha, const float *x, float *y);
  void (*scale_by)(size_t n, float alpha, const float *x, float *out);

  /* For benchmarks: rounds of fused multiply-adds, or of those on pairs, in registers only. Returns
   * the flops done; *result depends on all of them. */
  double (*peak)(bool pairs, size_t rounds, float *result);
} nu_kernels;

/* Is f' formed from z, which then must outlive a = f(z)? Else it is formed from a, where a tells z
 * sharply enough. */
static inline bool nu_keeps_z(nu_activation f) {
  return f == NU_GELU || f == NU_SILU || f == NU_MISH || f == NU_SOFTPLUS;
}

/* Floats in an activation or delta row of n features: room for the trailing 1, whole panels. */
size_t nu_stride(size_t features);
/* Panels of a layer of n neurons; columns of panel p of them: P, or P/2 for a last one that needs
 * no more; columns of all of them. */
size_t nu_panels(size_t neurons);
size_t nu_panel_width(size_t neurons, size_t p);
size_t nu_padded(size_t neurons);
/* Floats that `output` needs for a layer of n neurons: three blocks of as many rows as a vector has
 * lanes. */
size_t nu_output_scratch(size_t n);
/* Floats of a layer's engine form where its panels lie next to each other, (inputs + 1) * P apart:
 * nu_padded(neurons) * (inputs + 1). */
size_t nu_engine_size(size_t inputs, size_t neurons);

/* The only two functions that convert: logical weights [neurons][inputs] and biases [neurons] to
 * and from engine form (padding of neurons becomes +0), panels `panel` floats apart. biases NULL:
 * the layer has none, and the engine form no row for them. */
void nu_to_engine(size_t inputs, size_t neurons, size_t panel, const float *weights,
                  const float *biases, float *engine);
void nu_from_engine(size_t inputs, size_t neurons, size_t panel, const float *engine,
                    float *weights, float *biases);

/* All sets that the source has, narrowest first. */
#define NU_ISAS 5
extern const char *const nu_isa_names[NU_ISAS];

/* The widest set that this machine runs; or, where the environment variable NUMANN_ISA names one,
 * that one. NULL when NUMANN_ISA names none that can run here; nu_kernels_choose says so in err. */
const nu_kernels *nu_kernels_select(void);
numann_status nu_kernels_choose(const nu_kernels **out, numann_error *err);
/* By name; NULL when unknown or not runnable here. */
const nu_kernels *nu_kernels_named(const char *isa);

#endif
