/* Pages: memory whose NUMA node matters. SPDX-License-Identifier: MIT
 *
 * A page lies on the node asked for (nu_pages_prefer), or else on that of the first thread to write
 * it. Asking takes Linux's system calls; elsewhere the first write decides. */
#ifndef NU_MACHINE_PAGES_H
#define NU_MACHINE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Zeroed memory of this many bytes that starts at a page boundary; a page comes into being with the
 * first write to it. NULL when refused. Free with nu_pages_free and the same number of bytes. */
void *nu_pages_alloc(size_t bytes);
void nu_pages_free(void *memory, size_t bytes);

/* The whole pages within [at, at + bytes) are given back to the system: what stands in them is
 * lost, the addresses stay. */
void nu_pages_drop(void *at, size_t bytes);

/* Ask for the node with the system's number `node` for pages [at, at + bytes), which start at a
 * page; with `move` also for pages that exist already. 0, or the errno of a refusal: then the first
 * write decides, and the pages are kept small, so that no large one spans two nodes. */
int nu_pages_prefer(void *at, size_t bytes, unsigned node, bool move);

/* The system's numbers of the nodes on which the n pages from `at` lie: a negative errno for a
 * page that does not exist. 0, or the errno of a refusal. */
int nu_pages_ask(const void *at, size_t n, int *nodes);

#endif
