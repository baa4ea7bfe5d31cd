/* The curves of report.html. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdbool.h>

#include "report/page.h"
#include "report/scores.h"
#include "report/svg.h"

typedef struct chart {
  const char *title, *label;
  nu_curve curves[2];
  size_t n_curves;
  double factor;
  const char *unit;
  double most;
  bool may_log, marked;
} chart;

static const chart charts[] = {
    {.title = "Loss",
     .label = "loss by epoch",
     .curves = {{"training", "train", offsetof(numann_epoch, train_loss)},
                {"validation", "validation", offsetof(numann_epoch, validation_loss)}},
     .n_curves = 2,
     .factor = 1,
     .unit = "",
     .most = INFINITY,
     .may_log = true,
     .marked = true},
    {.title = "Validation accuracy",
     .label = "validation accuracy by epoch",
     .curves = {{"validation", "validation", offsetof(numann_epoch, validation_accuracy)}},
     .n_curves = 1,
     .factor = 100,
     .unit = "%",
     .most = 100,
     .marked = true},
    {.title = "Validation RMSE",
     .label = "root mean square error of the validation rows by epoch",
     .curves = {{"validation", "validation", offsetof(numann_epoch, validation_rmse)}},
     .n_curves = 1,
     .factor = 1,
     .unit = "",
     .most = INFINITY,
     .may_log = true,
     .marked = true},
    {.title = "Learning rate",
     .label = "learning rate by epoch",
     .curves = {{"learning rate", "rate", offsetof(numann_epoch, learning_rate)}},
     .n_curves = 1,
     .factor = 1,
     .unit = "",
     .most = INFINITY}};

#define CHARTS (sizeof charts / sizeof charts[0])

static nu_plot make_plot(const chart *c, const nu_result *result) {
  bool kept;
  nu_plot plot = {.epochs = result->epochs,
                  .n_epochs = result->n_epochs,
                  .curves = c->curves,
                  .n_curves = c->n_curves,
                  .label = c->label,
                  .factor = c->factor,
                  .unit = c->unit,
                  .least = 0.0,
                  .most = c->most,
                  .may_log = c->may_log};
  if (c->marked) plot.marked = nu_best_epoch(result->epochs, result->n_epochs, &kept);
  if (plot.marked) plot.mark = kept ? "best" : "lowest loss";
  return plot;
}

/* A legend must not name a curve that is not there. */
static void leave_out_empty(nu_plot *plot) {
  size_t all = plot->n_curves;
  while (plot->n_curves > 0) {
    nu_plot last = *plot;
    last.curves = &plot->curves[plot->n_curves - 1];
    last.n_curves = 1;
    if (nu_plot_has(&last)) break;
    plot->n_curves--;
  }
  if (plot->n_curves < all) plot->marked = NULL;
}

static bool changes(const nu_result *result) {
  for (size_t i = 1; i < result->n_epochs; i++) {
    double step = result->epochs[i].learning_rate - result->epochs[0].learning_rate;
    if (step > 0 || step < 0) return true;
  }
  return false;
}

size_t nu_page_curves(const nu_result *result, nu_text *out) {
  size_t cards = 0;
  for (size_t i = 0; i < CHARTS; i++) {
    nu_plot plot = make_plot(&charts[i], result);
    leave_out_empty(&plot);
    bool constant = i == CHARTS - 1 && !changes(result);
    if (plot.n_curves == 0 || constant) continue;
    nu_text_addf(out, "<section class=\"card\"><h2>%s</h2>\n", charts[i].title);
    nu_plot_draw(&plot, out);
    nu_text_add(out, "</section>\n");
    cards++;
  }
  return cards;
}
