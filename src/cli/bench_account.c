/* Where the time of a step goes: useful arithmetic, what must be beside it, and the rest.
 * SPDX-License-Identifier: MIT
 *
 * The ceiling of the fraction of the peak is what is left when the padded arithmetic runs at the
 * peak and the functions beside it take what they take alone: useful / (padded + functions +
 * gather). What a step takes beyond that is told by phase, so that all of it adds up to the step.
 */
#include "base/memory.h"
#include "cli/bench_phases.h"

#define P NU_PANEL

/* ---- flops of a step, all threads together */

typedef struct flops {
  double useful, padded;
} flops;

/* Links of a chain as it is computed: in bf16 whole pairs. */
static double links(const nu_phase_bench *b, size_t n) {
  return (double)(b->engine.pairs ? nu_round_up(n, 2) : n);
}

/* Kernels pad neurons to whole and half panels, and the bias is an input more; they pad no rows. */
static flops flops_of(const nu_phase_bench *b, size_t phase) {
  if (phase < NU_FORWARD) return (flops){0.0, 0.0};
  size_t l = (phase - NU_FORWARD) / 3, n_layers = b->setup.n_layers;
  double rows = 2.0 * (double)b->engine.plan->problem.batch;
  if (l >= n_layers) return (flops){0.0, 0.0};
  size_t inputs = b->setup.sizes[l], neurons = b->setup.sizes[l + 1];
  double useful = rows * (double)inputs * (double)neurons, padded = (double)nu_padded(neurons);
  if (phase == NU_FORWARD_OF(l)) return (flops){useful, rows * links(b, inputs + 1) * padded};
  if (phase == NU_GRADIENT_OF(l)) return (flops){useful, rows * (double)(inputs + 1) * padded};
  if (l + 1 == n_layers) return (flops){0.0, 0.0};
  size_t above = b->setup.sizes[l + 2];
  return (flops){rows * (double)neurons * (double)above, rows * links(b, above) * padded};
}

/* ---- the account */

enum {
  USEFUL,
  PADDING,
  ACTIVATION,
  DERIVATIVE,
  OUTPUT,
  OPTIMIZER,
  GATHER, /* up to here the ceiling */
  BARRIERS,
  WAITING,
  JOINING,
  LOOP,
  GATHER_REST,
  OUTPUT_REST,
  UPDATE_REST,
  FORWARD_REST,
  DELTA_REST,
  GRADIENT_REST,
  ITEMS
};

static const struct {
  const char *key, *words;
} items[ITEMS] = {
    [USEFUL] = {"useful", "useful flops at the peak"},
    [PADDING] = {"padding", "padding of panels, biases"},
    [ACTIVATION] = {"activation", "activations, alone"},
    [DERIVATIVE] = {"derivative", "derivatives, alone"},
    [OUTPUT] = {"output", "output layer and loss, alone"},
    [OPTIMIZER] = {"optimizer", "optimiser, alone"},
    [GATHER] = {"gather", "gathering rows, alone"},
    [BARRIERS] = {"barriers", "barriers themselves"},
    [WAITING] = {"waiting", "waiting for other threads there"},
    [JOINING] = {"joining", "joining the gradients of groups"},
    [LOOP] = {"loop", "adding losses, counting"},
    [GATHER_REST] = {"gather_rest", "gathering, beyond alone"},
    [OUTPUT_REST] = {"output_rest", "output layer, beyond alone"},
    [UPDATE_REST] = {"update_rest", "optimiser apart, beyond alone"},
    [FORWARD_REST] = {"forward_rest", "forward: chains below the peak"},
    [DELTA_REST] = {"delta_rest", "delta: chains below the peak, transposing"},
    [GRADIENT_REST] = {"gradient_rest", "gradient: chains below the peak, joining grains"},
};

typedef struct account {
  double seconds[ITEMS]; /* their sum is the step */
  double fraction, padding,
      ceiling; /* of the peak; useful over padded flops; the highest fraction */
} account;

/* Seconds of all phases of a kind: NU_FORWARD_OF(0), NU_DELTA_OF(0) or NU_GRADIENT_OF(0) names it.
 */
