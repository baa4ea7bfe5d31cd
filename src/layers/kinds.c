/* The table of kinds: a new one is a row here, and a file or folder beside this one.
 * SPDX-License-Identifier: MIT */
#include "layers/dense/dense.h"

extern const nu_kind nu_dropout, nu_scale;

const nu_kind *const nu_kinds[] = {&nu_dense, &nu_dropout, &nu_scale, NULL};
