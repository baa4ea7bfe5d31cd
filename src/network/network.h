/* Network inside numann. SPDX-License-Identifier: MIT */
#ifndef NU_NETWORK_NETWORK_H
#define NU_NETWORK_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"
#include "numann/network.h"

typedef struct nu_layer {
  size_t inputs;  /* n_(l-1) */
  size_t neurons; /* n_l */
  nu_activation activation;
  float *weights; /* [neurons][inputs], row-major; inside the network's one block */
  float *biases;  /* [neurons]; inside the network's one block */
} nu_layer;

struct numann_network {
  size_t n_layers;
  nu_layer *layers; /* [n_layers], owned */
  nu_loss loss;
  size_t n_parameters;
  float *parameters; /* [n_parameters]: W(1), b(1), W(2), b(2) ...; owned, aligned to 64 */
};

/* A network of these shapes, parameters zero. sizes: [n_layers + 1], inputs first. */
numann_status nu_network_allocate(numann_network **out, size_t n_layers, const size_t *sizes,
                                  const nu_activation *activations, nu_loss loss,
                                  numann_error *err);

/* The network of the config for given inputs and targets (classes, or numbers a row); parameters
 * zero. numann_network_create is this and nu_network_initialize. */
numann_status nu_network_shape(numann_network **out, const numann_config *config, size_t inputs,
                               size_t classes, size_t targets, numann_error *err);

/* Draw the parameters as network.initializer says, layer l from the stream (seed, l). */
numann_status nu_network_initialize(numann_network *network, const numann_config *config,
                                    numann_error *err);

/* Names of the tables, for messages, reports and files. */
const char *nu_activation_name(nu_activation activation);
const char *nu_loss_name(nu_loss loss);
/* All of them, [NU_ACTIVATIONS] and [NU_LOSSES], in the order of the enums; static storage. */
const char *const *nu_activation_names(void);
const char *const *nu_loss_names(void);

/* NULL when the pair may be trained, else the reason why not, as one sentence with what to do. */
const char *nu_pairing_refusal(nu_activation output, nu_loss loss, size_t outputs);

/* SHA-256 over W(1), b(1), W(2), ... as little-endian fp32: 64 hexadecimal digits and a NUL. */
void nu_network_sha256(const numann_network *network, char hex[65]);

/* All parameters finite? If not, *layer and *bias say where the first is not. */
bool nu_network_finite(const numann_network *network, size_t *layer, bool *bias);

#endif
