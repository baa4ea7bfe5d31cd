/* Names of losses, and which activations they may be trained with. SPDX-License-Identifier: MIT */
#include "network/network.h"

static const char *const loss_names[NU_LOSSES] = {
    [NU_SQUARED_ERROR] = "squared_error",
    [NU_CROSS_ENTROPY] = "cross_entropy",
    [NU_BINARY_CROSS_ENTROPY] = "binary_cross_entropy"};

const char *nu_loss_name(nu_loss loss) { return loss_names[loss]; }
const char *const *nu_loss_names(void) { return loss_names; }

const char *nu_pairing_refusal(nu_activation output, nu_loss loss, size_t outputs) {
  if (loss == NU_CROSS_ENTROPY && output != NU_SOFTMAX) {
    return "cross_entropy needs probabilities that sum to 1: use softmax in the last layer, or "
           "binary_cross_entropy with sigmoid";
  }
  if (loss == NU_BINARY_CROSS_ENTROPY && output != NU_SIGMOID) {
    return "binary_cross_entropy needs a probability for each output: use sigmoid in the last "
           "layer, "
           "or cross_entropy with softmax";
  }
  if (loss == NU_SQUARED_ERROR && output == NU_SOFTMAX) {
    return "softmax goes with cross_entropy, where the delta is exactly t - y: use cross_entropy, "
           "or "
           "sigmoid with squared_error";
  }
  if (output == NU_SOFTMAX && outputs < 2) {
    return "softmax over one neuron is always 1: use one neuron a class, or sigmoid with "
           "binary_cross_entropy";
  }
  return NULL;
}
