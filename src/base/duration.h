/* Lengths of time as batch systems and configs write them. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_DURATION_H
#define NU_BASE_DURATION_H

#include <stdbool.h>

#define NU_LONGEST_SECONDS 1e9 /* some thirty years */

/* The whole text must be one of "90 s" (the blank may be missing), "MM:SS", "HH:MM:SS", "D-HH",
 * "D-HH:MM", "D-HH:MM:SS"; the first number may be any, those behind it are below 24 or 60. From
 * one second up to NU_LONGEST_SECONDS; `zero_too`: none is as good. A number alone is refused, as
 * Slurm takes it for minutes. */
bool nu_parse_duration(const char *text, bool zero_too, double *seconds);

#endif
