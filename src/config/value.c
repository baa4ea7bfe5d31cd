/* One value against its row of the table, and how messages show both.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/duration.h"
#include "base/number.h"
#include "base/text.h"
#include "config/store.h"

/* ---- what a key takes */

/* Is value one of "a|b|c"? */
static bool is_word(const char *words, const char *value, size_t length) {
  while (words && *words) {
    size_t n = strcspn(words, "|");
    if (n == length && memcmp(words, value, n) == 0) return true;
    words += n + (words[n] == '|');
  }
  return false;
}

static bool is_number_kind(const nu_key *key) {
  return key->kind == NU_KEY_REAL || key->kind == NU_KEY_COUNT;
}

/* "a number above 0 and up to 1e+30" */
static void describe_number(const nu_key *key, nu_text *out) {
  char low[NU_REAL_TEXT], high[NU_REAL_TEXT];
  bool above_0 = key->min == NU_REAL_TINY, any = key->max == NU_COUNT_ANY;
  nu_text_add(out, key->kind == NU_KEY_REAL ? "a number" : "a whole number");
  if (above_0) nu_text_add(out, " above 0");
  else nu_text_addf(out, " from %s", nu_format_real(key->min, low));
  if (key->max == NU_REAL_BELOW_1) nu_text_add(out, " and below 1");
  else
    nu_text_addf(out, "%s to %s", above_0 ? " and up" : "",
                 any ? "18446744073709551615" : nu_format_real(key->max, high));
}

/* "none, standardize or min_max" */
static void describe_words(const char *words, nu_text *out) {
  for (const char *w = words; *w;) {
    size_t n = strcspn(w, "|");
    nu_text_append(out, w, n);
    w += n;
    if (*w == '\0') return;
    nu_text_add(out, strchr(w + 1, '|') ? ", " : " or ");
    w++;
  }
}

void nu_key_describe(const nu_key *key, nu_text *out) {
  switch (key->kind) {
    case NU_KEY_REAL:
    case NU_KEY_COUNT: describe_number(key, out); break;
    case NU_KEY_FLAG: nu_text_add(out, "true or false"); break;
    case NU_KEY_PATH: nu_text_add(out, "the name of a file"); break;
    case NU_KEY_LIST: nu_text_add(out, "a value or a list of values"); break;
    case NU_KEY_TIME: nu_text_add(out, "N s, MM:SS, HH:MM:SS or D-HH:MM:SS"); break;
    case NU_KEY_EVERY: nu_text_add(out, "N s, N epochs or N steps, as in 60 s"); break;
    case NU_KEY_TEXT:
      if (!key->words) nu_text_add(out, "a word");
      break;
  }
  if (key->words && (is_number_kind(key) || key->kind == NU_KEY_TIME)) nu_text_add(out, ", or ");
  if (key->words) describe_words(key->words, out);
}

/* ---- checking */

bool nu_parse_every(const char *text, double *seconds, uint64_t *epochs, uint64_t *steps) {
  size_t digits = strspn(text, "0123456789");
  const char *unit = text + digits;
  uint64_t n;
  unit += strspn(unit, " ");
  *seconds = 0.0;
  *epochs = *steps = 0;
  if (!nu_parse_count(text, digits, &n) || n == 0 || (double)n > NU_COUNT_HUGE) return false;
  if (strcmp(unit, "s") == 0) *seconds = (double)n;
  else if (strcmp(unit, "epochs") == 0 || strcmp(unit, "epoch") == 0) *epochs = n;
  else if (strcmp(unit, "steps") == 0 || strcmp(unit, "step") == 0) *steps = n;
  else return false;
  return true;
}

static bool is_number(const nu_key *key, const char *value, size_t length) {
  double number;
  uint64_t count;
  if (key->kind == NU_KEY_REAL) {
    return nu_parse_real(value, length, &number) && number >= key->min && number <= key->max;
  }
  return nu_parse_count(value, length, &count) && (double)count >= key->min &&
         (double)count <= key->max;
}

static bool fits(const nu_key *key, const char *value, size_t length, bool plain) {
  double seconds;
  uint64_t epochs, steps;
  if (memchr(value, '\0', length)) return false;
  switch (key->kind) {
    case NU_KEY_REAL:
    case NU_KEY_COUNT:
      return plain && (is_word(key->words, value, length) || is_number(key, value, length));
    case NU_KEY_FLAG: return plain && is_word("true|false", value, length);
    case NU_KEY_EVERY: return nu_parse_every(value, &seconds, &epochs, &steps);
    case NU_KEY_TIME:
      return is_word(key->words, value, length) || nu_parse_duration(value, false, &seconds);
    case NU_KEY_TEXT:
    case NU_KEY_PATH:
    case NU_KEY_LIST: break;
  }
  return key->words ? is_word(key->words, value, length) : length > 0;
}

numann_status nu_check_value(const nu_key *key, const char *place, const char *path,
                             const char *value, size_t length, bool plain, numann_error *err) {
  if (fits(key, value, length, plain)) return NUMANN_OK;
  nu_text expected = {0};
  char shown[NU_EXCERPT];
  bool number = is_number_kind(key) || key->kind == NU_KEY_FLAG;
  nu_key_describe(key, &expected);
  numann_status status =
      length ? nu_fail(err, NUMANN_ERR_CONFIG, "%s: %s: found \"%s\"%s, expected %s", place, path,
                       nu_excerpt(value, length, shown),
                       number && !plain && fits(key, value, length, true) ? " in quotes" : "",
                       nu_text_view(&expected))
             : nu_fail(err, NUMANN_ERR_CONFIG,
                       "%s: %s: found no value, expected %s; write one or delete the key", place,
                       path, nu_text_view(&expected));
  nu_text_clear(&expected);
  return status;
}

/* ---- unknown keys */

numann_status nu_fail_unknown_key(const char *place, const char *path, numann_error *err) {
  char nearest[NU_PATH_TEXT], shown[NU_EXCERPT];
  nu_excerpt(path, strlen(path), shown);
  return nu_key_nearest(path, nearest)
             ? nu_fail(err, NUMANN_ERR_CONFIG,
                       "%s: unknown key %s; did you mean %s? (`numann help config` lists all)",
                       place, shown, nearest)
             : nu_fail(err, NUMANN_ERR_CONFIG,
                       "%s: unknown key %s; `numann help config` lists the keys", place, shown);
}
