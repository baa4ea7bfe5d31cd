/* Input: the bytes of a data file - plain, gz, or standard input. SPDX-License-Identifier: MIT
 *
 * gz is recognised by its first byte and unpacked on the way; its checksum is verified at the end.
 * Nothing is ever allocated by a size that a file declares: the window is of fixed size. */
#ifndef NU_DATA_INPUT_H
#define NU_DATA_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define NU_INPUT_WINDOW 262144

typedef struct nu_input {
  const char *name;         /* for messages: the path or "standard input"; borrowed */
  int fd;
  bool standard;            /* fd is standard input, not ours to close */
  bool sized;               /* a plain regular file: `size` is its length */
  uint64_t size;
  bool ended;               /* nothing comes after the window */
  unsigned char *window;    /* content at hand: [begin, end) of NU_INPUT_WINDOW bytes; owned */
  size_t begin, end;
  uint64_t taken;           /* bytes of content that left the window */
  struct z_stream_s *gz;    /* NULL for plain input; owned */
  unsigned char *packed;    /* gz: bytes read, not yet unpacked; owned */
  uint64_t packed_read;     /* gz: bytes read of the file */
  bool between_members;     /* gz: a member is complete, the next has not begun */
} nu_input;

/* Open the path ("-": standard input), which is borrowed. NUMANN_ERR_DATA when it is missing, no
 * file or empty. */
numann_status nu_input_open(nu_input *in, const char *path, numann_error *err);
void nu_input_close(nu_input *in);

/* Let the window hold at least `want` <= NU_INPUT_WINDOW bytes, or all that is left. */
numann_status nu_input_fill(nu_input *in, size_t want, numann_error *err);

/* The next n bytes into out. NUMANN_ERR_DATA when fewer are left. */
numann_status nu_input_read(nu_input *in, void *out, size_t n, numann_error *err);

/* NUMANN_ERR_DATA when bytes are left; for gz this is also where the checksum is verified. */
numann_status nu_input_finish(nu_input *in, numann_error *err);

/* Offset in the content of the next byte that read will give. */
static inline uint64_t nu_input_offset(const nu_input *in) { return in->taken + in->begin; }

#endif
