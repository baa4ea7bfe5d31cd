/* numann plan: how a training would run on this machine, and what it would take.
 * SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/durable.h"
#include "cli/bench.h"
#include "cli/forecast.h"
#include "cli/json.h"
#include "cli/placement_json.h"
#include "config/config.h"
#include "data/data.h"
#include "plan/cost.h"
#include "plan/from_config.h"
#include "plan/memory.h"
#include "plan/placement.h"
#include "report/svg.h"
#include "trainer/refusal.h"

enum { MOST_RANKS = 4096 };

/* What is planned, and the plan with all its reasons. */
typedef struct outlook {
  const char *subject; /* the config's path or the row's name; borrowed */
  numann_config *config;
  numann_data *data; /* NULL for a row */
  numann_network *network;
  nu_machine machine;
  nu_memory_request rows;
  nu_calibration calibration;
  numann_plan plan;
  nu_step_cost cost;
  nu_layer_cost *layers; /* [network->n_layers], owned */
  nu_memory memory;
  size_t ranks; /* that train together; 0: --ranks is not given */
  nu_link link;
  nu_forecast forecast; /* of them */
} outlook;

/* ---- what is planned */

static numann_status open_row(outlook *o, const nu_arguments *args, numann_error *err) {
  nu_bench_row row;
  size_t sizes[NU_BENCH_LAYERS + 1], n;
  NU_TRY(nu_bench_choose_row(&row, args, err));
  NU_TRY(nu_bench_sizes(sizes, &n, &row, err));
  NU_TRY(nu_bench_config(&o->config, &row, sizes, n, args, err));
  NU_TRY(nu_bench_data_rows(&o->rows.train_rows, o->config, &row, sizes, n, err));
  bool classes = strcmp(row.loss, "squared_error") != 0;
  size_t n_classes = sizes[n] > 1 ? sizes[n] : 2;
  o->subject = row.name;
  o->rows.input_bytes = sizeof(float);
  o->rows.target_floats = classes ? 1 : sizes[n];
  o->rows.copied = true;
  return nu_network_shape(&o->network, o->config, sizes[0], classes ? n_classes : 0,
                          classes ? 0 : sizes[n], err);
}

static numann_status open_config(outlook *o, const nu_arguments *args, numann_error *err) {
  NU_TRY(nu_load_config(&o->config, args, args->operands[0], err));
  NU_TRY(numann_data_load(&o->data, o->config, err));
  const numann_data *data = o->data;
  const nu_schema *schema = &data->schema;
  o->subject = args->operands[0];
  o->rows =
      (nu_memory_request){.train_rows = data->train.rows,
                          .validation_rows = data->validation.rows,
                          .test_rows = data->test.rows,
                          .input_bytes = data->train.bytes ? 1 : sizeof(float),
                          .target_floats = schema->targets ? schema->targets : 1,
                          .best = nu_config_count(o->config, "train.early_stopping.patience") > 0,
                          .evaluated = true};
  return nu_network_shape(&o->network, o->config, schema->features, schema->classes,
                          schema->targets, err);
}

static numann_status open_subject(outlook *o, const nu_arguments *args, numann_error *err) {
  static const nu_option_id of_rows[] = {NU_OPTION_ROW,   NU_OPTION_LAYERS,
                                         NU_OPTION_BATCH, NU_OPTION_ACTIVATION,
                                         NU_OPTION_LOSS,  NU_OPTION_OPTIMIZER};
  const char *given = NULL;
  for (size_t i = 0; i < sizeof of_rows / sizeof *of_rows; i++) {
    if (!given && nu_given(args, of_rows[i])) given = nu_option_row(of_rows[i])->name;
  }
  if (args->n_operands && given) {
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: %s and --%s: a config or a row of `numann bench rows` is "
                   "expected, not both; "
                   "change a key of the config with --set",
                   args->operands[0], given);
  }
  if (args->n_operands) return open_config(o, args, err);
  if (given) return open_row(o, args, err);
  return nu_fail(err, NUMANN_ERR_CONFIG,
                 "command line: usage: numann plan CONFIG, or numann plan --row NAME");
}

/* --isa: NULL where it is not given. */
static numann_status choose_isa(const char **isa, const nu_arguments *args, numann_error *err) {
  const char *name = *isa = args->value[NU_OPTION_ISA];
  nu_text known = {0};
  if (!name || strcmp(nu_rates_of(name)->isa, name) == 0) return NUMANN_OK;
  for (size_t i = 0; nu_rates_isa(i); i++)
    nu_text_addf(&known, "%s%s", i ? ", " : "", nu_rates_isa(i));
  nu_fail(err, NUMANN_ERR_CONFIG, "command line: --isa %s: expected one of %s", name,
          nu_text_view(&known));
  nu_text_clear(&known);
  return NUMANN_ERR_CONFIG;
}

