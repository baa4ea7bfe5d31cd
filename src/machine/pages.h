/* Pages: memory whose NUMA node matters. SPDX-License-Identifier: MIT
 *
 * A page lies where its node is asked for (nu_pages_prefer), or else where the first thread that
 * writes it runs. Linux's system calls; elsewhere only the latter. */
#ifndef NU_MACHINE_PAGES_H
#define NU_MACHINE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Of so many bytes, zero, at a page boundary, and not there yet: the first write makes a page. NULL
 * when refused. Free with nu_pages_free and the same number of bytes. */
void *nu_pages_alloc(size_t bytes);
void nu_pages_free(void *memory, size_t bytes);

/* Ask for the node with the system's number `node` for pages [at, at + bytes), which start at a
 * page; with `move` also for those that are there. 0, or the errno of a refusal: then the first
 * write decides, and the pages are kept small, so that no large one spans two nodes. */
int nu_pages_prefer(void *at, size_t bytes, unsigned node, bool move);

/* The system's numbers of the nodes on which the n pages from `at` lie: a negative errno where a
 * page is not there. 0, or the errno of a refusal. */
int nu_pages_ask(const void *at, size_t n, int *nodes);

#endif
