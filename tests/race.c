/* Two threads of a team count in one plain variable: in turns, a barrier between them, or at the
 * same time (any argument), which a detector of data races must report. The same team, barrier and
 * OpenMP runtime serve a training. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "machine/team.h"

enum { TURNS = 1000 };

typedef struct counter {
  bool at_once;
  unsigned n;
} counter;

static void count(nu_team *team, size_t thread, void *arg) {
  counter *c = arg;
  for (size_t turn = 0; turn < TURNS; turn++) {
    if (c->at_once || turn % 2 == thread) c->n++;
    nu_team_barrier(team);
  }
}

int main(int argc, char **argv) {
  (void)argv;
  counter c = {.at_once = argc > 1};
  numann_error err;
  if (nu_team_run(2, count, &c, &err) != NUMANN_OK) return 1;
  printf("%u\n", c.n);
  return 0;
}
