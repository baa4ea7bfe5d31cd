/* The progress line: when to draw it, and on what. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "report/format.h"
#include "report/progress_line.h"
#include "report/report.h"

#define REDRAW_SECONDS 0.1
#define RATE_SECONDS 1.0 /* time constant of the shown speed */
#define DEFAULT_COLUMNS 80

struct nu_progress {
  FILE *stream; /* borrowed */
  bool quiet, terminal;
  bool utf8, colour;
  bool started;
  bool shown;   /* terminal: the cursor stands in the line */
  bool pending; /* plain: an epoch is over that was not printed */
  bool stale;   /* the line knows more than was drawn */
  nu_line line;
  double position; /* epochs done, with parts of epochs */
  double start_time, start_position;
  double drawn;     /* time of the last output */
  double rate_time; /* from here on `rate_rows` are counted */
  uint64_t rate_epoch, rate_rows;
  nu_text text; /* reused, so that drawing does not allocate for long */
};

static bool environment_refuses_terminal(void) {
  const char *term = getenv("TERM");
  return !term || !*term || strcmp(term, "dumb") == 0;
}

nu_progress *nu_progress_create(FILE *stream, bool quiet) {
  nu_progress *progress = calloc(1, sizeof *progress);
  if (!progress) return NULL;
  const char *no_color = getenv("NO_COLOR");
  progress->stream = stream;
  progress->quiet = quiet;
  progress->terminal = isatty(fileno(stream)) && !environment_refuses_terminal();
  progress->utf8 = nu_utf8_wanted();
  progress->colour = !(no_color && *no_color);
  progress->line = (nu_line){.loss = NAN,
                             .validation_loss = NAN,
                             .accuracy = NAN,
                             .rmse = NAN,
                             .rate = NAN,
                             .seconds = NAN};
  progress->drawn = -INFINITY;
  return progress;
}

void nu_progress_destroy(nu_progress *progress) {
  if (!progress) return;
  nu_text_clear(&progress->text);
  free(progress);
}

/* ---- drawing */

/* One column is left free: a terminal may wrap when the last one is written. */
static size_t columns_of(FILE *stream) {
  struct winsize size;
  bool known = ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (known ? size.ws_col : DEFAULT_COLUMNS) - 1u;
}

static void draw(nu_progress *progress, double now) {
  nu_text *text = &progress->text;
  nu_line_style style = {.plain = !progress->terminal,
                         .columns = progress->terminal ? columns_of(progress->stream) : 0,
                         .utf8 = progress->utf8,
                         .colour = progress->colour};
  double elapsed = now - progress->start_time;
  progress->line.seconds =
      progress->line.ended ? elapsed
                           : nu_line_remaining(elapsed, progress->start_position,
                                               progress->position, (double)progress->line.epochs);
  text->length = 0;
  if (progress->terminal) nu_text_add(text, "\r");
  nu_line_draw(&progress->line, style, text);
  nu_text_add(text, progress->terminal ? "\x1b[K" : "\n");
  if (!text->failed) fwrite(text->data, 1, text->length, progress->stream);
  fflush(progress->stream);
  progress->shown = progress->terminal;
  progress->pending = progress->stale = false;
  progress->drawn = now;
}

/* ---- what is known */

static void begin(nu_progress *progress, double time, double position) {
  if (progress->started) return;
  progress->started = true;
  progress->start_time = time;
  progress->start_position = position;
}

static void take_position(nu_progress *progress, double position, uint64_t epoch, uint64_t epochs) {
  progress->position = position;
  progress->line.epoch = epoch;
  progress->line.epochs = epochs;
  progress->line.done = epochs ? position / (double)epochs : 0.0;
  progress->line.ended = false;
}

/* The speed since the last redraw, smoothed; evaluation between epochs does not count. */
static void measure_rate(nu_progress *progress, const numann_progress *at, double now) {
  double seconds = now - progress->rate_time;
  bool counting = progress->rate_epoch == at->epoch && seconds > 0.0;
  if (counting && at->rows > progress->rate_rows) {
    double rate = (double)(at->rows - progress->rate_rows) / seconds, old = progress->line.rate;
    progress->line.rate =
        isnan(old) ? rate : old + (rate - old) * seconds / (seconds + RATE_SECONDS);
  }
  progress->rate_time = now;
  progress->rate_epoch = at->epoch;
  progress->rate_rows = at->rows;
}

void nu_progress_step(nu_progress *progress, const numann_progress *at) {
  if (progress->quiet) return;
  double now = nu_clock_seconds();
  double part = at->batches ? (double)at->batch / (double)at->batches : 0.0;
  double position = (double)(at->epoch ? at->epoch - 1 : 0) + part;
  begin(progress, now, position);
  take_position(progress, position, at->epoch, at->epochs);
  progress->line.loss = at->train_loss;
  progress->stale = true;
  if (!progress->terminal || now - progress->drawn < REDRAW_SECONDS) return;
  measure_rate(progress, at, now);
  draw(progress, now);
}

void nu_progress_epoch(nu_progress *progress, const numann_epoch *epoch) {
  if (progress->quiet) return;
  double now = nu_clock_seconds();
  double before = (double)(epoch->epoch ? epoch->epoch - 1 : 0);
  begin(progress, now - (epoch->seconds > 0 ? epoch->seconds : 0.0), before);
  take_position(progress, (double)epoch->epoch, epoch->epoch, epoch->epochs);
  progress->line.loss = epoch->train_loss;
  progress->line.validation_loss = epoch->validated ? epoch->validation_loss : NAN;
  progress->line.accuracy = epoch->validated ? epoch->validation_accuracy : NAN;
  progress->line.rmse = epoch->validated ? epoch->validation_rmse : NAN;
  progress->line.rate = epoch->samples_per_s > 0 ? epoch->samples_per_s : NAN;
  progress->rate_time = now;
  progress->rate_epoch = epoch->epoch + 1;
  progress->rate_rows = 0;
  progress->pending = progress->stale = true;
  progress->line.ended = epoch->epoch >= epoch->epochs;
  double wait = progress->terminal ? REDRAW_SECONDS : NU_PLAIN_SECONDS;
  if (progress->line.ended || now - progress->drawn >= wait) draw(progress, now);
}

void nu_progress_end(nu_progress *progress) {
  if (progress->quiet || !progress->started) return;
  bool due = progress->terminal ? progress->shown || progress->stale : progress->pending;
  if (!due) return;
  progress->line.ended = true;
  draw(progress, nu_clock_seconds());
  if (progress->terminal) {
    fputc('\n', progress->stream);
    fflush(progress->stream);
  }
  progress->shown = false;
}
