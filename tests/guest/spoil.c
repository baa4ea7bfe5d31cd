/* Loaded before the C library by the negative controls of tests/numa_guest.sh: what placement asks
 * for seems to be granted, and nothing happens. SPOIL=pages: mbind does nothing, and fresh memory
 * is written at once by the thread that maps it; SPOIL=threads: no thread is bound.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

typedef long call_fn(long number, ...);
typedef void *map_fn(void *at, size_t bytes, int protection, int flags, int file, off_t offset);

static int spoils(const char *what) {
  const char *wanted = getenv("SPOIL");
  return wanted != NULL && strcmp(wanted, what) == 0;
}

long syscall(long number, ...) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_mbind && spoils("pages")) return 0;
  if (number == SYS_sched_setaffinity && spoils("threads")) return 0;
  call_fn *call;
  *(void **)&call = dlsym(RTLD_NEXT, "syscall");
  return call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
  map_fn *map;
  *(void **)&map = dlsym(RTLD_NEXT, "mmap");
  char *memory = map(at, bytes, protection, flags, file, offset);
  if (memory != MAP_FAILED && (flags & MAP_ANONYMOUS) && (protection & PROT_WRITE) &&
      spoils("pages"))
    for (size_t i = 0; i < bytes; i += 4096) memory[i] = 0;
  return memory;
}
