/* Activations: a row each of all that is known of them outside the kernels, which have f and f' in
 * float (kernels/activation.h). SPDX-License-Identifier: MIT */
#ifndef NU_NETWORK_ACTIVATION_H
#define NU_NETWORK_ACTIVATION_H

#include <stdbool.h>

#include "kernels/kernels.h"

/* The variance of initial weights (network/initialize.c). */
typedef enum nu_scheme {
  NU_SCHEME_AUTO,
  NU_SCHEME_GLOROT,
  NU_SCHEME_HE,
  NU_SCHEME_LECUN,
  NU_SCHEME_CONSTANT
} nu_scheme;

/* How weights are drawn: from a normal distribution, or evenly. */
typedef struct nu_initializer {
  nu_scheme scheme;
  bool normal;
} nu_initializer;

typedef struct nu_activation_row {
  const char *name;           /* in configs and files */
  nu_initializer initializer; /* what auto stands for */
  double share;               /* time of an element in the kernels, in sigmoids */
  bool kink;                 /* f or f' has a jump or a corner at 0, which differences must avoid */
  double (*value)(double z); /* f(z) */
  double (*slope)(double z, double a); /* f'(z), where a = f(z) */
  /* Bounds of the engine's float f(z) and |f'(z)|, where its z is off by at most e_z and its f(z)
   * by e_a: (R4) and (R6) of docs/numerics.md. */
  double (*bound)(double z, double a, double e_z);
  double (*bound_slope)(double z, double a, double e_z, double e_a);
} nu_activation_row;

/* Of softmax, which is a matter of a whole row, the functions are those of the identity. */
const nu_activation_row *nu_activation_row_of(nu_activation activation);

const char *nu_activation_name(nu_activation activation);
/* All of them, in the order of the enum. */
void nu_activation_names(const char *names[NU_ACTIVATIONS]);

#endif
