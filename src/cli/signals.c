/* Signals that ask a training to stop. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "numann/status.h"

#define EXIT_INTERRUPTED 130 /* 128 + SIGINT, as shells have it */

/* By a user, by a terminal that is gone, and by the batch systems at the end of a job's time. */
static const struct {
  int number;
  const char *name;
} caught[] = {{SIGINT, "SIGINT"},   {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"},
              {SIGXCPU, "SIGXCPU"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}};
#define CAUGHT (sizeof caught / sizeof caught[0])

/* The only mutable globals of numann: a handler has no other way to hand on what it saw. */
static volatile sig_atomic_t received;
static volatile sig_atomic_t interrupts;
static volatile sig_atomic_t deferred;
static const char *advice; /* set before the handlers are */

static const char *name_of(int number) {
  for (size_t i = 0; i < CAUGHT; i++)
    if (caught[i].number == number) return caught[i].name;
  return NULL;
}

/* In a handler: nothing of stdio, and a stream that is gone is no reason to stay. */
static void tell(const char *text) {
  ssize_t wrote = write(STDERR_FILENO, text, strlen(text));
  (void)wrote;
}

static void end_at_once(int number) {
  if (advice) {
    tell("numann: stopped by ");
    tell(name_of(number));
    tell(" before the first step, there was nothing to save; ");
    tell(advice);
    tell("\n");
  }
  _exit(NUMANN_STOPPED);
}

static void handle(int number) {
  if (!deferred) end_at_once(number);
  if (number == SIGINT) {
    if (interrupts != 0) _exit(EXIT_INTERRUPTED);
    interrupts = 1;
  }
  received = number;
}

/* What the caller ignores (nohup, a shell's background job) stays ignored. */
static void catch_one(int number) {
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART}, before;
  sigemptyset(&action.sa_mask);
  if (sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_IGN) return;
  sigaction(number, &action, NULL);
}

static void ignore(int number) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

void nu_signals_fail_writes(void) { ignore(SIGXFSZ); }

void nu_signals_catch(const char *go_on) {
  advice = go_on;
  ignore(SIGPIPE);
  for (size_t i = 0; i < CAUGHT; i++) catch_one(caught[i].number);
}

void nu_signals_defer(void) { deferred = 1; }

const char *nu_signals_received(void) { return name_of(received); }
