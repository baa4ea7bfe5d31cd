/* report.html: the page that a run leaves. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/durable.h"
#include "numann/version.h"
#include "plan/placement.h"
#include "report/format.h"
#include "report/page.h"
#include "report/report.h"
#include "report/scores.h"
#include "report/svg.h"

static bool is_there(const char *text) { return text && *text; }

static void put_head(const nu_result *r, nu_text *out) {
  nu_text_add(out,
              "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>");
  nu_escape(out, r->title ? r->title : "run");
  nu_text_add(out, " - numann report</title>\n<style>\n");
  nu_page_style(out);
  nu_text_addf(out,
               "\n</style>\n</head>\n<body>\n<main>\n<header>\n"
               "<p class=\"brand\">numann %s training report</p>\n<h1>",
               numann_version());
  nu_escape(out, r->title ? r->title : "run");
  nu_text_add(out, "</h1>\n");
  if (is_there(r->network_text)) {
    nu_text_add(out, "<p>");
    nu_escape(out, r->network_text);
    nu_text_add(out, "</p>\n");
  }
  nu_text_add(out, "</header>\n");
}

/* ---- headline figures */

static void put_tile(nu_text *out, const char *style, const char *what, const char *value,
                     const char *note) {
  nu_text_addf(out, "<div class=\"tile%s\"><span>%s</span><b>%s</b><span>%s</span></div>\n", style,
               what, value, note);
}

static void put_score_tiles(const nu_result *r, nu_text *out) {
  char value[NU_REAL_TEXT], title[64], note[64];
  const char *name;
  const nu_evaluation *judge = nu_result_judge(r, &name);
  if (!judge) return;
  snprintf(title, sizeof title, "%s %s", name, judge->classes ? "accuracy" : "RMSE");
  snprintf(note, sizeof note, "%zu rows", judge->rows);
  title[0] = (char)(title[0] - 'a' + 'A');
  if (judge->classes) nu_format_share(judge->accuracy, 2, value);
  else nu_format_value(judge->rmse, value);
  put_tile(out, " first", title, value, note);
  snprintf(title, sizeof title, "%s loss", name);
  title[0] = (char)(title[0] - 'a' + 'A');
  put_tile(out, "", title, nu_format_value(judge->loss, value), "mean over rows");
}

static void put_epoch_tile(const nu_result *r, nu_text *out) {
  char value[NU_REAL_TEXT], note[64] = "";
  bool kept;
  if (r->n_epochs == 0) return;
  const numann_epoch *best = nu_best_epoch(r->epochs, r->n_epochs, &kept);
  snprintf(value, sizeof value, "%" PRIu64, r->epochs[r->n_epochs - 1].epoch);
  if (best && r->n_epochs > 1)
    snprintf(note, sizeof note, "%s %" PRIu64, kept ? "weights of epoch" : "lowest loss: epoch",
             best->epoch);
  put_tile(out, "", "Epochs", value, note);
}

/* Every epoch has the same rows, so the mean speed is the harmonic one. */
static double mean_speed(const nu_result *r) {
  double sum = 0.0;
  size_t n = 0;
  for (size_t i = 0; i < r->n_epochs; i++) {
    double speed = r->epochs[i].samples_per_s;
    if (!isfinite(speed) || speed <= 0) continue;
    sum += 1.0 / speed;
    n++;
  }
  return n ? (double)n / sum : NAN;
}

static void put_time_tile(const nu_result *r, nu_text *out) {
  char value[NU_REAL_TEXT], speed[NU_REAL_TEXT], note[64] = "";
  double rate = mean_speed(r);
  if (!isnan(rate)) snprintf(note, sizeof note, "%s samples/s", nu_format_rate(rate, speed));
  put_tile(out, "", "Time", nu_format_duration(r->seconds, value), note);
}

static void put_tiles(const nu_result *r, nu_text *out) {
  nu_text_add(out, "<div class=\"tiles\">\n");
  put_score_tiles(r, out);
  put_epoch_tile(r, out);
  put_time_tile(r, out);
  nu_text_add(out, "</div>\n");
  if (!is_there(r->weights_sha256)) return;
  nu_text_add(out, "<p class=\"hash\">SHA-256 of the weights: <code>");
  nu_escape(out, r->weights_sha256);
  nu_text_add(out, "</code></p>\n");
}

/* ---- result and network */