static double time_of_kind(const nu_phase_bench *b, size_t first) {
  double sum = 0.0;
  for (size_t phase = first; phase < NU_PHASES; phase += 3) sum += b->times.phase[phase];
  return sum;
}

static flops flops_of_kind(const nu_phase_bench *b, size_t first) {
  flops sum = {0.0, 0.0};
  for (size_t phase = first; phase < NU_PHASES; phase += 3) {
    flops found = flops_of(b, phase);
    sum.useful += found.useful;
    sum.padded += found.padded;
  }
  return sum;
}

static void account_chains(const nu_phase_bench *b, account *a) {
  const nu_alone *alone = &b->alone;
  bool fused_here = b->fused && b->engine.plan->groups == 1;
  const struct {
    size_t kind, rest;
    double functions;
  } table[] = {{NU_FORWARD_OF(0), FORWARD_REST, alone->activation},
               {NU_DELTA_OF(0), DELTA_REST, alone->derivative},
               {NU_GRADIENT_OF(0), GRADIENT_REST, fused_here ? alone->optimizer : 0.0}};
  double useful = 0.0, padded = 0.0;
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    flops found = flops_of_kind(b, table[i].kind);
    double needed = found.padded / b->peak + table[i].functions;
    a->seconds[table[i].rest] = time_of_kind(b, table[i].kind) - needed;
    useful += found.useful;
    padded += found.padded;
  }
  a->seconds[USEFUL] = useful / b->peak;
  a->seconds[PADDING] = (padded - useful) / b->peak;
  a->padding = useful / padded;
}

static account account_of(const nu_phase_bench *b) {
  const nu_alone *alone = &b->alone;
  const double *phase = b->times.phase;
  account a = {.seconds = {[ACTIVATION] = alone->activation,
                           [DERIVATIVE] = alone->derivative,
                           [OUTPUT] = alone->output,
                           [OPTIMIZER] = alone->optimizer,
                           [GATHER] = alone->gather}};
  bool joined =
      b->engine.plan->groups > 1; /* the update of several groups stands where they join */
  double apart = b->fused ? 0.0 : alone->optimizer;
  account_chains(b, &a);
  a.seconds[BARRIERS] = b->times.barriers * alone->barrier;
  a.seconds[WAITING] = phase[NU_WAIT] - a.seconds[BARRIERS];
  a.seconds[JOINING] = phase[NU_JOIN] - (b->fused && joined ? alone->optimizer : 0.0);
  a.seconds[LOOP] = phase[NU_LOOP];
  a.seconds[GATHER_REST] = phase[NU_GATHER] - alone->gather;
  a.seconds[OUTPUT_REST] = phase[NU_OUTPUT] - alone->output;
  a.seconds[UPDATE_REST] = phase[NU_UPDATE] - apart;
  double least = 0.0;
  for (size_t i = 0; i <= GATHER; i++) least += a.seconds[i];
  a.fraction = a.seconds[USEFUL] / b->times.step;
  a.ceiling = a.seconds[USEFUL] / least;
  return a;
}

static bool is_valid(const nu_phase_bench *b) { return b->spread <= NU_BENCH_PEAK_SPREAD; }

/* ---- phases as lines */

static const char *const once[NU_FORWARD] = {
    [NU_GATHER] = "gather", [NU_OUTPUT] = "output", [NU_UPDATE] = "update",
    [NU_JOIN] = "join",     [NU_WAIT] = "wait",     [NU_LOOP] = "loop"};
static const char *const of_layer[] = {"forward", "delta", "gradient"};

typedef struct line {
  const char *name;
  size_t layer;                          /* from 1; 0: a phase that is once in a step */
  size_t inputs, neurons;                /* of the weights that are used */
  double seconds, share, rate, fraction; /* rate in useful flops/s of all threads */
} line;

/* False for a phase that this network has not, or that took no time. */
static bool line_of(const nu_phase_bench *b, size_t phase, line *out) {
  double seconds = b->times.phase[phase], useful = flops_of(b, phase).useful;
  *out = (line){.seconds = seconds, .share = seconds / b->times.step};
  if (seconds <= 0.0) return false;
  out->rate = useful / seconds;
  out->fraction = out->rate / b->peak;
  out->name = phase < NU_FORWARD ? once[phase] : of_layer[(phase - NU_FORWARD) % 3];
  if (phase < NU_FORWARD) return true;
  size_t l = (phase - NU_FORWARD) / 3;
  out->layer = l + 1;
  size_t of = phase == NU_DELTA_OF(l) ? l + 1 : l; /* whose weights */
  out->inputs = b->setup.sizes[of];
  out->neurons = b->setup.sizes[of + 1];
  return true;
}

