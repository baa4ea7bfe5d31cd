/* Numbers and names as people read them: the same in every locale, never wider than asked.
 * SPDX-License-Identifier: MIT */
#ifndef NU_REPORT_FORMAT_H
#define NU_REPORT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/number.h"
#include "base/text.h"

/* Each writes into the buffer and returns it; what is not finite becomes "-". */

/* 3 decimals: "0.125". */
const char *nu_format_fixed(double value, int decimals, char buffer[NU_REAL_TEXT]);
/* About five significant digits: "0.1234", "12.345", "1.234e+06", "1.200e-06". */
const char *nu_format_value(double value, char buffer[NU_REAL_TEXT]);
/* "97.21 %"; only a share of exactly 1 is shown as 100 %. */
const char *nu_format_share(double share, int decimals, char buffer[NU_REAL_TEXT]);
/* "61.2k", "1.05M". */
const char *nu_format_rate(double rate, char buffer[NU_REAL_TEXT]);
/* "0:42", "1:02:03", "2d 03:04"; "--:--" when unknown. */
const char *nu_format_clock(double seconds, char buffer[NU_REAL_TEXT]);
/* "4.2 s", "1 min 12 s", "2 h 03 min", "3 d 04 h". */
const char *nu_format_duration(double seconds, char buffer[NU_REAL_TEXT]);

/* Does the environment ask for UTF-8? The calling program may not have called setlocale, so the
 * variables count as well as the locale. */
bool nu_utf8_wanted(void);

/* The code point at *text, which is moved past it; 0 at the end. Bytes that are not UTF-8 and
 * control characters come as U+FFFD: a class name must not move the cursor of a terminal. */
uint32_t nu_utf8_next(const char **text);
void nu_utf8_add(nu_text *out, uint32_t code);

/* Columns that the text takes up on a terminal. */
size_t nu_text_columns(const char *text);

typedef enum nu_align { NU_LEFT, NU_RIGHT } nu_align;

/* Append the text in exactly so many columns: shortened with an ellipsis, or padded. Outside UTF-8
 * what is not ASCII becomes '?'. */
void nu_text_fit(nu_text *out, const char *text, size_t columns, nu_align align, bool utf8);
void nu_text_repeat(nu_text *out, const char *text, size_t n);

#endif
