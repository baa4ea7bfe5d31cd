/* The network between ranks, as a forecast sees it. SPDX-License-Identifier: MIT
 *
 * A message takes the latency and its bytes at the bandwidth. A rank sends its messages one after
 * another, and gets those of others meanwhile, also one after another; all ranks do so at once, as
 * on hosts with a port each behind a switch that no traffic fills. */
#ifndef NU_PLAN_LINK_H
#define NU_PLAN_LINK_H

#include "plan/exchange.h"

typedef struct nu_link {
  double bytes_s; /* bandwidth of a rank, each way */
  double latency; /* seconds of a message */
} nu_link;

/* The whole text, "BANDWIDTH,LATENCY" such as "10GB/s,2us": a number above 0 in B/s, kB/s, MB/s,
 * GB/s, TB/s, KiB/s, MiB/s, GiB/s, kbit/s, Mbit/s, Gbit/s, Tbit/s; one of at least 0 and at most
 * 60 s in ns, us, ms or s. No blanks. */
bool nu_link_parse(const char *text, nu_link *out);
/* "12.5 GB/s, 2 us" */
#define NU_LINK_TEXT 64
const char *nu_link_show(const nu_link *link, char text[NU_LINK_TEXT]);

/* Ranks on one host: what one core reads of what another has just written. */
nu_link nu_link_of_memory(const nu_rates *rates);

/* Of an exchange: until the rank has sent and received all. */
double nu_link_seconds(const nu_link *link, nu_traffic sent, nu_traffic received);

#endif
