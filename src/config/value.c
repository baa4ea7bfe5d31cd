/* One value against its row of the table. SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "config/store.h"

/* Is value one of "a|b|c"? */
static bool is_word(const char *words, const char *value, size_t length) {
  while (words && *words) {
    size_t n = strcspn(words, "|");
    if (n == length && memcmp(words, value, n) == 0) return true;
    words += n + (words[n] == '|');
  }
  return false;
}

/* "a number from 0 to 1, or one of none, standardize" */
static void describe(const nu_key *key, nu_text *out) {
  char low[NU_REAL_TEXT], high[NU_REAL_TEXT];
  if (key->kind == NU_KEY_REAL || key->kind == NU_KEY_COUNT) {
    nu_text_add(out, key->kind == NU_KEY_REAL ? "a number" : "a whole number");
    bool positive = key->min > 0 && key->min < 1e-200;
    if (positive) nu_text_add(out, " above 0");
    else if (key->min > -1e300) nu_text_addf(out, " from %s", nu_format_real(key->min, low));
    if (key->max == 1 - 1e-9) nu_text_add(out, " and below 1");
    else if (key->max < 9e15) nu_text_addf(out, " to %s", nu_format_real(key->max, high));
  }
  if (key->kind == NU_KEY_FLAG) nu_text_add(out, "true or false");
  if (key->kind == NU_KEY_PATH) nu_text_add(out, "the name of a file");
  if (key->kind == NU_KEY_EVERY) nu_text_add(out, "a whole number and s, epochs or steps, as in 60 s");
  if (key->words && out->length) nu_text_add(out, ", or ");
  for (const char *w = key->words; w && *w;) {
    size_t n = strcspn(w, "|");
    nu_text_append(out, w, n);
    w += n;
    if (*w) {
      nu_text_add(out, strchr(w + 1, '|') ? ", " : " or ");
      w++;
    }
  }
}

static numann_status refuse(const nu_key *key, const char *place, const char *path,
                            const char *value, size_t length, numann_error *err) {
  nu_text expected = {0};
  describe(key, &expected);
  int shown = length < 80 ? (int)length : 80;
  numann_status status =
      length ? nu_fail(err, NUMANN_ERR_CONFIG, "%s: %s: found \"%.*s\", expected %s", place, path,
                       shown, value, nu_text_view(&expected))
             : nu_fail(err, NUMANN_ERR_CONFIG, "%s: %s: found no value, expected %s", place, path,
                       expected.length ? nu_text_view(&expected) : "one; write it or delete the key");
  nu_text_clear(&expected);
  return status;
}

bool nu_parse_every(const char *text, double *seconds, unsigned long long *epochs,
                    unsigned long long *steps) {
  size_t digits = strspn(text, "0123456789");
  const char *unit = text + digits;
  uint64_t n;
  unit += strspn(unit, " ");
  *seconds = 0.0;
  *epochs = *steps = 0;
  if (!nu_parse_count(text, digits, &n) || n == 0) return false;
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
  return nu_parse_count(value, length, &count) && (double)count >= key->min && (double)count <= key->max;
}

static bool fits(const nu_key *key, const char *value, size_t length, bool plain) {
  double seconds;
  unsigned long long epochs, steps;
  if (memchr(value, '\0', length)) return false;
  switch (key->kind) {
    case NU_KEY_REAL:
    case NU_KEY_COUNT: return plain && (is_word(key->words, value, length) || is_number(key, value, length));
    case NU_KEY_FLAG: return plain && is_word("true|false", value, length);
    case NU_KEY_EVERY: return nu_parse_every(value, &seconds, &epochs, &steps);
    default: return key->words ? is_word(key->words, value, length) : length > 0;
  }
}

numann_status nu_check_value(const nu_key *key, const char *place, const char *path,
                             const char *value, size_t length, bool plain, numann_error *err) {
  return fits(key, value, length, plain) ? NUMANN_OK : refuse(key, place, path, value, length, err);
}
