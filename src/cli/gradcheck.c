/* numann gradcheck: are the gradients right? SPDX-License-Identifier: MIT */
#include "trainer/gradcheck.h"

#include "cli/command.h"
#include "cli/json.h"

static void write_layer(const nu_gradcheck_layer *layer, nu_json *json) {
  nu_json_open(json, NULL, '{');
  nu_json_count(json, "inputs", layer->inputs);
  nu_json_count(json, "neurons", layer->neurons);
  nu_json_string(json, "activation", layer->name);
  nu_json_count(json, "checked", layer->checked);
  nu_json_count(json, "skipped", layer->skipped);
  nu_json_count(json, "alive", layer->alive);
  nu_json_real(json, "difference", layer->difference);
  nu_json_real(json, "share", layer->share);
  nu_json_real(json, "factor", layer->factor);
  nu_json_real(json, "norm", layer->norm);
  nu_json_close(json, '}');
}

static void write_json(const nu_gradcheck *check, nu_text *out) {
  nu_json json = {0};
  nu_json_open(&json, NULL, '{');
  nu_json_flag(&json, "passed", check->passed);
  nu_json_string(&json, "complaint", check->complaint);
  nu_json_count(&json, "parameters", check->parameters);
  nu_json_count(&json, "rows", check->rows);
  nu_json_count(&json, "rows_left_out", check->rows_left_out);
  nu_json_real(&json, "difference_bound", check->difference_bound);
  nu_json_count(&json, "grain", check->grain);
  nu_json_count(&json, "depth", check->depth);
  nu_json_count(&json, "plans", check->plans);
  nu_json_flag(&json, "same_bits", check->same_bits);
  nu_json_open(&json, "layers", '[');
  for (size_t l = 0; l < check->n_layers; l++) write_layer(&check->layers[l], &json);
  nu_json_close(&json, ']');
  nu_json_close(&json, '}');
  nu_text_add(&json.text, "\n");
  *out = json.text;
}

static numann_status print_check(const nu_gradcheck *check, const nu_arguments *args,
                                 numann_error *err) {
  nu_text out = {0};
  if (nu_given(args, NU_OPTION_JSON)) write_json(check, &out);
  else nu_gradcheck_write(check, &out);
  NU_TRY(nu_print_text(&out, err));
  if (check->passed) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_INTERNAL,
                 "%s: the gradients are wrong: %s; please report it with this config",
                 args->operands[0], check->complaint);
}

static numann_status run_check(nu_gradcheck *check, const nu_arguments *args, numann_error *err) {
  numann_config *config = NULL;
  NU_TRY(nu_load_config(&config, args, args->operands[0], err));
  numann_status status = nu_gradcheck_run(check, config, err);
  numann_config_destroy(config);
  return status;
}

numann_status nu_command_gradcheck(const nu_arguments *args, numann_error *err) {
  nu_gradcheck check = {0};
  numann_status status = run_check(&check, args, err);
  if (status == NUMANN_OK) status = print_check(&check, args, err);
  nu_gradcheck_clear(&check);
  return status;
}
