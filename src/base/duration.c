/* SPDX-License-Identifier: MIT */
#include "base/duration.h"

#include <stdint.h>
#include <string.h>

#define DAY 86400.0
#define HOUR 3600.0
#define MINUTE 60.0

/* Leading zeros are usual here: "01:05:00". Ten digits are more than the longest duration has. */
static const char *take_number(const char *text, double *out) {
  const char *c = text;
  *out = 0.0;
  for (; *c >= '0' && *c <= '9' && c - text < 11; c++) *out = 10.0 * *out + (*c - '0');
  bool whole = c > text && c - text < 11;
  return whole ? c : NULL;
}

/* Numbers with colons between; all but the first of a text without days are bounded. */
static const char *take_fields(const char *text, double fields[3], int *n) {
  const char *c = text;
  for (*n = 0; *n < 3;) {
    c = take_number(c, &fields[(*n)++]);
    if (!c || *c != ':') return c;
    c++;
  }
  return NULL;
}

/* "HH", "HH:MM" or "HH:MM:SS" behind days. */
static bool read_behind_days(const char *text, double *seconds) {
  double fields[3] = {0.0};
  int n;
  const char *end = take_fields(text, fields, &n);
  *seconds += fields[0] * HOUR + fields[1] * MINUTE + fields[2];
  return end && *end == '\0' && fields[0] < 24.0 && fields[1] < 60.0 && fields[2] < 60.0;
}

/* "MM:SS" or "HH:MM:SS". */
static bool read_clock(const char *text, double *seconds) {
  double fields[3] = {0.0};
  int n;
  const char *end = take_fields(text, fields, &n);
  if (!end || *end != '\0' || n < 2) return false;
  *seconds =
      n == 3 ? fields[0] * HOUR + fields[1] * MINUTE + fields[2] : fields[0] * MINUTE + fields[1];
  return fields[1] < 60.0 && fields[2] < 60.0;
}

static bool read_duration(const char *text, double *seconds) {
  double first;
  const char *end = take_number(text, &first);
  if (!end) return false;
  if (*end == ':') return read_clock(text, seconds);
  *seconds = *end == '-' ? first * DAY : first;
  if (*end == '-') return read_behind_days(end + 1, seconds);
  return strcmp(end + strspn(end, " "), "s") == 0;
}

bool nu_parse_duration(const char *text, bool zero_too, double *seconds) {
  *seconds = 0.0;
  return read_duration(text, seconds) && *seconds <= NU_LONGEST_SECONDS &&
         (zero_too || *seconds > 0.0);
}
