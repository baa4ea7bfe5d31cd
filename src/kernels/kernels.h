/* Kernels: arithmetic on pointers, one table per instruction set. SPDX-License-Identifier: MIT
 *
 * Nothing here allocates, threads or fails. Every kernel gives the same bits on every instruction
 * set: lanes run over independent elements, each of which is one chain of fused multiply-adds over
 * an increasing index (design: docs/numerics.md).
 *
 * Layouts (P = NU_PANEL features to a panel, the last one padded with zeros):
 *   weights      [panels][K + 1][P]   panel, input, neuron in panel; row K is the bias, whose input
 *                                     is the constant 1 that every activation row carries (3.8)
 *   activations  [rows][stride]       features, then 1, then zeros; stride = nu_stride(features)
 *   deltas       [rows][stride]       features, then zeros
 *   gradients    as weights
 * All row starts are aligned to 64 bytes. */
#ifndef NU_KERNELS_KERNELS_H
#define NU_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#define NU_PANEL 32

typedef enum nu_activation {
  NU_STEP,       /* 1 for z > 0, else 0: the perceptron; not differentiable */
  NU_IDENTITY,   /* z */
  NU_SIGMOID,    /* (1.2) 1 / (1 + e^-z) */
  NU_TANH,       /* tanh z */
  NU_RELU,       /* z for z > 0, else 0 */
  NU_LEAKY_RELU, /* z for z > 0, else 0.01 z */
  NU_SOFTMAX,    /* e^z_i / sum over j of e^z_j; output layer only */
  NU_ACTIVATIONS
} nu_activation;

#define NU_LEAKY_SLOPE 0.01f

typedef enum nu_loss {
  NU_SQUARED_ERROR,        /* (4.9) 1/2 sum (t_i - y_i)^2 */
  NU_CROSS_ENTROPY,        /* -sum t_i ln y_i, y = softmax(z) */
  NU_BINARY_CROSS_ENTROPY, /* -sum t_i ln y_i + (1 - t_i) ln(1 - y_i), y = sigmoid(z) */
  NU_LOSSES
} nu_loss;

typedef enum nu_rule {
  NU_SGD,
  NU_MOMENTUM,
  NU_NESTEROV,
  NU_RMSPROP,
  NU_ADAM,
  NU_ADAMW,
  NU_RULES
} nu_rule;

/* One optimiser step as the kernel sees it; the formulas stand in trainer/optimizer.h. */
typedef struct nu_update {
  nu_rule rule;
  float factor;        /* 1/B, times the clipping factor: mean gradient g = -factor G */
  float learning_rate; /* eta of this step */
  float decay;         /* L2: added to the gradient as decay * w; decoupled for AdamW */
  float momentum;      /* mu, or beta1 */
  float smoothing;     /* rho of RMSprop, or beta2 */
  float epsilon;
  float correction1;   /* 1 / (1 - beta1^t), t counted from 1 */
  float correction2;   /* 1 / (1 - beta2^t) */
} nu_update;

typedef struct nu_kernels {
  const char *isa; /* "base", "avx2" */

  /* out[i][0..P) += sum over p of x[i xrow + p xcol] * y[p yrow + (0..P)], i < m, p < k increasing;
   * out[i] starts at i * outrow. Where `fresh`, the chain starts from +0 and out is only written.
   * Serves (3.8) with x = activations, y = a weight panel; (4.3) with x = deltas, y = a transposed
   * stripe of weights; (4.12) with x = activations read along rows (xrow 1), y = deltas. */
  void (*chain)(size_t m, size_t k, const float *x, size_t xrow, size_t xcol, const float *y,
                size_t yrow, float *out, size_t outrow, bool fresh);

  /* a[0..n) = f(a[0..n)), n a multiple of P; not for softmax, which is a row's business. */
  void (*activate)(nu_activation f, size_t n, float *a);

  /* d[i] *= f'(z[i]) with f' computed from a[i] = f(z[i]): (1.4), (4.3); n a multiple of P. */
  void (*derive)(nu_activation f, size_t n, const float *a, float *d);

  /* One output row: z [stride] becomes y = f(z) in place; delta [stride] = -dE/dz (4.1) against
   * target [n] and zeros beyond n. Returns the row's loss (4.9). delta NULL: only y and the loss;
   * target NULL: only y (returns 0). scratch: [stride]. */
  double (*output)(nu_activation f, nu_loss loss, size_t n, float *z, const float *target,
                   float *delta, float *scratch);

  /* left[i] = left[i] + right[i]: one node of the gradient tree. n a multiple of P. */
  void (*add)(size_t n, float *left, const float *right);

  /* w, m1, m2 <- one optimiser step with summed gradient G (= -B dE/dw). m1, m2 may be NULL where
   * the rule has none. n a multiple of P. False when a new w is not finite. */
  bool (*update)(const nu_update *u, size_t n, float *w, const float *G, float *m1, float *m2);

  /* sum of G[i]^2 in double: P lane sums over the rows of P, then the lanes in increasing order. */
  double (*square_sum)(size_t n, const float *G);
} nu_kernels;

/* Floats in an activation or delta row of n features: room for the trailing 1, whole panels. */
size_t nu_stride(size_t features);
/* Panels of a layer of n neurons. */
size_t nu_panels(size_t neurons);
/* Floats of a layer's engine form: panels * (inputs + 1) * P. */
size_t nu_engine_size(size_t inputs, size_t neurons);

/* The only two functions that convert: logical weights [neurons][inputs] and biases [neurons] to
 * and from engine form [panels][inputs + 1][P] (padding becomes +0). */
void nu_to_engine(size_t inputs, size_t neurons, const float *weights, const float *biases,
                  float *engine);
void nu_from_engine(size_t inputs, size_t neurons, const float *engine, float *weights,
                    float *biases);

/* Stripe s of a layer's weights for (4.3): out[j][c] = w(j, s P + c), [neurons][P], zeros where
 * s P + c >= inputs. */
void nu_transpose_stripe(size_t inputs, size_t neurons, const float *engine, size_t s, float *out);

/* All sets that the source has, narrowest first. */
#define NU_ISAS 3
extern const char *const nu_isa_names[NU_ISAS];

/* The widest set that this machine runs; or, where the environment variable NUMANN_ISA names one,
 * that one. NULL when NUMANN_ISA names none that can run here. */
const nu_kernels *nu_kernels_select(void);
/* By name; NULL when unknown or not runnable here. */
const nu_kernels *nu_kernels_named(const char *isa);

#endif
