/* numann bench kernels: each kernel alone, on one thread, on data in the nearest cache.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/bench.h"
#include "cli/json.h"
#include "machine/team.h"

/* 96 rows of 2 panels, chains of 256 links: what a thread works on at a time. */
enum { ROWS = 96, PANELS = 2, WIDTH = PANELS * NU_PANEL, LINKS = 256, REPEATS = 9, CASES = 11 };

typedef struct workspace {
  const nu_kernels *kernels;
  float *x, *y, *out, *moment1,
      *moment2;        /* [ROWS][LINKS], [PANELS][LINKS][P], rest [ROWS][WIDTH] */
  double seconds;      /* for each case */
  double rates[CASES]; /* flops or elements per second */
} workspace;

typedef void call(const workspace *w, int variant);

static void call_forward(const workspace *w, int variant) {
  (void)variant;
  w->kernels->chain(&(nu_chain){.m = ROWS,
                                .k = LINKS,
                                .panels = PANELS,
                                .width = NU_PANEL,
                                .x = w->x,
                                .xrow = LINKS,
                                .xcol = 1,
                                .y = w->y,
                                .yrow = NU_PANEL,
                                .ypanel = LINKS * NU_PANEL,
                                .out = w->out,
                                .outrow = WIDTH,
                                .fresh = true});
}

/* A grain of 64 rows. */
static void call_gradient(const workspace *w, int variant) {
  (void)variant;
  w->kernels->chain(&(nu_chain){.m = ROWS,
                                .k = 64,
                                .panels = 1,
                                .width = NU_PANEL,
                                .x = w->x,
                                .xrow = 1,
                                .xcol = LINKS,
                                .y = w->y,
                                .yrow = NU_PANEL,
                                .out = w->out,
                                .outrow = NU_PANEL,
                                .fresh = true});
}

static void call_transpose(const workspace *w, int variant) {
  (void)variant;
  w->kernels->transpose(LINKS, NU_PANEL, w->x, LINKS, w->y, NU_PANEL);
}

static void call_activate(const workspace *w, int variant) {
  w->kernels->activate((nu_activation)variant, ROWS, WIDTH, w->out, w->out, WIDTH);
}

static void call_update(const workspace *w, int variant) {
  nu_update update = {.rule = (nu_rule)variant,
                      .factor = 0.01f,
                      .learning_rate = 1e-6f,
                      .momentum = 0.9f,
                      .smoothing = 0.99f,
                      .epsilon = 1e-8f,
                      .correction1 = 1.0f,
                      .correction2 = 1.0f};
  w->kernels->update(&update, ROWS * WIDTH, w->out, w->x,
                     (float *[]){w->moment1, w->moment2, NULL});
}

static double measure(const workspace *w, call *fn, int variant) {
  double rates[REPEATS];
  for (size_t i = 0; i < REPEATS; i++) {
    double calls = 0.0, passed, start = nu_clock_seconds();
    do {
      for (int j = 0; j < 8; j++) fn(w, variant);
      calls += 8.0;
      passed = nu_clock_seconds() - start;
    } while (passed < w->seconds / REPEATS);
    rates[i] = calls / passed;
  }
  return nu_median(rates, REPEATS);
}

static const struct {
  const char *name, *unit;
  double work; /* of a call */
  call *fn;
  int variant;
} table[CASES] = {
    {"forward chain (3.8)", "flops", 2.0 * ROWS *WIDTH *LINKS, call_forward, 0},
    {"gradient chain (4.12)", "flops", 2.0 * ROWS *NU_PANEL * 64, call_gradient, 0},
    {"transpose", "elements", LINKS *NU_PANEL, call_transpose, 0},
    {"sigmoid", "elements", ROWS *WIDTH, call_activate, NU_SIGMOID},
    {"tanh", "elements", ROWS *WIDTH, call_activate, NU_TANH},
    {"relu", "elements", ROWS *WIDTH, call_activate, NU_RELU},
    {"sgd", "elements", ROWS *WIDTH, call_update, NU_SGD},
    {"momentum", "elements", ROWS *WIDTH, call_update, NU_MOMENTUM},
    {"nesterov", "elements", ROWS *WIDTH, call_update, NU_NESTEROV},
    {"rmsprop", "elements", ROWS *WIDTH, call_update, NU_RMSPROP},
    {"adam", "elements", ROWS *WIDTH, call_update, NU_ADAM},
};

static void run(nu_team *team, size_t thread, void *arg) {
  (void)team;
  (void)thread;
  workspace *w = arg;
  for (size_t i = 0; i < CASES; i++) {
    w->rates[i] = measure(w, table[i].fn, table[i].variant) * table[i].work;
  }
}

static void write(const workspace *w, bool as_json, nu_json *json) {
  if (as_json) {
    nu_json_open(json, NULL, '{');
    nu_json_string(json, "isa", w->kernels->isa);
    nu_json_open(json, "kernels", '[');
  } else {
    nu_text_addf(&json->text, "%s, one thread\n", w->kernels->isa);
  }
  for (size_t i = 0; i < CASES; i++) {
    if (!as_json) {
      nu_text_addf(&json->text, "%-22s %8.2f G%s/s\n", table[i].name, w->rates[i] / 1e9,
                   table[i].unit);
      continue;
    }
    nu_json_open(json, NULL, '{');
    nu_json_string(json, "name", table[i].name);
    nu_json_string(json, "unit", table[i].unit);
    nu_json_real(json, "per_s", w->rates[i]);
    nu_json_close(json, '}');
  }
  if (as_json) {
    nu_json_close(json, ']');
    nu_json_close(json, '}');
    nu_text_add(&json->text, "\n");
  }
}

static bool allocate(workspace *w) {
  w->x = nu_alloc(ROWS * LINKS, sizeof(float));
  w->y = nu_alloc(PANELS * LINKS * NU_PANEL, sizeof(float));
  w->out = nu_alloc(ROWS * WIDTH, sizeof(float));
  w->moment1 = nu_alloc(ROWS * WIDTH, sizeof(float));
  w->moment2 = nu_alloc(ROWS * WIDTH, sizeof(float));
  if (!w->x || !w->y || !w->out || !w->moment1 || !w->moment2) return false;
  for (size_t i = 0; i < ROWS * LINKS; i++) w->x[i] = (float)(i % 17) * 0.125f - 1.0f;
  return true;
}

numann_status nu_bench_kernels(const nu_arguments *args, numann_error *err) {
  workspace w = {0};
  nu_json json = {0};
  NU_TRY(nu_bench_seconds(&w.seconds, args, err));
  NU_TRY(nu_kernels_choose(&w.kernels, err));
  w.seconds /= CASES;
  numann_status status = allocate(&w)
                             ? nu_team_run(1, run, &w, err)
                             : nu_fail_memory(err, ROWS * LINKS * sizeof(float), "kernels");
  if (status == NUMANN_OK) {
    write(&w, nu_given(args, NU_OPTION_JSON), &json);
    status = nu_print_text(&json.text, err);
  }
  free(w.x);
  free(w.y);
  free(w.out);
  free(w.moment1);
  free(w.moment2);
  return status;
}
