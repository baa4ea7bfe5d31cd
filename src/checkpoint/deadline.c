/* SPDX-License-Identifier: MIT */
#include "checkpoint/deadline.h"

/* A shared disk is not always as fast as it was, nor a step on a shared machine. */
#define SLOWER 2.0
/* Of the whole time, for ending the process and the script around it. */
#define ENDING_SHARE 0.02
#define MOST_ENDING 10.0
/* Steps, more than there are in any time. */
#define MANY 1e18

double nu_deadline_reserve(const nu_pace *pace, double length) {
  double ending = ENDING_SHARE * length;
  return SLOWER * pace->save + (ending < MOST_ENDING ? ending : MOST_ENDING);
}

bool nu_deadline_stops(double left, double next, double reserve) {
  return left < SLOWER * next + reserve;
}

uint64_t nu_deadline_links(const nu_stint *link) {
  if (link->steps == 0) return 0;
  double useful = link->length > link->idle ? link->length - link->idle : 0.0;
  double share = link->seconds > 0.0 ? useful / link->seconds : 1.0;
  double each = share * (double)link->steps; /* steps of a whole time like this one */
  if (each < 1.0) return link->steps_left + 1;
  uint64_t whole = each < MANY ? (uint64_t)each : (uint64_t)MANY;
  uint64_t links = link->steps_left / whole + (link->steps_left % whole > 0);
  return links ? links : 1;
}

unsigned nu_deadline_percent(uint64_t steps, uint64_t steps_left) {
  if (steps_left == 0) return 100;
  double share = (double)steps / ((double)steps + (double)steps_left);
  unsigned percent = (unsigned)(100.0 * share);
  return percent < 100 ? percent : 99;
}
