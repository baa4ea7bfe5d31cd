/* When a training has to stop so that its last checkpoint is written before its time is over, and
 * how many such times it needs. Pure functions of seconds: nobody's clock is asked.
 * SPDX-License-Identifier: MIT */
#ifndef NU_CHECKPOINT_DEADLINE_H
#define NU_CHECKPOINT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* What this process has measured; 0: not yet. */
typedef struct nu_pace {
  double step;       /* the longest */
  double validation; /* the longest, with what else stands between two epochs */
  double save;       /* the longest, from the step before it to the step after */
} nu_pace;

/* Seconds that are kept free at the end of a time of `length`: a save that takes twice as long as
 * any before, and what the process needs to end. */
double nu_deadline_reserve(const nu_pace *pace, double length);

/* With `left` seconds to the end: is there too little for what comes next, usually in `next`
 * seconds, and the reserve? What comes next may take twice as long, too. */
bool nu_deadline_stops(double left, double next, double reserve);

/* How one time of a chain of equal ones was spent. */
typedef struct nu_stint {
  uint64_t steps;      /* taken */
  uint64_t steps_left; /* of the whole training */
  double seconds;      /* from the first of them to the last, saves and validations included */
  double length;       /* of the whole time */
  double idle;         /* what of it no step has: before the first one, and the reserve */
} nu_stint;

/* Times like this one that the rest needs, at least 1; 0 where no step was taken. One that is too
 * short makes a step all the same, but the end of the run is then left to another. */
uint64_t nu_deadline_links(const nu_stint *link);

/* Whole per cent of the training that are done: 100 only at its end. */
unsigned nu_deadline_percent(uint64_t steps, uint64_t steps_left);

#endif
