/* What makes it unlikely that a network learns from its data. SPDX-License-Identifier: MIT */
#ifndef NU_NETWORK_DOUBTS_H
#define NU_NETWORK_DOUBTS_H

#include "base/text.h"
#include "data/data.h"
#include "network/network.h"

/* A line for each doubt, with what to set: inputs or numeric targets that are far from 1, and
 * targets that the last layer cannot give. Looks at some rows of the training data, as scaled. */
void nu_network_doubts(const numann_network *network, const numann_data *data, nu_text *out);

#endif
