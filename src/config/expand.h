/* Variables of the environment in values of a config. SPDX-License-Identifier: MIT
 *
 * ${NAME} is the variable's value, ${NAME:-word} the word where the variable is not set or empty;
 * $${ is ${ as it stands, and a $ before anything else is itself. What a variable holds is taken as
 * it is: it is not looked at for further ones. */
#ifndef NU_CONFIG_EXPAND_H
#define NU_CONFIG_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

/* Is there anything for nu_expand to do? */
bool nu_has_variable(const char *text, size_t n);

/* text[0..n) with its variables replaced, into `out`. place: where it stands, for messages.
 * NUMANN_ERR_CONFIG names a variable that is not set, or what is no variable. */
numann_status nu_expand(const char *place, const char *text, size_t n, nu_text *out,
                        numann_error *err);

/* The text that nu_expand makes `text` of. */
void nu_expand_protect(const char *text, nu_text *out);

#endif
