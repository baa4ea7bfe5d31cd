/* Network: layers, shapes and parameters of a dense network. SPDX-License-Identifier: MIT
 *
 * Symbols: B rows (samples) in a batch, n_l neurons of layer l, n_0 the inputs; * is element by
 * element.
 *   (3.8)  forward   Z(l) = A(l-1) W(l)^T + 1 b(l)^T, A(l) = f(Z(l))    [B x n_l]
 *   (4.1)  output    D(L) = (T - Y) * f'(Z(L))                          [B x n_L]
 *   (4.3)  hidden    D(l) = (D(l+1) W(l+1)) * f'(Z(l))                  [B x n_l]
 *   (4.12) gradient  G(l) = D(l)^T A(l-1), g(l) = D(l)^T 1              [n_l x n_(l-1)], [n_l]
 *   (4.5)  update    W(l) += (eta/B) G(l), (4.8) b(l) += (eta/B) g(l)
 * Parameters are kept in one logical form: weights [n_l][n_(l-1)] row-major, biases [n_l]. */
#ifndef NUMANN_NETWORK_H
#define NUMANN_NETWORK_H

#include <stddef.h>

#include <numann/config.h>
#include <numann/data.h>
#include <numann/status.h>

typedef struct numann_network numann_network;

/* The layers of the config on the inputs and targets of the data; weights drawn from train.seed.
 * NUMANN_ERR_CONFIG when a layer, activation or loss does not fit the data or each other. Borrows
 * nothing: config and data may be destroyed after. */
NUMANN_API numann_status numann_network_create(numann_network **out, const numann_config *config,
                                               const numann_data *data, numann_error *err);

NUMANN_API size_t numann_network_layers(const numann_network *network);
NUMANN_API size_t numann_network_inputs(const numann_network *network);  /* n_0 */
NUMANN_API size_t numann_network_outputs(const numann_network *network); /* n_L */
NUMANN_API size_t numann_network_parameters(const numann_network *network);

/* Borrowed views of layer l in [0, layers): weights [n_out][n_in], biases [n_out]; valid until the
 * network is trained, loaded or destroyed. */
NUMANN_API const float *numann_network_weights_view(const numann_network *network, size_t layer);
NUMANN_API const float *numann_network_biases_view(const numann_network *network, size_t layer);

NUMANN_API void numann_network_destroy(numann_network *network); /* NULL is allowed */

#endif
