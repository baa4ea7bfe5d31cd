/* SPDX-License-Identifier: MIT */
#include "well_formed.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

typedef struct reader {
  const char *p;
  char open[64][24]; /* names of the elements that are open */
  size_t depth;
} reader;

static bool read_name(reader *r, char name[24]) {
  size_t n = 0;
  for (; (isalnum((unsigned char)*r->p) || *r->p == '!' || *r->p == '-') && n < 23; r->p++)
    name[n++] = *r->p;
  name[n] = '\0';
  return n > 0;
}

/* name="value" up to the end of the tag; false for anything else. */
static bool read_attributes(reader *r) {
  char name[24];
  while (*r->p == ' ') {
    r->p++;
    if (!read_name(r, name) || r->p[0] != '=' || r->p[1] != '"') return false;
    r->p += 2;
    r->p += strcspn(r->p, "\"<");
    if (*r->p != '"') return false;
    r->p++;
  }
  return true;
}

static bool read_tag(reader *r) {
  char name[24];
  bool closing = r->p[1] == '/';
  r->p += closing ? 2 : 1;
  if (!read_name(r, name)) return false;
  if (closing) return *r->p++ == '>' && r->depth > 0 && strcmp(r->open[--r->depth], name) == 0;
  if (strcmp(name, "!DOCTYPE") == 0) return strncmp(r->p, " html>", 6) == 0 && (r->p += 6);
  if (!read_attributes(r)) return false;
  if (*r->p == '/') return *++r->p == '>' && r->p++;
  if (*r->p++ != '>' || r->depth == 64) return false;
  memcpy(r->open[r->depth++], name, sizeof name);
  return true;
}

static bool read_entity(reader *r) {
  static const char *const entities[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};
  for (size_t i = 0; i < 5; i++) {
    if (strncmp(r->p, entities[i], strlen(entities[i])) == 0) return (r->p += strlen(entities[i]));
  }
  return false;
}

bool is_well_formed(const char *text) {
  reader r = {.p = text};
  while (*r.p) {
    bool good = *r.p == '<' ? read_tag(&r) : *r.p == '&' ? read_entity(&r) : r.p++ != NULL;
    if (!good) return false;
  }
  return r.depth == 0;
}
