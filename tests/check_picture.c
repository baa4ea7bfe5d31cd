/* The drawing of a placement says what the placement says, for a thousand random machines, plans
 * and networks. SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"
#include "plan/ledger.h"
#include "report/svg.h"
#include "well_formed.h"

#define must(s, holds) ck_assert_msg(holds, "seed %zu: %s", (s)->seed, #holds)

enum { DATA = 123456, DRAWN = 16, COLOURS = 8, LEFT = 190, WIDTH = 590 };

static char *draw(const fake_subject *s) {
  nu_text svg = {0};
  must(s, nu_placement_picture(&s->plan, s->network, DATA, true, &svg) && !svg.failed);
  must(s, is_well_formed(svg.data));
  return svg.data;
}

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
  return n;
}

/* ---- threads */

/* Thread t sits where the drawing says, unless an earlier thread has the same processor. */
static void look_at_threads(const fake_subject *s) {
  const nu_placement *p = s->placement;
  char *svg = draw(s), text[96];
  size_t seats = 0;
  for (size_t t = 0; t < p->n_threads; t++) {
    const nu_processor *at = &p->seats[t].processor;
    bool first = p->seats[t].node < DRAWN && p->width != NU_BIND_NOT;
    for (size_t u = 0; u < t; u++) first &= p->seats[u].processor.os != at->os;
    snprintf(text, sizeof text, "core %u, processor %u: thread %zu<", at->core, at->os, t);
    must(s, count(svg, text) == first);
    seats += first;
  }
  must(s, count(svg, "<rect class=\"seat") == seats);
  must(s, count(svg, "<rect class=\"node\"") == (p->n_nodes < DRAWN ? p->n_nodes : DRAWN));
  free(svg);
}

/* ---- bytes */

/* Adds the widths of the parts of one bar by colour; returns where it ends. */
static int read_bar(const fake_subject *s, const char *at, int widths[COLOURS], int *parts) {
  int colour, x, y, width, end = LEFT;
  memset(widths, 0, COLOURS * sizeof *widths);
  for (*parts = 0; sscanf(at, "<rect class=\"part on%d\" x=\"%d\" y=\"%d\" width=\"%d\"", &colour,
                          &x, &y, &width) == 4;
       ++*parts) {
    must(s, x == end && width > 0 && colour < COLOURS);
    widths[colour] += width;
    end += width;
    at = strchr(at, '>') + 1;
  }
  return end;
}

/* Each bar of a kind that has one has every node's share of it, a unit a part off at most. */
static void look_at_bars(const fake_subject *s) {
  size_t nodes = nu_plan_nodes(&s->plan),
         *bytes = nu_plan_bytes_by_node(&s->plan, s->network, DATA);
  char *svg = draw(s), text[64];
  ck_assert_ptr_nonnull(bytes);
  must(s, nu_plan_places_memory(&s->plan) || !strstr(svg, "class=\"part"));
  for (size_t kind = NU_BUFFER_ARRAY; nu_plan_places_memory(&s->plan) && kind < NU_BUFFER_KINDS;
       kind++) {
    size_t all = 0;
    int widths[COLOURS], parts;
    double shares[COLOURS] = {0};
    for (size_t n = 0; n < nodes; n++) all += bytes[kind * nodes + n];
    for (size_t n = 0; n < nodes && all; n++)
      shares[n % COLOURS] += (double)bytes[kind * nodes + n] / (double)all * WIDTH;
    snprintf(text, sizeof text, ">%s</text>", nu_buffer_name((nu_buffer_kind)kind));
    const char *bar = strstr(svg, text);
    must(s, !bar == !all);
    if (!all) continue;
    must(s, read_bar(s, bar + strlen(text), widths, &parts) == LEFT + WIDTH);
    size_t stripes = count(svg, "<rect class=\"part");
    for (int c = 0; c < COLOURS; c++)
      must(s, widths[c] - shares[c] < (double)stripes && shares[c] - widths[c] < (double)stripes);
  }
  free(bytes);
  free(svg);
}

START_TEST(threads_are_drawn_on_their_processors) { for_each_fake(_i, look_at_threads); }
END_TEST

START_TEST(bars_have_the_bytes_of_the_nodes) { for_each_fake(_i, look_at_bars); }
END_TEST

int main(void) {
  Suite *suite = suite_create("picture");
  TCase *tests = tcase_create("random");
  tcase_set_timeout(tests, 600);
  tcase_add_loop_test(tests, threads_are_drawn_on_their_processors, 0, FAKE_PARTS);
  tcase_add_loop_test(tests, bars_have_the_bytes_of_the_nodes, 0, FAKE_PARTS);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? 1 : 0;
}
