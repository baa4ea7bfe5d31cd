/* The network as columns of neurons, and escaping for all drawings. SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>

#include "network/network.h"
#include "report/format.h"
#include "report/svg.h"

#define STEP_X 110 /* between layers */
#define STEP_Y 24  /* between neurons */
#define SHOWN 7    /* neurons of a layer; of more only the first and the last few */
#define LAYERS_MOST 9
#define MIDDLE ((SHOWN + 1) * STEP_Y / 2)
#define LABELS (2 * MIDDLE + 8)

void nu_escape(nu_text *out, const char *text) {
  for (uint32_t code; (code = nu_utf8_next(&text));) {
    switch (code) {
      case '<': nu_text_add(out, "&lt;"); break;
      case '>': nu_text_add(out, "&gt;"); break;
      case '&': nu_text_add(out, "&amp;"); break;
      case '"': nu_text_add(out, "&quot;"); break;
      case '\'': nu_text_add(out, "&#39;"); break;
      default: nu_utf8_add(out, code);
    }
  }
}

/* Column c of the drawing: 0 is the input. */
static size_t size_of(const numann_network *network, size_t c) {
  return c ? network->layers[c - 1].neurons : network->layers[0].inputs;
}

static const char *name_of(const numann_network *network, size_t c) {
  return c ? nu_activation_name(network->layers[c - 1].activation) : "input";
}

static size_t shown_of(size_t size) { return size < SHOWN ? size : SHOWN; }

/* The middle neuron of a shortened column is drawn as dots. */
static bool is_gap(size_t size, size_t i) { return size > SHOWN && i == SHOWN / 2; }

static int x_of(size_t c) { return 45 + (int)c * STEP_X; }

static int y_of(size_t shown, size_t i) {
  return MIDDLE + (2 * (int)i - (int)shown + 1) * STEP_Y / 2;
}

static void draw_connections(const numann_network *network, size_t c, nu_text *out) {
  size_t left = size_of(network, c), right = size_of(network, c + 1);
  nu_text_add(out, "<path class=\"link\" d=\"");
  for (size_t i = 0; i < shown_of(left); i++) {
    for (size_t j = 0; j < shown_of(right) && !is_gap(left, i); j++) {
      if (is_gap(right, j)) continue;
      nu_text_addf(out, "M%d %dL%d %d", x_of(c), y_of(shown_of(left), i), x_of(c + 1),
                   y_of(shown_of(right), j));
    }
  }
  nu_text_add(out, "\"/>\n");
}

static void draw_column(const numann_network *network, size_t c, nu_text *out) {
  size_t size = size_of(network, c), shown = shown_of(size);
  for (size_t i = 0; i < shown; i++) {
    int x = x_of(c), y = y_of(shown, i);
    if (!is_gap(size, i))
      nu_text_addf(out, "<circle class=\"neuron\" cx=\"%d\" cy=\"%d\" r=\"7\"/>", x, y);
    for (int d = -6; d <= 6 && is_gap(size, i); d += 6) {
      nu_text_addf(out, "<circle class=\"dots\" cx=\"%d\" cy=\"%d\" r=\"1.6\"/>", x, y + d);
    }
  }
  nu_text_addf(out, "<text class=\"strong\" text-anchor=\"middle\" x=\"%d\" y=\"%d\">%zu</text>",
               x_of(c), LABELS, size);
  nu_text_addf(out, "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\">%s</text>\n", x_of(c),
               LABELS + 17, name_of(network, c));
}

bool nu_network_draw(const numann_network *network, nu_text *out) {
  size_t columns = network->n_layers + 1;
  if (columns > LAYERS_MOST) return false;
  int width = x_of(columns - 1) + 45;
  nu_text_addf(out,
               "<svg class=\"network\" style=\"max-width:%dpx\" viewBox=\"0 0 %d %d\" role=\"img\" "
               "aria-label=\"layers of the network\">\n",
               width, width, LABELS + 26);
  for (size_t c = 0; c + 1 < columns; c++) draw_connections(network, c, out);
  for (size_t c = 0; c < columns; c++) draw_column(network, c, out);
  nu_text_add(out, "</svg>\n");
  return true;
}
