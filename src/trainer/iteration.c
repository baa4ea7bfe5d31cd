/* SPDX-License-Identifier: MIT */
#include "trainer/iteration.h"

#include <assert.h>
#include <string.h>

/* Methods without a row here take element-wise steps. */
static const struct {
  const char *method;
  const nu_iteration *iteration;
} own[] = {{"lbfgs", &nu_lbfgs}};

const nu_iteration *nu_iteration_of(const nu_method *method) {
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    if (strcmp(own[i].method, method->name) == 0) return own[i].iteration;
  }
  assert(method->rule != NU_RULES);
  return &nu_descent;
}
