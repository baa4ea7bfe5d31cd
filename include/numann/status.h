/* Status and error: how every numann function reports what went wrong.
 * SPDX-License-Identifier: MIT
 *
 * A function that can fail for external causes (a file, a config, the machine) returns a
 * numann_status and fills the caller's numann_error, which may be NULL. Wrong use by the calling
 * program is an assert. The values are the exit codes of the numann command. */
#ifndef NUMANN_STATUS_H
#define NUMANN_STATUS_H

#if defined(__GNUC__)
#define NUMANN_API __attribute__((visibility("default")))
#else
#define NUMANN_API
#endif

typedef enum numann_status {
  NUMANN_OK = 0,
  NUMANN_ERR_INTERNAL = 1, /* a defect of numann */
  NUMANN_ERR_CONFIG = 2,   /* command line or config: wrong key, value or combination */
  NUMANN_ERR_DATA = 3,     /* a data file is missing, truncated or malformed */
  NUMANN_ERR_MODEL = 4,    /* a model or checkpoint is invalid, or none is usable */
  NUMANN_ERR_IO = 5,       /* writing or reading failed: disk full, I/O error */
  NUMANN_ERR_MEMORY = 6,   /* memory, threads or another resource was refused */
  NUMANN_ERR_DIVERGED = 7, /* a loss, a gradient, a weight or an answer is not finite */
  NUMANN_ERR_PEER = 8,     /* another process of the job is lost or hangs */
  NUMANN_STOPPED = 75      /* stopped on request, checkpoint durable; run again to continue */
} numann_status;

/* Owned by the caller, no heap. The message is one line of UTF-8 that may go to a terminal whatever
 * the input holds (an escape sequence in a name is shown as "\x1b"):
 * place (file:line:column or file@offset), what was found, what was expected, what to do. */
typedef struct numann_error {
  numann_status status;
  char message[1024];
} numann_error;

/* A short name of the class, such as "config" or "data"; static storage. */
NUMANN_API const char *numann_status_name(numann_status status);

#endif
