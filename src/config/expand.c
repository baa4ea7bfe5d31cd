/* SPDX-License-Identifier: MIT */
#include "config/expand.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define ADVICE "write ${NAME} or ${NAME:-word}, and $${ for a ${ as it stands"

static bool opens(const char *c, const char *end) {
  return end - c >= 2 && c[0] == '$' && c[1] == '{';
}

bool nu_has_variable(const char *text, size_t n) {
  for (const char *c = text; c < text + n; c++)
    if (opens(c, text + n)) return true;
  return false;
}

static size_t name_length(const char *name, const char *end) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  static const char digits[] = "0123456789";
  const char *c = name;
  while (c < end && *c != '\0' && (strchr(letters, *c) || (c > name && strchr(digits, *c)))) c++;
  return (size_t)(c - name);
}

/* What stands between the braces. */
typedef struct variable {
  char *name;       /* owned */
  const char *word; /* behind ":-"; NULL: there is none */
  const char *end;  /* the closing brace */
} variable;

static numann_status read_variable(const char *place, const char *inside, const char *end,
                                   variable *out, numann_error *err) {
  char shown[NU_EXCERPT];
  const char *close = memchr(inside, '}', (size_t)(end - inside));
  nu_excerpt(inside - 2, (size_t)((close ? close + 1 : end) - inside) + 2, shown);
  if (!close)
    return nu_fail(err, NUMANN_ERR_CONFIG, "%s: found %s without its }; " ADVICE, place, shown);
  size_t n = name_length(inside, close), rest = (size_t)(close - inside) - n;
  bool has_word = rest >= 2 && memcmp(inside + n, ":-", 2) == 0;
  if (n == 0 || (rest > 0 && !has_word))
    return nu_fail(err, NUMANN_ERR_CONFIG, "%s: found %s, which names no variable; " ADVICE, place,
                   shown);
  *out = (variable){nu_copy_text(inside, n), has_word ? inside + n + 2 : NULL, close};
  return out->name ? NUMANN_OK : nu_fail_memory(err, n, "the name of a variable");
}

static numann_status add_value(const char *place, const variable *v, nu_text *out,
                               numann_error *err) {
  const char *value = getenv(v->name);
  if (v->word && (!value || *value == '\0')) {
    nu_text_append(out, v->word, (size_t)(v->end - v->word));
    return NUMANN_OK;
  }
  if (!value)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "%s: the variable %s is not set in the environment; set it, or write "
                   "${%s:-word} for a value without it",
                   place, v->name, v->name);
  if (!nu_is_utf8(value))
    return nu_fail(err, NUMANN_ERR_CONFIG, "%s: the value of the variable %s is not UTF-8", place,
                   v->name);
  nu_text_add(out, value);
  return NUMANN_OK;
}

numann_status nu_expand(const char *place, const char *text, size_t n, nu_text *out,
                        numann_error *err) {
  const char *end = text + n;
  for (const char *c = text; c < end; c++) {
    bool literal = *c == '$' && opens(c + 1, end);
    if (literal || !opens(c, end)) {
      nu_text_append(out, literal ? "${" : c, literal ? 2 : 1);
      c += literal ? 2 : 0;
      continue;
    }
    variable v = {0};
    NU_TRY(read_variable(place, c + 2, end, &v, err));
    numann_status status = add_value(place, &v, out, err);
    free(v.name);
    NU_TRY(status);
    c = v.end;
  }
  return out->failed ? nu_fail_memory(err, n, "a value") : NUMANN_OK;
}

void nu_expand_protect(const char *text, nu_text *out) {
  for (const char *c = text; *c; c++) {
    if (c[0] == '$' && c[1] == '{') nu_text_add(out, "$");
    nu_text_append(out, c, 1);
  }
}
