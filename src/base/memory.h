/* Checked sizes and aligned memory. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_MEMORY_H
#define NU_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* *out = a * b or a + b; false on overflow, *out then undefined. */
bool nu_size_mul(size_t a, size_t b, size_t *out);
bool nu_size_add(size_t a, size_t b, size_t *out);

/* n rounded up to a multiple of `unit`. */
static inline size_t nu_round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

/* count * size zeroed bytes aligned to 64 (a cache line, and the widest vector); NULL when refused
 * or when the product overflows. Free with free(). count or size 0 gives a valid pointer. */
void *nu_alloc(size_t count, size_t size);

/* Grow *array (from malloc or NULL) so that it holds at least `need` elements of `size` bytes:
 * doubles *capacity. False when refused: *array stays as it was. */
bool nu_grow(void *array, size_t *capacity, size_t need, size_t size);

/* A malloc'ed copy of n bytes of text with a final NUL; NULL when refused. */
char *nu_copy_text(const char *text, size_t n);

#endif