static void put_part(const char *name, const nu_evaluation *e, nu_text *out) {
  char loss[NU_REAL_TEXT], score[NU_REAL_TEXT], constant[NU_REAL_TEXT];
  if (!e || !e->rows) return;
  if (e->classes) nu_format_share(e->accuracy, 2, score);
  else nu_format_value(e->rmse, score);
  if (e->classes) nu_format_share(e->constant, 2, constant);
  else nu_format_value(e->constant, constant);
  nu_text_addf(out,
               "<tr><td class=\"name\">%s</td><td>%zu</td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
               name, e->rows, nu_format_value(e->loss, loss), score, constant);
}

static void put_result(const nu_result *r, nu_text *out) {
  const char *name;
  const nu_evaluation *judge = nu_result_judge(r, &name);
  if (!judge) return;
  nu_text_addf(out,
               "<section class=\"card\"><h2>Result</h2>\n<table class=\"list\"><thead><tr>"
               "<th class=\"name\">Rows "
               "of</th><th>Rows</th><th>Loss</th><th>%s</th><th>%s</th></tr></thead>\n"
               "<tbody>\n",
               judge->classes ? "Accuracy" : "RMSE", nu_constant_name(judge));
  put_part("training", r->train, out);
  put_part("validation", r->validation, out);
  put_part("test", r->test, out);
  nu_text_add(out, "</tbody></table></section>\n");
}

static void put_network(const nu_result *r, nu_text *out) {
  if (!r->network && !is_there(r->network_text)) return;
  nu_text_add(out, "<section class=\"card\"><h2>Network</h2>\n");
  bool drawn = r->network && nu_network_draw(r->network, out);
  if (!drawn && is_there(r->network_text)) {
    nu_text_add(out, "<p class=\"note\">");
    nu_escape(out, r->network_text);
    nu_text_add(out, "</p>");
  }
  nu_text_add(out, "</section>\n");
}

static void put_placement(const nu_result *r, nu_text *out) {
  if (!r->plan || !r->plan->placement) return;
  nu_text_add(out, "<div class=\"row\"><section class=\"card\"><h2>Placement</h2>\n");
  nu_placement_picture(r->plan, r->network, r->data_bytes, false, out);
  nu_text_add(out, "<p class=\"note\">");
  nu_escape(out, r->plan->placement->why);
  if (is_there(r->placement_text)) {
    nu_text_add(out, "; found: ");
    nu_escape(out, r->placement_text);
  }
  nu_text_add(out, "</p></section></div>\n");
}

/* ---- config and machine */

static void put_pre(const char *title, const char *text, nu_text *out) {
  if (!is_there(text)) return;
  nu_text_addf(out, "<section class=\"card text\"><h2>%s</h2>\n<pre>", title);
  for (const char *line = text; *line;) {
    size_t n = strcspn(line, "\n");
    nu_text one = {0};
    nu_text_append(&one, line, n);
    nu_escape(out, nu_text_view(&one));
    nu_text_add(out, "\n");
    out->failed |= one.failed;
    nu_text_clear(&one);
    line += n + (line[n] != '\0');
  }
  nu_text_add(out, "</pre></section>\n");
}

/* Two cards side by side: the result fills the row of the curves, or opens the last one. */
static void write_page(const nu_result *r, nu_text *out) {
  put_head(r, out);
  put_tiles(r, out);
  nu_text_add(out, "<div class=\"row\">\n");
  bool odd = nu_page_curves(r, out) % 2 == 1;
  if (odd) put_result(r, out);
  nu_text_add(out, "</div>\n");
  nu_page_classes(r, out);
  nu_text_add(out, "<div class=\"row\">\n");
  if (!odd) put_result(r, out);
  put_network(r, out);
  nu_text_add(out, "</div>\n");
  put_placement(r, out);
  nu_text_add(out, "<div class=\"row\">\n");
  put_pre("Machine", r->machine_text, out);
  put_pre("Config", r->config_text, out);
  nu_text_addf(out,
               "</div>\n<footer>Written by numann %s. The same config, data and seed give the same "
               "weights, whatever the number of threads.</footer>\n</main>\n</body>\n</html>\n",
               numann_version());
}

numann_status nu_report_write(const char *path, const nu_result *result, numann_error *err) {
  nu_text page = {0};
  write_page(result, &page);
  numann_status status = page.failed ? nu_fail_memory(err, page.length, path)
                                     : nu_durable_write(path, page.data, page.length, err);
  nu_text_clear(&page);
  return status;
}
