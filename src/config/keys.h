/* The one table of config keys. SPDX-License-Identifier: MIT */
#ifndef NU_CONFIG_KEYS_H
#define NU_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* Ends of the ranges of real keys. Between them a number is normal and finite as a float too. */
#define NU_REAL_TINY 1e-30 /* least positive number, where 0 is not allowed */
#define NU_REAL_HUGE 1e30
#define NU_REAL_BELOW_1 (1 - 1e-9)
#define NU_COUNT_HUGE 1e9
#define NU_COUNT_ANY 18446744073709551616.0 /* 2^64: every uint64_t */

#define NU_MAX_LAYERS 1000
#define NU_PATH_TEXT 256 /* room for any path of the table, and for most mistakes */

typedef enum nu_key_kind {
  NU_KEY_TEXT,  /* any scalar, or one of `words` where there are any */
  NU_KEY_PATH,  /* a file; relative to the config's folder */
  NU_KEY_REAL,  /* a number in [min, max]; or one of `words` */
  NU_KEY_COUNT, /* a whole number in [min, max]; or one of `words`, which the getter gives as 0 */
  NU_KEY_FLAG,  /* true or false */
  NU_KEY_LIST,  /* a list of scalars; one scalar is a list of one */
  NU_KEY_EVERY, /* "60 s", "2 epochs", "500 steps" */
  NU_KEY_TIME   /* "90 s", "12:00:00" (base/duration.h); or one of `words` */
} nu_key_kind;

typedef struct nu_key {
  const char *path; /* "network.layers.*.neurons": * is an index */
  nu_key_kind kind;
  const char *fallback; /* the default as it would be written, or NULL for none */
  double min, max;      /* of numbers, inclusive */
  const char *words;    /* "a|b|c", or NULL */
  bool may_change;      /* may a resume change it? */
  const char *help;     /* one sentence */
} nu_key;

/* All keys, in the order in which they are written. */
const nu_key *nu_keys(size_t *n);

/* The row of a concrete path ("network.layers.2.neurons"); NULL when there is none. */
const nu_key *nu_key_find(const char *path);

/* Is the path that of a mapping, that is, are there keys below it? */
bool nu_key_is_mapping(const char *path);

/* The known key or mapping nearest to `path`, for suggestions: by edit distance, or by its last
 * name where that alone is right ("train.learning_rate"). False: nothing is near. */
bool nu_key_nearest(const char *path, char nearest[NU_PATH_TEXT]);

/* What the key takes: "a whole number from 1 to 4096, or auto". */
void nu_key_describe(const nu_key *key, nu_text *out);

/* Number of edits (insert, delete, replace) from a to b; both are cut at 127 characters. */
size_t nu_edit_distance(const char *a, const char *b);

#endif
