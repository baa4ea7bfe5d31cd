/* Drawings for the page: curves, the network and the placement, as inline SVG coloured by the
 * page's style. SPDX-License-Identifier: MIT */
#ifndef NU_REPORT_SVG_H
#define NU_REPORT_SVG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "numann/network.h"
#include "plan/plan.h"
#include "numann/trainer.h"

/* One curve over the epochs. NaN leaves a gap. */
typedef struct nu_curve {
  const char *name;
  const char *style; /* class in the page's style: "train", "validation", "rate" */
  size_t offset;     /* of its double in numann_epoch */
} nu_curve;

typedef struct nu_plot {
  const numann_epoch *epochs; /* [n_epochs], borrowed */
  size_t n_epochs;
  const nu_curve *curves; /* [n_curves], borrowed */
  size_t n_curves;
  const char *label;  /* says what is drawn, for those who cannot see it */
  double factor;      /* values are shown times this: 100 for shares in per cent */
  const char *unit;   /* after the labels of the axis: "%" or "" */
  double least, most; /* no value can lie outside, so the axis does not either */
  bool may_log;
  const numann_epoch *marked; /* NULL, or an epoch to mark on the last curve */
  const char *mark;           /* its name: "best" */
} nu_plot;

/* Is there anything to draw? */
bool nu_plot_has(const nu_plot *plot);
void nu_plot_draw(const nu_plot *plot, nu_text *out);

/* Columns of neurons; false, and nothing drawn, for networks too deep to be legible. */
bool nu_network_draw(const numann_network *network, nu_text *out);

/* Where threads and memory live: a box per node with its cores and their threads, then a bar
 * per buffer, coloured by node; `data_bytes` as nu_ledger_walk_training takes them. `alone`: a file
 * of its own, style included. False, and nothing drawn, for a plan without placement. */
bool nu_placement_picture(const nu_plan *plan, const numann_network *network, size_t data_bytes,
                          bool alone, nu_text *out);

/* The style of a drawing that stands alone. */
void nu_svg_style(nu_text *out);

/* Append the text so that it is content or attribute of HTML and SVG alike. */
void nu_escape(nu_text *out, const char *text);

#endif
