/* A growing text. Append as much as needed, check once at the end whether an allocation failed.
 * SPDX-License-Identifier: MIT */
#ifndef NU_BASE_TEXT_H
#define NU_BASE_TEXT_H

#include <stdarg.h>
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
/* The line at *text without its end, of *n bytes, and *text behind it; NULL behind the last. */
const char *nu_text_line(const char **text, int *n);
void nu_text_clear(nu_text *text);

/* The bytes of the first character of a NUL-terminated UTF-8 text, and its code; 0 where no
 * character of the standard begins (overlong forms, surrogates, above U+10FFFF), or at the end. */
size_t nu_utf8_code(const char *text, uint32_t *code);
bool nu_is_utf8(const char *text);

/* Others' text on a terminal: names, paths and values may hold escape sequences that steer it, ends
 * of lines that forge messages, marks that turn the direction of writing. Such characters, and
 * bytes that are no UTF-8, are shown as "\x1b", "\u202e", "\xff"; all others stay, and what has
 * once been shown stays as it is. */
bool nu_is_shown(uint32_t code);
/* n bytes into out, as many whole characters as fit; how many bytes of the text these are. */
size_t nu_show(char *out, size_t size, const char *text, size_t n);
/* A formatted line of which anything may be others' text; of at most NU_LINE bytes. */
#define NU_LINE 8192
void nu_show_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void nu_show_vformat(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
void nu_text_add_shown(nu_text *text, const char *string);
/* The same for a text of several lines, whose ends stay. */
void nu_text_add_shown_lines(nu_text *text, const char *string);
/* A value for a message, shortened where it is too long. */
#define NU_EXCERPT 96
const char *nu_excerpt(const char *text, size_t n, char excerpt[NU_EXCERPT]);

#endif
