/* Input: the bytes of a data file. SPDX-License-Identifier: MIT */
#include "build_config.h"

#include "data/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/least.h"

#define PACKED_BYTES 65536
#define GZ_FIRST_BYTE 0x1f

static numann_status read_some(nu_input *in, unsigned char *out, size_t n, size_t *got,
                               numann_error *err) {
  for (;;) {
    ssize_t count = read(in->fd, out, n);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      int error = errno;
      return nu_fail(err, NUMANN_ERR_IO, "%s: cannot be read: %s; %s", in->name, strerror(error),
                     nu_errno_advice(error));
    }
    *got = (size_t)count;
    return NUMANN_OK;
  }
}

static numann_status refill_packed(nu_input *in, numann_error *err) {
  size_t got;
  NU_TRY(read_some(in, in->packed, PACKED_BYTES, &got, err));
  in->packed_read += got;
  in->gz->next_in = in->packed;
  in->gz->avail_in = (uInt)got;
  if (got > 0) return NUMANN_OK;
  if (!in->between_members) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s@%" PRIu64 ": the gz file ends early; get a complete copy", in->name,
                   in->packed_read);
  }
  in->packed_ended = true;
  return NUMANN_OK;
}

/* gzip allows several members after each other; anything else after a member is damage. */
static numann_status begin_member(nu_input *in, numann_error *err) {
  if (in->gz->next_in[0] != GZ_FIRST_BYTE) {
    return nu_fail(err, NUMANN_ERR_DATA,
                   "%s@%" PRIu64 ": bytes follow the end of the gz data; get a clean copy",
                   in->name, in->packed_read - in->gz->avail_in);
  }
  inflateReset(in->gz);
  in->between_members = false;
  return NUMANN_OK;
}

static numann_status fail_gz(const nu_input *in, int code, numann_error *err) {
  if (code == Z_MEM_ERROR) return nu_fail_memory(err, PACKED_BYTES, "unpacking gz data");
  return nu_fail(err, NUMANN_ERR_DATA, "%s@%" PRIu64 ": damaged gz data: %s; get a new copy",
                 in->name, in->packed_read - in->gz->avail_in,
                 in->gz->msg ? in->gz->msg : "wrong content");
}

/* Unpack into out[0..n) until something came or the content ended. */
static numann_status unpack_some(nu_input *in, unsigned char *out, size_t n, size_t *got,
                                 numann_error *err) {
  in->gz->next_out = out;
  in->gz->avail_out = (uInt)n;
  while (in->gz->avail_out == n && !in->packed_ended) {
    if (in->gz->avail_in == 0) {
      NU_TRY(refill_packed(in, err));
      continue;
    }
    if (in->between_members) NU_TRY(begin_member(in, err));
    int code = inflate(in->gz, Z_NO_FLUSH);
    if (code == Z_STREAM_END) in->between_members = true;
    else if (code != Z_OK && code != Z_BUF_ERROR) return fail_gz(in, code, err);
  }
  *got = n - in->gz->avail_out;
  return NUMANN_OK;
}

/* The next bytes of content; none at its end, or after an error. */
static numann_status get_some(nu_input *in, unsigned char *out, size_t n, size_t *got, bool *ended,
                              numann_error *err) {
  *got = 0;
  numann_status status =
      in->gz ? unpack_some(in, out, n, got, err) : read_some(in, out, n, got, err);
  *ended = status == NUMANN_OK && *got == 0;
  return status;
}

/* ---- reading ahead */

numann_status nu_input_widen(nu_input *in, size_t bytes, numann_error *err) {
  size_t left = in->end - in->begin, capacity = nu_larger(bytes, left);
  unsigned char *window = malloc(NU_INPUT_REST + capacity);
  in->ahead = (nu_ahead){.buffer = malloc(NU_INPUT_REST + capacity), .capacity = bytes};
  if (!window || !in->ahead.buffer) {
    free(window);
    free(in->ahead.buffer);
    in->ahead = (nu_ahead){0};
    return nu_fail_memory(err, 2 * capacity, "reading a file");
  }
  memcpy(window + NU_INPUT_REST, in->window + in->begin, left);
  free(in->window);
  in->window = window;
  in->capacity = NU_INPUT_REST + capacity;
  in->taken += in->begin - NU_INPUT_REST;
  in->begin = NU_INPUT_REST;
  in->end = NU_INPUT_REST + left;
  in->moves++;
  return NUMANN_OK;
}

void nu_input_read_ahead(nu_input *in) {
  nu_ahead *ahead = &in->ahead;
  if (ahead->length > 0) return;
  while (ahead->length < ahead->capacity && !in->ended && !ahead->ended && !ahead->error.status) {
    size_t got, room = ahead->capacity - ahead->length;
    /* gz in the same pieces as ever, so that damaged data give the same content before the damage
     */
    if (in->gz && room > NU_INPUT_WINDOW) room = NU_INPUT_WINDOW;
    unsigned char *to = ahead->buffer + NU_INPUT_REST + ahead->length;
    get_some(in, to, room, &got, &ahead->ended, &ahead->error);
    ahead->length += got;
  }
}

/* The buffers change places, and the rest of the window goes before what was read ahead. */
static void exchange(nu_input *in) {
  nu_ahead *ahead = &in->ahead;
  size_t left = in->end - in->begin, begin = NU_INPUT_REST - left;
  unsigned char *next = ahead->buffer;
  memcpy(next + begin, in->window + in->begin, left);
  ahead->buffer = in->window;
  in->window = next;
  in->taken += in->begin - begin;
  in->begin = begin;
  in->end = NU_INPUT_REST + ahead->length;
  in->moves++;
  ahead->length = 0;
}

