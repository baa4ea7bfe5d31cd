/* SPDX-License-Identifier: MIT */
#include "plan/link.h"

#include <stdio.h>
#include <string.h>

#include "base/least.h"
#include "base/number.h"
#include "plan/rates.h"

/* What an MPI library does for a message between processes of one host, adjusted to Open MPI
 * (docs/plan.md): time of its own, and two copies. */
static const double MESSAGE_S = 2e-6;
static const double COPY_BYTES = 12.8e9; /* a second, by one core */

typedef struct unit {
  const char *name;
  double factor;
} unit;

static const unit bandwidths[] = {
    {"B/s", 1.0},      {"kB/s", 1e3},     {"MB/s", 1e6},     {"GB/s", 1e9},
    {"TB/s", 1e12},    {"KiB/s", 1024.0}, {"MiB/s", 0x1p20}, {"GiB/s", 0x1p30},
    {"kbit/s", 125.0}, {"Mbit/s", 125e3}, {"Gbit/s", 125e6}, {"Tbit/s", 125e9},
};
static const unit latencies[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}};

/* A number and a unit of the table, all of text[0..n). */
static bool read(const char *text, size_t n, const unit *units, size_t n_units, double *out) {
  const char *end = nu_scan_real(text, text + n, out);
  if (!end) return false;
  size_t length = n - (size_t)(end - text);
  for (size_t i = 0; i < n_units; i++) {
    if (strlen(units[i].name) != length || memcmp(units[i].name, end, length) != 0) continue;
    *out *= units[i].factor;
    return true;
  }
  return false;
}

bool nu_link_parse(const char *text, nu_link *out) {
  size_t n = strcspn(text, ",");
  if (text[n] != ',') return false;
  const char *rest = text + n + 1;
  return read(text, n, bandwidths, sizeof bandwidths / sizeof *bandwidths, &out->bytes_s) &&
         read(rest, strlen(rest), latencies, sizeof latencies / sizeof *latencies, &out->latency) &&
         out->bytes_s >= 1.0 && out->bytes_s <= 1e18 && out->latency >= 0.0 && out->latency <= 60.0;
}

const char *nu_link_show(const nu_link *link, char text[NU_LINK_TEXT]) {
  snprintf(text, NU_LINK_TEXT, "%.4g GB/s, %.4g us", link->bytes_s * 1e-9, link->latency * 1e6);
  return text;
}

nu_link nu_link_of_memory(const nu_rates *rates) {
  double copy = rates->shared_bytes < COPY_BYTES ? rates->shared_bytes : COPY_BYTES;
  return (nu_link){.bytes_s = copy / 2.0,
                   .latency = MESSAGE_S + rates->barrier + 2.0 * rates->barrier_thread};
}

double nu_link_seconds(const nu_link *link, nu_traffic sent, nu_traffic received) {
  double out = link->latency * (double)sent.messages + (double)sent.bytes / link->bytes_s;
  double in = link->latency * (double)received.messages + (double)received.bytes / link->bytes_s;
  return nu_larger_real(out, in);
}
