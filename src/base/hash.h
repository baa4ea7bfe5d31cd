/* FNV-1a (Fowler, Noll, Vo) in 64 bits: to tell whether things are alike, not against attackers.
 * SPDX-License-Identifier: MIT */
#ifndef NU_BASE_HASH_H
#define NU_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define NU_HASH_START 0xcbf29ce484222325u

static inline uint64_t nu_hash_bytes(uint64_t hash, const void *bytes, size_t n) {
  const unsigned char *at = bytes;
  for (size_t i = 0; i < n; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
  return hash;
}

/* A number's eight bytes, lowest first: the same on every machine. */
static inline uint64_t nu_hash_number(uint64_t hash, uint64_t number) {
  unsigned char bytes[8];
  for (unsigned i = 0; i < 8; i++) bytes[i] = (unsigned char)(number >> 8 * i);
  return nu_hash_bytes(hash, bytes, sizeof bytes);
}

#endif