/* Once there is a buffer for it, all content passes through what is read ahead. */
static numann_status fill_from_ahead(nu_input *in, size_t want, numann_error *err) {
  const nu_ahead *ahead = &in->ahead;
  assert(want <= NU_INPUT_REST + 1);
  while (in->end - in->begin < want && !in->ended) {
    nu_input_read_ahead(in);
    in->ended = ahead->ended && ahead->length == 0;
    if (ahead->length > 0) exchange(in);
    else if (ahead->error.status)
      return nu_fail(err, ahead->error.status, "%s", ahead->error.message);
  }
  return NUMANN_OK;
}

numann_status nu_input_fill(nu_input *in, size_t want, numann_error *err) {
  if (in->end - in->begin >= want || in->ended) return NUMANN_OK;
  if (in->ahead.buffer) return fill_from_ahead(in, want, err);
  memmove(in->window, in->window + in->begin, in->end - in->begin);
  in->taken += in->begin;
  in->end -= in->begin;
  in->begin = 0;
  in->moves++;
  while (in->end < want && !in->ended) {
    size_t got;
    NU_TRY(get_some(in, in->window + in->end, in->capacity - in->end, &got, &in->ended, err));
    in->end += got;
  }
  return NUMANN_OK;
}

/* The window holds the first packed bytes: hand them over to the unpacker. */
static numann_status start_gz(nu_input *in, numann_error *err) {
  in->packed = malloc(PACKED_BYTES);
  in->gz = calloc(1, sizeof *in->gz);
  if (!in->packed || !in->gz || inflateInit2(in->gz, 15 + 16) != Z_OK) {
    free(in->gz);
    in->gz = NULL;
    return nu_fail_memory(err, PACKED_BYTES, "unpacking gz data");
  }
  in->sized = false;
  in->ended = false;
  memcpy(in->packed, in->window, in->end);
  in->packed_read = in->end;
  in->gz->next_in = in->packed;
  in->gz->avail_in = (uInt)in->end;
  in->end = 0;
  return nu_input_fill(in, 1, err);
}

static numann_status check_kind(nu_input *in, numann_error *err) {
  struct stat info;
  if (fstat(in->fd, &info) != 0) {
    return nu_fail(err, NUMANN_ERR_IO, "%s: %s", in->name, strerror(errno));
  }
  if (S_ISDIR(info.st_mode)) {
    return nu_fail(err, NUMANN_ERR_DATA, "%s: a folder; name a data file in it", in->name);
  }
  in->sized = S_ISREG(info.st_mode) && !in->standard;
  in->size = in->sized ? (uint64_t)info.st_size : 0;
  return NUMANN_OK;
}

static numann_status start(nu_input *in, numann_error *err) {
  NU_TRY(check_kind(in, err));
  in->window = malloc(NU_INPUT_WINDOW);
  if (!in->window) return nu_fail_memory(err, NU_INPUT_WINDOW, "reading a file");
  in->capacity = NU_INPUT_WINDOW;
  /* at most what `packed` takes, if these turn out to be gz bytes */
  NU_TRY(read_some(in, in->window, PACKED_BYTES, &in->end, err));
  in->ended = in->end == 0;
  return in->end > 0 && in->window[0] == GZ_FIRST_BYTE ? start_gz(in, err) : NUMANN_OK;
}

numann_status nu_input_open(nu_input *in, const char *path, numann_error *err) {
  bool standard = strcmp(path, "-") == 0;
  *in = (nu_input){.name = standard ? "standard input" : path, .fd = STDIN_FILENO};
  in->standard = standard;
  if (!standard) in->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (in->fd < 0) {
    return nu_fail_system(err, NUMANN_ERR_DATA, path, "cannot be opened");
  }
  numann_status status = start(in, err);
  if (status != NUMANN_OK) nu_input_close(in);
  return status;
}

void nu_input_close(nu_input *in) {
  if (in->gz) inflateEnd(in->gz);
  free(in->gz);
  free(in->packed);
  free(in->window);
  free(in->ahead.buffer);
  if (in->fd >= 0 && !in->standard) close(in->fd);
  *in = (nu_input){.fd = -1};
}

numann_status nu_input_read(nu_input *in, void *out, size_t n, numann_error *err) {
  unsigned char *to = out;
  while (n > 0) {
    NU_TRY(nu_input_fill(in, 1, err));
    size_t some = in->end - in->begin < n ? in->end - in->begin : n;
    if (some == 0) {
      return nu_fail(err, NUMANN_ERR_DATA,
                     "%s@%" PRIu64
                     ": the data end early, %zu more bytes are expected; get a "
                     "complete copy",
                     in->name, nu_input_offset(in), n);
    }
    memcpy(to, in->window + in->begin, some);
    in->begin += some;
    to += some;
    n -= some;
  }
  return NUMANN_OK;
}

numann_status nu_input_finish(nu_input *in, numann_error *err) {
  NU_TRY(nu_input_fill(in, 1, err));
  if (in->end == in->begin) return NUMANN_OK;
  return nu_fail(err, NUMANN_ERR_DATA,
                 "%s@%" PRIu64 ": bytes follow the declared data; get a clean copy", in->name,
                 nu_input_offset(in));
}
