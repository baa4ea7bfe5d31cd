/* Split: a permutation cut into parts. SPDX-License-Identifier: MIT */
#include "data/split.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "data/table.h"

numann_status nu_split_count(size_t *count, const numann_config *config, const char *key,
                             size_t rows, numann_error *err) {
  *count = 0;
  if (!nu_config_given(config, key)) return NUMANN_OK;
  double fraction = nu_config_real(config, key);
  *count = (size_t)(fraction * (double)rows + 0.5);
  if (*count > 0) return NUMANN_OK;
  return nu_config_fail(config, key, err,
                        "this fraction of %zu rows is less than half a row; use a larger one, or "
                        "leave it away",
                        rows);
}

/* What a class has left to give to a part, and what it gives. */
typedef struct share {
  size_t class, have, quota, remainder;
} share;

static int by_remainder(const void *a, const void *b) {
  const share *x = a, *y = b;
  if (x->remainder != y->remainder) return x->remainder < y->remainder ? 1 : -1;
  return x->class < y->class ? -1 : 1;
}

static int by_class(const void *a, const void *b) {
  return ((const share *)a)->class < ((const share *)b)->class ? -1 : 1;
}

/* quota = floor(wanted * have / total), and one more for the largest remainders until all `wanted`
 * are given; the first class wins a tie. */
static void apportion(share *shares, size_t n, size_t total, size_t wanted) {
  size_t given = 0;
  for (size_t c = 0; c < n; c++) {
    shares[c].quota = wanted * shares[c].have / total;
    shares[c].remainder = wanted * shares[c].have % total;
    given += shares[c].quota;
  }
  qsort(shares, n, sizeof *shares, by_remainder);
  for (size_t i = 0; given < wanted; i++, given++) shares[i].quota++;
  qsort(shares, n, sizeof *shares, by_class);
}

static size_t class_of(const nu_split_request *request, size_t row) {
  return request->classes ? (size_t)request->classes[row] : 0;
}

/* Give `wanted` rows that still train to the part `to`. shares [n] is working space. */
static void take_part(uint8_t *part, const nu_split_request *request, const uint32_t *order,
                      share *shares, size_t n, uint8_t to, size_t wanted) {
  size_t total = 0;
  for (size_t c = 0; c < n; c++) shares[c] = (share){.class = c};
  for (size_t r = 0; r < request->rows; r++) {
    if (part[r] != NU_TRAIN) continue;
    shares[class_of(request, r)].have++;
    total++;
  }
  apportion(shares, n, total, wanted);
  for (size_t i = 0; i < request->rows; i++) {
    share *from = &shares[class_of(request, order[i])];
    if (part[order[i]] != NU_TRAIN || from->quota == 0) continue;
    part[order[i]] = to;
    from->quota--;
  }
}

numann_status nu_split(uint8_t *part, const nu_split_request *request, numann_error *err) {
  nu_stream stream = {request->seed, NU_PURPOSE_SPLIT, 0};
  size_t n = request->classes ? request->n_classes : 1;
  uint32_t *order = calloc(request->rows, sizeof *order);
  share *shares = calloc(n, sizeof *shares);
  if (!order || !shares) {
    free(order);
    free(shares);
    return nu_fail_memory(err, request->rows * sizeof *order, "splitting the rows");
  }
  for (size_t r = 0; r < request->rows; r++) order[r] = (uint32_t)r;
  nu_random_shuffle(stream, order, request->rows);
  memset(part, NU_TRAIN, request->rows);
  take_part(part, request, order, shares, n, NU_TEST, request->test);
  take_part(part, request, order, shares, n, NU_VALIDATION, request->validation);
  free(order);
  free(shares);
  return NUMANN_OK;
}
