/* Curves over the epochs. SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/least.h"
#include "report/axis.h"
#include "report/format.h"
#include "report/svg.h"

/* The drawing's own units; the page scales it, so the letters are sized for about 480 pixels. */
#define WIDTH 480.0
#define HEIGHT 290.0
#define LEFT 54.0
#define RIGHT 462.0
#define TOP 46.0
#define BOTTOM 248.0

#define POINTS_MOST 400 /* of a curve; more cannot be told apart */
#define DOTS_MOST 40    /* with so few epochs each value gets a dot that tells its number */

typedef struct frame {
  const nu_plot *plot;
  nu_axis x, y;
  nu_text *out;
} frame;

/* ---- values and places */

static double value_at(const nu_plot *plot, const nu_curve *curve, size_t i) {
  double value;
  memcpy(&value, (const char *)&plot->epochs[i] + curve->offset, sizeof value);
  return isfinite(value) ? value * plot->factor : NAN;
}

static void add_number(nu_text *out, double value) {
  char buffer[NU_REAL_TEXT];
  nu_text_add(out, nu_format_fixed(value, 1, buffer));
}

static void add_attribute(nu_text *out, const char *name, double value) {
  nu_text_addf(out, " %s=\"", name);
  add_number(out, value);
  nu_text_add(out, "\"");
}

static double place_x(const frame *f, size_t i) {
  return LEFT + (RIGHT - LEFT) * nu_axis_place(&f->x, (double)f->plot->epochs[i].epoch);
}

static double place_y(const frame *f, double value) {
  return BOTTOM - (BOTTOM - TOP) * nu_axis_place(&f->y, value);
}

/* ---- axes */

static bool find_range(const nu_plot *plot, double *low, double *high) {
  *low = INFINITY;
  *high = -INFINITY;
  for (size_t c = 0; c < plot->n_curves; c++) {
    for (size_t i = 0; i < plot->n_epochs; i++) {
      double value = value_at(plot, &plot->curves[c], i);
      if (value < *low) *low = value;
      if (value > *high) *high = value;
    }
  }
  return *low <= *high;
}

bool nu_plot_has(const nu_plot *plot) {
  double low, high;
  return plot->n_epochs > 0 && find_range(plot, &low, &high);
}

static void draw_line(nu_text *out, const char *style, double x1, double y1, double x2, double y2) {
  nu_text_addf(out, "<line class=\"%s\"", style);
  add_attribute(out, "x1", x1);
  add_attribute(out, "y1", y1);
  add_attribute(out, "x2", x2);
  add_attribute(out, "y2", y2);
  nu_text_add(out, "/>");
}

static void draw_text(nu_text *out, double x, double y, const char *anchor, const char *text) {
  nu_text_add(out, "<text");
  add_attribute(out, "x", x);
  add_attribute(out, "y", y);
  nu_text_addf(out, " text-anchor=\"%s\">", anchor);
  nu_escape(out, text);
  nu_text_add(out, "</text>");
}

