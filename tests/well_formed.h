/* Is a page HTML and XML at once: tags in pairs, attributes in quotes, known entities?
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_WELL_FORMED_H
#define TESTS_WELL_FORMED_H

#include <stdbool.h>

bool is_well_formed(const char *text);

#endif
