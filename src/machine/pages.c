/* Pages and their NUMA nodes. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "machine/pages.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#ifdef __linux__
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_NODES 1024u
#define WORD_BITS (8 * sizeof(unsigned long))

void *nu_pages_alloc(size_t bytes) {
  void *memory =
      mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

void nu_pages_free(void *memory, size_t bytes) {
  if (memory) munmap(memory, bytes ? bytes : 1);
}

void nu_pages_drop(void *at, size_t bytes) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)at;
  uintptr_t first = nu_round_up(begin, page), last = (begin + bytes) / page * page;
  if (first < last) madvise((char *)at + (first - begin), last - first, MADV_DONTNEED);
}

/* Preferred and not bound: where the node is full, a page elsewhere is better than none. The policy
 * also cuts the mapping, so that no large page spans two stripes. */
int nu_pages_prefer(void *at, size_t bytes, unsigned node, bool move) {
  unsigned long mask[MOST_NODES / WORD_BITS] = {0};
  if (node >= MOST_NODES) return EINVAL;
  mask[node / WORD_BITS] = 1ul << node % WORD_BITS;
  long failed =
      syscall(SYS_mbind, at, bytes, MPOL_PREFERRED, mask, MOST_NODES + 1, move ? MPOL_MF_MOVE : 0);
  if (failed == 0) return 0;
  int refusal = errno;
  madvise(at, bytes, MADV_NOHUGEPAGE);
  return refusal;
}

enum { MOST_ASKED = 512 };

static int ask_some(const char *at, size_t n, size_t page, int *nodes) {
  const void *pages[MOST_ASKED];
  for (size_t i = 0; i < n; i++) pages[i] = at + i * page;
  return syscall(SYS_move_pages, 0, n, pages, NULL, nodes, 0) == 0 ? 0 : errno;
}

int nu_pages_ask(const void *at, size_t n, int *nodes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t done = 0; done < n;) {
    size_t some = n - done < MOST_ASKED ? n - done : MOST_ASKED;
    int refusal = ask_some((const char *)at + done * page, some, page, nodes + done);
    if (refusal) return refusal;
    done += some;
  }
  return 0;
}

#else

void *nu_pages_alloc(size_t bytes) { return nu_alloc(bytes, 1); }
void nu_pages_free(void *memory, size_t bytes) {
  (void)bytes;
  free(memory);
}
void nu_pages_drop(void *at, size_t bytes) { (void)at, (void)bytes; }
int nu_pages_prefer(void *at, size_t bytes, unsigned node, bool move) {
  (void)at, (void)bytes, (void)node, (void)move;
  return ENOSYS;
}
int nu_pages_ask(const void *at, size_t n, int *nodes) {
  (void)at, (void)n, (void)nodes;
  return ENOSYS;
}

#endif