static void draw_axes(const frame *f) {
  char buffer[NU_REAL_TEXT], label[NU_REAL_TEXT + 8];
  for (size_t i = 0; i < f->y.n_ticks; i++) {
    double y = place_y(f, f->y.tick[i]);
    draw_line(f->out, "grid", LEFT, y, RIGHT, y);
    nu_axis_label(&f->y, f->y.tick[i], buffer);
    snprintf(label, sizeof label, "%s%s", buffer, f->plot->unit);
    draw_text(f->out, LEFT - 7, y + 4, "end", label);
  }
  for (size_t i = 0; i < f->x.n_ticks; i++) {
    double x = LEFT + (RIGHT - LEFT) * nu_axis_place(&f->x, f->x.tick[i]);
    draw_line(f->out, "axis", x, BOTTOM, x, BOTTOM + 4);
    draw_text(f->out, x, BOTTOM + 18, "middle", nu_axis_label(&f->x, f->x.tick[i], buffer));
  }
  draw_line(f->out, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
  draw_text(f->out, (LEFT + RIGHT) / 2, BOTTOM + 36, "middle", "epoch");
  nu_text_add(f->out, "\n");
}

static void draw_legend(const frame *f) {
  double x = LEFT;
  for (size_t c = 0; c < f->plot->n_curves; c++) {
    const nu_curve *curve = &f->plot->curves[c];
    nu_text_addf(f->out, "<g class=\"%s\">", curve->style);
    draw_line(f->out, "curve", x, 12, x + 24, 12);
    nu_text_add(f->out, "</g>");
    draw_text(f->out, x + 30, 16, "start", curve->name);
    x += 30 + 7.2 * (double)strlen(curve->name) + 22;
  }
  if (f->y.log) draw_text(f->out, RIGHT, 16, "end", "logarithmic scale");
  nu_text_add(f->out, "\n");
}

/* ---- curves */

typedef struct pen {
  const frame *frame;
  const nu_curve *curve;
  bool down;
} pen;

static void move_to(pen *p, size_t i) {
  nu_text *out = p->frame->out;
  nu_text_add(out, p->down ? "L" : "M");
  add_number(out, place_x(p->frame, i));
  nu_text_add(out, " ");
  add_number(out, place_y(p->frame, value_at(p->frame->plot, p->curve, i)));
  p->down = true;
}

/* The least and the greatest of epochs [first, end), in their order: thinning keeps every spike. */
static void draw_extremes(pen *p, size_t first, size_t end) {
  const nu_plot *plot = p->frame->plot;
  size_t low = end, high = end;
  for (size_t i = first; i < end; i++) {
    double value = value_at(plot, p->curve, i);
    if (isnan(value)) continue;
    if (low == end || value < value_at(plot, p->curve, low)) low = i;
    if (high == end || value > value_at(plot, p->curve, high)) high = i;
  }
  if (low == end) {
    p->down = false;
    return;
  }
  move_to(p, nu_smaller(low, high));
  if (low != high) move_to(p, nu_larger(low, high));
}

static void draw_path(const frame *f, const nu_curve *curve) {
  size_t n = f->plot->n_epochs, group = n <= POINTS_MOST ? 1 : 2 * ((n - 1) / POINTS_MOST + 1);
  pen p = {.frame = f, .curve = curve};
  nu_text_add(f->out, "<path class=\"curve\" d=\"");
  for (size_t i = 0; i < n; i += group) draw_extremes(&p, i, i + group < n ? i + group : n);
  nu_text_add(f->out, "\"/>\n");
}

static void draw_dot(const frame *f, const nu_curve *curve, size_t i, const char *style, double r) {
  char buffer[NU_REAL_TEXT];
  double value = value_at(f->plot, curve, i);
  nu_text_addf(f->out, "<circle class=\"%s\"", style);
  add_attribute(f->out, "cx", place_x(f, i));
  add_attribute(f->out, "cy", place_y(f, value));
  add_attribute(f->out, "r", r);
  nu_text_addf(f->out, "><title>epoch %" PRIu64 ": ", f->plot->epochs[i].epoch);
  nu_text_addf(f->out, "%s%s</title></circle>", nu_format_value(value, buffer), f->plot->unit);
}

/* A value without neighbours has no line that would show it. */
static bool is_alone(const nu_plot *plot, const nu_curve *curve, size_t i) {
  bool before = i > 0 && !isnan(value_at(plot, curve, i - 1));
  bool after = i + 1 < plot->n_epochs && !isnan(value_at(plot, curve, i + 1));
  return !before && !after;
}

static void draw_curve(const frame *f, const nu_curve *curve) {
  const nu_plot *plot = f->plot;
  bool dots = plot->n_epochs <= DOTS_MOST;
  nu_text_addf(f->out, "<g class=\"%s\">", curve->style);
  if (plot->n_epochs > 1) draw_path(f, curve);
  for (size_t i = 0; i < plot->n_epochs; i++) {
    bool shown = !isnan(value_at(plot, curve, i)) && (dots || is_alone(plot, curve, i));
    if (shown) draw_dot(f, curve, i, "dot", plot->n_epochs == 1 ? 4.0 : 2.2);
  }
  nu_text_add(f->out, "</g>\n");
}

static void draw_mark(const frame *f) {
  const nu_plot *plot = f->plot;
  if (!plot->marked || plot->n_epochs < 2) return;
  size_t i = (size_t)(plot->marked - plot->epochs);
  const nu_curve *curve = &plot->curves[plot->n_curves - 1];
  if (isnan(value_at(plot, curve, i))) return;
  double x = place_x(f, i);
  const char *anchor = x > (LEFT + RIGHT) / 2 ? "end" : "start";
  nu_text text = {0};
  nu_text_addf(&text, "%s: epoch %" PRIu64, plot->mark, plot->marked->epoch);
  draw_line(f->out, "mark", x, TOP - 12, x, BOTTOM);
  draw_text(f->out, *anchor == 'e' ? x - 5 : x + 5, TOP - 6, anchor, nu_text_view(&text));
  nu_text_addf(f->out, "<g class=\"%s\">", curve->style);
  draw_dot(f, curve, i, "ring", 5.0);
  nu_text_add(f->out, "</g>\n");
  f->out->failed |= text.failed;
  nu_text_clear(&text);
}

void nu_plot_draw(const nu_plot *plot, nu_text *out) {
  double low, high;
  if (plot->n_epochs == 0 || !find_range(plot, &low, &high)) return;
  frame f = {.plot = plot, .out = out, .y = nu_axis_values(low, high, plot->may_log)};
  nu_axis_clip(&f.y, plot->least, plot->most);
  f.x =
      nu_axis_counts((double)plot->epochs[0].epoch, (double)plot->epochs[plot->n_epochs - 1].epoch);
  nu_text_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", (int)WIDTH,
               (int)HEIGHT);
  nu_escape(out, plot->label);
  nu_text_add(out, "\">\n");
  draw_axes(&f);
  draw_legend(&f);
  draw_mark(&f);
  for (size_t c = 0; c < plot->n_curves; c++) draw_curve(&f, &plot->curves[c]);
  nu_text_add(out, "</svg>\n");
}
