/* One copy of the data on each host of a job. SPDX-License-Identifier: MIT
 *
 * The first rank of a host reads the files, with its threads. The others are told all but the
 * arrays of the rows, which they look at in memory that the host's ranks share: the first rank
 * copies its arrays there, gives back each piece that it has copied, and so never holds more than
 * the data and one piece (PIECE in share.c). Where there is no such memory the arrays are sent, and
 * each rank has its own.
 *
 * A host reads a file as a whole, whatever number of ranks it has: no rows travel between hosts,
 * each host may have its own copy of the files, and nothing depends on the ranks. */
#ifndef NU_DATA_SHARE_H
#define NU_DATA_SHARE_H

#include "data/data.h"

/* numann_data_load of the ranks of a job: collective, and so is to destroy what it gives. Not only
 * this rank's error is an error. Rank 0's notes tell of memory that was refused. */
numann_status nu_data_load_once(numann_data **out, nu_comm *comm, const numann_config *config,
                                numann_error *err);

/* The same of data that each host's first rank has (*data, of the others NULL) or could not get
 * (`status`, *err). On failure all are without. */
numann_status nu_data_share(numann_data **data, nu_comm *comm, numann_status status,
                            numann_error *err);

#endif
