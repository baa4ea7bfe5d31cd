/* Ranks that are threads of the test. SPDX-License-Identifier: MIT */
#ifndef TESTS_MEETING_H
#define TESTS_MEETING_H

#include "machine/comm.h"

enum { MOST_RANKS = 64 };

/* fn on each of `size` ranks at once. */
void meet(size_t size, void (*fn)(nu_comm *comm, void *arg), void *arg);

#endif
