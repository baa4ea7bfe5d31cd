/* A growing text. Append as much as needed, check once at the end whether an allocation failed.
 * SPDX-License-Identifier: MIT */
#ifndef NU_BASE_TEXT_H
#define NU_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nu_text {
  char *data;      /* NUL-terminated, NULL while empty; owned */
  size_t length;   /* bytes without the NUL */
  size_t capacity; /* bytes allocated */
  bool failed;     /* memory was refused once: the text is incomplete */
} nu_text;

/* Start with `nu_text text = {0};`, end with nu_text_clear. */
void nu_text_append(nu_text *text, const char *bytes, size_t n);
void nu_text_add(nu_text *text, const char *string);
void nu_text_addf(nu_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "512 B", "32 KiB", "1.5 MiB": one decimal where it is not 0 and the number is below 100. */
void nu_text_add_bytes(nu_text *text, size_t bytes);
/* The content, "" while empty; valid until the next append. */
const char *nu_text_view(const nu_text *text);
void nu_text_clear(nu_text *text);

/* The user's text made fit for a message: one line, shortened where it is too long. */
#define NU_EXCERPT 96
const char *nu_excerpt(const char *text, size_t n, char excerpt[NU_EXCERPT]);

/* The bytes of the first character of a NUL-terminated UTF-8 text, and its code; 0 where no
 * character of the standard begins (overlong forms, surrogates, above U+10FFFF), or at the end. */
size_t nu_utf8_code(const char *text, uint32_t *code);
bool nu_is_utf8(const char *text);

#endif
