/* Signals that ask a training to stop. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#define EXIT_INTERRUPTED 130 /* 128 + SIGINT, as shells have it */

static const struct {
  int number;
  const char *name;
} caught[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGUSR1, "SIGUSR1"}};
#define CAUGHT (sizeof caught / sizeof caught[0])

/* The only mutable globals of numann: a handler has no other way to hand on what it saw. */
static volatile sig_atomic_t received;
static volatile sig_atomic_t interrupts;

static void handle(int number) {
  if (number == SIGINT) {
    if (interrupts != 0) _exit(EXIT_INTERRUPTED);
    interrupts = 1;
  }
  received = number;
}

void nu_signals_catch(void) {
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < CAUGHT; i++) sigaction(caught[i].number, &action, NULL);
  /* A quota on file sizes is then an error of the write, which keeps the older checkpoint. */
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGXFSZ, &ignore, NULL);
}

const char *nu_signals_received(void) {
  int number = received;
  for (size_t i = 0; i < CAUGHT; i++)
    if (caught[i].number == number) return caught[i].name;
  return NULL;
}
