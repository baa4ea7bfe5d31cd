/* Input: the bytes of a data file - plain, gz, or standard input. SPDX-License-Identifier: MIT
 *
 * gz is recognised by its first byte and unpacked on the way; its checksum is verified at the end.
 * Nothing is ever allocated by a size that a file declares: the window is of fixed size.
 *
 * Reading ahead: while some threads work on the window, another may read or unpack what follows it
 * into a second buffer; then the two are swapped. A failure to read becomes an error only when all
 * content before it has been used up, as if it had been read then. */
#ifndef NU_DATA_INPUT_H
#define NU_DATA_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define NU_INPUT_WINDOW 262144
#define NU_INPUT_REST 65536 /* most bytes that a swap of the buffers carries over */

/* What was read ahead. */
typedef struct nu_ahead {
  unsigned char *buffer; /* [NU_INPUT_REST + capacity], the content from NU_INPUT_REST on; owned */
  size_t capacity, length;
  bool ended;         /* nothing comes after it */
  numann_error error; /* why nothing comes, when its status is not NUMANN_OK */
} nu_ahead;

typedef struct nu_input {
  const char *name; /* for messages: the path or "standard input"; borrowed */
  int fd;
  bool standard; /* fd is standard input, not ours to close */
  bool sized;    /* a plain regular file: `size` is its length */
  uint64_t size;
  bool ended;            /* nothing comes after the window */
  unsigned char *window; /* content at hand: [begin, end) of `capacity` bytes; owned */
  size_t begin, end, capacity;
  uint64_t taken; /* offset of window[0] in the content, modulo 2^64 */
  uint64_t moves; /* how often the content has moved in memory */
  nu_ahead ahead;
  struct z_stream_s *gz; /* NULL for plain input; owned */
  unsigned char *packed; /* gz: bytes read, not yet unpacked; owned */
  uint64_t packed_read;  /* gz: bytes read of the file */
  bool between_members;  /* gz: a member is complete, the next has not begun */
  bool packed_ended;     /* gz: the file has ended, after a complete member */
} nu_input;

/* Open the path ("-": standard input), which is borrowed. NUMANN_ERR_DATA when it is missing or
 * not a file. */
numann_status nu_input_open(nu_input *in, const char *path, numann_error *err);
void nu_input_close(nu_input *in);

/* Let the window hold at least `want` <= NU_INPUT_WINDOW bytes, or all that is left; NU_INPUT_REST
 * + 1 at most once something is read ahead. */
numann_status nu_input_fill(nu_input *in, size_t want, numann_error *err);

/* Make room to read `bytes` ahead. The window becomes as large. */
numann_status nu_input_widen(nu_input *in, size_t bytes, numann_error *err);

/* Read ahead, unless something read ahead waits already. Leaves the window alone. */
void nu_input_read_ahead(nu_input *in);

/* The next n bytes into out. NUMANN_ERR_DATA when fewer are left. */
numann_status nu_input_read(nu_input *in, void *out, size_t n, numann_error *err);

/* NUMANN_ERR_DATA when bytes are left; for gz this is also where the checksum is verified. */
numann_status nu_input_finish(nu_input *in, numann_error *err);

/* Offset in the content of the next byte that read will give. */
static inline uint64_t nu_input_offset(const nu_input *in) { return in->taken + in->begin; }

#endif