/* ---- JSON */

static void write_phases(const nu_phase_bench *b, nu_json *json) {
  nu_json_open(json, "phases", '[');
  for (size_t phase = 0; phase < NU_PHASES; phase++) {
    line at;
    if (!line_of(b, phase, &at)) continue;
    nu_json_open(json, NULL, '{');
    nu_json_string(json, "phase", at.name);
    if (at.layer) nu_json_count(json, "layer", at.layer);
    nu_json_real(json, "seconds", at.seconds);
    nu_json_real(json, "share", at.share);
    if (at.layer) nu_json_real(json, "gflops", at.rate / 1e9);
    if (at.layer) nu_json_real(json, "fraction_of_peak", at.fraction);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

void nu_account_json(const nu_phase_bench *b, nu_json *json) {
  account a = account_of(b);
  nu_json_open(json, NULL, '{');
  nu_bench_describe_json(&b->setup, json);
  nu_json_real(json, "step_seconds", b->times.step);
  nu_json_real(json, "samples_per_s", (double)b->engine.plan->problem.batch / b->times.step);
  nu_json_real(json, "peak_gflops", b->peak / 1e9);
  nu_json_real(json, "peak_spread", b->spread);
  nu_json_flag(json, "valid", is_valid(b));
  nu_json_real(json, "fraction_of_peak", a.fraction);
  nu_json_real(json, "useful_over_padded", a.padding);
  nu_json_real(json, "ceiling", a.ceiling);
  nu_json_open(json, "shares", '{');
  for (size_t i = 0; i < ITEMS; i++) nu_json_real(json, items[i].key, a.seconds[i] / b->times.step);
  nu_json_close(json, '}');
  write_phases(b, json);
  nu_json_close(json, '}');
  nu_text_add(&json->text, "\n");
}

/* ---- text */

static void add_phases(const nu_phase_bench *b, nu_text *out) {
  nu_text_add(out, "phase                            time   share   GFLOP/s   of peak\n");
  for (size_t phase = 0; phase < NU_PHASES; phase++) {
    line at;
    if (!line_of(b, phase, &at)) continue;
    nu_text_addf(out, "%-10s", at.name);
    if (at.layer) nu_text_addf(out, "%2zu %5zu x %-5zu", at.layer, at.inputs, at.neurons);
    else nu_text_addf(out, "%16s", "");
    nu_text_addf(out, "%9.2f us  %5.1f%%", at.seconds * 1e6, 100.0 * at.share);
    if (at.layer) nu_text_addf(out, "  %8.1f     %5.3f", at.rate / 1e9, at.fraction);
    nu_text_add(out, "\n");
  }
}

void nu_account_text(const nu_phase_bench *b, nu_text *out) {
  account a = account_of(b);
  nu_bench_describe(&b->setup, out);
  nu_text_addf(out, "%.2f us a step, without the looks at the clock between phases\n\n",
               b->times.step * 1e6);
  add_phases(b, out);
  nu_text_add(out, "\nwhere the time goes\n");
  for (size_t i = 0; i < ITEMS; i++) {
    double percent = 100.0 * a.seconds[i] / b->times.step;
    if (percent != 0.0) nu_text_addf(out, "%6.1f%%  %s\n", percent, items[i].words);
    if (i != GATHER) continue;
    nu_text_addf(out, "         ... all that a step needs: ceiling %.3f of the peak\n", a.ceiling);
  }
  nu_text_addf(out,
               "\nfraction of the peak (%.1f GFLOP/s) %.3f, of the ceiling %.3f; useful over "
               "padded flops %.3f\n",
               b->peak / 1e9, a.fraction, a.fraction / a.ceiling, a.padding);
  if (is_valid(b)) return;
  nu_text_add(out, "not valid: the peak moved by more than 5 %, so the machine was not quiet\n");
}
