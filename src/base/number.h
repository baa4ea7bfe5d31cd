/* Text to number and back, strictly and in any locale. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_NUMBER_H
#define NU_BASE_NUMBER_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole of text[0..n) must be one decimal number: [+-] digits [. digits] [e [+-] digits].
 * No spaces, no hexadecimal, no nan or inf, no comma; the result must be finite. Correctly rounded.
 */
bool nu_parse_real(const char *text, size_t n, double *out);

/* Reads the longest such number at the start of text[..end). Returns where it ends; NULL when there
 * is none. */
const char *nu_scan_real(const char *text, const char *end, double *out);

/* The whole of text[0..n) must be decimal digits without sign, and fit. "007" is refused. */
bool nu_parse_count(const char *text, size_t n, uint64_t *out);

/* Does the value fit a float? Else a message could not be told from a silent infinity. */
static inline bool nu_fits_float(double value) {
  return value >= -(double)FLT_MAX && value <= (double)FLT_MAX;
}

/* The shortest of %.15g .. %.17g that reads back to the same double, with a point whatever the
 * locale; into buffer, which is returned. Not finite: "nan", "inf", "-inf". */
#define NU_REAL_TEXT 32
const char *nu_format_real(double value, char buffer[NU_REAL_TEXT]);

#endif
