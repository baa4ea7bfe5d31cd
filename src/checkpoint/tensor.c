/* Arrays in memory: sizes, byte order, finiteness. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "checkpoint/safetensors.h"

static const struct {
  const char *name;
  size_t size;
} dtypes[NU_DTYPES] = {[NU_F32] = {"F32", 4}, [NU_F64] = {"F64", 8}};

size_t nu_dtype_size(nu_dtype dtype) { return dtypes[dtype].size; }
const char *nu_dtype_name(nu_dtype dtype) { return dtypes[dtype].name; }

size_t nu_tensor_count(const nu_tensor *tensor) {
  return tensor->rank == 1 ? tensor->shape[0] : tensor->shape[0] * tensor->shape[1];
}

size_t nu_tensor_bytes(const nu_tensor *tensor) {
  return nu_tensor_count(tensor) * nu_dtype_size(tensor->dtype);
}

size_t nu_tensors_bytes(const nu_tensor *tensors, size_t n) {
  size_t bytes = 0;
  for (size_t i = 0; i < n; i++) bytes += nu_tensor_bytes(&tensors[i]);
  return bytes;
}

size_t nu_tensor_first_wrong(const nu_tensor *tensor) {
  const float *narrow = tensor->data;
  const double *wide = tensor->data;
  size_t n = nu_tensor_count(tensor);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(tensor->dtype == NU_F32 ? (double)narrow[i] : wide[i])) return i;
  }
  return n;
}

void nu_little_endian(void *numbers, size_t count, size_t size) {
  if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) return;
  unsigned char *bytes = numbers;
  for (size_t i = 0; i < count; i++, bytes += size) {
    for (size_t a = 0, b = size - 1; a < b; a++, b--) {
      unsigned char swapped = bytes[a];
      bytes[a] = bytes[b];
      bytes[b] = swapped;
    }
  }
}
