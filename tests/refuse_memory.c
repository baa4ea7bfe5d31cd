/* Preloaded, it refuses memory to the command: REFUSE=n the n-th request, counted from 1, and with
 * REFUSE_ALL=1 every one from there on. At the end the count of requests stands in the file that
 * REFUSE_COUNT names. SPDX-License-Identifier: MIT
 *
 * Counted are the requests of malloc and its kin from main on, of libraries as well, for those of
 * libc come here too. Left out is what the loader asks for, and libraries when they are loaded, as
 * nothing of ours runs yet; what libgomp asks for, which ends the process by itself; and what hwloc
 * asks for but for its bitmaps, as it uses what it was refused. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 64

/* The allocator below this file: glibc exports it under these names too. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong requests;
static unsigned long wanted; /* 0: none is refused */
static bool every, counting;

/* Where the code of the libraries lies whose requests are left out. */
typedef struct range {
  const char *name;
  uintptr_t begin, end;
} range;
static range left_out[] = {{"libgomp", 0, 0}, {"libhwloc", 0, 0}};
#define LEFT_OUT (sizeof left_out / sizeof *left_out)

static const range *range_of(const void *address) {
  uintptr_t at = (uintptr_t)address;
  for (size_t k = 0; k < LEFT_OUT; k++)
    if (at >= left_out[k].begin && at < left_out[k].end) return &left_out[k];
  return NULL;
}

/* hwloc's bitmaps tell of a refusal. */
static bool is_bitmap(const void *address) {
  Dl_info function;
  return dladdr(address, &function) && function.dli_sname &&
         strncmp(function.dli_sname, "hwloc_bitmap_", 13) == 0;
}

/* Does a call of those libraries wait for this request? The outermost is what our code called. */
static bool is_left_out(void) {
  void *callers[FRAMES];
  int n = backtrace(callers, FRAMES);
  while (n > 0 && !range_of(callers[n - 1])) n--;
  return n > 0 && !is_bitmap(callers[n - 1]);
}

static bool refused(void) {
  static _Thread_local bool asking;
  if (!counting || asking) return false;
  asking = true;
  bool without = is_left_out();
  asking = false;
  if (without) return false;
  unsigned long n = atomic_fetch_add(&requests, 1) + 1;
  if (wanted == 0 || n < wanted || (n > wanted && !every)) return false;
  errno = ENOMEM;
  return true;
}

void *malloc(size_t size) { return refused() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return refused() ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return refused() ? NULL : __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) {
  return refused() ? NULL : __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
  if (refused()) return ENOMEM;
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}

static int find_left_out(struct dl_phdr_info *library, size_t size, void *unused) {
  (void)size;
  (void)unused;
  for (size_t k = 0; k < LEFT_OUT; k++) {
    if (!strstr(library->dlpi_name, left_out[k].name)) continue;
    for (size_t i = 0; i < library->dlpi_phnum; i++) {
      const ElfW(Phdr) *part = &library->dlpi_phdr[i];
      if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
      left_out[k].begin = library->dlpi_addr + part->p_vaddr;
      left_out[k].end = left_out[k].begin + part->p_memsz;
    }
  }
  return 0;
}

static void write_count(void) {
  counting = false;
  const char *path = getenv("REFUSE_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%lu\n", atomic_load(&requests));
  fclose(file);
}

/* ---- main, with the counting on */

typedef int entry(int n, char **arguments, char **environment);
typedef int start(entry *program, int n, char **arguments, void (*before)(void),
                  void (*after)(void), void (*loader)(void), void *stack);
static entry *program_main;

static int counted_main(int n, char **arguments, char **environment) {
  const char *text = getenv("REFUSE"), *all = getenv("REFUSE_ALL");
  wanted = text ? strtoul(text, NULL, 10) : 0;
  every = all && *all == '1';
  dl_iterate_phdr(find_left_out, NULL);
  (void)is_left_out(); /* the first backtrace asks for memory */
  atexit(write_count);
  counting = true;
  return program_main(n, arguments, environment);
}

int __libc_start_main(entry *program, int n, char **arguments, void (*before)(void),
                      void (*after)(void), void (*loader)(void), void *stack) {
  start *next;
  void *found = dlsym(RTLD_NEXT, "__libc_start_main");
  memcpy(&next, &found, sizeof next);
  program_main = program;
  return next(counted_main, n, arguments, before, after, loader, stack);
}
