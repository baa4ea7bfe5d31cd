/* Signals that ask a training to stop. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_SIGNALS_H
#define NU_CLI_SIGNALS_H

/* From now on SIGINT, SIGTERM and SIGUSR1 only set a flag; a second SIGINT ends the process at once
 * with code 130. */
void nu_signals_catch(void);

/* "SIGTERM", or NULL as long as none has come. */
const char *nu_signals_received(void);

#endif