static numann_status see_machine(outlook *o, const nu_arguments *args, numann_error *err) {
  nu_machine_source source = nu_machine_wanted(args);
  NU_TRY(nu_machine_detect_from(&o->machine, &source, err));
  o->machine = nu_plan_machine(&o->machine, o->config);
  return NUMANN_OK;
}

/* --ranks N: the plan is rank 0's, whose share is the largest. */
static numann_status read_ranks(outlook *o, const nu_arguments *args, numann_error *err) {
  NU_TRY(nu_read_option_count(&o->ranks, args, NU_OPTION_RANKS, MOST_RANKS, err));
  if (!o->ranks && nu_given(args, NU_OPTION_NETWORK))
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: --network is between ranks; give --ranks N as well");
  return nu_read_network(&o->link, args, nu_rates_of(NULL), err);
}

/* Against the plan that one rank would have on the same machine. */
static numann_status forecast(outlook *o, const nu_arguments *args, numann_error *err) {
  numann_plan one;
  nu_plan_request request;
  NU_TRY(nu_refuse_ranks(o->config, &o->plan.plan.problem, o->ranks, err));
  NU_TRY(nu_read_network(&o->link, args, &o->calibration.rates, err));
  NU_TRY(nu_plan_request_of(&request, nu_comm_alone(), o->config, o->rows.train_rows, err));
  request.rates = &o->calibration.rates;
  nu_plan_choose(&one, &request, o->network, &o->machine);
  nu_rank_step *steps;
  NU_TRY(nu_rank_steps_make(&steps, &o->plan.plan, o->network, err));
  double compute =
      nu_forecast_compute(&o->plan.plan, o->network, &o->machine, &o->calibration.rates, steps);
  nu_forecast_steps(&o->forecast, steps, o->ranks, &o->link, compute, one.seconds);
  free(steps);
  return NUMANN_OK;
}

static numann_status make_plan(outlook *o, const nu_arguments *args, numann_error *err) {
  const nu_kernels *kernels;
  const char *isa;
  nu_comm first = {.size = o->ranks ? o->ranks : 1};
  NU_TRY(nu_kernels_choose(&kernels, err));
  NU_TRY(choose_isa(&isa, args, err));
  NU_TRY(see_machine(o, args, err));
  NU_TRY(nu_plan_from(&o->plan, &o->calibration, &first, o->config, o->network, &o->machine,
                      o->rows.train_rows, isa, err));
  o->layers = nu_alloc(o->network->n_layers, sizeof *o->layers);
  if (!o->layers) return nu_fail_memory(err, o->network->n_layers * sizeof *o->layers, "the plan");
  o->cost = nu_plan_cost(&o->plan.plan, o->network, &o->machine, &o->calibration.rates, o->layers);
  if (o->ranks) NU_TRY(forecast(o, args, err));
  o->memory = nu_plan_memory(&o->plan.plan, o->network, &o->rows);
  return NUMANN_OK;
}

static double samples_per_s(const outlook *o) {
  return (double)o->plan.plan.problem.batch / o->cost.seconds;
}

/* Most panels that one thread has, in the smallest group. */
static size_t my_panels(const outlook *o, size_t l) {
  size_t members = o->plan.plan.threads / o->plan.plan.groups;
  return nu_share(nu_panels(o->network->layers[l].neurons), members, 0).end;
}

/* ---- JSON */

static void json_machine(const outlook *o, nu_json *json) {
  const nu_machine *m = &o->machine;
  nu_json_open(json, "machine", '{');
  nu_json_string(json, "model", m->model);
  nu_json_count(json, "numa_nodes", m->numa_nodes);
  nu_json_count(json, "cores", m->cores);
  nu_json_count(json, "hardware_threads", m->processing_units);
  nu_json_count(json, "l1d_bytes", m->l1d_bytes);
  nu_json_count(json, "l2_bytes", m->l2_bytes);
  nu_json_count(json, "l3_bytes", m->l3_bytes);
  nu_json_string(json, "limited_by", m->limited_by);
  nu_json_close(json, '}');
}

