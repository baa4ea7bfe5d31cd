/* SPDX-License-Identifier: MIT */
#include "checkpoint/deadline.h"

#include <math.h>

/* A shared disk is not always as fast as it was, nor a step on a shared machine. */
#define SLOWER 2.0
/* Of the whole time, for ending the process and the script around it. */
#define ENDING_SHARE 0.02
#define MOST_ENDING 10.0

double nu_deadline_reserve(const nu_pace *pace, double length) {
  return SLOWER * pace->save + fmin(ENDING_SHARE * length, MOST_ENDING);
}

bool nu_deadline_stops(double left, double next, double reserve) {
  return left < SLOWER * next + reserve;
}

uint64_t nu_deadline_links(const nu_link *link) {
  if (link->steps == 0) return 0;
  double useful = fmax(link->length - link->idle, 0.0), each = (double)link->steps;
  if (link->seconds > 0.0) each = floor(each * useful / link->seconds);
  if (each < 1.0) return link->steps_left + 1;
  double links = ceil((double)link->steps_left / each);
  return links < 1.0 ? 1 : (uint64_t)links;
}

unsigned nu_deadline_percent(uint64_t steps, uint64_t steps_left) {
  if (steps_left == 0) return 100;
  double share = (double)steps / ((double)steps + (double)steps_left);
  unsigned percent = (unsigned)(100.0 * share);
  return percent < 100 ? percent : 99;
}
