/* SPDX-License-Identifier: MIT */
#include "network/methods.h"

#include <string.h>

#include "config/config.h"

/* A checkpoint's names of the arrays that only these rules have. */
static const char *const moments[] = {"moment1", "moment2", "largest_moment2"};
static const char *const steps[] = {"step_size", "gradient"};

static const char *const pairs[] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6",
                                    "s7", "s8", "s9", "y0", "y1", "y2", "y3",
                                    "y4", "y5", "y6", "y7", "y8", "y9", "gradient"};

static const nu_method methods[] = {
    {.name = "sgd", .rule = NU_SGD, .rate = 0.01},
    {.name = "momentum", .rule = NU_MOMENTUM, .rate = 0.01, .n_arrays = 1, .arrays = moments},
    {.name = "nesterov", .rule = NU_NESTEROV, .rate = 0.01, .n_arrays = 1, .arrays = moments},
    {.name = "rmsprop",
     .rule = NU_RMSPROP,
     .rate = 0.001,
     .n_arrays = 1,
     .arrays = moments,
     .squares = 1u << 0},
    {.name = "adam",
     .rule = NU_ADAM,
     .rate = 0.001,
     .betas = true,
     .n_arrays = 2,
     .arrays = moments,
     .squares = 1u << 1},
    {.name = "adamw",
     .rule = NU_ADAMW,
     .rate = 0.001,
     .betas = true,
     .n_arrays = 2,
     .arrays = moments,
     .squares = 1u << 1},
    {.name = "amsgrad",
     .rule = NU_AMSGRAD,
     .rate = 0.001,
     .betas = true,
     .n_arrays = 3,
     .arrays = moments,
     .squares = 1u << 1 | 1u << 2},
    {.name = "irprop",
     .rule = NU_IRPROP,
     .rate = 0.01,
     .full_batch = true,
     .n_arrays = 2,
     .arrays = steps,
     .squares = 1u << 0},
    {.name = "lbfgs",
     .rule = NU_RULES,
     .whole = true,
     .full_batch = true,
     .n_arrays = 21,
     .n_spare = 2,
     .arrays = pairs,
     .n_numbers = 6,
     .n_counts = 3},
};
enum { METHODS = sizeof methods / sizeof *methods };

const nu_method *nu_method_at(size_t i) { return i < METHODS ? &methods[i] : NULL; }

const nu_method *nu_method_named(const char *name) {
  for (size_t i = 0; i < METHODS; i++) {
    if (strcmp(methods[i].name, name) == 0) return &methods[i];
  }
  return NULL;
}

numann_status nu_method_of(const nu_method **out, const numann_config *config, numann_error *err) {
  const char *names[METHODS];
  size_t i;
  for (i = 0; i < METHODS; i++) names[i] = methods[i].name;
  NU_TRY(nu_config_choice(config, "train.optimizer.name", names, METHODS, &i, err));
  *out = &methods[i];
  return NUMANN_OK;
}
