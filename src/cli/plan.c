/* numann plan: how a training would run on this machine, and what it would take.
 * SPDX-License-Identifier: MIT */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/durable.h"
#include "cli/bench.h"
#include "cli/outlook.h"
#include "config/config.h"
#include "plan/placement.h"
#include "report/svg.h"
#include "trainer/refusal.h"

enum { MOST_RANKS = 4096 };

/* ---- what is planned */

static numann_status open_row(nu_outlook *o, const nu_arguments *args, numann_error *err) {
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

static numann_status open_config(nu_outlook *o, const nu_arguments *args, numann_error *err) {
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

static numann_status open_subject(nu_outlook *o, const nu_arguments *args, numann_error *err) {
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

static numann_status see_machine(nu_outlook *o, const nu_arguments *args, numann_error *err) {
  nu_machine_source source = nu_machine_wanted(args);
  NU_TRY(nu_machine_detect_from(&o->machine, &source, err));
  o->machine = nu_plan_machine(&o->machine, o->config);
  return NUMANN_OK;
}

/* --ranks N, else those of the job: the plan is rank 0's, whose share is the largest. */
static numann_status read_ranks(nu_outlook *o, const nu_arguments *args, numann_error *err) {
  NU_TRY(nu_read_option_count(&o->ranks, args, NU_OPTION_RANKS, MOST_RANKS, err));
  if (!o->ranks && o->comm->size > 1) o->ranks = o->comm->size;
  if (!o->ranks && nu_given(args, NU_OPTION_NETWORK))
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: --network is between ranks; give --ranks N as well");
  return nu_read_network(&o->link, args, nu_rates_of(NULL), err);
}

/* Against the plan that one rank would have on the same machine. */
static numann_status forecast(nu_outlook *o, const nu_arguments *args, numann_error *err) {
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

static numann_status make_plan(nu_outlook *o, const nu_arguments *args, numann_error *err) {
  const nu_kernels *kernels;
  const char *isa;
  size_t rank = o->ranks == o->comm->size ? o->comm->rank : 0;
  nu_comm planned = {.rank = rank, .size = o->ranks ? o->ranks : 1};
  NU_TRY(nu_kernels_choose(&kernels, err));
  NU_TRY(choose_isa(&isa, args, err));
  NU_TRY(see_machine(o, args, err));
  NU_TRY(nu_plan_from(&o->plan, &o->calibration, &planned, o->config, o->network, &o->machine,
                      o->rows.train_rows, isa, err));
  o->layers = nu_alloc(o->network->n_layers, sizeof *o->layers);
  if (!o->layers) return nu_fail_memory(err, o->network->n_layers * sizeof *o->layers, "the plan");
  o->cost = nu_plan_cost(&o->plan.plan, o->network, &o->machine, &o->calibration.rates, o->layers);
  if (o->ranks) NU_TRY(forecast(o, args, err));
  o->memory = nu_plan_memory(&o->plan.plan, o->network, &o->rows);
  return NUMANN_OK;
}

/* ---- text */

static void add_plural(nu_text *out, size_t n, const char *thing) {
  nu_text_addf(out, "%zu %s%s", n, thing, n == 1 ? "" : "s");
}

static void add_machine(const nu_outlook *o, nu_text *out) {
  const nu_machine *m = &o->machine;
  nu_text_addf(out, "machine  %s, ", m->model[0] ? m->model : "unknown model");
  add_plural(out, m->cores, "core");
  nu_text_add(out, " on ");
  add_plural(out, m->numa_nodes, "NUMA node");
  nu_text_addf(out, ", %s; up to ", o->calibration.rates.isa);
  add_plural(out, m->threads_limit, "thread");
  nu_text_addf(out, " (%s)\n", m->limited_by);
}

static void add_choice(const nu_outlook *o, nu_text *out) {
  const nu_plan *plan = &o->plan.plan;
  nu_text_add(out, "plan     ");
  nu_text_add_shown(out, o->subject);
  nu_text_add(out, ": ");
  add_plural(out, plan->threads, "thread");
  nu_text_addf(out, ", %s, ", nu_strategy_name(plan->strategy));
  add_plural(out, plan->groups, "group");
  nu_text_addf(out, "; batch %zu in grains of %zu rows\n", plan->problem.batch,
               plan->problem.grain);
  nu_text_addf(out, "why      %s, %.3g samples/s\n", o->plan.why, nu_outlook_rate(o));
}

static void add_rates(const nu_outlook *o, nu_text *out) {
  const nu_rates *r = &o->calibration.rates;
  nu_text_addf(out, "rates    %s\n", o->calibration.why);
  nu_text_addf(out,
               "         a thread: %.3g GFLOP/s, %.3g GB/s from L2, %.3g from L3, %.3g from other "
               "threads; a "
               "barrier %.2f us\n",
               r->flops / 1e9, r->l2_bytes / 1e9, r->l3_bytes / 1e9, r->shared_bytes / 1e9,
               1e6 * (r->barrier + r->barrier_thread * (double)o->plan.plan.threads));
}

static void add_alternatives(const nu_outlook *o, nu_text *out) {
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

static void add_layers(const nu_outlook *o, nu_text *out) {
  nu_text_add(
      out,
      "\nlayer  inputs  neurons  panels  a thread  forward     delta  gradient  us, bound by\n");
  for (size_t l = 0; l < o->network->n_layers; l++) {
    const nu_layer *layer = &o->network->layers[l];
    const nu_layer_cost *cost = &o->layers[l];
    nu_text_addf(out, "%5zu  %6zu  %7zu  %6zu  %8zu  %7.1f  %8.1f  %8.1f  %s\n", l + 1,
                 layer->inputs, layer->neurons, nu_panels(layer->neurons), nu_outlook_panels(o, l),
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

static void add_blocks(const nu_outlook *o, nu_text *out) {
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

static void add_memory(const nu_outlook *o, nu_text *out) {
  nu_text_add(out, "\nmemory       MiB\n");
  for (size_t i = 0; i < o->memory.n_parts; i++) {
    const nu_memory_part *part = &o->memory.parts[i];
    nu_text_addf(out, "%16.1f  %s\n", (double)part->bytes / (1u << 20), part->purpose);
  }
  nu_text_addf(out, "%16.1f  together\n", (double)o->memory.bytes / (1u << 20));
}

static void add_ranks(const nu_outlook *o, nu_text *out) {
  nu_text_addf(out, "\nranks    %zu, each on such a machine; all else here is of the first one\n\n",
               o->ranks);
  nu_forecast_text(&o->forecast, &o->plan.plan, &o->link, out);
}

static void add_job(const nu_outlook *o, nu_text *out) {
  nu_text doubts = {0};
  nu_hosts_draw(o->hosts, o->comm->size, out, &doubts);
  nu_warn_lines("", &doubts);
  nu_text_clear(&doubts);
}

static void write_text(const nu_outlook *o, nu_text *out) {
  add_machine(o, out);
  add_choice(o, out);
  add_rates(o, out);
  if (o->ranks) add_ranks(o, out);
  if (o->hosts) add_job(o, out);
  add_alternatives(o, out);
  add_layers(o, out);
  add_blocks(o, out);
  add_memory(o, out);
  nu_text_add(out, "\n");
  nu_placement_draw(&o->plan.plan, o->network, nu_outlook_data_bytes(o), out);
}

/* ---- the command */

/* The limit that a training would run into: memory of the job, else of the machine. */
static void warn_of_memory(const nu_outlook *o) {
  size_t limit = o->machine.memory_limit ? o->machine.memory_limit : o->machine.memory_bytes;
  if (!limit || o->memory.bytes <= limit) return;
  nu_warn(
      "%s: takes %zu MiB of memory, the %s has %zu MiB; a smaller batch or network, or fewer "
      "groups, "
      "takes less",
      o->subject, o->memory.bytes >> 20, o->machine.memory_limit ? "job" : "machine", limit >> 20);
}

static numann_status draw_svg(const nu_outlook *o, const char *path, numann_error *err) {
  nu_text svg = {0};
  if (!o->plan.placement)
    return nu_fail(err, NUMANN_ERR_CONFIG,
                   "command line: --svg %s: nothing to draw, the machine tells of no cores", path);
  nu_placement_picture(&o->plan.plan, o->network, nu_outlook_data_bytes(o), true, &svg);
  numann_status status = svg.failed ? nu_fail_memory(err, svg.length, path)
                                    : nu_durable_write(path, svg.data, svg.length, err);
  nu_text_clear(&svg);
  return status;
}

/* What each rank does by itself. */
static numann_status prepare(nu_outlook *o, const nu_arguments *args, numann_error *err) {
  NU_TRY(read_ranks(o, args, err));
  NU_TRY(open_subject(o, args, err));
  return make_plan(o, args, err);
}

static numann_status show(nu_outlook *o, const nu_arguments *args, numann_error *err) {
  const nu_placement *placement = o->plan.placement;
  if (o->comm->size > 1 && o->ranks != o->comm->size)
    nu_note(args, "planned for %zu ranks (--ranks), while this job has %zu", o->ranks,
            o->comm->size);
  nu_warn_of_launch(args, &o->machine, o->config, &o->plan);
  if (placement && placement->note[0]) nu_warn("%s", placement->note);
  warn_of_memory(o);
  if (nu_given(args, NU_OPTION_SVG)) NU_TRY(draw_svg(o, args->value[NU_OPTION_SVG], err));
  nu_text out = {0};
  if (nu_given(args, NU_OPTION_JSON)) nu_outlook_json(o, &out);
  else write_text(o, &out);
  return nu_print_text(&out, err);
}

static numann_status run(nu_outlook *o, const nu_arguments *args, numann_error *err) {
  NU_TRY(nu_comm_start(err));
  o->comm = nu_comm_world();
  NU_TRY(nu_comm_agree(o->comm, prepare(o, args, err), err));
  NU_TRY(nu_hosts_gather(&o->hosts, o->comm, &o->machine, numann_plan_threads(&o->plan), err));
  return nu_comm_agree(o->comm, o->comm->rank == 0 ? show(o, args, err) : NUMANN_OK, err);
}

static void clear(nu_outlook *o) {
  free(o->hosts);
  free(o->layers);
  nu_plan_clear(&o->plan);
  nu_machine_clear(&o->machine);
  numann_network_destroy(o->network);
  numann_data_destroy(o->data);
  numann_config_destroy(o->config);
}

numann_status nu_command_plan(const nu_arguments *args, numann_error *err) {
  nu_outlook o = {0};
  numann_status status = run(&o, args, err);
  clear(&o);
  return status;
}
