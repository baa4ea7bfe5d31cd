/* Signals that ask a training to stop. SPDX-License-Identifier: MIT */
#ifndef NU_CLI_SIGNALS_H
#define NU_CLI_SIGNALS_H

/* A limit on file sizes (SIGXFSZ) is from now on an error of the write, which keeps the older file.
 */
void nu_signals_fail_writes(void);

/* From now on SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1 and SIGUSR2, unless the caller ignores
 * them, end the process with NUMANN_STOPPED and a line on stderr that closes with `go_on` (static
 * storage; NULL: no line). A reader that has gone (SIGPIPE) is an error of the write. */
void nu_signals_catch(const char *go_on);

/* From now on they only set a flag, as there is something to save; a second SIGINT ends the process
 * at once with code 130. */
void nu_signals_defer(void);

/* "SIGTERM", or NULL as long as none has come. */
const char *nu_signals_received(void);

#endif
