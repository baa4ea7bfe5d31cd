/* A locale that writes 1,5, which must change nothing. SPDX-License-Identifier: MIT */
#ifndef TESTS_COMMA_H
#define TESTS_COMMA_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline bool comma_named(const char *name) {
  return setlocale(LC_ALL, name) && strcmp(localeconv()->decimal_point, ",") == 0;
}

/* One that is installed, or that LOCPATH has; else one made in `folder` (NULL: none is). Says so
 * where there is none. */
static inline bool choose_comma(const char *folder) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8",
                                      "it_IT.UTF-8"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (comma_named(names[i])) return true;
  }
  char command[1200];
  if (folder) {
    snprintf(command, sizeof command,
             "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", folder);
    bool made = system(command) == 0;
    setenv("LOCPATH", folder, 1);
    if (made && comma_named("de_DE.UTF-8")) return true;
  }
  puts("SKIP: no locale with a decimal comma is installed");
  return false;
}

#endif