static void json_plan(const outlook *o, nu_json *json) {
  const nu_plan *plan = &o->plan.plan;
  nu_json_count(json, "threads", numann_plan_threads(&o->plan));
  nu_json_count(json, "threads_working", plan->threads);
  nu_json_count(json, "threads_limit", o->plan.threads_limit);
  nu_json_string(json, "strategy", nu_strategy_name(plan->strategy));
  nu_json_count(json, "groups", plan->groups);
  nu_json_string(json, "isa", o->calibration.rates.isa);
  nu_json_string(json, "why", o->plan.why);
  nu_json_string(json, "note", o->plan.note[0] ? o->plan.note : NULL);
  nu_json_count(json, "batch", plan->problem.batch);
  nu_json_count(json, "grain", plan->problem.grain);
  nu_json_count(json, "chunk", plan->chunk);
  nu_json_count(json, "chunks", nu_plan_chunks(plan, plan->problem.batch));
  nu_json_flag(json, "fuse_update", plan->fuse);
  nu_json_open(json, "blocks", '{');
  nu_json_count(json, "k", plan->blocks.k);
  nu_json_count(json, "panels", plan->blocks.panels);
  nu_json_count(json, "rows", plan->blocks.rows);
  nu_json_count(json, "inputs", plan->blocks.inputs);
  nu_json_close(json, '}');
}

static void json_cost(const outlook *o, nu_json *json) {
  nu_json_real(json, "step_s", o->cost.seconds);
  nu_json_real(json, "rows_s", o->cost.rows);
  nu_json_real(json, "join_s", o->cost.join);
  nu_json_real(json, "ranks_s", o->cost.ranks);
  nu_json_real(json, "barriers_s", o->cost.barriers);
  nu_json_count(json, "barriers", nu_plan_barriers(&o->plan.plan, o->network));
  nu_json_real(json, "samples_per_s", samples_per_s(o));
}

static void json_rates(const outlook *o, nu_json *json) {
  nu_json_open(json, "rates", '{');
  nu_json_string(json, "origin", nu_rates_origin_name(o->calibration.origin));
  nu_json_string(json, "why", o->calibration.why);
  for (size_t i = 0; i < nu_n_rate_fields; i++)
    nu_json_real(json, nu_rate_fields[i].name, nu_rate(&o->calibration.rates, &nu_rate_fields[i]));
  nu_json_close(json, '}');
}

