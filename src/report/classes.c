/* Confusions and scores by class in report.html. SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>

#include "report/format.h"
#include "report/page.h"
#include "report/scores.h"
#include "report/svg.h"

#define NAME_MOST 24    /* columns of a name beside the matrix; longer ones are shortened */
#define UPRIGHT_MOST 4  /* columns of a name above the matrix that needs no turning */
#define HALF_CLASSES 12 /* a larger matrix takes the whole width of the page */
#define CONFUSIONS 20
#define CLASSES_MOST 1000

typedef struct page {
  const nu_schema *schema;
  const nu_evaluation *judge;
  const char *judge_name;
  nu_text *out;
} page;

/* ---- the matrix */

static size_t widest_name(const page *p) {
  size_t widest = 0;
  for (size_t c = 0; c < p->judge->classes; c++) {
    size_t n = nu_text_columns(nu_class_name(p->schema, c));
    if (n > widest) widest = n;
  }
  return widest;
}

static void put_heading(const page *p, const char *scope, size_t c) {
  const char *name = nu_class_name(p->schema, c);
  size_t columns = nu_text_columns(name);
  nu_text shown = {0};
  nu_text_fit(&shown, name, columns < NAME_MOST ? columns : NAME_MOST, NU_LEFT, true);
  nu_text_addf(p->out, "<th scope=\"%s\"", scope);
  if (columns > NAME_MOST) {
    nu_text_add(p->out, " title=\"");
    nu_escape(p->out, name);
    nu_text_add(p->out, "\"");
  }
  nu_text_add(p->out, "><span>");
  nu_escape(p->out, nu_text_view(&shown));
  nu_text_add(p->out, "</span></th>");
  p->out->failed |= shown.failed;
  nu_text_clear(&shown);
}

/* How strong a cell's colour is. Few wrong answers must still be seen, hence the root. */
static double shade(double share, bool hit) {
  return hit ? 0.12 + 0.83 * share : 0.18 + 0.8 * sqrt(share);
}

static void put_cell(const page *p, size_t truth, size_t answer, double support) {
  char buffer[NU_REAL_TEXT];
  uint64_t count = p->judge->confusion[truth * p->judge->classes + answer];
  bool hit = truth == answer;
  if (count == 0) {
    nu_text_add(p->out, hit ? "<td>0</td>" : "<td></td>");
    return;
  }
  double a = shade((double)count / support, hit);
  nu_text_addf(p->out, "<td class=\"%s%s\" style=\"--a:%s\">%" PRIu64 "</td>", hit ? "hit" : "miss",
               a > 0.55 ? " strong" : "", nu_format_fixed(a, 2, buffer), count);
}

static void put_matrix(const page *p) {
  size_t classes = p->judge->classes;
  bool turned = widest_name(p) > UPRIGHT_MOST;
  nu_text_addf(p->out,
               "<section class=\"card%s\"><h2>Confusion matrix<small>%s rows</small></h2>\n",
               classes > HALF_CLASSES ? " whole" : "", p->judge_name);
  nu_text_addf(p->out, "<div class=\"scroll\"><table class=\"heat%s\"><thead><tr><td></td>",
               turned ? " turned" : "");
  for (size_t c = 0; c < classes; c++) put_heading(p, "col", c);
  nu_text_add(p->out, "</tr></thead>\n<tbody>\n");
  for (size_t truth = 0; truth < classes; truth++) {
    double support = (double)nu_score_class(p->judge, truth).support;
    nu_text_add(p->out, "<tr>");
    put_heading(p, "row", truth);
    for (size_t answer = 0; answer < classes; answer++) put_cell(p, truth, answer, support);
    nu_text_add(p->out, "</tr>\n");
  }
  nu_text_add(p->out,
              "</tbody></table></div>\n<p class=\"note\">A row is the truth, a column the "
              "network's answer.</p></section>\n");
}

/* ---- the worst confusions */

