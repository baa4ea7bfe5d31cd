/* Network inside numann. SPDX-License-Identifier: MIT */
#ifndef NU_NETWORK_NETWORK_H
#define NU_NETWORK_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "kernels/kernels.h"
#include "network/activation.h"
#include "network/kind.h"
#include "numann/network.h"

/* One layer. A kind without neurons of its own (dropout, scale) gives as many numbers as it takes;
 * without an activation it has the identity. */
struct nu_layer {
  const nu_kind *kind;
  size_t inputs;  /* n_(l-1) */
  size_t neurons; /* n_l */
  nu_activation activation;
  double rate;    /* dropout: share of the inputs that are dropped; else 0 */
  size_t links;   /* weights of a neuron: of a dense one its inputs; 0: no parameters */
  bool bias;      /* and one more */
  float *weights; /* [neurons][links], row-major; inside the network's one block */
  float *biases;  /* [neurons]; inside the network's one block, behind the weights */
};
/* Parameters of a neuron, which are rows in the engine's form; of the layer. */
static inline size_t nu_layer_rows(const nu_layer *layer) { return layer->links + layer->bias; }
/* Of the rows, those that weight decay is for: not the bias, and not those of some kinds. */
static inline size_t nu_layer_decayed(const nu_layer *layer) {
  return layer->kind->undecayed ? 0 : layer->links;
}
static inline size_t nu_layer_parameters(const nu_layer *layer) {
  return layer->neurons * nu_layer_rows(layer);
}

struct numann_network {
  size_t n_layers;
  nu_layer *layers; /* [n_layers], owned */
  nu_loss loss;
  size_t n_parameters;
  float *parameters; /* [n_parameters]: W(1), b(1), W(2), b(2) ...; owned, aligned to 64 */
};

/* A network of layers of which kind, inputs, neurons, activation and rate are set; parameters zero.
 * NUMANN_ERR_CONFIG when there are too many. */
numann_status nu_network_build(numann_network **out, size_t n_layers, const nu_layer *layers,
                               nu_loss loss, numann_error *err);
/* The same of dense layers. sizes: [n_layers + 1], inputs first. */
numann_status nu_network_allocate(numann_network **out, size_t n_layers, const size_t *sizes,
                                  const nu_activation *activations, nu_loss loss,
                                  numann_error *err);

/* The same shapes and parameters in memory of its own. */
numann_status nu_network_copy(numann_network **out, const numann_network *network,
                              numann_error *err);

/* The network of the config for given inputs and targets (classes, or numbers per row);
 * parameters zero. numann_network_create is this and nu_network_initialize. */
numann_status nu_network_shape(numann_network **out, const numann_config *config, size_t inputs,
                               size_t classes, size_t targets, numann_error *err);

/* Draw the parameters as network.initializer says, layer l from the stream (seed, l). */
numann_status nu_network_initialize(numann_network *network, const numann_config *config,
                                    numann_error *err);

/* Names of losses, for messages, reports and files; all of them, [NU_LOSSES] in the order of the
 * enum; static storage. */
const char *nu_loss_name(nu_loss loss);
const char *const *nu_loss_names(void);

/* Does any layer draw random numbers in training? */
bool nu_network_draws(const numann_network *network);
/* "64 - 64 relu - 10 softmax, 4810 parameters" */
void nu_network_describe(const numann_network *network, nu_text *out);

/* NULL when the pair may be trained, else the reason why not, as one sentence with what to do. */
const char *nu_pairing_refusal(nu_activation output, nu_loss loss, size_t outputs);

/* SHA-256 over W(1), b(1), W(2), ... as little-endian fp32: 64 hexadecimal digits and a NUL. */
void nu_network_sha256(const numann_network *network, char hex[65]);

/* Are all parameters finite? If not, *layer and *bias say where the first one is that is not. */
bool nu_network_finite(const numann_network *network, size_t *layer, bool *bias);

#endif
