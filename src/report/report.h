/* Report: what a run shows and leaves behind. SPDX-License-Identifier: MIT
 *   progress line -> metrics.csv, metrics.jsonl -> table at the end -> report.html */
#ifndef NU_REPORT_REPORT_H
#define NU_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"
#include "data/data.h"
#include "network/network.h"
#include "plan/plan.h"
#include "numann/trainer.h"
#include "trainer/evaluate.h"

/* The progress line on a stream (stderr). On a terminal one line, redrawn at most 10 times a
 * second: epoch, bar, loss, validation, samples/s, ETA. Elsewhere one plain line per epoch, at most
 * every `NU_PLAIN_SECONDS`, the first and last always. */
typedef struct nu_progress nu_progress;
#define NU_PLAIN_SECONDS 2.0
nu_progress *nu_progress_create(FILE *stream, bool quiet); /* NULL: memory refused */
void nu_progress_step(nu_progress *progress, const numann_progress *at);
void nu_progress_epoch(nu_progress *progress, const numann_epoch *epoch);
/* Leave the line, so that other output starts on a fresh one. */
void nu_progress_end(nu_progress *progress);
void nu_progress_destroy(nu_progress *progress);

/* metrics.csv and metrics.jsonl of a run folder, one row per epoch, flushed after each; and the
 * rows in memory for the report. Losses are the shortest decimals that read back the same. */
typedef struct nu_metrics nu_metrics;
/* keep_epochs: rows of this many epochs are kept from files already there (a resume), later ones
 * are cut off; 0 starts new files. */
numann_status nu_metrics_open(nu_metrics **out, const char *folder, uint64_t keep_epochs,
                              numann_error *err);
numann_status nu_metrics_add(nu_metrics *metrics, const numann_epoch *epoch, numann_error *err);
/* Write both files anew, whole, if one was removed or replaced meanwhile. */
numann_status nu_metrics_complete(nu_metrics *metrics, numann_error *err);
const numann_epoch *nu_metrics_view(const nu_metrics *metrics, size_t *n); /* until the next add */
void nu_metrics_close(nu_metrics *metrics);

/* One run's facts, all borrowed; NULL or rows = 0 where there is none. */
typedef struct nu_result {
  const char *title;        /* "digits" */
  const char *config_text;  /* effective YAML */
  const char *machine_text; /* a few lines: cpu, cores, threads, strategy, isa, versions */
  const char *network_text; /* "64 - 64 relu - 10 softmax, 4810 parameters" */
  const char *weights_sha256;
  const nu_schema *schema;
  const numann_epoch *epochs; /* [n_epochs] */
  size_t n_epochs;
  const nu_evaluation *train, *validation, *test;
  double seconds;
  const numann_network *network; /* drawn in the report, as is the plan's placement */
  const nu_plan *plan;
  size_t data_bytes;          /* of the training rows */
  const char *placement_text; /* "2 of 2 threads where planned; 553 pages asked about, ..." */
} nu_result;

/* The compact table for the terminal: losses, accuracy or rmse, per-class precision and recall,
 * the confusion matrix for up to 20 classes. `colour`: for a terminal that shows colours (the
 * caller honours NO_COLOR). */
void nu_result_table(const nu_result *result, bool colour, nu_text *out);

/* report.html: one self-contained file, opens offline, no script needed. Written whole or not. */
numann_status nu_report_write(const char *path, const nu_result *result, numann_error *err);

#endif