static void put_name(const page *p, size_t c) {
  nu_text_add(p->out, "<td class=\"name\">");
  nu_escape(p->out, nu_class_name(p->schema, c));
  nu_text_add(p->out, "</td>");
}

static void put_bar(const page *p, double share) {
  char a[NU_REAL_TEXT], text[NU_REAL_TEXT];
  nu_text_addf(p->out, "<td class=\"bar\" style=\"--a:%s\">%s</td>",
               nu_format_fixed(isnan(share) ? 0.0 : share, 4, a), nu_format_share(share, 1, text));
}

static void put_confusions(const page *p) {
  nu_confused most[CONFUSIONS];
  size_t n = nu_confused_most(p->judge, most, CONFUSIONS);
  nu_text_addf(p->out,
               "<section class=\"card\"><h2>Most frequent confusions<small>%s rows</small></h2>\n",
               p->judge_name);
  if (n == 0) {
    nu_text_add(p->out, "<p class=\"note\">Every answer is right.</p></section>\n");
    return;
  }
  nu_text_add(p->out,
              "<div class=\"scroll\"><table class=\"list\"><thead><tr><th class=\"name\">Truth"
              "</th><th class=\"name\">Answer</th><th>Rows</th><th>Of the class</th></tr></thead>\n"
              "<tbody>\n");
  for (size_t i = 0; i < n; i++) {
    nu_text_add(p->out, "<tr>");
    put_name(p, most[i].truth);
    put_name(p, most[i].answer);
    nu_text_addf(p->out, "<td>%" PRIu64 "</td>", most[i].count);
    put_bar(p, (double)most[i].count / (double)nu_score_class(p->judge, most[i].truth).support);
    nu_text_add(p->out, "</tr>\n");
  }
  nu_text_add(p->out, "</tbody></table></div></section>\n");
}

/* ---- scores */

static void put_score(const page *p, nu_score score) {
  char precision[NU_REAL_TEXT], recall[NU_REAL_TEXT];
  nu_text_addf(p->out, "<td>%s</td><td>%s</td>", nu_format_share(score.precision, 1, precision),
               nu_format_share(score.recall, 1, recall));
  put_bar(p, score.f1);
  nu_text_addf(p->out, "<td>%" PRIu64 "</td></tr>\n", score.support);
}

static void put_scores(const page *p) {
  size_t shown = p->judge->classes < CLASSES_MOST ? p->judge->classes : CLASSES_MOST;
  nu_text_addf(p->out, "<section class=\"card\"><h2>By class<small>%s rows</small></h2>\n",
               p->judge_name);
  nu_text_add(
      p->out,
      "<div class=\"scroll\"><table class=\"list\"><thead><tr><th class=\"name\">Class"
      "</th><th>Precision</th><th>Recall</th><th>F1</th><th>Rows</th></tr></thead>\n<tbody>\n");
  for (size_t c = 0; c < shown; c++) {
    nu_text_add(p->out, "<tr>");
    put_name(p, c);
    put_score(p, nu_score_class(p->judge, c));
  }
  nu_text_add(p->out, "<tr class=\"mean\"><td class=\"name\">mean</td>");
  put_score(p, nu_score_mean(p->judge));
  nu_text_add(p->out, "</tbody></table></div>\n");
  if (shown < p->judge->classes) {
    nu_text_addf(p->out,
                 "<p class=\"note\">The first %zu of %zu classes; the mean is over all.</p>\n",
                 shown, p->judge->classes);
  }
  nu_text_add(p->out, "</section>\n");
}

void nu_page_classes(const nu_result *result, nu_text *out) {
  page p = {.schema = result->schema, .out = out};
  p.judge = nu_result_judge(result, &p.judge_name);
  if (!p.judge || !p.judge->classes || !p.judge->confusion) return;
  nu_text_add(out, "<div class=\"row\">\n");
  if (p.judge->classes <= NU_MATRIX_CLASSES) put_matrix(&p);
  else put_confusions(&p);
  put_scores(&p);
  nu_text_add(out, "</div>\n");
}
