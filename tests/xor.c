/* Train XOR on the installed library and ask it: cc xor.c $(pkg-config --cflags --libs numann)
 * SPDX-License-Identifier: MIT */
#include <numann.h>
#include <stdio.h>

static const char *const text =
    "data: {train: {path: memory}}\n" /* the rows come from the arrays below, no file is read */
    "network:\n"
    "  layers:\n"
    "    - {neurons: 4, activation: sigmoid}\n"
    "    - {neurons: 1, activation: sigmoid}\n"
    "train:\n"
    "  loss: squared_error\n"
    "  optimizer: {name: adam, learning_rate: 0.05}\n"
    "  batch: full\n"
    "  epochs: 4000\n";

int main(void) {
  static const float inputs[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  static const float targets[4] = {0, 1, 1, 0};
  float answers[4];
  numann_config *config = NULL;
  numann_data *data = NULL;
  numann_network *network = NULL;
  numann_plan *plan = NULL;
  numann_trainer *trainer = NULL;
  numann_error err;

  numann_status status = numann_config_parse(&config, text, "xor", &err);
  if (!status) status = numann_data_create(&data, 4, 2, inputs[0], 1, targets, NULL, &err);
  if (!status) status = numann_network_create(&network, config, data, &err);
  if (!status) status = numann_plan_create(&plan, config, network, data, &err);
  if (!status) status = numann_trainer_create(&trainer, config, network, plan, data, &err);
  if (!status) status = numann_trainer_run(trainer, NULL, &err);
  if (!status) status = numann_predict(network, 1, 4, inputs[0], answers, &err);

  int wrong = status != NUMANN_OK;
  if (wrong) fprintf(stderr, "xor: %s: %s\n", numann_status_name(status), err.message);
  for (int i = 0; !wrong && i < 4; i++) {
    printf("%g xor %g = %.3f\n", inputs[i][0], inputs[i][1], answers[i]);
    wrong = answers[i] < targets[i] - 0.1f || answers[i] > targets[i] + 0.1f;
  }
  numann_trainer_destroy(trainer);
  numann_plan_destroy(plan);
  numann_network_destroy(network);
  numann_data_destroy(data);
  numann_config_destroy(config);
  return wrong;
}
