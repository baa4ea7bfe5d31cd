/* Filling a numann_error. Used by every stage. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_STATUS_H
#define NU_BASE_STATUS_H

#include <stdarg.h>
#include <stddef.h>

#include "numann/status.h"

/* Write the formatted line into err (NULL is allowed) and return status, so that a failing function
 * can end with `return nu_fail(err, NUMANN_ERR_DATA, "%s:%zu: ...", path, line);`. */
numann_status nu_fail(numann_error *err, numann_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
numann_status nu_vfail(numann_error *err, numann_status status, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* nu_fail for a refused allocation of `bytes` for `what`. */
numann_status nu_fail_memory(numann_error *err, size_t bytes, const char *what);

/* What to do after a system call on a file has failed with this errno; static storage. */
const char *nu_errno_advice(int error);

/* nu_fail for a system call that failed with errno: "place: what: reason; what helps", of `status`,
 * or of NUMANN_ERR_MEMORY where the system had no memory. */
numann_status nu_fail_system(numann_error *err, numann_status status, const char *place,
                             const char *what);

/* Forward a failure: NU_TRY(call) returns from the function if call did not give NUMANN_OK. */
#define NU_TRY(call)                                      \
  do {                                                    \
    numann_status nu_try_status = (call);                 \
    if (nu_try_status != NUMANN_OK) return nu_try_status; \
  } while (0)

#endif
