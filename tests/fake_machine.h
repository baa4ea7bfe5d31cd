/* Machines and plans that nobody has, drawn at random. SPDX-License-Identifier: MIT */
#ifndef TESTS_FAKE_MACHINE_H
#define TESTS_FAKE_MACHINE_H

#include "plan/placement.h"

/* A sequence of random numbers of its own. */
typedef struct dice {
  uint64_t state;
} dice;
dice dice_of(uint64_t seed);
size_t roll(dice *d, size_t least, size_t most); /* both included */
bool one_in(dice *d, size_t n);

/* What was built, to be compared with what numann sees. */
typedef struct fake_machine {
  nu_machine machine;  /* clear with nu_machine_clear */
  size_t nodes;        /* with allowed cores */
  size_t cores, units; /* allowed */
} fake_machine;

/* Packages, nodes, caches, cores and hardware threads, some irregular, some not allowed; memory
 * without cores; numbers in one of the orders that systems give. At most 512 hardware threads. */
fake_machine fake_machine_of(dice *d);

/* A description for hwloc of a regular machine, and what it must give. */
typedef struct fake_words {
  char text[256];
  size_t nodes, cores, units;
} fake_words;
fake_words fake_words_of(dice *d);

/* A network, and a plan without placement for it. */
numann_network *fake_network_of(dice *d);
nu_plan fake_plan_of(dice *d, const nu_machine *machine);

/* All that a placement is made from, and the placement. */
typedef struct fake_subject {
  size_t seed;
  fake_machine fake;
  const nu_machine *machine;
  numann_network *network;
  nu_plan plan;
  nu_placement *placement; /* the plan's */
  nu_placement_request request;
  unsigned *given;
} fake_subject;
nu_placement *fake_placement_of(const fake_subject *s);

/* look at each of one part of a thousand subjects, the same ones every time. */
enum { FAKE_SUBJECTS = 1000, FAKE_PARTS = 10 };
void for_each_fake(int part, void (*look)(const fake_subject *));

#endif
