/* The outlook for programs. SPDX-License-Identifier: MIT */
#include "cli/json.h"
#include "cli/outlook.h"
#include "cli/placement_json.h"

static void json_machine(const nu_outlook *o, nu_json *json) {
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

static void json_plan(const nu_outlook *o, nu_json *json) {
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

static void json_cost(const nu_outlook *o, nu_json *json) {
  nu_json_real(json, "step_s", o->cost.seconds);
  nu_json_real(json, "rows_s", o->cost.rows);
  nu_json_real(json, "join_s", o->cost.join);
  nu_json_real(json, "ranks_s", o->cost.ranks);
  nu_json_real(json, "barriers_s", o->cost.barriers);
  nu_json_count(json, "barriers", nu_plan_barriers(&o->plan.plan, o->network));
  nu_json_real(json, "samples_per_s", nu_outlook_rate(o));
}

static void json_rates(const nu_outlook *o, nu_json *json) {
  nu_json_open(json, "rates", '{');
  nu_json_string(json, "origin", nu_rates_origin_name(o->calibration.origin));
  nu_json_string(json, "why", o->calibration.why);
  for (size_t i = 0; i < nu_n_rate_fields; i++)
    nu_json_real(json, nu_rate_fields[i].name, nu_rate(&o->calibration.rates, &nu_rate_fields[i]));
  nu_json_close(json, '}');
}

static void json_layers(const nu_outlook *o, nu_json *json) {
  nu_json_open(json, "layers", '[');
  for (size_t l = 0; l < o->network->n_layers; l++) {
    const nu_layer *layer = &o->network->layers[l];
    nu_json_open(json, NULL, '{');
    nu_json_count(json, "inputs", layer->inputs);
    nu_json_count(json, "neurons", layer->neurons);
    nu_json_string(json, "activation", nu_activation_name(layer->activation));
    nu_json_count(json, "panels", nu_panels(layer->neurons));
    nu_json_count(json, "panels_of_a_thread", nu_outlook_panels(o, l));
    nu_json_real(json, "forward_s", o->layers[l].forward);
    nu_json_real(json, "delta_s", o->layers[l].delta);
    nu_json_real(json, "gradient_s", o->layers[l].gradient);
    nu_json_string(json, "bound", o->layers[l].bound);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

static void json_alternatives(const nu_outlook *o, nu_json *json) {
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

static void json_memory(const nu_outlook *o, nu_json *json) {
  nu_json_open(json, "memory", '[');
  for (size_t i = 0; i < o->memory.n_parts; i++) {
    nu_json_open(json, NULL, '{');
    nu_json_string(json, "purpose", o->memory.parts[i].purpose);
    nu_json_count(json, "bytes", o->memory.parts[i].bytes);
    nu_json_close(json, '}');
  }
  nu_json_close(json, ']');
}

void nu_outlook_json(const nu_outlook *o, nu_text *out) {
  nu_json json = {0};
  nu_json_open(&json, NULL, '{');
  nu_json_string(&json, "subject", o->subject);
  nu_hosts_json(o->hosts, o->comm->size, &json);
  json_machine(o, &json);
  json_rates(o, &json);
  json_alternatives(o, &json);
  json_layers(o, &json);
  json_memory(o, &json);
  if (o->ranks) nu_forecast_json(&o->forecast, &o->plan.plan, &o->link, &json);
  nu_json_placement(&json, &o->plan.plan, o->network, nu_outlook_data_bytes(o), NULL);
  json_plan(o, &json); /* last, so that a search for the last "threads" finds the plan's */
  json_cost(o, &json);
  nu_json_count(&json, "memory_bytes", o->memory.bytes);
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  *out = json.text;
}
