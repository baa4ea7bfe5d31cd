/* Versions: of the release, and of the numbers. SPDX-License-Identifier: MIT */
#ifndef NUMANN_VERSION_H
#define NUMANN_VERSION_H

#include <numann/status.h>

/* Raised with any change of a summation order, a polynomial or a random stream. Two builds with the
 * same numerics version give the same bits; a resume under another one is refused. */
#ifdef NU_FREE_ORDER /* a build for measuring, src/kernels/free_order.h: numbers of no version */
#define NUMANN_NUMERICS_VERSION 0
#else
#define NUMANN_NUMERICS_VERSION 3
#endif

/* "0.1.0"; static storage. */
NUMANN_API const char *numann_version(void);

#endif
