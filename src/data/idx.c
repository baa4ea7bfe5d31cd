/* IDX, the format of MNIST: two zero bytes, the type, the rank, then each dimension as a big-endian
 * 32-bit number, then the values in big-endian C order. SPDX-License-Identifier: MIT */
#include "data/array.h"

static const struct {
  unsigned char code;
  nu_element element;
} types[] = {
    {0x08, {'u', 1, true}}, {0x09, {'i', 1, true}}, {0x0B, {'i', 2, true}},
    {0x0C, {'i', 4, true}}, {0x0D, {'f', 4, true}}, {0x0E, {'f', 8, true}},
};

static numann_status find_type(nu_array_file *array, const unsigned char magic[4],
                               numann_error *err) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (magic[0] != 0 || magic[1] != 0 || magic[2] != types[i].code) continue;
    array->element = types[i].element;
    return NUMANN_OK;
  }
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s@0: begins with the bytes %02x %02x %02x, which is no data format; IDX begins "
                 "with 00 00 and a type of 08, 09, 0b, 0c, 0d or 0e",
                 array->in->name, magic[0], magic[1], magic[2]);
}

numann_status nu_idx_open(nu_array_file *array, nu_input *in, numann_error *err) {
  unsigned char magic[4], size[4];
  *array = (nu_array_file){.in = in};
  NU_TRY(nu_input_read(in, magic, sizeof magic, err));
  NU_TRY(find_type(array, magic, err));
  array->rank = magic[3];
  if (array->rank < 1 || array->rank > NU_ARRAY_RANK) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s@3: %zu dimensions; 1 to %d are expected", in->name,
                   array->rank, NU_ARRAY_RANK);
  }
  for (size_t i = 0; i < array->rank; i++) {
    NU_TRY(nu_input_read(in, size, sizeof size, err));
    for (size_t b = 0; b < sizeof size; b++) array->shape[i] = array->shape[i] << 8 | size[b];
  }
  return nu_array_check(array, err);
}