static void json_layers(const outlook *o, nu_json *json) {
  nu_json_open(json, "layers", '[');
  for (size_t l = 0; l < o->network->n_layers; l++) {
    const nu_layer *layer = &o->network->layers[l];
    nu_json_open(json, NULL, '{');
    nu_json_count(json, "inputs", layer->inputs);
    nu_json_count(json, "neurons", layer->neurons);
    nu_json_string(json, "activation", nu_activation_name(layer->activation));
    nu_json_count(json, "panels", nu_panels(layer->neurons));
    nu_json_count(json, "panels_of_a_thread", my_panels(o, l));
    nu_json_real(json, "forward_s", o->layers[l].forward);
    nu_json_real(json, "delta_s", o->layers[l].delta);
    nu_json_real(json, "gradient_s", o->layers[l].gradient);
    nu_json_string(json, "bound", o->layers[l].bound);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

static void json_alternatives(const outlook *o, nu_json *json) {
  nu_json_open(json, "alternatives", '[');
  for (size_t i = 0; i < o->plan.n_choices; i++) {
    const nu_plan_choice *choice = &o->plan.choices[i];
    nu_json_open(json, NULL, '{');
    nu_json_count(json, "threads", choice->threads);
    nu_json_string(json, "strategy", nu_strategy_name(choice->strategy));
    nu_json_count(json, "groups", choice->groups);
    nu_json_real(json, "step_s", choice->seconds);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

static void json_memory(const outlook *o, nu_json *json) {
  nu_json_open(json, "memory", '[');
  for (size_t i = 0; i < o->memory.n_parts; i++) {
    nu_json_open(json, NULL, '{');
    nu_json_string(json, "purpose", o->memory.parts[i].purpose);
    nu_json_count(json, "bytes", o->memory.parts[i].bytes);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

static size_t data_bytes(const outlook *o) {
  size_t row =
      o->network->layers[0].inputs * o->rows.input_bytes + o->rows.target_floats * sizeof(float);
  return o->rows.train_rows * row;
}

static void write_json(const outlook *o, nu_text *out) {
  nu_json json = {0};
  nu_json_open(&json, NULL, '{');
  nu_json_string(&json, "subject", o->subject);
  json_machine(o, &json);
  json_rates(o, &json);
  json_alternatives(o, &json);
  json_layers(o, &json);
  json_memory(o, &json);
  if (o->ranks) nu_forecast_json(&o->forecast, &o->plan.plan, &o->link, &json);
  nu_json_placement(&json, &o->plan.plan, o->network, data_bytes(o), NULL);
  json_plan(o, &json); /* last, so that a search for the last "threads" finds the plan's */
  json_cost(o, &json);
  nu_json_count(&json, "memory_bytes", o->memory.bytes);
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  *out = json.text;
}

/* ---- text */

static void add_plural(nu_text *out, size_t n, const char *thing) {
  nu_text_addf(out, "%zu %s%s", n, thing, n == 1 ? "" : "s");
}

static void add_machine(const outlook *o, nu_text *out) {
  const nu_machine *m = &o->machine;
  nu_text_addf(out, "machine  %s, ", m->model[0] ? m->model : "unknown model");
  add_plural(out, m->cores, "core");
  nu_text_add(out, " on ");
  add_plural(out, m->numa_nodes, "NUMA node");
  nu_text_addf(out, ", %s; up to ", o->calibration.rates.isa);
  add_plural(out, m->threads_limit, "thread");
  nu_text_addf(out, " (%s)\n", m->limited_by);
}

static void add_choice(const outlook *o, nu_text *out) {
  const nu_plan *plan = &o->plan.plan;
  nu_text_add(out, "plan     ");
  nu_text_add_shown(out, o->subject);
  nu_text_add(out, ": ");
  add_plural(out, plan->threads, "thread");
  nu_text_addf(out, ", %s, ", nu_strategy_name(plan->strategy));
  add_plural(out, plan->groups, "group");
  nu_text_addf(out, "; batch %zu in grains of %zu rows\n", plan->problem.batch,
               plan->problem.grain);
  nu_text_addf(out, "why      %s, %.3g samples/s\n", o->plan.why, samples_per_s(o));
}

static void add_rates(const outlook *o, nu_text *out) {
  const nu_rates *r = &o->calibration.rates;
  nu_text_addf(out, "rates    %s\n", o->calibration.why);
  nu_text_addf(out,
               "         a thread: %.3g GFLOP/s, %.3g GB/s from L2, %.3g from L3, %.3g from other "
               "threads; a "
               "barrier %.2f us\n",
               r->flops / 1e9, r->l2_bytes / 1e9, r->l3_bytes / 1e9, r->shared_bytes / 1e9,
               1e6 * (r->barrier + r->barrier_thread * (double)o->plan.plan.threads));
}

static void add_alternatives(const outlook *o, nu_text *out) {
  nu_text_add(out, "\nconsidered  threads  groups   us a step\n");
  for (size_t i = 0; i < o->plan.n_choices; i++) {
    const nu_plan_choice *choice = &o->plan.choices[i];
    bool chosen = choice->threads == o->plan.plan.threads &&
                  choice->groups == o->plan.plan.groups &&
                  choice->strategy == o->plan.plan.strategy;
    nu_text_addf(out, "%-10s  %7zu  %6zu  %10.1f%s\n", nu_strategy_name(choice->strategy),
                 choice->threads, choice->groups, choice->seconds * 1e6,
                 chosen ? "  <- chosen" : "");
  }
}

static void add_layers(const outlook *o, nu_text *out) {
  nu_text_add(
      out,
      "\nlayer  inputs  neurons  panels  a thread  forward     delta  gradient  us, bound by\n");
  for (size_t l = 0; l < o->network->n_layers; l++) {
    const nu_layer *layer = &o->network->layers[l];
    const nu_layer_cost *cost = &o->layers[l];
    nu_text_addf(out, "%5zu  %6zu  %7zu  %6zu  %8zu  %7.1f  %8.1f  %8.1f  %s\n", l + 1,
                 layer->inputs, layer->neurons, nu_panels(layer->neurons), my_panels(o, l),
                 cost->forward * 1e6, cost->delta * 1e6, cost->gradient * 1e6, cost->bound);
  }
  nu_text_addf(out,
               "rows gathered, losses %.1f us; sum over groups %.1f us; %zu barriers %.1f us\n",
               o->cost.rows * 1e6, o->cost.join * 1e6, nu_plan_barriers(&o->plan.plan, o->network),
               o->cost.barriers * 1e6);
  if (o->ranks)
    nu_text_addf(out, "messages of ranks copied and added %.1f us\n", o->cost.ranks * 1e6);
}

static void add_cache(nu_text *out, const char *name, size_t bytes) {
  nu_text_addf(out, "%s ", name);
  if (bytes) nu_text_add_bytes(out, bytes);
  else nu_text_add(out, "unknown");
}

static void add_blocks(const outlook *o, nu_text *out) {
  const nu_blocks *b = &o->plan.plan.blocks;
  nu_text_addf(out, "\nblocks   %zu links and %zu inputs for ", b->k, b->inputs);
  add_cache(out, "L1d", o->machine.l1d_bytes);
  nu_text_addf(out, ", %zu panels and %zu rows for ", b->panels, b->rows);
  add_cache(out, "L2", o->machine.l2_bytes);
  nu_text_addf(out, "\nchunks   %zu of %zu grains, as the rows of a chunk %s\n",
               nu_plan_chunks(&o->plan.plan, o->plan.plan.problem.batch), o->plan.plan.chunk,
               nu_plan_chunks(&o->plan.plan, o->plan.plan.problem.batch) > 1
                   ? "then stay in L2"
                   : "are all of the batch");
}

static void add_memory(const outlook *o, nu_text *out) {
  nu_text_add(out, "\nmemory       MiB\n");
  for (size_t i = 0; i < o->memory.n_parts; i++) {
    const nu_memory_part *part = &o->memory.parts[i];
    nu_text_addf(out, "%16.1f  %s\n", (double)part->bytes / (1u << 20), part->purpose);
  }
  nu_text_addf(out, "%16.1f  together\n", (double)o->memory.bytes / (1u << 20));
}

static void add_ranks(const outlook *o, nu_text *out) {
  nu_text_addf(out, "\nranks    %zu, each on such a machine; all else here is of the first one\n\n",
               o->ranks);
  nu_forecast_text(&o->forecast, &o->plan.plan, &o->link, out);
}

static void write_text(const outlook *o, nu_text *out) {
  add_machine(o, out);
  add_choice(o, out);
  add_rates(o, out);
  if (o->ranks) add_ranks(o, out);
  add_alternatives(o, out);
  add_layers(o, out);
  add_blocks(o, out);
  add_memory(o, out);
  nu_text_add(out, "\n");
  nu_placement_draw(&o->plan.plan, o->network, data_bytes(o), out);
}

/* ---- the command */

/* The limit that a training would run into: memory of the job, else of the machine. */
static void warn_of_memory(const outlook *o) {
  size_t limit = o->machine.memory_limit ? o->machine.memory_limit : o->machine.memory_bytes;
  if (!limit || o->memory.bytes <= limit) return;
  nu_warn(
      "%s: takes %zu MiB of memory, the %s has %zu MiB; a smaller batch or network, or fewer "
      "groups, "
      "takes less",
      o->subject, o->memory.bytes >> 20, o->machine.memory_limit ? "job" : "machine", limit >> 20);
}

static numann_status draw_svg(const outlook *o, const char *path, numann_error *err) {
  nu_text svg = {0};
  if (!o->plan.placement)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: --svg %s: nothing to draw, the machine tells of no cores", path);
  nu_placement_picture(&o->plan.plan, o->network, data_bytes(o), true, &svg);
  numann_status status = svg.failed ? nu_fail_memory(err, svg.length, path)
                                    : nu_durable_write(path, svg.data, svg.length, err);
  nu_text_clear(&svg);
  return status;
}

static numann_status run(outlook *o, const nu_arguments *args, numann_error *err) {
  NU_TRY(read_ranks(o, args, err));
  NU_TRY(open_subject(o, args, err));
  NU_TRY(make_plan(o, args, err));
  const nu_placement *placement = o->plan.placement;
  nu_warn_of_launch(args, &o->machine, o->config, &o->plan);
  if (placement && placement->note[0]) nu_warn("%s", placement->note);
  warn_of_memory(o);
  if (nu_given(args, NU_OPTION_SVG)) NU_TRY(draw_svg(o, args->value[NU_OPTION_SVG], err));
  nu_text out = {0};
  if (nu_given(args, NU_OPTION_JSON)) write_json(o, &out);
  else write_text(o, &out);
  return nu_print_text(&out, err);
}

static void clear(outlook *o) {
  free(o->layers);
  nu_plan_clear(&o->plan);
  nu_machine_clear(&o->machine);
  numann_network_destroy(o->network);
  numann_data_destroy(o->data);
  numann_config_destroy(o->config);
}

numann_status nu_command_plan(const nu_arguments *args, numann_error *err) {
  outlook o = {0};
  numann_status status = run(&o, args, err);
  clear(&o);
  return status;
}
